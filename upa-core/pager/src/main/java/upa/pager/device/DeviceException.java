package upa.pager.device;

/** A region cannot be paged. The message says why, in one line. */
public final class DeviceException extends Exception {
    private static final long serialVersionUID = 1;

    /**
     * Makes one.
     *
     * @param message one line for the user
     */
    public DeviceException(String message) {
        super(message);
    }
}
