package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import upa.policy.PageBatch.Cause;

/** What a watch says depends on its looks, hence not on how busy the machine is. */
@Timeout(60)
class PolicyWatchTest {
    private final List<String> said = new ArrayList<>();
    private final CountDownLatch within = new CountDownLatch(1);
    private final CountDownLatch go = new CountDownLatch(1);

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
        try (PolicyWatch watch = new PolicyWatch(false)) {
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
