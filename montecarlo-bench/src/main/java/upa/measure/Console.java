package upa.measure;

import java.io.PrintStream;

/**
 * Where a command talks to its user.
 *
 * @param out results
 * @param err progress and complaints
 * @param terminal whether both are read by somebody at a terminal
 */
public record Console(PrintStream out, PrintStream err, boolean terminal) {

    /**
     * That of this process.
     *
     * @return its standard streams
     */
    public static Console system() {
        return new Console(
                System.out,
                System.err,
                System.console() != null && System.console().isTerminal());
    }
}
