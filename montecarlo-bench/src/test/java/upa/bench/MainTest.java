package upa.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.bench.driver.Experiment;
import upa.measure.Console;
import upa.measure.Machine;

class MainTest {

    private static final long GIB_IN_KIB = 1 << 20;

    @TempDir
    Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @Test
    void aWrongCommandLineIsOneLineAndStatus2() throws IOException {
        assertUsage("experiment=z does not exist: choose from a or sizes, ", "--experiment", "a,z");
        assertUsage(
                "sampler=dice does not exist: choose from douglas, log-uniform, fixed:SIZE and trace:FILE",
                "--sampler",
                "dice");
        assertUsage("experiment=replay needs a trace: --sampler trace:FILE", "--experiment", "h");
        assertUsage("sampler=fixed:0 does not exist", "--sampler", "fixed:0");
        assertUsage("contestant=nobody does not exist: --list names them", "--contestants", "kernel,nobody");
        assertUsage("rounds=0: must be a whole number from 1 to 1000", "--rounds", "0");
        assertUsage("rounds=many: must be a whole number", "--rounds", "many");
        assertUsage("seed=-1: must be a whole number", "--seed", "-1");
        assertUsage("largest=huge: must be a size from 64K to 64G", "--largest", "huge");
        assertUsage("largest=1K: must be a size from 64K to 64G", "--largest", "1K");
        assertUsage("malloc=x: must be a name and a readable file", "--malloc", "x");
        assertUsage("malloc=x=/nowhere.so: must be a name and a readable file", "--malloc", "x=/nowhere.so");
        assertUsage("--frobnicate", "--frobnicate");
        assertUsage("rounds", "--rounds");
        assertUsage("experiment=paging is measured by itself", "--experiment", "paging,a");
        assertUsage(
                "pattern=backwards: choose from sequential, random, zipf, hot, pagerank",
                "--experiment",
                "paging",
                "--patterns",
                "pagerank,backwards");
        assertUsage(
                "option=--largest is not of experiment=paging, which takes experiment, patterns, full, ",
                "--experiment",
                "paging",
                "--largest",
                "64M");
        assertUsage("option=--patterns is of experiment=paging alone", "--patterns", "random");
        assertUsage("argument=extra is not understood", "extra");
        assertUsage(
                "none of the contestants takes part in these experiments: contestants=llfree",
                "--contestants",
                "llfree",
                "--experiment",
                "a");
    }

