package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import upa.policy.Hint;
import upa.policy.PageBatch.Cause;
import upa.policy.PolicyException;
import upa.policy.Pressure;

/** Policies that hang, hoard or are replaced while events come in. */
@Timeout(120)
class PolicyThreadTest {
    /** On a busy machine a callback may have hardly any processor in a second. */
    private static final String LATE = " has not returned after (50 ms of processor time|1000 ms)";

    private static final String LATE_AT_FIRST = " has not returned after (500 ms of processor time|1000 ms)";

    private static final Duration PATIENCE = Duration.ofSeconds(30);
    private static int ids;

    private final String id = "thread" + ids++;
    private final FakeMechanism pages = new FakeMechanism(1 << 16, 100);
    private final List<String> said = Collections.synchronizedList(new ArrayList<>());
    private final PolicyWatch watch = new PolicyWatch();
    private PolicyThread thread;

    @AfterEach
    void stop() {
        if (thread != null) {
            thread.close();
        }
        watch.close();
    }

    private void start(String spec) {
        thread = new PolicyThread(pages, PolicySpec.parse(spec), watch, said::add);
    }

    private void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, () -> "never came: " + what + "; said: " + said);
            Thread.sleep(1);
        }
    }

    private void add(int from, int to) {
        int[] numbers = IntStream.range(from, to).peek(pages::put).toArray();
        thread.tell(Cause.FIRST_TOUCH, numbers, numbers.length);
    }

    @Test
    void eventsArriveInTheirOrder() throws InterruptedException {
        start("test,id=" + id);
        TestPolicy policy = TestPolicy.latest();
        AtomicBoolean seen = new AtomicBoolean();
        TestPolicy.misdeed(id, "pressure", (p, x) -> seen.set(true));
        add(0, 3);
        thread.fault(70, 9, true, 12);
        thread.tell(Cause.WRITTEN, new int[] {2}, 1);
        thread.tell(Cause.FREED, new int[] {0, 1}, 2);
        thread.tell(Cause.FREED, new int[] {2}, 1);
        thread.hint(new Hint(Hint.Kind.SEQUENTIAL, 4, 5, 0));
        await("hint", () -> policy.log.size() > 4);
        thread.pressure(new Pressure(0.5, 0.5));
        await("pressure", seen::get);
        List<String> batches = String.join(" | ", policy.log)
                .replaceAll("FREED 0 1 \\| gone FREED 2", "FREED 0 1 2")
                .lines()
                .toList();
        assertEquals(
                List.of("added FIRST_TOUCH 0 1 2 | fault 70 thread 9 write distance 12 | used WRITTEN 2"
                        + " | gone FREED 0 1 2 | hint SEQUENTIAL 4 5 | pressure 0.5"),
                batches);
    }

    @Test
    void victimsAreClaimedWhenWanted() throws InterruptedException {
        start("clock");
        add(0, 50);
        thread.want(20, true);
        await("victims", () -> pages.residentPages() == 30);
        assertEquals("clock", thread.text());
        assertEquals("", thread.replacedBecause());
    }

    @Test
    void anEndlessLoopIsReplacedByTheDefault() throws InterruptedException {
        AtomicBoolean stop = new AtomicBoolean();
        TestPolicy.misdeed(id, "evict", (p, w) -> {
            while (!stop.get()) {
                Thread.onSpinWait();
            }
        });
        start("test,id=" + id);
        add(0, 50);
        thread.want(20, true);
        await("replacement", () -> thread.text().equals("clock"));
        thread.want(20, true);
        await("victims of the default", () -> pages.residentPages() == 30);
        assertEquals(1, said.size());
        assertTrue(said.getFirst().matches("policy=test evict" + LATE + ": replaced by clock"), said.getFirst());
        assertEquals(said.getFirst(), thread.replacedBecause());
        stop.set(true);
    }

    @Test
    void aLoopThatAsksTheFrameworkEndsWithItsReplacement() throws InterruptedException {
        AtomicBoolean ended = new AtomicBoolean();
        TestPolicy.misdeed(id, "evict", (p, w) -> {
            try {
                while (true) {
                    p.queue.addLast(1);
                }
            } finally {
                ended.set(true);
            }
        });
        start("test,id=" + id);
        add(0, 50);
        thread.want(20, true);
        await("end of the loop", ended::get);
        await("replacement", () -> thread.text().equals("clock"));
    }

    @Test
    void aPolicyThatWaitsIsReplaced() throws InterruptedException {
        TestPolicy.misdeed(id, "added", (p, w) -> {
            if (p.log.size() == 1) {
                Thread.sleep(60_000);
            }
        });
        start("test,id=" + id);
        add(0, 50);
        await("replacement", () -> thread.text().equals("clock"));
        assertEquals(List.of("policy=test added has not returned after 1000 ms: replaced by clock"), said);
        thread.want(50, true);
        await("victims of the default, which was seeded", () -> pages.residentPages() == 0);
    }

    @Test
    void aPolicyThatAllocatesForEverIsReplaced() throws InterruptedException {
        AtomicBoolean stop = new AtomicBoolean();
        TestPolicy.misdeed(id, "used", (p, w) -> {
            byte[][] hoard = new byte[100][];
            for (int i = 0; !stop.get(); i++) {
                hoard[i % 100] = new byte[1 << 20];
                Thread.sleep(1);
            }
        });
        start("test,id=" + id);
        add(0, 50);
        thread.tell(Cause.ACCESSED, new int[] {1}, 1);
        await("replacement", () -> thread.text().equals("clock"));
        assertTrue(
                said.getFirst()
                        .matches("policy=test used has (allocated bytes=[0-9]+ in one call"
                                + "|not returned after [0-9]+ ms.*): replaced by clock"),
                said.toString());
        stop.set(true);
    }

    @Test
    void aPolicyThatHangsWhenAttachedIsNotStarted() {
        AtomicBoolean stop = new AtomicBoolean();
        TestPolicy.misdeed(id, "attach", (p, w) -> {
            while (!stop.get()) {
                Thread.onSpinWait();
            }
        });
        PolicyException e = assertThrows(PolicyException.class, () -> start("test,id=" + id));
        assertTrue(e.getMessage().matches("policy=test attach" + LATE_AT_FIRST), e.getMessage());
        stop.set(true);
    }

    private void assertReplacementIsLateIn(String callback) {
        ExecutionException e = assertThrows(
                ExecutionException.class,
                () -> thread.replace(PolicySpec.parse("test,id=" + id)).get());
        assertTrue(
                e.getCause().getMessage().matches("policy=test " + callback + LATE_AT_FIRST),
                e.getCause().getMessage());
    }

    @Test
    void aReplacementThatHangsWhenAttachedIsReplacedItself() throws Exception {
        AtomicBoolean stop = new AtomicBoolean();
        TestPolicy.misdeed(id, "attach", (p, w) -> {
            while (!stop.get()) {
                Thread.onSpinWait();
            }
        });
        start("fifo");
        add(0, 50);
        assertReplacementIsLateIn("attach");
        await("the default", () -> thread.text().equals("clock"));
        thread.want(50, true);
        await("victims", () -> pages.residentPages() == 0);
        stop.set(true);
    }

    /** Also its class may hang as it is loaded: both are done by one call. */
    @Test
    void aConstructorThatHangsIsReplaced() throws Exception {
        AtomicBoolean stop = new AtomicBoolean();
        start("fifo");
        add(0, 50);
        TestPolicy.misdeed("", "constructor", (p, w) -> {
            while (!stop.get()) {
                Thread.onSpinWait();
            }
        });
        try {
            assertReplacementIsLateIn("constructor");
            thread.want(50, true);
            await("victims", () -> pages.residentPages() == 0);
            thread.close();
            PolicyException atStart = assertThrows(PolicyException.class, () -> start("test,id=" + id));
            assertTrue(atStart.getMessage().matches("policy=test constructor" + LATE_AT_FIRST), atStart.getMessage());
        } finally {
            TestPolicy.MISDEEDS.remove(" constructor");
            stop.set(true);
        }
    }

    private static final class Nameless extends RuntimeException {
        private static final long serialVersionUID = 1;

        @Override
        public String toString() {
            throw this;
        }
    }

    /** What it says of itself is code of the policy's, too. */
    @Test
    void anExceptionThatCannotSayWhatItIsReplacesAPolicy() throws InterruptedException {
        TestPolicy.misdeed(id, "attach", (p, w) -> {
            throw new Nameless();
        });
        PolicyException e = assertThrows(PolicyException.class, () -> start("test,id=" + id));
        assertEquals("policy=test cannot start: " + Nameless.class.getName(), e.getMessage());
        TestPolicy.misdeed(id, "attach", (p, w) -> {});
        TestPolicy.misdeed(id, "evict", (p, w) -> {
            throw new Nameless();
        });
        TestPolicy.misdeed(id, "close", (p, w) -> {
            throw new Nameless();
        });
        start("test,id=" + id);
        add(0, 50);
        thread.want(50, true);
        await("victims", () -> pages.residentPages() == 0);
        await("both lines", () -> said.size() == 2);
        assertEquals(
                List.of(
                        "policy=test is replaced by clock: evict threw " + Nameless.class.getName(),
                        "policy=test threw when it was closed: " + Nameless.class.getName()),
                said);
    }

    /** As when another policy has filled the heap: whoever waits is told, and pages leave. */
    @Test
    void anErrorOutsideOfCallbacksReplacesThePolicies() throws InterruptedException {
        pages.failure = new OutOfMemoryError("none");
        PolicyException e = assertThrows(PolicyException.class, () -> start("fifo"));
        assertEquals("policies=fifo have failed: java.lang.OutOfMemoryError: none", e.getMessage());
        assertEquals(List.of(), said);
        start("fifo");
        pages.failure = new OutOfMemoryError("none");
        thread.want(1, true);
        await("replacement", () -> thread.text().equals("clock"));
        assertEquals(List.of("policies=fifo have failed: java.lang.OutOfMemoryError: none: replaced by clock"), said);
        add(0, 50);
        thread.want(50, true);
        await("victims", () -> pages.residentPages() == 0);
    }

    /** Whoever ends a run asks that: its own threads do not count. */
    @Test
    void threadsOfPoliciesAreToldFromOthers() throws Exception {
        ThreadGroup group = new ThreadGroup("run");
        AtomicBoolean over = new AtomicBoolean();
        Thread other = Thread.ofPlatform().group(group).daemon().start(() -> {
            while (!over.get()) {
                LockSupport.parkNanos(1_000_000);
            }
        });
        assertFalse(PolicyThread.hasThreads(group));
        Thread.ofPlatform().group(group).start(() -> start("clock")).join();
        assertTrue(PolicyThread.hasThreads(group));
        thread.close();
        await("the end of its thread", () -> !PolicyThread.hasThreads(group));
        assertTrue(other.isAlive());
        over.set(true);
        other.join();
    }

    @Test
    void wrongChoicesAreErrors() {
        assertThrows(PolicyException.class, () -> start("nothing-like-it"));
        start("clock");
        CompletionException e = assertThrows(
                CompletionException.class,
                () -> thread.replace(PolicySpec.parse("clock,chances=99")).join());
        assertInstanceOf(PolicyException.class, e.getCause());
        assertEquals("clock", thread.text());
    }

    /** A thousand live replacements while another thread touches pages: nothing is lost, the bound holds at the end. */
    @Test
    void policiesAreReplacedAThousandTimesUnderLoad() throws Exception {
        String[] specs = {"clock", "fifo", "2q", "s3-fifo", "sieve", "stride+sieve", "when age>1s: evict"};
        start("clock");
        AtomicBoolean stop = new AtomicBoolean();
        Thread load = Thread.ofPlatform().start(() -> {
            Random random = new Random(1);
            while (!stop.get()) {
                int page = random.nextInt(1000);
                if (!pages.isResident(page)) {
                    pages.put(page);
                    thread.tell(Cause.FETCHED, new int[] {page}, 1);
                }
                thread.tell(Cause.ACCESSED, new int[] {page}, 1);
                int over = pages.residentPages() - 100;
                if (over > 0) {
                    thread.want(over, true);
                    Thread.yield();
                }
            }
        });
        for (int i = 0; i < 1000; i++) {
            thread.replace(PolicySpec.parse(specs[i % specs.length])).get();
        }
        stop.set(true);
        load.join();
        await("the bound", () -> {
            int over = pages.residentPages() - 100;
            if (over > 0) {
                thread.want(over, false);
            }
            return over <= 0;
        });
        assertEquals(List.of(), said);
        assertEquals(specs[999 % specs.length], thread.text());
    }

    @Test
    void evidenceIsDroppedAndPoliciesAreSeededAnewWhenTheyAreSlow() throws InterruptedException {
        AtomicBoolean go = new AtomicBoolean();
        AtomicBoolean inTick = new AtomicBoolean();
        TestPolicy.misdeed(id, "tick", (p, x) -> {
            inTick.set(true);
            while (!go.get()) {
                Thread.sleep(1);
            }
        });
        // It waits for longer than a policy may, on a busy machine.
        watch.close();
        start("test,id=" + id);
        TestPolicy first = TestPolicy.latest();
        await("the slow tick", () -> {
            pages.now += 100_000_000;
            thread.want(0, false);
            return inTick.get();
        });
        await("dropped evidence", () -> {
            int[] all = new int[1 << 18];
            Arrays.fill(all, 5);
            thread.tell(Cause.ACCESSED, all, all.length);
            return thread.dropped() > 0;
        });
        pages.put(77);
        for (int i = 0; i < 20; i++) {
            thread.tell(Cause.FREED, IntStream.range(0, 1 << 16).toArray(), 1 << 16);
        }
        go.set(true);
        await(
                "seeding anew",
                () -> TestPolicy.latest() != first && TestPolicy.latest().log.contains("added SEEDED 77"));
        assertFalse(thread.text().equals("clock"));
    }
}
