package upa.pager.host;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import upa.policy.FaultBatch;
import upa.policy.Hint;
import upa.policy.PageBatch;
import upa.policy.PageBatch.Cause;
import upa.policy.PolicyContext;
import upa.policy.PolicyException;
import upa.policy.PolicyStatistics;
import upa.policy.Pressure;

/**
 * The policies of one region: tells them what happens, checks what they propose, and replaces those that fail.
 *
 * <p>Invariants: a policy is called by one thread; a page is accepted at most once between two times that it is added;
 * a page that was proposed and stays in memory is added again to who proposed it; the policies beside are told that it
 * is gone. Whatever a policy does, {@link #evict} finds as many victims as can be evicted.
 *
 * <p>Belongs to one thread, but for {@link #abandon}.
 */
public final class PolicyHost implements AutoCloseable {
    /** After so many calls in a row with too few victims, a policy is replaced. */
    static final int MOST_SHORTFALLS = 16;
    /** A callback may allocate so many bytes of heap. */
    static final long MOST_ALLOCATED_BYTES = 64 << 20;

    private static final int MOST_REPLACEMENTS = 8;

    private final Mechanism mechanism;
    private final Consumer<String> log;
    private final CallGuard guard;
    private final PageArray batch = new PageArray();
    private final PageArray accepted = new PageArray();
    private final PageArray kept = new PageArray();
    private final Proposals proposals;
    private final Priorities priorities;
    /** In the order in which they are asked. A complete one is last, but for a host that has given up on policies. */
    private volatile HostedPolicy[] chain = {};
    /** Those that were to be put there last. */
    private volatile PolicySpec beginning = PolicySpec.DEFAULT;

    private long refusedBefore;
    private int replacements;
    private int hand;
    private int nextWanted;
    private int endWanted;
    private long standIns;
    /** Of the victims of the last call, those that no policy proposed, though the last has been told of them. */
    private int missed;

    private volatile boolean abandoned;

    /**
     * Makes a host without policies: the next call is {@link #replace}.
     *
     * @param mechanism what is done to pages
     * @param log       takes lines that the user should see
     */
    public PolicyHost(Mechanism mechanism, Consumer<String> log) {
        this(mechanism, log, new Priorities(), null);
    }

    PolicyHost(Mechanism mechanism, Consumer<String> log, Priorities priorities, Presence presence) {
        guard = new CallGuard(presence);
        this.mechanism = mechanism;
        this.log = log;
        this.priorities = priorities;
        proposals = new Proposals(mechanism, priorities, this::isAbandoned, accepted, kept);
    }

    /** {@return the policies in use, with their options; before the first are, those that are to be} */
    public PolicySpec spec() {
        HostedPolicy[] now = chain;
        return now.length == 0
                ? beginning
                : PolicySpec.of(Arrays.stream(now).map(h -> h.element).toList());
    }

    /** {@return the guard of this host's callbacks, for a {@link PolicyWatch}} */
    CallGuard guard() {
        return guard;
    }

    /** {@return victims that no policy proposed} */
    long standIns() {
        return standIns;
    }

    /** {@return heap that the callbacks of the policies in use have allocated} */
    long allocatedBytes() {
        long sum = 0;
        for (HostedPolicy h : chain) {
            sum += h.allocatedBytes;
        }
        return sum;
    }

    /** {@return what the pages did, and how many proposals were no-ops} */
    public PolicyStatistics statistics() {
        PolicyStatistics s = mechanism.statistics();
        long refused = refusedBefore;
        for (HostedPolicy h : chain) {
            refused += h.refused;
        }
        return new PolicyStatistics(
                s.faults(),
                s.firstTouches(),
                s.rescues(),
                s.refaults(),
                s.evictions(),
                s.prefetches(),
                s.prefetchesUsed(),
                refused);
    }

    /**
     * Gives up on the policies, from any thread: whatever they ask from now on throws, and this host does nothing more.
     *
     * @return whether this call did it
     */
    synchronized boolean abandon() {
        boolean first = !abandoned;
        abandoned = true;
        for (HostedPolicy h : chain) {
            h.revoke();
        }
        return first;
    }

    boolean isAbandoned() {
        return abandoned;
    }

