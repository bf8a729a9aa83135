package upa.core;

import static upa.core.RegionDescriptor.ABI;
import static upa.core.RegionDescriptor.ABI_OFFSET;
import static upa.core.RegionDescriptor.CHILD_BYTES;
import static upa.core.RegionDescriptor.COUNTERS_BYTES;
import static upa.core.RegionDescriptor.COUNTERS_OFFSET;
import static upa.core.RegionDescriptor.DATA_BYTES_OFFSET;
import static upa.core.RegionDescriptor.DATA_OFFSET_OFFSET;
import static upa.core.RegionDescriptor.FILE_BYTES_OFFSET;
import static upa.core.RegionDescriptor.HEADER_BYTES;
import static upa.core.RegionDescriptor.MAGIC;
import static upa.core.RegionDescriptor.MAGIC_OFFSET;
import static upa.core.RegionDescriptor.MAX_BYTES;
import static upa.core.RegionDescriptor.PAGE_BYTES;
import static upa.core.RegionDescriptor.SLOTS_OFFSET;
import static upa.core.RegionDescriptor.STATE_BYTES_OFFSET;
import static upa.core.RegionDescriptor.STATE_OFFSET_OFFSET;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import upa.core.internal.RawMemory;
import upa.core.internal.SystemCalls;
import upa.core.internal.bindings.Libc;

/**
 * The memory of a region: its metadata and its pages, anonymous or of one file, made, checked and taken down here.
 *
 * <p>The metadata stay mapped as long as this object is reachable, so that a thread that is still at work when the
 * region is closed reads nonsense instead of faulting; the pages are unmapped by {@link #unmap}.
 */
final class RegionMemory {
    private static final int READ_WRITE = Libc.PROT_READ() | Libc.PROT_WRITE();
    private static final int PRIVATE = Libc.MAP_PRIVATE() | Libc.MAP_ANONYMOUS() | Libc.MAP_NORESERVE();
    private static final int OWNER_ONLY = 0600;

    final long base;
    final long bytes;
    final boolean shared;
    private final HugePages hugePages;
    final MemorySegment metadata;
    final LlFree state;

    /** Where everything is in a region of so many bytes and slots: the one place that knows. */
    private record Layout(int slots, long dataBytes, long stateOffset, long stateBytes, long dataOffset, long fileBytes) {
        static boolean isPossible(long bytes, int slots) {
            return bytes > 0 && bytes <= MAX_BYTES && slots > 0 && slots <= LlFreeDescriptor.MAX_SLOTS;
        }

        static Layout of(long bytes, int slots, boolean shared) {
            if (!isPossible(bytes, slots)) {
                throw new IllegalArgumentException("out of range: bytes=" + bytes + " (1.." + MAX_BYTES + ")");
            }
            long dataBytes = roundUp(bytes, CHILD_BYTES);
            long stateOffset = roundUp(COUNTERS_OFFSET + (long) slots * COUNTERS_BYTES, PAGE_BYTES);
            long stateBytes = LlFree.stateSize(dataBytes / PAGE_BYTES, slots);
            long dataOffset = shared ? roundUp(stateOffset + stateBytes, CHILD_BYTES) : 0;
            return new Layout(slots, dataBytes, stateOffset, stateBytes, dataOffset,
                    shared ? dataOffset + dataBytes : 0);
        }

        static Layout read(MemorySegment header) {
            return new Layout(header.get(ValueLayout.JAVA_INT, SLOTS_OFFSET),
                    header.get(ValueLayout.JAVA_LONG, DATA_BYTES_OFFSET),
                    header.get(ValueLayout.JAVA_LONG, STATE_OFFSET_OFFSET),
                    header.get(ValueLayout.JAVA_LONG, STATE_BYTES_OFFSET),
                    header.get(ValueLayout.JAVA_LONG, DATA_OFFSET_OFFSET),
                    header.get(ValueLayout.JAVA_LONG, FILE_BYTES_OFFSET));
        }

