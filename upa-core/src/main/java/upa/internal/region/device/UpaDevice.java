package upa.internal.region.device;

import static upa.llfree.LlFreeDescriptor.BITMAP_OFFSET;
import static upa.llfree.LlFreeDescriptor.CHILD_OFFSET;
import static upa.llfree.LlFreeDescriptor.GROUP_OFFSET;
import static upa.llfree.LlFreeDescriptor.TREE_OFFSET;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Cleaner;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import upa.core.SystemCallException;
import upa.internal.bindings.Device;
import upa.internal.bindings.Libc;
import upa.internal.bindings.upadev_allocator;
import upa.internal.bindings.upadev_allocators;
import upa.internal.bindings.upadev_batch;
import upa.internal.bindings.upadev_create;
import upa.internal.bindings.upadev_info;
import upa.internal.bindings.upadev_pager;
import upa.internal.bindings.upadev_reclaim;
import upa.internal.bindings.upadev_resize;
import upa.internal.bindings.upadev_stats;
import upa.internal.os.DeviceCalls;
import upa.internal.os.Errno;
import upa.internal.os.FileCalls;
import upa.internal.os.MemoryCalls;
import upa.internal.os.RawMemory;
import upa.internal.region.Refusal;
import upa.llfree.LlFree;

/**
 * One region of the kernel module: its open device, its mappings, and the calls on it. {@code upa.h} of the module says
 * what each of them does and promises.
 *
 * <p>The tables stay mapped as long as this object is reachable: {@link #close} puts empty memory in their place, and
 * /dev/null in that of the device, so that a thread that is still at work reads nonsense, or is told that the region is
 * closed, instead of reaching memory or a file that is somebody else's by then.
 */
final class UpaDevice {
    private static final int READ_WRITE = Libc.PROT_READ() | Libc.PROT_WRITE();
    private static final int NOTHING = Libc.MAP_PRIVATE() | Libc.MAP_ANONYMOUS() | Libc.MAP_NORESERVE();
    private static final long ALIGNMENT = Device.UPADEV_BLOCK_PAGES() * Device.UPADEV_PAGE_BYTES();
    /** So many ranges need no memory in the kernel, hence cannot fail for want of it. */
    private static final int FEW_RANGES = 8;

    /** Of ioctl(2) of any file: O_NONBLOCK. */
    private static final long FIONBIO = 0x5421;

    private static final Cleaner CLEANER = Cleaner.create();

    /** What to make. */
    record Request(Path device, boolean raw, boolean paged, long pages, long frames, long maxFrames, long stateBytes) {
        private String what() {
            return "device=" + device + " back end=" + (raw ? "pte-raw" : "pte");
        }

        /** What is charged to the locked-memory limit at once. */
        private long lockedBytes() {
            return frames * Device.UPADEV_PAGE_BYTES()
                    + (raw ? maxFrames : Long.highestOneBit(2 * maxFrames - 1)) * Long.BYTES
                    + (raw ? 0 : pages * Integer.BYTES)
                    + stateBytes;
        }
    }

    /** Touches of pages not installed yet, and TLB shoot-downs done. */
    record Counts(long faults, long shootdowns) {}

    /** Frames given back by a call, and frames of the pool that have no memory after it. */
    record Reclaimed(long pages, long gone) {}

    private final int fd;
    private final long data;
    private final long dataBytes;
    private final MemorySegment state;
    /** Guarded: the shadow table; raw: none. */
    private final MemorySegment shadow;
    /** Raw: entries by frame, and the page tables; guarded: none. */
    private final MemorySegment entries;

    private final MemorySegment tables;

    private UpaDevice(int fd, MemorySegment created) {
        this.fd = fd;
        dataBytes = upadev_create.data_bytes(created);
        data = mapData();
        try {
            state = map(Device.UPADEV_MAP_STATE(), upadev_create.state_bytes(created), READ_WRITE);
            shadow = map(Device.UPADEV_MAP_SHADOW(), upadev_create.shadow_bytes(created), READ_WRITE);
            entries = map(Device.UPADEV_MAP_ENTRIES(), upadev_create.entries_bytes(created), Libc.PROT_READ());
            tables = map(Device.UPADEV_MAP_TABLES(), upadev_create.tables_bytes(created), READ_WRITE);
        } catch (SystemCallException e) {
            MemoryCalls.munmap(data, dataBytes);
            throw e;
        }
    }

    // ---- making and unmaking ---------------------------------------------------------------------------------

