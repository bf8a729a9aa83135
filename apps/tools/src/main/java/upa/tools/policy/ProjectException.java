package upa.tools.policy;

/** A project cannot be made. The message says why, in one line. */
final class ProjectException extends Exception {
    private static final long serialVersionUID = 1;

    ProjectException(String message) {
        super(message);
    }
}
