package upa.internal.region;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/**
 * By how much the use of a region has changed since it was last looked at, told in steps: so whoever frees more than a
 * limit leaves room for notices it himself. The twin of {@code retain_tell} in {@code preload/policy/retain.c}, with
 * slots in the place of threads.
 *
 * <p>Thread-safety: any thread may call at any time, and nothing waits; two that meet may lose a step until the next
 * look.
 */
public final class Account {
    /** A slot tells of its use in steps of so many bytes, at least and at most, since all of them write to the sum. */
    static final long LEAST_STEP = 256L << 10;

    static final long MOST_STEP = 2L << 20;
    /**
     * Where so much more may be freed, nobody need look before somebody does it by the clock: a program cannot touch as
     * much within that time.
     */
    static final long FAR = 256L << 20;

    private static final long NEVER = Long.MAX_VALUE;
    /** Longs from one slot's account to the next: two cache lines, since processors fetch them in pairs. */
    private static final int STRIDE = 16;

    private static final VarHandle UNTOLD = MethodHandles.arrayElementVarHandle(long[].class);
    private static final VarHandle FREED;

    static {
        try {
            FREED = MethodHandles.lookup().findVarHandle(Account.class, "freed", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** Freed and not told of, of each slot; less what was taken. */
    private final long[] untold;
    /** Told since the last look. */
    private long freed;

    private volatile long step;
    private volatile long room;
    /** Kept unmarked at the last look: who takes more than that takes other memory. */
    private volatile long kept;

    public Account(int slots) {
        untold = new long[slots * STRIDE];
        begin();
    }

    /** Nothing is known of limits: who frees as much as they may be about looks. */
    public void begin() {
        looked(Retain.UNASKED, 0);
        step = MOST_STEP;
    }

    /** Nobody need look. */
    public void end() {
        step = NEVER;
    }

    /** After a look: so much may be kept unmarked, and so much is. */
    public void looked(long most, long unmarked) {
        kept = Math.max(0, unmarked);
        room = Math.max(0, most - unmarked);
        step = room > FAR ? NEVER : Math.clamp(most / 8, LEAST_STEP, MOST_STEP);
        Arrays.fill(untold, 0);
        FREED.setOpaque(this, 0L);
    }

    /** After so many bytes have been taken. */
    public void took(int slot, long bytes) {
        if (step != NEVER) {
            tell(slot, -bytes);
        }
    }

    /** After so many bytes have been freed: whether it is time to look. */
    public boolean freed(int slot, long bytes) {
        return step != NEVER && tell(slot, bytes);
    }

    /** What has been freed since the last look, as far as it has been told of. */
    public long freed() {
        return Math.max(0, (long) FREED.getOpaque(this));
    }

    private boolean tell(int slot, long bytes) {
        int at = slot * STRIDE;
        long all = (long) UNTOLD.getOpaque(untold, at) + bytes;
        if (Math.abs(all) < step) {
            UNTOLD.setOpaque(untold, at, all);
            return false;
        }
        UNTOLD.setOpaque(untold, at, 0L);
        long sum = (long) FREED.getAndAdd(this, all) + all;
        if (sum < -kept) {
            FREED.compareAndSet(this, sum, -kept);
        }
        return sum > room && all > 0;
    }
}
