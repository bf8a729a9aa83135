package upa.internal.region;

import upa.core.SystemCallException;
import upa.internal.os.Errno;

/** What the kernel has refused becomes an exception here. */
public final class Refusal {
    private Refusal() {}

    /**
     * Passes on what a call on memory has returned, unless that is -errno.
     *
     * @throws SystemCallException with the call, the address, the size and the error
     */
    public static long check(long result, String call, long address, long bytes) {
        if (Errno.isError(result)) {
            throw new SystemCallException(
                    String.format("%s failed: address=%#x bytes=%d errno=%s", call, address, bytes, Errno.name(result)),
                    (int) -result);
        }
        return result;
    }
}
