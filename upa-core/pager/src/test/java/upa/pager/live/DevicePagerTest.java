package upa.pager.live;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import upa.pager.device.DeviceException;
import upa.pager.host.PolicySpec;

/** A pager of a region of the module, in the virtual machine: the owner is a program that checks what it holds. */
@EnabledIfSystemProperty(named = DeviceOwner.PROGRAM, matches = ".+")
@Timeout(value = 400, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DevicePagerTest extends DeviceTest {
    private static final String STORES = "lz4:16M";
    private static final List<String> POLICIES =
            List.of("s3-fifo", "sequential+clock", "sieve", "2q", "fifo", "stride+working-set", "clock");

    @Override
    DeviceOwner start(int pages, int frames) throws IOException {
        return new DeviceOwner(pages, frames);
    }

    private static String terms(String policy, long bytes, String stores, boolean waits) {
        return bytes + " " + policy + " " + stores + (waits ? " wait" : " fail");
    }

    private DevicePager pager(String policy, long bytes, boolean waits) throws Exception {
        return owner.admit(listener, "admit", terms(policy, bytes, STORES, waits));
    }

    private void assertAllRight() {
        assertEquals("checked wrong=0", owner.ask("check"));
        String stats = owner.ask("stats");
        assertEquals(DeviceOwner.number(stats, "named"), DeviceOwner.number(stats, "taken"), stats);
    }

    @Test
    void contentSurvivesPoliciesAndBoundsThatChange() throws Exception {
        try (DevicePager pager = pager("clock", 2 * MIB, true)) {
            CompletableFuture<String> done = owner.order("run 2 4000 1");
            for (int i = 0; i < POLICIES.size(); i++) {
                Thread.sleep(300);
                pager.policy(PolicySpec.parse(POLICIES.get(i))).join();
                pager.limit(i % 2 == 0 ? 3 * MIB / 2 : 4 * MIB);
            }
            assertEquals("done wrong=0", done.get(300, TimeUnit.SECONDS));
            assertAllRight();
            assertTrue(pager.statistics().evictions() > PAGES / 2, "evictions=" + pager.statistics());
            assertTrue(pager.statistics().faults() > PAGES / 4, "faults=" + pager.statistics());
            assertTrue(pager.dropped() > 0, "no page left without a copy");
            pager.limit(MIB);
            long held = Long.MAX_VALUE;
            for (int tries = 0; held > MIB / 4096 && tries < 500; tries++) {
                Thread.sleep(10);
                held = DeviceOwner.number(owner.ask("stats"), "held");
            }
            assertTrue(held <= MIB / 4096, "over the bound: held=" + held);
            assertAllRight();
        }
    }

    @Test
    void anotherPagerTakesOverFromOneThatIsKilled() throws Exception {
        CompletableFuture<String> done = null;
        for (int i = 0; i < 2; i++) {
            Separate pager = separate();
            if (done == null) {
                assertEquals(
                        "admitted 0",
                        owner.ask("admit " + listener.path() + " " + terms("clock", 2 * MIB, STORES, true)));
                done = owner.order("run 2 4000 2");
            }
            assertEquals("pages", pager.out().readLine());
            assertEquals("evicts", pager.out().readLine());
            pager.process().destroyForcibly().waitFor();
            assertFalse(done.isDone(), "there was nothing left to be killed in");
        }
        try (RegionListener again = new RegionListener(listener.path(), said::add);
                DevicePager last = again.next()) {
            assertEquals("done wrong=0", done.get(300, TimeUnit.SECONDS));
            assertAllRight();
            assertEquals("", last.problem());
        }
    }

    /** A pager in a process of its own, and what it says. */
    private record Separate(Process process, BufferedReader out) {}

    private Separate separate() throws IOException {
        Process process = new ProcessBuilder(
                        ProcessHandle.current().info().command().orElseThrow(),
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        KilledPager.class.getName(),
                        listener.path().toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII));
        assertEquals("listens", out.readLine());
        return new Separate(process, out);
    }

    /** What is run there: it says when it has had some pages leave, and goes on until it is killed. */
    static final class KilledPager {
        private static final int EVICTIONS = 150;

        private KilledPager() {}

        public static void main(String[] args) throws Exception {
            try (RegionListener here = new RegionListener(Path.of(args[0]), System.err::println)) {
                System.out.println("listens");
                DevicePager pager = here.next();
                System.out.println("pages");
                while (pager.statistics().evictions() < EVICTIONS) {
                    Thread.sleep(1);
                }
                System.out.println("evicts");
                pager.over().join();
            }
        }
    }

    @Test
    void afterARevocationATouchIsWhatTheOwnerChose() throws Exception {
        assertEquals("SIGBUS wrong=0", owner.ask("touch 0"), "there is no memory before a pager");
        try (DevicePager pager = pager("clock", MIB, true)) {
            assertEquals("done wrong=0", owner.ask("run 1 3000 3"));
            assertEquals(
                    "admitted -16", owner.ask("admit " + listener.path() + " " + terms("clock", MIB, STORES, true)));
            assertEquals("revoked 0", owner.ask("revoke fail"));
            pager.over().get(10, TimeUnit.SECONDS);
        }
        assertEquals("SIGBUS wrong=0", touchOneThatIsAway());
        try (DevicePager next = pager("sieve", MIB, false)) {
            assertAllRight();
            assertEquals("sieve", next.policyText());
            assertEquals("revoked 0", owner.ask("revoke wait"));
            next.over().get(10, TimeUnit.SECONDS);
        }
        CompletableFuture<String> check = owner.order("check");
        assertThrows(TimeoutException.class, () -> check.get(200, TimeUnit.MILLISECONDS), "nobody waited");
        owner.close();
    }

    private String touchOneThatIsAway() {
        String said = "ok";
        for (int page = 0; page < 64 && said.startsWith("ok"); page++) {
            said = owner.ask("touch " + page * (PAGES / 64));
        }
        return said;
    }

    @Test
    void whoPassesOnASocketOfItsOwnHasNoFollower() throws Exception {
        String terms = MIB + " clock " + STORES;
        try (DevicePager pager = owner.admit(listener, "pair", terms)) {
            assertEquals("done wrong=0", owner.ask("run 1 1000 5"));
            assertEquals("", pager.problem());
        }
        assertEquals("SIGBUS wrong=0", touchOneThatIsAway());
        try (DevicePager next = owner.admit(listener, "pair", terms)) {
            assertAllRight();
            assertEquals("ok", owner.ask("validate"));
            assertEquals("", next.problem());
        }
    }

    @Test
    void blocksGrowMoveAndShrink() throws Exception {
        try (DevicePager pager = pager("clock", MIB, false)) {
            assertEquals("resized wrong=0", owner.ask("resize"));
            assertEquals("ok", owner.ask("validate"));
            assertAllRight();
            assertTrue(pager.statistics().evictions() > 0, "all was in memory");
        }
    }

    @Test
    void whatCannotBeIsRefused() throws Exception {
        assertEquals("mistakes not refused=0", owner.ask("mistakes"));
        refuses("no-such-policy", MIB, STORES, "no-such-policy");
        refuses("clock", MIB, "lz5:16M", "lz5");
        try (DevicePager first = pager("clock", MIB, false)) {
            assertEquals("ok wrong=0", owner.ask("touch 0"));
            assertEquals("", first.problem());
        }
        // Its pages are in other stores.
        CompletableFuture<String> other =
                owner.order("admit " + listener.path() + " " + terms("clock", MIB, "zstd:16M", false));
        DeviceException why = assertThrows(DeviceException.class, listener::next);
        assertTrue(why.getMessage().contains(STORES), why::getMessage);
        assertEquals("admitted -5", other.join());
        try (DevicePager right = pager("clock", MIB, false)) {
            assertAllRight();
            assertEquals("", right.problem());
        }
    }

    private void refuses(String policy, long bytes, String stores, String because) {
        CompletableFuture<String> refused =
                owner.order("admit " + listener.path() + " " + terms(policy, bytes, stores, false));
        DeviceException why = assertThrows(DeviceException.class, listener::next);
        assertTrue(why.getMessage().contains(because), why::getMessage);
        assertEquals("admitted -22", refused.join());
    }

    @Test
    void thePagerEndsWithTheOwner() throws Exception {
        try (DevicePager pager = pager("clock", MIB, true)) {
            assertEquals("done wrong=0", owner.ask("run 1 500 4"));
            owner.close();
            pager.over().get(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void thePagerEndsWithTheRegion() throws Exception {
        try (DevicePager pager = pager("clock", MIB, true)) {
            assertEquals("done wrong=0", owner.ask("run 1 500 4"));
            assertEquals("destroyed 0", owner.ask("destroy"));
            pager.over().get(10, TimeUnit.SECONDS);
        }
    }
}
