package upa.measure;

import java.util.List;
import java.util.Optional;
import upa.measure.stats.Interval;

/**
 * One figure to reach, held against what was measured.
 *
 * @param name what it is
 * @param target what to reach
 * @param measured value and interval as text; empty if unmeasured
 * @param where the size or program that has decided it; empty if there is but one
 * @param verdict what came of it
 * @param controlled whether the base line was measured twice, in the same rounds
 */
public record Figure(String name, String target, String measured, String where, Verdict verdict, boolean controlled) {

    /** What came of a target. */
    public enum Verdict {
        /** All of the interval is on the right side. */
        REACHED,
        /** All of it is on the wrong side. */
        MISSED,
        /** The target lies within the interval. */
        UNDECIDED,
        /** The base line, measured twice, differs from itself by more than the figure from its target. */
        NOISE,
        /** The run did not measure it. */
        UNMEASURED
    }

    /**
     * What was measured of a figure.
     *
     * @param value with its interval
     * @param where the size or program it was measured at, if there are several; may be empty
     * @param control how many times faster the base line was than itself under another name, in the same rounds;
     *     empty if that was not measured
     */
    public record Reading(Interval value, String where, Optional<Interval> control) {

        /**
         * A reading without a control.
         *
         * @param value with its interval
         * @param where see above
         */
        public Reading(Interval value, String where) {
            this(value, where, Optional.empty());
        }

        /**
         * A reading where there is but one place.
         *
         * @param value with its interval; empty if unmeasured
         * @return the only reading; none if unmeasured
         */
        public static List<Reading> of(Optional<Interval> value) {
            return value.stream().map(v -> new Reading(v, "")).toList();
        }
    }
}
