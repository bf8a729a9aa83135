package upa.tools.trace;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MainTest {

    private static final long MIB = 1 << 20;

    @TempDir
    Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private int run(String... arguments) {
        out.reset();
        err.reset();
        return Main.run(
                arguments,
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
    }

    private String said() {
        return err.toString(StandardCharsets.UTF_8).strip();
    }

    private String printed() {
        return out.toString(StandardCharsets.UTF_8);
    }

    @Test
    void wrongCommandLines() {
        assertEquals(2, run());
        assertEquals("upa: trace needs a file: ./upa trace FILE", said());
        assertEquals(2, run("--what", "t"));
        assertEquals("upa: trace: Unrecognized option: --what: see ./upa trace --help", said());
        assertEquals(2, run("--a\nb\033[1m", "t"));
        assertEquals("upa: trace: Unrecognized option: --a\\nb\\x1b[1m: see ./upa trace --help", said());
        assertEquals(0, run("--help"));
        assertTrue(printed().startsWith("usage: ./upa trace"));
    }

    @Test
    void aCommandIsOneLine() throws Exception {
        Path file =
                new TraceFile().command("sh -c a\nb\033[1m\0").map(0x1000, 4096).write(folder.resolve("t"), 20);
        assertEquals(0, run(file.toString()));
        assertEquals("sh -c a\\nb\\x1b[1m", printed().lines().findFirst().orElseThrow());
    }

    @Test
    void oneBadFileDoesNotHideAnother() throws Exception {
        Path good = new TraceFile().at(7).map(0x1000, 4096).write(folder.resolve("good"), 20);
        assertEquals(1, run("--records", folder.resolve("none").toString(), good.toString()));
        assertEquals("upa: cannot read trace file=" + folder.resolve("none") + ": there is no such file", said());
        assertEquals("0 7 1 map 0x1000 4096 3 anonymous", printed().strip());
        assertEquals(1, run(folder.resolve("a\nb").toString(), good.toString()));
        assertEquals("upa: cannot read trace file=" + folder + "/a\\nb: there is no such file", said());
    }

    /** The library and the reader agree on the layout. */
    @Test
    void aRecordedTrace() throws Exception {
        Path root = Path.of(System.getProperty("upa.root"));
        Path program = root.resolve("build/release/tests/preload_trace_case");
        assumeTrue(Files.isExecutable(program), "C tests are not built");
        Path file = folder.resolve("t");
        ProcessBuilder builder = new ProcessBuilder(program.toString(), "plain");
        builder.environment().put("LD_PRELOAD", System.getProperty("upa.library.path") + "/libupa_mmap.so");
        builder.environment().put("UPA_TRACE", file.toString());
        assertEquals(0, builder.inheritIO().start().waitFor());
        try (Trace trace = Trace.open(file)) {
            assertEquals(program + " plain", trace.command());
            assertTrue(trace.ended());
            long[] seen = new long[2];
            trace.forEach(r -> {
                seen[0] += r.kind() == TraceRecord.Kind.MAP && r.bytes() == 5 * MIB && r.is(TraceRecord.SERVED) ? 1 : 0;
                seen[1] += r.kind() == TraceRecord.Kind.RESIZED && r.bytes() == 9 * MIB ? 1 : 0;
            });
            assertEquals(1, seen[0]);
            assertEquals(1, seen[1]);
        }
    }
}
