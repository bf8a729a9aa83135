package upa.pager.live;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStream;
import java.io.OutputStreamWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import upa.pager.host.PolicyThread;
import upa.pager.simulate.Recording;
import upa.policy.PageBatch.Cause;

/**
 * Writes down what happens to the pages of a process, as a {@link Recording}. A file that cannot be written ends the
 * recording, and nothing else. Safe for use by several threads.
 */
final class Recorder implements PolicyThread.Observer, AutoCloseable {
    private static final int MOST_BYTES = 1 << 30;
    private static final int BUFFER = 1 << 16;

    private final long begun = System.nanoTime();
    private final BufferedWriter out;
    private final StringBuilder line = new StringBuilder();
    /** When the pages that threads wait for were asked for. */
    private final Map<Integer, Long> waiting = new HashMap<>();

    private long events;
    private long bytes;
    private String failure = "";

    Recorder(Path file, String title) throws IOException {
        OutputStream raw = Files.newOutputStream(file);
        OutputStream packed = file.toString().endsWith(".gz") ? new GZIPOutputStream(raw, BUFFER) : raw;
        out = new BufferedWriter(new OutputStreamWriter(packed, StandardCharsets.ISO_8859_1), BUFFER);
        out.write(Recording.HEADER + title + "\n");
    }

    private long micros() {
        return (System.nanoTime() - begun) / 1000;
    }

    private void write(char kind, long... numbers) {
        line.setLength(0);
        line.append(kind);
        for (long n : numbers) {
            line.append(' ').append(n);
        }
        finish();
    }

    private void finish() {
        line.append('\n');
        if (!failure.isEmpty()) {
            return;
        }
        try {
            out.append(line);
            events++;
            bytes += line.length();
            if (bytes > MOST_BYTES) {
                failure = "it is full: bytes=" + bytes;
            }
        } catch (IOException e) {
            failure = e.getMessage();
        }
    }

    @Override
    public synchronized void told(Cause cause, int[] pages, int count) {
        long now = micros();
        if (cause != Cause.FETCHED) {
            for (int i = 0; i < count; i++) {
                waiting.remove(pages[i]);
            }
        }
        switch (cause) {
            case FIRST_TOUCH -> rows('t', now, pages, count);
            case FREED, UNMAPPED -> rows('d', now, pages, count);
            case PREFETCHED -> each('p', now, pages, count);
            case RESCUED -> each('r', now, pages, count);
            case FETCHED -> {
                for (int i = 0; i < count; i++) {
                    Long asked = waiting.remove(pages[i]);
                    if (asked != null) {
                        write('i', now, pages[i], System.nanoTime() - asked);
                    }
                }
            }
            default -> {
                // Not something that the program does.
            }
        }
    }

    private void each(char kind, long now, int[] pages, int count) {
        for (int i = 0; i < count; i++) {
            write(kind, now, pages[i]);
        }
    }

    private void rows(char kind, long now, int[] pages, int count) {
        int n;
        for (int i = 0; i < count; i += n) {
            n = 1;
            while (i + n < count && pages[i + n] == pages[i] + n) {
                n++;
            }
            write(kind, now, pages[i], n);
        }
    }

    @Override
    public synchronized void fault(int page, int thread, boolean write) {
        if (thread == 0) {
            // The same fault, which the kernel could not end before: somebody waits since then.
            return;
        }
        waiting.put(page, System.nanoTime());
        line.setLength(0);
        line.append("f ")
                .append(micros())
                .append(' ')
                .append(page)
                .append(write ? " w " : " r ")
                .append(thread);
        finish();
    }

    /** How many pages there are, and what they have done. */
    synchronized void sample(int resident, int outside, int bound, long faults, long evictions) {
        write('s', micros(), resident, outside, bound, faults, evictions);
    }

    synchronized long events() {
        return events;
    }

    /** Why nothing is written any more, or empty. */
    synchronized String failure() {
        return failure;
    }

    @Override
    public synchronized void close() throws IOException {
        out.close();
    }
}
