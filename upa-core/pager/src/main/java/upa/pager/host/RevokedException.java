package upa.pager.host;

/** Ends a callback of a policy that has been given up: it still runs, and touches what is no longer its own. */
final class RevokedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    RevokedException() {
        super("this policy has been replaced", null, false, false);
    }
}
