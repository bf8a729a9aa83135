package upa.bench;

import static upa.measure.report.Units.GIB;
import static upa.measure.report.Units.KIB;
import static upa.measure.report.Units.MIB;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import upa.bench.driver.Contestant;
import upa.bench.driver.Experiment;
import upa.bench.driver.Job;
import upa.measure.allocator.Allocators;

/** Which jobs make up an experiment: contestants, sizes and budgets, for the quick selection and for all. */
final class Plan {

    /** The most memory any job holds at once: live blocks, retained ones and caches, rounded up. */
    static final long MEMORY_NEEDED = 6 * GIB;

    /** What the sampler of a replay begins with; the name of the file follows. */
    static final String TRACE_PREFIX = "trace:";

    private static final int RING_LIVE = 512;
    /** A ring or a replay takes seconds, and its mean is over many blocks. */
    private static final int RING_ROUNDS = 3;

    private static final int RING_ROUNDS_FULL = 5;

    private static final Set<String> PAGES_QUICK = Set.of("kernel", "kernel-populate", "upa", "upa-uncleared");
    private static final Set<String> PAGES_FULL = Set.of(
            "upa-pte",
            "upa-pte-uncleared",
            "kernel",
            "kernel-populate",
            "kernel-huge",
            "upa",
            "upa-uncleared",
            "region",
            "region-uncleared",
            "region-huge",
            "region-huge-uncleared",
            "cache-exact-uncleared");
    private static final Set<String> SCALE =
            Set.of("kernel", "kernel-populate", "upa", "upa-uncleared", "region-uncleared");
    /** Besides the allocators of the catalogue. */
    private static final Set<String> DLMALLOC = Set.of("dlmalloc-kernel", "dlmalloc-upa", "dlmalloc-upa-uncleared");

    private static final Set<String> GROWING = Set.of("kernel", "upa", "upa-uncleared");
    private static final Set<String> ABLATION = Set.of(
            "upa-pte-uncleared",
            "kernel",
            "cache-exact-uncleared",
            "cache-fit-uncleared",
            "upa",
            "upa-uncleared",
            "region-give-back",
            "region-limit");
    private static final Set<String> ABLATION_FULL_ONLY =
            Set.of("kernel-huge", "cache-exact", "region-huge", "region-huge-uncleared");
    private static final Set<String> REPLAY =
            Set.of("kernel", "kernel-populate", "cache-fit-uncleared", "upa", "upa-uncleared");
    private static final Set<String> THREADS = Set.of("kernel", "upa", "upa-uncleared");

    /** What is measured twice, under two names: what figures are held against. */
    private static final Map<Experiment, String> CONTROLLED = Map.of(
            Experiment.SIZES, "kernel",
            Experiment.SCALE, "region-uncleared",
            Experiment.MALLOC, "dlmalloc-kernel",
            Experiment.LLFREE, "llfree");

    private final Settings settings;
    private final boolean full;
    private final List<Job> jobs = new ArrayList<>();

    private Plan(Settings settings) {
        this.settings = settings;
        full = settings.full();
    }

    /** All jobs of the settings; contestants who cannot take part here have none. */
    static List<Job> jobs(Settings settings) {
        Plan plan = new Plan(settings);
        settings.experiments().forEach(plan::add);
        return plan.jobs;
    }

    private void add(Experiment experiment) {
        switch (experiment) {
            case SIZES -> sizes();
            case SCALE -> scale();
            case MALLOC -> malloc();
            case REALLOC -> realloc();
            case ABLATION -> ablation();
            case REPLAY -> replay();
            case THREADS -> threads();
            case LLFREE -> llfree();
            default -> throw new AssertionError("experiment=" + experiment);
        }
    }

    private void sizes() {
        String sizes = sizes(4 * KIB, settings.largest(), full ? 2 : 4);
        among(full ? PAGES_FULL : PAGES_QUICK).forEach(c -> add(Experiment.SIZES, c, "", 1, touch(sizes, "both", 1)));
    }

    private void scale() {
        String sizes = sizes(4 * KIB, settings.largest(), full ? 2 : 4);
        among(SCALE).forEach(c -> add(Experiment.SCALE, c, "", 1, alloc(sizes)));
    }

    private void malloc() {
        String sizes = full
                ? sizes(8, Math.min(8 * MIB, settings.largest()), 2)
                : sizes(8, Math.min(32 * KIB, settings.largest()), 8) + ","
                        + sizes(128 * KIB, Math.min(8 * MIB, settings.largest()), 2);
        for (Contestant c : mallocs(DLMALLOC)) {
            add(Experiment.MALLOC, c, "", 1, touch(sizes, "warm", 16));
            if (full) {
                sizeSamplers().forEach(sampler -> add(Experiment.MALLOC, c, sampler, 1, ring(sampler)));
            }
        }
    }

