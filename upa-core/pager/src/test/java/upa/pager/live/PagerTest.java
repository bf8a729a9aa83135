package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

@Timeout(60)
class PagerTest {
    @TempDir
    private Path folder;

    /** What it answers; empty: it has closed the connection; null: there is nobody. */
    private String ask(Path control, String text) {
        int fd = Linux.connect(control.toString());
        if (fd < 0) {
            return null;
        }
        StringBuilder answer = new StringBuilder();
        try (Arena arena = Arena.ofConfined()) {
            Linux.send(fd, arena.allocateFrom(ValueLayout.JAVA_BYTE, text.getBytes(StandardCharsets.UTF_8)));
            MemorySegment part = arena.allocate(1 << 16, Long.BYTES);
            for (long n; (n = Linux.receive(fd, part, new int[0])) > 0; ) {
                answer.append(new String(part.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8));
            }
        } finally {
            Posix.close(fd);
        }
        return answer.toString();
    }

    private Pager pager(Path control, long linger) {
        int listener = Linux.listen(control.toString());
        assertTrue(listener >= 0, "errno=" + -listener);
        return new Pager(control, listener, UnaryOperator.identity(), linger);
    }

    /** Whoever comes as it is about to end is answered, or sees that it is not there: nobody waits for ever. */
    @Test
    void whoComesAsItEndsIsNotLost() throws Exception {
        int answered = 0;
        for (int round = 0; round < 40; round++) {
            Path control = folder.resolve(round + ".control");
            int linger = 20 + round % 5;
            Pager pager = pager(control, linger);
            Thread serving = Thread.ofPlatform().start(() -> {
                pager.run();
                pager.close();
            });
            Thread.sleep(round % 10 * 3);
            // Each time a little later, until it is too late.
            int pause = linger - 4;
            for (String answer; (answer = ask(control, RunRequest.FIRST)) != null; pause++) {
                answered += answer.isEmpty() ? 0 : 1;
                assertTrue(answer.isEmpty() || answer.startsWith("failed\0001\0a request that makes no sense"), answer);
                Thread.sleep(pause);
            }
            serving.join();
            assertFalse(Files.exists(control), "its socket stays");
        }
        assertTrue(answered > 0, "nobody was answered");
    }

    /** Who says nothing, or nonsense, keeps nobody from an answer. */
    @Test
    void whoSaysNothingIsInNobodysWay() throws Exception {
        Path control = folder.resolve("x.control");
        Pager pager = pager(control, 1000);
        Thread serving = Thread.ofPlatform().start(pager::run);
        int silent = Linux.connect(control.toString());
        assertEquals("0\n", ask(control, "status"));
        assertEquals("0\n", ask(control, "programs"));
        assertEquals("1\nunknown command", ask(control, "x"));
        Posix.close(silent);
        serving.join();
        pager.close();
        assertEquals(null, ask(control, "status"));
    }

    /** A terminal that is stopped: lines are lost, and nobody waits. */
    @Test
    void nobodyWaitsForAUserWhoDoesNotRead() {
        Path path = folder.resolve("log");
        int listener = Linux.listen(path.toString());
        int fd = Linux.connect(path.toString());
        try (Arena arena = Arena.ofConfined();
                RunLog log = new RunLog(fd, line -> line.replace('\n', ' '))) {
            log.accept("two\nlines");
            int other = Linux.accept(listener);
            MemorySegment got = arena.allocate(1 << 13, Long.BYTES);
            long n = Linux.receive(other, got, new int[0]);
            assertEquals(
                    "upa: two lines\n",
                    new String(got.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8));
            String large = "x".repeat(2 * RunLog.MOST_BYTES);
            int lines = 0;
            for (long since = System.nanoTime(); System.nanoTime() - since < RunLog.MOST_MILLIS * 500_000L; lines++) {
                assertTrue(lines < 10_000, "it is never full");
                since = System.nanoTime();
                log.accept(large);
            }
            assertEquals(RunLog.MOST_BYTES, Linux.receive(other, got, new int[0]));
            Posix.close(other);
        }
        Posix.close(listener);
    }
}
