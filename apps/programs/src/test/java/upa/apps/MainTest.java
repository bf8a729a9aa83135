package upa.apps;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.apps.results.Run;
import upa.apps.results.RunLog;
import upa.measure.Console;
import upa.measure.allocator.Allocator;
import upa.measure.allocator.Allocators;

/**
 * The whole harness, with the real upa-measure and libraries, on programs made of a line of shell. Skipped where C has
 * not been built.
 */
class MainTest {

    private static final String OK = "echo fine";
    private static final String UPA_ONLY = "case \"$LD_PRELOAD\" in *libupa_mmap*) %s ;; esac; echo fine";

    private static final long AVAILABLE_MIB = 4096;

    @TempDir
    Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @Test
    void aWrongCommandLineIsOneLineAndStatus2() throws IOException {
        Fakes.shell(workloads(), "w", OK, "");
        assertUsage("workload=x does not exist: ./upa apps list names them", "--only", "w,x");
        assertUsage("contestant=nobody does not exist: ./upa apps list names them", "--contestants", "upa,nobody");
        assertUsage("rounds=0: must be a whole number from 1 to 1000", "--rounds", "0");
        assertUsage("rounds=many: must be a whole number", "--rounds", "many");
        assertUsage("rounds=4..3: the most=3: must be a whole number from 4 to 1000", "--rounds", "4..3");
        assertUsage("rounds=2..9: the least=2: must be a whole number from 3 to 1000", "--rounds", "2..9");
        assertUsage("rounds=3..: the most=: must be a whole number", "--rounds", "3..");
        assertUsage(
                "contestants=upa,,dlmalloc: must be names with commas between them", "--contestants", "upa,,dlmalloc");
        assertUsage("seed=-1: must be a whole number", "--seed", "-1");
        assertUsage("--full and --quick exclude each other", "--full", "--quick");
        assertUsage("--frobnicate", "--frobnicate");
        assertUsage("argument=extra is not understood", "extra");
        assertUsage("argument=list is not understood", "list", "more");
    }

    @Test
    void aWorkloadThatCannotBeReadIsOneLineAndStatus1() throws IOException {
        Files.writeString(Fakes.shell(workloads(), "w", OK, "").resolve("workload.json"), "{}");
        assertEquals(1, run("--quick"));
        assertEquals(1, errors().lines().count(), errors());
        assertTrue(errors().contains("w/workload.json: field="), errors());
    }

    @Test
    void listAndHelpSayWhatThereIs() throws IOException {
        Fakes.shell(workloads(), "counting", OK, "");
        assertEquals(0, run("list"));
        for (Allocator contestant : Allocators.all()) {
            assertTrue(text().contains(contestant.description()), text());
        }
        assertTrue(text().contains("counting"), text());
        assertFalse(text().contains("(optional)"), text());
        Fakes.shell(workloads(), "large", OK, ", \"optional\": true");
        assertEquals(0, run("list"));
        assertTrue(text().contains(" large (optional)"), text());
        assertEquals(0, run("--help"));
        assertTrue(text().contains("--resume"), text());
    }

