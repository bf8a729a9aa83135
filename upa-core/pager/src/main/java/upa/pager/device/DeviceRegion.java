package upa.pager.device;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;

/**
 * A region of {@code /dev/upa} whose owner has admitted this process: over a socket it got a pager's descriptor, the
 * device's, and what says where in the region's state everything is. {@code upa.h} of the module says what the calls
 * do.
 *
 * <pre>
 *   greeting: 9 numbers of 8 bytes
 *     magic "UPAPAGE1", pages, frames, bytes of the state,
 *     offsets in the state: bits of frames, header, place words, kept memory
 *     bit s: the descriptor of store s was kept
 *   header: 8 bytes frames taken, 8 bytes how often pages were taken away
 *   descriptors with it: pager, device, then those that were kept, in the order of their stores
 *   from the pager: 8 bytes, the index of a store, with its descriptor; or AT_WORK
 * </pre>
 */
public final class DeviceRegion implements PagedRegion {
    /** The bytes "UPAPAGE1". */
    private static final long MAGIC = 0x3145474150415055L;

    /** What the pager says once it serves the region, in the place of a store's index. */
    private static final long AT_WORK = -1;

    private static final int GREETING_NUMBERS = 9;
    private static final int PAGE_BYTES = 4096;
    private static final long MOST_PAGES = 1 << 28;
    /** Bytes of the memory that is kept. */
    private static final int KEPT_BYTES = 4096;

    private static final int HEADER_BYTES = 16;

    private static final long MAP_SHADOW = 1L << 40;
    private static final long MAP_STATE = 2L << 40;
    private static final long UNMAP = 0xc0305583L;
    private static final long HARVEST = 0xc0485585L;
    private static final long PAGE_IN = 0xc028558cL;
    private static final long PAGE_OUT = 0xc028558dL;
    private static final long BOUND = 0xc020558eL;

    private static final int CLEAR_ACCESSED_AND_FLUSH = 1 | 1 << 2;
    private static final int TOUCH_BYTES = 16;
    private static final int MOST_TOUCHES = 16;
    private static final int WRITE = 1;
    private static final int PATIENCE_MILLIS = 60_000;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final VarHandle INT_WORD = INT.varHandle();
    private static final VarHandle LONG_WORD = LONG.varHandle();

    private final int socket;
    private final int pager;
    private final int device;
    /** Of stores, as they were kept; -1: none, or the caller's by now. */
    private final int[] stores = new int[MOST_STORES];

    private final Shared shared;
    private final MemorySegment shadow;
    private final MemorySegment state;
    private final MemorySegment header;
    private final Arena arena = Arena.ofAuto();
    private final MemorySegment argument = arena.allocate(LONG, 9);
    private final MemorySegment touches = arena.allocate((long) TOUCH_BYTES * MOST_TOUCHES, Long.BYTES);
    private final MemorySegment bits;
    private MemorySegment awaited;
    private int awaitedFd;
    private boolean ended;

    private DeviceRegion(int socket, int[] fds, MemorySegment greeting) throws DeviceException {
        long[] n = greeting.toArray(LONG);
        boolean isSane = n[0] == MAGIC && n[1] > 0 && n[1] <= MOST_PAGES && n[2] > 0 && n[2] <= MOST_PAGES;
        if (!isSane || fds[0] < 0 || fds[1] < 0) {
            throw new DeviceException("this is no owner of a region that can be paged");
        }
        this.socket = socket;
        pager = fds[0];
        device = fds[1];
        for (int store = 0, next = 2; store < MOST_STORES; store++) {
            stores[store] = (n[8] >>> store & 1) != 0 && next < fds.length ? fds[next++] : -1;
        }
        int pages = (int) n[1];
        int frames = (int) n[2];
        shadow = Linux.map(device, Math.ceilDiv((long) pages * Integer.BYTES, PAGE_BYTES) * PAGE_BYTES, MAP_SHADOW);
        state = shadow == null || n[3] <= 0 ? null : Linux.map(device, n[3], MAP_STATE);
        if (state == null) {
            if (shadow != null) {
                Linux.unmap(shadow);
            }
            throw new DeviceException("the region's tables cannot be mapped: pages=" + pages + " state=" + n[3]);
        }
        try {
            header = state.asSlice(n[5], HEADER_BYTES);
            shared = new Shared(
                    pages,
                    frames,
                    new FramePool(state.asSlice(n[4], FramePool.bytes(frames)), header.asSlice(0, Long.BYTES), frames),
                    state.asSlice(n[6], (long) pages * Long.BYTES),
                    state.asSlice(n[7], KEPT_BYTES));
        } catch (IndexOutOfBoundsException e) {
            Linux.unmap(shadow);
            Linux.unmap(state);
            throw new DeviceException("the owner has named what its state does not hold: state=" + n[3]);
        }
        bits = arena.allocate(LONG, 2L * Math.ceilDiv(pages, Long.SIZE));
    }

