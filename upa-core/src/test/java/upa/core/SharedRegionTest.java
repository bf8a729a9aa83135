package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static upa.core.RegionDescriptor.CHILD_BYTES;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import upa.llfree.LlFree;
import upa.llfree.LlFreeDescriptor;

/** Regions in files: several users, hostile files, killed processes. */
class SharedRegionTest {
    private static final long MIB = 1 << 20;
    private static final long BYTES = 16 * MIB;

    private SharedFile file;

    @BeforeEach
    void create() throws IOException {
        file = new SharedFile();
        Region.createShared(file.path(), BYTES).close();
    }

    @AfterEach
    void delete() throws IOException {
        file.close();
    }

    private String refusal() {
        return assertThrows(
                        FileSystemException.class,
                        () -> Region.attach(file.path()).close())
                .getMessage();
    }

    private void patch(long offset, long value, int bytes) throws IOException {
        try (FileChannel channel = FileChannel.open(file.path(), StandardOpenOption.WRITE)) {
            channel.write(
                    ByteBuffer.allocate(8)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putLong(0, value)
                            .limit(bytes),
                    offset);
        }
    }

    private void truncate(long bytes) throws IOException {
        try (RandomAccessFile f = new RandomAccessFile(file.path().toFile(), "rw")) {
            f.setLength(bytes);
        }
    }

    @Test
    void twoRegionsOnOneFileShareMemoryAndState() throws IOException {
        try (Region one = Region.attach(file.path());
                Region two = Region.attach(file.path())) {
            assertNotEquals(one.base(), two.base());
            long address = one.map(3 * MIB, Region.ZEROS);
            long offset = address - one.base();
            one.segment(address, 8).set(ValueLayout.JAVA_LONG, 0, 42);
            assertEquals(42, two.segment(two.base() + offset, 8).get(ValueLayout.JAVA_LONG, 0));
            assertFalse(two.mapAt(two.base() + offset, MIB, 0));
            two.unmap(two.base() + offset, 3 * MIB);
            assertTrue(one.mapAt(address, MIB, Region.ZEROS));
            assertEquals(0, one.segment(address, 8).get(ValueLayout.JAVA_LONG, 0));
            assertEquals(one.stats(), two.stats());
            two.validate();
        }
    }

    @Test
    void giveBackAndResizeWorkInAFile() throws IOException {
        try (Region region = Region.attach(file.path())) {
            long address = region.map(4 * MIB);
            region.segment(address, 4 * MIB).fill((byte) 7);
            region.mapAt(address + 4 * MIB, 4096, 0);
            long moved = region.resize(address, 4 * MIB, 6 * MIB, Region.ZEROS);
            assertNotEquals(address, moved);
            assertEquals(7, region.segment(moved, 4 * MIB).get(ValueLayout.JAVA_BYTE, 4 * MIB - 1));
            assertEquals(0, region.segment(moved, 6 * MIB).get(ValueLayout.JAVA_BYTE, 5 * MIB));
            assertEquals(4 * MIB, region.giveBack(0));
            assertEquals(2 * MIB, region.populate(2 * MIB));
            region.validate();
        }
    }

    @Test
    void theFileOutlivesItsUsers() throws IOException {
        long offset;
        try (Region region = Region.attach(file.path())) {
            long address = region.map(MIB);
            region.segment(address, 1).set(ValueLayout.JAVA_BYTE, 0, (byte) 9);
            offset = address - region.base();
        }
        try (Region region = Region.attach(file.path())) {
            assertEquals(MIB, region.stats().allocatedBytes());
            assertEquals(9, region.segment(region.base() + offset, 1).get(ValueLayout.JAVA_BYTE, 0));
        }
    }

    // ---- files that are none of ours ----

    @Test
    void aFileThatExistsIsNotOverwritten() throws IOException {
        long before = Files.size(file.path());
        String message = assertThrows(FileAlreadyExistsException.class, () -> Region.createShared(file.path(), BYTES))
                .getMessage();
        assertTrue(message.contains(file.path().toString()), message);
        assertEquals(before, Files.size(file.path()));
        Region.attach(file.path()).close();
    }

