package upa.core;

import static upa.core.Arguments.checkFlags;
import static upa.core.Arguments.checkNotNegative;
import static upa.core.Arguments.checkNotNull;
import static upa.core.Arguments.checkSize;
import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.llfree.LlFreeDescriptor.PAGE_SHIFT;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.file.Path;
import upa.internal.events.Events;
import upa.internal.region.Ahead;
import upa.internal.region.RegionBackEnd;
import upa.internal.region.device.DeviceBackEnd;
import upa.internal.region.device.PagedBackEnd;
import upa.internal.region.linear.LinearBackEnd;
import upa.llfree.LlFree;

/**
 * One contiguous, 2 MiB-aligned range of addresses whose pages are allocated here and not by the kernel.
 *
 * <p>The range is reserved at once and may be far larger than memory; the kernel puts memory behind a page on its first
 * touch. A freed page keeps its memory, so that the next caller gets it without a system call, a fault or a TLB flush,
 * until it goes back to the kernel: by {@link #giveBack}, or by itself when it has been idle ({@link #retain}). Which
 * page goes to whom is decided by an {@link LlFree}.
 *
 * <p>That is the back end {@code linear}. With the kernel module upa.ko the process holds the page frames, too, and
 * says which of them stands at which page: {@link BackEnd#PTE} and {@link BackEnd#PTE_RAW}. Then a freed page keeps its
 * frame until another page needs it, a block that grows elsewhere takes its frames along, and nothing is ever copied.
 *
 * <p>Two kinds: a <em>private</em> region is anonymous memory, data and metadata; a <em>shared</em> one is a file (on
 * tmpfs for memory) to which other processes attach by its path, those that use the C twin ({@code upa/region.h}) too.
 * The file survives its users; {@link #recover} mends it after a killed one.
 *
 * <p><b>Errors:</b> a shortage is a value: {@link #NO_MEMORY}, or {@code false}; methods that return a segment throw
 * {@link OutOfMemoryError} instead, as the JDK's arenas do. Misuse throws {@link IllegalArgumentException} (a size of
 * 0, negative or too large; an address that is misaligned, foreign or not allocated) or {@link IllegalStateException}
 * (the region is closed), with a message that says name=value, and changes nothing. A refusal by the kernel is a {@link
 * SystemCallException}.
 *
 * <p><b>Thread-safety:</b> all methods but {@link #recover} and {@link #validate} may be called from any thread,
 * virtual ones included, at any time. A block may be resized or unmapped only by one thread at a time. Addresses are as
 * unsafe as they are in C: who unmaps a block must not use it any more. {@link PageArena} is the safe way to use a
 * region.
 *
 * <p><b>Closing</b> while other threads are at work does not harm the process: see {@link #close}. A region that is
 * never closed is unmapped after nothing reaches it any more: no reference to it, to an open arena over it, or to a
 * segment of it. That is when the garbage collector finds out, which may be late; an address alone, or {@link #state},
 * keeps nothing. If an arena over it was never closed, it stays mapped for good.
 */
public final class Region extends RegionRuns implements AutoCloseable {
    /** Result of a map or resize for which there is no room. */
    public static final long NO_MEMORY = 0;

    /** Flag of map and resize: the new pages must read zero. */
    public static final int ZEROS = 1;
    /** Flag of map: populate now whatever has no memory yet (one system call). */
    public static final int FAULTED = 2;
    /** Flag of resize: do not move. */
    public static final int IN_PLACE = 4;

    private final MemorySegment all;
    private final Cleaner.Cleanable memory;

    private Region(RegionBackEnd backEnd) {
        super(backEnd);
        all = lifetime.segment(base, bytes);
        memory = DroppedRegions.register(this, backEnd, lifetime.uses());
    }

    // ---- making and unmaking ----------------------------------------------------------------------------------

    /**
     * Creates a private region with the system's default for huge pages.
     *
     * @param bytes size, rounded up to 2 MiB; 1 .. {@link RegionDescriptor#MAX_BYTES}
     * @return the region
     * @throws IllegalArgumentException if bytes is out of range
     * @throws SystemCallException      if the kernel has no room for the range (ENOMEM)
     */
    public static Region create(long bytes) {
        return create(bytes, HugePages.SYSTEM_DEFAULT);
    }

