package upa.core;

import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import java.util.concurrent.atomic.AtomicBoolean;
import upa.internal.events.Events;
import upa.internal.os.Pressure;
import upa.internal.region.Account;
import upa.internal.region.RegionBackEnd;
import upa.internal.region.Retain;
import upa.internal.region.Unasked;
import upa.llfree.LlFreeStats;

/**
 * The free memory of a region, which goes back to the kernel by itself when it has been idle; before that, when nobody
 * has asked for it for half a second, it is marked so that the kernel may take it when memory is short. What a limit
 * leaves no room for is marked at once: whoever frees that much looks himself.
 *
 * <p>A look holds this object's monitor while it has pages in its hands; whoever must not meet it holds it, too: a call
 * that closes the region, counts its pages, or has found no room.
 */
final class Idle implements Reclaim.Target {
    /** What goes back at one look, at most: some milliseconds, for which others may have to wait. */
    private static final long MOST_AT_ONCE = 32L << 20;
    /** What is marked at one look: the same some milliseconds. */
    private static final long MOST_MARKED = 256L << 20;
    /** Less is not worth a mark. */
    private static final long LEAST_MARKED = 2L << 20;
    /** After the kernel has refused, nothing of what is to go could be had, or only limits may take something away. */
    private static final long LATER_MILLIS = 1000;
    /** For all regions. */
    private static final Pressure PRESSURE = new Pressure();

    private final RegionBackEnd backEnd;
    private final Lifetime lifetime;
    final Reclaim reclaim = new Reclaim(this);
    private Retention retention;
    /** Null if everything stays. */
    private volatile Retain retain;

    private final Unasked unasked = new Unasked();
    private final Account account;
    /** Whether somebody looks just now. */
    private final AtomicBoolean isLooking = new AtomicBoolean();

    /** Whether nobody knows what was in use lately. */
    private boolean isUnknown = true;

    private long lookedForTakenAt;

    /** An ordinary private region keeps the default, any other everything. */
    Idle(RegionBackEnd backEnd, Lifetime lifetime) {
        this.backEnd = backEnd;
        this.lifetime = lifetime;
        account = new Account(backEnd.state().pages.slots());
        if (backEnd.name() == BackEnd.LINEAR && !backEnd.isShared()) {
            begin(Retention.DEFAULT);
        } else {
            begin(Retention.EVERYTHING);
            reclaim.stop();
        }
    }

    /** Whether looks may have pages in their hands. */
    boolean isOn() {
        return retain != null;
    }

    void retain(Retention policy) {
        if (!policy.keepsEverything() && backEnd.name() != BackEnd.LINEAR) {
            throw new IllegalArgumentException("a pool of page frames has the size it was asked for: backEnd="
                    + backEnd.name() + " policy=" + policy + " (Retention.EVERYTHING)");
        }
        begin(policy);
        if (isOn()) {
            reclaim.start();
        } else {
            reclaim.stop();
        }
    }

    synchronized Retention retention() {
        return retention;
    }

    private synchronized void begin(Retention policy) {
        retention = policy;
        if (policy.keepsEverything()) {
            retain = null;
            account.end();
        } else {
            retain = new Retain(policy.percent(), policy.halfLife().toMillis());
            account.begin();
        }
    }

    // ---- what it is told -------------------------------------------------------------------------------------

    /** After so much has been taken. */
    void took(int slot, long bytes) {
        account.took(slot, bytes);
    }

    /** After so much has been freed. */
    void freed(int slot, long bytes) {
        reclaim.freed(bytes);
        if (account.freed(slot, bytes)) {
            makeRoom(slot);
        }
    }

    /** Waits for no other look. */
    private void makeRoom(int slot) {
        if (isLooking.compareAndSet(false, true)) {
            try {
                makeRoomWithin(slot);
            } finally {
                isLooking.set(false);
            }
        }
    }

    private synchronized void makeRoomWithin(int slot) {
        if (isAtWork()) {
            Facts facts = facts();
            long now = System.nanoTime() / 1_000_000;
            act(slot, facts, verdict(now, facts, isUnknown, account.freed()));
        }
    }

    // ---- looks -----------------------------------------------------------------------------------------------

