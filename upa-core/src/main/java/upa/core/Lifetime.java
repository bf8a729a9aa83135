package upa.core;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;

/**
 * Whether a region is open, and what keeps it so: arenas that are open and calls that touch pages, counted per slot.
 * While there are any, it cannot be closed. Segments of the region end with it.
 *
 * <p>The race of {@link #hold} with {@link #close}: one counts and then looks at the phase, the other changes the phase
 * and then adds up the counts; both in total order, so at least one of them sees the other.
 */
final class Lifetime {
    private static final int OPEN = 0;
    private static final int CLOSING = 1;
    private static final int CLOSED = 2;
    private static final VarHandle PHASE;
    /** An AtomicLongArray would cost each use a load more. */
    private static final VarHandle USE = MethodHandles.arrayElementVarHandle(long[].class);
    /** Longs from one slot's count to the next: two cache lines, since processors fetch them in pairs. */
    private static final int STRIDE = 16;

    static {
        try {
            PHASE = MethodHandles.lookup().findVarHandle(Lifetime.class, "phase", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** The region, for messages. */
    private final Object region;

    private final Arena scope = Arena.ofShared();
    private final long[] uses;
    private volatile int phase = OPEN;

    Lifetime(Object region, int slots) {
        this.region = region;
        uses = new long[slots * STRIDE];
    }

    /** Memory as a segment that ends with the region, and keeps it reachable. */
    MemorySegment segment(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes, scope, ended -> Reference.reachabilityFence(region));
    }

    /** Whether the region is open; it may be being closed. */
    boolean isOpen() {
        return phase != CLOSED;
    }

    /** IllegalStateException if the region is closed. */
    void checkOpen() {
        if (phase != OPEN) {
            awaitOpen();
        }
    }

    /** Waits for another thread that is closing the region to succeed, which throws, or to fail. */
    private void awaitOpen() {
        while (phase == CLOSING) {
            Thread.onSpinWait();
        }
        if (phase == CLOSED) {
            throw new IllegalStateException("region is closed: " + region);
        }
    }

    /** Keeps the region open until {@link #release}, which may come from another thread, with another slot. */
    void hold(int slot) {
        count(slot, 1);
        while (phase != OPEN) {
            count(slot, -1);
            awaitOpen();
            count(slot, 1);
        }
    }

    /** The counts, for {@link #sum}: they know nothing of the region. */
    long[] uses() {
        return uses;
    }

    /** How many arenas are open and calls under way. */
    static long sum(long[] uses) {
        long n = 0;
        for (int i = 0; i < uses.length; i += STRIDE) {
            n += (long) USE.getVolatile(uses, i);
        }
        return n;
    }

    void release(int slot) {
        count(slot, -1);
    }

    private void count(int slot, long n) {
        long ignored = (long) USE.getAndAdd(uses, slot * STRIDE, n);
    }

    /**
     * Closes, for good: returns to one caller only.
     *
     * @throws IllegalStateException if it is closed already, or in use; it then stays open
     */
    void close() {
        while (!PHASE.compareAndSet(this, OPEN, CLOSING)) {
            awaitOpen();
        }
        long n = sum(uses);
        if (n != 0) {
            phase = OPEN;
            throw new IllegalStateException(
                    "region in use: uses=" + n + " (open arenas and calls under way) of " + region);
        }
        try {
            scope.close();
        } catch (IllegalStateException e) {
            phase = OPEN;
            throw new IllegalStateException("region in use: a native call holds a segment of " + region, e);
        }
        phase = CLOSED;
    }
}