    /** Its constructor is a callback like any other. */
    private HostedPolicy make(PolicySpec.Element element) {
        Class<?> type = Policies.find(element);
        guard.begin(element.name(), CallGuard.CONSTRUCTOR);
        try {
            return new HostedPolicy(this, mechanism, element, Policies.make(element.name(), type));
        } finally {
            guard.end();
        }
    }

    private HostedPolicy[] attach(PolicySpec spec) {
        beginning = spec;
        List<PolicySpec.Element> elements = new ArrayList<>(spec.elements());
        List<HostedPolicy> hosted = new ArrayList<>();
        try {
            for (PolicySpec.Element e : elements) {
                hosted.add(make(e));
            }
            if (hosted.getLast().isAid()) {
                hosted.add(make(PolicySpec.DEFAULT.elements().getFirst()));
            }
            for (HostedPolicy h : hosted) {
                begin(h, CallGuard.ATTACH);
                try {
                    h.policy.attach(h);
                } catch (PolicyException e) {
                    throw e;
                } catch (Throwable t) {
                    throw new PolicyException("policy=" + h.name + " cannot start: " + Thrown.text(t), t);
                } finally {
                    guard.end();
                }
                h.checkOptions();
                seed(h);
                if (h.failure != null) {
                    throw new PolicyException("policy=" + h.name + " cannot start: " + h.failure);
                }
            }
        } catch (RuntimeException e) {
            hosted.forEach(this::close);
            throw e;
        }
        return hosted.toArray(HostedPolicy[]::new);
    }

    private void seed(HostedPolicy h) {
        int page = mechanism.nextResident(0);
        while (page >= 0 && h.failure == null) {
            batch.clear();
            while (page >= 0 && batch.size() < PolicyContext.BLOCK_PAGES) {
                batch.add(page);
                page = page + 1 < mechanism.pages() ? mechanism.nextResident(page + 1) : -1;
            }
            added(h, batch.as(Cause.SEEDED));
        }
    }

    /**
     * Puts other policies in the place of these, if there are any: the new ones are attached and seeded first.
     *
     * @param spec which policies
     * @throws PolicyException if one cannot be made or attached; the old ones stay
     */
    public void replace(PolicySpec spec) {
        HostedPolicy[] next = attach(spec);
        HostedPolicy[] old = exchange(next);
        replacements = 0;
        for (HostedPolicy h : old) {
            refusedBefore += h.refused;
            close(h);
        }
    }

    private synchronized HostedPolicy[] exchange(HostedPolicy[] next) {
        HostedPolicy[] old = chain;
        chain = next;
        if (abandoned) {
            for (HostedPolicy h : next) {
                h.revoke();
            }
        }
        return old;
    }

    private void close(HostedPolicy h) {
        begin(h, "close");
        try {
            h.policy.close();
        } catch (Throwable t) {
            log.accept("policy=" + h.name + " threw when it was closed: " + Thrown.text(t));
        } finally {
            guard.end();
            h.revoke();
        }
    }

    private void begin(HostedPolicy h, String callback) {
        guard.begin(h.name, callback);
    }

    /** Ends a callback that returned. */
    private void end(HostedPolicy h, String callback) {
        long bytes = guard.end();
        h.allocatedBytes += bytes;
        if (bytes > MOST_ALLOCATED_BYTES) {
            h.failure = callback + " allocated bytes=" + bytes + ", the most is " + MOST_ALLOCATED_BYTES;
        }
    }

    private void threw(HostedPolicy h, String callback, Throwable t) {
        // What it throws may not return either.
        h.failure = callback + " threw " + Thrown.text(t);
        guard.end();
    }

    /** Replaces what has failed: nothing is left to do for a host that was abandoned meanwhile. */
    private void replaceFailed() {
        for (HostedPolicy h : chain) {
            if (h.failure != null && !abandoned) {
                replace(h);
            }
        }
    }

    private void replace(HostedPolicy failed) {
        List<HostedPolicy> next = new ArrayList<>(List.of(chain));
        int index = next.indexOf(failed);
        next.remove(index);
        refusedBefore += failed.refused;
        String by = failed.isAid() ? "nothing" : Policies.DEFAULT;
        if (!failed.isAid()) {
            if (++replacements <= MOST_REPLACEMENTS) {
                HostedPolicy h = make(PolicySpec.DEFAULT.elements().getFirst());
                h.policy.attach(h);
                seed(h);
                next.add(index, h);
            } else {
                by = "victims by address";
            }
        }
        exchange(next.toArray(HostedPolicy[]::new));
        log.accept("policy=" + failed.name + " is replaced by " + by + ": " + failed.failure);
        close(failed);
    }

