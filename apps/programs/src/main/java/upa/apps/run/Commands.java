package upa.apps.run;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Runs the commands around a measurement: preparation, checks, load generators, installation. {@link #stop} ends what
 * runs.
 */
public final class Commands {

    private static final int LINE = 300;

    private final Path folder;
    private volatile Process running;

    /** Keeps what commands print in files of this folder. */
    public Commands(Path folder) {
        this.folder = folder;
    }

    /**
     * What came of a command.
     *
     * @param status its exit status; -1 if it could not be run or ran out of time
     * @param output what it printed
     * @param problem one line that says why it failed; empty if it did not
     */
    public record Outcome(int status, String output, String problem) {
        public boolean isGood() {
            return status == 0;
        }
    }

    /** Runs a command in a folder, with these variables besides our own. */
    public Outcome run(List<String> command, Path in, Map<String, String> variables, long seconds) throws IOException {
        Path output = folder.resolve("command.out");
        Path errors = folder.resolve("command.err");
        Files.createDirectories(folder);
        try {
            ProcessBuilder builder = new ProcessBuilder(command)
                    .directory(in.toFile())
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectOutput(output.toFile())
                    .redirectError(errors.toFile());
            builder.environment().putAll(variables);
            Process process;
            try {
                process = builder.start();
            } catch (IOException e) {
                return new Outcome(-1, "", "cannot run " + command.getFirst());
            }
            running = process;
            try {
                if (!process.waitFor(seconds, TimeUnit.SECONDS)) {
                    return new Outcome(-1, "", command.getFirst() + " did not end within " + seconds + " s");
                }
            } finally {
                end(process);
                running = null;
            }
            int status = process.exitValue();
            String text = read(output);
            return new Outcome(
                    status,
                    text,
                    status == 0 ? "" : command.getFirst() + " exited with status " + status + said(read(errors), text));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return new Outcome(-1, "", "interrupted");
        }
    }

    /** Ends what runs, from any thread. */
    public void stop() {
        Process process = running;
        if (process != null) {
            end(process);
        }
    }

    private static void end(Process process) {
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly();
    }

    /** The last line that somebody printed, as ": line"; of errors first. */
    public static String said(String... texts) {
        for (String text : texts) {
            String last = text.lines()
                    .filter(l -> !l.isBlank())
                    .reduce((a, b) -> b)
                    .orElse("")
                    .strip();
            if (!last.isEmpty()) {
                return ": " + (last.length() > LINE ? last.substring(0, LINE) + "..." : last);
            }
        }
        return "";
    }

    /** A file as text, however it is encoded; empty if it cannot be read. */
    public static String read(Path file) {
        try {
            return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }
}
