package upa.tools.trace;

/** Why a file cannot be read as a trace: one line for the user. */
public final class TraceException extends Exception {

    private static final long serialVersionUID = 1;

    TraceException(String message) {
        super(message);
    }
}
