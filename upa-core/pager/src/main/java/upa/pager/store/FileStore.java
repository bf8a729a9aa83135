package upa.pager.store;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import upa.pager.posix.Posix;
import upa.policy.Place;

/**
 * A file, read and written without the page cache, up to 256 KiB at a time: a log of segments. Space of segments in
 * which nothing is in use any more goes back to the file system. The file has no name: it is gone when nobody has it
 * open.
 */
public final class FileStore implements Store {
    private static final int SEGMENT_BYTES = SegmentLog.SEGMENT_PAGES * PageIo.PAGE_BYTES;
    /** Smallest limit. */
    public static final long LEAST_BYTES = 1 << 20;

    private final String name;
    private final int fd;
    private final long limit;
    private final Workers workers;
    private final ThreadLocal<PageIo> scratch =
            ThreadLocal.withInitial(() -> new PageIo(Arena.ofAuto(), SegmentLog.SEGMENT_PAGES));
    private final SegmentLog log;
    private final AtomicLong written = new AtomicLong();
    private final AtomicLong read = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();

    private FileStore(String name, int fd, long limit) {
        this.name = name;
        this.fd = fd;
        this.limit = limit;
        workers = new Workers(name, 1, 1);
        log = new SegmentLog((int) (limit / SEGMENT_BYTES));
    }

    /**
     * Makes a store.
     *
     * @param name   for messages
     * @param folder where its file lies
     * @param limit  most bytes of it, at least {@link #LEAST_BYTES}
     * @return an empty store
     * @throws StoreException if no file can be made there, or it would lie in memory
     */
    public static FileStore create(String name, Path folder, long limit) throws StoreException {
        if (Files.exists(folder) && !Files.isDirectory(folder)) {
            throw new StoreException("cannot keep pages in folder=" + folder + ": it is no folder");
        }
        if (!Files.isDirectory(folder)) {
            throw new StoreException("cannot keep pages in folder=" + folder + ": there is no such folder");
        }
        if (!Files.isWritable(folder)) {
            throw new StoreException("cannot keep pages in folder=" + folder + ": it is not writable");
        }
        try {
            String type = Files.getFileStore(folder).type();
            if (type.equals("tmpfs") || type.equals("ramfs")) {
                throw new StoreException(
                        "cannot keep pages in folder=" + folder + ": it lies in memory (" + type + ")");
            }
        } catch (IOException e) {
            throw new StoreException("cannot keep pages in folder=" + folder + ": " + e.getMessage(), e);
        }
        byte[] random = new byte[8];
        new Random().nextBytes(random);
        Path file = folder.resolve("upa-" + HexFormat.of().formatHex(random) + ".pages");
        int fd = Posix.open(file.toString(), Posix.CREATE_NEW_DIRECT, 0600);
        if (fd < 0) {
            throw new StoreException("cannot make file=" + file + ": errno=" + -fd
                    + (fd == -Posix.EINVAL ? ", its file system has no direct access (O_DIRECT)" : ""));
        }
        file.toFile().delete();
        return open(name, fd, limit);
    }

    /**
     * Makes a store of a file that is open already.
     *
     * @param name  for messages
     * @param fd    its descriptor, which is now the store's; open for direct access
     * @param limit most bytes of it, at least {@link #LEAST_BYTES}
     * @return a store that is empty until slots are adopted
     * @throws StoreException if the limit is out of range
     */
    public static FileStore open(String name, int fd, long limit) throws StoreException {
        if (limit < LEAST_BYTES || limit / PageIo.PAGE_BYTES > MAX_SLOTS) {
            Posix.close(fd);
            throw new StoreException("store=" + name + " has bytes=" + limit + ", needs " + LEAST_BYTES + " to "
                    + (long) MAX_SLOTS * PageIo.PAGE_BYTES);
        }
        return new FileStore(name, fd, limit);
    }

