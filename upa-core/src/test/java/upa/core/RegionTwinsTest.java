package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.StandardOpenOption;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import upa.internal.bindings.NativeLibrary;
import upa.internal.bindings.Upa;
import upa.internal.bindings.upa_llfree_header;
import upa.internal.bindings.upa_region_stats;
import upa.llfree.LlFree;
import upa.llfree.LlFreeDescriptor;

/** The Java region and the C region on one file. */
class RegionTwinsTest {
    private static final long MIB = 1 << 20;
    private static final long BYTES = 64 * MIB;

    private SharedFile file;
    private Arena arena;

    @BeforeAll
    static void needsTheLibrary() {
        assumeTrue(NativeLibrary.isAvailable(), NativeLibrary::whyNot);
    }

    @BeforeEach
    void create() throws IOException {
        file = new SharedFile();
        arena = Arena.ofShared();
    }

    @AfterEach
    void delete() throws IOException {
        arena.close();
        file.close();
    }

    private MemorySegment createInC() {
        MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
        assertEquals(
                0,
                Upa.upa_region_create_shared(out, arena.allocateFrom(file.path().toString()), BYTES, 0));
        return out.get(ValueLayout.ADDRESS, 0);
    }

    private MemorySegment attachInC() {
        MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
        assertEquals(
                0, Upa.upa_region_attach(out, arena.allocateFrom(file.path().toString())));
        return out.get(ValueLayout.ADDRESS, 0);
    }

    private int attachErrorInC() {
        return Upa.upa_region_attach(
                arena.allocate(ValueLayout.ADDRESS),
                arena.allocateFrom(file.path().toString()));
    }

    private void assertSameStats(MemorySegment c, Region java) {
        MemorySegment s = upa_region_stats.allocate(arena);
        assertEquals(0, Upa.upa_region_get_stats(c, s));
        assertEquals(
                java.stats(),
                new RegionStats(
                        upa_region_stats.capacity_bytes(s),
                        upa_region_stats.allocated_bytes(s),
                        upa_region_stats.retained_bytes(s),
                        upa_region_stats.metadata_bytes(s),
                        upa_region_stats.maps(s),
                        upa_region_stats.unmaps(s),
                        upa_region_stats.failures(s),
                        upa_region_stats.cleared_bytes(s),
                        upa_region_stats.moved_bytes(s),
                        upa_region_stats.given_back_bytes(s),
                        null));
    }

    private byte[] header() throws IOException {
        try (FileChannel channel = FileChannel.open(file.path())) {
            ByteBuffer header = ByteBuffer.allocate(RegionDescriptor.HEADER_BYTES);
            channel.read(header, 0);
            return header.array();
        }
    }

    @Test
    void theConstantsAreThoseOfTheHeader() {
        assertEquals(Upa.UPA_REGION_MAGIC(), RegionDescriptor.MAGIC);
        assertEquals(Upa.UPA_REGION_ABI(), RegionDescriptor.ABI);
        assertEquals(1L << Upa.UPA_PAGE_SHIFT(), RegionDescriptor.PAGE_BYTES);
        assertEquals(Upa.UPA_CHILD_PAGES() * RegionDescriptor.PAGE_BYTES, RegionDescriptor.CHILD_BYTES);
        assertEquals(Upa.UPA_MAX_PAGES() * RegionDescriptor.PAGE_BYTES, RegionDescriptor.MAX_BYTES);
        assertEquals(Upa.UPA_MAP_ZEROS(), Region.ZEROS);
        assertEquals(Upa.UPA_MAP_FAULTED(), Region.FAULTED);
        assertEquals(Upa.UPA_MAP_INPLACE(), Region.IN_PLACE);
    }

