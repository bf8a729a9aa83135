package upa.core;

import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Arrays;
import upa.internal.os.MemoryCalls;

/**
 * An {@link Arena} whose memory comes from a {@link Region}: for whoever uses the foreign memory API, with nothing else
 * to learn. Closing it gives all its pages back to the region, populated, for the next arena to use.
 *
 * <p>Small allocations are packed into chunks of 64 KiB, one behind the other; an allocation of more than a quarter of
 * that gets pages of its own. Memory of an arena is freed only by closing it.
 *
 * <p>The contract is that of the JDK's arenas: segments read zero, have any alignment asked for, and have the lifetime
 * and the confinement of the arena; use after close, from a wrong thread, or closing twice throws what {@link
 * Arena#ofConfined} and {@link Arena#ofShared} throw, and {@link OutOfMemoryError} says that the region is full. An
 * arena of {@link #ofConfinedUncleared} differs in one thing: its segments hold old bytes, of anything that was in the
 * region before.
 *
 * <p>A region with an open arena cannot be closed. An arena that is dropped and never closed keeps its pages, and its
 * region stays mapped.
 */
public final class PageArena implements Arena {
    private static final long CHUNK_BYTES = Chunks.PAGES * PAGE_BYTES;
    private static final long LARGE_BYTES = CHUNK_BYTES / 4;
    /** From here on libc's memset is faster than {@link MemorySegment#fill}, the cost of the call included. */
    private static final long CALL_BYTES = 1024;

    private final Region region;
    /** Gives the segments their lifetime and confinement; allocates nothing. */
    private final Arena scope;
    /** The only thread that may allocate; null: any. */
    private final Thread owner;

    private final boolean zeros;
    /** Pages held: address and number of each run, in turn. */
    private long[] runs = new long[4];

    private int runsEnd;
    /** The chunk in use, and the address of its first free byte. */
    private MemorySegment chunk = MemorySegment.NULL;

    private long next;

    private PageArena(Region region, Arena scope, Thread owner, boolean zeros) {
        this.region = region;
        this.scope = scope;
        this.owner = owner;
        this.zeros = zeros;
    }

    /**
     * An arena of the current thread, as {@link Arena#ofConfined}.
     *
     * @param region where its pages come from
     * @return the arena
     * @throws IllegalStateException if the region is closed
     */
    public static PageArena ofConfined(Region region) {
        Arguments.checkNotNull("region", region);
        region.hold();
        return new PageArena(region, Arena.ofConfined(), Thread.currentThread(), true);
    }

    /**
     * An arena of the current thread whose segments hold <em>old bytes</em>: for programs that write before they read.
     *
     * @param region where its pages come from
     * @return the arena
     * @throws IllegalStateException if the region is closed
     */
    public static PageArena ofConfinedUncleared(Region region) {
        Arguments.checkNotNull("region", region);
        region.hold();
        return new PageArena(region, Arena.ofConfined(), Thread.currentThread(), false);
    }

    /**
     * An arena for all threads, as {@link Arena#ofShared}. Closing it stops every thread of the process for an instant,
     * as the JDK's does; that takes thousands of times as long as an allocation.
     *
     * @param region where its pages come from
     * @return the arena
     * @throws IllegalStateException if the region is closed
     */
    public static PageArena ofShared(Region region) {
        Arguments.checkNotNull("region", region);
        region.hold();
        return new PageArena(region, Arena.ofShared(), null, true);
    }

    /**
     * Allocates a segment.
     *
     * @param byteSize      size, 0 or more
     * @param byteAlignment alignment, a power of two
     * @return the segment, which reads zero unless the arena is uncleared
     * @throws IllegalArgumentException if the size is negative or the alignment not a power of two
     * @throws IllegalStateException    if the arena is closed
     * @throws WrongThreadException     if the arena is confined to another thread
     * @throws OutOfMemoryError         if the region is full
     */
    @Override
    public MemorySegment allocate(long byteSize, long byteAlignment) {
        if (byteSize < 0) {
            throw new IllegalArgumentException("out of range: byteSize=" + byteSize + " (0 or more)");
        }
        if (byteAlignment <= 0 || (byteAlignment & byteAlignment - 1) != 0) {
            throw new IllegalArgumentException("not a power of two: byteAlignment=" + byteAlignment);
        }
        if (owner == null) {
            synchronized (this) {
                return allocateChecked(byteSize, byteAlignment);
            }
        }
        if (Thread.currentThread() != owner) {
            throw new WrongThreadException("Attempted access outside owning thread");
        }
        return allocateChecked(byteSize, byteAlignment);
    }

