package upa.pager.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import upa.policy.Place;

/**
 * The kernel's swap on zram, as a place: it is told which pages go there, and brings them back by itself when they are
 * touched.
 */
public final class SwapStore extends MappedStore {
    private static final Path SWAPS = Path.of("/proc/swaps");
    private static final int SIZE_FIELD = 2;
    private static final int USED_FIELD = 3;

    private SwapStore(String name, long bytes) {
        super(name, bytes);
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

    @Override
    public Place.Kind kind() {
        return Place.Kind.COMPRESSED;
    }
}