    @Test
    void aFileThatIsNotThereOrNoFile() {
        Path missing = file.path().resolveSibling("missing");
        assertTrue(assertThrows(NoSuchFileException.class, () -> Region.attach(missing))
                .getMessage()
                .contains(missing.toString()));
        assertThrows(NoSuchFileException.class, () -> Region.createShared(missing.resolve("below"), BYTES));
        String message = assertThrows(
                        FileSystemException.class,
                        () -> Region.attach(file.path().getParent()))
                .getMessage();
        assertTrue(message.contains("EISDIR (21)"), message);
        assertFalse(Files.exists(missing));
    }

    @Test
    void aRegionThatCannotBeMadeLeavesNoFile() {
        Path path = file.path().resolveSibling("huge");
        assertThrows(Exception.class, () -> Region.createShared(path, RegionDescriptor.MAX_BYTES));
        assertFalse(Files.exists(path));
        assertThrows(IllegalArgumentException.class, () -> Region.createShared(path, 0));
        assertFalse(Files.exists(path));
    }

    @Test
    void notARegion() throws IOException {
        patch(RegionDescriptor.MAGIC_OFFSET, 0x1234, 8);
        String message = refusal();
        assertTrue(message.contains("not a region: magic=0x1234 expected=0x31304e4f49474552"), message);
        assertTrue(message.contains(file.path().toString()), message);
        truncate(0);
        assertTrue(refusal().contains("not a region"), refusal());
        truncate(4);
        assertTrue(refusal().contains("not a region"), refusal());
    }

    @Test
    void anotherVersion() throws IOException {
        patch(RegionDescriptor.ABI_OFFSET, 2, 4);
        assertTrue(refusal().contains("another version: abi=2 expected=1"), refusal());
    }

    @Test
    void anotherVersionOfTheState() throws IOException {
        long state = 8192;
        patch(state + LlFreeDescriptor.ABI_OFFSET, 7, 4);
        assertTrue(refusal().contains("abi=7"), refusal());
        patch(state, 0, 8);
        assertTrue(refusal().contains("magic"), refusal());
    }

    @Test
    void truncated() throws IOException {
        long bytes = Files.size(file.path());
        for (long left : new long[] {bytes - 1, bytes / 2, CHILD_BYTES, 8192, 4096, RegionDescriptor.HEADER_BYTES}) {
            truncate(left);
            assertTrue(refusal().contains("truncated: file_bytes=" + left + " expected=" + bytes), refusal());
        }
        truncate(RegionDescriptor.HEADER_BYTES - 1);
        assertTrue(refusal().contains("truncated: file_bytes=55"), refusal());
    }

    @Test
    void contradictory() throws IOException {
        try (FileChannel channel = FileChannel.open(file.path())) {
            ByteBuffer header =
                    ByteBuffer.allocate(RegionDescriptor.HEADER_BYTES).order(ByteOrder.LITTLE_ENDIAN);
            channel.read(header, 0);
            for (int field : new int[] {
                RegionDescriptor.DATA_BYTES_OFFSET,
                RegionDescriptor.STATE_OFFSET_OFFSET,
                RegionDescriptor.STATE_BYTES_OFFSET,
                RegionDescriptor.DATA_OFFSET_OFFSET,
                RegionDescriptor.FILE_BYTES_OFFSET
            }) {
                for (long wrong : new long[] {0, -1, 1, header.getLong(field) + 4096, Long.MIN_VALUE, Long.MAX_VALUE}) {
                    patch(field, wrong, 8);
                    assertTrue(refusal().contains("contradictory: "), refusal());
                }
                patch(field, header.getLong(field), 8);
            }
        }
        for (int slots : new int[] {0, -1, 4097, 100}) {
            patch(RegionDescriptor.SLOTS_OFFSET, slots, 4);
            assertTrue(refusal().contains("contradictory: "), refusal());
        }
    }

