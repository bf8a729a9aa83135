package upa.pager.store;

/** A store cannot be opened as asked. The message is one line that says what to do. */
public final class StoreException extends Exception {
    private static final long serialVersionUID = 1;

    /**
     * Makes one.
     *
     * @param message with name=value of what is wrong
     */
    public StoreException(String message) {
        super(message);
    }

    /**
     * Makes one that has a cause.
     *
     * @param message with name=value of what is wrong
     * @param cause   what was thrown
     */
    public StoreException(String message, Throwable cause) {
        super(message, cause);
    }
}
