package upa.tools.trace;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.HdrHistogram.Histogram;
import upa.tools.trace.LiveBlocks.Block;

/**
 * What a trace says of a program: how much memory it asked for, in which sizes, how long it kept it, and how much of
 * what it asked for it had freed before. The last figure bounds what a page allocator in user mode can gain.
 *
 * <p>Memory here is private, anonymous, readable and writable memory at addresses of the kernel's choice ({@link
 * TraceRecord#isMemoryRequest}); other mappings are counted and no more.
 *
 * @param command         of the process
 * @param ended           whether it ended by exit()
 * @param duration        of the trace
 * @param lost            requests without a record
 * @param requests        records by kind; a resize counts once
 * @param failed          of these, those that failed
 * @param served          of these, those that UPA served
 * @param threads         threads that made them
 * @param memoryRequests  mmap calls for memory
 * @param servedMemoryRequests of these, those that UPA served
 * @param memoryBytes     asked for by mmap and by growing resizes, in whole pages
 * @param refaultedBytes  of memoryBytes and heapGrownBytes, what had been freed before: at every instant at most what
 *         is free
 * @param commits         mmap calls with MAP_FIXED for such memory: runtimes open parts of what they have reserved so
 * @param committedBytes  by them
 * @param peakBytes       most memory mapped at once, heap left out
 * @param endBytes        mapped at the end
 * @param heapGrownBytes  by brk
 * @param heapShrunkBytes by brk
 * @param purges          madvise calls with MADV_DONTNEED or MADV_FREE
 * @param servedPurges    of these, those that UPA served
 * @param purgedBytes     named by them
 * @param sizes           the memory requests by size, only those classes that came up
 */
