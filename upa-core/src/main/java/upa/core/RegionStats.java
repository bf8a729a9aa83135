package upa.core;

/**
 * Counters of a {@link Region}, in bytes or calls. Those of a shared region count what all its processes did. Exact
 * when nobody else is at work.
 *
 * @param capacityBytes  size of the region
 * @param allocatedBytes mapped now
 * @param retainedBytes  free, with memory behind it (upper bound); free page frames count as well
 * @param metadataBytes  address space of the metadata; touched only as far as it is used
 * @param maps           calls that took pages: map, mapAt, a resize that grows
 * @param unmaps         calls that freed pages: unmap, a resize that shrinks or moves
 * @param failures       calls that found no room, or no memory for what they found
 * @param clearedBytes   old bytes overwritten with zeros, for a caller or by {@link Region#clear}
 * @param movedBytes     by resize: copied, or their page tables or frames moved; and from free memory to large runs
 * @param givenBackBytes given back to the kernel
 * @param frames         page frames, of the back ends that hold them; null in a {@link BackEnd#LINEAR} region
 */
public record RegionStats(
        long capacityBytes,
        long allocatedBytes,
        long retainedBytes,
        long metadataBytes,
        long maps,
        long unmaps,
        long failures,
        long clearedBytes,
        long movedBytes,
        long givenBackBytes,
        FrameStats frames) {}
