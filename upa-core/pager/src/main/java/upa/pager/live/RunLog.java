package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

/**
 * Lines for the user of a run, on its standard error. Safe for use by several threads. Who does not read there, as a
 * terminal that has been stopped, holds nobody up for longer than {@link #MOST_MILLIS}: the line is lost then.
 */
final class RunLog implements Consumer<String>, AutoCloseable {
    static final int MOST_MILLIS = 200;
    /** What a pipe takes in one piece: it has room for as much if it has room. */
    static final int MOST_BYTES = 4096;

    private final int fd;
    private final UnaryOperator<String> oneLine;
    private boolean closed;

    RunLog(int fd, UnaryOperator<String> oneLine) {
        this.fd = fd;
        this.oneLine = oneLine;
    }

    @Override
    public synchronized void accept(String line) {
        byte[] bytes = (oneLine.apply("upa: " + line) + "\n").getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MOST_BYTES) {
            bytes = Arrays.copyOf(bytes, MOST_BYTES);
            bytes[MOST_BYTES - 1] = '\n';
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
            if (!closed && Linux.poll(Linux.pollSetToWrite(arena, fd), MOST_MILLIS) > 0) {
                Linux.write(fd, text);
            }
        }
    }

    @Override
    public synchronized void close() {
        closed = true;
        Posix.close(fd);
    }
}