    /**
     * Opens the device and makes a region.
     *
     * @throws SystemCallException with a message that says what to do about it
     */
    static UpaDevice open(Request r) {
        int fd = openDevice(r);
        try (Arena arena = Arena.ofConfined()) {
            checkModule(r, fd, arena);
            return new UpaDevice(fd, create(r, fd, arena));
        } catch (RuntimeException e) {
            FileCalls.close(fd);
            throw e;
        }
    }

    private static SystemCallException refused(long result, String call, Request r, String whatToDo) {
        return new SystemCallException(
                call + " failed: " + r.what() + " errno=" + Errno.name(result) + ": " + whatToDo, (int) -result);
    }

    private static int openDevice(Request r) {
        long fd = FileCalls.open(r.device.toString(), Libc.O_RDWR() | Libc.O_CLOEXEC(), 0);
        if (fd >= 0) {
            return (int) fd;
        }
        String whatToDo = "is that the device of upa.ko?";
        if (fd == -Libc.ENOENT()) {
            whatToDo = "load the kernel module upa.ko (insmod upa.ko), or use the back end linear";
        } else if (fd == -Libc.EACCES() || fd == -Libc.EPERM()) {
            whatToDo = "it is root's alone: run as root, or give it to this user (chown)";
        }
        throw refused(fd, "open", r, whatToDo);
    }

    private static void checkModule(Request r, int fd, Arena arena) {
        MemorySegment info = upadev_info.allocate(arena);
        long result = DeviceCalls.ioctl(fd, Device.UPADEV_INFO(), info.address());
        if (result < 0) {
            throw refused(result, "UPADEV_INFO", r, "this is not the device of upa.ko");
        }
        if (upadev_info.version(info) != Device.UPADEV_ABI_VERSION()) {
            throw refused(
                    -Libc.EPROTO(),
                    "UPADEV_INFO",
                    r,
                    "the module is of another version: version=" + upadev_info.version(info) + " expected="
                            + Device.UPADEV_ABI_VERSION());
        }
        if (r.raw && (upadev_info.modes(info) & 1 << Device.UPADEV_RAW_PTE()) == 0) {
            throw refused(
                    -Libc.EPERM(),
                    "UPADEV_INFO",
                    r,
                    String.format(
                            "raw modes are off (modes=%#x): load the"
                                    + " module with raw=1 and run with CAP_SYS_RAWIO on a kernel that is not"
                                    + " locked down, or use the"
                                    + " back end pte",
                            upadev_info.modes(info)));
        }
    }

    private static MemorySegment create(Request r, int fd, Arena arena) {
        MemorySegment created = upadev_create.allocate(arena);
        upadev_create.version(created, Device.UPADEV_ABI_VERSION());
        upadev_create.mode(created, r.raw ? Device.UPADEV_RAW_PTE() : Device.UPADEV_GUARDED());
        upadev_create.flags(created, r.paged ? Device.UPADEV_CREATE_TRACK() : 0);
        upadev_create.pages(created, r.pages);
        upadev_create.frames(created, r.frames);
        upadev_create.max_frames(created, r.maxFrames);
        upadev_create.state_bytes(created, r.stateBytes);
        long result = DeviceCalls.ioctl(fd, Device.UPADEV_CREATE(), created.address());
        if (result < 0) {
            String whatToDo = "poolBytes=" + r.frames * Device.UPADEV_PAGE_BYTES();
            if (result == -Libc.ENOMEM()) {
                whatToDo += " and tables need lockedBytes=" + r.lockedBytes() + " of RLIMIT_MEMLOCK=" + lockedLimit()
                        + " and as much free memory: raise the limit (ulimit -l), or make the pool smaller";
            }
            throw refused(result, "UPADEV_CREATE", r, whatToDo);
        }
        return created;
    }

