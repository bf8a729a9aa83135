package upa.core;

/**
 * Counters of the page frames of a {@link Region} of the back ends {@link BackEnd#PTE} and {@link BackEnd#PTE_RAW}.
 * Exact when nobody else is at work.
 *
 * @param poolBytes     frames that the region has of the kernel
 * @param maxPoolBytes  up to which it may have them
 * @param freeBytes     frames that stand at no page
 * @param attachedBytes frames that stand at a page
 * @param deferredBytes those of them that stand at a free page, still mapped
 * @param batches       calls of the kernel that took mappings away, each with one TLB shoot-down at most
 * @param detachedBytes pages from which these calls took the frame
 * @param faults        touches of pages that the kernel had not installed yet, each of which installs up to 2 MiB
 *                      (guarded only)
 * @param shootdowns    TLB shoot-downs that the kernel did
 * @param goneBytes     free frames without memory: given back, or taken under memory pressure ({@link
 *                      PteOptions#reclaim})
 */
public record FrameStats(
        long poolBytes,
        long maxPoolBytes,
        long freeBytes,
        long attachedBytes,
        long deferredBytes,
        long batches,
        long detachedBytes,
        long faults,
        long shootdowns,
        long goneBytes) {}
