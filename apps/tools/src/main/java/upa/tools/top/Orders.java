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
 * Orders to processes under UPA: to give back memory of what is free. The process's own agent carries them out
 * ({@code upa/view.h}); nothing is written to a process but the one word of the order, and that only if all it shows
 * makes sense.
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

    private void check(long pid, Processes.View view) throws IOException, TopException {
        Path folder = processes.proc.resolve(Long.toString(pid));
        String stat = Files.readString(folder.resolve("stat"), StandardCharsets.ISO_8859_1);
        String state = stat.substring(stat.lastIndexOf(')') + 1).strip();
        long agent = view.bytes().getLong(AGENT_OFFSET);
        Path own = processes.proc.resolve("self/ns/pid");
        Path its = folder.resolve("ns/pid");
        if (Files.isSymbolicLink(own) && !Files.readSymbolicLink(own).equals(Files.readSymbolicLink(its))) {
            throw new TopException(
                    Reason.FOREIGN, "process=" + pid + " is in another container: run ./upa reclaim there");
        }
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
