package upa.tools.reclaim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {

    @TempDir
    Path root;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... arguments) {
        out.reset();
        err.reset();
        return new Main(
                        root,
                        100,
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8))
                .run(arguments);
    }

    private String said() {
        return err.toString(StandardCharsets.UTF_8).strip();
    }

    @Test
    void wrongCommandLines() {
        for (String to : List.of("-1", "1.5M", "x", "", "1KB", "129T", "999999999999999G", "0x10")) {
            assertEquals(2, run("--to=" + to, "1"), to);
            assertTrue(said().startsWith("upa: reclaim: ") && said().endsWith(": see ./upa reclaim --help"), said());
        }
        assertEquals(2, run("--to", "129T", "1"));
        assertEquals("upa: reclaim: to=129T is not a number of bytes from 0 to 128T: see ./upa reclaim --help", said());
        assertEquals(2, run());
        assertEquals("upa: reclaim: one process or all, got arguments=0: see ./upa reclaim --help", said());
        assertEquals(2, run("1", "2"));
        assertEquals(2, run("everything"));
        assertEquals("upa: reclaim: process=everything is neither a number nor all: see ./upa reclaim --help", said());
        for (String process : List.of("0", "-1", "1.5", "1234567890", "ALL", "")) {
            assertEquals(2, run("--", process), process);
            assertEquals(
                    "upa: reclaim: process=" + process + " is neither a number nor all: see ./upa reclaim --help",
                    said());
        }
        assertEquals(2, run("--what", "1"));
        for (String bound : List.of("-1", "nothing", "", "129T", "None")) {
            assertEquals(2, run("--bound=" + bound, "1"), bound);
            assertEquals(
                    "upa: reclaim: bound=" + bound
                            + " is not a number of bytes from 0 to 128T: see ./upa reclaim --help",
                    said());
        }
        assertEquals(2, run("--bound", "1M", "--to", "1M", "1"));
        assertEquals("upa: reclaim: --bound and --to are two things: see ./upa reclaim --help", said());
        assertEquals(2, run("--bound", "1M"));
        assertEquals("upa: reclaim: one process or all, got arguments=0: see ./upa reclaim --help", said());
        assertEquals(2, run("--watch", "--bound", "1M"));
        assertEquals(2, run("--watch", "17"));
        assertEquals("upa: reclaim: --watch takes no process, got argument=17: see ./upa reclaim --help", said());
        assertEquals(2, run("--available", "1M", "1"));
        assertEquals("upa: reclaim: --available needs --watch: see ./upa reclaim --help", said());
        assertEquals(2, run("--watch", "--available", "x"));
        for (String interval : List.of("0", "0.01", "61", "NaN", "soon")) {
            assertEquals(2, run("--watch", "--interval", interval), interval);
            assertEquals(
                    "upa: reclaim: interval=" + interval
                            + " is not a number of seconds from 0.05 to 60: see ./upa reclaim --help",
                    said());
        }
        for (String[] odd : new String[][] {{"a\nb"}, {"--a\nb", "1"}, {"--to", "a\nb", "1"}}) {
            assertEquals(2, run(odd));
            assertTrue(said().contains("a\\nb") && said().lines().count() == 1, said());
        }
        assertEquals(0, run("--help"));
        assertTrue(out.toString(StandardCharsets.UTF_8).startsWith("usage: ./upa reclaim"));
    }

    @Test
    void noSuchProcess() throws Exception {
        for (String to : List.of("0", "128T", "1K")) {
            assertEquals(1, run("--to", to, "4711"));
            assertEquals("upa: there is no process=4711", said());
        }
        Files.createDirectories(root.resolve("4711"));
        Files.writeString(root.resolve("4711/maps"), "00001000-00002000 r-xp 00000000 08:01 42 /bin/program\n");
        assertEquals(1, run("4711"));
        assertEquals("upa: process=4711 does not run under UPA: start it with ./upa run", said());
        assertEquals(1, run("--bound", "1G", "4711"));
        assertEquals("upa: process=4711 does not run under UPA: start it with ./upa run", said());
        assertEquals(1, run("all"));
        assertEquals("upa: no process runs under UPA, or none that may be reclaimed from", said());
    }

    @Test
    void nothingToWatch() {
        assertEquals(1, run("--watch"));
        assertEquals("upa: nothing to watch: " + root.resolve("meminfo") + " does not say what is available", said());
    }
}
