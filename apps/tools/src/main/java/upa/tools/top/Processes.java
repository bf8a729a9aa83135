package upa.tools.top;

import static upa.tools.top.ViewDescriptor.*;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import upa.core.RegionDescriptor;
import upa.llfree.LlFree;
import upa.llfree.LlFreeDescriptor;
import upa.llfree.LlFreeStats;
import upa.measure.OneLine;
import upa.tools.top.TopException.Reason;

/**
 * Reads processes under UPA out of /proc: finds the library's view in the process's memory, and by it the region's
 * counters and allocation state, of which it copies no more than has been used. The processes notice nothing. Nothing
 * read is trusted.
 */
public final class Processes {

    private static final String LIBRARY = "/libupa_mmap.so";
    private static final long PAGE_BYTES = 4096;
    private static final long MOST_DATA_BYTES = 1 << 24;
    /** Of one region: 1 TiB of pages that have been used. */
    private static final long MOST_CHILDREN = 1 << 19;

    /** No address of a program's is higher, nor any number of its bytes. */
    private static final long MOST_ADDRESS = 1L << 57;

    private static final int CHILD_BITMAP_BYTES = 128;
    private static final int SLOT_BYTES = 64;

    private static final int STAT_FAULTS = 7;
    private static final int STAT_STARTED = 19;

    final Path proc;

    /**
     * For a file system such as /proc.
     *
     * @param proc where it is
     */
    public Processes(Path proc) {
        this.proc = proc;
    }

    /** {@return every process under UPA that may be read} */
    public List<Sample> all() {
        List<Sample> samples = new ArrayList<>();
        for (long pid : find()) {
            try {
                samples.add(read(pid));
            } catch (TopException e) {
                // Gone by now, or not to be understood: not to be listed.
            }
        }
        return samples;
    }

