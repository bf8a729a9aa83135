package upa.policy;

/** A policy cannot work as asked. The message is one line that says what to do. */
public final class PolicyException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /**
     * Makes one.
     *
     * @param message with name=value of what is wrong
     */
    public PolicyException(String message) {
        super(message);
    }

    /**
     * Makes one that has a cause.
     *
     * @param message with name=value of what is wrong
     * @param cause   what was thrown
     */
    public PolicyException(String message, Throwable cause) {
        super(message, cause);
    }
}
