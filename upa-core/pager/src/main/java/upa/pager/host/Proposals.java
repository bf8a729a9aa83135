package upa.pager.host;

import java.util.function.BooleanSupplier;
import upa.policy.Actions;
import upa.policy.Eviction;
import upa.policy.Place;
import upa.policy.PlacementRule;
import upa.policy.PolicyContext;

/**
 * What a policy proposes in one callback: checked, and done at once. A policy that keeps it finds it revoked.
 *
 * <p>Belongs to its host's thread.
 */
final class Proposals implements Eviction, Actions {
    private final Mechanism mechanism;
    private final Priorities priorities;
    private final BooleanSupplier abandoned;
    /** Pages that leave, and such as cannot. */
    private final PageArray accepted;

    private final PageArray kept;
    private HostedPolicy by;
    private int left;
    private boolean urgent;
    /** So many refusals end a callback; many times more are a failure. */
    private int mostRefusals;

    private int refusals;
    private int nonsense;

    Proposals(
            Mechanism mechanism, Priorities priorities, BooleanSupplier abandoned, PageArray accepted, PageArray kept) {
        this.mechanism = mechanism;
        this.priorities = priorities;
        this.abandoned = abandoned;
        this.accepted = accepted;
        this.kept = kept;
    }

    void open(HostedPolicy proposer, int wanted, boolean isUrgent) {
        by = proposer;
        left = wanted;
        urgent = isUrgent;
        mostRefusals = 64 + 4 * Math.min(wanted, 1 << 20);
        refusals = 0;
        nonsense = 0;
        accepted.clear();
        kept.clear();
    }

    void close() {
        by = null;
    }

    /** Whether so much was refused that the rest of the callback was in vain. */
    boolean wasCutShort() {
        return refusals > mostRefusals;
    }

    /** Null, or what is wrong with it. */
    String nonsense() {
        return nonsense > mostRefusals
                ? "proposed more than victims=" + mostRefusals + " that are not in memory"
                : null;
    }

    private void check() {
        if (abandoned.getAsBoolean() || by == null) {
            throw new RevokedException();
        }
    }

    /** Counts a no-op. */
    private boolean refuse() {
        by.refused++;
        if (++refusals > 64L * mostRefusals) {
            throw new IllegalStateException("proposals without sense=" + refusals + " in one call");
        }
        return false;
    }

    private boolean isPage(int page) {
        return page >= 0 && page < mechanism.pages();
    }

    private boolean isPlace(Place place) {
        return place != null
                && place.index() >= 0
                && place.index() < mechanism.places().size();
    }

    @Override
    public int wanted() {
        check();
        return wasCutShort() ? 0 : left;
    }

    @Override
    public boolean isUrgent() {
        return urgent;
    }

    /** The page has left, which the policy could not know: it is told hereby. */
    private boolean late(int page) {
        by.told.clear(page);
        by.refused++;
        return false;
    }

    private boolean isNonsense() {
        nonsense++;
        return refuse();
    }

    private boolean claim(int page, int place) {
        check();
        if (!isPage(page)) {
            return isNonsense();
        }
        if (!mechanism.isResident(page)) {
            return by.told.get(page) ? late(page) : isNonsense();
        }
        if (wanted() > 0 && !priorities.protects(page) && mechanism.evict(page, place)) {
            left--;
            by.told.clear(page);
            accepted.add(page);
            return true;
        }
        kept.add(page);
        return refuse();
    }

    @Override
    public boolean propose(int page, Place place) {
        return claim(page, isPlace(place) ? place.index() : Mechanism.ANY_PLACE);
    }

    @Override
    public boolean evict(int page, Place to) {
        return propose(page, to);
    }

    @Override
    public int room() {
        check();
        return wasCutShort() ? 0 : mechanism.fetchRoom();
    }

    @Override
    public boolean propose(int page) {
        return claim(page, Mechanism.ANY_PLACE);
    }

    @Override
    public boolean bring(int page) {
        check();
        return isPage(page) && room() > 0 && mechanism.fetch(page) || refuse();
    }

    @Override
    public boolean collapse(int firstPage) {
        check();
        return isPage(firstPage) && firstPage % PolicyContext.BLOCK_PAGES == 0 && mechanism.collapse(firstPage)
                || refuse();
    }

    @Override
    public boolean populate(int first, int count) {
        check();
        return isPage(first) && count > 0 && count <= mechanism.pages() - first && mechanism.populate(first, count)
                || refuse();
    }

    @Override
    public boolean clearAhead(int count) {
        check();
        return count > 0 && mechanism.clearAhead(count) || refuse();
    }

    @Override
    public boolean migrate(int page, Place to) {
        check();
        return isPage(page) && isPlace(to) && mechanism.migrate(page, to.index()) || refuse();
    }

    @Override
    public boolean giveBack(int keepPages) {
        check();
        return keepPages >= 0 && mechanism.giveBack(keepPages) || refuse();
    }

    @Override
    public int bound(int pages) {
        check();
        return mechanism.bound(Math.max(pages, 1));
    }

    @Override
    public boolean place(PlacementRule rule) {
        check();
        return rule != null && mechanism.place(rule) || refuse();
    }
}
