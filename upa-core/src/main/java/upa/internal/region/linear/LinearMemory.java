package upa.internal.region.linear;

import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.core.RegionDescriptor.PAGE_BYTES;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import upa.core.HugePages;
import upa.core.SystemCallException;
import upa.internal.bindings.Libc;
import upa.internal.os.HintCall;
import upa.internal.os.MemoryCalls;
import upa.internal.region.Refusal;
import upa.internal.region.RegionState;
import upa.internal.region.Rounding;
import upa.internal.region.Slots;
import upa.llfree.LlFree;

/**
 * The memory of a region: its metadata and its pages, anonymous or of one file, made and taken down here.
 *
 * <p>The metadata stay mapped as long as this object is reachable, so that a thread that is still at work when the
 * region is closed reads nonsense instead of faulting; the pages are unmapped by {@link #unmap}.
 */
final class LinearMemory {
    private static final int READ_WRITE = Libc.PROT_READ() | Libc.PROT_WRITE();
    /**
     * Under {@code upa run --policy}, what is paged is what the library in front of libc serves: memory that is asked
     * for as a whole. Larger regions than it has addresses for are the kernel's, and not paged.
     */
    private static final boolean PAGED = HintCall.isHeard();

    private static final int PRIVATE = Libc.MAP_PRIVATE() | Libc.MAP_ANONYMOUS() | Libc.MAP_NORESERVE();

    final RegionState state;
    final boolean shared;
    private final HugePages hugePages;

    /** Maps metadata and pages; fd is -1 for anonymous memory. The allocation state in it is made, or attached to. */
    private LinearMemory(Layout layout, int fd, HugePages hugePages, boolean attach) {
        shared = fd >= 0;
        this.hugePages = hugePages;
        long bytes = layout.dataBytes();
        MemorySegment metadata = mapMetadata(layout.metadataBytes(), fd);
        long base = mapPages(bytes, fd, layout.dataOffset());
        try {
            advise(base, bytes);
            MemorySegment pages = metadata.asSlice(layout.stateOffset(), layout.stateBytes());
            LlFree allocator = attach ? attachState(layout, pages) : createState(layout, pages);
            state = new RegionState(base, bytes, allocator, metadata);
            if (!attach) {
                layout.write(metadata.address());
            }
        } catch (RuntimeException e) {
            unmap(base, bytes, metadata);
            throw e;
        }
    }

    static LinearMemory create(long bytes, HugePages hugePages) {
        return new LinearMemory(Layout.of(bytes, Slots.byDefault(), false), -1, hugePages, false);
    }

    static LinearMemory createShared(Path path, long bytes, HugePages hugePages) throws IOException {
        Layout layout = Layout.of(bytes, Slots.byDefault(), true);
        boolean done = false;
        try (RegionFile file = RegionFile.create(path)) {
            try {
                file.resize(layout.fileBytes());
                LinearMemory memory = new LinearMemory(layout, file.fd, hugePages, false);
                done = true;
                return memory;
            } finally {
                if (!done) {
                    Files.deleteIfExists(path);
                }
            }
        }
    }

    static LinearMemory attach(Path path) throws IOException {
        try (RegionFile file = RegionFile.open(path)) {
            return new LinearMemory(file.readLayout(), file.fd, HugePages.SYSTEM_DEFAULT, true);
        } catch (IllegalArgumentException e) {
            FileSystemException refused = new FileSystemException(path.toString(), null, e.getMessage());
            refused.initCause(e);
            throw refused;
        }
    }

    private static LlFree createState(Layout layout, MemorySegment pages) {
        return LlFree.create(pages, layout.dataBytes() / PAGE_BYTES, layout.slots());
    }

    private static LlFree attachState(Layout layout, MemorySegment pages) {
        LlFree attached = LlFree.attach(pages);
        Layout.expect("state_pages", layout.dataBytes() / PAGE_BYTES, attached.pages());
        Layout.expect("state_slots", layout.slots(), attached.slots());
        return attached;
    }

    // ---- mapping and unmapping -------------------------------------------------------------------------------

