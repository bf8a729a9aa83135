package upa.bench.paging;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import upa.measure.Conditions;
import upa.measure.Console;
import upa.measure.CtrlC;
import upa.measure.Machine;
import upa.measure.MeasureException;
import upa.measure.OneLine;
import upa.measure.Progress;
import upa.measure.ResultFolder;

/**
 * Runs {@code upa-paging}, and {@code upa-pagerank}, with each {@link Way}, interleaved, under one bound. What a way
 * needs of the machine is set up for its run alone, and undone behind it.
 */
public final class PagingExperiment {
    /** The name on the command line. */
    public static final String ID = "paging";

    private static final long MIB = 1 << 20;
    private static final int PATIENCE_SECONDS = 600;
    /** How pages are touched. */
    public static final List<String> PATTERNS = List.of("sequential", "random", "zipf", "hot", PageRank.NAME);

    private static final Pattern RESULT =
            Pattern.compile("touches (\\d+) wrong (\\d+) ns_per_touch ([\\d.]+) fill_ns_per_page ([\\d.]+)");

    /**
     * How large it is.
     *
     * @param patterns   some of {@link #PATTERNS}
     * @param mib        what the program has; of pagerank the graph
     * @param rounds     how often
     * @param touches    most for each pattern
     * @param iterations most of pagerank
     * @param seconds    most for each pattern
     * @param seed       of the order and of what is touched
     */
    public record Size(
            List<String> patterns, long mib, int rounds, long touches, int iterations, int seconds, long seed) {}

    private final Console console;
    private final Machine machine;
    private final Size size;
    private final Path program;
    private final Path upa;
    private final Path folder;
    private final Map<String, String> impossible = new LinkedHashMap<>();
    private final List<String> failures = new ArrayList<>();
    private final PageRank pageRank = new PageRank();
    private volatile boolean stopped;
    private volatile Process running;

    /**
     * Makes one.
     *
     * @param console where to talk
     * @param machine this
     * @param size    how large it is
     * @param program upa-paging
     * @param upa     the launcher
     * @param folder  for a swap file and UPA's own
     */
    public PagingExperiment(Console console, Machine machine, Size size, Path program, Path upa, Path folder) {
        this.console = console;
        this.machine = machine;
        this.size = size;
        this.program = program;
        this.upa = upa;
        this.folder = folder;
    }

    private record Job(Way way, String pattern, int threads, int round) {}

    /**
     * Measures and reports.
     *
     * @param results folder of the results
     * @return the exit status
     * @throws MeasureException if nothing could be measured or written
     */
    public int run(Path results) throws MeasureException {
        if (!Files.isExecutable(program)) {
            throw MeasureException.failure("there is no program=" + program + ": ./upa build makes it");
        }
        ResultFolder out = ResultFolder.make(results);
        Conditions conditions = new Conditions(machine, size.rounds);
        conditions.method("Rounds", size.rounds + ", each in a new random order; seed " + size.seed);
        List<PagingRow> rows = new ArrayList<>();
        List<Job> jobs = jobs();
        Progress progress = new Progress(console, jobs.size());
        Runnable stop = () -> {
            stopped = true;
            Process now = running;
            if (now != null) {
                now.destroy();
            }
        };
        try (var _ = new CtrlC(stop)) {
            for (Job job : jobs) {
                if (stopped) {
                    conditions.note("The run was cut short.");
                    break;
                }
                progress.show(
                        "round " + (job.round + 1) + " of " + size.rounds,
                        job.way.id() + " " + job.pattern + ", threads " + job.threads);
                if (!impossible.containsKey(job.way.id())) {
                    measure(job, rows);
                }
                progress.step();
            }
            progress.clear();
            impossible.forEach((way, why) -> conditions.note(way + " was left out: " + why + "."));
            failures.forEach(f -> conditions.note("Failed: " + f));
            failures.stream().distinct().limit(5).forEach(f -> console.err().println(OneLine.of("upa bench: " + f)));
            if (rows.isEmpty()) {
                throw MeasureException.failure("nothing was measured");
            }
            conditions.end();
            Map<String, Object> data = new LinkedHashMap<>();
            data.put("machine", conditions.machine());
            data.put("method", conditions.method());
            out.publish(
                    console,
                    new PagingReport(rows, Way.all(folder.toString()), size.mib * MIB / 2).report(conditions),
                    PagingRow.class,
                    rows,
                    data);
        }
        return stopped ? MeasureException.INTERRUPTED : failures.isEmpty() ? 0 : MeasureException.FAILURE;
    }

