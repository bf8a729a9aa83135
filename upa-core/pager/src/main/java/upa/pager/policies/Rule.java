package upa.pager.policies;

import java.util.List;

/**
 * One declarative rule.
 *
 * @param terms  all of which must hold for a page
 * @param action what is then done
 * @param place  where {@link Action#MOVE} moves to, else null
 * @param quota  most bytes a second, or -1
 * @param goal   part of the time that threads may be stalled, by which the quota is adjusted, or -1
 * @param low    no action while less of the machine's memory is free
 * @param high   no action while more of it is free
 */
record Rule(List<Term> terms, Action action, String place, long quota, double goal, double low, double high) {

    /** {@return what its action counts against the quota, for one page} */
    long bytes() {
        return action == Action.COLLAPSE ? 2 << 20 : 4096;
    }

    enum Action {
        MOVE,
        EVICT,
        FETCH,
        COLLAPSE,
        KEEP
    }

    enum Test {
        WRITTEN,
        USED,
        IN,
        OLDER,
        YOUNGER
    }

    /**
     * One condition.
     *
     * @param test  what is asked
     * @param not   whether the answer is turned round
     * @param nanos age of OLDER and YOUNGER
     * @param place of IN
     */
    record Term(Test test, boolean not, long nanos, String place) {}
}