public record TraceSummary(
        String command,
        boolean ended,
        Duration duration,
        long lost,
        Map<TraceRecord.Kind, Long> requests,
        long failed,
        long served,
        int threads,
        long memoryRequests,
        long servedMemoryRequests,
        long memoryBytes,
        long refaultedBytes,
        long commits,
        long committedBytes,
        long peakBytes,
        long endBytes,
        long heapGrownBytes,
        long heapShrunkBytes,
        long purges,
        long servedPurges,
        long purgedBytes,
        List<SizeClass> sizes) {

    private static final int PAGE_BYTES = 4096;

    /** Keeps its own copies. */
    public TraceSummary {
        requests = Map.copyOf(requests);
        sizes = List.copyOf(sizes);
    }

    /**
     * Reads a whole trace.
     *
     * @param trace stays open
     * @return what it says
     * @throws TraceException as {@link Trace#forEach}
     */
    public static TraceSummary of(Trace trace) throws TraceException {
        Builder builder = new Builder();
        trace.forEach(builder::add);
        return builder.build(trace);
    }

    /** {@return all requests} */
    public long allRequests() {
        return requests.values().stream().mapToLong(Long::longValue).sum();
    }

    /**
     * {@return page faults that the program's requests cost at most and UPA could spare it: refaultedBytes and
     * purgedBytes in pages}
     */
    public long avoidableFaults() {
        return (refaultedBytes + purgedBytes) / PAGE_BYTES;
    }

    private static long pages(long bytes) {
        return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    }

    private static int log2(long bytes) {
        return Long.SIZE - 1 - Long.numberOfLeadingZeros(bytes);
    }

    /** Of one size class. */
    private static final class Sizes {

        private static final int DIGITS = 2;

        private final Histogram lifetimes = new Histogram(DIGITS);
        private final Histogram idle = new Histogram(DIGITS);
        private final Deque<Long> freedNs = new ArrayDeque<>();
        private long requests;
        private long served;
        private long bytes;

        private SizeClass build(int log2) {
            return new SizeClass(
                    1L << log2,
                    requests,
                    served,
                    bytes,
                    lifetimes.getTotalCount(),
                    percentile(lifetimes, 50),
                    percentile(lifetimes, 90),
                    idle.getTotalCount(),
                    percentile(idle, 50));
        }

        private static long percentile(Histogram h, int percent) {
            return h.getTotalCount() == 0 ? 0 : h.getValueAtPercentile(percent);
        }
    }

    private static final class Builder {

        private final Map<TraceRecord.Kind, Long> requests = new EnumMap<>(TraceRecord.Kind.class);
        private final Sizes[] sizes = new Sizes[Long.SIZE];
        private final LiveBlocks live = new LiveBlocks(this::ended);
        /**
         * Per thread, the bytes mapped of the blocks that it is resizing: a signal handler may be in one over another.
         */
        private final Map<Integer, Deque<Long>> resizes = new HashMap<>();

        private final Map<Integer, Boolean> threads = new HashMap<>();
        private boolean resizing;
        private long now;
        private long failed;
        private long served;
        private long memoryRequests;
        private long servedMemoryRequests;
        private long memoryBytes;
        private long refaultedBytes;
        private long freeBytes;
        private long commits;
        private long committedBytes;
        private long peakBytes;
        private long heapGrown;
        private long heapShrunk;
        private long purges;
        private long servedPurges;
        private long purgedBytes;

        private void add(TraceRecord r) {
            now = r.ns();
            threads.put(r.thread(), true);
            if (r.kind() != TraceRecord.Kind.RESIZED) {
                requests.merge(r.kind(), 1L, Long::sum);
                failed += r.is(TraceRecord.FAILED) ? 1 : 0;
                served += r.is(TraceRecord.SERVED) ? 1 : 0;
            }
            if (!r.is(TraceRecord.FAILED)) {
                succeeded(r);
            }
            peakBytes = Math.max(peakBytes, live.bytes());
        }

        private void succeeded(TraceRecord r) {
            long bytes = pages(r.bytes());
            switch (r.kind()) {
                case MAP -> map(r, bytes);
                case UNMAP -> freeBytes += live.remove(r.address(), bytes);
                case RESIZE -> resize(r, bytes);
                case RESIZED -> resized(r, bytes);
                case BREAK -> moveBreak(r);
                case ADVISE -> {
                    if (r.isPurge()) {
                        purges++;
                        servedPurges += r.is(TraceRecord.SERVED) ? 1 : 0;
                        purgedBytes += bytes;
                    }
                }
                case PROTECT -> {}
                default -> throw new AssertionError("kind=" + r.kind());
            }
        }

        private void map(TraceRecord r, long bytes) {
            if (!r.isMemoryRequest() || bytes == 0) {
                if (r.isCommit()) {
                    commits++;
                    committedBytes += bytes;
                }
                // Mapped by force over what was there, or foreign and nothing to us.
                freeBytes += live.remove(r.address(), bytes);
                return;
            }
            Sizes s = sizes(bytes);
            memoryRequests++;
            s.requests++;
            s.bytes += bytes;
            if (r.is(TraceRecord.SERVED)) {
                servedMemoryRequests++;
                s.served++;
            }
            Long freed = s.freedNs.poll();
            if (freed != null) {
                s.idle.recordValue(Math.max(0, now - freed));
            }
            got(bytes);
            freeBytes += live.remove(r.address(), bytes);
            live.add(r.address(), new Block(bytes, now));
        }

        private void got(long bytes) {
            long again = Math.min(bytes, freeBytes);
            memoryBytes += bytes;
            refaultedBytes += again;
            freeBytes -= again;
        }

        private void resize(TraceRecord r, long bytes) {
            resizing = true;
            resizes.computeIfAbsent(r.thread(), t -> new ArrayDeque<>()).push(live.remove(r.address(), bytes));
            resizing = false;
        }

        private void resized(TraceRecord r, long bytes) {
            Deque<Long> open = resizes.get(r.thread());
            Long found = open == null ? null : open.poll();
            if (found == null) {
                return;
            }
            long was = found;
            // Its pages move along; only what is more or less than before is asked for or freed.
            if (bytes > was && was > 0) {
                got(bytes - was);
            } else {
                freeBytes += was - Math.min(was, bytes);
            }
            if (was > 0) {
                live.add(r.address(), new Block(bytes, now));
            }
        }

        private void moveBreak(TraceRecord r) {
            if (r.is(TraceRecord.SHRINKS)) {
                heapShrunk += r.bytes();
                freeBytes += r.bytes();
                return;
            }
            long again = Math.min(r.bytes(), freeBytes);
            heapGrown += r.bytes();
            refaultedBytes += again;
            freeBytes -= again;
        }

        private void ended(Block block) {
            Sizes s = sizes(block.bytes);
            s.lifetimes.recordValue(Math.max(0, now - block.bornNs));
            if (!resizing) {
                s.freedNs.push(now);
            }
        }

        private Sizes sizes(long bytes) {
            int i = log2(bytes);
            if (sizes[i] == null) {
                sizes[i] = new Sizes();
            }
            return sizes[i];
        }

        private TraceSummary build(Trace trace) {
            List<SizeClass> classes = new ArrayList<>();
            for (int i = 0; i < sizes.length; i++) {
                if (sizes[i] != null && sizes[i].requests > 0) {
                    classes.add(sizes[i].build(i));
                }
            }
            return new TraceSummary(
                    trace.command(),
                    trace.ended(),
                    trace.ended() ? trace.duration() : Duration.ofNanos(now),
                    trace.lost(),
                    requests,
                    failed,
                    served,
                    threads.size(),
                    memoryRequests,
                    servedMemoryRequests,
                    memoryBytes,
                    refaultedBytes,
                    commits,
                    committedBytes,
                    peakBytes,
                    live.bytes(),
                    heapGrown,
                    heapShrunk,
                    purges,
                    servedPurges,
                    purgedBytes,
                    classes);
        }
    }
}
