package upa.internal.os;

import java.lang.foreign.MemorySegment;
import upa.internal.bindings.Libc;

/** Error numbers, as calls return them: negative. */
public final class Errno {
    /** The last page of the address space is nobody's, so an address is never among them. */
    private static final int MAX = 4095;

    /** No memory, or no room in the address space. */
    public static final int NO_MEMORY = Libc.ENOMEM();

    private Errno() {}

    /** Is what a call has returned an error number? */
    public static boolean isError(long result) {
        return result < 0 && result >= -MAX;
    }

    /** {@return the name and number of an error, e.g. {@code ENOMEM (12)}; the argument may be its negative} */
    public static String name(long errno) {
        int number = (int) Math.abs(errno);
        MemorySegment name = Libc.strerrorname_np(number);
        return (name.address() == 0
                        ? "unknown"
                        : name.reinterpret(Long.MAX_VALUE).getString(0)) + " (" + number + ")";
    }
}
