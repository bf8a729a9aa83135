package upa.core;

/**
 * A system call that the kernel has refused for a reason other than misuse by the caller.
 *
 * <p>The message says which call, on what, and why, e.g.
 * {@code madvise failed: address=0x7f0000000000 bytes=4096 errno=ENOMEM (12)}.
 */
public final class SystemCallException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** The error number, positive. */
    private final int errno;

    /**
     * Makes the exception.
     *
     * @param message the call, its arguments and the name of the error
     * @param errno   the error number, positive
     */
    public SystemCallException(String message, int errno) {
        super(message);
        this.errno = errno;
    }

    /** {@return the error number, positive, as in errno(3)} */
    public int errno() {
        return errno;
    }
}
