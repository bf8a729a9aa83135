package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import upa.pager.device.DeviceException;

/** A JVM's region of the module with a pager, in the virtual machine: {@code Region.admit}. */
@EnabledIfSystemProperty(named = DeviceOwner.PROGRAM, matches = ".+")
@Timeout(value = 400, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class JavaOwnerTest extends DeviceTest {
    private static final String TERMS = 2 * MIB + " clock lz4:16M";

    @Override
    DeviceOwner start(int pages, int frames) throws IOException {
        return DeviceOwner.inJava(pages, frames);
    }

    @Test
    void contentSurvivesPagersThatComeAndGo() throws Exception {
        try (DevicePager pager = owner.admit(listener, "admit", TERMS)) {
            assertEquals("done wrong=0", owner.ask("run 2 3000 1"));
            assertEquals("checked wrong=0", owner.ask("check"));
            assertTrue(pager.statistics().evictions() > PAGES / 2, "evictions=" + pager.statistics());
            assertEquals("admitted -16", owner.ask("admit " + listener.path() + " " + TERMS));
            assertEquals("ok", owner.ask("validate"));
        }
        boolean isAway = false;
        for (int page = 0; page < 64 && !isAway; page++) {
            isAway = owner.ask("touch " + page * (PAGES / 64)).startsWith("SIGBUS");
        }
        assertTrue(isAway, "no page was away");
        try (DevicePager next = owner.admit(listener, "admit", TERMS)) {
            assertEquals("checked wrong=0", owner.ask("check"));
            assertEquals("revoked 0", owner.ask("revoke"));
            next.over().get(10, TimeUnit.SECONDS);
        }
        try (DevicePager last = owner.admit(listener, "admit", TERMS)) {
            assertEquals("done wrong=0", owner.ask("run 2 1000 2"));
            assertEquals("checked wrong=0", owner.ask("check"));
            assertEquals("", last.problem());
            assertEquals("destroyed 0", owner.ask("destroy"));
            last.over().get(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void blocksGrowMoveAndShrink() throws Exception {
        try (DevicePager pager = owner.admit(listener, "admit", TERMS)) {
            assertEquals("resized wrong=0", owner.ask("resize"));
            assertEquals("ok", owner.ask("validate"));
            assertEquals("checked wrong=0", owner.ask("check"));
            assertTrue(pager.statistics().evictions() > 0, "all was in memory");
        }
    }

    @Test
    void whatCannotBeIsRefused() throws Exception {
        assertEquals("mistakes not refused=0", owner.ask("mistakes"));
        assertEquals("SIGBUS wrong=0", owner.ask("touch 0"), "there is no memory before a pager");
        CompletableFuture<String> unknown = owner.order("admit " + listener.path() + " 2097152 no-such-policy lz4:16M");
        assertThrows(DeviceException.class, listener::next);
        assertEquals("admitted -22", unknown.join());
        try (DevicePager pager = owner.admit(listener, "admit", TERMS)) {
            assertEquals("ok wrong=0", owner.ask("touch 0"));
            assertEquals("", pager.problem());
        }
        CompletableFuture<String> elsewhere = owner.order("admit " + listener.path() + " 2097152 clock zstd:16M");
        assertThrows(DeviceException.class, listener::next);
        assertEquals("admitted -5", elsewhere.join());
    }
}
