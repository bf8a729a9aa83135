package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.core.RegionDescriptor.PAGE_BYTES;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import upa.internal.bindings.Device;
import upa.internal.bindings.upadev_bound;
import upa.internal.os.DeviceCalls;

/** A region of the back end pte. */
class PteRegionTest extends PteRegionContract {
    @BeforeAll
    static void assumeAvailable() {
        assumeAvailable(PteOptions.guarded(2 * MIB));
    }

    @Override
    PteOptions options(long poolBytes) {
        return PteOptions.guarded(poolBytes);
    }

    @Test
    void giveBackShrinksThePool() {
        Region shrinking = Region.create(BYTES, options(32 * MIB));
        assertTrue(shrinking.mapAt(shrinking.base(), 32 * MIB, 0));
        shrinking.segment(shrinking.base(), 32 * MIB).fill((byte) 1);
        shrinking.unmap(shrinking.base() + MIB, 31 * MIB);
        assertEquals(24 * MIB, shrinking.giveBack(7 * MIB), "in units of 2 MiB");
        assertEquals(8 * MIB, shrinking.stats().frames().poolBytes());
        assertReads(shrinking, shrinking.base(), MIB, 1);
        assertEquals(6 * MIB, shrinking.giveBack(0), "one block holds pages in use");
        assertEquals(30 * MIB, shrinking.stats().givenBackBytes());
        assertEquals(0, shrinking.giveBack(0));
        shrinking.validate();
        assertTrue(shrinking.mapAt(shrinking.base() + 32 * MIB, 31 * MIB, Region.ZEROS));
        assertReads(shrinking, shrinking.base() + 32 * MIB, 31 * MIB, 0);
        assertEquals(32 * MIB, shrinking.stats().frames().poolBytes());
        assertReads(shrinking, shrinking.base(), MIB, 1);
        shrinking.validate();
        shrinking.close();
    }

    /** Of each 4 MiB of the pool a page is in use, the last of them at its end. */
    private Region withAPageInEach4MiB(long maxDeferredBytes) {
        Region sparse =
                Region.create(BYTES, options(32 * MIB).withReclaim(true).withMaxDeferredBytes(maxDeferredBytes));
        assertTrue(sparse.mapAt(sparse.base(), 32 * MIB, 0));
        sparse.segment(sparse.base(), 32 * MIB).fill((byte) 1);
        for (long i = 0; i < 32 * MIB; i += 4 * MIB) {
            sparse.unmap(sparse.base() + i, 4 * MIB - PAGE_BYTES);
        }
        return sparse;
    }

    private static void assertKept(Region sparse) {
        for (long i = 4 * MIB; i <= 32 * MIB; i += 4 * MIB) {
            assertReads(sparse, sparse.base() + i - PAGE_BYTES, PAGE_BYTES, 1);
        }
    }

    @Test
    void giveBackReturnsFreeFramesFromAnywhere() {
        Region sparse = withAPageInEach4MiB(32 * MIB);
        long given = sparse.giveBack(0);
        assertTrue(given >= 12 * MIB, "given=" + given);
        assertEquals(given, sparse.stats().frames().goneBytes());
        assertEquals(32 * MIB - 8 * PAGE_BYTES - given, sparse.stats().retainedBytes());
        assertEquals(0, sparse.giveBack(0));
        sparse.validate();
        assertTrue(sparse.mapAt(sparse.base() + 32 * MIB, 30 * MIB, Region.ZEROS));
        assertReads(sparse, sparse.base() + 32 * MIB, 30 * MIB, 0);
        assertEquals(2 * MIB - 8 * PAGE_BYTES, sparse.stats().frames().goneBytes(), "what is used has memory again");
        assertKept(sparse);
        sparse.validate();
        sparse.close();
    }

    @Test
    void memoryPressureTakesFreeFramesAndLeavesThoseInUse() throws Exception {
        // The frames of all free pages leave them at once.
        Region sparse = withAPageInEach4MiB(0);
        assertEquals(0, sparse.stats().frames().deferredBytes());
        for (int i = 0; i < 50 && sparse.stats().frames().goneBytes() < 8 * MIB; i++) {
            Files.writeString(Path.of("/proc/sys/vm/drop_caches"), "2");
            Thread.sleep(100); // a region in which nothing was found is left alone for a second
        }
        assertTrue(
                sparse.stats().frames().goneBytes() >= 8 * MIB,
                () -> sparse.stats().toString());
        assertKept(sparse);
        assertTrue(sparse.mapAt(sparse.base() + 32 * MIB, 30 * MIB, Region.ZEROS));
        assertReads(sparse, sparse.base() + 32 * MIB, 30 * MIB, 0);
        assertKept(sparse);
        sparse.validate();
        sparse.close();
    }

