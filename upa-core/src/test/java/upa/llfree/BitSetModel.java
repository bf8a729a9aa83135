package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.Random;

/**
 * Runs random operations on an allocator and on a plain bitmap, and compares: a request may fail only when the bitmap
 * has no room for it, what it gets was free, and a page with old bytes is never taken for a clean one.
 */
final class BitSetModel {
    private final Twin twin;
    private final int pages;
    private final int slots;
    private final Random random;
    private final MemorySegment state;
    private final BitSet allocated = new BitSet();
    /** Pages that hold something. */
    private final BitSet old = new BitSet();
    /** Children marked. */
    private final BitSet tainted = new BitSet();

    private String step = "";

    private BitSetModel(Twin twin, int pages, int slots, long seed) {
        this.twin = twin;
        this.pages = pages;
        this.slots = slots;
        this.random = new Random(seed);
        this.state = Arena.ofAuto().allocate(twin.stateSize(pages, slots), LlFreeDescriptor.LINE_BYTES);
        assertEquals(0, twin.init(state, pages, slots));
    }

    /** Does so many operations; the seed makes them the same each time. */
    static void run(Twin twin, int pages, int slots, int operations, long seed) {
        BitSetModel model = new BitSetModel(twin, pages, slots, seed);
        for (int i = 0; i < operations; i++) {
            model.step = "seed=" + seed + " pages=" + pages + " operation=" + i;
            model.operate();
            if (i % 64 == 0) {
                model.check();
            }
        }
        model.check();
    }

    private void operate() {
        int slot = random.nextInt(2 * slots);
        int flags = random.nextInt(4);
        // Phases in which the allocator fills up, and others in which it empties.
        boolean filling = random.nextInt(1000) < 500 + (allocated.cardinality() < pages / 2 ? 150 : -150);
        if (random.nextInt(10) > 0) {
            if (filling) {
                get(slot, flags);
            } else {
                put(slot, random.nextInt(3) == 0 ? flags : 0);
            }
            return;
        }
        switch (random.nextInt(16)) {
            case 0 -> twin.drain();
            case 1 -> assertEquals(0, twin.attach(state), step);
            case 2 -> assertEquals(0, twin.recover(), step);
            case 3 -> putAnything(slot);
            case 4, 5 -> ask();
            case 6, 7 -> reclaim(slot);
            case 8 -> mark();
            default -> getAt(slot);
        }
    }

    private int runLength() {
        return switch (random.nextInt(4)) {
            case 0 -> 1 + random.nextInt(16);
            case 1 -> 1 + random.nextInt(512);
            case 2 -> 512 * (1 + random.nextInt(4));
            default -> 1 + random.nextInt(3000);
        };
    }

    private void get(int slot, int flags) {
        if (random.nextBoolean()) {
            int order = random.nextInt(3) > 0 ? random.nextInt(4) : random.nextInt(10);
            took(twin.get(slot, order, flags), 1 << order, 1 << order, "get order=" + order);
        } else {
            int length = runLength();
            took(twin.getRun(slot, length, flags), length, 1, "run pages=" + length);
        }
    }

    private void took(long page, int length, int align, String what) {
        if (page == Twin.ENOMEM) {
            int room = findRoom(length, align);
            assertEquals(-1, room, () -> step + ": " + what + " failed, but there is room");
            return;
        }
        assertTrue(
                page >= 0 && page + length <= pages && page % align == 0, () -> step + ": " + what + " gave " + page);
        took((int) page, length, what);
    }

    private void took(int first, int length, String what) {
        int held = allocated.nextSetBit(first);
        assertTrue(held < 0 || held >= first + length, () -> step + ": " + what + " gave page=" + held + " twice");
        allocated.set(first, first + length);
        checkContents(first, length);
    }

    private int findRoom(int length, int align) {
        for (int at = allocated.nextClearBit(0); at < pages; ) {
            int start = (at + align - 1) / align * align;
            int end = allocated.nextSetBit(start);
            if (end < 0) {
                end = pages;
            }
            if (start + length <= end) {
                return start;
            }
            at = allocated.nextClearBit(Math.max(end, start + 1));
        }
        return -1;
    }