    @Test
    void theConstantsOfTheStateAreThoseOfTheHeader() {
        assertEquals(Upa.UPA_LLFREE_MAGIC(), LlFreeDescriptor.MAGIC);
        assertEquals(Upa.UPA_LLFREE_ABI(), LlFreeDescriptor.ABI);
        assertEquals(Upa.UPA_PAGE_SHIFT(), LlFreeDescriptor.PAGE_SHIFT);
        assertEquals(Upa.UPA_CHILD_PAGES(), LlFreeDescriptor.CHILD_PAGES);
        assertEquals(Upa.UPA_TREE_CHILDREN(), LlFreeDescriptor.TREE_CHILDREN);
        assertEquals(Upa.UPA_TREE_PAGES(), LlFreeDescriptor.TREE_PAGES);
        assertEquals(Upa.UPA_MAX_ORDER(), LlFreeDescriptor.MAX_ORDER);
        assertEquals(Upa.UPA_MAX_PAGES(), LlFreeDescriptor.MAX_PAGES);
        assertEquals(Upa.UPA_MAX_SLOTS(), LlFreeDescriptor.MAX_SLOTS);
        assertEquals(upa_llfree_header.magic$offset(), LlFreeDescriptor.MAGIC_OFFSET);
        assertEquals(upa_llfree_header.abi$offset(), LlFreeDescriptor.ABI_OFFSET);
        assertEquals(upa_llfree_header.slots$offset(), LlFreeDescriptor.SLOTS_OFFSET);
        assertEquals(upa_llfree_header.state_bytes$offset(), LlFreeDescriptor.STATE_BYTES_OFFSET);
        assertEquals(upa_llfree_header.pages$offset(), LlFreeDescriptor.PAGES_OFFSET);
        assertEquals(upa_llfree_header.slot_offset$offset(), LlFreeDescriptor.SLOT_OFFSET);
        assertEquals(upa_llfree_header.tree_offset$offset(), LlFreeDescriptor.TREE_OFFSET);
        assertEquals(upa_llfree_header.child_offset$offset(), LlFreeDescriptor.CHILD_OFFSET);
        assertEquals(upa_llfree_header.bitmap_offset$offset(), LlFreeDescriptor.BITMAP_OFFSET);
        assertEquals(upa_llfree_header.touched_children$offset(), LlFreeDescriptor.TOUCHED_CHILDREN_OFFSET);
        assertEquals(Upa.UPA_ABSENT(), LlFree.ABSENT);
        assertEquals(Upa.UPA_ZEROED(), LlFree.ZEROED);
        assertEquals(Upa.UPA_STALE(), LlFree.STALE);
        assertEquals(Upa.UPA_MIXED(), LlFree.MIXED);
        assertEquals(Upa.UPA_GET_ZEROS(), LlFree.GET_ZEROS);
        assertEquals(Upa.UPA_GET_ABSENT(), LlFree.GET_ABSENT);
        assertEquals(Upa.UPA_GET_ALIGNED(), LlFree.GET_ALIGNED);
        assertEquals(Upa.UPA_PUT_ABSENT(), LlFree.PUT_ABSENT);
        assertEquals(Upa.UPA_PUT_ZEROED(), LlFree.PUT_ZEROED);
        assertEquals(Upa.UPA_PUT_UNTOUCHED(), LlFree.PUT_UNTOUCHED);
    }

    @Test
    void bothWriteTheSameHeader() throws IOException {
        Upa.upa_region_destroy(createInC());
        byte[] c = header();
        ByteBuffer fields = ByteBuffer.wrap(c).order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(RegionDescriptor.MAGIC, fields.getLong(RegionDescriptor.MAGIC_OFFSET));
        assertEquals(BYTES, fields.getLong(RegionDescriptor.DATA_BYTES_OFFSET));
        Files.delete(file.path());
        Region.createShared(file.path(), BYTES).close();
        // Each takes the number of processors from its own source: configured, or available to the process.
        ByteBuffer java = ByteBuffer.wrap(header()).order(ByteOrder.LITTLE_ENDIAN);
        assumeTrue(
                fields.getInt(RegionDescriptor.SLOTS_OFFSET) == java.getInt(RegionDescriptor.SLOTS_OFFSET),
                "this process may not use all processors");
        assertEquals(HexFormat.of().formatHex(c), HexFormat.of().formatHex(header()));
    }

    @Test
    void eachAttachesToWhatTheOtherHasMade() throws IOException {
        MemorySegment c = createInC();
        long block = Upa.upa_region_map(c, 3 * MIB, Region.ZEROS).address()
                - Upa.upa_region_base(c).address();
        try (Region java = Region.attach(file.path())) {
            assertFalse(java.mapAt(java.base() + block, 4096, 0));
            MemorySegment.ofAddress(Upa.upa_region_base(c).address() + block)
                    .reinterpret(8)
                    .set(ValueLayout.JAVA_LONG, 0, 77);
            assertEquals(77, java.segment(java.base() + block, 8).get(ValueLayout.JAVA_LONG, 0));
            java.unmap(java.base() + block, 3 * MIB);
            assertEquals(
                    -22,
                    Upa.upa_region_unmap(
                            c, MemorySegment.ofAddress(Upa.upa_region_base(c).address() + block), 3 * MIB),
                    "freed already");
            long address = java.map(5 * MIB, Region.ZEROS);
            assertEquals(0, java.segment(address, 5 * MIB).get(ValueLayout.JAVA_LONG, 0));
            assertEquals(address, java.resize(address, 5 * MIB, 7 * MIB, 0));
            assertSameStats(c, java);
            java.giveBack(0);
            assertSameStats(c, java);
        }
        Upa.upa_region_destroy(c);
        Files.delete(file.path());
        try (Region java = Region.createShared(file.path(), BYTES)) {
            MemorySegment again = attachInC();
            assertEquals(BYTES, Upa.upa_region_bytes(again));
            assertNotEquals(MemorySegment.NULL, Upa.upa_region_map(again, MIB, 0));
            assertEquals(MIB, java.stats().allocatedBytes());
            Upa.upa_region_destroy(again);
        }
    }

