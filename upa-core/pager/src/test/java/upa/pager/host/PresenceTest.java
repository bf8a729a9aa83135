package upa.pager.host;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class PresenceTest {
    private final ThreadGroup group = new ThreadGroup("policies");
    private final List<Boolean> told = new ArrayList<>();
    private final CountDownLatch end = new CountDownLatch(1);

    private boolean now() {
        return told.getLast();
    }

    private void start() {
        Thread.ofPlatform().group(group).start(() -> {
            try {
                end.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        });
    }

    @Test
    void aCallbackIsPresent() {
        Presence presence = new Presence(group, told::add);
        CallGuard guard = new CallGuard(presence);
        assertEquals(List.of(), told);
        guard.begin("clock", "evict");
        assertTrue(now());
        guard.end();
        assertFalse(now());
        new CallGuard(null).begin("clock", "evict");
        new CallGuard(null).end();
        assertEquals(2, told.size());
    }

    /** One thread is that which runs the policies; a second is theirs. */
    @Test
    void aThreadThatACallbackHasStartedStays() {
        Presence presence = new Presence(group, told::add);
        start();
        presence.begin();
        presence.end();
        assertFalse(now());
        presence.begin();
        start();
        presence.end();
        assertTrue(now());
        presence.begin();
        presence.end();
        assertTrue(now());
        end.countDown();
    }

    /** Others' threads are nothing to it. */
    @Test
    void aThreadOfAnotherDoesNotCount() throws InterruptedException {
        Presence presence = new Presence(group, told::add);
        start();
        Thread other = Thread.ofPlatform().start(() -> {
            // Nothing.
            return;
        });
        other.join();
        presence.begin();
        presence.end();
        assertFalse(now());
        end.countDown();
    }
}
