package upa.internal.os;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * Words of native memory by address: the one place with the handles for it.
 *
 * <p>There is no check of bounds or lifetime: who calls has made sure of both. Addresses must be aligned to the width
 * of the word, or {@link IllegalArgumentException} is thrown. The memory order ends the name, in the terms of
 * {@link VarHandle}: opaque, acquire, release, volatile. Words are 32 or 64 bits, since Java has no compare-and-swap of
 * other widths on native memory.
 */
public final class RawMemory {
    private static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();
    private static final VarHandle LONG = ValueLayout.JAVA_LONG.varHandle();

    private RawMemory() {}

    /** Reads an int, whole, in no order with other reads. */
    public static int getIntOpaque(long address) {
        return (int) INT.getOpaque(ALL, address);
    }

    /** Reads an int; what its writer wrote before is then visible. */
    public static int getIntAcquire(long address) {
        return (int) INT.getAcquire(ALL, address);
    }

    /** Writes an int, whole, in no order with other writes. */
    public static void putIntOpaque(long address, int value) {
        INT.setOpaque(ALL, address, value);
    }

    /** Reads a long, whole, in no order with other reads. */
    public static long getLongOpaque(long address) {
        return (long) LONG.getOpaque(ALL, address);
    }

    /** Writes a long, whole, in no order with other writes. */
    public static void putLongOpaque(long address, long value) {
        LONG.setOpaque(ALL, address, value);
    }

    /** Reads a long; what its writer wrote before is then visible. */
    public static long getLongAcquire(long address) {
        return (long) LONG.getAcquire(ALL, address);
    }

    /** Writes a long after everything written before. */
    public static void putLongRelease(long address, long value) {
        LONG.setRelease(ALL, address, value);
    }

    /** As {@link VarHandle#releaseFence}. */
    public static void releaseFence() {
        VarHandle.releaseFence();
    }

    /** Makes writes before it, also those to page tables, take place before any access after it. */
    public static void fullFence() {
        VarHandle.fullFence();
    }

    /** Changes an int if it is as expected; may fail for no reason, so it belongs in a loop. */
    public static boolean weakCompareAndSetIntVolatile(long address, int expected, int value) {
        return INT.weakCompareAndSet(ALL, address, expected, value);
    }

    /** Changes a long if it is as expected; may fail for no reason, so it belongs in a loop. */
    public static boolean weakCompareAndSetLongVolatile(long address, long expected, long value) {
        return LONG.weakCompareAndSet(ALL, address, expected, value);
    }

    /** Changes an int if and only if it is as expected. */
    public static boolean compareAndSetIntVolatile(long address, int expected, int value) {
        return INT.compareAndSet(ALL, address, expected, value);
    }

    /** Changes a long if and only if it is as expected. */
    public static boolean compareAndSetLongVolatile(long address, long expected, long value) {
        return LONG.compareAndSet(ALL, address, expected, value);
    }

    /** Adds to an int. */
    public static void getAndAddIntVolatile(long address, int delta) {
        int ignored = (int) INT.getAndAdd(ALL, address, delta);
    }

    /** Adds to a long. */
    public static void getAndAddLongVolatile(long address, long delta) {
        long ignored = (long) LONG.getAndAdd(ALL, address, delta);
    }

    /** Clears the bits of an int that are not in the mask. */
    public static void getAndBitwiseAndIntVolatile(long address, int mask) {
        int ignored = (int) INT.getAndBitwiseAnd(ALL, address, mask);
    }

    /** Sets bits of a long. */
    public static void getAndBitwiseOrLongVolatile(long address, long mask) {
        long ignored = (long) LONG.getAndBitwiseOr(ALL, address, mask);
    }

    /** Clears the bits of a long that are not in the mask. */
    public static void getAndBitwiseAndLongVolatile(long address, long mask) {
        long ignored = (long) LONG.getAndBitwiseAnd(ALL, address, mask);
    }
}