    private MemorySegment allocateChecked(long byteSize, long byteAlignment) {
        if (!scope.scope().isAlive()) {
            throw new IllegalStateException("Already closed");
        }
        // JDK: segments of size 0 have addresses of their own as well.
        long bytes = Math.max(byteSize, 1);
        if (bytes > LARGE_BYTES || byteAlignment > PAGE_BYTES) {
            return large(byteSize, bytes, byteAlignment);
        }
        long at = next + byteAlignment - 1 & -byteAlignment;
        if (at + bytes > chunk.address() + chunk.byteSize()) {
            at = newChunk();
        }
        next = at + bytes;
        MemorySegment segment = chunk.asSlice(at - chunk.address(), byteSize);
        if (zeros) {
            if (byteSize < CALL_BYTES) {
                segment.fill((byte) 0);
            } else {
                MemoryCalls.zero(at, byteSize);
            }
            Reference.reachabilityFence(region);
        }
        return segment;
    }

    private long newChunk() {
        makeRoom();
        long address = region.takeChunk();
        add(address, Chunks.PAGES, CHUNK_BYTES);
        chunk = MemorySegment.ofAddress(address).reinterpret(CHUNK_BYTES, scope, null);
        return address;
    }

    private MemorySegment large(long byteSize, long bytes, long byteAlignment) {
        long n = bytes + PAGE_BYTES - 1 >>> PAGE_SHIFT;
        long address =
                byteAlignment <= PAGE_BYTES ? takeRun(n, zeros, byteSize) : takeAligned(n, byteAlignment, byteSize);
        if (zeros) {
            region.zero(address, n);
        }
        return MemorySegment.ofAddress(address).reinterpret(byteSize, scope, null);
    }

    /** Takes a run so long that it has the n aligned pages somewhere, and frees what is before and after them. */
    private long takeAligned(long n, long byteAlignment, long byteSize) {
        long wide = n + (byteAlignment >> PAGE_SHIFT) - 1;
        long start = takeRun(wide, zeros, byteSize);
        long address = start + byteAlignment - 1 & -byteAlignment;
        long before = address - start >> PAGE_SHIFT;
        runs[runsEnd - 2] = address;
        runs[runsEnd - 1] = n;
        if (before > 0) {
            region.freeUnused(start, before);
        }
        if (wide - before - n > 0) {
            region.freeUnused(address + n * PAGE_BYTES, wide - before - n);
        }
        return address;
    }

    private long takeRun(long n, boolean zeros, long byteSize) {
        makeRoom();
        long address = region.take(n, zeros);
        add(address, n, byteSize);
        return address;
    }

    /** Makes room for one more run before it is taken, so that it cannot be lost. */
    private void makeRoom() {
        if (runsEnd == runs.length) {
            runs = Arrays.copyOf(runs, 2 * runsEnd);
        }
    }

    private void add(long address, long n, long byteSize) {
        if (address == Region.NO_MEMORY) {
            throw region.full(byteSize);
        }
        runs[runsEnd++] = address;
        runs[runsEnd++] = n;
    }

    @Override
    public MemorySegment.Scope scope() {
        return scope.scope();
    }

    /**
     * Ends the lifetime of all segments and gives their pages back to the region.
     *
     * @throws IllegalStateException    if the arena is closed already, or a native call is using one of its segments:
     *                                  the arena then stays open
     * @throws IllegalArgumentException if somebody has unmapped pages of the arena; all others are freed
     * @throws WrongThreadException     if the arena is confined to another thread
     */
    @Override
    public void close() {
        if (owner == null) {
            synchronized (this) {
                closeChecked();
            }
        } else {
            closeChecked();
        }
    }

    private void closeChecked() {
        scope.close();
        RuntimeException failure = null;
        for (int i = 0; i < runsEnd; i += 2) {
            try {
                freeRun(runs[i], runs[i + 1]);
            } catch (IllegalArgumentException | IllegalStateException unmappedBySomebody) {
                failure = unmappedBySomebody;
            }
        }
        region.release();
        if (failure != null) {
            throw failure;
        }
    }

    private void freeRun(long address, long n) {
        if (n == Chunks.PAGES) {
            region.freeChunk(address);
        } else {
            region.free(address, n);
        }
    }
}
