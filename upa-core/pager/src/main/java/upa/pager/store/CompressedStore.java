package upa.pager.store;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import java.util.function.Supplier;
import upa.policy.Place;

/**
 * Compressed memory. A slot is the place of a piece in a range of memory, in units of 64 bytes; the piece begins with
 * its length, so that the range alone is enough to find everything again. Pages that do not become a quarter smaller
 * are not taken.
 *
 * <p>The lock is held while a piece is found or freed, never while anything is compressed. A piece is written before
 * its slot is known to anybody.
 */
public final class CompressedStore implements Store {
    /** Most bytes that slots can name: 16 GiB. */
    public static final long MOST_BYTES = (long) MAX_SLOTS * Slab.UNIT_BYTES;

    private static final int HEADER_BYTES = 2;
    private static final ValueLayout.OfShort LENGTH = ValueLayout.JAVA_SHORT;

    /** What a page is compressed with. */
    public enum Method {
        /** Fast: 5 µs in, 1 µs out. */
        LZ4(Codec.Lz4::new, () -> ""),
        /** Smaller: 16 µs in, 5 µs out. */
        ZSTD(Codec.Zstd::new, NativeLibraries::zstd);

        private final Supplier<Codec> codec;
        private final Supplier<String> missing;

        Method(Supplier<Codec> codec, Supplier<String> missing) {
            this.codec = codec;
            this.missing = missing;
        }

        /** {@return why it is not to be had here, or empty} */
        public String missing() {
            return missing.get();
        }
    }

    private record Tools(Codec codec, MemorySegment output) {}

    private final String name;
    private final MemorySegment memory;
    private final LongConsumer giveBack;
    private final ThreadLocal<Tools> tools;
    private final Slab slab;
    private long pages;
    private final AtomicLong written = new AtomicLong();
    private final AtomicLong read = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();

    /**
     * Makes a store in memory that somebody else owns.
     *
     * @param name     for messages
     * @param method   what pages are compressed with
     * @param memory   its range, a multiple of 64 KiB and at most 16 GiB; its content matters only if slots are adopted
     * @param giveBack is told the offset of each 64 KiB that hold nothing any more; what they read afterwards is open
     */
    public CompressedStore(String name, Method method, MemorySegment memory, LongConsumer giveBack) {
        if (memory.byteSize() % Slab.SPAN_BYTES != 0 || memory.byteSize() > MOST_BYTES || memory.byteSize() == 0) {
            throw new IllegalArgumentException(
                    "bytes=" + memory.byteSize() + " is no multiple of " + Slab.SPAN_BYTES + " up to " + MOST_BYTES);
        }
        this.name = name;
        this.memory = memory;
        this.giveBack = giveBack;
        slab = new Slab((int) (memory.byteSize() / Slab.SPAN_BYTES));
        tools = ThreadLocal.withInitial(
                () -> new Tools(method.codec.get(), Arena.ofAuto().allocate(Codec.MOST_BYTES, 64)));
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Place.Kind kind() {
        return Place.Kind.COMPRESSED;
    }

    @Override
    public CompletableFuture<PageIo> write(PageIo io) {
        Tools mine = tools.get();
        for (int i = 0; i < io.count(); i++) {
            int bytes = mine.codec.compress(io.page(i), mine.output);
            int size = (bytes + HEADER_BYTES + Slab.UNIT_BYTES - 1) / Slab.UNIT_BYTES;
            if (size > Slab.MOST_UNITS) {
                refuse(io, i, PageIo.Result.UNSUITABLE);
                continue;
            }
            int unit = allocate(size);
            if (unit == Slab.NONE) {
                refuse(io, i, PageIo.Result.FULL);
                continue;
            }
            long at = (long) unit * Slab.UNIT_BYTES;
            memory.set(LENGTH, at, (short) bytes);
            MemorySegment.copy(mine.output, 0, memory, at + HEADER_BYTES, bytes);
            io.slot(i, unit);
            io.result(i, PageIo.Result.OK);
            written.incrementAndGet();
        }
        return CompletableFuture.completedFuture(io);
    }

    private void refuse(PageIo io, int i, PageIo.Result why) {
        io.result(i, why);
        refused.incrementAndGet();
    }

    private synchronized int allocate(int size) {
        int unit = slab.allocate(size);
        if (unit != Slab.NONE) {
            pages++;
        }
        return unit;
    }

    private synchronized int size(int unit) {
        return slab.size(unit);
    }

    @Override
    public CompletableFuture<PageIo> read(PageIo io) {
        Tools mine = tools.get();
        for (int i = 0; i < io.count(); i++) {
            int size = size(io.slot(i));
            if (size == 0) {
                io.result(i, PageIo.Result.MISSING);
                failed.incrementAndGet();
                continue;
            }
            long at = (long) io.slot(i) * Slab.UNIT_BYTES;
            int bytes = memory.get(LENGTH, at) & 0xffff;
            if (bytes > size * Slab.UNIT_BYTES - HEADER_BYTES
                    || !mine.codec.decompress(memory.asSlice(at + HEADER_BYTES, bytes), io.page(i))) {
                io.result(i, PageIo.Result.DAMAGED);
            } else {
                io.verify(i);
            }
            (io.result(i) == PageIo.Result.OK ? read : failed).incrementAndGet();
        }
        return CompletableFuture.completedFuture(io);
    }

    @Override
    public void free(int[] slots, int count) {
        for (int i = 0; i < count; i++) {
            synchronized (this) {
                int span = slab.free(slots[i]);
                pages--;
                if (span != Slab.NONE) {
                    // With the lock: else somebody might have begun to use it again.
                    giveBack.accept((long) span * Slab.SPAN_BYTES);
                }
            }
        }
    }

    @Override
    public synchronized void adopt(int[] slots, int count) {
        for (int i = 0; i < count; i++) {
            long at = (long) slots[i] * Slab.UNIT_BYTES;
            int bytes = at >= 0 && at < memory.byteSize() ? memory.get(LENGTH, at) & 0xffff : 0;
            int size = (bytes + HEADER_BYTES + Slab.UNIT_BYTES - 1) / Slab.UNIT_BYTES;
            if (slab.adopt(slots[i], size)) {
                pages++;
            }
        }
    }

    @Override
    public synchronized int sparse(int[] slots) {
        return slab.sparse(slots);
    }

    @Override
    public synchronized StoreStatistics statistics() {
        return new StoreStatistics(
                pages,
                (long) slab.usedSpans() * Slab.SPAN_BYTES,
                memory.byteSize(),
                written.get(),
                read.get(),
                refused.get(),
                failed.get());
    }

    @Override
    public void discard() {
        // Its memory goes with its owner.
    }

    @Override
    public void close() {
        // The memory is somebody else's.
    }
}