    @Test
    void whatStillHasMemoryIsPreferred() {
        Region kept = Region.create(BYTES, options(32 * MIB).withReclaim(true).withMaxDeferredBytes(32 * MIB));
        assertTrue(kept.mapAt(kept.base(), 32 * MIB, 0));
        kept.segment(kept.base(), 32 * MIB).fill((byte) 1);
        kept.unmap(kept.base(), 32 * MIB);
        assertEquals(16 * MIB, kept.giveBack(16 * MIB));
        long faults = kept.stats().frames().faults();
        for (int i = 0; i < 4; i++) {
            kept.segment(kept.map(4 * MIB), 4 * MIB).fill((byte) 2);
        }
        assertEquals(16 * MIB, kept.stats().frames().goneBytes());
        assertEquals(faults, kept.stats().frames().faults());
        kept.validate();
        kept.segment(kept.map(4 * MIB), 4 * MIB).fill((byte) 2);
        assertEquals(12 * MIB, kept.stats().frames().goneBytes());
        kept.validate();
        kept.close();
    }

    /** The descriptors of the device that this process has. */
    private static Set<Integer> devices() throws IOException {
        Set<Integer> found = new HashSet<>();
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path descriptor : descriptors) {
                try {
                    if (Files.readSymbolicLink(descriptor).toString().equals("/dev/upa")) {
                        found.add(Integer.parseInt(descriptor.getFileName().toString()));
                    }
                } catch (NoSuchFileException e) {
                    continue; // that of the listing itself
                }
            }
        }
        return found;
    }

    private static void setBound(int device, long pages) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment request = upadev_bound.allocate(arena);
            upadev_bound.pages(request, pages);
            assertEquals(0, DeviceCalls.ioctl(device, Device.UPADEV_BOUND(), request.address()));
        }
    }

    @Test
    void whatWouldBeBeyondABoundIsRefused() throws IOException {
        Set<Integer> others = devices();
        Region bounded = Region.create(BYTES, options(32 * MIB).withReclaim(true));
        Set<Integer> own = devices();
        own.removeAll(others);
        int device = own.iterator().next();
        long first = bounded.map(6 * MIB);
        fillSegment(bounded, first, 6 * MIB, 1);
        setBound(device, Device.UPADEV_NO_BOUND() - 1);
        bounded.unmap(bounded.map(16 * MIB), 16 * MIB);
        setBound(device, 8 * MIB / PAGE_BYTES);
        long second = bounded.map(2 * MIB);
        fillSegment(bounded, second, 2 * MIB, 2);
        assertEquals(Region.NO_MEMORY, bounded.map(PAGE_BYTES), "a touch would be a SIGBUS");
        assertEquals(Region.NO_MEMORY, bounded.map(16 * MIB, Region.ZEROS));
        assertFalse(bounded.mapAt(bounded.base() + 48 * MIB, PAGE_BYTES, 0));
        assertEquals(8 * MIB, bounded.stats().allocatedBytes());
        bounded.validate();
        bounded.unmap(first, 4 * MIB);
        long third = bounded.map(4 * MIB, Region.ZEROS);
        assertReads(bounded, third, 4 * MIB, 0);
        assertEquals(Region.NO_MEMORY, bounded.map(PAGE_BYTES));
        setBound(device, Device.UPADEV_NO_BOUND());
        fillSegment(bounded, bounded.map(16 * MIB), 16 * MIB, 3);
        assertReads(bounded, first + 4 * MIB, 2 * MIB, 1);
        assertReads(bounded, second, 2 * MIB, 2);
        bounded.validate();
        bounded.close();
    }

    private static void fillSegment(Region region, long address, long bytes, int value) {
        region.segment(address, bytes).fill((byte) value);
    }

    @Test
    void aTouchInstallsWholeTables() {
        long address = region.map(8 * MIB);
        fill(address, 8 * MIB, 1);
        long faults = region.stats().frames().faults();
        assertTrue(faults <= 8, "faults=" + faults + " for 2048 pages");
    }
}
