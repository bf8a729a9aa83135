package upa.tools.top;

import static upa.tools.top.ViewDescriptor.*;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import upa.core.RegionDescriptor;
import upa.llfree.LlFree;

/** A /proc of files, whose processes have the memory that a test gives them. */
final class FakeProc {

    static final long DATA = 0x10000;
    static final long METADATA = 0x100000;
    static final long VIEW = DATA + 0x40;
    private static final int SLOTS = 8;
    private static final int STATE_OFFSET = 8192;
    private static final long PAGES = 1 << 20;

    final Path root;
    final Path folder;
    final ByteBuffer view = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);

    /** One process, 4711, with an empty view. */
    FakeProc(Path root) throws IOException {
        this.root = root;
        folder = Files.createDirectories(root.resolve("4711"));
        view.putLong(MAGIC_OFFSET, MAGIC).putInt(VERSION_OFFSET, VERSION).putInt(BYTES_OFFSET, BYTES);
        file("comm", "a program\n");
        file("stat", "4711 (a) (program)) S 1 2 3 4 5 6 1234 8 9 10 11 12 13 14 15 16 17 18 998877 20 21\n");
        file("statm", "5000 300 20 1 0 4 0\n");
        maps("/some/where/libupa_mmap.so");
        write();
    }

    void file(String name, String text) throws IOException {
        Files.writeString(folder.resolve(name), text);
    }

    void maps(String library) throws IOException {
        file("maps", """
            00001000-00002000 r-xp 00000000 08:01 42                 /bin/program
            00008000-00010000 r-xp 00000000 08:01 43                 %1$s
            00010000-00011000 rw-p 00008000 08:01 43                 %1$s
            00011000-00020000 rw-p 00000000 00:00 0
            """.formatted(library));
    }

    /** Puts the view where the program has it. */
    void write() throws IOException {
        put(VIEW, view.array());
        put(DATA + 0xfff, new byte[1]);
    }

    void put(long address, byte[] bytes) throws IOException {
        try (RandomAccessFile memory =
                new RandomAccessFile(folder.resolve("mem").toFile(), "rw")) {
            memory.seek(address);
            memory.write(bytes);
        }
    }

    /**
     * A region that has handed out 700 pages and 3, got 700 back, and cleared 5, moved 6 and given back 7; the kernel
     * has taken 8; a get and two puts were its own.
     */
    void region() throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(LlFree.stateSize(PAGES, SLOTS), ALIGNMENT);
            LlFree llfree = LlFree.create(state, PAGES, SLOTS);
            long first = llfree.getRun(0, 700, 0);
            llfree.getRun(1, 3, 0);
            llfree.putRun(0, first, 700, 0);
            llfree.getAt(0, first, 700);
            llfree.putRun(0, first, 700, 0);
            ByteBuffer header = ByteBuffer.allocate(STATE_OFFSET).order(ByteOrder.LITTLE_ENDIAN);
            header.putLong(RegionDescriptor.MAGIC_OFFSET, RegionDescriptor.MAGIC)
                    .putInt(RegionDescriptor.ABI_OFFSET, RegionDescriptor.ABI)
                    .putInt(RegionDescriptor.SLOTS_OFFSET, SLOTS)
                    .putLong(RegionDescriptor.STATE_OFFSET_OFFSET, STATE_OFFSET);
            int counters = RegionDescriptor.COUNTERS_OFFSET + RegionDescriptor.COUNTERS_BYTES;
            header.putLong(counters + RegionDescriptor.CLEARED_PAGES, 5)
                    .putLong(counters + RegionDescriptor.MOVED_PAGES, 6)
                    .putLong(counters + RegionDescriptor.GIVEN_BACK_PAGES, 7)
                    .putLong(counters + RegionDescriptor.INTERNAL_GETS, 1)
                    .putLong(counters + RegionDescriptor.INTERNAL_PUTS, 2)
                    .putLong(counters + RegionDescriptor.TAKEN_PAGES, 8);
            put(METADATA, header.array());
            put(METADATA + STATE_OFFSET, state.toArray(ValueLayout.JAVA_BYTE));
        }
        view.putLong(METADATA_OFFSET, METADATA);
        write();
    }

    void note(String text) {
        view.put(NOTE_OFFSET, text.getBytes(StandardCharsets.UTF_8));
    }
}
