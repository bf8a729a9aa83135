package upa.apps.run;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import upa.apps.results.MemoryCourse;
import upa.apps.results.Run;
import upa.apps.workload.LoadFormat;
import upa.apps.workload.Workload;
import upa.apps.workload.WorkloadFile;
import upa.measure.MeasureException;
import upa.measure.allocator.Allocator;

/** Runs a program once, under a contestant, by way of {@code upa-measure}; {@link #stop} ends it. */
public final class Measurer {

    private static final int READY_SECONDS = 60;
    private static final long POLL_MS = 10;
    private static final int STOP_SECONDS = 60;

    private final Settings settings;
    private final Path measure;
    private final Commands commands;
    private volatile Process running;
    private volatile boolean stopped;

    public Measurer(Settings settings) throws MeasureException {
        this.settings = settings;
        measure = settings.tools().resolve("upa-measure").toAbsolutePath();
        commands = new Commands(settings.work().resolve("run"));
        if (!Files.isExecutable(measure)) {
            throw MeasureException.failure("no upa-measure at file=" + measure + ": build it with ./upa build");
        }
    }

    /** Ends what runs, from any thread, and starts nothing any more. */
    public void stop() {
        stopped = true;
        commands.stop();
        Process process = running;
        if (process != null) {
            process.destroy();
        }
    }

    /** The prepared data of a workload. */
    static Path data(Settings settings, Workload workload) {
        return settings.work().resolve("data").resolve(workload.name()).toAbsolutePath();
    }

    /** Replaces {workload}, {data}, {java}, {bin}, and what else is given. */
    static List<String> fill(List<String> words, Settings settings, Workload workload, Map<String, String> more) {
        Map<String, String> values = new HashMap<>(more);
        values.put("workload", workload.folder().toString());
        values.put("data", data(settings, workload).toString());
        values.put("java", System.getProperty("java.home"));
        values.put("bin", settings.tools().toAbsolutePath().toString());
        List<String> filled = new ArrayList<>();
        for (String word : words) {
            String text = word;
            for (Map.Entry<String, String> value : values.entrySet()) {
                text = text.replace("{" + value.getKey() + "}", value.getValue());
            }
            filled.add(text);
        }
        return filled;
    }

    /** Whether a contestant's libraries arrive in a program at all; empty if so, else why not. */
    public Optional<String> preloadProblem(Allocator contestant) throws MeasureException {
        try {
            List<Path> files = contestant.preloaded(settings.libraries());
            Commands.Outcome outcome = commands.run(
                    List.of("cat", "/proc/self/maps"),
                    Path.of("/"),
                    contestant.variables(settings.libraries()),
                    READY_SECONDS);
            if (!outcome.isGood()) {
                return Optional.of(outcome.problem());
            }
            for (Path file : files) {
                if (!outcome.output().contains(file.toRealPath().toString())) {
                    return Optional.of("library=" + file + " is not loaded by LD_PRELOAD");
                }
            }
            return Optional.empty();
        } catch (IOException e) {
            throw MeasureException.failure("cannot probe contestant=" + contestant.name() + ": " + e.getMessage());
        }
    }

    /** One run; what goes wrong with it is in the result. */
    public Run run(Workload workload, Allocator contestant, int round) throws MeasureException {
        return run(workload, contestant, round, List.of(), Map.of());
    }

