package upa.tools.top;

import static upa.tools.top.ViewDescriptor.*;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import upa.tools.top.TopException.Reason;

/**
 * Orders to processes under UPA: to give back memory of what is free, and bounds of what may be kept. The process's own
 * agent carries them out ({@code upa/view.h}); nothing is written to a process but the word of the order and that of
 * the bound, and that only if all it shows makes sense.
 *
 * <p>For any thread. Who dies in between leaves nothing but an order that may still be carried out, once.
 */
public final class Orders {

    /** Less than this is not worth an agent, nor an order. */
    static final long LEAST_BYTES = 1 << 20;

    private static final String AGENT = "upa-agent\n";
    private static final long POLL_MS = 10;

    private final Processes processes;
    private final long patienceMs;

    /**
     * Makes them.
     *
     * @param processes  that may be ordered to
     * @param patienceMs how long an answer is waited for, milliseconds
     */
    public Orders(Processes processes, long patienceMs) {
        this.processes = processes;
        this.patienceMs = patienceMs;
    }

    /**
     * What came of one.
     *
     * @param pid     of the process
     * @param command its name
     * @param before  bytes free and populated before
     * @param after   and afterwards; less if the program has used some again
     */
    public record Outcome(long pid, String command, long before, long after) {

        /** {@return bytes that are no longer kept} */
        public long given() {
            return Math.max(0, before - after);
        }
    }

    /**
     * Has a process give back what it keeps.
     *
     * @param pid  of the process
     * @param keep bytes that may stay, at most
     * @return what came of it; nothing is done if no more is kept than may stay, or too little to matter
     * @throws TopException if the process cannot be read, or does not give back
     */
    public Outcome reclaim(long pid, long keep) throws TopException {
        Sample before = processes.read(pid);
        if (before.retainedBytes() < Math.max(LEAST_BYTES, keep + 1)) {
            return new Outcome(pid, before.command(), before.retainedBytes(), before.retainedBytes());
        }
        return processes.with(pid, List.of(StandardOpenOption.READ, StandardOpenOption.WRITE), (memory, view) -> {
            check(pid, view);
            give(pid, memory, view, keep);
            return new Outcome(
                    pid,
                    before.command(),
                    before.retainedBytes(),
                    processes.read(pid).retainedBytes());
        });
    }

    /**
     * Bounds a process: as long as it is resident beyond so much, it keeps nothing that is free. That stands until it
     * is changed, whoever has set it, or the process ends or becomes another program; forked children have none. Memory
     * beyond it goes back now, if there is an agent; else with the program's next calls.
     *
     * @param pid   of the process
     * @param bytes resident, or -1: no bound
     * @return what came of it
     * @throws TopException if the process cannot be read, or does not give back; the bound then stands all the same if
     *     the reason is {@link Reason#SILENT}
     */
    public Outcome bound(long pid, long bytes) throws TopException {
        Sample before = processes.read(pid);
        return processes.with(pid, List.of(StandardOpenOption.READ, StandardOpenOption.WRITE), (memory, view) -> {
            checkPlace(pid);
            word(memory, view.address() + BOUND_OFFSET, bytes + 1);
            long excess = bytes < 0 ? 0 : before.residentBytes() - bytes;
            if (excess > 0
                    && before.retainedBytes() >= LEAST_BYTES
                    && view.bytes().getLong(AGENT_OFFSET) != 0) {
                check(pid, view);
                give(pid, memory, view, Math.max(0, before.retainedBytes() - excess));
            }
            return new Outcome(
                    pid,
                    before.command(),
                    before.retainedBytes(),
                    processes.read(pid).retainedBytes());
        });
    }

    private void checkPlace(long pid) throws IOException, TopException {
        Path own = processes.proc.resolve("self/ns/pid");
        Path its = processes.proc.resolve(pid + "/ns/pid");
        if (Files.isSymbolicLink(own) && !Files.readSymbolicLink(own).equals(Files.readSymbolicLink(its))) {
            throw new TopException(
                    Reason.FOREIGN, "process=" + pid + " is in another container: run ./upa reclaim there");
        }
    }

    private void check(long pid, Processes.View view) throws IOException, TopException {
        Path folder = processes.proc.resolve(Long.toString(pid));
        String stat = Files.readString(folder.resolve("stat"), StandardCharsets.ISO_8859_1);
        String state = stat.substring(stat.lastIndexOf(')') + 1).strip();
        long agent = view.bytes().getLong(AGENT_OFFSET);
        checkPlace(pid);
        if (state.startsWith("T") || state.startsWith("t")) {
            throw new TopException(
                    Reason.SILENT, "process=" + pid + " is stopped: kill -CONT " + pid + " lets it give back");
        }
        if (agent == 0) {
            throw new TopException(
                    Reason.SILENT,
                    "process=" + pid
                            + " has nobody who could give back: UPA_AGENT=0, a filter on system calls, or Linux"
                            + " before 5.9");
        }
        Path name = folder.resolve("task").resolve(Long.toUnsignedString(agent)).resolve("comm");
        if (!Files.exists(name)
                || !Files.readString(name, StandardCharsets.ISO_8859_1).equals(AGENT)) {
            throw Processes.broken(pid, "agent=" + Long.toUnsignedString(agent) + " is no such thread of it");
        }
    }

    private void give(long pid, FileChannel memory, Processes.View view, long keep) throws IOException, TopException {
        long done = view.bytes().getLong(ORDERS_DONE_OFFSET);
        long end = System.nanoTime() + patienceMs * 1_000_000;
        word(memory, view.address() + ORDER_OFFSET, keep + 1);
        while (Processes.bytes(memory, view.address() + ORDERS_DONE_OFFSET, Long.BYTES)
                        .getLong()
                == done) {
            if (System.nanoTime() - end > 0) {
                // What it has not begun, it need not do later.
                word(memory, view.address() + ORDER_OFFSET, 0);
                throw new TopException(
                        Reason.SILENT, "process=" + pid + " has not answered within milliseconds=" + patienceMs);
            }
            try {
                Thread.sleep(POLL_MS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new TopException(Reason.SILENT, "interrupted while process=" + pid + " was to give back");
            }
        }
    }

    private static void word(FileChannel memory, long address, long value) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(Long.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .flip();
        if (memory.write(bytes, address) != Long.BYTES) {
            throw new IOException(String.format("nothing to write to at address=%#x", address));
        }
    }
}