    @Test
    void aRunLeavesReportAndDataBehind() throws IOException {
        assumeBuilt();
        Fakes.shell(workloads(), "one", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; " + OK, "");
        Fakes.shell(workloads(), "two", OK, "");
        assertEquals(0, run("--rounds", "3", "--contestants", "upa,dlmalloc"), errors());
        assertTrue(text().contains("Times as fast as under glibc"), text());
        assertTrue(text().contains("Figures to reach"), text());
        assertTrue(text().contains("under glibc that costs"), text());
        assertTrue(text().replaceAll("\\s+", " ").contains("holds their median with 75 % and not 95 %"), text());
        String html = Files.readString(results("report.html"));
        assertTrue(html.contains("Imaginary CPU") && html.contains("Real programs on user-mode pages"));
        List<String> csv = Files.readAllLines(results("results.csv"));
        assertEquals(1 + 2 * 3 * 3, csv.size(), csv.toString());
        assertTrue(csv.stream().skip(1).allMatch(l -> l.contains(",true,")), csv.toString());
        JsonObject json = JsonParser.parseString(Files.readString(results("results.json")))
                .getAsJsonObject();
        assertEquals(2 * 3 * 3, json.getAsJsonArray("measurements").size());
        assertTrue(json.getAsJsonObject("speed_up_over_glibc")
                .getAsJsonObject("one")
                .has("dlmalloc"));
        for (Run run : runs()) {
            assertTrue(run.wallNs() > 0 && run.peakBytes() > 100_000 && run.minorFaults() > 10, run.toString());
        }
    }

    @Test
    void runsOfARoundAreInterleavedInRandomOrder() throws IOException {
        assumeBuilt();
        Fakes.shell(workloads(), "one", OK, "");
        Fakes.shell(workloads(), "two", OK, "");
        assertEquals(0, run("--rounds", "4", "--contestants", "glibc-tuned,dlmalloc"), errors());
        List<Run> runs = runs().stream().filter(r -> !r.isWarmUp()).toList();
        List<String> orders = new ArrayList<>();
        for (int block = 0; block < runs.size(); block += 3) {
            List<Run> three = runs.subList(block, block + 3);
            assertEquals(
                    1,
                    three.stream().map(r -> r.workload() + r.round()).distinct().count(),
                    three.toString());
            assertEquals(3, three.stream().map(Run::contestant).distinct().count(), three.toString());
            orders.add(three.stream().map(Run::contestant).toList().toString());
        }
        assertTrue(orders.stream().distinct().count() > 1, orders.toString());
    }

    @Test
    void whatAContestantDoesWrongIsReportedAsItsFailure() throws IOException {
        assumeBuilt();
        Fakes.shell(workloads(), "crash", UPA_ONLY.formatted("kill -11 $$"), "");
        Fakes.shell(workloads(), "hang", UPA_ONLY.formatted("sleep 60"), ", \"timeoutSeconds\": 1");
        Fakes.shell(workloads(), "lie", UPA_ONLY.formatted("echo wrong"), "");
        Fakes.shell(workloads(), "status", UPA_ONLY.formatted("echo out of luck >&2; exit 3"), "");
        Fakes.shell(workloads(), "well", OK, "");
        assertEquals(1, run("--rounds", "1", "--contestants", "upa"));
        assertSaid("workload=crash contestant=upa: it was killed by signal 11");
        assertSaid("workload=hang contestant=upa: it did not end within 1 s");
        assertSaid("workload=lie contestant=upa: its output differs from the first under glibc: sha256=");
        assertSaid("workload=status contestant=upa: it exited with status 3: out of luck");
        assertTrue(Pattern.compile("crash .*failed !").matcher(text()).find(), text());
        assertTrue(Pattern.compile("well .*x\\n").matcher(text()).find(), text());
        assertTrue(text().contains("Note: Failed: upa at lie: its output differs"), text());
    }

    @Test
    void aProgramThatFailsUnderGlibcHasNothingToCompareWith() throws IOException {
        assumeBuilt();
        Fakes.shell(workloads(), "broken", "exit 9", "");
        Fakes.shell(workloads(), "well", OK, "");
        assertEquals(1, run("--rounds", "1", "--contestants", "upa"));
        assertSaid("workload=broken contestant=glibc: it exited with status 9");
        assertFalse(runs().stream().anyMatch(r -> r.workload().equals("broken") && !r.isWarmUp()));
    }

    @Test
    void aProgramWithoutItsLibrariesIsNotMeasured() throws IOException {
        assumeBuilt();
        Fakes.shell(
                workloads(),
                "bare",
                "exec env -u LD_PRELOAD sh -c 'i=0; while [ $i -lt 2000000 ]; do i=$((i+1)); done'",
                "");
        assertEquals(1, run("--rounds", "1", "--contestants", "upa"));
        assertSaid("workload=bare contestant=upa: the libraries of upa did not arrive in ");
    }

    @Test
    void aCheckJudgesWhatAProgramLeaves() throws IOException {
        assumeBuilt();
        Path workload = Fakes.shell(
                workloads(), "file", UPA_ONLY.formatted("echo bad >result; exit") + "; echo good >result", "");
        Path json = workload.resolve("workload.json");
        Files.writeString(json, Files.readString(json).replace("\"stdout\"", "\"cat result\""));
        Path absent = Fakes.shell(workloads(), "none", "exit 0", "");
        json = absent.resolve("workload.json");
        Files.writeString(json, Files.readString(json).replace("\"stdout\"", "\"cat result\""));
        assertEquals(1, run("--rounds", "1", "--contestants", "upa"));
        assertSaid("workload=file contestant=upa: its output differs");
        assertSaid("workload=none contestant=glibc: its check failed: cat exited with status 1");
    }

    @Test
    void whatCannotBeMadeReadyIsLeftOutAndTheRestGoesOn() throws IOException {
        assumeBuilt();
        Fakes.shell(workloads(), "memory", OK, ", \"needs\": {\"memoryMiB\": 9000}");
        Fakes.shell(workloads(), "disk", OK, ", \"needs\": {\"diskMiB\": 1048576}");
        Fakes.shell(workloads(), "data", OK, ", \"prepare\": [\"sh\", \"-c\", \"echo no data >&2; exit 4\"]");
        Fakes.shell(
                workloads(),
                "well",
                "cat \"$HERE/numbers\"",
                ", \"prepare\": [\"sh\", \"-c\", \"echo 1 2 3 >numbers; echo x >>../count\"], \"environment\":"
                        + " {\"HERE\": \"{data}\"}");
        assertEquals(0, run("--rounds", "1", "--contestants", "upa"));
        assertSaid("workload=memory is left out: too little memory: available=4096 MiB needed=9000 MiB");
        assertSaid("workload=disk is left out: too little disk: folder=");
        assertSaid("workload=data is left out: cannot be prepared: sh exited with status 4: no data");
        assertTrue(text().contains("Note: workload=memory is left out"), text());
        assertEquals(
                List.of("well", "well", "well"),
                runs().stream().map(Run::workload).toList());

        // Prepared once, and again only when its files change.
        assertEquals(0, run("--rounds", "1", "--contestants", "upa", "--only", "well"));
        Path count = folder.resolve("root/build/apps/data/count");
        assertEquals(1, Files.readAllLines(count).size());
        Files.writeString(workloads().resolve("well/more"), "x");
        assertEquals(0, run("--rounds", "1", "--contestants", "upa", "--only", "well"));
        assertEquals(2, Files.readAllLines(count).size());
    }

    @Test
    void anOptionalWorkloadRunsIfItIsNamed() throws IOException {
        assumeBuilt();
        Fakes.shell(workloads(), "large", OK, ", \"optional\": true");
        Fakes.shell(workloads(), "small", OK, ", \"optional\": false");
        assertEquals(0, run("--rounds", "1", "--contestants", "upa"), errors());
        assertTrue(runs().stream().allMatch(r -> r.workload().equals("small")), runs().toString());
        assertEquals(0, run("--rounds", "1", "--contestants", "upa", "--only", "large"), errors());
        assertTrue(runs().stream().allMatch(r -> r.workload().equals("large")), runs().toString());
    }

    @Test
    void aMissingPackageIsNamed() throws IOException {
        assumeBuilt();
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/dpkg-query")), "no Debian");
        Fakes.shell(workloads(), "w", OK, ", \"packages\": [\"upa-no-such-package\"]");
        assertEquals(1, run("--rounds", "1", "--contestants", "upa"));
        assertSaid("workload=w is left out: missing packages, install them with: apt-get install upa-no-such-package");
        assertSaid("nothing was measured");
    }

    @Test
    void aContestantThatIsNotThereIsSaidBeforeAnythingRuns() throws IOException {
        assumeBuilt();
        Fakes.shell(workloads(), "w", OK, "");
        Path libraries = folder.resolve("lib");
        Files.createDirectories(libraries);
        Files.createDirectories(folder.resolve("bin"));
        for (String tool : List.of("upa-measure", "upa-driver")) {
            Files.copy(tools().resolve(tool), folder.resolve("bin").resolve(tool), StandardCopyOption.COPY_ATTRIBUTES);
        }
        String before = System.setProperty("upa.library.path", libraries.toString());
        try {
            assertEquals(1, run("--rounds", "1", "--contestants", "upa"));
            assertSaid("contestant=upa cannot take part: library=" + libraries.resolve("libupa_mmap.so")
                    + " is not there");
            // Not a library: the dynamic linker only warns, and goes on without.
            Files.writeString(libraries.resolve("libupa_mmap.so"), "no library");
            err.reset();
            assertEquals(0, run("--rounds", "1", "--quick"));
            assertSaid("contestant=upa is left out: library=" + libraries.resolve("libupa_mmap.so")
                    + " is not loaded by LD_PRELOAD");
            assertFalse(runs().stream().anyMatch(r -> r.contestant().equals("upa")));
        } finally {
            System.setProperty("upa.library.path", before);
        }
    }

    @Test
    void aRunThatWasCutShortGoesOn() throws IOException {
        assumeBuilt();
        Path counter = folder.resolve("counter");
        Fakes.shell(workloads(), "w", "echo x >>" + counter + "; " + OK, "");
        assertEquals(0, run("--rounds", "3", "--contestants", "upa"), errors());
        assertEquals(7, Files.readAllLines(counter).size());
        List<String> lines = Files.readAllLines(results(RunLog.FILE));
        // As if cut short in the middle of the second round: the half of it runs again.
        Files.write(results(RunLog.FILE), lines.subList(0, 4));
        assertEquals(0, run("--rounds", "3", "--contestants", "upa", "--resume"), errors());
        assertEquals(7 + 4, Files.readAllLines(counter).size());
        assertEquals(7, runs().size());
        assertEquals(
                lines.subList(0, 3), Files.readAllLines(results(RunLog.FILE)).subList(0, 3));
        // Nothing is left to do.
        assertEquals(0, run("--rounds", "3", "--contestants", "upa", "--resume"), errors());
        assertEquals(7 + 4, Files.readAllLines(counter).size());
        // Runs of other files are void.
        Files.writeString(workloads().resolve("w/more"), "x");
        assertEquals(0, run("--rounds", "3", "--contestants", "upa", "--resume"), errors());
        assertEquals(7 + 4 + 7, Files.readAllLines(counter).size());
    }

    @Test
    void moreRoundsGoToWhatIsNotSettled() throws Exception {
        assumeBuilt();
        Fakes.shell(workloads(), "clear", OK, "");
        Fakes.shell(workloads(), "noisy", OK, "");
        assertEquals(0, run("--rounds", "1", "--contestants", "upa,dlmalloc"), errors());
        List<Run> measured = runs();
        // upa is twice as fast at one program, and anything at the other; dlmalloc is as fast as glibc.
        List<Run> known =
                new ArrayList<>(measured.stream().filter(Run::isWarmUp).toList());
        for (int round = 0; round < 3; round++) {
            for (Run run : measured) {
                if (!run.isWarmUp()) {
                    boolean noisy = run.workload().equals("noisy");
                    long ns = !run.contestant().equals("upa") ? 2000 : noisy ? 1000L << round : 1000;
                    known.add(Fakes.lasting(run, round, ns));
                }
            }
        }
        new RunLog(results("")).begin(known);
        assertEquals(0, run("--rounds", "3..5", "--contestants", "upa,dlmalloc", "--resume"), errors());
        List<String> more = runs().stream()
                .filter(r -> r.round() >= 3)
                .map(r -> r.workload() + " " + r.contestant() + " " + r.round())
                .sorted()
                .toList();
        List<String> wanted = List.of("noisy glibc 3", "noisy glibc 4", "noisy upa 3", "noisy upa 4");
        assertEquals(wanted, more);
        assertSaid("2 programs, 3 contestants, 3 to 5 rounds");
        assertSaid("round 5 of at most 5 done");
        // Cut short in the last round: its half runs again, the rounds before stay.
        List<String> lines = Files.readAllLines(results(RunLog.FILE));
        Files.write(results(RunLog.FILE), lines.subList(0, lines.size() - 1));
        assertEquals(0, run("--rounds", "3..5", "--contestants", "upa,dlmalloc", "--resume"), errors());
        assertEquals(
                lines.subList(0, lines.size() - 2),
                Files.readAllLines(results(RunLog.FILE)).subList(0, lines.size() - 2));
        assertEquals(lines.size(), runs().size());
    }

    @Test
    void aFolderThatCannotBeWrittenIsSaidBeforeAnythingRuns() throws IOException {
        assumeBuilt();
        Fakes.shell(workloads(), "w", OK, "");
        Path file = Files.writeString(folder.resolve("file"), "");
        assertEquals(1, run("--rounds", "1", "--out", file.toString()));
        assertEquals("upa apps: cannot write results: file=" + file + ": not a folder", errors().strip());
    }

    @Test
    void onlyOneRunsAtATime() throws IOException {
        assumeBuilt();
        Fakes.shell(workloads(), "w", OK, "");
        Path file = folder.resolve("root/build/apps/lock");
        Files.createDirectories(file.getParent());
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.lock();
            assertEquals(1, run("--rounds", "1", "--contestants", "upa"));
            assertSaid("another ./upa apps is running: file=" + file + " is locked");
        }
        assertEquals(0, run("--rounds", "1", "--contestants", "upa"));
    }