    private List<Job> jobs() {
        List<Job> jobs = new ArrayList<>();
        Random random = new Random(size.seed);
        for (int round = 0; round < size.rounds; round++) {
            List<Job> one = new ArrayList<>();
            for (Way way : Way.all(folder.toString())) {
                for (String pattern : size.patterns) {
                    if (way.isOf(pattern)) {
                        one.add(new Job(way, pattern, 1, round));
                        if (pattern.equals("random") || pattern.equals(PageRank.NAME)) {
                            one.add(new Job(way, pattern, 2, round));
                        }
                    }
                }
            }
            Collections.shuffle(one, random);
            jobs.addAll(one);
        }
        return jobs;
    }

    private void measure(Job job, List<PagingRow> rows) {
        KernelSettings settings = new KernelSettings(Path.of("/"));
        try (settings) {
            setUp(job, settings);
            PagingRow row = run(job, settings);
            if (row != null) {
                rows.add(row);
            }
        } catch (KernelSettings.ImpossibleException e) {
            impossible.put(job.way.id(), e.getMessage());
        } catch (IOException e) {
            failures.add(job.way.id() + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            stopped = true;
        }
    }

    private long boundMib(Job job) {
        return job.pattern.equals(PageRank.NAME) ? PageRank.boundMib(size.mib * MIB) : size.mib / 2;
    }

    private void setUp(Job job, KernelSettings settings) throws KernelSettings.ImpossibleException {
        switch (job.way.needs()) {
            case SWAP_FILE -> settings.swapTo(folder, 4 * size.mib * MIB);
            case ZSWAP -> {
                settings.swapTo(folder, 4 * size.mib * MIB);
                settings.zswap();
            }
            case ZRAM -> settings.needZram();
            default -> {
                // Nothing.
            }
        }
        if (job.way.bounded() && !job.way.isUpa()) {
            settings.limit(boundMib(job) * MIB);
        }
    }

    private List<String> command(Job job, KernelSettings settings) {
        List<String> command = new ArrayList<>(program(job));
        if (job.way.isUpa()) {
            command.addAll(
                    0,
                    List.of(
                            upa.toString(),
                            "run",
                            "--policy",
                            job.way.policy(),
                            "--memory",
                            boundMib(job) + "M",
                            "--store",
                            job.way.store(),
                            "--"));
            return command;
        }
        return job.way.bounded() ? settings.inGroup(command) : command;
    }

    private List<String> program(Job job) {
        if (job.pattern.equals(PageRank.NAME)) {
            return PageRank.command(program.resolveSibling("upa-pagerank"), size, size.iterations, job.threads);
        }
        List<String> command = new ArrayList<>(List.of(
                program.toString(),
                job.pattern,
                Long.toString(size.mib),
                Long.toString(size.touches),
                Integer.toString(size.seconds),
                Integer.toString(job.threads),
                Long.toString(size.seed + job.round)));
        if (job.way.isFile()) {
            command.add(folder.toString());
        }
        return command;
    }

    /** Null if it failed. */
    private PagingRow run(Job job, KernelSettings settings) throws IOException, InterruptedException {
        Path errors = Files.createTempFile("upa-bench", ".err");
        try {
            Process process = new ProcessBuilder(command(job, settings))
                    .redirectError(errors.toFile())
                    .start();
            running = process;
            if (stopped) {
                process.destroy();
            }
            String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
            PagingRow row = process.exitValue() == 0 ? row(job, text) : null;
            if (row == null && !stopped) {
                String said = Files.readString(errors).lines().findFirst().orElse(text.strip());
                failures.add(job.way.id() + " " + job.pattern + ": status=" + process.exitValue() + " " + said);
            }
            return row;
        } catch (PageRank.WrongException e) {
            failures.add(job.way.id() + " " + job.pattern + ": " + e.getMessage());
            return null;
        } finally {
            running = null;
            Files.deleteIfExists(errors);
        }
    }

    /** Null if it says that something was wrong. */
    private PagingRow row(Job job, String text) throws PageRank.WrongException {
        if (job.pattern.equals(PageRank.NAME)) {
            return pageRank.row(text, job.way, job.threads, job.round, size.mib);
        }
        Matcher result = RESULT.matcher(text);
        if (!result.find() || !result.group(2).equals("0")) {
            return null;
        }
        return new PagingRow(
                job.way.id(),
                job.pattern,
                job.threads,
                job.round,
                size.mib * MIB,
                job.way.bounded() ? boundMib(job) * MIB : size.mib * MIB,
                Long.parseLong(result.group(1)),
                Double.parseDouble(result.group(3)),
                Double.parseDouble(result.group(4)));
    }
}
