package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import upa.policy.PageBatch.Cause;

/** What a watch says depends on its looks, hence not on how busy the machine is. */
@Timeout(60)
class PolicyWatchTest {
    private final List<String> said = new ArrayList<>();
    private final CountDownLatch within = new CountDownLatch(1);
    private final CountDownLatch go = new CountDownLatch(1);

    private double used;
    private long collections;
    private int full;
    private final PolicyWatch.Heap heap = new PolicyWatch.Heap() {
        @Override
        public double used() {
            return used;
        }

        @Override
        public long collections() {
            return collections;
        }
    };

    private PolicyHost host(String spec) {
        PolicyHost host = new PolicyHost(new FakeMechanism(10, 10), said::add);
        host.replace(PolicySpec.parse(spec));
        return host;
    }

    private static void allocate(PolicyHost host, String id, int bytes) {
        TestPolicy.misdeed(id, "used", (p, x) -> assertEquals(bytes, new byte[bytes].length));
        host.used(Cause.ACCESSED, new int[] {1}, 1);
    }

    /** Of those from jars, whose code is not ours, who has allocated most; once for each collection. */
    @Test
    void aFullHeapIsTheFaultOfAPolicyFromAJar(@TempDir Path folder) throws IOException {
        Path jar = folder.resolve("its.jar");
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
            out.putNextEntry(new JarEntry("empty"));
        }
        // The class is found where this one is.
        String foreign = jar + ":" + TestPolicy.class.getName();
        PolicyHost ours = host("test,id=heap-ours");
        PolicyHost small = host(foreign + ",id=heap-small");
        PolicyHost large = host(foreign + ",id=heap-large");
        try (PolicyWatch watch = new PolicyWatch(false, heap, () -> full++)) {
            for (PolicyHost h : List.of(ours, small, large)) {
                watch.add(h, said::add);
            }
            watch.look();
            allocate(ours, "heap-ours", 4 << 20);
            allocate(small, "heap-small", 1 << 20);
            allocate(large, "heap-large", 2 << 20);
            assertEquals(large.spec().text(), watch.fullestFromJars());
            watch.failed(new IllegalStateException());
            assertEquals(0, full);
            watch.failed(new CompletionException(new OutOfMemoryError()));
            assertEquals(1, full--);
            used = 0.9;
            collections = 7;
            for (int i = 0; i < 3; i++) {
                watch.look();
                assertEquals(
                        List.of("policies=" + foreign + ",id=heap-large have allocated most of a heap that is full"),
                        said);
                assertTrue(large.isAbandoned());
                assertFalse(ours.isAbandoned() || small.isAbandoned());
                assertEquals(0, full);
            }
            used = 0.7;
            collections++;
            watch.look();
            used = 0.9;
            collections++;
            watch.look();
            assertTrue(small.isAbandoned(), "it was full anew");
            assertEquals(0, full);
            collections++;
            watch.look();
            watch.look();
            assertEquals(1, full, "what fills it has not gone with them");
            assertFalse(ours.isAbandoned());
            used = 0.7;
            watch.look();
            used = 0.9;
            collections++;
            watch.look();
            collections++;
            watch.look();
            assertEquals(1, full, "there is nobody to be blamed");
            assertEquals(2, said.size());
        }
    }

    /** Its classes are loaded as it begins. */
    @Test
    void aPolicyHasLongerAtFirst() throws Exception {
        CyclicBarrier both = new CyclicBarrier(2);
        TestPolicy.misdeed("slow", "attach", (p, x) -> {
            both.await();
            compute(Duration.ofMillis(100));
            both.await();
            both.await();
            compute(PolicyWatch.MOST_CPU_AT_FIRST);
            both.await();
            both.await();
        });
        PolicyHost host = new PolicyHost(new FakeMechanism(10, 10), said::add);
        try (PolicyWatch watch = new PolicyWatch(false, heap, () -> full++)) {
            watch.add(host, said::add);
            Thread thread = Thread.ofPlatform().daemon().start(() -> host.replace(PolicySpec.parse("test,id=slow")));
            both.await();
            watch.look();
            both.await();
            watch.look();
            assertEquals(List.of(), said);
            both.await();
            both.await();
            watch.look();
            assertEquals(List.of("policy=test attach has not returned after 500 ms of processor time"), said);
            both.await();
            thread.join();
        }
    }

    private static void compute(Duration time) {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long end = threads.getCurrentThreadCpuTime() + time.toNanos();
        while (threads.getCurrentThreadCpuTime() < end) {
            Thread.onSpinWait();
        }
    }

    @Test
    void aCallbackIsOverdueAfterLooksAtIt() throws InterruptedException {
        TestPolicy.misdeed("watched", "added", (p, x) -> {
            within.countDown();
            go.await();
        });
        FakeMechanism pages = new FakeMechanism(10, 10);
        PolicyHost host = new PolicyHost(pages, said::add);
        host.replace(PolicySpec.parse("test,id=watched"));
        pages.put(1);
        try (PolicyWatch watch = new PolicyWatch(false, heap, () -> full++)) {
            watch.add(host, said::add);
            for (int i = 0; i < 2 * PolicyWatch.MOST_LOOKS; i++) {
                watch.look();
            }
            assertEquals(List.of(), said, "it is in no callback");
            Thread thread = Thread.ofPlatform().daemon().start(() -> host.added(Cause.FIRST_TOUCH, new int[] {1}, 1));
            within.await();
            // The first one finds out which callback it is.
            for (int i = 0; i < PolicyWatch.MOST_LOOKS; i++) {
                watch.look();
            }
            assertEquals(List.of(), said);
            watch.look();
            assertEquals(List.of("policy=test added has not returned after 1000 ms"), said);
            watch.look();
            assertEquals(1, said.size(), "it is watched no more");
            assertFalse(watch.remove(host));
            go.countDown();
            thread.join();
            assertFalse(host.abandon(), "it has been abandoned");
        }
    }
}
