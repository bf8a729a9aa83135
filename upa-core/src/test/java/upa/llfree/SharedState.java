package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * An allocator's state in a file, with a map of who owns each page and one of what each page holds, for threads of
 * several processes. upa-mmap-shim/tests/llfree/llfree_peer.h draws the layout.
 */
final class SharedState implements AutoCloseable {
    private static final VarHandle WORD = ValueLayout.JAVA_INT.varHandle();

    final Path file;
    final MemorySegment memory;
    final LlFree allocator;
    private final Arena arena = Arena.ofShared();
    private final long owners;
    private final long contents;

    private SharedState(Path file, long pages, int slots) throws IOException {
        this.file = file;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            boolean isNew = channel.size() == 0;
            long bytes = isNew ? maps(pages, slots) + 2 * Integer.BYTES * pages : channel.size();
            memory = channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
            allocator = isNew ? LlFree.create(memory, pages, slots) : LlFree.attach(memory);
        }
        owners = maps(allocator.pages(), allocator.slots());
        contents = owners + Integer.BYTES * allocator.pages();
    }

    static SharedState create(long pages, int slots) throws IOException {
        Path shm = Path.of("/dev/shm");
        Path file = Files.isWritable(shm)
                ? Files.createTempFile(shm, "upa-test", ".state")
                : Files.createTempFile("upa-test", ".state");
        return new SharedState(file, pages, slots);
    }

    static SharedState attach(Path file) throws IOException {
        return new SharedState(file, 0, 0);
    }

    private static long maps(long pages, int slots) {
        return LlFree.stateSize(pages, slots) + 4095 & -4096;
    }

    /** Who holds a page; 0 nobody. */
    int owner(long page) {
        return (int) WORD.getVolatile(memory, owners + page * Integer.BYTES);
    }

    /** Returns the owner before. */
    int changeOwner(long page, int from, int to) {
        return (int) WORD.compareAndExchange(memory, owners + page * Integer.BYTES, from, to);
    }

    /** 0 if the page reads zero. */
    int content(long page) {
        return (int) WORD.getOpaque(memory, contents + page * Integer.BYTES);
    }

    void setContent(long page, int value) {
        WORD.setOpaque(memory, contents + page * Integer.BYTES, value);
    }

    /** Nobody is at work and nobody holds anything: so everything must be free. */
    void assertAllFree() {
        allocator.validate();
        assertEquals(allocator.pages(), allocator.stats().freePages());
        for (long page = 0; page < allocator.pages(); page++) {
            assertEquals(0, owner(page), "owner of page=" + page);
        }
    }

    @Override
    public void close() throws IOException {
        arena.close();
        Files.deleteIfExists(file);
    }
}
