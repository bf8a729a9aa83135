package upa.pager.store;

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
        long pages, long bytesUsed, long bytesLimit, long written, long read, long refused, long failed) {}
