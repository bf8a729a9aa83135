package upa.pager.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import upa.pager.posix.Posix;

class FileStoreTest extends StoreContract {
    @TempDir
    static Path temporary;

    private final Map<Store, Integer> heirs = new HashMap<>();

    /** Beside the classes, since /tmp may lie in memory. */
    private static Path folder() {
        return Path.of(FileStoreTest.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .getPath());
    }

    private Store remember(FileStore store) {
        keep(store);
        // As an agent keeps it open for a successor.
        int copy = Posix.open("/proc/self/fd/" + store.descriptor(), 02 | 040000 | 02000000, 0);
        assertTrue(copy > 0, "copy=" + copy);
        heirs.put(store, copy);
        return store;
    }

    @Override
    Store open(int pages) throws StoreException {
        return remember(FileStore.create("file", folder(), Math.max(FileStore.LEAST_BYTES, (pages + 128L) * 4096)));
    }

    @Override
    Store reopen(Store closed) throws StoreException {
        return remember(
                FileStore.open("file", heirs.remove(closed), closed.statistics().bytesLimit()));
    }

    @AfterEach
    void closeHeirs() {
        heirs.values().forEach(Posix::close);
    }

    private RandomAccessFile file(Store store) throws IOException {
        return new RandomAccessFile("/proc/self/fd/" + heirs.get(store), "rw");
    }

    @Override
    void damage(Store store, int slot) throws IOException {
        try (RandomAccessFile file = file(store)) {
            file.seek(slot * 4096L + 1000);
            int was = file.read();
            file.seek(slot * 4096L + 1000);
            file.write(~was);
        }
    }

    @Override
    void remove(Store store, int slot) {
        assertEquals(0, Posix.fallocate(heirs.get(store), Posix.PUNCH_HOLE_KEEP_SIZE, slot * 4096L, 4096));
    }

    @Test
    void aFileThatWasCutIsMissing() throws Exception {
        Store store = open(100);
        long kept = writeOne(store, 1);
        assertEquals(0, Posix.ftruncate(heirs.get(store), 0));
        assertEquals(PageIo.Result.MISSING, read(store, kept).result(0));
        assertEquals(PageIo.Result.OK, write(store, 5, 6).result(0));
    }

    @Test
    void itsFileHasNoNameAndItsBlocksGoBack() throws Exception {
        FileStore store = (FileStore) open(600);
        try (var list = Files.list(folder())) {
            assertEquals(
                    List.of(),
                    list.filter(p -> p.getFileName().toString().endsWith(".pages"))
                            .toList());
        }
        PageIo io = write(store, 0, 512);
        int[] slots = new int[512];
        for (int i = 0; i < 512; i++) {
            slots[i] = io.slot(i);
        }
        Path open = Path.of("/proc/self/fd/" + store.descriptor());
        assertTrue(blocks(open) >= 512 * 8, "blocks=" + blocks(open));
        store.free(slots, 512);
        await("blocks given back", () -> blocks(open) <= 64 * 8);
    }

    private static long blocks(Path file) throws IOException {
        Process stat = new ProcessBuilder(
                        "stat",
                        "-L",
                        "-c",
                        "%b",
                        "/proc/" + ProcessHandle.current().pid() + "/fd/" + file.getFileName())
                .redirectErrorStream(true)
                .start();
        return Long.parseLong(new String(stat.getInputStream().readAllBytes()).strip());
    }

    @Test
    void foldersAreChecked() throws Exception {
        assertEquals(
                "cannot keep pages in folder=/no/such: there is no such folder",
                assertThrows(StoreException.class, () -> FileStore.create("f", Path.of("/no/such"), 1 << 20))
                        .getMessage());
        Path file = Files.createFile(temporary.resolve("a-file"));
        assertEquals(
                "cannot keep pages in folder=" + file + ": it is no folder",
                assertThrows(StoreException.class, () -> FileStore.create("f", file, 1 << 20))
                        .getMessage());
        assertTrue(assertThrows(StoreException.class, () -> FileStore.create("f", temporary, 4096))
                .getMessage()
                .startsWith("store=f has bytes=4096, needs 1048576 to "));
        assumeTrue(Files.isDirectory(Path.of("/dev/shm"))
                && Files.getFileStore(Path.of("/dev/shm")).type().equals("tmpfs"));
        assertEquals(
                "cannot keep pages in folder=/dev/shm: it lies in memory (tmpfs)",
                assertThrows(StoreException.class, () -> FileStore.create("f", Path.of("/dev/shm"), 1 << 20))
                        .getMessage());
    }

    /** A log of a few segments against a set of slots. */
    @Test
    void aLogHandsOutNoSlotTwice() {
        for (long seed = 0; seed < 30; seed++) {
            Random random = new Random(seed);
            int segments = 1 + random.nextInt(6);
            SegmentLog log = new SegmentLog(segments);
            BitSet used = new BitSet();
            for (int step = 0; step < 3000; step++) {
                if (random.nextInt(3) == 0) {
                    int wanted = 1 + random.nextInt(100);
                    int slot = log.allocate(wanted);
                    if (slot != SegmentLog.NONE) {
                        int taken = log.taken(slot);
                        assertTrue(taken >= 1 && taken <= Math.min(wanted, 64) && slot + taken <= 64 * segments);
                        assertEquals(slot / 64, (slot + taken - 1) / 64);
                        assertTrue(used.get(slot, slot + taken).isEmpty(), "seed=" + seed + " step=" + step);
                        used.set(slot, slot + taken);
                    }
                } else {
                    for (int i = 0; i < 30 && !used.isEmpty(); i++) {
                        int slot = used.nextSetBit(random.nextInt(used.length()));
                        used.clear(slot);
                        int segment = log.free(slot);
                        if (segment != SegmentLog.NONE) {
                            assertTrue(used.get(segment * 64, segment * 64 + 64).isEmpty());
                            log.recycled(segment);
                        }
                    }
                }
                assertEquals(used.cardinality(), log.pages());
                assertTrue(log.segmentsInUse() * 64 >= log.pages());
            }
            while (!used.isEmpty()) {
                int slot = used.nextSetBit(0);
                used.clear(slot);
                int segment = log.free(slot);
                if (segment != SegmentLog.NONE) {
                    log.recycled(segment);
                }
            }
            int room = 0;
            for (int slot = log.allocate(1000); slot != SegmentLog.NONE; slot = log.allocate(1000)) {
                room += log.taken(slot);
            }
            assertTrue(room > 64 * (segments - 1), "room=" + room + " segments=" + segments);
        }
    }
}
