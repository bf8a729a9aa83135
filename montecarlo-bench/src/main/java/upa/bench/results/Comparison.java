package upa.bench.results;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import upa.bench.driver.Contestant;
import upa.bench.driver.Experiment;
import upa.bench.results.Measurements.Key;
import upa.bench.results.Measurements.Line;
import upa.measure.stats.Interval;
import upa.measure.stats.Statistics;

/**
 * Two runs side by side. They were not interleaved, so what the machine did between them is part of every difference.
 * It is seen at the base line, whose code is none of the project's: what changes no more than that has not changed.
 */
public final class Comparison {

    /** What came of a line at a size. */
    public enum Verdict {
        /** Faster than before, by all of its interval and more than the base line. */
        FASTER,
        /** Slower than before, by all of its interval and more than the base line. */
        SLOWER,
        /** Its interval includes 1, or it has changed no more than the base line. */
        NOISE,
        /** It is the base line itself. */
        BASE
    }

    /**
     * A line at a size, in both runs.
     *
     * @param key which
     * @param before the geometric mean of the rounds' medians, in ns
     * @param now the same of the newer run
     * @param speed how many times as fast as before
     * @param base the same of the base line at that size; empty if both runs do not have it
     * @param verdict what that says
     */
    public record Change(
            Key key, double before, double now, Interval speed, Optional<Interval> base, Verdict verdict) {}

    private static final Map<Experiment, String> OTHER_BASES =
            Map.of(Experiment.MALLOC, "dlmalloc-kernel", Experiment.REALLOC, "dlmalloc-kernel");

    private final PastRun before;
    private final PastRun now;

    /**
     * A comparison.
     *
     * @param before the older run
     * @param now the newer run
     */
    public Comparison(PastRun before, PastRun now) {
        this.before = before;
        this.now = now;
    }

    /**
     * All changes.
     *
     * @return of each line at each size that both runs have, in the order of the newer one, without controls
     */
    public List<Change> changes() {
        List<Change> all = new ArrayList<>();
        for (Key key : now.medians().keySet()) {
            if (before.medians().containsKey(key)
                    && !Contestant.isControl(key.line().contestant())) {
                all.add(change(key));
            }
        }
        return all;
    }

    /**
     * How many lines at sizes one of the runs has alone.
     *
     * @return in either run, without controls
     */
    public long alone() {
        return alone(before, now) + alone(now, before);
    }

    private static long alone(PastRun one, PastRun other) {
        return one.medians().keySet().stream()
                .filter(key -> !other.medians().containsKey(key)
                        && !Contestant.isControl(key.line().contestant()))
                .count();
    }

    private Change change(Key key) {
        Interval speed = speed(key).orElseThrow();
        Line line = key.line();
        String name = OTHER_BASES.getOrDefault(line.experiment(), "kernel");
        Optional<Interval> base = speed(
                new Key(new Line(line.experiment(), name, line.variant(), line.threads(), line.phase()), key.size()));
        return new Change(
                key,
                Statistics.geometricMean(before.medians().get(key)),
                Statistics.geometricMean(now.medians().get(key)),
                speed,
                base,
                line.contestant().equals(name) ? Verdict.BASE : verdict(speed, base));
    }

    private Optional<Interval> speed(Key key) {
        double[] was = before.medians().get(key);
        double[] is = now.medians().get(key);
        return was == null || is == null ? Optional.empty() : Optional.of(Statistics.quotient(was, is));
    }

    private static Verdict verdict(Interval speed, Optional<Interval> base) {
        double moved = base.map(b -> Math.abs(Math.log(b.estimate()))).orElse(0.0);
        if (Math.abs(Math.log(speed.estimate())) <= moved) {
            return Verdict.NOISE;
        }
        return speed.low() > 1 ? Verdict.FASTER : speed.high() < 1 ? Verdict.SLOWER : Verdict.NOISE;
    }
}