    /** {@return every process that has the library in its memory and may be read, whatever it shows} */
    public List<Long> find() {
        List<Long> pids = new ArrayList<>();
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(proc, "[1-9]*")) {
            for (Path folder : folders) {
                try {
                    if (Files.readString(folder.resolve("maps"), StandardCharsets.ISO_8859_1)
                            .contains(LIBRARY)) {
                        pids.add(Long.parseLong(folder.getFileName().toString()));
                    }
                } catch (IOException | NumberFormatException e) {
                    // Gone by now, or somebody else's.
                }
            }
        } catch (IOException e) {
            // As good as none.
        }
        return pids;
    }

    /** What is done with a process's memory once its view has been found. */
    @FunctionalInterface
    interface Work<T> {

        /**
         * Does it.
         *
         * @param memory the process's
         * @param view   found in it
         */
        T on(FileChannel memory, View view) throws IOException, TopException;
    }

    /**
     * What a process shows of itself.
     *
     * @param address where, in its memory
     * @param bytes   a copy
     */
    record View(long address, ByteBuffer bytes) {}

    /**
     * Reads one process.
     *
     * @param pid of the process
     * @return what it shows
     * @throws TopException if it cannot be read
     */
    public Sample read(long pid) throws TopException {
        return with(
                pid,
                List.of(StandardOpenOption.READ),
                (memory, view) -> sample(pid, proc.resolve(Long.toString(pid)), memory, view.bytes));
    }

    /** The memory is that of one process throughout, whoever has its number meanwhile. */
    <T> T with(long pid, List<StandardOpenOption> options, Work<T> work) throws TopException {
        Path folder = proc.resolve(Long.toString(pid));
        try {
            String maps = Files.readString(folder.resolve("maps"), StandardCharsets.ISO_8859_1);
            if (!maps.contains(LIBRARY)) {
                throw new TopException(
                        Files.exists(folder) ? Reason.FOREIGN : Reason.GONE,
                        Files.exists(folder)
                                ? "process=" + pid + " does not run under UPA: start it with ./upa run"
                                : "there is no process=" + pid);
            }
            try (FileChannel memory = FileChannel.open(folder.resolve("mem"), Set.copyOf(options))) {
                return work.on(memory, view(pid, maps, memory));
            }
        } catch (NoSuchFileException e) {
            throw new TopException(Reason.GONE, "there is no process=" + pid);
        } catch (AccessDeniedException e) {
            throw new TopException(
                    Reason.FORBIDDEN,
                    "no permission to read process=" + pid
                            + ": its user may, or root (where sysctl kernel.yama.ptrace_scope is not 0, root alone)");
        } catch (IOException e) {
            throw new TopException(Reason.GONE, "process=" + pid + " cannot be read: " + e.getMessage());
        }
    }

    static TopException broken(long pid, String why) {
        return new TopException(Reason.BROKEN, "process=" + pid + " shows what this program cannot read: " + why);
    }

    static ByteBuffer bytes(FileChannel memory, long address, long length) throws IOException {
        if (address < 0 || address > MOST_ADDRESS) {
            throw new IOException(String.format("nothing at address=%#x", address));
        }
        ByteBuffer buffer = ByteBuffer.allocate(Math.toIntExact(length)).order(ByteOrder.LITTLE_ENDIAN);
        while (buffer.hasRemaining()) {
            if (memory.read(buffer, address + buffer.position()) <= 0) {
                throw new IOException(String.format("nothing at address=%#x", address + buffer.position()));
            }
        }
        return buffer.flip();
    }

    private static View view(long pid, String maps, FileChannel memory) throws IOException, TopException {
        for (String line : maps.lines().filter(l -> l.contains(LIBRARY)).toList()) {
            String[] fields = line.split(" +", 3);
            String[] range = fields[0].split("-", 2);
            if (fields.length < 3 || range.length < 2 || !fields[1].startsWith("rw")) {
                continue;
            }
            long from = Long.parseUnsignedLong(range[0], 16);
            long to = Long.parseUnsignedLong(range[1], 16);
            if (to <= from || to - from > MOST_DATA_BYTES) {
                continue;
            }
            ByteBuffer data = bytes(memory, from, to - from);
            for (int at = 0; at + BYTES <= data.limit(); at += ALIGNMENT) {
                if (data.getLong(at) == MAGIC) {
                    int version = data.getInt(at + VERSION_OFFSET);
                    if (version != VERSION || data.getInt(at + BYTES_OFFSET) != BYTES) {
                        throw broken(pid, "version=" + version + " of its view, expected=" + VERSION);
                    }
                    return new View(from + at, data.slice(at, BYTES).order(ByteOrder.LITTLE_ENDIAN));
                }
            }
        }
        throw broken(pid, "no view in the data of its libupa_mmap.so, which is of another version");
    }

    private static Sample sample(long pid, Path folder, FileChannel memory, ByteBuffer view)
            throws IOException, TopException {
        // The name may contain anything; the fields go on behind its last parenthesis.
        String stat = Files.readString(folder.resolve("stat"), StandardCharsets.ISO_8859_1);
        String[] fields = stat.substring(stat.lastIndexOf(')') + 1).trim().split(" ");
        String[] statm = Files.readString(folder.resolve("statm"), StandardCharsets.ISO_8859_1)
                .split(" ");
        // The kernel cuts names within a character.
        String command = new String(Files.readAllBytes(folder.resolve("comm")), StandardCharsets.UTF_8).strip();
        if (fields.length <= STAT_STARTED || statm.length < 2) {
            throw new IOException("it ends");
        }
        for (int offset : List.of(HEAP_BYTES_OFFSET, HEAP_KEPT_BYTES_OFFSET, HEAP_LAZY_BYTES_OFFSET)) {
            if (view.getLong(offset) < 0 || view.getLong(offset) > MOST_ADDRESS) {
                throw broken(pid, "bytes=" + Long.toUnsignedString(view.getLong(offset)) + " of its heap");
            }
        }
        long metadata = view.getLong(METADATA_OFFSET);
        RegionCounts region = metadata == 0 ? RegionCounts.NONE : region(pid, memory, metadata);
        return new Sample(
                pid,
                Long.parseLong(fields[STAT_STARTED]),
                OneLine.of(command),
                System.nanoTime(),
                Math.max(0, region.llfree.gets() - region.internalGets),
                Math.max(0, region.llfree.puts() - region.internalPuts),
                view.getLong(PASSED_OFFSET),
                view.getLong(PURGES_OFFSET),
                view.getLong(PURGED_BYTES_OFFSET),
                view.getLong(HEAP_MOVES_OFFSET),
                (region.llfree.pages() - region.llfree.freePages()) * PAGE_BYTES + view.getLong(HEAP_BYTES_OFFSET),
                region.llfree.retainedPages() * PAGE_BYTES + view.getLong(HEAP_KEPT_BYTES_OFFSET),
                region.llfree.lazyPages() * PAGE_BYTES + view.getLong(HEAP_LAZY_BYTES_OFFSET),
                region.takenPages * PAGE_BYTES,
                view.getLong(ORDERED_BYTES_OFFSET),
                view.getLong(AGENT_GIVEN_BACK_BYTES_OFFSET),
                view.getLong(BOUND_OFFSET) - 1,
                Long.parseLong(statm[1]) * PAGE_BYTES,
                region.clearedPages * PAGE_BYTES + view.getLong(HEAP_REUSED_BYTES_OFFSET),
                region.givenBackPages * PAGE_BYTES + view.getLong(HEAP_GIVEN_BACK_BYTES_OFFSET),
                Long.parseLong(fields[STAT_FAULTS]),
                note(view));
    }

    private static String note(ByteBuffer view) {
        byte[] text = new byte[NOTE_BYTES];
        view.get(NOTE_OFFSET, text);
        int length = 0;
        while (length < text.length && text[length] != 0) {
            length++;
        }
        return OneLine.of(new String(text, 0, length, StandardCharsets.UTF_8));
    }

    private record RegionCounts(
            LlFreeStats llfree,
            long clearedPages,
            long givenBackPages,
            long internalGets,
            long internalPuts,
            long takenPages) {

        static final RegionCounts NONE =
                new RegionCounts(new LlFreeStats(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0, 0, 0, 0, 0);
    }

    private static RegionCounts region(long pid, FileChannel memory, long metadata) throws IOException, TopException {
        ByteBuffer header = bytes(memory, metadata, RegionDescriptor.HEADER_BYTES);
        int slots = header.getInt(RegionDescriptor.SLOTS_OFFSET);
        if (header.getLong(RegionDescriptor.MAGIC_OFFSET) != RegionDescriptor.MAGIC
                || header.getInt(RegionDescriptor.ABI_OFFSET) != RegionDescriptor.ABI
                || slots < 1
                || slots > LlFreeDescriptor.MAX_SLOTS) {
            throw broken(pid, "no region of abi=" + RegionDescriptor.ABI + " where its view says");
        }
        ByteBuffer counters = bytes(
                memory, metadata + RegionDescriptor.COUNTERS_OFFSET, (long) slots * RegionDescriptor.COUNTERS_BYTES);
        long cleared = 0;
        long givenBack = 0;
        long gets = 0;
        long puts = 0;
        long taken = 0;
        for (int i = 0; i < slots; i++) {
            cleared += counters.getLong(i * RegionDescriptor.COUNTERS_BYTES + RegionDescriptor.CLEARED_PAGES);
            givenBack += counters.getLong(i * RegionDescriptor.COUNTERS_BYTES + RegionDescriptor.GIVEN_BACK_PAGES);
            gets += counters.getLong(i * RegionDescriptor.COUNTERS_BYTES + RegionDescriptor.INTERNAL_GETS);
            puts += counters.getLong(i * RegionDescriptor.COUNTERS_BYTES + RegionDescriptor.INTERNAL_PUTS);
            taken += counters.getLong(i * RegionDescriptor.COUNTERS_BYTES + RegionDescriptor.TAKEN_PAGES);
        }
        return new RegionCounts(
                llfree(pid, memory, metadata + header.getLong(RegionDescriptor.STATE_OFFSET_OFFSET), slots),
                cleared,
                givenBack,
                gets,
                puts,
                taken);
    }

    /**
     * Its counters: of a state of our own that is no larger than what has been used of the process's, into which that
     * is copied.
     */
    private static LlFreeStats llfree(long pid, FileChannel memory, long state, int slots)
            throws IOException, TopException {
        ByteBuffer header = bytes(memory, state, LlFreeDescriptor.TOUCHED_CHILDREN_OFFSET + Long.BYTES);
        long touched = header.getLong(LlFreeDescriptor.TOUCHED_CHILDREN_OFFSET);
        if (header.getLong(LlFreeDescriptor.MAGIC_OFFSET) != LlFreeDescriptor.MAGIC
                || touched < 0
                || touched > MOST_CHILDREN
                || header.getInt(LlFreeDescriptor.SLOTS_OFFSET) != slots) {
            throw broken(pid, "no allocation state where its region says, or touched_children=" + touched);
        }
        // Whole groups, so that nothing is missing from the last one.
        long groups = Math.max(1, Math.ceilDiv(touched * LlFreeDescriptor.CHILD_PAGES, LlFreeDescriptor.GROUP_PAGES));
        long trees = groups * LlFreeDescriptor.GROUP_TREES;
        long pages = groups * LlFreeDescriptor.GROUP_PAGES;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment own = arena.allocate(LlFree.stateSize(pages, slots), ALIGNMENT);
            LlFree llfree = LlFree.create(own, pages, slots);
            copy(memory, state, header, LlFreeDescriptor.SLOT_OFFSET, (long) slots * SLOT_BYTES, own);
            copy(memory, state, header, LlFreeDescriptor.GROUP_OFFSET, groups * Integer.BYTES, own);
            copy(memory, state, header, LlFreeDescriptor.TREE_OFFSET, trees * Integer.BYTES, own);
            copy(memory, state, header, LlFreeDescriptor.CHILD_OFFSET, touched * Integer.BYTES, own);
            copy(memory, state, header, LlFreeDescriptor.BITMAP_OFFSET, touched * CHILD_BITMAP_BYTES, own);
            own.set(ValueLayout.JAVA_LONG, LlFreeDescriptor.TOUCHED_CHILDREN_OFFSET, touched);
            return llfree.stats();
        }
    }

    /** Copies the start of an array that both headers know the place of. */
    private static void copy(
            FileChannel memory, long state, ByteBuffer header, int offset, long length, MemorySegment own)
            throws IOException {
        MemorySegment.copy(
                MemorySegment.ofBuffer(bytes(memory, state + header.getLong(offset), length)),
                0,
                own,
                own.get(ValueLayout.JAVA_LONG, offset),
                length);
    }
}