    private void realloc() {
        String sizes = sizes(8 * KIB, Math.min(full ? 256 * MIB : 64 * MIB, settings.largest()), 2);
        for (String mode : List.of("in-place", "relocate", "copy")) {
            among(GROWING).forEach(c -> add(Experiment.REALLOC, c, mode, 1, resize(sizes, mode)));
        }
        Set<String> programs = union(GROWING, DLMALLOC);
        (full ? mallocs(programs) : among(union(programs, Set.of(Allocators.BASE))))
                .forEach(c -> add(Experiment.REALLOC, c, "natural", 1, resize(sizes, "natural")));
    }

    private void ablation() {
        for (String sampler : sizeSamplers()) {
            among(full ? union(ABLATION, ABLATION_FULL_ONLY) : ABLATION)
                    .forEach(c -> add(Experiment.ABLATION, c, sampler, 1, ring(sampler)));
        }
    }

    private void replay() {
        for (String sampler : settings.samplers()) {
            if (isTrace(sampler)) {
                mallocs(union(REPLAY, DLMALLOC))
                        .forEach(c -> add(
                                Experiment.REPLAY,
                                c,
                                sampler,
                                1,
                                List.of("--workload", "replay", "--sampler", sampler)));
            }
        }
    }

    private void threads() {
        String sizes = sizes(4 * KIB, Math.min(16 * MIB, settings.largest()), 16);
        for (int threads : List.of(1, 2)) {
            (full ? mallocs(union(THREADS, DLMALLOC)) : among(THREADS))
                    .forEach(c -> add(Experiment.THREADS, c, "", threads, touch(sizes, "warm", 1)));
        }
    }

    private void llfree() {
        String sizes = sizes(4 * KIB, 2 * MIB, full ? 2 : 8);
        for (int threads : List.of(1, 2)) {
            among(Set.of("llfree")).forEach(c -> add(Experiment.LLFREE, c, "", threads, alloc(sizes)));
        }
    }

    /** Whether a sampler is a program's trace, which brings order and lifetimes along. */
    static boolean isTrace(String sampler) {
        return sampler.startsWith(TRACE_PREFIX);
    }

    private List<String> sizeSamplers() {
        return settings.samplers().stream().filter(s -> !isTrace(s)).toList();
    }

    private void add(
            Experiment experiment, Contestant contestant, String variant, int threads, List<String> arguments) {
        boolean takesSeconds = arguments.contains("ring") || arguments.contains("replay");
        int rounds =
                takesSeconds ? Math.min(full ? RING_ROUNDS_FULL : RING_ROUNDS, settings.rounds()) : settings.rounds();
        jobs.add(new Job(experiment, contestant, variant, threads, rounds, arguments));
        if (contestant.name().equals(CONTROLLED.get(experiment))) {
            jobs.add(new Job(experiment, contestant.control(), variant, threads, rounds, arguments));
        }
    }

    /** Those of these names who can take part. */
    private List<Contestant> among(Set<String> names) {
        return settings.contestants().stream()
                .filter(c -> names.contains(c.name()) && c.isInstalled())
                .toList();
    }

    /** The same, and all allocators of the catalogue and of the user's. */
    private List<Contestant> mallocs(Set<String> others) {
        return settings.contestants().stream()
                .filter(c -> (others.contains(c.name()) || c.isMalloc()) && c.isInstalled())
                .toList();
    }

    private static Set<String> union(Set<String> some, Set<String> others) {
        return Stream.concat(some.stream(), others.stream()).collect(Collectors.toSet());
    }

    private String budget() {
        return full ? "20" : "8";
    }

    private List<String> touch(String sizes, String phase, int live) {
        return List.of(
                "--workload",
                "touch",
                "--phase",
                phase,
                "--live",
                Integer.toString(live),
                "--budget-ms",
                budget(),
                "--huge-warm",
                "1G",
                "--sizes",
                sizes);
    }

    private List<String> alloc(String sizes) {
        return List.of("--workload", "alloc", "--phase", "warm", "--budget-ms", budget(), "--sizes", sizes);
    }

    private List<String> resize(String sizes, String mode) {
        return List.of("--workload", "resize", "--mode", mode, "--budget-ms", full ? "10" : "4", "--sizes", sizes);
    }

    /**
     * Douglas's sizes are below 8 MiB by definition; the others go up to the largest, within a bound on what is live.
     */
    private List<String> ring(String sampler) {
        boolean douglas = sampler.equals("douglas");
        long largest = douglas ? 8 * MIB : Math.min(full ? GIB : 256 * MIB, settings.largest());
        int steps = douglas ? RING_LIVE * (full ? 4 : 1) : full ? 300 : 100;
        return List.of(
                "--workload",
                "ring",
                "--sampler",
                sampler,
                "--largest",
                Long.toString(largest),
                "--live",
                Integer.toString(RING_LIVE),
                "--steps",
                Integer.toString(steps),
                "--huge-warm",
                "2G");
    }

    /** low, low * factor, ... up to high. */
    private static String sizes(long low, long high, long factor) {
        return LongStream.iterate(low, size -> size <= high, size -> size * factor)
                .mapToObj(Long::toString)
                .collect(Collectors.joining(","));
    }
}
