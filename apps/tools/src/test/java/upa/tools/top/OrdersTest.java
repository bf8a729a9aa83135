package upa.tools.top;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static upa.tools.top.ViewDescriptor.*;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.tools.top.TopException.Reason;

class OrdersTest {

    private static final long PID = 4711;
    private static final long AGENT = 4712;
    private static final long KEPT = 3 << 20;

    @TempDir
    Path root;

    private FakeProc proc;
    private Orders orders;

    @BeforeEach
    void oneProcess() throws IOException {
        proc = new FakeProc(root);
        proc.view.putLong(HEAP_KEPT_BYTES_OFFSET, KEPT).putLong(AGENT_OFFSET, AGENT);
        proc.write();
        agent("upa-agent\n");
        orders = new Orders(new Processes(root), 200);
    }

    private void agent(String name) throws IOException {
        Path task = Files.createDirectories(proc.folder.resolve("task").resolve(Long.toString(AGENT)));
        Files.writeString(task.resolve("comm"), name);
    }

    private long word(int offset) throws IOException {
        try (RandomAccessFile memory =
                new RandomAccessFile(proc.folder.resolve("mem").toFile(), "r")) {
            byte[] bytes = new byte[Long.BYTES];
            memory.seek(FakeProc.VIEW + offset);
            memory.readFully(bytes);
            return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong();
        }
    }

