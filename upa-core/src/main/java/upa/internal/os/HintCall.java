package upa.internal.os;

import static upa.internal.os.Downcall.*;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** {@code upa_hint()} of the library that {@code upa run} preloads; upa/hint.h says what it does. */
public final class HintCall {
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final MethodHandle HINT = find();
    private static final boolean HEARD = HINT != null && System.getenv("UPA_PAGER") != null;

    private HintCall() {}

    /** A library that is preloaded is in the scope of dlsym(RTLD_DEFAULT), and in none that the linker looks up. */
    private static MethodHandle find() {
        MemorySegment dlsym =
                Linker.nativeLinker().defaultLookup().find("dlsym").orElse(null);
        if (dlsym == null) {
            return null;
        }
        try (Arena arena = Arena.ofConfined()) {
            MethodHandle find = handle(dlsym, FunctionDescriptor.of(LONG, LONG, LONG));
            long found =
                    (long) find.invokeExact(0L, arena.allocateFrom("upa_hint").address());
            return found == 0
                    ? null
                    : handle(MemorySegment.ofAddress(found), FunctionDescriptor.of(INT, LONG, LONG, INT, INT));
        } catch (Throwable t) {
            throw impossible(t);
        }
    }

    /** Whether a pager is to hear hints: it pages what is mapped to be read and written in one call. */
    public static boolean isHeard() {
        return HEARD;
    }

    /** Gives a hint: 0 or -errno; 0 too where nobody listens. */
    public static int give(long address, long bytes, int kind, int priority) {
        try {
            return HINT == null ? 0 : (int) HINT.invokeExact(address, bytes, kind, priority);
        } catch (Throwable t) {
            throw impossible(t);
        }
    }
}