    /** The soft limit on locked memory, as the kernel writes it. */
    private static String lockedLimit() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
                if (line.startsWith("Max locked memory")) {
                    return line.substring("Max locked memory".length()).strip().split(" +")[0];
                }
            }
            return "unknown";
        } catch (IOException e) {
            return "unknown";
        }
    }

    /** Maps the data at a 2 MiB-aligned address. */
    private long mapData() {
        long wideBytes = dataBytes + ALIGNMENT;
        long reserved = MemoryCalls.mmap(0, wideBytes, Libc.PROT_NONE(), NOTHING, -1, 0);
        long wide = Refusal.check(reserved, "mmap", 0, wideBytes);
        long address = (wide + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        long result = MemoryCalls.mmap(
                address, dataBytes, READ_WRITE, Libc.MAP_SHARED() | Libc.MAP_FIXED(), fd, Device.UPADEV_MAP_DATA());
        if (result != address) {
            MemoryCalls.munmap(wide, wideBytes);
            throw new SystemCallException(
                    "mmap of the data failed: bytes=" + dataBytes + " errno=" + Errno.name(result), (int) -result);
        }
        if (address > wide) {
            MemoryCalls.munmap(wide, address - wide);
        }
        long end = address + dataBytes;
        if (wide + wideBytes > end) {
            MemoryCalls.munmap(end, wide + wideBytes - end);
        }
        return address;
    }

    private MemorySegment map(long offset, long bytes, int protection) {
        if (bytes == 0) {
            return MemorySegment.NULL;
        }
        long result = MemoryCalls.mmap(0, bytes, protection, Libc.MAP_SHARED(), fd, offset);
        long address = Refusal.check(result, "mmap", 0, bytes);
        return MemorySegment.ofAddress(address)
                .reinterpret(bytes, Arena.ofAuto(), mapped -> MemoryCalls.munmap(mapped.address(), bytes));
    }

    /** Gives all frames back to the kernel. Who calls has made sure that nobody touches the data any more. */
    void close() {
        long nothing = FileCalls.open("/dev/null", Libc.O_RDWR() | Libc.O_CLOEXEC(), 0);
        if (nothing >= 0) {
            int kept = fd;
            DeviceCalls.dup2((int) nothing, kept);
            FileCalls.close((int) nothing);
            CLEANER.register(this, () -> FileCalls.close(kept));
        } else {
            FileCalls.close(fd);
        }
        MemoryCalls.munmap(data, dataBytes);
        for (MemorySegment table : new MemorySegment[] {state, shadow, entries, tables}) {
            if (table.byteSize() > 0) {
                MemoryCalls.mmap(table.address(), table.byteSize(), READ_WRITE, NOTHING | Libc.MAP_FIXED(), -1, 0);
            }
        }
    }

    // ---- where everything is ---------------------------------------------------------------------------------

    /** {@return the address of the first page} */
    long data() {
        return data;
    }

    /** {@return the memory for the allocator's state} */
    MemorySegment state() {
        return state;
    }

    /** {@return the address of the shadow table, guarded only: an int for each page, its frame + 1 or 0} */
    long shadow() {
        return shadow.address();
    }

    /** {@return the address of the entries, raw only: a long for each frame} */
    long entries() {
        return entries.address();
    }

    /** {@return the address of the page tables, raw only: a long for each page} */
    long tables() {
        return tables.address();
    }

    /** {@return the size of all that is not data} */
    long tableBytes() {
        return state.byteSize() + shadow.byteSize() + entries.byteSize() + tables.byteSize();
    }

    // ---- calls -----------------------------------------------------------------------------------------------

    /** A call on a region that is closed ends up at /dev/null, or finds its data unmapped. */
    private static long checkOpen(long result) {
        if (result == -Libc.ENOTTY() || result == -Libc.EBADF() || result == -Libc.ENXIO()) {
            throw new IllegalStateException("region is closed");
        }
        return result;
    }

    /** Makes the pool larger or (guarded only) smaller: 0 or -errno. */
    long resize(long frames) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = upadev_resize.allocate(arena);
            upadev_resize.frames(request, frames);
            return checkOpen(DeviceCalls.ioctl(fd, Device.UPADEV_RESIZE(), request.address()));
        }
    }

    /** Guarded: installs what the shadow table says of these pages, rather than when they are touched: 0 or -errno. */
    long install(long page, long count) {
        return batch(Device.UPADEV_MAP(), new long[] {page, count}, 1);
    }

    /**
     * Guarded: takes the mappings of the pages away, with one shoot-down. Returns the number of calls that took.
     *
     * @param ranges first page and number of pages of each range, in turn; 1 .. UPADEV_MAX_RANGES
     * @param count  how many ranges
     */
    int empty(long[] ranges, int count) {
        long result = batch(Device.UPADEV_UNMAP(), ranges, count);
        if (result != -Libc.ENOMEM() || count <= FEW_RANGES) {
            Refusal.check(result, "UPADEV_UNMAP", data, dataBytes);
            return 1;
        }
        int calls = 0;
        for (int i = 0; i < count; i += FEW_RANGES) {
            calls += empty(
                    Arrays.copyOfRange(ranges, 2 * i, 2 * Math.min(i + FEW_RANGES, count)),
                    Math.min(FEW_RANGES, count - i));
        }
        return calls;
    }

    private long batch(long call, long[] ranges, int count) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment list = arena.allocate(2L * Long.BYTES * count, Long.BYTES);
            MemorySegment.copy(ranges, 0, list, ValueLayout.JAVA_LONG, 0, 2 * count);
            MemorySegment request = upadev_batch.allocate(arena);
            upadev_batch.ranges(request, list.address());
            upadev_batch.count(request, count);
            return checkOpen(DeviceCalls.ioctl(fd, call, request.address()));
        }
    }

    /** Tells the module where the allocators and the marks are: from then on it may take what is unused. */
    void declare(LlFree pages, LlFree frames, long marksOffset) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = upadev_allocators.allocate(arena);
            describe(upadev_allocators.frames(request), frames);
            declare(request, pages, marksOffset);
        }
    }

    /** The same where a pager has the frames: no tree or group of them is taken as a whole, so their words stay. */
    void declare(LlFree pages, PagedLayout layout) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = upadev_allocators.allocate(arena);
            MemorySegment frames = upadev_allocators.frames(request);
            upadev_allocator.units(frames, layout.frames());
            upadev_allocator.group_offset(frames, layout.groupsOf());
            upadev_allocator.tree_offset(frames, layout.treesOf());
            upadev_allocator.child_offset(frames, layout.childrenOf());
            upadev_allocator.bitmap_offset(frames, layout.bits());
            for (long tree = 0; tree < layout.trees(); tree++) {
                state.set(ValueLayout.JAVA_INT, layout.treesOf() + tree * Integer.BYTES, Device.UPADEV_TREE_OPEN());
            }
            declare(request, pages, layout.marksOffset());
        }
    }

    private void declare(MemorySegment request, LlFree pages, long marksOffset) {
        describe(upadev_allocators.pages(request), pages);
        upadev_allocators.marks_offset(request, marksOffset);
        long result = checkOpen(DeviceCalls.ioctl(fd, Device.UPADEV_ALLOCATORS(), request.address()));
        Refusal.check(result, "UPADEV_ALLOCATORS", data, dataBytes);
    }

    /** A descriptor for a pager, or -errno. Without one a touch of a page that is away is a SIGBUS. */
    long admit() {
        return pagerCall(Device.UPADEV_ADMIT());
    }

    /** After it no pager has an effect: 0, or -ENOENT if none was ever admitted. */
    long revoke() {
        return pagerCall(Device.UPADEV_REVOKE());
    }

    /** A pager that asks for touches does not wait for one: it waits for other things as well. */
    void makeNonBlocking(int pager) {
        try (Arena arena = Arena.ofConfined()) {
            DeviceCalls.ioctl(
                    pager, FIONBIO, arena.allocateFrom(ValueLayout.JAVA_INT, 1).address());
        }
    }

    private long pagerCall(long call) {
        try (Arena arena = Arena.ofConfined()) {
            return checkOpen(
                    DeviceCalls.ioctl(fd, call, upadev_pager.allocate(arena).address()));
        }
    }

    /** {@return the open device, to be handed on} */
    int descriptor() {
        return fd;
    }

    private void describe(MemorySegment allocator, LlFree a) {
        long start = a.segment().address();
        long offset = start - state.address();
        upadev_allocator.units(allocator, a.pages());
        upadev_allocator.group_offset(allocator, offset + RawMemory.getLongOpaque(start + GROUP_OFFSET));
        upadev_allocator.tree_offset(allocator, offset + RawMemory.getLongOpaque(start + TREE_OFFSET));
        upadev_allocator.child_offset(allocator, offset + RawMemory.getLongOpaque(start + CHILD_OFFSET));
        upadev_allocator.bitmap_offset(allocator, offset + RawMemory.getLongOpaque(start + BITMAP_OFFSET));
    }

    /** Only after {@link #declare}: gives about so many unused frames back. */
    Reclaimed reclaim(long pages) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = upadev_reclaim.allocate(arena);
            upadev_reclaim.pages(request, pages);
            long result = checkOpen(DeviceCalls.ioctl(fd, Device.UPADEV_RECLAIM(), request.address()));
            Refusal.check(result, "UPADEV_RECLAIM", data, dataBytes);
            return new Reclaimed(upadev_reclaim.reclaimed(request), upadev_reclaim.gone(request));
        }
    }

    /** Raw: returns after no processor holds a translation any more that was taken out of the tables before. */
    void flush() {
        long result = DeviceCalls.fsync(fd);
        // /dev/null knows no fsync; the device itself says UPADEV_DONE.
        boolean isNull = result == 0 || result == -Libc.EINVAL();
        Refusal.check(checkOpen(isNull ? -Libc.ENOTTY() : result), "fsync of the device", data, dataBytes);
    }

    /** {@return what the kernel has counted} */
    Counts counts() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment stats = upadev_stats.allocate(arena);
            long result = checkOpen(DeviceCalls.ioctl(fd, Device.UPADEV_STATS(), stats.address()));
            Refusal.check(result, "UPADEV_STATS", data, dataBytes);
            return new Counts(upadev_stats.faults(stats), upadev_stats.shootdowns(stats));
        }
    }
}
