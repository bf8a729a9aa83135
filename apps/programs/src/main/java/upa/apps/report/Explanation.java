package upa.apps.report;

import java.util.Locale;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import upa.apps.profile.KernelShare;
import upa.apps.profile.KernelShare.Work;
import upa.apps.profile.PageProfile;
import upa.apps.results.Results;
import upa.apps.results.Run;
import upa.apps.workload.Workload;
import upa.measure.allocator.Allocators;
import upa.measure.report.Units;
import upa.measure.stats.Interval;

/**
 * Two sentences on a program: what pages it asks for and what that costs under glibc, and why it gains on UPA or not.
 * Every word of them follows from what was measured.
 */
final class Explanation {

    private static final double PAGE = 4096;
    /** Below this share of the time there is nothing to gain that would show. */
    private static final double LITTLE = 0.03;
    /** Fewer page faults than this part of those before means that memory is used again. */
    private static final double FEWER = 0.7;
    /** Beyond this part of what it asks for, a program asks for much again. */
    private static final double MUCH_AGAIN = 0.5;

    private final Results results;
    private final Workload workload;
    private final Optional<PageProfile> pages;
    private final Optional<KernelShare> before;
    private final Optional<KernelShare> after;

    private Explanation(
            Results results,
            Workload workload,
            Optional<PageProfile> pages,
            Optional<KernelShare> before,
            Optional<KernelShare> after) {
        this.results = results;
        this.workload = workload;
        this.pages = pages;
        this.before = before;
        this.after = after;
    }

    /** The sentences; empty if the program did not run well under both. */
    static Optional<String> of(
            Results results,
            Workload workload,
            Optional<PageProfile> pages,
            Optional<KernelShare> before,
            Optional<KernelShare> after) {
        Optional<Interval> speedUp = results.speedUp(workload, Allocators.BASE, Allocators.UPA);
        Explanation explanation = new Explanation(results, workload, pages, before, after);
        return speedUp.map(ratio -> explanation.asks() + " " + explanation.gains(ratio));
    }

    private double median(String contestant, ToDoubleFunction<Run> what) {
        return results.median(workload, contestant, what).orElseThrow();
    }

    private String asks() {
        double faults = median(Allocators.BASE, Run::minorFaults);
        double peak = median(Allocators.BASE, Run::peakBytes);
        String request = pages.map(p -> "It asks for pages " + p.requests() + " times, " + Units.bytes(p.bytes())
                        + " in all at a peak of " + Units.bytes(peak)
                        + (p.typicalBytes() == 0
                                ? ""
                                : ", most mapped bytes in blocks of "
                                        + Units.bytes(p.typicalBytes()) + " to " + Units.bytes(2.0 * p.typicalBytes())
                                        + (p.typicalLifetimeNs() == 0
                                                ? " kept to the end"
                                                : " that live " + Units.time(p.typicalLifetimeNs())))
                        + ", and had freed " + percent(p.again()) + " of it before"
                        + (p.purgedBytes() == 0 ? "" : "; it purges " + Units.bytes(p.purgedBytes())) + ";")
                .orElseGet(() -> "Its memory peaks at " + Units.bytes(peak) + ";");
        double times = faults * PAGE / Math.max(peak, 1);
        return request + " under glibc that costs " + Math.round(faults) + " page faults, " + Units.digits(times)
                + " for each page of the peak, and "
                + before.map(s -> percent(s.share()) + " of its time is the kernel's work on memory ("
                                + percent(s.share(Work.CLEARING, Work.FAULTS)) + " page faults, "
                                + percent(s.share(Work.UNMAPPING, Work.MADVISE, Work.EXIT)) + " taking it away)")
                        .orElseGet(() -> percent(kernelShare()) + " of its CPU time is the kernel's")
                + ".";
    }

    private String gains(Interval speedUp) {
        double fewer =
                median(Allocators.UPA, Run::minorFaults) / Math.max(median(Allocators.BASE, Run::minorFaults), 1);
        double share = before.map(KernelShare::share).orElseGet(this::kernelShare);
        String now = "page faults are " + percent(fewer) + " of that"
                + after.map(s -> ", the kernel's work on memory " + percent(s.share()) + " of the time")
                        .orElse("");
        String speed = Units.ratio(speedUp);
        if (speedUp.low() <= 1 && speedUp.high() >= 1) {
            return "On UPA " + now + ": "
                    + (share < LITTLE
                            ? "there is little to save, and the difference is within the noise"
                            : fewer > FEWER
                                    ? firstUse() + ", and the difference is within the noise"
                                    : "that does not show in its time, whose difference is within the noise")
                    + " (" + speed + ").";
        }
        if (speedUp.low() == speedUp.high()) {
            return "On UPA " + now + ", and in the only round it was " + speed
                    + " as fast, of which the noise is unknown.";
        }
        if (speedUp.estimate() > 1) {
            return "On UPA "
                    + (fewer <= FEWER
                            ? "it gets pages again that it had before: " + now + ", and it is "
                            : now + ", so that few are spared; it is all the same ")
                    + speed + " as fast.";
        }
        return "On UPA it is slower (" + speed + "): " + now + ", while its time in user mode changes by "
                + change(Run::userNs) + " and in the kernel by " + change(Run::systemNs) + ".";
    }

    private String firstUse() {
        return pages.filter(p -> p.again() > MUCH_AGAIN).isPresent()
                ? "few page faults are spared, though it asks again for most of what it frees"
                : "it uses most of its memory for the first time, which nobody can recycle";
    }

    private String change(ToDoubleFunction<Run> what) {
        return String.format(
                Locale.ROOT, "%+.2f s", (median(Allocators.UPA, what) - median(Allocators.BASE, what)) / 1e9);
    }

    private double kernelShare() {
        double cpu = median(Allocators.BASE, Run::cpuNs);
        return cpu == 0 ? 0 : median(Allocators.BASE, Run::systemNs) / cpu;
    }

    private static String percent(double share) {
        return Units.digits(100 * share) + " %";
    }
}
