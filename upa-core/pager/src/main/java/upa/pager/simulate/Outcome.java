package upa.pager.simulate;

import java.util.List;
import upa.policy.PolicyStatistics;

/**
 * What a simulation found.
 *
 * @param policy     as it was chosen
 * @param accesses   in the trace
 * @param statistics faults exclude first touches
 * @param complaints lines for the user: that the policy was replaced, and why
 * @param nanos      of processor time that it took
 */
public record Outcome(String policy, long accesses, PolicyStatistics statistics, List<String> complaints, long nanos) {

    /** {@return part of the accesses whose page was in memory, 0 to 1; first touches count as misses} */
    public double hitRate() {
        return 1 - (double) misses() / accesses;
    }

    /** {@return accesses whose page was not in memory, first touches included} */
    public long misses() {
        return statistics.faults() + statistics.firstTouches();
    }
}
