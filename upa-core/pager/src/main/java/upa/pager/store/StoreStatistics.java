package upa.pager.store;

import java.util.List;

/**
 * What a store holds and has done.
 *
 * @param pages      slots in use
 * @param bytesUsed  space that they take, with what is lost to alignment and sparse segments
 * @param bytesLimit most that it may take
 * @param written    pages written
 * @param read       pages read
 * @param refused    pages that it did not take, because it was full or they do not compress
 * @param failed     pages that were damaged, missing or unreachable
 */
public record StoreStatistics(
        long pages, long bytesUsed, long bytesLimit, long written, long read, long refused, long failed) {
    /** {@return all of them, in this order} */
    public List<Long> numbers() {
        return List.of(pages, bytesUsed, bytesLimit, written, read, refused, failed);
    }

    /**
     * The reverse.
     *
     * @param n all of them, in this order
     * @return what a store holds and has done
     */
    public static StoreStatistics of(long[] n) {
        int i = 0;
        return new StoreStatistics(n[i++], n[i++], n[i++], n[i++], n[i++], n[i++], n[i]);
    }
}
