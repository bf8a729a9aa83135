package upa.llfree;

import java.nio.file.Path;

/** Runs the ownership workload on a file: a JVM that tests start beside themselves, and kill. */
final class LlFreePeer {
    private LlFreePeer() {}

    /** Arguments: FILE FIRST_ID THREADS OPERATIONS SEED, as of the C twin. */
    public static void main(String[] arguments) throws Exception {
        SharedState shared = SharedState.attach(Path.of(arguments[0]));
        System.out.println("ready");
        OwnershipWorkload.run(
                shared,
                Integer.parseInt(arguments[1]),
                Integer.parseInt(arguments[2]),
                Long.parseLong(arguments[3]),
                Long.parseLong(arguments[4]));
    }
}
