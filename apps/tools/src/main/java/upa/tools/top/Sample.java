package upa.tools.top;

/**
 * What a process has shown at one instant. Counters go on from its start, or from its parent's figure if it was forked.
 *
 * @param pid            of the process
 * @param started        when, in the kernel's clock ticks after its own start: tells two processes of one number apart
 * @param command        its name, as the kernel cuts it
 * @param nanos          when it was read ({@link System#nanoTime})
 * @param maps           requests that the region has served
 * @param unmaps         and taken back
 * @param passed         mmap calls passed on to the kernel
 * @param purges         madvise calls served without the kernel
 * @param purgedBytes    by them
 * @param heapMoves      brk calls
 * @param liveBytes      in use: of the region, and the heap
 * @param retainedBytes  free and populated: of the region, and beyond the heap
 * @param lazyBytes      of that, what the kernel may take by itself (upper bound)
 * @param takenBytes     of the region, what it has taken, as far as that has been noticed
 * @param orderedBytes   given back by the process's agent on orders and bounds of other processes
 * @param agentBytes     given back by the process's agent, those by order included
 * @param bound          by another process's wish, beyond which nothing free is kept; -1: there is none
 * @param residentBytes  of the process, as the kernel counts it
 * @param clearedBytes   handed out populated, hence cleared: of the region and the heap
 * @param givenBackBytes to the kernel: of the region and the heap
 * @param faults         minor page faults of the process
 * @param note           why UPA does less than it could there; mostly empty
 */
public record Sample(
        long pid,
        long started,
        String command,
        long nanos,
        long maps,
        long unmaps,
        long passed,
        long purges,
        long purgedBytes,
        long heapMoves,
        long liveBytes,
        long retainedBytes,
        long lazyBytes,
        long takenBytes,
        long orderedBytes,
        long agentBytes,
        long bound,
        long residentBytes,
        long clearedBytes,
        long givenBackBytes,
        long faults,
        String note) {

    /** {@return calls that came to UPA} */
    public long requests() {
        return maps + unmaps + passed + purges + heapMoves;
    }
}