    /**
     * Creates a private region.
     *
     * @param bytes     size, rounded up to 2 MiB; 1 .. {@link RegionDescriptor#MAX_BYTES}
     * @param hugePages advice for the whole range
     * @return the region
     * @throws IllegalArgumentException if bytes is out of range
     * @throws SystemCallException      if the kernel has no room for the range (ENOMEM) or no huge pages (EINVAL)
     */
    public static Region create(long bytes, HugePages hugePages) {
        checkNotNull("hugePages", hugePages);
        return new Region(DroppedRegions.make(() -> LinearBackEnd.create(bytes, hugePages)));
    }

    /**
     * Creates a private region whose page frames this process manages itself, on the device of the kernel module
     * upa.ko. Only threads of this process can use it; a child process has none of it ({@link PteOptions} says what it
     * sees).
     *
     * @param bytes   size, rounded up to 2 MiB; 1 .. {@link PteOptions#MAX_BYTES}
     * @param options back end, pool of page frames, deferred unmapping, device
     * @return the region
     * @throws IllegalArgumentException if bytes is out of range
     * @throws SystemCallException      if there is no such device (ENOENT), it is somebody else's (EACCES) or not that
     *                                  of the module (ENOTTY), raw modes are off (EPERM), or the pool is more than may
     *                                  be locked or than there is (ENOMEM); the message says what to do
     */
    public static Region create(long bytes, PteOptions options) {
        checkNotNull("options", options);
        return new Region(DroppedRegions.make(() -> DeviceBackEnd.create(bytes, options)));
    }

    /**
     * Creates a private region whose pages a pager moves, on the device of the kernel module upa.ko: it is held to a
     * bound, and what is over that goes to stores and comes back when it is touched. The pager is another process of
     * the same user, {@code upa pager --regions}.
     *
     * <p>All memory comes from the pager: before {@link #admit}, a touch of any page is an {@link InternalError}, in
     * native code the end of the process. Freed pages lose their memory at once, by a system call. {@link #FAULTED}
     * does nothing. A block that cannot be resized in place is copied. A child process has none of the region.
     *
     * @param bytes   size, rounded up to 2 MiB; 1 .. {@link PteOptions#MAX_BYTES}
     * @param options guarded, without reclaim; the pool has {@link PteOptions#maxPoolBytes} from the start, the most
     *                that can ever be in memory
     * @return the region
     * @throws IllegalArgumentException if bytes is out of range, or the options are others
     * @throws SystemCallException      as {@link #create(long, PteOptions)}
     */
    public static Region createPaged(long bytes, PteOptions options) {
        checkNotNull("options", options);
        if (options.backEnd() != BackEnd.PTE || options.reclaim()) {
            throw new IllegalArgumentException("no pager moves pages of such a region: " + options);
        }
        return new Region(DroppedRegions.make(() -> PagedBackEnd.create(bytes, options)));
    }

    /**
     * Creates a file and a shared region in it. The file is sparse; put it on tmpfs ({@code /dev/shm}) for memory.
     *
     * @param path  the file, which must not exist
     * @param bytes size of the pages, rounded up to 2 MiB; 1 .. {@link RegionDescriptor#MAX_BYTES}
     * @return the region
     * @throws IllegalArgumentException                   if bytes is out of range
     * @throws java.nio.file.FileAlreadyExistsException if the file exists
     * @throws IOException                                if the file cannot be made or be made so large
     * @throws SystemCallException                        if the kernel has no room for the range (ENOMEM)
     */
    public static Region createShared(Path path, long bytes) throws IOException {
        checkNotNull("path", path);
        return new Region(DroppedRegions.make(() -> LinearBackEnd.createShared(path, bytes)));
    }

    /**
     * Attaches to a shared region that this or another process has created, in Java or in C. Nothing in the file is
     * trusted.
     *
     * @param path the file
     * @return the region
     * @throws java.nio.file.NoSuchFileException   if there is no such file
     * @throws java.nio.file.FileSystemException if the file is not a region, of another version, truncated, or
     *                                             contradicts itself; the message says what was found and expected
     * @throws IOException                         if the file cannot be opened or read
     * @throws SystemCallException                 if the kernel has no room for the range (ENOMEM)
     */
    public static Region attach(Path path) throws IOException {
        checkNotNull("path", path);
        return new Region(DroppedRegions.make(() -> LinearBackEnd.attach(path)));
    }

