package upa.apps.workload;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A program to measure, as its workload.json describes it; apps/README.md documents the fields.
 *
 * @param name of its folder
 * @param folder where its files are
 * @param title one line for the reader
 * @param kind what sort of program it is
 * @param pageAllocationMatters whether page allocation is expected to matter to it
 * @param optional whether it runs only if it is named, or with --full: its packages take long to install
 * @param packages Debian packages it needs
 * @param diskMiB free disk it needs
 * @param memoryMiB free memory it needs
 * @param prepare the command that makes its data; may be empty
 * @param run the command that is measured
 * @param environment variables of that command, for all contestants
 * @param check what of a run has to be the same for all contestants
 * @param checkCommand the command whose output that is, if it is {@link Check#COMMAND}; else empty
 * @param timeoutSeconds after which a run has failed
 * @param server what else a server needs; empty for a program that ends by itself
 * @param digest of all files in the folder: data are prepared anew, and earlier runs void, when it changes
 */
public record Workload(
        String name,
        Path folder,
        String title,
        Kind kind,
        boolean pageAllocationMatters,
        boolean optional,
        List<String> packages,
        long diskMiB,
        long memoryMiB,
        List<String> prepare,
        List<String> run,
        Map<String, String> environment,
        Check check,
        List<String> checkCommand,
        int timeoutSeconds,
        Optional<Server> server,
        String digest) {

    /** What of a run has to be the same for all contestants. */
    public enum Check {
        /** What the program printed. */
        STDOUT,
        /** What the load generator printed, without times. */
        LOAD,
        /** What a command printed after the run, or of a server before its end; it must also succeed. */
        COMMAND
    }

    /** Sorts of programs. */
    public enum Kind {
        /** Answers requests; throughput and latency are measured. */
        SERVER,
        /** Works on data. */
        DATA,
        /** A language runtime. */
        RUNTIME,
        /** Compilers, linkers, version control. */
        BUILD,
        /** Images, video, compression. */
        MEDIA,
        /** Allocates and frees large blocks, as a stress. */
        CHURN;

        public String id() {
            return name().toLowerCase();
        }
    }

    /**
     * What a server needs besides.
     *
     * @param ready the command that succeeds once it answers; empty: its port accepts a connection
     * @param load the command that sends the requests, without the contestant's variables
     * @param loadFormat how to read what that prints
     * @param stopSignal the number of the signal that ends the server
     * @param port fixed, or 0 for any free one
     */
    public record Server(List<String> ready, List<String> load, LoadFormat loadFormat, int stopSignal, int port) {}
}