    @Test
    void tooLittleMemoryForFullSaysHowMuch() throws IOException {
        assertEquals(1, run(2 * GIB_IN_KIB, "--full"));
        assertEquals(
                "upa bench: too little memory for --full: available=2 GiB needed=6 GiB: free some, or run without"
                        + " --full\n",
                err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void withLittleMemoryTheQuickSelectionLeavesLargeBlocksOut() throws IOException {
        FakeDriver.write(folder, FakeDriver.SCRIPT);
        assertEquals(0, run(GIB_IN_KIB, args("--experiment", "b", "--rounds", "1")));
        assertFalse(
                FakeDriver.calls(folder).getFirst().contains("1073741824"),
                FakeDriver.calls(folder).toString());
        assertTrue(
                FakeDriver.calls(folder).getFirst().contains(",67108864"),
                FakeDriver.calls(folder).toString());
        assertTrue(text().contains("Blocks above 128 MiB were left out"), text());
    }

    @Test
    void aMissingDriverSaysHowToGetIt() throws IOException {
        assertEquals(1, run(8 * GIB_IN_KIB, args("--experiment", "a")));
        assertTrue(
                err.toString(StandardCharsets.UTF_8).contains("fake-driver: build it with ./upa build"),
                err.toString());
    }

    @Test
    void aDriverThatFailsIsReportedWithWhatItSaid() throws IOException {
        FakeDriver.write(folder, "#!/bin/sh\necho 'out of luck' >&2\nexit 1\n");
        assertEquals(1, run(8 * GIB_IN_KIB, args("--experiment", "g")));
        assertTrue(
                err.toString(StandardCharsets.UTF_8).contains("upa-driver failed with status 1: out of luck: "),
                err.toString());
        assertTrue(err.toString(StandardCharsets.UTF_8).endsWith("upa bench: nothing was measured\n"), err.toString());
    }

    @Test
    void aDriverThatIsKilledIsReportedAsSuch() throws IOException {
        FakeDriver.write(folder, "#!/bin/sh\nkill -9 $$\n");
        assertEquals(1, run(8 * GIB_IN_KIB, args("--experiment", "g")));
        assertTrue(
                err.toString(StandardCharsets.UTF_8).contains("upa-driver was killed by signal 9 (out of memory?)"),
                err.toString());
    }

    @Test
    void oneFailingContestantDoesNotSpoilTheOthers() throws IOException {
        FakeDriver.write(folder, FakeDriver.SCRIPT.replace("case", "case \"$*\" in *populate*) exit 3;; esac\ncase"));
        assertEquals(1, run(8 * GIB_IN_KIB, args("--experiment", "a", "--rounds", "2")));
        assertTrue(text().contains("upa-uncleared"), text());
        assertTrue(text().contains("Failed: upa-driver failed with status 3"), text());
        assertTrue(Files.exists(folder.resolve("results/results.csv")));
    }

    @Test
    void aRunLeavesReportAndDataBehind() throws IOException {
        FakeDriver.write(folder, FakeDriver.SCRIPT);
        assertEquals(0, run(8 * GIB_IN_KIB, args("--experiment", "a,b,c,e,f,g", "--rounds", "3")));
        assertTrue(text().contains("90x"), text());
        assertTrue(text().contains("Figures to reach"), text());
        assertTrue(text().replaceAll("\\s+", " ").contains("With 3 rounds an interval is at most the range"), text());
        String html = Files.readString(folder.resolve("results/report.html"));
        assertTrue(html.contains("Imaginary CPU"), "machine");
        assertTrue(html.contains("Douglas"), "experiment e");
        assertTrue(html.contains("not prepared"), "host-warm or not");
        List<String> csv = Files.readAllLines(folder.resolve("results/results.csv"));
        assertTrue(
                csv.getFirst().startsWith("experiment,contestant,variant,threads,phase,size_bytes,round,"),
                csv.getFirst());
        assertTrue(csv.stream().anyMatch(l -> l.startsWith("sizes,kernel,,1,warm,4096,2,1,3,9")), csv.toString());
        JsonObject json = JsonParser.parseString(Files.readString(folder.resolve("results/results.json")))
                .getAsJsonObject();
        assertEquals(csv.size() - 1, json.getAsJsonArray("measurements").size());
        assertTrue(json.getAsJsonObject("machine").get("CPU").getAsString().startsWith("Imaginary CPU"));
        assertTrue(json.getAsJsonArray("figures").size() > 10);
    }

    @Test
    void aTraceIsReplayedAgainstEveryAllocator() throws IOException {
        Path trace = Files.writeString(folder.resolve("t.trace"), "read by the driver alone");
        FakeDriver.write(
                folder,
                FakeDriver.SCRIPT
                        .replace("warm cold", "replay")
                        .replace("in 4096 65536 1048576", "in 0 4096")
                        .replace("end 6", "end 2")
                        .replace("echo 'upa-driver 1'", "echo 'upa-driver 1'\necho 'fact trace_blocks 4711'"));
        assertEquals(0, run(8 * GIB_IN_KIB, args("--sampler", "trace:" + trace, "--rounds", "2")));
        List<String> calls = FakeDriver.calls(folder);
        assertEquals("--print-requests 1 --sampler trace:" + trace, calls.getFirst());
        for (String call : calls.subList(1, calls.size())) {
            assertTrue(call.contains("--workload replay --sampler trace:" + trace), call);
        }
        for (String contestant : List.of("kernel", "upa", "upa-uncleared", "malloc", "dlmalloc-upa")) {
            assertTrue(calls.stream().anyMatch(c -> c.contains("--contestant " + contestant + " ")), contestant);
        }
        assertTrue(text().contains(trace + ": 4711 blocks"), text());
        assertTrue(text().contains("UPA cleared is 90x"), text());
    }

    @Test
    void aTraceThatCannotBeReplayedIsOneLine() throws IOException {
        assertEquals(1, run(8 * GIB_IN_KIB, args("--sampler", "trace:" + folder.resolve("none"))));
        assertEquals(
                "upa bench: sampler=trace:" + folder.resolve("none") + ": the file cannot be read\n",
                err.toString(StandardCharsets.UTF_8));
        err.reset();
        Path trace = Files.writeString(folder.resolve("t.trace"), "#!/bin/sh");
        FakeDriver.write(
                folder, "#!/bin/sh\necho 'upa-driver: cannot replay trace file=t: it is not a trace' >&2\nexit 1\n");
        assertEquals(1, run(8 * GIB_IN_KIB, args("--sampler", "trace:" + trace)));
        assertEquals(
                "upa bench: cannot replay trace file=t: it is not a trace\n", err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void whatCannotWorkIsSaidBeforeAnythingIsMeasured() throws IOException {
        String script = """
                #!/bin/sh
                echo "$*" >>"$(dirname "$0")/calls"
                echo "dynamic linker: warning" >&2
                echo "upa-driver: no such thing" >&2
                exit 1
                """;
        FakeDriver.write(folder, script);
        assertEquals(1, run(8 * GIB_IN_KIB, args("--sampler", "fixed:99999999G")));
        assertEquals("upa bench: no such thing\n", err.toString(StandardCharsets.UTF_8));
        err.reset();
        Path library = Files.writeString(folder.resolve("libm.so"), "no library");
        assertEquals(1, run(8 * GIB_IN_KIB, args("--malloc", "mine=" + library, "--experiment", "c")));
        assertEquals("upa bench: no such thing\n", err.toString(StandardCharsets.UTF_8));
        assertTrue(
                FakeDriver.calls(folder).getLast().contains("--expect-malloc libm.so"),
                FakeDriver.calls(folder).toString());
        assertEquals(2, FakeDriver.calls(folder).size());
        err.reset();
        Path file = Files.writeString(folder.resolve("file"), "");
        String[] unwritable = args("--experiment", "a");
        unwritable[java.util.Arrays.asList(unwritable).indexOf("--out") + 1] = file.toString();
        assertEquals(1, run(8 * GIB_IN_KIB, unwritable));
        assertEquals(
                "upa bench: cannot write results: file=" + file + ": not a folder\n",
                err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void theSameSeedGivesTheSameRun() throws IOException {
        List<String> first = callsOf("7");
        assertEquals(first, callsOf("7"));
        assertNotEquals(first, callsOf("8"));
        assertTrue(first.getFirst().contains("--seed 7 "), first.toString());
        assertTrue(first.getLast().contains("--seed 8 "), first.toString());
    }

    private List<String> callsOf(String seed) throws IOException {
        FakeDriver.write(folder, FakeDriver.SCRIPT);
        Files.deleteIfExists(folder.resolve("calls"));
        assertEquals(0, run(8 * GIB_IN_KIB, args("--experiment", "a,b", "--rounds", "2", "--seed", seed)));
        return FakeDriver.calls(folder);
    }

    @Test
    void helpAndListSayWhatThereIs() throws IOException {
        assertEquals(0, run(GIB_IN_KIB, "--help"));
        assertTrue(text().contains("--experiment"), text());
        assertEquals(0, run(GIB_IN_KIB, "--list"));
        for (Experiment experiment : Experiment.values()) {
            assertTrue(text().contains(experiment.title()), text());
        }
        assertTrue(text().contains("dlmalloc-upa-uncleared"), text());
    }

    @Test
    void twoRunsAreCompared() throws IOException {
        Path old = folder.resolve("old");
        FakeDriver.write(folder, FakeDriver.SCRIPT);
        assertEquals(0, run(8 * GIB_IN_KIB, args("--experiment", "a", "--rounds", "3")));
        Files.move(folder.resolve("results"), old);
        // UPA takes twice the time, and cleared half of it; the kernel is slower too, but not by as much.
        FakeDriver.write(
                folder,
                FakeDriver.SCRIPT.replace(
                        "esac",
                        "esac\ncase \"$*\" in *'--contestant kernel'*) ns=10000 ;;"
                                + " *'--contestant upa '*) ns=50 ;; *) ns=200 ;; esac"));
        assertEquals(0, run(8 * GIB_IN_KIB, args("--experiment", "a", "--rounds", "3")));
        out.reset();
        err.reset();
        assertEquals(0, run(8 * GIB_IN_KIB, args("--compare", old.toString())));
        assertEquals("", err.toString(StandardCharsets.UTF_8));
        String said = text().replaceAll(" +", " ");
        assertTrue(said.contains("sizes upa, warm 4 KiB 100 ns 50 ns 2x 0.9x faster"), said);
        assertTrue(said.contains("sizes upa-uncleared, warm 4 KiB 100 ns 200 ns 0.5x ! 0.9x slower"), said);
        assertFalse(said.contains("sizes kernel, warm"), "the base line has no verdict: " + said);
        assertFalse(said.contains("-again"), said);
        String html = Files.readString(folder.resolve("results/compare.html"));
        assertTrue(html.contains("Times as fast as before"), "a chart");
        assertTrue(html.contains("<td>base line</td>"), "the base line is among all sizes");
        assertTrue(Files.exists(folder.resolve("results/report.html")), "the run's own report stays");

        out.reset();
        assertEquals(
                0,
                run(8 * GIB_IN_KIB, args("--compare", folder.resolve("results").toString())));
        assertTrue(text().contains("Seen: 0 of 24 lines at a size are faster, 0 slower, 18 within"), text());
    }

    @Test
    void whatCannotBeComparedIsOneLine() throws IOException {
        Path old = Files.createDirectory(folder.resolve("old"));
        assertFails("no results to compare: file=" + old.resolve("results.json") + " is not there: ", old);
        for (String text : List.of(
                "",
                "{",
                "[]",
                "{\"measurements\": 3}",
                "{\"machine\": {}, \"measurements\": []}",
                "{\"machine\": {}, \"method\": {}, \"figures\": [], \"measurements\": []}",
                "{\"machine\": {}, \"method\": {}, \"figures\": [], \"measurements\": [{}]}")) {
            Files.writeString(old.resolve("results.json"), text);
            assertFails(
                    "cannot read results: file=" + old.resolve("results.json") + ": not written by ./upa bench", old);
        }
        assertUsage("option=--rounds is of a measurement", "--compare", old.toString(), "--rounds", "3");
        FakeDriver.write(folder, FakeDriver.SCRIPT);
        assertEquals(0, run(8 * GIB_IN_KIB, args("--experiment", "a", "--rounds", "1")));
        Files.delete(old.resolve("results.json"));
        Files.move(folder.resolve("results/results.json"), old.resolve("results.json"));
        assertEquals(0, run(8 * GIB_IN_KIB, args("--experiment", "g", "--rounds", "1")));
        assertFails("nothing to compare: the runs have no line at a size in common", old);
    }

    private void assertFails(String message, Path old) throws IOException {
        err.reset();
        out.reset();
        assertEquals(1, run(8 * GIB_IN_KIB, args("--compare", old.toString())));
        assertTrue(err.toString(StandardCharsets.UTF_8).startsWith("upa bench: " + message), err.toString());
        assertEquals(1, err.toString(StandardCharsets.UTF_8).lines().count(), err.toString());
        assertEquals("", text());
    }

    private String[] args(String... more) {
        List<String> all = new java.util.ArrayList<>(List.of(
                "--no-warm",
                "--driver",
                folder.resolve("fake-driver").toString(),
                "--out",
                folder.resolve("results").toString()));
        all.addAll(List.of(more));
        return all.toArray(String[]::new);
    }

    private void assertUsage(String message, String... args) throws IOException {
        err.reset();
        assertEquals(2, run(8 * GIB_IN_KIB, args), String.join(" ", args));
        String said = err.toString(StandardCharsets.UTF_8);
        assertEquals(1, said.lines().count(), said);
        assertTrue(said.startsWith("upa bench: ") && said.contains(message), said);
        assertEquals(0, out.size(), out.toString());
    }

    private String text() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private int run(long availableKib, String... args) throws IOException {
        Machine machine = FakeDriver.machine(folder, availableKib);
        Console console = new Console(
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                false);
        return new Main(console, machine).run(args);
    }
}
