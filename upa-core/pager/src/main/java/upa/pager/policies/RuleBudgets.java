package upa.pager.policies;

import java.util.List;
import upa.policy.Pressure;

/** How much each rule may move: its quota, adjusted by its goal, while free memory is between its watermarks. */
final class RuleBudgets {
    private static final long PAGE_BYTES = 4096;
    /** From here a goal without a quota goes down: about what evictions reach without the time of stores. */
    private static final long MOST_BYTES = 1L << 30;

    private final List<Rule> rules;
    /** Bytes that each rule may still move, and may move in a second now. */
    private final double[] left;

    private final double[] rate;

    RuleBudgets(List<Rule> rules) {
        this.rules = rules;
        left = new double[rules.size()];
        rate = rules.stream().mapToDouble(RuleBudgets::most).toArray();
    }

    private static double most(Rule rule) {
        if (rule.quota() >= 0) {
            return rule.quota();
        }
        return rule.goal() >= 0 ? MOST_BYTES : Double.MAX_VALUE;
    }

    /**
     * Time has passed.
     *
     * @param seconds  how much
     * @param pressure as it is now
     * @return whether a rule may move anything
     */
    boolean refill(double seconds, Pressure pressure) {
        boolean any = false;
        for (int r = 0; r < rules.size(); r++) {
            Rule rule = rules.get(r);
            if (rule.goal() >= 0) {
                boolean tooMuch = pressure.stalled() >= rule.goal();
                rate[r] = Math.min(tooMuch ? rate[r] / 2 : rate[r] * 1.25 + PAGE_BYTES, most(rule));
            }
            double free = pressure.freeFraction();
            boolean active = free >= rule.low() && free <= rule.high();
            // What is not used in a second is lost; a page always fits.
            left[r] = active ? Math.min(left[r] + rate[r] * seconds, Math.max(rate[r], PAGE_BYTES)) : 0;
            any |= allows(r);
        }
        return any;
    }

    boolean allows(int rule) {
        return left[rule] >= PAGE_BYTES;
    }

    void spend(int rule, long bytes) {
        left[rule] -= bytes;
    }
}
