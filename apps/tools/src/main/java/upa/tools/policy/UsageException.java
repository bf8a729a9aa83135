package upa.tools.policy;

/** The command line is wrong. The message says what. */
final class UsageException extends Exception {
    private static final long serialVersionUID = 1;

    UsageException(String message) {
        super(message);
    }
}