    /** {@return descriptor of its file, for a successor; the store's own} */
    public int descriptor() {
        return fd;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Place.Kind kind() {
        return Place.Kind.FILE;
    }

    private static long position(int slot) {
        return (long) slot * PageIo.PAGE_BYTES;
    }

    @Override
    public CompletableFuture<PageIo> write(PageIo io) {
        return workers.write(io, this::writeNow);
    }

    private void writeNow(PageIo io) {
        int i = 0;
        while (i < io.count()) {
            int slot;
            int pages;
            synchronized (log) {
                slot = log.allocate(io.count() - i);
                pages = slot == SegmentLog.NONE ? 0 : log.taken(slot);
            }
            if (slot == SegmentLog.NONE) {
                for (; i < io.count(); i++) {
                    io.result(i, PageIo.Result.FULL);
                    refused.incrementAndGet();
                }
                return;
            }
            PageIo.Result result = writeRun(io, i, pages, slot);
            for (int k = 0; k < pages; k++, i++) {
                io.slot(i, slot + k);
                io.result(i, result);
                (result == PageIo.Result.OK ? written : refused).incrementAndGet();
                if (result != PageIo.Result.OK) {
                    release(slot + k);
                }
            }
        }
    }

    private PageIo.Result writeRun(PageIo io, int first, int pages, int slot) {
        long bytes = (long) pages * PageIo.PAGE_BYTES;
        MemorySegment from = io.data().asSlice((long) first * PageIo.PAGE_BYTES, bytes);
        long done = 0;
        while (done < bytes) {
            long n = Posix.pwrite(fd, from.asSlice(done), position(slot) + done);
            if (n <= 0) {
                return n == -Posix.ENOSPC || n == -Posix.EDQUOT ? PageIo.Result.FULL : PageIo.Result.UNREACHABLE;
            }
            done += n;
        }
        return PageIo.Result.OK;
    }

    @Override
    public CompletableFuture<PageIo> read(PageIo io) {
        return workers.read(io, this::readNow);
    }

    private void readNow(PageIo io) {
        long[] order = new long[io.count()];
        int wanted = 0;
        for (int i = 0; i < io.count(); i++) {
            boolean known;
            synchronized (log) {
                known = log.isUsed(io.slot(i));
            }
            if (known) {
                order[wanted++] = (long) io.slot(i) << 32 | i;
            } else {
                io.result(i, PageIo.Result.MISSING);
                failed.incrementAndGet();
            }
        }
        Arrays.sort(order, 0, wanted);
        int from = 0;
        while (from < wanted) {
            int to = from + 1;
            while (to < wanted
                    && to - from < SegmentLog.SEGMENT_PAGES
                    && (int) (order[to] >>> 32) == (int) (order[to - 1] >>> 32) + 1) {
                to++;
            }
            readRun(io, order, from, to);
            from = to;
        }
    }

    /** Reads pages that lie in a row in the file, wherever they lie in the batch. */
    private void readRun(PageIo io, long[] order, int from, int to) {
        PageIo row = scratch.get();
        MemorySegment bytes = row.data().asSlice(0, (long) (to - from) * PageIo.PAGE_BYTES);
        long got = 0;
        long n = 1;
        while (got < bytes.byteSize() && n > 0) {
            n = Posix.pread(fd, bytes.asSlice(got), position((int) (order[from] >>> 32)) + got);
            got += Math.max(n, 0);
        }
        boolean reached = n >= 0;
        for (int k = from; k < to; k++) {
            int i = (int) order[k];
            int offset = (k - from) * PageIo.PAGE_BYTES;
            if (offset + PageIo.PAGE_BYTES <= got) {
                MemorySegment.copy(row.data(), offset, io.data(), (long) i * PageIo.PAGE_BYTES, PageIo.PAGE_BYTES);
                io.verify(i);
            } else {
                io.result(i, reached ? PageIo.Result.MISSING : PageIo.Result.UNREACHABLE);
            }
            (io.result(i) == PageIo.Result.OK ? read : failed).incrementAndGet();
        }
    }

    private void release(int slot) {
        int segment;
        synchronized (log) {
            segment = log.free(slot);
        }
        if (segment != SegmentLog.NONE) {
            workers.later(() -> giveBack(segment));
        }
    }

    /** In the writer's thread: nothing can be written there until it has been done. */
    private void giveBack(int segment) {
        Posix.fallocate(fd, Posix.PUNCH_HOLE_KEEP_SIZE, (long) segment * SEGMENT_BYTES, SEGMENT_BYTES);
        synchronized (log) {
            log.recycled(segment);
        }
    }

    @Override
    public void free(int[] slots, int count) {
        for (int i = 0; i < count; i++) {
            release(slots[i]);
        }
    }

    @Override
    public void adopt(int[] slots, int count) {
        synchronized (log) {
            for (int i = 0; i < count; i++) {
                log.adopt(slots[i]);
            }
        }
    }

    @Override
    public int sparse(int[] slots) {
        synchronized (log) {
            return log.sparse(slots);
        }
    }

    @Override
    public StoreStatistics statistics() {
        synchronized (log) {
            return new StoreStatistics(
                    log.pages(),
                    (long) log.segmentsInUse() * SEGMENT_BYTES,
                    limit,
                    written.get(),
                    read.get(),
                    refused.get(),
                    failed.get());
        }
    }

    @Override
    public void discard() {
        Posix.ftruncate(fd, 0);
    }

    @Override
    public void close() {
        if (workers.close()) {
            Posix.close(fd);
        }
    }
}