    /**
     * Takes over a region.
     *
     * @param socket connected to its owner, who has been told to hand it over; closed with the region, or if this fails
     * @return the region
     * @throws DeviceException if the owner does not do so
     */
    public static DeviceRegion of(int socket) throws DeviceException {
        int[] fds = new int[2 + MOST_STORES];
        Arrays.fill(fds, -1);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment greeting = arena.allocate(LONG, GREETING_NUMBERS);
            if (Linux.poll(Linux.pollSet(arena, socket), PATIENCE_MILLIS) <= 0
                    || Linux.receive(socket, greeting, fds) != greeting.byteSize()) {
                throw new DeviceException("the owner does not admit a pager: it may have one");
            }
            return new DeviceRegion(socket, fds, greeting);
        } catch (DeviceException e) {
            Posix.closeAll(fds);
            Posix.close(socket);
            throw e;
        }
    }

    @Override
    public Shared shared() {
        return shared;
    }

    @Override
    public int descriptor(int store) {
        int fd = stores[store];
        stores[store] = -1;
        return fd;
    }

    @Override
    public void keep(int store, int fd) {
        argument.setAtIndex(LONG, 0, store);
        Linux.send(socket, argument.asSlice(0, Long.BYTES), fd);
    }

    @Override
    public void ready() {
        argument.setAtIndex(LONG, 0, AT_WORK);
        Linux.send(socket, argument.asSlice(0, Long.BYTES));
    }

    @Override
    public long unmaps() {
        return (long) LONG_WORD.getAcquire(header, (long) Long.BYTES);
    }

    @Override
    public int word(int page) {
        return (int) INT_WORD.getAcquire(shadow, (long) page * Integer.BYTES);
    }

    @Override
    public boolean change(int page, int from, int to) {
        return INT_WORD.compareAndSet(shadow, (long) page * Integer.BYTES, from, to);
    }

    private int move(long call, Transfers transfers) {
        if (transfers.count() == 0) {
            return 0;
        }
        argument.fill((byte) 0);
        argument.setAtIndex(LONG, 0, transfers.items().address());
        argument.set(INT, Long.BYTES, transfers.count());
        int error = Linux.ioctl(pager, call, argument);
        // Some transfers have failed by themselves, or the whole has, and will again.
        ended |= error < 0 && error != -Linux.EINTR;
        return error;
    }

    @Override
    public boolean hasEnded() {
        return ended;
    }

    @Override
    public boolean isOwnerGone() {
        try (Arena confined = Arena.ofConfined()) {
            // It never says anything more.
            return Linux.poll(Linux.pollSet(confined, socket), 0) > 0;
        }
    }

    @Override
    public int pageIn(Transfers transfers) {
        return move(PAGE_IN, transfers);
    }

    @Override
    public int pageOut(Transfers transfers) {
        return move(PAGE_OUT, transfers);
    }

    @Override
    public void dismiss(int page) {
        MemorySegment range = touches.asSlice(0, 2L * Long.BYTES);
        range.setAtIndex(LONG, 0, page);
        range.setAtIndex(LONG, 1, 1);
        argument.fill((byte) 0);
        argument.setAtIndex(LONG, 0, range.address());
        argument.set(INT, Long.BYTES, 1);
        Linux.ioctl(pager, UNMAP, argument);
    }

    @Override
    public int harvest(long[] accessed, long[] dirty) {
        long half = bits.byteSize() / 2;
        argument.fill((byte) 0);
        argument.setAtIndex(LONG, 1, pages());
        argument.setAtIndex(LONG, 2, bits.address());
        argument.setAtIndex(LONG, 3, bits.address() + half);
        argument.set(INT, 4L * Long.BYTES, CLEAR_ACCESSED_AND_FLUSH);
        int error = Linux.ioctl(pager, HARVEST, argument);
        MemorySegment.copy(bits, LONG, 0, accessed, 0, accessed.length);
        MemorySegment.copy(bits, LONG, half, dirty, 0, dirty.length);
        return error;
    }

    @Override
    public int bound(int most) {
        argument.fill((byte) 0);
        argument.setAtIndex(LONG, 0, most);
        return Linux.ioctl(device, BOUND, argument);
    }

    @Override
    public boolean touches(Touch touch) {
        long n = Linux.read(pager, touches);
        for (long at = 0; at < n; at += TOUCH_BYTES) {
            touch.touched((int) touches.get(LONG, at), (touches.get(INT, at + 12) & WRITE) != 0);
        }
        ended |= n <= 0 && n != -Linux.EAGAIN && n != -Linux.EINTR;
        return !ended;
    }

    @Override
    public void await(int fd, int millis) {
        if (awaited == null || awaitedFd != fd) {
            awaited = Linux.pollSet(arena, pager, socket, fd);
            awaitedFd = fd;
        }
        Linux.poll(awaited, millis);
        ended |= Linux.isReady(awaited, 1);
    }

    @Override
    public void close() {
        Linux.unmap(shadow);
        Linux.unmap(state);
        Posix.closeAll(stores);
        Posix.closeAll(pager, device, socket);
    }
}