    /**
     * Unmaps the region from this process. Pages of a private region are gone, a shared file stays.
     *
     * <p>Segments of the region throw {@link IllegalStateException} from then on, and so do calls. A call under way in
     * another thread at this instant either keeps the region open or ends in that exception or in the address of a page
     * that is gone; none of them faults. In a shared region it may leave behind what a killed thread leaves.
     *
     * @throws IllegalStateException if the region is closed already, or in use: by an open {@link PageArena}, by a call
     *                               that touches pages, or by a native function that has been given a segment of it.
     *                               The region then stays open.
     */
    @Override
    public void close() {
        synchronized (idle) {
            lifetime.close();
            clearAhead.end();
        }
        memory.clean();
    }

    // ---- map and unmap ----------------------------------------------------------------------------------------

    /**
     * Allocates pages that may hold old bytes.
     *
     * @param bytes size, rounded up to pages; 1 or more
     * @return the address, a multiple of 4096; or {@link #NO_MEMORY}
     * @throws IllegalArgumentException if bytes is out of range
     * @throws IllegalStateException    if the region is closed
     */
    public long map(long bytes) {
        checkSize("bytes", bytes);
        checkOpen();
        try {
            long result = getRun(pagesOf(bytes), 0);
            return result < 0 ? NO_MEMORY : mapped(LlFree.pageOf(result), bytes);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Allocates pages.
     *
     * @param bytes size, rounded up to pages; 1 or more
     * @param flags 0, {@link #ZEROS}, {@link #FAULTED} or both
     * @return as {@link #map(long)}; {@link #NO_MEMORY} also if there is no memory to populate the pages with
     * @throws IllegalArgumentException if bytes or flags is out of range
     * @throws IllegalStateException    if the region is closed
     */
    public long map(long bytes, int flags) {
        checkSize("bytes", bytes);
        checkFlags(flags, ZEROS | FAULTED);
        hold();
        try {
            long n = pagesOf(bytes);
            long result = getRun(n, (flags & ZEROS) != 0 ? LlFree.GET_ZEROS : 0);
            long page = LlFree.pageOf(result);
            return result >= 0 && prepare(page, n, flags, LlFree.holds(result)) ? mapped(page, bytes) : NO_MEMORY;
        } finally {
            release();
        }
    }

    /**
     * Allocates pages as a segment whose scope is the region's: it ends when the region is closed, not when the pages
     * are unmapped.
     *
     * @param bytes size of the segment; 1 or more
     * @param flags as {@link #map(long, int)}
     * @return the segment
     * @throws IllegalArgumentException if bytes or flags is out of range
     * @throws IllegalStateException    if the region is closed
     * @throws OutOfMemoryError         if there is no room
     */
    public MemorySegment mapSegment(long bytes, int flags) {
        long address = map(bytes, flags);
        if (address == NO_MEMORY) {
            throw full(bytes);
        }
        return all.asSlice(address - base, bytes);
    }

    OutOfMemoryError full(long bytes) {
        return new OutOfMemoryError("region is full: bytes=" + bytes + " of " + this);
    }

    /**
     * Takes exactly this range of the region if all of it is free.
     *
     * @param address a page's address in the region
     * @param bytes   size, rounded up to pages; 1 or more
     * @param flags   as {@link #map(long, int)}
     * @return false if a page of it is not free, or if there is no memory to populate it with
     * @throws IllegalArgumentException if the range is misaligned or not in the region, or flags is out of range
     * @throws IllegalStateException    if the region is closed
     */
    public boolean mapAt(long address, long bytes, int flags) {
        long page = pageOf(address, bytes);
        checkFlags(flags, ZEROS | FAULTED);
        hold();
        try {
            long n = pagesOf(bytes);
            int holds = getAt(page, n);
            boolean done = holds >= 0 && prepare(page, n, flags, holds);
            if (done) {
                mapped(page, bytes);
            }
            return done;
        } finally {
            release();
        }
    }

    /**
     * Frees any part of what has been mapped; the pages keep their memory.
     *
     * @param address a page's address in the region
     * @param bytes   size, rounded up to pages; 1 or more
     * @throws IllegalArgumentException if the range is misaligned, not in the region, or a page of it is not allocated;
     *                                  nothing is freed then
     * @throws IllegalStateException    if the region is closed, or another thread frees a part of the range at this
     *                                  instant
     */
    public void unmap(long address, long bytes) {
        long page = pageOf(address, bytes);
        checkOpen();
        try {
            backEnd.put(slot(), page, pagesOf(bytes));
            idle.freed(slot(), bytes);
            Events.unmap(base, address, bytes);
        } catch (IllegalArgumentException | IllegalStateException e) {
            checkOpen();
            throw Arguments.blamed(e, this, address, bytes);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Frees what {@link #mapSegment} has returned, or any part of it that starts at a page.
     *
     * @param segment the segment, which must not be used any more
     * @throws IllegalArgumentException as {@link #unmap(long, long)}, or if the segment is of another scope, as those
     *                                  of arenas are
     * @throws IllegalStateException    as {@link #unmap(long, long)}
     */
    public void unmap(MemorySegment segment) {
        checkNotNull("segment", segment);
        if (!segment.isNative()) {
            throw new IllegalArgumentException("not in the region: segment=" + segment);
        }
        checkOpen();
        if (!segment.scope().equals(all.scope())) {
            throw new IllegalArgumentException("not from mapSegment, but of an arena or of a scope of its own: segment="
                    + segment + " of " + this);
        }
        unmap(segment.address(), segment.byteSize());
    }

    /**
     * A view of addresses of the region, with the region's scope.
     *
     * @param address any address in the region
     * @param bytes   size, 1 or more
     * @return the segment
     * @throws IllegalArgumentException if the range is not in the region
     */
    public MemorySegment segment(long address, long bytes) {
        long offset = address - base;
        if (bytes <= 0 || offset < 0 || offset >= this.bytes || bytes > this.bytes - offset) {
            checkSize("bytes", bytes);
            throw new IllegalArgumentException(
                    String.format("not in the region: address=%#x bytes=%d of %s", address, bytes, this));
        }
        return all.asSlice(offset, bytes);
    }

    // ---- resize -----------------------------------------------------------------------------------------------

    /**
     * Makes a block larger or smaller, in place where the pages behind it are free, else (without {@link #IN_PLACE})
     * elsewhere; the contents up to the smaller size are kept. Large blocks of a private region are moved by moving
     * page tables, not bytes; with the kernel module, all are.
     *
     * @param address  the block
     * @param oldBytes its size, rounded up to pages; 1 or more
     * @param newBytes the size wanted, rounded up to pages; 1 or more
     * @param flags    0, {@link #ZEROS} (for pages gained), {@link #IN_PLACE} or both
     * @return the block's address from now on, or {@link #NO_MEMORY}: the old block is as it was
     * @throws IllegalArgumentException if a size or flags is out of range, or the old block is misaligned, not in the
     *                                  region, or not allocated
     * @throws IllegalStateException    if the region is closed
     */
    public long resize(long address, long oldBytes, long newBytes, int flags) {
        long page = pageOf(address, oldBytes);
        checkSize("newBytes", newBytes);
        checkFlags(flags, ZEROS | IN_PLACE);
        long oldPages = pagesOf(oldBytes);
        long newPages = pagesOf(newBytes);
        hold();
        try {
            long free = pages.next(page, oldPages, true);
            if (free >= 0) {
                throw new IllegalArgumentException(String.format(
                        "not allocated: page=%d (first=%d) address=%#x oldBytes=%d of %s",
                        free, page, address, oldBytes, this));
            }
            if (newPages < oldPages) {
                backEnd.put(slot(), page + newPages, oldPages - newPages);
                idle.freed(slot(), oldPages - newPages << PAGE_SHIFT);
            }
            return newPages > oldPages ? grow(page, oldPages, newPages, flags) : address;
        } finally {
            release();
        }
    }

    // ---- giving back, populating and clearing ahead ----------------------------------------------------------

    /**
     * Says how much free memory stays before it goes back to the kernel by itself. Without this call a private region
     * of the back end linear keeps what {@link Retention#DEFAULT} says, and any other everything.
     *
     * <p>A daemon thread named {@code upa-reclaim} sees to it: one for all regions, while there is something to look
     * at. What has been populated ahead counts as free memory. What nobody has asked for in half a second is marked, in
     * a private region, so that the kernel may take it under pressure (MADV_FREE), until it is used again. What a limit
     * of the machine or of a cgroup leaves no room for is marked at once, by whoever frees it; in a shared region it
     * goes back.
     *
     * @param policy how much; of the kernel module's back ends only {@link Retention#EVERYTHING}
     * @throws IllegalArgumentException if it is another, and the back end is not linear
     * @throws IllegalStateException    if the region is closed
     */
    public void retain(Retention policy) {
        checkNotNull("policy", policy);
        checkOpen();
        idle.retain(policy);
    }

    /** {@return how much free memory stays before it goes back to the kernel by itself} */
    public Retention retention() {
        return idle.retention();
    }

    /**
     * Gives memory behind free pages back to the kernel until at most so much stays.
     *
     * @param retainBytes bytes of free pages that may keep their memory, 0 or more
     * @return the bytes given back; with {@link BackEnd#PTE} in units of 2 MiB, and, unless it was made with {@link
     *         PteOptions#reclaim}, only from the end of the pool; with {@link BackEnd#PTE_RAW} none
     * @throws IllegalArgumentException if retainBytes is negative
     * @throws IllegalStateException    if the region is closed
     * @throws SystemCallException      if the kernel takes nothing back
     */
    public long giveBack(long retainBytes) {
        checkNotNegative("retainBytes", retainBytes);
        hold();
        try {
            freeChunks();
            return Events.giveBack(base, () -> backEnd.giveBack(slot(), retainBytes >> PAGE_SHIFT) << PAGE_SHIFT);
        } finally {
            release();
        }
    }

    /**
     * Puts zeroed memory behind free absent pages, ahead of need, in units of 2 MiB.
     *
     * @param bytes at most so much, 0 or more
     * @return the bytes populated
     * @throws IllegalArgumentException if bytes is negative
     * @throws IllegalStateException    if the region is closed
     * @throws SystemCallException      if there is no memory at all
     */
    public long populate(long bytes) {
        long children = Arguments.children(bytes);
        hold();
        try {
            return Events.populate(base, () -> Ahead.populate(backEnd, slot(), children) * CHILD_BYTES);
        } finally {
            release();
        }
    }

    /**
     * Clears free pages that hold old bytes, ahead of need, in units of 2 MiB.
     *
     * @param bytes at most so much, 0 or more
     * @return the bytes cleared
     * @throws IllegalArgumentException if bytes is negative
     * @throws IllegalStateException    if the region is closed
     */
    public long clear(long bytes) {
        long children = Arguments.children(bytes);
        hold();
        try {
            return Ahead.clear(backEnd, slot(), children) * CHILD_BYTES;
        } finally {
            release();
        }
    }

    /**
     * Clears free pages with old bytes, ahead of need, in units of 2 MiB, until so much free memory reads zero: as
     * {@link #clear}, but what reads zero already counts. Whoever then asks for {@link #ZEROS}, as arenas do, need not
     * wait for the clearing. What is being cleared, 2 MiB, is out of reach for about a tenth of a millisecond.
     *
     * @param bytes how much free memory is to read zero, 0 or more, rounded down to 2 MiB
     * @return the bytes cleared; 0 if there is enough, or nothing to clear
     * @throws IllegalArgumentException if bytes is negative
     * @throws IllegalStateException    if the region is closed
     */
    public long clearAhead(long bytes) {
        long children = Arguments.children(bytes);
        hold();
        try {
            return Ahead.clearUpTo(backEnd, slot(), children, children) * CHILD_BYTES;
        } finally {
            release();
        }
    }

    /**
     * Says how much free memory a thread of the region's own keeps zeroed from now on, as {@link #clearAhead} does. A
     * new region has no such thread.
     *
     * <p>It is a daemon thread named {@code upa-clear-ahead}, at work on a processor of its own if there is one; it
     * looks every quarter of a second if it finds nothing to do. It ends when the region is closed or dropped. While
     * it is there, a call that finds no room waits for it and looks again: a free page is not refused. Other processes
     * that use a shared region know nothing of it; for them 2 MiB of free pages are out of reach at times.
     *
     * @param bytes how much free memory is to read zero, rounded down to 2 MiB; less than that ends the thread
     * @throws IllegalArgumentException if bytes is negative
     * @throws IllegalStateException    if the region is closed
     * @throws OutOfMemoryError         if there is no thread to be had; nothing has changed then
     */
    public void keepZeroed(long bytes) {
        long children = Arguments.children(bytes);
        hold();
        try {
            clearAhead.keep(children);
        } finally {
            release();
        }
    }

    // ---- pagers -----------------------------------------------------------------------------------------------

    private PagedBackEnd paged() {
        if (backEnd instanceof PagedBackEnd paged) {
            return paged;
        }
        throw new UnsupportedOperationException("no pager moves pages of this region: " + this);
    }

    /**
     * Hands the region to a pager, and returns when that is at work. Pages go on where they are, also after a pager
     * that was killed; the next one must have the same stores.
     *
     * <p>When the pager has ended, a touch of a page that is not in memory is an {@link InternalError} until another
     * has been admitted. It does not wait for one, as it may in the C library: a thread that waits in a touch holds up
     * every safepoint of the JVM, hence whoever would admit the next.
     *
     * @param terms what the pager is asked for
     * @throws UnsupportedOperationException if the region was not made by {@link #createPaged}
     * @throws IllegalArgumentException      if the pager knows no such policy or store
     * @throws IllegalStateException         if the region is closed, or has a pager
     * @throws IOException                   if no pager of this user listens, or it does not answer or begin
     */
    public void admit(PagerTerms terms) throws IOException {
        checkNotNull("terms", terms);
        hold();
        try {
            paged().admit(terms);
        } finally {
            release();
        }
    }

    /**
     * After it the pager has no right any more. Pages that are not in memory stay in stores.
     *
     * @return false if none was ever admitted
     * @throws UnsupportedOperationException if the region was not made by {@link #createPaged}
     * @throws IllegalStateException         if the region is closed
     */
    public boolean revoke() {
        hold();
        try {
            return paged().revoke();
        } finally {
            release();
        }
    }

    // ---- questions --------------------------------------------------------------------------------------------

    /**
     * Rebuilds the counters of a shared region none of whose other users is alive: see {@link LlFree#recover}.
     *
     * @return the number of pages whose counters were wrong
     * @throws IllegalStateException if the region is closed
     */
    public long recover() {
        hold();
        try {
            synchronized (idle) {
                freeChunks();
                return backEnd.recover();
            }
        } finally {
            release();
        }
    }

    /**
     * Checks every invariant of a quiet region.
     *
     * @throws IllegalStateException with one line about the first fault, if there is one, or if the region is closed
     */
    public void validate() {
        hold();
        try {
            synchronized (idle) {
                freeChunks();
                backEnd.validate();
            }
        } finally {
            release();
        }
    }

    /**
     * {@return the counters, in a time proportional to the memory ever used}
     *
     * @throws IllegalStateException if the region is closed
     */
    public RegionStats stats() {
        hold();
        try {
            synchronized (idle) {
                freeChunks();
                return Statistics.of(backEnd);
            }
        } finally {
            release();
        }
    }

    /** {@return the address of the first page} */
    public long base() {
        return base;
    }

    /** {@return the size in bytes} */
    public long bytes() {
        return bytes;
    }

    /** For tests: the frame that stands at a page, or -1. */
    int frameAt(long address) {
        return (int) backEnd.frameAt(pageOf(address, PAGE_BYTES));
    }

    /** {@return how its pages come by memory} */
    public BackEnd backEnd() {
        return backEnd.name();
    }

    /**
     * {@return the allocation state; who frees pages there frees them here}
     *
     * <p>In a region of the kernel module (see {@link #backEnd}) that of the addresses: to be looked at only, since who
     * takes pages there gets no memory with them.
     *
     * <p>Up to one chunk of 64 KiB per slot may be allocated there without being in use; {@link #stats} frees it.
     */
    public LlFree state() {
        return pages;
    }

    /** {@return kind, address and size, for messages} */
    @Override
    public String toString() {
        return String.format("Region[%s, base=%#x, bytes=%d]", backEnd.kind(), base, bytes);
    }
}
