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
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;
import upa.pager.device.DeviceException;
import upa.pager.host.PolicySpec;

/** A pager of a region of the module, in the virtual machine: the owner is a program that checks what it holds. */
@EnabledIfSystemProperty(named = DeviceOwner.PROGRAM, matches = ".+")
@Timeout(value = 400, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class DevicePagerTest {
    private static final int PAGES = 2048;
    private static final int FRAMES = 1024;
    private static final String STORES = "lz4:16M";
    private static final long MIB = 1 << 20;
    private static final List<String> POLICIES =
            List.of("s3-fifo", "sequential+clock", "sieve", "2q", "fifo", "stride+working-set", "clock");

    @TempDir
    Path folder;

    private final List<String> said = new CopyOnWriteArrayList<>();
    private DeviceOwner owner;

    private DeviceOwner owner(boolean waits) throws IOException {
        owner = new DeviceOwner(folder.resolve("owner"), PAGES, FRAMES, waits);
        return owner;
    }

    @AfterEach
    void endOwner() {
        owner.close();
        assertFalse(said.stream().anyMatch(line -> line.contains("failed")), said::toString);
    }

    private DevicePager pager(String policy, long bytes) throws Exception {
        return DevicePager.start(
                folder.resolve("owner").toString(), PolicySpec.parse(policy), bytes, STORES, said::add);
    }

    private void assertAllRight() {
        assertEquals("checked wrong=0", owner.ask("check"));
        String stats = owner.ask("stats");
        assertEquals(DeviceOwner.number(stats, "named"), DeviceOwner.number(stats, "taken"), stats);
    }

    @Test
    void contentSurvivesPoliciesAndBoundsThatChange() throws Exception {
        owner(true);
        try (DevicePager pager = pager("clock", 2 * MIB)) {
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
        owner(true);
        CompletableFuture<String> done = null;
        for (int i = 0; i < 2; i++) {
            Separate pager = separate();
            if (done == null) {
                done = owner.order("run 2 4000 2");
            }
            assertEquals("evicts", pager.out().readLine());
            pager.process().destroyForcibly().waitFor();
            assertFalse(done.isDone(), "there was nothing left to be killed in");
        }
        try (DevicePager last = pager("clock", 2 * MIB)) {
            assertEquals("done wrong=0", done.get(300, TimeUnit.SECONDS));
            assertAllRight();
            assertEquals(3, DeviceOwner.number(owner.ask("stats"), "admitted"));
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
                        folder.resolve("owner").toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII));
        assertEquals("pages", out.readLine());
        return new Separate(process, out);
    }

    /** What is run there: it says when it has had some pages leave, and goes on until it is killed. */
    static final class KilledPager {
        private static final int EVICTIONS = 150;

        private KilledPager() {}

        public static void main(String[] args) throws Exception {
            try (DevicePager pager =
                    DevicePager.start(args[0], PolicySpec.parse("clock"), 2 * MIB, STORES, System.err::println)) {
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
        owner(false);
        try (DevicePager pager = pager("clock", MIB)) {
            assertEquals("done wrong=0", owner.ask("run 1 3000 3"));
            assertEquals("revoked", owner.ask("revoke"));
            pager.over().get(10, TimeUnit.SECONDS);
        }
        boolean isAway = false;
        for (int page = 0; page < 64 && !isAway; page++) {
            isAway = owner.ask("touch " + page * (PAGES / 64)).startsWith("SIGBUS");
        }
        assertTrue(isAway, "no page was away");
        try (DevicePager next = pager("sieve", MIB)) {
            assertAllRight();
            assertEquals("sieve", next.policyText());
        }
    }

    @Test
    void whatCannotBeIsSaidInOneLine() throws Exception {
        owner(true);
        DeviceException none = assertThrows(
                DeviceException.class,
                () -> DevicePager.start(
                        folder.resolve("nobody").toString(), PolicySpec.parse("clock"), MIB, STORES, said::add));
        assertTrue(none.getMessage().contains("socket="), none::getMessage);
        try (DevicePager first = pager("clock", MIB)) {
            DeviceException second = assertThrows(DeviceException.class, () -> pager("clock", MIB));
            assertTrue(second.getMessage().contains("does not admit"), second::getMessage);
            assertEquals("ok wrong=0", owner.ask("touch 0"));
            assertEquals("", first.problem());
        }
        DeviceException other = assertThrows(
                DeviceException.class,
                () -> DevicePager.start(
                        folder.resolve("owner").toString(), PolicySpec.parse("clock"), MIB, "zstd:16M", said::add));
        assertTrue(other.getMessage().contains(STORES), other::getMessage);
    }

    @Test
    void thePagerEndsWithTheOwner() throws Exception {
        owner(true);
        try (DevicePager pager = pager("clock", MIB)) {
            assertEquals("done wrong=0", owner.ask("run 1 500 4"));
            owner.close();
            pager.over().get(10, TimeUnit.SECONDS);
        }
    }
}
