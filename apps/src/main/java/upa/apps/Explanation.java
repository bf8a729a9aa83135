package upa.apps;

import java.util.Locale;
import java.util.Optional;
import upa.bench.report.Units;
import upa.bench.stats.Interval;

/** Two sentences on a program: what it does to memory, and why it gains or not. Every word of it follows from what was measured. */
final class Explanation {

    private static final double PAGE = 4096;
    /** Below this share of the time there is nothing to gain that would show. */
    private static final double LITTLE = 0.03;
    /** Fewer page faults than this part of those before means that memory is used again. */
    private static final double FEWER = 0.7;

    private Explanation() {}

    /** The sentences; empty if the program did not run well under both. */
    static Optional<String> of(Results results, Workload workload, Optional<KernelShare> before, Optional<KernelShare> after) {
        Optional<Interval> speedUp = results.speedUp(workload, Contestant.BASE, Contestant.UPA);
        Optional<Double> faults = results.median(workload, Contestant.BASE, Run::minorFaults);
        Optional<Double> faultsAfter = results.median(workload, Contestant.UPA, Run::minorFaults);
        Optional<Double> peak = results.median(workload, Contestant.BASE, Run::peakBytes);
        if (speedUp.isEmpty() || faults.isEmpty() || faultsAfter.isEmpty() || peak.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(asks(results, workload, before, faults.get(), peak.get()) + " "
                + gains(results, workload, speedUp.get(), before, after, faults.get(), faultsAfter.get()));
    }

    private static String asks(
            Results results, Workload workload, Optional<KernelShare> before, double faults, double peak) {
        double turnover = faults * PAGE / Math.max(peak, 1);
        String often = turnover < 1.5
                ? "about once"
                : "so that each page it ever holds is faulted in " + Units.digits(turnover) + " times";
        String share = before.map(s -> "the kernel spends " + percent(s.share()) + " of its time on memory ("
                        + percent(s.share(KernelShare.Work.CLEARING, KernelShare.Work.FAULTS)) + " on page faults, "
                        + percent(s.share(
                                KernelShare.Work.UNMAPPING, KernelShare.Work.MADVISE, KernelShare.Work.EXIT))
                        + " on taking it away)")
                .orElseGet(() -> "of its CPU time " + percent(systemShare(results, workload, Contestant.BASE)) + " is the kernel's");
        return "Under glibc it has " + Units.digits(faults) + " page faults at a peak of " + Units.bytes(peak) + ", " + often
                + ", and " + share + ".";
    }

    private static String gains(
            Results results,
            Workload workload,
            Interval speedUp,
            Optional<KernelShare> before,
            Optional<KernelShare> after,
            double faults,
            double faultsAfter) {
        double share = before.map(KernelShare::share).orElseGet(() -> systemShare(results, workload, Contestant.BASE));
        double fewer = faultsAfter / Math.max(faults, 1);
        String now = "page faults " + (fewer < 1 ? "fall" : "come") + " to " + percent(fewer) + " of that"
                + after.map(s -> ", the kernel's work on memory to " + percent(s.share())).orElse("");
        String speed = Units.ratio(speedUp);
        boolean noise = speedUp.low() <= 1 && speedUp.high() >= 1;
        if (noise && share < LITTLE) {
            return "There is little for a page allocator to save: UPA makes no difference beyond the noise (" + speed + ").";
        }
        if (noise) {
            return fewer > FEWER
                    ? "It mostly uses memory for the first time, which nobody can recycle: on UPA " + now
                            + ", and the difference is within the noise (" + speed + ")."
                    : "On UPA " + now + ", but that does not show in its time: the difference is within the noise (" + speed + ").";
        }
        if (speedUp.estimate() > 1) {
            return fewer <= FEWER
                    ? "On UPA it gets pages again that it had before: " + now + ", and it is " + speed + " as fast."
                    : "On UPA " + now + ", and it is " + speed + " as fast, for other reasons than fewer faults.";
        }
        return "It is slower on UPA (" + speed + "): " + now + ", while its time in user mode changes by "
                + change(results, workload, Run::userNs) + " and in the kernel by " + change(results, workload, Run::systemNs) + ".";
    }

    private static String change(Results results, Workload workload, java.util.function.ToDoubleFunction<Run> what) {
        double before = results.median(workload, Contestant.BASE, what).orElseThrow();
        double after = results.median(workload, Contestant.UPA, what).orElseThrow();
        return String.format(Locale.ROOT, "%+.2f s", (after - before) / 1e9);
    }

    private static double systemShare(Results results, Workload workload, String contestant) {
        double cpu = results.median(workload, contestant, Run::cpuNs).orElse(0.0);
        return cpu == 0 ? 0 : results.median(workload, contestant, Run::systemNs).orElse(0.0) / cpu;
    }

    private static String percent(double share) {
        return Units.digits(100 * share) + " %";
    }
}
