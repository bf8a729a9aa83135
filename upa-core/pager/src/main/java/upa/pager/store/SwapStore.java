package upa.pager.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import upa.policy.Place;

/**
 * The kernel's swap on zram, as a place: it is told which pages go there, and brings them back by itself when they are
 * touched. So no content passes through this store: it takes none, and counts what it is told.
 */
public final class SwapStore implements Store {
    private static final Path SWAPS = Path.of("/proc/swaps");
    private static final int SIZE_FIELD = 2;
    private static final int USED_FIELD = 3;

    private final String name;
    private final long bytes;
    private final AtomicLong pages = new AtomicLong();
    private final AtomicLong out = new AtomicLong();
    private final AtomicLong in = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();

    private SwapStore(String name, long bytes) {
        this.name = name;
        this.bytes = bytes;
    }

    /**
     * Looks for swap on zram.
     *
     * @param name for messages
     * @return an empty place
     * @throws StoreException if there is none
     */
    public static SwapStore open(String name) throws StoreException {
        try {
            return of(name, Files.readAllLines(SWAPS));
        } catch (IOException e) {
            throw new StoreException("store=" + name + ": cannot read " + SWAPS + ": " + e.getMessage(), e);
        }
    }

    /** Of the text of /proc/swaps. */
    static SwapStore of(String name, List<String> swaps) throws StoreException {
        long bytes = 0;
        long free = 0;
        for (String line : swaps) {
            String[] fields = line.strip().split("\\s+");
            if (fields.length > USED_FIELD && fields[0].startsWith("/dev/zram")) {
                bytes += Long.parseLong(fields[SIZE_FIELD]) << 10;
                free += Long.parseLong(fields[SIZE_FIELD]) - Long.parseLong(fields[USED_FIELD]);
            }
        }
        if (bytes == 0) {
            throw new StoreException("store=" + name
                    + " needs swap on zram, and there is none: zramctl --find --size 1G, mkswap and swapon make it");
        }
        if (free == 0) {
            throw new StoreException("store=" + name + ": swap on zram is full, bytes=" + bytes);
        }
        return new SwapStore(name, bytes);
    }

    /**
     * Pages have gone there.
     *
     * @param count how many
     */
    public void wentOut(int count) {
        pages.addAndGet(count);
        out.addAndGet(count);
    }

    /**
     * Pages are back in memory, or have been freed.
     *
     * @param count how many
     */
    public void cameBack(int count) {
        pages.addAndGet(-count);
        in.addAndGet(count);
    }

    /**
     * Pages could not go there.
     *
     * @param count how many
     */
    public void stayed(int count) {
        refused.addAndGet(count);
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
        return all(io, PageIo.Result.UNSUITABLE);
    }

    @Override
    public CompletableFuture<PageIo> read(PageIo io) {
        return all(io, PageIo.Result.MISSING);
    }

    private static CompletableFuture<PageIo> all(PageIo io, PageIo.Result result) {
        for (int i = 0; i < io.count(); i++) {
            io.result(i, result);
        }
        return CompletableFuture.completedFuture(io);
    }

    @Override
    public void free(int[] slots, int count) {
        if (count > 0) {
            throw new IllegalArgumentException("freed twice or never in use: slot=" + slots[0]);
        }
    }

    @Override
    public void adopt(int[] slots, int count) {
        // What is there is the process's.
    }

    @Override
    public int sparse(int[] slots) {
        return 0;
    }

    @Override
    public StoreStatistics statistics() {
        return new StoreStatistics(
                pages.get(), pages.get() * PageIo.PAGE_BYTES, bytes, out.get(), in.get(), refused.get(), 0);
    }

    @Override
    public void discard() {
        // It goes with the process.
    }

    @Override
    public void close() {
        // Nothing is open.
    }
}
