package upa.tools.trace;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TraceSummaryTest {

    private static final long MIB = 1 << 20;
    private static final long A = 0x7000_0000_0000L;
    private static final long B = 0x7100_0000_0000L;
    private static final int RESIZE = 3;
    private static final int RESIZED = 4;

    @TempDir
    Path folder;

    private TraceSummary summary(TraceFile trace) throws Exception {
        try (Trace t = Trace.open(trace.write(folder.resolve("t"), 1_000_000))) {
            return TraceSummary.of(t);
        }
    }

    @Test
    void lifetimesAndReuseBySize() throws Exception {
        TraceSummary s = summary(new TraceFile()
                .at(0)
                .served(A, MIB + 1)
                .at(100)
                .unmap(A, MIB + 1)
                .at(150)
                .map(B, 2 * MIB - 4096)
                .at(450)
                .unmap(B, 2 * MIB - 4096)
                .at(460)
                .map(A, 4096));
        assertEquals(2, s.sizes().size());
        assertEquals(new SizeClass(4096, 1, 0, 4096, 0, 0, 0, 0, 0), s.sizes().get(0));
        SizeClass large = s.sizes().get(1);
        assertEquals(new SizeClass(MIB, 2, 1, 3 * MIB, 2, 100, large.p90LifetimeNs(), 1, 50), large);
        assertEquals(300, large.p90LifetimeNs(), 3);
        assertEquals(3, s.memoryRequests());
        assertEquals(1, s.servedMemoryRequests());
        assertEquals(3 * MIB + 4096, s.memoryBytes());
        assertEquals(MIB + 4096 + 4096, s.refaultedBytes());
        assertEquals(2 * MIB - 4096, s.peakBytes());
        assertEquals(4096, s.endBytes());
    }

    @Test
    void aBlockLivesUntilItsLastPageIsGone() throws Exception {
        TraceSummary s = summary(new TraceFile()
                .at(0)
                .map(A, 8 * MIB)
                .at(10)
                .unmap(A, MIB)
                .at(20)
                .unmap(A + 7 * MIB, MIB)
                .at(1000)
                .unmap(A - MIB, 100 * MIB));
        assertEquals(1, s.sizes().getFirst().ended());
        assertEquals(1000, s.sizes().getFirst().medianLifetimeNs(), 10);
        assertEquals(0, s.endBytes());
        assertEquals(8 * MIB, s.peakBytes());
    }

    @Test
    void aResizeTakesItsPagesAlong() throws Exception {
        TraceSummary s = summary(new TraceFile()
                .map(A, 4 * MIB)
                .record(RESIZE, A, 4 * MIB, 0, 1, 1)
                .record(1, A + 64 * MIB, MIB, TraceRecord.ANONYMOUS, 3, 2)
                .record(RESIZED, B, 6 * MIB, 0, 1, 1)
                .unmap(B, 6 * MIB));
        assertEquals(2, s.memoryRequests());
        assertEquals(4 * MIB + MIB + 2 * MIB, s.memoryBytes());
        assertEquals(0, s.refaultedBytes());
        assertEquals(MIB, s.endBytes());
        assertEquals(1, s.requests().get(TraceRecord.Kind.RESIZE));
        assertEquals(4, s.allRequests());
        assertEquals(2, s.threads());
    }

    @Test
    void whatIsMappedByForceEndsWhatWasThere() throws Exception {
        TraceSummary s = summary(new TraceFile()
                .map(A, 4 * MIB)
                .record(1, A, 4 * MIB, TraceRecord.ANONYMOUS | TraceRecord.FIXED, 0)
                .record(1, A, 2 * MIB, TraceRecord.ANONYMOUS | TraceRecord.FIXED, 3)
                .map(B, MIB));
        assertEquals(1, s.commits());
        assertEquals(2 * MIB, s.committedBytes());
        assertEquals(MIB, s.endBytes());
        assertEquals(MIB, s.refaultedBytes());
        assertEquals(1, s.sizes().get(1).ended());
    }

    @Test
    void heapAndPurges() throws Exception {
        TraceSummary s = summary(new TraceFile()
                .record(7, 3 * MIB, 2 * MIB, 0, 0)
                .record(7, MIB, 2 * MIB, TraceRecord.SHRINKS, 0)
                .record(7, 4 * MIB, 3 * MIB, 0, 0)
                .record(5, A, 8 * MIB, TraceRecord.SERVED, 4)
                .record(5, A, 8 * MIB, 0, 8)
                .record(5, A, 8 * MIB, 0, 14)
                .record(5, A, 8 * MIB, TraceRecord.FAILED, 4));
        assertEquals(5 * MIB, s.heapGrownBytes());
        assertEquals(2 * MIB, s.heapShrunkBytes());
        assertEquals(2 * MIB, s.refaultedBytes());
        assertEquals(2, s.purges());
        assertEquals(1, s.servedPurges());
        assertEquals(16 * MIB, s.purgedBytes());
        assertEquals(18 * MIB / 4096, s.avoidableFaults());
        assertEquals(1, s.failed());
    }

    @Test
    void failuresAndForeignMappingsAreNoMemory() throws Exception {
        TraceSummary s = summary(new TraceFile()
                .record(1, 0, MIB, TraceRecord.ANONYMOUS | TraceRecord.FAILED, 3)
                .record(1, A, MIB, TraceRecord.SHARED, 3)
                .record(1, A, MIB, TraceRecord.ANONYMOUS, 0)
                .record(RESIZE, A, MIB, 0, 1)
                .record(RESIZED, B, MIB, 0, 1)
                .record(2, A, MIB, TraceRecord.FAILED, 0));
        assertEquals(0, s.memoryRequests());
        assertEquals(0, s.peakBytes());
        assertEquals(2, s.failed());
        assertTrue(s.sizes().isEmpty());
    }

    @Test
    void theTextSaysIt() throws Exception {
        String text = String.join(
                "\n",
                TraceText.summary(summary(new TraceFile()
                        .served(A, MIB)
                        .at(100)
                        .unmap(A, MIB)
                        .at(150)
                        .map(A, MIB))));
        assertTrue(text.contains("/bin/program with arguments"), text);
        assertTrue(
                text.contains("mapped 2 MiB in 2 requests, 50 % served; most at once 1 MiB, at the end 1 MiB"), text);
        assertTrue(
                text.contains("asked for again after it was freed: 1 MiB, 50 %; with purges at most 256 page faults to"
                        + " spare"),
                text);
        assertTrue(
                text.contains("  1 MiB               2     50 %      2 MiB       100 ns       100 ns          1       "
                        + " 50 ns"),
                text);
    }
}