    /** How much is in use, how much is free and has memory, how much of that the kernel may take: bytes. */
    private record Facts(long allocated, long retained, long lazy) {}

    private Facts facts() {
        LlFreeStats s = backEnd.state().pages.stats();
        return new Facts(
                s.pages() - s.freePages() << PAGE_SHIFT,
                backEnd.retainedPages(s.retainedPages()) << PAGE_SHIFT,
                s.lazyPages() << PAGE_SHIFT);
    }

    private synchronized boolean isAtWork() {
        return retain != null && lifetime.isOpen();
    }

    @Override
    public synchronized boolean isSettled() {
        if (!isAtWork()) {
            return true;
        }
        return Retain.isSettled(facts().retained);
    }

    @Override
    public synchronized long look(boolean isFirst, long freed) {
        if (!isAtWork()) {
            return 0;
        }
        long started = System.nanoTime();
        Facts facts = facts();
        long ended = System.nanoTime();
        long now = ended / 1_000_000;
        long idle = unasked.look(now, isFirst, facts.retained, freed);
        Retain.Verdict verdict = verdict(now, facts, isFirst || isUnknown, freed);
        isUnknown = retain.isSteady(facts.allocated, facts.retained);
        long given = act(slot(), facts, verdict);
        if (verdict.keep() != Retain.KEEP) {
            return given > 0 ? Reclaim.INTERVAL_MILLIS : LATER_MILLIS;
        }
        // To look takes a thousandth of the time, at most.
        long interval = Math.max(Reclaim.INTERVAL_MILLIS, (ended - started) / 1000);
        if (mark(now, facts, idle)) {
            return interval;
        }
        if (Retain.isSettled(facts.retained)) {
            isUnknown = true;
            account.begin();
            return 0;
        }
        return isUnknown ? LATER_MILLIS : interval;
    }

    /** What is to be done; {@code freed} was in use a moment ago: if nobody has seen what was, all that has memory. */
    private Retain.Verdict verdict(long now, Facts facts, boolean isUnknown, long freed) {
        long lately = isUnknown ? facts.retained : Math.min(freed, facts.retained);
        return retain.look(
                now, facts.allocated, facts.retained, facts.lazy, lately, kept -> PRESSURE.keepable(now, kept));
    }

    /** Does it. Returns how much has been given back. */
    private long act(int slot, Facts facts, Retain.Verdict verdict) {
        long given = 0;
        if (verdict.keep() != Retain.KEEP) {
            long least = verdict.isUrgent() ? 0 : facts.retained - MOST_AT_ONCE;
            given = giveBack(slot, Math.max(verdict.keep(), least));
        }
        long marked = verdict.unmarked() == Retain.KEEP ? 0 : leaveUnmarked(slot, verdict.unmarked());
        account.looked(verdict.most(), Math.min(facts.retained - given, facts.retained - facts.lazy) - marked);
        return given;
    }

    /** Marks what has been idle. True if there is more of it. */
    private boolean mark(long now, Facts facts, long idle) {
        if (facts.lazy > 0 && now - lookedForTakenAt >= LATER_MILLIS) {
            lookedForTakenAt = now;
            backEnd.findTaken(slot());
        }
        return idle - facts.lazy >= LEAST_MARKED
                && backEnd.makeLazy(slot(), facts.retained - idle >> PAGE_SHIFT, MOST_MARKED >> PAGE_SHIFT)
                                << PAGE_SHIFT
                        >= MOST_MARKED;
    }

    private int slot() {
        return (int) Thread.currentThread().threadId() & backEnd.state().pages.slots() - 1;
    }

    private long giveBack(int slot, long keep) {
        try {
            return Events.giveBack(
                    backEnd.state().base, () -> backEnd.giveBack(slot, keep >> PAGE_SHIFT) << PAGE_SHIFT);
        } catch (SystemCallException refused) {
            return 0;
        }
    }

    private long leaveUnmarked(int slot, long unmarked) {
        try {
            return backEnd.leaveUnmarked(slot, unmarked >> PAGE_SHIFT) << PAGE_SHIFT;
        } catch (SystemCallException refused) {
            return 0;
        }
    }
}
