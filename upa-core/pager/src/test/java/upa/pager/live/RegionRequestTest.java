package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.pager.device.DeviceException;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.StoreSpec;

/** What an owner of a region of the device says to a pager. */
class RegionRequestTest {
    @TempDir
    Path folder;

    private final BlockingQueue<String> said = new LinkedBlockingQueue<>();

    @Test
    void whatIsNotSaidIsTheDefault() throws Exception {
        RegionRequest request = RegionRequest.parse("region 1\nmemory=1048576\npid=7\n");
        assertEquals(1 << 20, request.bytes());
        assertEquals("clock", request.policy().text());
        assertEquals(StoreSpec.DEFAULT, request.stores());
        assertEquals(7, request.pid());
    }

    @Test
    void whatIsSaidCounts() throws Exception {
        RegionRequest request =
                RegionRequest.parse("region 1\nmemory=8388608\npolicy=clock,chances=2\nstores=lz4:16M\npid=7\n");
        assertEquals(8 << 20, request.bytes());
        assertEquals("clock,chances=2", request.policy().text());
        assertEquals("lz4:16M", request.stores());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "pid=7\n",
                "memory=1048576\n",
                "memory=1048575\npid=7\n",
                "memory=much\npid=7\n",
                "memory=99999999999999999999\npid=7\n",
                "memory=1048576\npid=7\npolicy=\n",
                "memory=1048576\npid=7\npolicy=clock,chances\n",
                "memory=1048576\npid=7\nstores=zram\n",
                "memory=1048576\npid=7\nstores=none-such\n",
                "memory=1048576\npid=me\n"
            })
    void nonsenseIsRefused(String lines) {
        assertThrows(DeviceException.class, () -> RegionRequest.parse(RegionRequest.FIRST + lines));
    }

    private void assertRefused(Path socket, String terms, String why) throws Exception {
        assertEquals(22, ask(socket, "region 1\npid=7\n" + terms + "\n"), terms);
        String line = said.poll(10, TimeUnit.SECONDS);
        String wanted = "a region of pid=" + ProcessHandle.current().pid() + " is not paged: " + why;
        assertTrue(line != null && line.startsWith(wanted), terms + ": " + line);
        assertTrue(said.isEmpty(), said::toString);
    }

    /** A pager of runs is one of regions, too: it answers with an errno, and says why in a line. */
    @Test
    void thePagerOfAUserAnswersAnOwner() throws Exception {
        Path socket = folder.resolve("test.control");
        int listener = Linux.listen(socket.toString());
        try (Pager pager = new Pager(socket, listener, line -> line, 1000)) {
            pager.regionLog(said::add);
            Thread thread = Thread.ofPlatform().daemon().start(pager::run);
            String policy = "memory=1048576\npolicy=";
            assertRefused(socket, "memory=5", "memory=5 is out of range: the least is 1M");
            assertRefused(socket, policy + "none-such", "there is no policy=none-such");
            assertRefused(socket, policy + "clock,x=1", "policy=clock has no option=x; it has chances");
            assertRefused(socket, policy + "clock,chances=many", "policy=clock option=chances has value=many");
            assertRefused(socket, policy + "when age>30s: move to redis", "policy=rules: there is no place=redis");
            assertEquals(0, ask(socket, "region 1\nmemory=1048576\npid=7\n"), "and then it waits to be greeted");
            thread.join(20_000);
            assertTrue(!thread.isAlive(), "an owner that goes keeps it");
        }
    }

    private static long ask(Path socket, String request) throws IOException {
        int fd = Linux.connect(socket.toString());
        try (Arena arena = Arena.ofConfined()) {
            Linux.send(fd, arena.allocateFrom(ValueLayout.JAVA_BYTE, request.getBytes(StandardCharsets.UTF_8)));
            MemorySegment answer = arena.allocate(ValueLayout.JAVA_LONG);
            if (Linux.poll(Linux.pollSet(arena, fd), 10_000) <= 0
                    || Linux.receive(fd, answer, new int[0]) != Long.BYTES) {
                throw new IOException("no answer");
            }
            return answer.get(ValueLayout.JAVA_LONG, 0);
        } finally {
            Posix.close(fd);
        }
    }
}
