package upa.tools.top;

/** Why a process cannot be shown, or reclaimed from: one line for the user. */
public final class TopException extends Exception {

    private static final long serialVersionUID = 1;

    /** What may be wrong. */
    public enum Reason {
        /** There is no such process, or it has ended. */
        GONE,
        /** It does not run under UPA. */
        FOREIGN,
        /** It may not be read. */
        FORBIDDEN,
        /** What it shows cannot be understood. */
        BROKEN,
        /** It does not give back what it keeps: there is nobody in it who could, or he does not answer. */
        SILENT
    }

    private final Reason reason;

    /**
     * Makes one.
     *
     * @param reason  what is wrong
     * @param message says so in a line
     */
    public TopException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    /** {@return what is wrong} */
    public Reason reason() {
        return reason;
    }
}
