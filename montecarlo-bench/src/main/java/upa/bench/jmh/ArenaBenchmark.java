package upa.bench.jmh;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import upa.core.PageArena;
import upa.core.Region;
import upa.core.Retention;

/** What a block costs from opening an arena to closing it, with one write to each of its pages. */
@State(Scope.Thread)
public class ArenaBenchmark {

    private static final long PAGE_BYTES = 4096;
    private static final long REGION_BYTES = 1L << 30;

    /** Size of the block. */
    @Param({"4096", "65536", "1048576", "16777216"})
    public int bytes;

    /** What is zeroed ahead, outside of the time that is measured. */
    private static final long AHEAD_BYTES = 32L << 20;

    private Region region;

    /** A supply of memory that has been cleared ahead of need, as it was before each call. */
    @State(Scope.Thread)
    public static class Supply {
        private Region region;

        /** A region with so much free memory, and old bytes in it. */
        @Setup
        public void open() {
            region = Region.create(REGION_BYTES);
            region.retain(Retention.EVERYTHING);
            MemorySegment block = region.mapSegment(AHEAD_BYTES, Region.FAULTED);
            region.unmap(block);
        }

        /** Clears again what has been used. */
        @Setup(Level.Invocation)
        public void clear() {
            region.clearAhead(AHEAD_BYTES);
        }

        /** Gives the pages back. */
        @TearDown
        public void close() {
            region.close();
        }
    }

    /** A region whose pages are populated in the warm-up. */
    @Setup
    public void open() {
        region = Region.create(REGION_BYTES);
    }

    /** Gives the pages back. */
    @TearDown
    public void close() {
        region.close();
    }

    private static MemorySegment touch(MemorySegment block) {
        for (long offset = 0; offset < block.byteSize(); offset += PAGE_BYTES) {
            block.set(ValueLayout.JAVA_BYTE, offset, (byte) 1);
        }
        return block;
    }

    /**
     * The JDK's arena for one thread: malloc and clearing.
     *
     * @return the block, so that it is not optimised away
     */
    @Benchmark
    public MemorySegment confined() {
        try (Arena arena = Arena.ofConfined()) {
            return touch(arena.allocate(bytes, PAGE_BYTES));
        }
    }

    /**
     * The JDK's arena for all threads: closing it is a handshake with all of them.
     *
     * @return the block
     */
    @Benchmark
    public MemorySegment shared() {
        try (Arena arena = Arena.ofShared()) {
            return touch(arena.allocate(bytes, PAGE_BYTES));
        }
    }

    /**
     * UPA's arena for one thread: zeros, as the JDK's.
     *
     * @return the block
     */
    @Benchmark
    public MemorySegment pageArena() {
        try (Arena arena = PageArena.ofConfined(region)) {
            return touch(arena.allocate(bytes, PAGE_BYTES));
        }
    }

    /**
     * UPA's arena for one thread: zeros, cleared ahead of need while nobody waits for them.
     *
     * @param supply the region
     * @return the block
     */
    @Benchmark
    public MemorySegment pageArenaAhead(Supply supply) {
        try (Arena arena = PageArena.ofConfined(supply.region)) {
            return touch(arena.allocate(bytes, PAGE_BYTES));
        }
    }

    /**
     * UPA's arena for one thread, old bytes.
     *
     * @return the block
     */
    @Benchmark
    public MemorySegment pageArenaUncleared() {
        try (Arena arena = PageArena.ofConfinedUncleared(region)) {
            return touch(arena.allocate(bytes, PAGE_BYTES));
        }
    }

    /**
     * UPA's arena for all threads.
     *
     * @return the block
     */
    @Benchmark
    public MemorySegment pageArenaShared() {
        try (Arena arena = PageArena.ofShared(region)) {
            return touch(arena.allocate(bytes, PAGE_BYTES));
        }
    }

    /**
     * The kernel's pages through FFM.
     *
     * @return the block
     */
    @Benchmark
    public MemorySegment mmap() {
        MemorySegment block = touch(KernelPages.map(bytes));
        KernelPages.unmap(block);
        return block;
    }

    /**
     * netty's pooled allocator: old bytes; blocks above its chunk size are not pooled.
     *
     * @return the buffer
     */
    @Benchmark
    public ByteBuf netty() {
        ByteBuf buffer = PooledByteBufAllocator.DEFAULT.directBuffer(bytes);
        for (int offset = 0; offset < bytes; offset += (int) PAGE_BYTES) {
            buffer.setByte(offset, 1);
        }
        buffer.release();
        return buffer;
    }
}