    /** Whatever is in a file: attaching is refused, or the region can be used and each call ends without harm. */
    @Test
    void randomDamageIsRefusedOrHarmless() throws IOException {
        Random random = new Random(7);
        try (FileChannel channel = FileChannel.open(file.path(), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            ByteBuffer metadata = ByteBuffer.allocate((int) CHILD_BYTES);
            channel.read(metadata, 0);
            int used = 8192 + (int) LlFree.stateSize(BYTES / 4096, 8);
            for (int round = 0; round < 300; round++) {
                channel.write(ByteBuffer.wrap(metadata.array()), 0);
                for (int i = 0; i <= random.nextInt(20); i++) {
                    // Half of it where the header, the slots and the words are.
                    int at = random.nextBoolean() ? random.nextInt(used) : 8192 + 4096 + random.nextInt(1024);
                    patch(round % 3 == 0 ? random.nextInt(64) : at, random.nextLong(), 1 + random.nextInt(8));
                }
                use(random);
            }
        }
    }

    private void use(Random random) throws IOException {
        try (Region region = Region.attach(file.path())) {
            for (int i = 0; i < 50; i++) {
                try {
                    long bytes = 1 + random.nextLong(3 * MIB);
                    long address = region.map(bytes, random.nextBoolean() ? Region.ZEROS : 0);
                    if (address != Region.NO_MEMORY) {
                        region.segment(address, bytes).set(ValueLayout.JAVA_BYTE, bytes - 1, (byte) 1);
                        region.unmap(address, bytes);
                    }
                    region.stats();
                    if (i % 25 == 0) {
                        region.giveBack(0);
                        region.clear(BYTES);
                        region.validate();
                    }
                } catch (IllegalArgumentException | IllegalStateException damageSeen) {
                    assertFalse(damageSeen.getMessage().isEmpty());
                }
            }
            region.recover();
        } catch (FileSystemException refused) {
            assertFalse(refused.getReason().isEmpty());
        }
    }

    // ---- another process ----

    /** Maps, marks and unmaps at random until it is killed; then its parent mends the region. */
    public static void main(String[] path) throws IOException {
        Random random = new Random();
        try (Region region = Region.attach(Path.of(path[0]))) {
            long kept = region.map(MIB, Region.ZEROS);
            region.segment(kept, 8).set(ValueLayout.JAVA_LONG, 0, 0x1234567890L);
            System.out.println(kept - region.base());
            for (; ; ) {
                long bytes = 1 + random.nextInt(20_000);
                long address = region.map(bytes);
                if (address != Region.NO_MEMORY) {
                    region.segment(address, bytes).fill((byte) 1);
                    region.unmap(address, bytes);
                }
            }
        }
    }

    private static Process start(Path path) throws IOException, URISyntaxException {
        Path classes = Path.of(
                Region.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "--illegal-native-access=deny",
                        "-Xshare:auto",
                        "-XX:TieredStopAtLevel=1",
                        "-cp",
                        classes + ":" + classes.resolveSibling("test-classes"),
                        SharedRegionTest.class.getName(),
                        path.toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        process.getOutputStream().close();
        return process;
    }

    @Test
    void whatAKilledProcessHeldStaysAndTheRestIsMended() throws Exception {
        for (int round = 1; round <= 3; round++) {
            Process process = start(file.path());
            try (var output = process.inputReader();
                    Region region = Region.attach(file.path())) {
                String line = output.readLine();
                assertTrue(line != null, "the process wrote nothing, exit=" + (line == null ? process.waitFor() : 0));
                long kept = region.base() + Long.parseLong(line);
                long busy = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(100);
                while (System.nanoTime() < busy) {
                    long address = region.map(8192, Region.ZEROS);
                    assertNotEquals(Region.NO_MEMORY, address);
                    assertEquals(0, region.segment(address, 8192).get(ValueLayout.JAVA_LONG, 4096));
                    region.unmap(address, 8192);
                }
                process.destroyForcibly().waitFor();
                region.recover();
                region.validate();
                assertEquals(0x1234567890L, region.segment(kept, 8).get(ValueLayout.JAVA_LONG, 0));
                long allocated = region.stats().allocatedBytes();
                assertTrue(allocated >= round * MIB && allocated <= round * (MIB + 5 * 4096), "allocated=" + allocated);
            } finally {
                process.destroyForcibly();
            }
        }
    }
}
