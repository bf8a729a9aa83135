package upa.tools.top;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static upa.tools.top.ViewDescriptor.*;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.llfree.LlFreeDescriptor;
import upa.tools.top.TopException.Reason;

class ProcessesTest {

    private static final long MIB = 1 << 20;

    @TempDir
    Path root;

    private FakeProc fake;
    private Processes processes;

    @BeforeEach
    void aProcess() throws Exception {
        fake = new FakeProc(root);
        processes = new Processes(root);
    }

    private void refused(Reason reason, String message) {
        TopException e = assertThrows(TopException.class, () -> processes.read(4711));
        assertEquals(message, e.getMessage());
        assertEquals(reason, e.reason());
        assertEquals(List.of(), processes.all());
    }

    @Test
    void readsTheViewWhereItIs() throws Exception {
        fake.view
                .putLong(PASSED_OFFSET, 11)
                .putLong(PURGES_OFFSET, 12)
                .putLong(PURGED_BYTES_OFFSET, 13)
                .putLong(HEAP_MOVES_OFFSET, 14)
                .putLong(HEAP_BYTES_OFFSET, 15)
                .putLong(HEAP_KEPT_BYTES_OFFSET, 16)
                .putLong(HEAP_REUSED_BYTES_OFFSET, 17)
                .putLong(HEAP_GIVEN_BACK_BYTES_OFFSET, 18)
                .putLong(HEAP_LAZY_BYTES_OFFSET, 19)
                .putLong(ORDERED_BYTES_OFFSET, 20)
                .putLong(AGENT_GIVEN_BACK_BYTES_OFFSET, 21)
                .putLong(BOUND_OFFSET, 23);
        fake.note("less\u001b[2Jhere");
        fake.write();
        Sample s = processes.read(4711);
        assertEquals(
                new Sample(
                        4711,
                        998877,
                        "a program",
                        s.nanos(),
                        0,
                        0,
                        11,
                        12,
                        13,
                        14,
                        15,
                        16,
                        19,
                        0,
                        20,
                        21,
                        22,
                        300 * 4096,
                        17,
                        18,
                        1234,
                        "less\\x1b[2Jhere"),
                s);
        assertEquals(37, s.requests());
        assertEquals(1, processes.all().size());
    }

    @Test
    void countsWhatTheRegionHasServed() throws Exception {
        fake.region();
        Sample s = processes.read(4711);
        assertEquals(2, s.maps());
        assertEquals(0, s.unmaps());
        assertEquals(3 * 4096, s.liveBytes());
        assertEquals(700 * 4096, s.retainedBytes());
        assertEquals(5 * 4096, s.clearedBytes());
        assertEquals(7 * 4096, s.givenBackBytes());
        assertEquals(8 * 4096, s.takenBytes());
        assertEquals(0, s.lazyBytes());
        assertEquals(-1, s.bound());
    }

    @Test
    void aLibraryThatHasBeenReplacedIsStillRead() throws Exception {
        fake.maps("/some/where/libupa_mmap.so (deleted)");
        assertEquals(4711, processes.read(4711).pid());
    }

    @Test
    void whatIsNotUnderUpa() throws Exception {
        fake.maps("/some/where/libc.so.6");
        refused(Reason.FOREIGN, "process=4711 does not run under UPA: start it with ./upa run");
        fake.file("maps", "");
        refused(Reason.FOREIGN, "process=4711 does not run under UPA: start it with ./upa run");
        TopException e = assertThrows(TopException.class, () -> processes.read(4712));
        assertEquals("there is no process=4712", e.getMessage());
    }

    @Test
    void anotherVersion() throws Exception {
        fake.view.putInt(VERSION_OFFSET, 1);
        fake.write();
        refused(Reason.BROKEN, "process=4711 shows what this program cannot read: version=1 of its view, expected=2");
        fake.view.putLong(MAGIC_OFFSET, 0);
        fake.write();
        refused(
                Reason.BROKEN,
                "process=4711 shows what this program cannot read: no view in the data of its libupa_mmap.so, which is"
                        + " of another version");
    }

    @Test
    void aRegionThatIsNone() throws Exception {
        fake.view.putLong(METADATA_OFFSET, FakeProc.DATA);
        fake.write();
        refused(
                Reason.BROKEN,
                "process=4711 shows what this program cannot read: no region of abi=1 where its view says");
        fake.region();
        fake.put(FakeProc.METADATA + 8192 + LlFreeDescriptor.TOUCHED_CHILDREN_OFFSET, new byte[] {0, 0, 0, 0, 0, 0, 0, 1
        });
        refused(
                Reason.BROKEN,
                "process=4711 shows what this program cannot read: no allocation state where its region says, or"
                        + " touched_children=72057594037927936");
        fake.view.putLong(METADATA_OFFSET, 1L << 40);
        fake.write();
        refused(Reason.GONE, "process=4711 cannot be read: nothing at address=0x10000000000");
    }

    /** The library and the reader agree on the layout. */
    @Test
    void aRealProcess() throws Exception {
        Path program = Path.of(System.getProperty("upa.root"), "build/release/tests/preload_trace_case");
        assumeTrue(Files.isExecutable(program), "C tests are not built");
        ProcessBuilder builder = new ProcessBuilder(program.toString(), "wait");
        builder.environment().put("LD_PRELOAD", System.getProperty("upa.library.path") + "/libupa_mmap.so");
        /* Else what is retained may be gone before anybody looks. */
        builder.environment().put("UPA_AGENT", "0");
        Process process = builder.redirectError(ProcessBuilder.Redirect.INHERIT).start();
        try {
            assertEquals('\n', process.getInputStream().read());
            Sample s = new Processes(Path.of("/proc")).read(process.pid());
            assertEquals("preload_trace_c", s.command());
            assertEquals(3, s.maps());
            assertEquals(1, s.unmaps());
            assertTrue(s.liveBytes() >= 10 * MIB && s.liveBytes() < 11 * MIB, s.toString());
            assertTrue(s.retainedBytes() >= 5 * MIB && s.retainedBytes() < 6 * MIB, s.toString());
            assertTrue(s.residentBytes() >= 15 * MIB, s.toString());
            assertEquals("", s.note());
        } finally {
            process.getOutputStream().close();
            assertEquals(0, process.waitFor());
        }
    }
}
