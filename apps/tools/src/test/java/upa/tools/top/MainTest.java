package upa.tools.top;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.tools.top.ViewDescriptor.AGENT_GIVEN_BACK_BYTES_OFFSET;
import static upa.tools.top.ViewDescriptor.ORDERED_BYTES_OFFSET;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {

    private static final long PAGE = 4096;

    @TempDir
    Path root;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    /** What those of this machine say is no matter here. */
    private String pagers = "";

    private int run(String... arguments) {
        out.reset();
        err.reset();
        return new Main(
                        new Processes(root),
                        pid -> pagers,
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8),
                        false)
                .run(arguments);
    }

    private String said() {
        return err.toString(StandardCharsets.UTF_8).strip();
    }

    private static Sample sample(long pid, long nanos, long maps, long passed, long clearedPages, long faults) {
        return new Sample(
                pid,
                1,
                "program",
                nanos,
                maps,
                maps,
                passed,
                0,
                0,
                0,
                64 << 20,
                1 << 20,
                0,
                0,
                0,
                0,
                -1,
                80 << 20,
                clearedPages * PAGE,
                0,
                faults,
                "");
    }

    @Test
    void wrongCommandLines() {
        for (String interval : List.of("0", "-1", "fast", "1e9", "NaN")) {
            assertEquals(2, run("--interval=" + interval));
            assertEquals(
                    "upa: top: interval=" + interval
                            + " is not a number of seconds from 0.1 to 3600: see ./upa top --help",
                    said());
        }
        assertEquals(2, run("everything"));
        assertEquals("upa: top: process=everything is neither a number nor all: see ./upa top --help", said());
        for (String process : List.of("0", "-1", "1.5", "1234567890", "ALL", "")) {
            assertEquals(2, run("--", process), process);
            assertEquals("upa: top: process=" + process + " is neither a number nor all: see ./upa top --help", said());
        }
        assertEquals(2, run("1", "2"));
        assertEquals("upa: top: one process or all, got argument=2: see ./upa top --help", said());
        assertEquals(2, run("--what"));
        assertEquals("upa: top: Unrecognized option: --what: see ./upa top --help", said());
        assertEquals(2, run("a\nb\033[1m"));
        assertTrue(said().contains("a\\nb\\x1b[1m"), said());
        assertEquals(0, run("--help"));
        assertTrue(out.toString(StandardCharsets.UTF_8).startsWith("usage: ./upa top"));
    }

    @Test
    void noProcess() throws Exception {
        assertEquals(1, run("--once", "4711"));
        assertEquals("upa: there is no process=4711", said());
        assertEquals(1, run("--once", "all"));
        assertEquals("upa: no process runs under UPA, or none that may be read", said());
        Files.createDirectories(root.resolve("12"));
        Files.writeString(root.resolve("12/maps"), "");
        assertEquals(1, run("12"));
        assertEquals("upa: process=12 does not run under UPA: start it with ./upa run", said());
    }

    @Test
    void oneTableForScripts() throws Exception {
        FakeProc fake = new FakeProc(root);
        fake.region();
        fake.view.putLong(ORDERED_BYTES_OFFSET, 6 * PAGE).putLong(AGENT_GIVEN_BACK_BYTES_OFFSET, 8 * PAGE);
        fake.write();
        assertEquals(0, run("--once", "--interval", "0.1"));
        List<String> lines = out.toString(StandardCharsets.UTF_8).lines().toList();
        assertEquals(2, lines.size());
        assertTrue(
                lines.get(0)
                        .startsWith("     PID COMMAND          REQUESTS/s  SERVED       LIVE       KEPT RECLAIMABLE"),
                lines.get(0));
        assertEquals(
                "    4711 a program                 0   100 %     12 KiB   2.73 MiB         0 B   1.17 MiB     32 KiB"
                        + "     24 KiB      8 KiB          0          0          0          0",
                lines.get(1));
        pagers = "a line of a pager's\n";
        assertEquals(0, run("--once", "--interval", "0.1"));
        assertEquals(
                List.of("", "     PID  PAGED", "a line of a pager's"),
                out.toString(StandardCharsets.UTF_8).lines().skip(2).toList());
    }

    @Test
    void ratesAreOfTheInterval() {
        Row row = Row.between(sample(1, 0, 100, 100, 50, 7), sample(1, 500_000_000, 130, 110, 90, 9));
        assertEquals((30 + 30 + 10) / 0.5, row.requests());
        assertEquals(0.75, row.served());
        assertEquals(80, row.cleared());
        assertEquals(4, row.faults());
        Row idle = Row.between(sample(1, 0, 30, 10, 50, 7), sample(1, 500_000_000, 30, 10, 50, 7));
        assertEquals(0, idle.requests());
        assertEquals(0.75, idle.served());
        assertEquals(-1, Row.first(sample(1, 0, 0, 0, 0, 0)).served());
    }

    @Test
    void theBusiestFirst() {
        Sample before = sample(1, 0, 0, 0, 0, 0);
        List<String> lines = TopTable.lines(List.of(
                Row.between(before, sample(5, 1_000_000_000, 3, 0, 0, 0)),
                Row.between(before, sample(6, 1_000_000_000, 4, 0, 0, 0)),
                Row.between(before, sample(4, 1_000_000_000, 3, 0, 0, 0))));
        assertEquals(
                List.of("6", "4", "5"),
                lines.stream().skip(1).map(l -> l.strip().split(" ")[0]).toList());
    }
}