    /** The same, started by another command such as a profiler, or with more variables. */
    public Run run(
            Workload workload, Allocator contestant, int round, List<String> wrapper, Map<String, String> variables)
            throws MeasureException {
        Path folder = settings.work().resolve("run").toAbsolutePath();
        Path scratch = folder.resolve("scratch");
        Path report = folder.resolve("report");
        try {
            delete(scratch);
            Files.createDirectories(scratch);
            Files.deleteIfExists(report);
            return run(workload, contestant, round, wrapper, variables, folder, scratch, report);
        } catch (IOException e) {
            throw MeasureException.failure(
                    "cannot run workload=" + workload.name() + " in folder=" + folder + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Run.failed(workload, contestant, round, "interrupted");
        } finally {
            try {
                delete(scratch);
            } catch (IOException e) {
                // Deleted before the next run, or said there.
            }
        }
    }

    private Run run(
            Workload workload,
            Allocator contestant,
            int round,
            List<String> wrapper,
            Map<String, String> variables,
            Path folder,
            Path scratch,
            Path report)
            throws IOException, InterruptedException {
        Path output = folder.resolve("output");
        Path errors = folder.resolve("errors");
        Map<String, String> places = new HashMap<>(Map.of("scratch", scratch.toString(), "output", output.toString()));
        if (workload.server().isPresent()) {
            int port = workload.server().get().port();
            Optional<Integer> free = freePort(port);
            if (free.isEmpty()) {
                return Run.failed(workload, contestant, round, "port=" + port + " is in use");
            }
            places.put("port", free.get().toString());
        }
        List<String> command = command(workload, contestant, wrapper, variables, places, report, errors);
        // Our own messages, such as that the program cannot be run, or the wrapper's.
        Path said = folder.resolve("said");
        Process process = new ProcessBuilder(command)
                .directory(scratch.toFile())
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(said.toFile())
                .redirectError(said.toFile())
                .start();
        running = process;
        if (stopped) {
            process.destroy();
        }
        Optional<String> problem = Optional.empty();
        Optional<LoadFormat.Load> load = Optional.empty();
        Optional<String> checked = Optional.empty();
        long loadNs = 0;
        try {
            if (workload.server().isPresent()) {
                Workload.Server server = workload.server().get();
                problem = ready(workload, server, process, places);
                if (problem.isEmpty()) {
                    long before = System.nanoTime();
                    Commands.Outcome outcome = command(workload, server.load(), places, workload.timeoutSeconds());
                    loadNs = System.nanoTime() - before;
                    load = server.loadFormat().parse(outcome.output());
                    if (!outcome.isGood()) {
                        problem = Optional.of("the load failed: " + outcome.problem());
                    } else if (load.isEmpty()) {
                        problem = Optional.of("the load printed no figures" + Commands.said(outcome.output()));
                    } else if (workload.check() == Workload.Check.LOAD) {
                        checked = Optional.of(server.loadFormat().replies(outcome.output()));
                    } else {
                        Commands.Outcome check = check(workload, places);
                        checked = Optional.of(check.output());
                        problem = problem(check);
                    }
                }
                if (!process.isAlive() && problem.isEmpty()) {
                    problem = Optional.of("the server ended before it was stopped");
                }
                measured(process).destroy();
                if (!process.waitFor(STOP_SECONDS, TimeUnit.SECONDS)) {
                    problem = problem.or(() -> Optional.of("the server did not stop within " + STOP_SECONDS + " s"));
                }
            } else {
                process.waitFor();
            }
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
            running = null;
        }
        Map<String, String> values = values(report);
        if (!values.containsKey("status")) {
            return Run.failed(
                    workload,
                    contestant,
                    round,
                    problem.orElse("could not be run") + Commands.said(Commands.read(errors), Commands.read(said)));
        }
        if (workload.check() == Workload.Check.COMMAND && workload.server().isEmpty()) {
            Commands.Outcome check = check(workload, places);
            checked = Optional.of(check.output());
            problem = problem(check);
        }
        String sum = workload.check() == Workload.Check.STDOUT
                ? sha256(Files.newInputStream(output))
                : sha256(new ByteArrayInputStream(checked.orElse("").getBytes(StandardCharsets.UTF_8)));
        Run run = new Run(
                workload.name(),
                workload.digest(),
                contestant.name(),
                round,
                null,
                workload.server().isPresent() ? loadNs : number(values, "wall_ns"),
                number(values, "user_ns"),
                number(values, "system_ns"),
                number(values, "minor_faults"),
                number(values, "major_faults"),
                Math.max(number(values, "largest_process_bytes"), number(values, "tree_bytes")),
                memory(values),
                (int) number(values, "processes"),
                load.map(LoadFormat.Load::throughput).orElse(0.0),
                load.map(LoadFormat.Load::p50Ns).orElse(0.0),
                load.map(LoadFormat.Load::p99Ns).orElse(0.0),
                Stream.of(values.getOrDefault("program", "").split(", "))
                        .filter(p -> p.startsWith("/"))
                        .distinct()
                        .sorted()
                        .toList(),
                sum);
        // How the program ended says more than what the check thinks of what it left.
        Optional<String> why = verdict(workload, contestant, values, errors);
        if (why.isEmpty()) {
            why = problem;
        }
        return why.isPresent() ? run.withProblem(why.get()) : run;
    }

    private List<String> command(
            Workload workload,
            Allocator contestant,
            List<String> wrapper,
            Map<String, String> more,
            Map<String, String> places,
            Path report,
            Path errors) {
        List<String> command = new ArrayList<>(wrapper);
        command.addAll(List.of(measure.toString(), "--report", report.toString(), "--errors", errors.toString()));
        command.addAll(
                List.of("--output", places.get("output"), "--timeout", Integer.toString(workload.timeoutSeconds())));
        Map<String, String> variables = new LinkedHashMap<>(workload.environment());
        variables.putAll(contestant.variables(settings.libraries()));
        variables.putAll(more);
        variables.forEach((name, value) -> command.addAll(List.of(
                "--set",
                name + "=" + fill(List.of(value), settings, workload, places).getFirst())));
        contestant
                .preloaded(settings.libraries())
                .forEach(file -> command.addAll(List.of("--expect", file.toString())));
        workload.server().ifPresent(server -> command.addAll(List.of("--stop", Integer.toString(server.stopSignal()))));
        command.add("--");
        command.addAll(fill(workload.run(), settings, workload, places));
        return command;
    }

    /** upa-measure itself, which may be below a wrapper. */
    private ProcessHandle measured(Process process) {
        return Stream.concat(Stream.of(process.toHandle()), process.descendants())
                .filter(p -> p.info()
                        .command()
                        .map(c -> c.equals(measure.toString()))
                        .orElse(false))
                .findFirst()
                .orElse(process.toHandle());
    }

    private static Optional<Integer> freePort(int wanted) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), wanted));
            return Optional.of(socket.getLocalPort());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private Optional<String> ready(
            Workload workload, Workload.Server server, Process process, Map<String, String> places)
            throws IOException, InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(READY_SECONDS);
        while (System.nanoTime() < end) {
            if (!process.isAlive()) {
                return Optional.of("the server ended before it was ready");
            }
            boolean ready = server.ready().isEmpty()
                    ? accepts(Integer.parseInt(places.get("port")))
                    : command(workload, server.ready(), places, READY_SECONDS).isGood();
            if (ready) {
                return Optional.empty();
            }
            Thread.sleep(POLL_MS);
        }
        return Optional.of("the server was not ready within " + READY_SECONDS + " s");
    }

    private static boolean accepts(int port) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1000);
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    private Commands.Outcome check(Workload workload, Map<String, String> places) throws IOException {
        return command(workload, workload.checkCommand(), places, workload.timeoutSeconds());
    }

    private static Optional<String> problem(Commands.Outcome check) {
        return check.isGood() ? Optional.empty() : Optional.of("its check failed: " + check.problem());
    }

    private Commands.Outcome command(Workload workload, List<String> words, Map<String, String> places, long seconds)
            throws IOException {
        return commands.run(fill(words, settings, workload, places), Path.of(places.get("scratch")), Map.of(), seconds);
    }

    /** What upa-measure saw go wrong. */
    private static Optional<String> verdict(
            Workload workload, Allocator contestant, Map<String, String> values, Path errors) {
        String said = Commands.said(Commands.read(errors));
        long signal = number(values, "signal");
        boolean server = workload.server().isPresent();
        if (number(values, "timed_out") != 0) {
            return Optional.of("it did not end within " + workload.timeoutSeconds() + " s");
        }
        if (signal != 0
                && !(server
                        && number(values, "stopped") != 0
                        && signal == workload.server().get().stopSignal())) {
            return Optional.of("it was killed by signal " + signal + (signal == 9 ? " (out of memory?)" : "") + said);
        }
        if (number(values, "status") != 0 && signal == 0) {
            return Optional.of("it exited with status " + values.get("status") + said);
        }
        if (values.containsKey("lacking")) {
            return Optional.of("the libraries of " + contestant.name() + " did not arrive in " + values.get("lacking"));
        }
        return Optional.empty();
    }

    private static Map<String, String> values(Path report) {
        Map<String, String> values = new HashMap<>();
        Commands.read(report).lines().forEach(line -> {
            String[] words = line.split(" ", 2);
            values.merge(words[0], words.length > 1 ? words[1] : "", (a, b) -> a + ", " + b);
        });
        return values;
    }

    private static MemoryCourse memory(Map<String, String> values) {
        List<MemoryCourse.Look> looks = Stream.of(
                        values.getOrDefault("memory", "").split(", "))
                .filter(look -> !look.isEmpty())
                .map(look -> look.split(" "))
                .map(look -> new MemoryCourse.Look(Long.parseLong(look[0]), Long.parseLong(look[1])))
                .toList();
        return new MemoryCourse(number(values, "mean_bytes"), looks);
    }

    private static long number(Map<String, String> values, String name) {
        return Long.parseLong(values.getOrDefault(name, "0"));
    }

    private static String sha256(InputStream bytes) throws IOException {
        MessageDigest digest = WorkloadFile.sha256();
        try (InputStream in = new DigestInputStream(bytes, digest)) {
            in.transferTo(java.io.OutputStream.nullOutputStream());
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    static void delete(Path folder) throws IOException {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
