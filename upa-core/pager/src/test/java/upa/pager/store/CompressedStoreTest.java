package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

class CompressedStoreTest {
    private abstract static class Memory extends StoreContract {
        private final Map<Store, MemorySegment> memories = new HashMap<>();
        private final CompressedStore.Method method;

        Memory(CompressedStore.Method method) {
            this.method = method;
        }

        @Override
        Store open(int pages) {
            // Pages of the test become 2 300 bytes or less.
            int spans = pages * 2400 / Slab.SPAN_BYTES + 8;
            MemorySegment memory = Arena.ofAuto().allocate((long) spans * Slab.SPAN_BYTES, 4096);
            return make(memory);
        }

        private Store make(MemorySegment memory) {
            Store store = keep(new CompressedStore(
                    "lz4",
                    method,
                    memory,
                    offset -> memory.asSlice(offset, Slab.SPAN_BYTES).fill((byte) 0)));
            memories.put(store, memory);
            return store;
        }

        @Override
        Store reopen(Store closed) {
            return make(memories.get(closed));
        }

        @Override
        void damage(Store store, int slot) {
            long at = (long) slot * Slab.UNIT_BYTES + 1000;
            MemorySegment memory = memories.get(store);
            memory.set(ValueLayout.JAVA_BYTE, at, (byte) ~memory.get(ValueLayout.JAVA_BYTE, at));
        }

        @Override
        void remove(Store store, int slot) {
            memories.get(store)
                    .asSlice((long) slot * Slab.UNIT_BYTES, Slab.UNIT_BYTES)
                    .fill((byte) 0);
        }
    }

    @Nested
    class Lz4 extends Memory {
        Lz4() {
            super(CompressedStore.Method.LZ4);
        }

        @Test
        void doesNotTakeWhatDoesNotCompress() throws Exception {
            Store store = open(100);
            PageIo io = batch(2);
            Random random = new Random(1);
            for (int i = 0; i < PageIo.PAGE_BYTES; i += 8) {
                io.page(0).set(ValueLayout.JAVA_LONG, i, random.nextLong());
            }
            fill(io.page(1), 5);
            io.computeCheck(1);
            store.write(io).join();
            assertEquals(PageIo.Result.UNSUITABLE, io.result(0));
            assertEquals(PageIo.Result.OK, io.result(1));
            assertEquals(1, store.statistics().pages());
            assertEquals(1, store.statistics().refused());
        }

        @Test
        void damageOfTheLengthIsFoundToo() throws Exception {
            Store store = open(100);
            long kept = writeOne(store, 1);
            MemorySegment memory = super.memories.get(store);
            for (int length : new int[] {0, 1, 4000, 0xffff}) {
                memory.set(ValueLayout.JAVA_SHORT, (kept >>> 32) * Slab.UNIT_BYTES, (short) length);
                assertEquals(PageIo.Result.DAMAGED, read(store, kept).result(0), "length=" + length);
            }
        }

        @Test
        void tellsWhatCanBeGivenBack() {
            AtomicInteger given = new AtomicInteger();
            MemorySegment memory = Arena.ofAuto().allocate(4L * Slab.SPAN_BYTES, 4096);
            Store store =
                    new CompressedStore("lz4", CompressedStore.Method.LZ4, memory, offset -> given.incrementAndGet());
            long a = writeOne(store, 1);
            long b = writeOne(store, 2);
            store.free(new int[] {(int) (a >>> 32)}, 1);
            assertEquals(0, given.get());
            store.free(new int[] {(int) (b >>> 32)}, 1);
            assertEquals(1, given.get());
        }
    }

    @Nested
    class Zstd extends Memory {
        Zstd() {
            super(CompressedStore.Method.ZSTD);
        }
    }

    @Test
    void sizesAreChecked() {
        assertThrows(
                IllegalArgumentException.class,
                () -> new CompressedStore(
                        "x", CompressedStore.Method.LZ4, Arena.ofAuto().allocate(100), offset -> {}));
    }

    /** Random pieces against a map of units: no two overlap, and all that is given back is whole. */
    @Test
    void piecesOfASlabNeverOverlap() {
        for (long seed = 0; seed < 20; seed++) {
            Random random = new Random(seed);
            int spans = 1 + random.nextInt(12);
            Slab slab = new Slab(spans);
            int[] owner = new int[spans * Slab.SPAN_UNITS];
            Map<Integer, Integer> pieces = new HashMap<>();
            for (int step = 1; step < 6000; step++) {
                if (random.nextInt(100) < (step % 2000 < 1000 ? 60 : 40)) {
                    int size = 1 + random.nextInt(random.nextBoolean() ? 4 : Slab.MOST_UNITS);
                    int unit = slab.allocate(size);
                    if (unit == Slab.NONE) {
                        continue;
                    }
                    pieces.put(unit, size);
                    for (int u = unit; u < unit + size; u++) {
                        assertEquals(0, owner[u], "seed=" + seed + " step=" + step + " unit=" + u);
                        owner[u] = step;
                    }
                    assertEquals(unit / Slab.SPAN_UNITS, (unit + size - 1) / Slab.SPAN_UNITS);
                } else if (!pieces.isEmpty()) {
                    int unit = pieces.keySet().stream()
                            .skip(random.nextInt(pieces.size()))
                            .findFirst()
                            .orElseThrow();
                    int size = pieces.remove(unit);
                    assertEquals(size, slab.size(unit));
                    for (int u = unit; u < unit + size; u++) {
                        owner[u] = 0;
                    }
                    int span = slab.free(unit);
                    boolean empty = true;
                    int first = unit / Slab.SPAN_UNITS * Slab.SPAN_UNITS;
                    for (int u = first; u < first + Slab.SPAN_UNITS; u++) {
                        empty &= owner[u] == 0;
                    }
                    assertEquals(empty ? unit / Slab.SPAN_UNITS : Slab.NONE, span);
                }
            }
            assertEquals(pieces.values().stream().mapToLong(Integer::longValue).sum(), slab.usedUnits());
            Slab second = new Slab(spans);
            pieces.forEach((unit, size) -> assertTrue(second.adopt(unit, size)));
            assertEquals(slab.usedUnits(), second.usedUnits());
            assertEquals(slab.usedSpans(), second.usedSpans());
            for (int size = 1; size <= Slab.MOST_UNITS; size++) {
                for (int unit = second.allocate(size); unit != Slab.NONE; unit = second.allocate(size)) {
                    for (int u = unit; u < unit + size; u++) {
                        assertEquals(0, owner[u], "handed out although adopted");
                        owner[u] = -1;
                    }
                }
            }
        }
    }

    @Test
    void aSlabAdoptsNothingThatContradicts() {
        Slab slab = new Slab(2);
        assertTrue(slab.adopt(10, 5));
        for (int[] wrong : new int[][] {{10, 5}, {20, 4}, {11, 5}, {-5, 5}, {2048, 5}, {15, 0}, {0, 49}, {1020, 5}}) {
            assertEquals(false, slab.adopt(wrong[0], wrong[1]), wrong[0] + " " + wrong[1]);
        }
        assertTrue(slab.adopt(15, 5));
        assertEquals(10, slab.usedUnits());
    }
}