    private void added(HostedPolicy h, PageBatch pages) {
        h.told(pages, true);
        begin(h, "added");
        try {
            h.policy.added(pages);
            end(h, "added");
        } catch (Throwable t) {
            threw(h, "added", t);
        }
    }

    private void gone(HostedPolicy h, PageBatch pages) {
        h.told(pages, false);
        begin(h, "gone");
        try {
            h.policy.gone(pages);
            end(h, "gone");
        } catch (Throwable t) {
            threw(h, "gone", t);
        }
    }

    /**
     * Tells of pages that have come into memory.
     *
     * @param cause one of those of {@link PageBatch}
     * @param pages numbers in range
     * @param count how many of the array
     */
    public void added(Cause cause, int[] pages, int count) {
        batch.set(pages, count);
        priorities.added(pages, count);
        for (HostedPolicy h : chain) {
            added(h, batch.as(cause));
        }
        replaceFailed();
    }

    /**
     * Tells of evidence of use.
     *
     * @param cause one of those of {@link PageBatch}
     * @param pages numbers in range
     * @param count how many of the array
     */
    public void used(Cause cause, int[] pages, int count) {
        batch.set(pages, count);
        batch.as(cause);
        for (HostedPolicy h : chain) {
            begin(h, "used");
            try {
                h.policy.used(batch);
                end(h, "used");
            } catch (Throwable t) {
                threw(h, "used", t);
            }
        }
        replaceFailed();
    }

    /**
     * Tells of pages that have left.
     *
     * @param cause one of those of {@link PageBatch}
     * @param pages numbers in range
     * @param count how many of the array
     */
    public void gone(Cause cause, int[] pages, int count) {
        batch.set(pages, count);
        if (cause != Cause.EVICTED) {
            priorities.freed(pages, count);
        }
        for (HostedPolicy h : chain) {
            gone(h, batch.as(cause));
        }
        replaceFailed();
    }

    /**
     * Asks for victims until there are enough, or none is left that can be evicted.
     *
     * @param wanted how many
     * @param urgent whether threads wait
     * @return how many were claimed
     */
    public int evict(int wanted, boolean urgent) {
        int left = wanted - evictUnimportant(wanted);
        for (HostedPolicy h : chain) {
            if (left == 0 || abandoned) {
                break;
            }
            left -= evict(h, left, urgent);
        }
        if (!abandoned) {
            missed = 0;
            left -= left == 0 ? 0 : standIn(left);
            judge();
            replaceFailed();
        }
        return wanted - left;
    }

    /**
     * Victims that the policies missed are the fault of the last, unless it was cut short by pages that cannot leave,
     * or has not yet been told of them.
     */
    private void judge() {
        if (chain.length == 0) {
            return;
        }
        HostedPolicy last = chain[chain.length - 1];
        last.shortfalls = missed == 0 || last.wasCutShort ? 0 : last.shortfalls + 1;
        if (last.shortfalls >= MOST_SHORTFALLS && last.failure == null && !last.name.equals(Policies.DEFAULT)) {
            last.failure = "proposed too few victims in calls=" + last.shortfalls + " in a row";
        }
    }

    private int evict(HostedPolicy h, int wanted, boolean urgent) {
        proposals.open(h, wanted, urgent);
        begin(h, "evict");
        try {
            h.policy.evict(proposals);
            end(h, "evict");
        } catch (Throwable t) {
            threw(h, "evict", t);
        }
        int count = accepted.size();
        h.wasCutShort = proposals.wasCutShort();
        String nonsense = proposals.nonsense();
        proposals.close();
        settle(h);
        if (nonsense != null && h.failure == null) {
            h.failure = nonsense;
        }
        return count;
    }

    /** Tells who has to know what became of the proposals of a policy. */
    private void settle(HostedPolicy proposer) {
        if (accepted.size() > 0) {
            for (HostedPolicy other : chain) {
                if (other != proposer) {
                    gone(other, accepted.as(Cause.EVICTED));
                }
            }
        }
        if (kept.size() > 0 && proposer.failure == null) {
            added(proposer, kept.as(Cause.RESCUED));
        }
    }

