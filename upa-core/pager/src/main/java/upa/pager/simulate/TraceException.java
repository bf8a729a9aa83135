package upa.pager.simulate;

/** A trace cannot be read. The message is one line that names file and line. */
public final class TraceException extends Exception {
    private static final long serialVersionUID = 1;

    TraceException(String message) {
        super(message);
    }
}
