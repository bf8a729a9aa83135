package upa.tools.top;

/** Why a process cannot be shown: one line for the user. */
final class TopException extends Exception {

    private static final long serialVersionUID = 1;

    /** What may be wrong. */
    enum Reason {
        /** There is no such process, or it has ended. */
        GONE,
        /** It does not run under UPA. */
        FOREIGN,
        /** It may not be read. */
        FORBIDDEN,
        /** What it shows cannot be understood. */
        BROKEN
    }

    private final Reason reason;

    TopException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    Reason reason() {
        return reason;
    }
}