    private static long mmap(long address, long bytes, int protection, int flags, int fd, long offset) {
        return Refusal.check(MemoryCalls.mmap(address, bytes, protection, flags, fd, offset), "mmap", address, bytes);
    }

    private static MemorySegment mapMetadata(long bytes, int fd) {
        long address = mmap(0, bytes, READ_WRITE, fd < 0 ? PRIVATE : Libc.MAP_SHARED(), fd, 0);
        return MemorySegment.ofAddress(address)
                .reinterpret(bytes, Arena.ofAuto(), mapped -> MemoryCalls.munmap(mapped.address(), bytes));
    }

    /** Maps pages at a 2 MiB-aligned address. */
    private static long mapPages(long bytes, int fd, long offset) {
        boolean whole = PAGED && fd < 0;
        long wide = mmap(0, bytes + CHILD_BYTES, whole ? READ_WRITE : Libc.PROT_NONE(), PRIVATE, -1, 0);
        long base = Rounding.up(wide, CHILD_BYTES);
        try {
            if (!whole) {
                mmap(base, bytes, READ_WRITE, (fd < 0 ? PRIVATE : Libc.MAP_SHARED()) | Libc.MAP_FIXED(), fd, offset);
            }
        } catch (SystemCallException e) {
            MemoryCalls.munmap(wide, bytes + CHILD_BYTES);
            throw e;
        }
        if (base > wide) {
            MemoryCalls.munmap(wide, base - wide);
        }
        MemoryCalls.munmap(base + bytes, wide + CHILD_BYTES - base);
        return base;
    }

    private void advise(long address, long length) {
        // What is paged has a name already.
        if (!shared && !PAGED) {
            // Kernels without CONFIG_ANON_VMA_NAME do without.
            MemoryCalls.nameMemory(address, length, "upa region");
        }
        if (hugePages != HugePages.SYSTEM_DEFAULT) {
            int advice = hugePages == HugePages.ADVISE ? Libc.MADV_HUGEPAGE() : Libc.MADV_NOHUGEPAGE();
            Refusal.check(MemoryCalls.madvise(address, length, advice), "madvise", address, length);
        }
    }

    /** Maps private pages anew, without memory, at addresses that may have been unmapped. */
    void remap(long address, long length) {
        mmap(address, length, READ_WRITE, PRIVATE | Libc.MAP_FIXED(), -1, 0);
        advise(address, length);
    }

    /**
     * Unmaps the pages and lets go of what is behind the metadata. In its place comes empty memory, for threads that
     * are still at work on it; the garbage collector unmaps that.
     */
    void unmap() {
        unmap(state.base, state.bytes, state.metadata);
    }

    private static void unmap(long base, long bytes, MemorySegment metadata) {
        MemoryCalls.munmap(base, bytes);
        MemoryCalls.mmap(metadata.address(), metadata.byteSize(), READ_WRITE, PRIVATE | Libc.MAP_FIXED(), -1, 0);
    }

    // ---- contents --------------------------------------------------------------------------------------------

    /** Puts memory behind pages: 0 or -errno. */
    long populate(long address, long bytes) {
        return MemoryCalls.madvise(address, bytes, Libc.MADV_POPULATE_WRITE());
    }

    /** Does a pager hold the pages within a bound? */
    boolean paged() {
        return PAGED && !shared;
    }

    /** Takes the memory from behind pages, which then read zero. */
    void drop(long address, long bytes) {
        int advice = shared ? Libc.MADV_REMOVE() : Libc.MADV_DONTNEED();
        Refusal.check(MemoryCalls.madvise(address, bytes, advice), "madvise", address, bytes);
    }

    /**
     * Clears populated pages. A file may have been cut short by somebody else, or its file system may be full: the JVM
     * turns that fault into an InternalError only in its own, slower code.
     */
    void zero(long address, long bytes) {
        if (shared) {
            at(address, bytes).fill((byte) 0);
        } else {
            MemoryCalls.zero(address, bytes);
        }
    }

    void copy(long to, long from, long bytes) {
        MemorySegment.copy(at(from, bytes), 0, at(to, bytes), 0, bytes);
    }

    private static MemorySegment at(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }
}
