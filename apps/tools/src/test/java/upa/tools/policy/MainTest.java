package upa.tools.policy;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {
    @TempDir
    Path folder;

    private Path trace;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @BeforeEach
    void makeTrace() throws IOException {
        trace = folder.resolve("loop");
        Files.writeString(
                trace,
                IntStream.range(0, 1000)
                        .mapToObj(i -> Integer.toString(i % 100))
                        .collect(Collectors.joining("\n")));
    }

    private int run(String... arguments) {
        out.reset();
        err.reset();
        return Main.run(
                arguments,
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
    }

    private String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    private String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    /** The words of the line about a policy. */
    private List<String> row(String policy) {
        return out().lines()
                .filter(l -> l.startsWith(policy + " "))
                .map(l -> List.of(l.strip().split("\\s+")))
                .findFirst()
                .orElseThrow(() -> new AssertionError(out()));
    }

    @Test
    void listsPoliciesAndTheirOptions() {
        assertEquals(0, run("list"));
        assertTrue(out().lines().anyMatch(l -> l.matches("clock +first in, first out, with a second chance.*")), out());
        assertTrue(out().contains("small=10%: part of memory for new pages"));
        assertEquals("", err());
    }

    @ParameterizedTest
    @ValueSource(strings = {"list", "simulate", "new", "status", "move", "limit", "share", "record", "report"})
    void everyCommandHasTheHelp(String command) {
        assertEquals(0, run("--help"));
        String help = out();
        out.reset();
        assertEquals(0, run(command, "--help"));
        assertEquals(help, out());
        assertEquals("", err());
    }

    @Test
    void simulatesPoliciesBesideTheBound() {
        assertEquals(
                0,
                run(
                        "simulate",
                        trace.toString(),
                        "--policy",
                        "fifo,clock,chances=2,sequential+fifo",
                        "--memory",
                        "50%,20K"));
        assertTrue(out().startsWith("trace " + trace + ": accesses 1000, pages 100, every access is seen\n"), out());
        assertEquals(
                List.of("memory 50 pages (50%)", "memory 5 pages (5%)"),
                out().lines().filter(l -> l.startsWith("memory")).toList());
        assertEquals(List.of("fifo", "0.00%", "1000"), row("fifo").subList(0, 3));
        assertEquals("45.00%", row("belady").get(1));
        assertEquals("0.00%", row("clock,chances=2").get(1));
        double prefetching = Double.parseDouble(row("sequential+fifo").get(1).replace("%", ""));
        assertTrue(prefetching > 60, out());
    }

    @Test
    void aRuleIsOnePolicy() {
        assertEquals(
                0,
                run(
                        "simulate",
                        trace.toString(),
                        "--policy",
                        "when age>1s: evict",
                        "--policy",
                        "clock",
                        "--evidence",
                        "faults",
                        "--staging",
                        "10%",
                        "--batch",
                        "4"));
        assertTrue(out().contains("only faults are seen"));
        assertEquals("clock", row("clock").getFirst());
        assertTrue(out().contains("when age>1s: evict"), out());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '^',
            value = {
                "''^no command given",
                "bake^there is no command=bake",
                "list x^list takes no argument, got argument=x",
                "simulate^simulate needs one trace, got traces=0",
                "simulate a b^simulate needs one trace, got traces=2",
                "simulate a --polic x^simulate: Unrecognized option: --polic",
                "simulate a --policy +x^not a name of a policy: name= in policy=+x",
                "simulate a --memory 3X^option --memory needs a size up to 1T as 64M, or a part as 50%, got value=3X",
                "simulate a --memory 150%^option --memory needs a size up to 1T as 64M, or a part as 50%, got"
                        + " value=150%",
                "simulate a --evidence all^option --evidence needs accesses or faults, got value=all",
                "simulate a --batch 0^option --batch needs a number of pages, got value=0",
                "new^new needs a name of lower-case letters, digits and hyphens, got none",
                "new Big^new needs a name of lower-case letters, digits and hyphens, got name=Big",
                "new a b^new takes one name, got name=b too",
                "new --in^option --in needs a folder",
                "new --out x^new has no option=--out",
                "move^the command is: move PID --from STORE --to STORE; got processes=0",
                "move 1 --from file^option --to needs a store of the process as lz4, file or redis, got value=",
                "move 1 --from a/b --to file^option --from needs a store of the process as lz4, file or redis, got"
                        + " value=a/b",
                "move x --from lz4 --to file^a process has a number, got pid=x",
                "limit 1^the command is: limit PID [--memory SIZE] [--rate SIZE|none]; got processes=1, limits=0",
                "limit 1 --memory 1M^option --memory needs a size from 4M to 1T as 512M, got value=1M",
                "limit 1 --rate fast^option --rate needs bytes a second from 64K to 1T as 64M, or none, got value=fast",
                "share^option --memory needs a size from 4M to 1T as 8G, for all, got value=",
                "share --memory 1G 7^a share is PID=N, with N from 1 to 1000, got share=7",
                "share --memory 1G --forever^share: Unrecognized option: --forever",
                "record --seconds 1^the command is: record [PID] FILE [--seconds 10] [--stacks FILE]; got arguments=0",
                "record 1 f g^the command is: record [PID] FILE [--seconds 10] [--stacks FILE]; got arguments=3",
                "record 1 f --seconds 0^option --seconds needs a number from 1 to 3600, got value=0",
                "record 0 f^a process has a number, got pid=0",
                "report^the command is: report FILE [--stacks FILE] [--html PAGE]; got files=0",
                "limit 0 --rate none^a process has a number, got pid=0"
            })
    void saysWhatIsWrongWithACommandLine(String arguments, String message) {
        assertEquals(2, run(arguments.isEmpty() ? new String[0] : arguments.split(" ")));
        assertEquals("upa: policy: " + message + ": see ./upa policy --help\n", err());
        assertEquals("", out());
    }

    /** A terminal is told nothing by what somebody else has chosen. */
    @Test
    void whatIsSaidIsOneLine() throws IOException {
        String odd = "a\nb\r\033[1m";
        String shown = "a\\nb\\r\\x1b[1m";
        assertEquals(2, run(odd));
        assertEquals("upa: policy: there is no command=" + shown + ": see ./upa policy --help\n", err());
        assertEquals(1, run("simulate", folder.resolve(odd).toString()));
        assertEquals("upa: cannot read trace file=" + folder + "/" + shown + ": there is no such file\n", err());
        assertTrue(run("simulate", trace.toString(), "--memory", "50%", "--policy", odd) != 0);
        assertTrue(err().startsWith("upa: ") && err().contains(shown), err());
        assertEquals(1, err().lines().count(), err());
        assertEquals(2, run("serve", "--control", folder.resolve(odd).toString()));
        assertEquals(
                "upa: policy: serve is for ./upa run --policy: it needs --control SOCKET, and descriptor 3:"
                        + " see ./upa policy --help\n",
                err());
        assertTrue(Files.notExists(folder.resolve(odd)));
    }

    @Test
    void saysWhatCannotBeReadOrRun() {
        assertEquals(1, run("simulate", folder.resolve("none").toString()));
        assertEquals("upa: cannot read trace file=" + folder.resolve("none") + ": there is no such file\n", err());
        assertEquals(1, run("simulate", trace.toString(), "--policy", "clok"));
        assertTrue(err().startsWith("upa: there is no policy=clok; there are 2q, clock, "), err());
        assertEquals(1, run("simulate", trace.toString(), "--policy", "clock,chance=3"));
        assertEquals("upa: policy=clock has no option=chance; it has chances, near\n", err());
        assertEquals(1, run("simulate", trace.toString(), "--memory", "0%"));
        assertEquals("upa: nothing to simulate: memory of pages=0, of these staging pages=0\n", err());
    }

    @Test
    void saysWhereNoRecordingCanBe() {
        assertEquals(1, run("record", "4194305", folder.toString()));
        assertEquals("upa: cannot write file=" + folder + ": it is a directory\n", err());
        Path none = folder.resolve("no/such");
        assertEquals(1, run("record", "4194305", none.toString()));
        assertEquals("upa: cannot write file=" + none + ": there is no such folder\n", err());
        assertEquals(1, run("report", trace.toString()));
        assertEquals("upa: cannot read recording file=" + trace + ": it is none of upa policy record\n", err());
    }

    /** Two pages by turns within 1 s, a third at the end; each access of the two but the first is a fault of 20 µs. */
    @Test
    void reportsStacksBesideARecording() throws IOException {
        Path recording = Files.writeString(folder.resolve("r"), "# upa recording 1 pid=7 name=loop\nt 0 0 1\n");
        Path stacks =
                Files.writeString(folder.resolve("s"), "main;f;g (a b.c:3) 60\nmain;g (a b.c:3) 20\nmain;<f> 20\n");
        Path page = folder.resolve("page.html");
        assertEquals(
                0,
                run("report", recording.toString(), "--stacks", stacks.toString(), "--html", page.toString()),
                err());
        assertTrue(out().lines().anyMatch(l -> l.matches(" *g \\(a b\\.c:3\\) +80\\.0 %")), out());
        String html = Files.readString(page);
        assertTrue(html.contains("<title>&lt;f&gt;: 20 faults, 20.0 %</title>"), html);

        assertEquals(0, run("report", recording.toString()), err());
        assertFalse(out().contains("Where threads wait"), out());
        Files.writeString(stacks, "");
        assertEquals(0, run("report", recording.toString(), "--stacks", stacks.toString()), err());
        assertTrue(out().contains("No fault was sampled."), out());
        Files.writeString(stacks, "main 1\nmain -1\n");
        assertEquals(1, run("report", recording.toString(), "--stacks", stacks.toString()));
        assertEquals("upa: not collapsed stacks: file=" + stacks + " line=2: FRAME;FRAME... COUNT is needed\n", err());
        assertEquals(1, run("report", recording.toString(), "--stacks", folder.toString()));
        assertTrue(err().startsWith("upa: cannot read file=" + folder), err());
        String file = folder.resolve("f").toString();
        assertEquals(1, run("record", "4194305", file, "--stacks", folder.toString()));
        assertEquals("upa: cannot write file=" + folder + ": it is a directory\n", err());
        assertEquals(1, run("record", "4194305", file, "--stacks", file + "s"));
        assertFalse(Files.exists(folder.resolve("fs")), "nothing is written of a process that nobody pages");
    }

    @Test
    void reportsARecording() throws IOException {
        StringBuilder text = new StringBuilder("# upa recording 1 pid=7 name=<loop>\nt 0 0 1\nt 1 2000 1\n");
        for (int i = 1; i <= 100; i++) {
            int page = i % 2 * 2000;
            text.append("f " + i * 10_000 + " " + page + " w 71\ni " + (i * 10_000 + 20) + " " + page + " 20000\n");
        }
        text.append("s 1000000 2 1 3 100 100\nt 2000000 5 1\n");
        Path recording = Files.writeString(folder.resolve("r"), text);
        Path page = folder.resolve("page.html");
        assertEquals(0, run("report", recording.toString(), "--html", page.toString()), err());
        assertTrue(out().startsWith("\nEvents of 2.0 s\n"), out());
        for (String line : List.of(
                "first touches +3",
                "faults on pages that had left +100",
                "of these writes +100",
                "71 +100",
                // Two pages for 1 s of 2, then for as long as the window.
                "1.000 s +8.0 KiB",
                "50.0 % +20\\.[0-9] µs",
                "longest +20\\.[0-9] µs")) {
            assertTrue(out().lines().anyMatch(l -> l.strip().matches(line)), line + " in " + out());
        }
        String html = Files.readString(page);
        assertTrue(html.contains("<h1>Pages of pid=7 name=&lt;loop&gt;</h1>"));
        assertTrue(html.contains("<svg class=\"heat\""));
        assertTrue(html.contains("<title>page 1536: "), "page 2000 is in the block from 1536 on");
        assertEquals(1, run("report", recording.toString(), "--html", folder.toString()));
        assertTrue(err().startsWith("upa: cannot write file=" + folder), err());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "stats 4194305",
                "move 4194305 --from lz4 --to file",
                "limit 4194305 --rate none",
                "share --memory 1G 4194305=3"
            })
    void saysThatNobodyPagesTheProcess(String arguments) {
        assertEquals(1, run(arguments.split(" ")));
        assertEquals(
                "upa: no pager of this user has pid=4194305: it is gone, or was not started with"
                        + " ./upa run --policy\n",
                err());
    }

    @Test
    void whatIsTooLongForAPagerIsNotCutOff() {
        assertEquals(1, run("set", "4194305", "clock,x=" + "y".repeat(9000)));
        assertEquals("upa: too long for a pager: command=set bytes=9020, the most is 8192\n", err());
    }

    /** Nor can a class have the name of one that it uses. */
    @ParameterizedTest
    @ValueSource(strings = {"clock", "memory-policy", "override", "random", "simulation", "n-a-m-e"})
    void aNewPolicyHasANameOfItsOwn(String name) {
        assertEquals(2, run("new", name, "--in", folder.toString()));
        assertEquals(
                "upa: policy: new needs a name that means nothing else to UPA and Java, got name=" + name
                        + ": see ./upa policy --help\n",
                err());
        assertFalse(Files.exists(folder.resolve(name)));
    }

    /** No name is longer than a file may have, and none is in the way of what is filled in. */
    @Test
    void aNewPolicyTakesWordsAsTheyAre() throws Exception {
        assertEquals(2, run("new", "x".repeat(65), "--in", folder.toString()));
        assertTrue(err().startsWith("upa: policy: new needs a name of at most 64 characters, got name=x"), err());
        for (String name : List.of("least", "h-o-m-e")) {
            assertEquals(0, run("new", name, "--in", folder.toString()), err());
        }
        String text = Files.readString(folder.resolve("h-o-m-e/src/main/java/policy/HOME.java"));
        assertTrue(text.contains("class HOME implements"), text);
    }

    /** The project that is made builds, passes its test, and its jar runs in the simulator. */
    @Test
    void aNewPolicyBuildsIsTestedAndRuns() throws Exception {
        Path home = Path.of(System.getProperty("upa.root"));
        Path core = home.resolve("upa-core/target/upa-core.jar");
        Path pager = home.resolve("upa-core/pager/target/upa-pager.jar");
        assumeTrue(Files.exists(core) && Files.exists(pager), "needs the jars of ./upa build");
        assertEquals(0, run("new", "least-used", "--in", folder.toString()));
        Path project = folder.resolve("least-used");
        assertEquals("made " + project + ": build and test it with mvn package, then read README.md\n", out());
        assertEquals(1, run("new", "least-used", "--in", folder.toString()));
        assertEquals("upa: cannot make folder=" + project + ": it exists\n", err());
        Path lost = folder.resolve("none").resolve("x");
        assertEquals(1, run("new", "x", "--in", lost.getParent().toString()));
        assertEquals("upa: cannot make folder=" + lost + ": what it is to be in is no folder\n", err());
        Path log = folder.resolve("maven.log");
        Process maven = new ProcessBuilder("mvn", "-q", "-B", "-o", "-Dupa.home=" + home, "package")
                .directory(project.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        assertTrue(maven.waitFor(5, TimeUnit.MINUTES), "maven hangs");
        assertEquals(0, maven.exitValue(), () -> log(log));
        assertTrue(Files.exists(project.resolve("target/surefire-reports/TEST-policy.LeastUsedTest.xml")));
        String policy = project.resolve("target/least-used.jar") + ":policy.LeastUsed,often=2";
        assertEquals(0, run("simulate", trace.toString(), "--policy", policy));
        assertEquals("0.00%", row(policy).get(1));
    }

    private static String log(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
