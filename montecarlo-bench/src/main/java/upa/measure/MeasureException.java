package upa.measure;

/** Why a measurement cannot go on: one line for the user, and the exit status that fits. */
public final class MeasureException extends Exception {

    private static final long serialVersionUID = 1;

    /** The exit status of a wrong command line. */
    public static final int USAGE = 2;
    /** The exit status of a run that was cut short. */
    public static final int INTERRUPTED = 130;
    /** The exit status of a failure. */
    public static final int FAILURE = 1;

    private final int status;

    private MeasureException(int status, String message) {
        super(message);
        this.status = status;
    }

    /**
     * A wrong command line.
     *
     * @param message what is wrong and what would be right
     * @return with exit status 2
     */
    public static MeasureException usage(String message) {
        return new MeasureException(USAGE, message);
    }

    /**
     * Something that did not work.
     *
     * @param message what, and what to do about it
     * @return with exit status 1
     */
    public static MeasureException failure(String message) {
        return new MeasureException(FAILURE, message);
    }

    /**
     * What the process shall exit with.
     *
     * @return 1 or 2
     */
    public int status() {
        return status;
    }
}
