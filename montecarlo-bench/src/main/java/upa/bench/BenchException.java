package upa.bench;

/** Why the benchmark cannot go on: one line for the user, and the exit status that fits. */
public final class BenchException extends Exception {

    private static final long serialVersionUID = 1;

    /** The exit status of a wrong command line. */
    static final int USAGE = 2;
    /** The exit status of a failure. */
    static final int FAILURE = 1;

    private final int status;

    private BenchException(int status, String message) {
        super(message);
        this.status = status;
    }

    static BenchException usage(String message) {
        return new BenchException(USAGE, message);
    }

    static BenchException failure(String message) {
        return new BenchException(FAILURE, message);
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