    /** Every page that holds something must be among those called stale. */
    private void checkContents(int first, int length) {
        BitSet stale = new BitSet();
        Twin.Length staleLength = new Twin.Length();
        int at = first;
        while (at < first + length) {
            long page = twin.nextStale(at, first + length - at, staleLength);
            if (page < 0) {
                break;
            }
            assertTrue(page >= at && staleLength.value > 0, step);
            stale.set((int) page, (int) (page + staleLength.value));
            at = (int) (page + staleLength.value);
        }
        BitSet missed = old.get(first, first + length);
        missed.andNot(stale.get(first, first + length));
        assertTrue(missed.isEmpty(), () -> step + ": first=" + first + " pages " + missed + " hold old bytes unseen");
    }

    private void getAt(int slot) {
        int length = Math.min(runLength(), pages);
        int first = random.nextInt(pages - length + 1);
        int held = allocated.nextSetBit(first);
        boolean free = held < 0 || held >= first + length;
        int holds = twin.getAt(slot, first, length);
        assertEquals(free ? twin.contents(first, length) : Twin.EBUSY, holds, step);
        if (free) {
            took(first, length, "at");
        }
    }

    /** Takes a free child and gives its memory back, as a pager does. */
    private void reclaim(int slot) {
        int first = random.nextInt((pages + 511) / 512) * 512;
        int length = Math.min(512, pages - first);
        if (twin.getAt(slot, first, length) >= 0) {
            took(first, length, "reclaim");
            free(slot, first, length, LlFree.PUT_ABSENT);
        }
    }

    /** Frees all or a part of some allocated stretch. */
    private void put(int slot, int flags) {
        int first = allocated.nextSetBit(random.nextInt(pages));
        if (first < 0) {
            return;
        }
        int room = allocated.nextClearBit(first) - first;
        free(slot, first, Math.min(room, runLength()), flags);
    }

    private void free(int slot, int first, int length, int flags) {
        assertEquals(
                0, twin.putRun(slot, first, length, flags), () -> step + ": put first=" + first + " pages=" + length);
        allocated.clear(first, first + length);
        if (flags != LlFree.PUT_UNTOUCHED) {
            old.set(first, first + length, flags == 0);
        }
        for (int c = first / 512; c <= (first + length - 1) / 512; c++) {
            if (allocated.get(c * 512, c * 512 + 512).isEmpty()) {
                tainted.clear(c);
            }
            if (flags == LlFree.PUT_ABSENT) {
                assertEquals(0, twin.resident(c * 512L), step);
            }
        }
    }

    /** Marks some allocated stretch as tainted and resident. */
    private void mark() {
        int first = allocated.nextSetBit(random.nextInt(pages));
        if (first < 0) {
            return;
        }
        int length = allocated.nextClearBit(first) - first;
        assertEquals(0, twin.taint(first, length), step);
        tainted.set(first / 512, (first + length - 1) / 512 + 1);
        assertEquals(0, twin.setResident(first, length), step);
        if (random.nextBoolean()) {
            assertEquals(0, twin.setStale(first, length), step);
            old.set(first, first + length);
        }
        int whole = (first + 511) / 512 * 512;
        if (whole + 512 <= first + length) {
            assertEquals(1, twin.resident(whole), step);
        }
    }

    /** Any range at all: refused unless every page of it is allocated. */
    private void putAnything(int slot) {
        int length = 1 + random.nextInt(700);
        int first = random.nextInt(pages);
        if (first + length > pages || allocated.nextClearBit(first) < first + length) {
            assertEquals(Twin.EINVAL, twin.putRun(slot, first, length, 0), step);
        } else {
            free(slot, first, length, 0);
        }
    }

    private void ask() {
        int first = random.nextInt(pages);
        int length = 1 + random.nextInt(pages - first);
        boolean free = random.nextBoolean();
        Twin.Length run = new Twin.Length();
        long page = twin.next(first, length, free, run);
        int expected = next(first, free);
        if (expected >= first + length) {
            assertEquals(-1, page, step);
            return;
        }
        assertEquals(expected, page, step);
        assertEquals(Math.min(next(expected, !free), first + length) - expected, run.value, step);
    }

    private int next(int from, boolean free) {
        int at = free ? allocated.nextClearBit(from) : allocated.nextSetBit(from);
        return at < 0 || at > pages ? pages : at;
    }

    private void check() {
        assertEquals("", twin.validate(), step);
        assertEquals(pages - allocated.cardinality(), twin.stats().freePages(), step);
        // The mark of a last child that is not whole never goes.
        for (int c = 0; c < pages / 512; c++) {
            assertEquals(tainted.get(c) ? 1 : 0, twin.tainted(c * 512L, 1), step);
        }
    }
}