        void write(long header) {
            RawMemory.putIntOpaque(header + ABI_OFFSET, ABI);
            RawMemory.putIntOpaque(header + SLOTS_OFFSET, slots);
            RawMemory.putLongOpaque(header + DATA_BYTES_OFFSET, dataBytes);
            RawMemory.putLongOpaque(header + STATE_OFFSET_OFFSET, stateOffset);
            RawMemory.putLongOpaque(header + STATE_BYTES_OFFSET, stateBytes);
            RawMemory.putLongOpaque(header + DATA_OFFSET_OFFSET, dataOffset);
            RawMemory.putLongOpaque(header + FILE_BYTES_OFFSET, fileBytes);
            RawMemory.putLongRelease(header + MAGIC_OFFSET, MAGIC);
        }

        long metadataBytes() {
            return roundUp(stateOffset + stateBytes, PAGE_BYTES);
        }
    }

    /** Maps metadata and pages; fd is -1 for anonymous memory. Whose the state is, made or attached to, follows. */
    private RegionMemory(Layout layout, int fd, HugePages hugePages, boolean attach) {
        shared = fd >= 0;
        this.hugePages = hugePages;
        bytes = layout.dataBytes;
        metadata = mapMetadata(layout.metadataBytes(), fd);
        base = mapPages(bytes, fd, layout.dataOffset);
        try {
            advise(base, bytes);
            MemorySegment stateSegment = metadata.asSlice(layout.stateOffset, layout.stateBytes);
            if (attach) {
                state = LlFree.attach(stateSegment);
                expect("state_pages", bytes / PAGE_BYTES, state.pages());
                expect("state_slots", layout.slots, state.slots());
            } else {
                state = LlFree.create(stateSegment, bytes / PAGE_BYTES, layout.slots);
                layout.write(metadata.address());
            }
        } catch (RuntimeException e) {
            unmap();
            throw e;
        }
    }

    static RegionMemory create(long bytes, HugePages hugePages) {
        return new RegionMemory(Layout.of(bytes, defaultSlots(), false), -1, hugePages, false);
    }

    static RegionMemory createShared(Path path, long bytes, HugePages hugePages) throws IOException {
        Layout layout = Layout.of(bytes, defaultSlots(), true);
        int fd = open(path, Libc.O_CREAT() | Libc.O_EXCL());
        boolean done = false;
        try {
            long result = SystemCalls.ftruncate(fd, layout.fileBytes);
            if (result < 0) {
                throw new FileSystemException(path.toString(), null, "ftruncate failed: file_bytes=" + layout.fileBytes
                        + " errno=" + SystemCalls.errorName(result));
            }
            RegionMemory memory = new RegionMemory(layout, fd, hugePages, false);
            done = true;
            return memory;
        } finally {
            SystemCalls.close(fd);
            if (!done) {
                Files.deleteIfExists(path);
            }
        }
    }

    static RegionMemory attach(Path path) throws IOException {
        int fd = open(path, 0);
        try {
            return new RegionMemory(readLayout(fd), fd, HugePages.SYSTEM_DEFAULT, true);
        } catch (IllegalArgumentException e) {
            FileSystemException refused = new FileSystemException(path.toString(), null, e.getMessage());
            refused.initCause(e);
            throw refused;
        } finally {
            SystemCalls.close(fd);
        }
    }

    private static int open(Path path, int flags) throws IOException {
        long fd = SystemCalls.open(path.toAbsolutePath().toString(), Libc.O_RDWR() | Libc.O_CLOEXEC() | flags, OWNER_ONLY);
        if (fd >= 0) {
            return (int) fd;
        }
        String name = path.toString();
        int errno = (int) -fd;
        if (errno == Libc.ENOENT()) {
            throw new NoSuchFileException(name);
        } else if (errno == Libc.EEXIST()) {
            throw new FileAlreadyExistsException(name);
        } else if (errno == Libc.EACCES()) {
            throw new AccessDeniedException(name);
        }
        throw new FileSystemException(name, null, "open failed: errno=" + SystemCalls.errorName(errno));
    }

