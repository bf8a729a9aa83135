package upa.pager.live;

import java.util.function.IntPredicate;

/**
 * Victims by address, for when the policies propose none in time: the bound holds whatever they do. Belongs to the
 * thread that moves pages.
 */
final class StandIn {
    private final PageStates states;
    private final LiveMechanism mechanism;
    /** Where the next search begins. */
    private int hand;

    StandIn(PageStates states, LiveMechanism mechanism) {
        this.states = states;
        this.mechanism = mechanism;
    }

    /** Proposes pages. Important ones only in a round after all others. Returns how many. */
    int choose(int[] chosen, IntPredicate isImportant) {
        int count = 0;
        for (int round = 0; count < chosen.length && round < 3; ) {
            int page = states.nextEligible(hand);
            if (page >= 0 && (round == 2 || !isImportant.test(page)) && mechanism.evict(page, -1)) {
                chosen[count++] = page;
            }
            // A round ends behind the last page too: that may be one that is passed over each time.
            hand = page >= 0 && page + 1 < states.pages() ? page + 1 : 0;
            round += hand == 0 ? 1 : 0;
        }
        return count;
    }
}
