package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.core.RegionDescriptor.PAGE_BYTES;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Free memory of a region that goes back by itself. */
class ReclaimTest {
    private static final long MIB = 1 << 20;
    private static final Retention AT_ONCE = new Retention(0, Duration.ZERO);
    /** For a machine on which much else runs: a thread that never comes is what is to be found. */
    private static final Duration LONG = Duration.ofMinutes(1);

    private static void await(String what, BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + LONG.toNanos();
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < deadline, () -> "never: " + what);
            Thread.sleep(5);
        }
    }

    private static void use(Region region, long bytes) {
        long address = region.map(bytes);
        region.segment(address, bytes).fill((byte) 1);
        region.unmap(address, bytes);
    }

    private static boolean isThreadAlive() {
        return Thread.getAllStackTraces().keySet().stream()
                .anyMatch(t -> t.getName().equals("upa-reclaim"));
    }

    // ---- a region --------------------------------------------------------------------------------------------

    @Test
    void aRegionThatIdlesGivesBack() throws InterruptedException {
        try (Region region = Region.create(256 * MIB)) {
            region.retain(new Retention(10, Duration.ofMillis(20)));
            long held = region.map(8 * MIB);
            region.segment(held, 8 * MIB).fill((byte) 7);
            use(region, 200 * MIB);
            await("2 MiB are kept", () -> region.stats().retainedBytes() <= 2 * MIB);
            assertTrue(
                    region.stats().givenBackBytes() >= 198 * MIB,
                    () -> region.stats().toString());
            assertEquals(8 * MIB, region.stats().allocatedBytes());
            RegionContract.assertReads(region, held, 8 * MIB, 7);
            region.validate();
            // And again, after all was quiet.
            use(region, 100 * MIB);
            await("2 MiB are kept", () -> region.stats().retainedBytes() <= 2 * MIB);
        }
    }

    @Test
    void theDefaultGivesBackToo() throws InterruptedException {
        try (Region region = Region.create(256 * MIB)) {
            assertEquals(Retention.DEFAULT, region.retention());
            use(region, 64 * MIB);
            await("half is gone", () -> region.stats().retainedBytes() <= 32 * MIB);
        }
    }

    /** Bytes of a mapping that the kernel may take, by what it says itself. */
    private static long lazyBytes(long address) {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/smaps"))) {
            String start = Long.toHexString(address) + "-";
            return lines.dropWhile(line -> !line.startsWith(start))
                    .filter(line -> line.startsWith("LazyFree:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                    .findFirst()
                    .orElse(0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void whatNobodyAsksForIsMarkedForTheKernel() throws InterruptedException {
        try (Region region = Region.create(256 * MIB)) {
            region.retain(new Retention(1000, Duration.ofHours(1)));
            long held = region.map(8 * MIB);
            region.segment(held, 8 * MIB).fill((byte) 7);
            use(region, 64 * MIB);
            await("it is marked", () -> lazyBytes(region.base()) >= 60 * MIB);
            assertEquals(64 * MIB, region.stats().retainedBytes());
            // Who asks for it has it, zeros where zeros are promised, and it stays.
            long address = region.map(48 * MIB, Region.ZEROS);
            RegionContract.assertReads(region, address, 48 * MIB, 0);
            region.segment(address, 48 * MIB).fill((byte) 5);
            assertTrue(lazyBytes(region.base()) <= 18 * MIB);
            RegionContract.assertReads(region, address, 48 * MIB, 5);
            RegionContract.assertReads(region, held, 8 * MIB, 7);
            region.validate();
        }
    }

    @Test
    void arenasAndResizesFreeAsWell() throws InterruptedException {
        try (Region region = Region.create(256 * MIB)) {
            region.retain(AT_ONCE);
            try (PageArena arena = PageArena.ofConfined(region)) {
                arena.allocate(64 * MIB).fill((byte) 1);
            }
            await("2 MiB are kept", () -> region.stats().retainedBytes() <= 2 * MIB);
            long address = region.map(64 * MIB);
            region.segment(address, 64 * MIB).fill((byte) 1);
            region.resize(address, 64 * MIB, PAGE_BYTES, 0);
            await("2 MiB are kept", () -> region.stats().retainedBytes() <= 2 * MIB);
        }
    }

    @Test
    void theThreadGoesWhenNothingIsLeftToGoBack() throws InterruptedException {
        try (Region region = Region.create(64 * MIB)) {
            region.retain(AT_ONCE);
            use(region, 32 * MIB);
            await("2 MiB are kept", () -> region.stats().retainedBytes() <= 2 * MIB);
            await("the thread has ended", () -> !isThreadAlive());
            use(region, 32 * MIB);
            await("2 MiB are kept", () -> region.stats().retainedBytes() <= 2 * MIB);
        }
    }

    @Test
    void everythingStaysIfThatIsWanted() throws InterruptedException {
        try (Region kept = Region.create(64 * MIB);
                Region other = Region.create(64 * MIB)) {
            kept.retain(Retention.EVERYTHING);
            other.retain(AT_ONCE);
            use(kept, 32 * MIB);
            use(other, 32 * MIB);
            await("2 MiB are kept", () -> other.stats().retainedBytes() <= 2 * MIB);
            assertEquals(32 * MIB, kept.stats().retainedBytes());
            kept.retain(AT_ONCE);
            await("2 MiB are kept", () -> kept.stats().retainedBytes() <= 2 * MIB);
        }
    }

    @Test
    void aSharedRegionKeepsEverythingUnlessToldOtherwise() throws Exception {
        try (SharedFile file = new SharedFile();
                Region region = Region.createShared(file.path(), 64 * MIB)) {
            assertEquals(Retention.EVERYTHING, region.retention());
            use(region, 32 * MIB);
            region.retain(AT_ONCE);
            await("2 MiB are kept", () -> region.stats().retainedBytes() <= 2 * MIB);
        }
    }

    /** Each page is asked for by its number while looks take pages of the same region: free is free. */
    @Test
    void aFreePageIsNeverRefused() {
        try (Region region = Region.create(64 * MIB)) {
            region.retain(AT_ONCE);
            for (int i = 0; i < 300; i++) {
                assertTrue(region.mapAt(region.base(), 64 * MIB, 0), "round " + i);
                for (long at = 0; at < 64 * MIB; at += 2 * MIB) {
                    region.segment(region.base() + at, 8).fill((byte) 1);
                }
                region.unmap(region.base(), 64 * MIB);
                long all = region.map(64 * MIB);
                assertEquals(region.base(), all, "round " + i);
                region.unmap(all, 64 * MIB);
                region.validate();
                assertEquals(0, region.stats().allocatedBytes());
            }
        }
    }

    @Test
    void closingIsNeverInTheWay() {
        for (int i = 0; i < 100; i++) {
            Region region = Region.create(64 * MIB);
            region.retain(AT_ONCE);
            use(region, 64 * MIB);
            region.close();
            assertThrows(IllegalStateException.class, () -> region.retain(AT_ONCE));
        }
    }

    @Test
    void valuesOutOfRangeAreMisuse() {
        for (Runnable wrong : List.<Runnable>of(
                () -> new Retention(-1, Duration.ZERO),
                () -> new Retention(1001, Duration.ZERO),
                () -> new Retention(0, Duration.ofMillis(-1)),
                () -> new Retention(0, Duration.ofHours(1).plusNanos(1)))) {
            String message =
                    assertThrows(IllegalArgumentException.class, wrong::run).getMessage();
            assertTrue(message.contains("percent=") && message.contains("halfLife="), message);
        }
        assertFalse(new Retention(1000, Duration.ofHours(1)).keepsEverything());
        assertTrue(new Retention(5, ChronoUnit.FOREVER.getDuration()).keepsEverything());
        try (Region region = Region.create(1)) {
            assertThrows(NullPointerException.class, () -> region.retain(null));
        }
    }

    // ---- when looks come -------------------------------------------------------------------------------------

    /** Looks that the test calls. */
    private static final class Fake implements Reclaim.Target, Reclaim.Clock {
        final Queue<Runnable> looks = new ArrayDeque<>();
        final List<Long> waits = new ArrayList<>();
        final List<String> seen = new ArrayList<>();
        long next;
        boolean isSettled = true;
        boolean isRefusing;

        @Override
        public long look(boolean isFirst, long freed) {
            seen.add((isFirst ? "first " : "") + freed);
            return next;
        }

        @Override
        public boolean isSettled() {
            return isSettled;
        }

        @Override
        public boolean later(Runnable look, long millis) {
            if (isRefusing) {
                return false;
            }
            looks.add(look);
            waits.add(millis);
            return true;
        }

        void run() {
            looks.remove().run();
        }
    }

    private final Fake fake = new Fake();
    private final Reclaim reclaim = new Reclaim(fake, fake);

    @Test
    void oneLookIsToComeHoweverOftenSomethingIsFreed() {
        reclaim.freed(1);
        reclaim.freed(MIB);
        reclaim.freed(300 << 10);
        assertEquals(1, fake.looks.size());
        fake.next = 16;
        fake.run();
        assertEquals(1, fake.looks.size());
        reclaim.freed(100);
        fake.next = 1000;
        fake.run();
        assertEquals(List.of("first " + MIB, "0"), fake.seen, "the largest block, if it is large");
        assertEquals(List.of(16L, 16L, 1000L), fake.waits);
    }

    @Test
    void looksEndWhenAllIsSettledAndBeginAgain() {
        reclaim.freed(1);
        fake.run();
        assertEquals(0, fake.looks.size());
        reclaim.freed(1);
        fake.run();
        assertEquals(List.of("first 0", "first 0"), fake.seen);
    }

    /** Freed after the look, before it is known that none is to come. */
    @Test
    void whatIsFreedMeanwhileIsLookedAt() {
        reclaim.freed(1);
        fake.isSettled = false;
        fake.run();
        assertEquals(1, fake.looks.size());
    }

    @Test
    void noLooksWhileTheyAreOff() {
        reclaim.freed(1);
        reclaim.stop();
        fake.run();
        reclaim.freed(1);
        assertEquals(0, fake.looks.size());
        assertEquals(List.of(), fake.seen);
        reclaim.start();
        reclaim.freed(1);
        assertEquals(1, fake.looks.size());
        fake.run();
        assertEquals(List.of("first 0"), fake.seen);
    }

    @Test
    void withoutAThreadTheNextWhoFreesTriesAgain() {
        fake.isRefusing = true;
        reclaim.freed(1);
        fake.isRefusing = false;
        reclaim.freed(1);
        assertEquals(1, fake.looks.size());
    }
}