    @Test
    void aServerIsMeasuredByItsLoad() throws IOException {
        assumeBuilt();
        server("s", "", "print \"bye\\n\"; exit");
        assertEquals(0, run("--rounds", "2", "--contestants", "upa"), errors());
        assertTrue(
                runs().stream().allMatch(r -> r.throughput() == 250 && r.p50Ns() == 2e6 && r.p99Ns() == 3e6),
                runs().toString());
        assertTrue(text().contains("250/s"), text());
        assertTrue(text().contains("As their load generator sees them"), text());
    }

    @Test
    void aPortInUseIsALineAndTheRestGoesOn() throws IOException {
        assumeBuilt();
        Fakes.shell(workloads(), "well", OK, "");
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            server("s", ", \"port\": " + taken.getLocalPort(), "exit");
            assertEquals(1, run("--rounds", "1", "--contestants", "upa"));
            assertSaid("workload=s contestant=glibc: port=" + taken.getLocalPort() + " is in use");
        }
        assertTrue(runs().stream()
                .anyMatch(r -> r.workload().equals("well") && r.contestant().equals("upa")));
    }

    @Test
    void aServerThatEndsTooSoonIsAFailure() throws IOException {
        assumeBuilt();
        Path s = server("s", "", "exit");
        Files.writeString(s.resolve("server.pl"), "print STDERR \"no config\\n\"; exit 1\n");
        assertEquals(1, run("--rounds", "1", "--contestants", "upa"));
        assertSaid("workload=s contestant=glibc: it exited with status 1: no config");
    }

    /** A server in Perl that accepts connections until SIGTERM; its load prints fixed figures. */
    private Path server(String name, String more, String atEnd) throws IOException {
        Path s = workloads().resolve(name);
        Files.createDirectories(s);
        Files.writeString(s.resolve("server.pl"), """
                use IO::Socket::INET;
                $SIG{TERM} = sub { %s };
                my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $ARGV[0], Listen => 5,
                    ReuseAddr => 1) or die "port: $!";
                while (1) { my $c = $s->accept or next; close $c }
                """.formatted(atEnd));
        Files.writeString(s.resolve("workload.json"), """
                {"title": "a server", "kind": "server", "pageAllocationMatters": false, "check": "load",
                 "run": ["perl", "{workload}/server.pl", "{port}"],
                 "load": ["echo", "{\\"throughput\\": 250, \\"p50_us\\": 2000, \\"p99_us\\": 3000, \\"check\\": 1}"]%s}
                """.formatted(more));
        return s;
    }

    private Path workloads() throws IOException {
        return Files.createDirectories(folder.resolve("root/apps/programs/workloads"));
    }

    private Path results(String file) {
        return folder.resolve("root/build/apps/results").resolve(file);
    }

    private List<Run> runs() throws IOException {
        try {
            return new RunLog(results("")).read();
        } catch (upa.measure.MeasureException e) {
            throw new IOException(e);
        }
    }

    private static Path tools() {
        return Path.of(System.getProperty("upa.library.path", "build/release/lib"))
                .resolveSibling("bin");
    }

    private static void assumeBuilt() {
        assumeTrue(Files.isExecutable(tools().resolve("upa-measure")), "no upa-measure in folder=" + tools());
    }

    private void assertSaid(String message) {
        assertTrue(errors().contains(message), errors());
    }

    private void assertUsage(String message, String... args) throws IOException {
        err.reset();
        assertEquals(2, run(args), String.join(" ", args));
        assertEquals(1, errors().lines().count(), errors());
        assertTrue(errors().startsWith("upa apps: ") && errors().contains(message), errors());
        assertEquals(0, out.size(), text());
    }

    private String text() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String errors() {
        return err.toString(StandardCharsets.UTF_8);
    }

    private int run(String... args) throws IOException {
        out.reset();
        List<String> all = new ArrayList<>(List.of(args));
        if (!all.contains("list")) {
            all.addAll(List.of("--no-warm", "--no-profile"));
        }
        Console console = new Console(
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                false);
        return new Main(console, Fakes.machine(folder.resolve("machine"), AVAILABLE_MIB), folder.resolve("root"))
                .run(all.toArray(String[]::new));
    }
}
