package upa.pager.live;

/** A pager that cannot start, or does not answer: the message says why, in one line. */
public final class PagerException extends Exception {
    private static final long serialVersionUID = 1;

    /**
     * Makes one.
     *
     * @param message for the user
     */
    public PagerException(String message) {
        super(message);
    }
}