    /** Pages of low priority leave before a policy is asked. */
    private int evictUnimportant(int wanted) {
        accepted.clear();
        int page = 0;
        while (accepted.size() < wanted && (page = priorities.nextCandidate()) >= 0) {
            if (mechanism.isResident(page) && mechanism.evict(page, Mechanism.ANY_PLACE)) {
                accepted.add(page);
            }
        }
        tellEvicted();
        return accepted.size();
    }

    private void tellEvicted() {
        if (accepted.size() > 0) {
            for (HostedPolicy h : chain) {
                gone(h, accepted.as(Cause.EVICTED));
            }
        }
    }

    /** Victims by rising priority and address, whoever they are: no policy is needed for it. */
    private int standIn(int wanted) {
        HostedPolicy last = chain.length == 0 ? null : chain[chain.length - 1];
        accepted.clear();
        for (int priority = 0; priority <= Priorities.MOST && accepted.size() < wanted; priority++) {
            if (priorities.has(priority)) {
                standIn(wanted, priority);
            }
        }
        standIns += accepted.size();
        for (int i = 0; last != null && i < accepted.size(); i++) {
            missed += last.told.get(accepted.page(i)) ? 1 : 0;
        }
        tellEvicted();
        return accepted.size();
    }

    private void standIn(int wanted, int priority) {
        int begin = hand;
        boolean wrapped = false;
        while (accepted.size() < wanted) {
            int page = mechanism.nextResident(hand);
            if (page < 0 || wrapped && page >= begin) {
                if (wrapped || begin == 0) {
                    break;
                }
                wrapped = true;
                hand = 0;
                continue;
            }
            if (priorities.of(page) == priority && mechanism.evict(page, Mechanism.ANY_PLACE)) {
                accepted.add(page);
            }
            hand = page + 1 < mechanism.pages() ? page + 1 : 0;
            wrapped |= hand == 0;
        }
    }

    /**
     * Tells of faults and asks what else should come.
     *
     * @param faults what threads wait for
     */
    public void fault(FaultBatch faults) {
        for (HostedPolicy h : chain) {
            proposals.open(h, 0, false);
            begin(h, "fault");
            try {
                h.policy.fault(faults, proposals);
                end(h, "fault");
            } catch (Throwable t) {
                threw(h, "fault", t);
            }
            proposals.close();
        }
        replaceFailed();
    }

    /**
     * Tells of a change of pressure.
     *
     * @param pressure as it is now
     */
    public void pressure(Pressure pressure) {
        for (HostedPolicy h : chain) {
            begin(h, "pressure");
            try {
                h.policy.pressure(pressure);
                end(h, "pressure");
            } catch (Throwable t) {
                threw(h, "pressure", t);
            }
        }
        replaceFailed();
    }

    /**
     * Passes on a hint of the program, if it names pages there are.
     *
     * @param hint what it says
     */
    public void hint(Hint hint) {
        if (hint.first() < 0 || hint.pages() < 1 || hint.first() > mechanism.pages() - hint.pages()) {
            return;
        }
        if (hint.kind() == Hint.Kind.PRIORITY) {
            priorities.hint(hint);
        }
        if (hint.kind() == Hint.Kind.WILL_NEED) {
            nextWanted = hint.first();
            endWanted = Math.min(hint.end(), hint.first() + Math.max(1, mechanism.boundPages() / 2));
        }
        for (HostedPolicy h : chain) {
            begin(h, "hint");
            try {
                h.policy.hint(hint);
                end(h, "hint");
            } catch (Throwable t) {
                threw(h, "hint", t);
            }
        }
        replaceFailed();
    }

    /**
     * Brings in what the program has said that it will need, as far as there is room now; whatever its policy is. Of
     * more than half of what may be in memory the rest is not brought in: it would push out what came first.
     */
    public void bringWanted() {
        for (; nextWanted < endWanted && mechanism.fetchRoom() > 0; nextWanted++) {
            mechanism.fetch(nextWanted);
        }
    }

    /** Tells that time has passed. */
    public void tick() {
        for (HostedPolicy h : chain) {
            proposals.open(h, mechanism.residentPages(), false);
            begin(h, "tick");
            try {
                h.policy.tick(proposals);
                end(h, "tick");
            } catch (Throwable t) {
                threw(h, "tick", t);
            }
            proposals.close();
            settle(h);
        }
        replaceFailed();
    }

    @Override
    public void close() {
        for (HostedPolicy h : exchange(new HostedPolicy[0])) {
            close(h);
        }
    }
}
