package upa.core;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.Proxy;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.III_Result;
import upa.internal.region.RegionBackEnd;
import upa.internal.region.RegionState;
import upa.llfree.LlFree;
import upa.llfree.LlFreeDescriptor;

/**
 * All pages of a region are free, and one child of them is being cleared when somebody wants them all: he gets them.
 * Results: whether he did, whether the child was cleared, and whether the state is valid with no page free.
 */
@JCStressTest
@Outcome(
        id = {"1, 0, 1", "1, 1, 1"},
        expect = ACCEPTABLE,
        desc = "Before it was cleared, or after.")
@Outcome(expect = FORBIDDEN, desc = "A free page was refused, or is lost.")
@State
public class ClearAheadRace {
    private static final int PAGES = LlFreeDescriptor.CHILD_PAGES;
    private static final long STATE_BYTES = LlFree.stateSize(PAGES, 1);
    private static final long METADATA_BYTES = RegionDescriptor.COUNTERS_OFFSET + RegionDescriptor.COUNTERS_BYTES;
    private static final Queue<MemorySegment> UNUSED = new ConcurrentLinkedQueue<>();

    private final MemorySegment memory;
    private final LlFree pages;
    private final RegionRuns runs;

    public ClearAheadRace() {
        MemorySegment used = UNUSED.poll();
        memory = used != null
                ? used.fill((byte) 0)
                : Arena.global().allocate(STATE_BYTES + METADATA_BYTES, LlFreeDescriptor.LINE_BYTES);
        pages = LlFree.create(memory.asSlice(0, STATE_BYTES), PAGES, 1);
        pages.putRun(0, LlFree.pageOf(pages.getRun(0, PAGES, 0)), PAGES, 0);
        runs = new RegionRuns(backEnd(
                new RegionState(0, PAGES * RegionDescriptor.PAGE_BYTES, pages, memory.asSlice(STATE_BYTES)))) {};
    }

    /** Without memory: only who holds which page. */
    private static RegionBackEnd backEnd(RegionState state) {
        return (RegionBackEnd) Proxy.newProxyInstance(
                RegionBackEnd.class.getClassLoader(),
                new Class<?>[] {RegionBackEnd.class},
                (self, method, a) -> switch (method.getName()) {
                    case "state" -> state;
                    case "name" -> BackEnd.PTE;
                    case "isShared" -> false;
                    case "get" -> state.pages.getRun((int) a[0], (long) a[1], (int) a[2]);
                    case "clearChild" -> true;
                    default -> throw new UnsupportedOperationException(method.getName());
                });
    }

    @Actor
    public void clearer(III_Result r) {
        runs.clearAhead.keep(1, Thread.currentThread());
        r.r2 = runs.clearAhead.step() > 0 ? 1 : 0;
    }

    @Actor
    public void user(III_Result r) {
        r.r1 = runs.getRun(PAGES, 0) >= 0 ? 1 : 0;
    }

    @Arbiter
    public void end(III_Result r) {
        pages.validate();
        r.r3 = pages.stats().freePages() == 0 ? 1 : 0;
        UNUSED.add(memory);
    }
}
