package upa.measure;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import upa.measure.report.Units;

/**
 * Memory that is host-warm: touched before, and not taken back by a hypervisor, so that a first touch costs what the
 * kernel takes and nothing else. {@code upa-driver --hold} keeps it so until {@link #close}, from any thread.
 */
public final class HostMemory implements AutoCloseable {

    private static final int FIELDS = 6;

    private final String state;
    private final Process holder;

    private HostMemory(String state, Process holder) {
        this.state = state;
        this.holder = holder;
    }

    /**
     * Makes memory host-warm.
     *
     * @param console where it says that it does
     * @param who says it, such as "upa bench"
     * @param driver upa-driver
     * @param bytes how much; 0 for none
     * @return the memory
     * @throws MeasureException if it fails
     */
    public static HostMemory warm(Console console, String who, Path driver, long bytes) throws MeasureException {
        if (bytes == 0) {
            return new HostMemory(
                    "not prepared: first touches may cost what the hypervisor takes to find memory", null);
        }
        if (!Files.isExecutable(driver)) {
            throw missing(driver);
        }
        console.err().println(who + ": making " + Units.bytes(bytes) + " of memory host-warm");
        Process holder = null;
        try {
            holder = new ProcessBuilder(driver.toString(), "--hold", Long.toString(bytes))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            String line = new BufferedReader(new InputStreamReader(holder.getInputStream(), StandardCharsets.US_ASCII))
                    .readLine();
            String[] fields = line == null ? new String[0] : line.split(" ");
            if (fields.length != FIELDS) {
                throw MeasureException.failure(
                        "cannot make memory host-warm: bytes=" + bytes + ", upa-driver --hold said '" + line + "'");
            }
            return new HostMemory(
                    Units.bytes(bytes) + " made host-warm and kept so: the first touch of a page took "
                            + Units.time(Long.parseLong(fields[3])) + " before and "
                            + Units.time(Long.parseLong(fields[5]))
                            + " after; huge pages are warmed just before each use",
                    holder);
        } catch (IOException | NumberFormatException e) {
            if (holder != null) {
                holder.destroyForcibly();
            }
            throw MeasureException.failure("cannot run " + driver + ": " + e.getMessage());
        }
    }

    /**
     * What to say without upa-driver.
     *
     * @param driver where it should be
     * @return the exception to throw
     */
    public static MeasureException missing(Path driver) {
        return MeasureException.failure(
                "no driver at file=" + driver + ": build it with ./upa build, or name it with --driver");
    }

    /**
     * What was done.
     *
     * @return a line for the report
     */
    public String state() {
        return state;
    }

    @Override
    public void close() {
        if (holder == null) {
            return;
        }
        try {
            holder.getOutputStream().close();
            if (!holder.waitFor(10, TimeUnit.SECONDS)) {
                holder.destroyForcibly();
            }
        } catch (IOException e) {
            holder.destroyForcibly();
        } catch (InterruptedException e) {
            holder.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