    /** Reads the header of a file, of which nothing is trusted. IllegalArgumentException says what is wrong. */
    private static Layout readLayout(int fd) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment header = arena.allocate(HEADER_BYTES, Long.BYTES);
            long read = SystemCalls.pread(fd, header, 0);
            long fileBytes = SystemCalls.fileBytes(fd);
            if (read < 0) {
                throw new IllegalArgumentException("pread failed: errno=" + SystemCalls.errorName(read));
            }
            long magic = header.get(ValueLayout.JAVA_LONG, MAGIC_OFFSET);
            if (magic != MAGIC) {
                throw new IllegalArgumentException(String.format("not a region: magic=%#x expected=%#x file_bytes=%d",
                        magic, MAGIC, fileBytes));
            }
            if (read < HEADER_BYTES) {
                throw new IllegalArgumentException("truncated: file_bytes=" + fileBytes + " header_bytes=" + HEADER_BYTES);
            }
            if (header.get(ValueLayout.JAVA_INT, ABI_OFFSET) != ABI) {
                throw new IllegalArgumentException("another version: abi=" + header.get(ValueLayout.JAVA_INT, ABI_OFFSET)
                        + " expected=" + ABI);
            }
            Layout found = Layout.read(header);
            if (!Layout.isPossible(found.dataBytes, found.slots)) {
                throw new IllegalArgumentException("contradictory: data_bytes=" + found.dataBytes + " slots=" + found.slots);
            }
            Layout expected = Layout.of(found.dataBytes, found.slots, true);
            expect("data_bytes", expected.dataBytes, found.dataBytes);
            expect("state_offset", expected.stateOffset, found.stateOffset);
            expect("state_bytes", expected.stateBytes, found.stateBytes);
            expect("data_offset", expected.dataOffset, found.dataOffset);
            expect("file_bytes", expected.fileBytes, found.fileBytes);
            if (fileBytes < found.fileBytes) {
                throw new IllegalArgumentException("truncated: file_bytes=" + fileBytes + " expected=" + found.fileBytes);
            }
            return found;
        }
    }

    private static void expect(String name, long expected, long found) {
        if (expected != found) {
            throw new IllegalArgumentException("contradictory: " + name + "=" + found + " expected=" + expected);
        }
    }

    /** Twice the processors, so that threads that come and go seldom meet; few enough to leave trees for large runs. */
    static int defaultSlots() {
        int slots = 8;
        while (slots < 2 * Runtime.getRuntime().availableProcessors() && slots < 1024) {
            slots *= 2;
        }
        return slots;
    }

    private static long roundUp(long n, long unit) {
        return (n + unit - 1) / unit * unit;
    }

    private static long mmap(long address, long bytes, int protection, int flags, int fd, long offset) {
        return SystemCalls.check(SystemCalls.mmap(address, bytes, protection, flags, fd, offset), "mmap", address, bytes);
    }

    private static MemorySegment mapMetadata(long bytes, int fd) {
        long address = mmap(0, bytes, READ_WRITE, fd < 0 ? PRIVATE : Libc.MAP_SHARED(), fd, 0);
        return MemorySegment.ofAddress(address).reinterpret(bytes, Arena.ofAuto(),
                mapped -> SystemCalls.munmap(mapped.address(), bytes));
    }

    /** Maps pages at a 2 MiB-aligned address. */
    private static long mapPages(long bytes, int fd, long offset) {
        long wide = mmap(0, bytes + CHILD_BYTES, Libc.PROT_NONE(), PRIVATE, -1, 0);
        long base = roundUp(wide, CHILD_BYTES);
        try {
            mmap(base, bytes, READ_WRITE, (fd < 0 ? PRIVATE : Libc.MAP_SHARED()) | Libc.MAP_FIXED(), fd, offset);
        } catch (SystemCallException e) {
            SystemCalls.munmap(wide, bytes + CHILD_BYTES);
            throw e;
        }
        if (base > wide) {
            SystemCalls.munmap(wide, base - wide);
        }
        SystemCalls.munmap(base + bytes, wide + CHILD_BYTES - base);
        return base;
    }

    private void advise(long address, long length) {
        if (!shared) {
            // Kernels without CONFIG_ANON_VMA_NAME do without.
            SystemCalls.nameMemory(address, length, "upa region");
        }
        if (hugePages != HugePages.SYSTEM_DEFAULT) {
            int advice = hugePages == HugePages.ADVISE ? Libc.MADV_HUGEPAGE() : Libc.MADV_NOHUGEPAGE();
            SystemCalls.check(SystemCalls.madvise(address, length, advice), "madvise", address, length);
        }
    }

    /**
     * Unmaps the pages and lets go of what is behind the metadata. In its place comes empty memory, for threads that are
     * still at work on it; the garbage collector unmaps that.
     */
    void unmap() {
        SystemCalls.munmap(base, bytes);
        SystemCalls.mmap(metadata.address(), metadata.byteSize(), READ_WRITE, PRIVATE | Libc.MAP_FIXED(), -1, 0);
    }

    /** Puts memory behind pages: 0 or -errno. */
    long populate(long address, long bytes) {
        return SystemCalls.madvise(address, bytes, Libc.MADV_POPULATE_WRITE());
    }

    /** Takes the memory from behind pages, which then read zero. */
    void drop(long address, long bytes) {
        SystemCalls.check(SystemCalls.madvise(address, bytes, shared ? Libc.MADV_REMOVE() : Libc.MADV_DONTNEED()), "madvise",
                address, bytes);
    }

    /**
     * Clears populated pages. A file may have been cut short by somebody else, or its file system may be full: the JVM
     * turns that fault into an InternalError only in its own, slower code.
     */
    void zero(long address, long bytes) {
        if (shared) {
            at(address, bytes).fill((byte) 0);
        } else {
            SystemCalls.zero(address, bytes);
        }
    }

    /**
     * Clears pages of a private region without putting memory behind those that have none: a block whose holder touched
     * little of it must not become resident because somebody needs zeros. What the kernel calls not resident may be
     * swapped out, hence MADV_DONTNEED rather than nothing. Returns the pages that were resident.
     */
    long zeroResident(long address, int pages) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment resident = arena.allocate(pages);
            if (SystemCalls.mincore(address, pages * PAGE_BYTES, resident) < 0) {
                resident.fill((byte) 1);
            }
            long cleared = 0;
            int end;
            for (int i = 0; i < pages; i = end) {
                boolean here = isResident(resident, i);
                end = i + 1;
                while (end < pages && isResident(resident, end) == here) {
                    end++;
                }
                long from = address + i * PAGE_BYTES;
                long length = (end - i) * PAGE_BYTES;
                if (here || SystemCalls.madvise(from, length, Libc.MADV_DONTNEED()) < 0) {
                    SystemCalls.zero(from, length);
                    cleared += end - i;
                }
            }
            return cleared;
        }
    }

    private static boolean isResident(MemorySegment resident, int page) {
        return (resident.get(ValueLayout.JAVA_BYTE, page) & 1) != 0;
    }

    void copy(long to, long from, long bytes) {
        MemorySegment.copy(at(from, bytes), 0, at(to, bytes), 0, bytes);
    }

    private static MemorySegment at(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    /**
     * How much of a range, from its start, the kernel has as one mapping. It refuses (EFAULT) to grow several of them in
     * place, and one, since the page behind is mapped, for want of room. To be known before MREMAP_FIXED: kernels
     * before 6.17 refuse several mappings only after they have unmapped the target, where another thread's mmap may then
     * land.
     */
    private long oneMapping(long address, long length) {
        while (!isOneMapping(address, length)) {
            length = roundUp(length / 2, length > CHILD_BYTES ? CHILD_BYTES : PAGE_BYTES);
        }
        return length;
    }

    private boolean isOneMapping(long address, long length) {
        if (address + length == base + bytes) {
            return length == PAGE_BYTES;
        }
        long result = SystemCalls.mremap(address, length, length + PAGE_BYTES, 0, 0);
        if (result == address) {
            // Something has left a hole behind.
            SystemCalls.munmap(address + length, PAGE_BYTES);
        }
        return result != -Libc.EFAULT();
    }

    /**
     * Moves memory to a range that has none: the page tables where the kernel can, else the bytes. True if all of it went
     * by page tables, so that no memory stays behind at the source.
     */
    boolean moveTables(long to, long from, long length) {
        boolean all = true;
        for (long done = 0, n; done < length; done += n) {
            n = oneMapping(from + done, length - done);
            long result = SystemCalls.mremap(from + done, n, n,
                    Libc.MREMAP_MAYMOVE() | Libc.MREMAP_FIXED() | Libc.MREMAP_DONTUNMAP(), to + done);
            if (result != to + done) {
                // Short of memory, the kernel may have left the target unmapped.
                mmap(to + done, n, READ_WRITE, PRIVATE | Libc.MAP_FIXED(), -1, 0);
                advise(to + done, n);
                copy(to + done, from + done, n);
                all = false;
            }
        }
        return all;
    }
}
