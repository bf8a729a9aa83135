package upa.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** Which jobs make up an experiment: contestants, sizes and budgets, for the quick selection and for all. */
final class Plan {

    static final long KIB = 1L << 10;
    static final long MIB = 1L << 20;
    static final long GIB = 1L << 30;
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
    private static final Set<String> MALLOC = Set.of(
            "dlmalloc-kernel",
            "dlmalloc-upa",
            "dlmalloc-upa-uncleared",
            "glibc",
            "glibc-tuned",
            "jemalloc",
            "jemalloc-no-decay",
            "mimalloc",
            "tcmalloc");
    private static final Set<String> GROWING = Set.of("kernel", "upa", "upa-uncleared");
    private static final Set<String> ABLATION = Set.of(
            "upa-pte-uncleared",
            "kernel",
            "kernel-huge",
            "cache-exact",
            "cache-exact-uncleared",
            "cache-fit-uncleared",
            "upa",
            "upa-uncleared",
            "region-huge",
            "region-huge-uncleared",
            "region-give-back",
            "region-limit");
    private static final Set<String> REPLAY = union(
            Set.of("kernel", "kernel-populate", "cache-fit-uncleared", "upa", "upa-uncleared"), MALLOC);
    private static final Set<String> THREADS = Set.of("kernel", "upa", "upa-uncleared");

    private final Settings settings;
    private final List<Job> jobs = new ArrayList<>();

    private Plan(Settings settings) {
        this.settings = settings;
    }

    /** All jobs of the settings; contestants who cannot take part here have none. */
    static List<Job> jobs(Settings settings) {
        Plan plan = new Plan(settings);
        settings.experiments().forEach(plan::add);
        return plan.jobs;
    }

    private void add(Experiment experiment) {
        boolean full = settings.full();
        switch (experiment) {
            case SIZES -> {
                for (Contestant c : among(full ? PAGES_FULL : PAGES_QUICK)) {
                    add(experiment, c, "", 1, touch(sizes(4 * KIB, settings.largest(), full ? 2 : 4), "both", 1));
                }
            }
            case SCALE -> {
                for (Contestant c : among(SCALE)) {
                    add(
                            experiment,
                            c,
                            "",
                            1,
                            List.of(
                                    "--workload",
                                    "alloc",
                                    "--phase",
                                    "warm",
                                    "--budget-ms",
                                    budget(),
                                    "--sizes",
                                    sizes(4 * KIB, settings.largest(), full ? 2 : 4)));
                }
            }
            case MALLOC -> {
                String sizes = full
                        ? sizes(8, Math.min(8 * MIB, settings.largest()), 2)
                        : sizes(8, Math.min(32 * KIB, settings.largest()), 8) + ","
                                + sizes(128 * KIB, Math.min(8 * MIB, settings.largest()), 2);
                for (Contestant c : among(MALLOC)) {
                    add(experiment, c, "", 1, touch(sizes, "warm", 16));
                    if (full) {
                        for (String sampler : sizeSamplers()) {
                            add(experiment, c, sampler, 1, ring(sampler));
                        }
                    }
                }
            }
            case REALLOC -> {
                String sizes = sizes(8 * KIB, Math.min(full ? 256 * MIB : 64 * MIB, settings.largest()), 2);
                for (String mode : List.of("in-place", "relocate", "copy")) {
                    for (Contestant c : among(GROWING)) {
                        add(experiment, c, mode, 1, resize(sizes, mode));
                    }
                }
                for (Contestant c : among(
                        full
                                ? union(GROWING, MALLOC)
                                : union(
                                        GROWING,
                                        Set.of(
                                                "dlmalloc-kernel",
                                                "dlmalloc-upa",
                                                "dlmalloc-upa-uncleared",
                                                "glibc")))) {
                    add(experiment, c, "natural", 1, resize(sizes, "natural"));
                }
            }
            case ABLATION -> {
                for (String sampler : sizeSamplers()) {
                    for (Contestant c : among(ABLATION)) {
                        if (full
                                || !c.name().startsWith("region-huge")
                                        && !c.name().equals("kernel-huge")
                                        && !c.name().equals("cache-exact")) {
                            add(experiment, c, sampler, 1, ring(sampler));
                        }
                    }
                }
            }
            case REPLAY -> {
                for (String sampler : settings.samplers()) {
                    for (Contestant c : isTrace(sampler) ? among(REPLAY) : List.<Contestant>of()) {
                        add(experiment, c, sampler, 1, List.of("--workload", "replay", "--sampler", sampler));
                    }
                }
            }
            case THREADS -> {
                for (int threads = 1; threads <= 2; threads++) {
                    for (Contestant c : among(full ? union(THREADS, MALLOC) : THREADS)) {
                        add(
                                experiment,
                                c,
                                "",
                                threads,
                                touch(sizes(4 * KIB, Math.min(16 * MIB, settings.largest()), 16), "warm", 1));
                    }
                }
            }
            case LLFREE -> {
                for (int threads = 1; threads <= 2; threads++) {
                    for (Contestant c : among(Set.of("llfree"))) {
                        add(
                                experiment,
                                c,
                                "",
                                threads,
                                List.of(
                                        "--workload",
                                        "alloc",
                                        "--phase",
                                        "warm",
                                        "--budget-ms",
                                        budget(),
                                        "--sizes",
                                        sizes(4 * KIB, 2 * MIB, full ? 2 : 8)));
                    }
                }
            }
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
        int most = !arguments.contains("ring") && !arguments.contains("replay") ? Integer.MAX_VALUE : settings.full() ? RING_ROUNDS_FULL : RING_ROUNDS;
        int rounds = Math.min(most, settings.rounds());
        jobs.add(new Job(experiment, contestant, variant, threads, rounds, arguments));
    }

    private List<Contestant> among(Set<String> names) {
        return settings.contestants().stream()
                .filter(c -> names.contains(c.name())
                        || (names == MALLOC || names == REPLAY) && c.driverName().equals("malloc"))
                .filter(Contestant::isInstalled)
                .toList();
    }

    private static Set<String> union(Set<String> some, Set<String> others) {
        return java.util.stream.Stream.concat(some.stream(), others.stream()).collect(Collectors.toSet());
    }

    private String budget() {
        return settings.full() ? "20" : "8";
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

    private List<String> resize(String sizes, String mode) {
        return List.of(
                "--workload", "resize", "--mode", mode, "--budget-ms", settings.full() ? "10" : "4", "--sizes", sizes);
    }

    /** Douglas's sizes are below 8 MiB by definition; the others go up to the largest, within a bound on what is live. */
    private List<String> ring(String sampler) {
        boolean douglas = sampler.equals("douglas");
        long largest = douglas ? 8 * MIB : Math.min(settings.full() ? GIB : 256 * MIB, settings.largest());
        int steps = douglas ? RING_LIVE * (settings.full() ? 4 : 1) : settings.full() ? 300 : 100;
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