    private void word(int offset, long value) throws IOException {
        ByteBuffer bytes =
                ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value);
        proc.put(FakeProc.VIEW + offset, bytes.array());
    }

    private TopException refused(Reason reason) throws IOException {
        TopException e = assertThrows(TopException.class, () -> orders.reclaim(PID, 0));
        assertEquals(reason, e.reason());
        assertEquals(0, word(ORDER_OFFSET), "nothing is touched");
        return e;
    }

    @Test
    void anAgentObeys() throws Exception {
        Thread agent = Thread.ofPlatform().start(() -> {
            try {
                while (word(ORDER_OFFSET) == 0) {
                    Thread.sleep(1);
                }
                word(HEAP_KEPT_BYTES_OFFSET, word(ORDER_OFFSET) - 1);
                word(ORDER_OFFSET, 0);
                word(ORDERS_DONE_OFFSET, word(ORDERS_DONE_OFFSET) + 1);
            } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        Orders.Outcome outcome = new Orders(new Processes(root), 20_000).reclaim(PID, 1 << 20);
        agent.join();
        assertEquals(new Orders.Outcome(PID, "a program", KEPT, 1 << 20), outcome);
        assertEquals(2 << 20, outcome.given());
    }

    @Test
    void nothingToDo() throws Exception {
        assertEquals(0, orders.reclaim(PID, KEPT).given());
        proc.view.putLong(HEAP_KEPT_BYTES_OFFSET, Orders.LEAST_BYTES - 1).putLong(AGENT_OFFSET, 0);
        proc.write();
        assertEquals(0, orders.reclaim(PID, 0).given());
        assertEquals(0, word(ORDER_OFFSET));
    }

    @Test
    void noAnswer() throws Exception {
        assertEquals(
                "process=4711 has not answered within milliseconds=200",
                refused(Reason.SILENT).getMessage());
    }

    @Test
    void nobodyWhoCould() throws Exception {
        proc.view.putLong(AGENT_OFFSET, 0);
        proc.write();
        assertEquals(
                "process=4711 has nobody who could give back: UPA_AGENT=0, a filter on system calls,"
                        + " or Linux before 5.9",
                refused(Reason.SILENT).getMessage());
    }

    /** Resident are 300 pages, whatever is kept. */
    @Test
    void aBoundStands() throws Exception {
        assertEquals(0, orders.bound(PID, 300 * 4096).given());
        assertEquals(300 * 4096 + 1, word(BOUND_OFFSET));
        assertEquals(0, word(ORDER_OFFSET), "there is no excess");
        assertEquals(0, orders.bound(PID, -1).given());
        assertEquals(0, word(BOUND_OFFSET));
        proc.view.putLong(AGENT_OFFSET, 0);
        proc.write();
        assertEquals(0, orders.bound(PID, 0).given());
        assertEquals(1, word(BOUND_OFFSET));
        assertEquals(0, word(ORDER_OFFSET), "nobody could carry it out");
    }

    @Test
    void whatExceedsABoundGoesNow() throws Exception {
        Thread agent = Thread.ofPlatform().start(() -> {
            try {
                while (word(ORDER_OFFSET) == 0) {
                    Thread.sleep(1);
                }
                word(HEAP_KEPT_BYTES_OFFSET, word(ORDER_OFFSET) - 1);
                word(ORDER_OFFSET, 0);
                word(ORDERS_DONE_OFFSET, word(ORDERS_DONE_OFFSET) + 1);
            } catch (IOException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        Orders.Outcome outcome = new Orders(new Processes(root), 20_000).bound(PID, 200 * 4096);
        agent.join();
        assertEquals(new Orders.Outcome(PID, "a program", KEPT, KEPT - 100 * 4096), outcome);
        assertEquals(200 * 4096 + 1, word(BOUND_OFFSET));
    }

    @Test
    void noBoundForWhatCannotBeUnderstood() throws Exception {
        Files.createDirectories(root.resolve("self/ns"));
        Files.createDirectories(proc.folder.resolve("ns"));
        Files.createSymbolicLink(root.resolve("self/ns/pid"), Path.of("pid:[1]"));
        Files.createSymbolicLink(proc.folder.resolve("ns/pid"), Path.of("pid:[2]"));
        assertEquals(
                Reason.FOREIGN,
                assertThrows(TopException.class, () -> orders.bound(PID, 0)).reason());
        assertEquals(0, word(BOUND_OFFSET), "nothing is touched");
        proc.view.putLong(HEAP_KEPT_BYTES_OFFSET, -5);
        proc.write();
        TopException e = assertThrows(TopException.class, () -> orders.bound(PID, 0));
        assertEquals(
                "process=4711 shows what this program cannot read: bytes=18446744073709551611 of its heap",
                e.getMessage());
        assertEquals(0, word(BOUND_OFFSET), "nothing is touched");
    }

    @Test
    void stopped() throws Exception {
        for (String state : new String[] {"T", "t"}) {
            proc.file(
                    "stat",
                    "4711 (a) S (program)) " + state
                            + " 1 2 3 4 5 6 1234 8 9 10 11 12 13 14 15 16 17 18 998877 20 21\n");
            assertEquals(
                    "process=4711 is stopped: kill -CONT 4711 lets it give back",
                    refused(Reason.SILENT).getMessage());
        }
    }

    @Test
    void anotherContainer() throws Exception {
        Files.createDirectories(root.resolve("self/ns"));
        Files.createDirectories(proc.folder.resolve("ns"));
        Files.createSymbolicLink(root.resolve("self/ns/pid"), Path.of("pid:[1]"));
        Files.createSymbolicLink(proc.folder.resolve("ns/pid"), Path.of("pid:[2]"));
        assertEquals(
                "process=4711 is in another container: run ./upa reclaim there",
                refused(Reason.FOREIGN).getMessage());
        Files.delete(proc.folder.resolve("ns/pid"));
        Files.createSymbolicLink(proc.folder.resolve("ns/pid"), Path.of("pid:[1]"));
        refused(Reason.SILENT);
    }

    @Test
    void lies() throws Exception {
        agent("program\n");
        assertEquals(
                "process=4711 shows what this program cannot read: agent=4712 is no such thread of it",
                refused(Reason.BROKEN).getMessage());
        proc.view.putLong(AGENT_OFFSET, -1);
        proc.write();
        refused(Reason.BROKEN);
        proc.view.putLong(METADATA_OFFSET, 0x7000000);
        proc.write();
        assertThrows(TopException.class, () -> orders.reclaim(PID, 0));
        for (long address : new long[] {-1, Long.MIN_VALUE, Long.MAX_VALUE}) {
            proc.view.putLong(METADATA_OFFSET, address);
            proc.write();
            refused(Reason.GONE);
        }
        proc.view.putLong(METADATA_OFFSET, 0).putInt(VERSION_OFFSET, VERSION + 1);
        proc.write();
        refused(Reason.BROKEN);
    }
}