    @Test
    void bothRefuseTheSameFiles() throws IOException {
        record Damage(int offset, long value, int bytes, int errno, String message) {}
        for (Damage d : new Damage[] {
            new Damage(0, 1, 8, 74, "not a region"),
            new Damage(8, 9, 4, 71, "another version"),
            new Damage(12, 5000, 4, 34, "contradictory"),
            new Damage(16, BYTES + 1, 8, 34, "contradictory"),
            new Damage(48, BYTES, 8, 34, "contradictory")
        }) {
            Region.createShared(file.path(), BYTES).close();
            try (FileChannel channel = FileChannel.open(file.path(), StandardOpenOption.WRITE)) {
                channel.write(
                        ByteBuffer.allocate(8)
                                .order(ByteOrder.LITTLE_ENDIAN)
                                .putLong(0, d.value)
                                .limit(d.bytes),
                        d.offset);
            }
            assertEquals(-d.errno, attachErrorInC(), d.message);
            String message = assertThrows(FileSystemException.class, () -> Region.attach(file.path()))
                    .getMessage();
            assertTrue(message.contains(d.message), message);
            Files.delete(file.path());
        }
    }

    /** Each block is marked with its owner's number, all over, and found unchanged when it is freed. */
    @Test
    void threadsOfBothLanguagesShareOneRegion() throws Exception {
        MemorySegment c = createInC();
        try (Region java = Region.attach(file.path())) {
            FutureTask<Void> inC = new FutureTask<>(() -> work(
                    1,
                    Upa.upa_region_base(c).address(),
                    new Calls(
                            bytes -> Upa.upa_region_map(c, bytes, 0).address(),
                            (address, bytes) -> assertEquals(
                                    0, Upa.upa_region_unmap(c, MemorySegment.ofAddress(address), bytes)))));
            FutureTask<Void> inJava = new FutureTask<>(() -> work(2, java.base(), new Calls(java::map, java::unmap)));
            Thread[] threads = {new Thread(inC), new Thread(inJava)};
            for (Thread t : threads) {
                t.start();
            }
            for (Thread t : threads) {
                t.join();
            }
            inC.get();
            inJava.get();
            java.validate();
            assertEquals(0, java.stats().allocatedBytes());
        }
        Upa.upa_region_destroy(c);
    }

    private interface Map {
        long map(long bytes);
    }

    private interface Unmap {
        void unmap(long address, long bytes);
    }

    private record Calls(Map map, Unmap unmap) {}

    private static Void work(int owner, long base, Calls calls) {
        Random random = new Random(owner);
        long[] address = new long[64];
        long[] bytes = new long[64];
        MemorySegment all = MemorySegment.ofAddress(base).reinterpret(BYTES);
        for (int i = 0; i < 20_000 + address.length; i++) {
            int at = i % address.length;
            if (address[at] != 0) {
                MemorySegment s = all.asSlice(address[at] - base, bytes[at]);
                for (long page = 0; page < bytes[at]; page += 4096) {
                    assertEquals(owner * 1_000_000L + i - address.length, s.get(ValueLayout.JAVA_LONG, page));
                }
                calls.unmap.unmap(address[at], bytes[at]);
                address[at] = 0;
            }
            if (i < 20_000) {
                bytes[at] = 4096L << random.nextInt(random.nextInt(12) + 1);
                address[at] = calls.map.map(bytes[at]);
                for (long page = 0; address[at] != 0 && page < bytes[at]; page += 4096) {
                    all.set(ValueLayout.JAVA_LONG, address[at] - base + page, owner * 1_000_000L + i);
                }
            }
        }
        return null;
    }
}
