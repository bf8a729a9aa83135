package upa.core;

import static upa.core.RegionDescriptor.PAGE_BYTES;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import upa.internal.os.MemoryCalls;

/**
 * Runs the contract vectors of the region; upa-mmap-shim/tests/vectors/region/README.md says what is in them, and
 * region_vectors.c does the same as this class.
 */
final class RegionVectors implements AutoCloseable {
    private static final long KIB = 1024;

    /** Makes the regions of one back end. */
    interface Maker {
        BackEnd backEnd();

        /** A region of so many bytes, with a pool that grows to poolBytes and so many bytes of deferred unmapping. */
        Region region(long bytes, HugePages hugePages, long poolBytes, long deferredBytes);
    }

    private static final class Block {
        long at;
        long bytes;
    }

    private final Maker maker;
    private final Map<String, Block> blocks = new LinkedHashMap<>();
    private Region region;
    private String[] words;
    private String expected;

    private RegionVectors(Maker maker) {
        this.maker = maker;
    }

    /** The vector files, in the order of their names: of the sources, or where the virtual machine has them. */
    static List<Path> files() throws IOException {
        String root = System.getProperty("upa.root");
        Path directory =
                root == null ? Path.of("/vectors") : Path.of(root, "upa-mmap-shim", "tests", "vectors", "region");
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(f -> f.toString().endsWith(".vec")).sorted().toList();
        }
    }

    /** Runs a file. Throws an AssertionError that names the first line with a wrong answer. */
    static void run(Path file, Maker maker) throws IOException {
        List<String> lines = Files.readAllLines(file);
        int operations = 0;
        int i = 0;
        try (RegionVectors vectors = new RegionVectors(maker)) {
            for (; i < lines.size(); i++) {
                operations += vectors.line(lines.get(i)) ? 1 : 0;
            }
        } catch (RuntimeException | AssertionError e) {
            String line = i < lines.size() ? lines.get(i) : "its end";
            throw new AssertionError(file.getFileName() + ":" + (i + 1) + ": " + line, e);
        }
        if (operations == 0) {
            throw new AssertionError(file + " is empty");
        }
    }

    /** Does what a line says. False if there is nothing to do, or not for this back end. */
    private boolean line(String line) {
        String text = line.replaceFirst("#.*", "").strip();
        if (text.isEmpty()) {
            return false;
        }
        String[] halves = text.split(" = ", 2);
        expected = halves.length == 2 ? halves[1].strip() : "ok";
        words = halves[0].strip().split("\\s+");
        if (words[0].endsWith(":")) {
            if (!concerns(words[0])) {
                return false;
            }
            words = Arrays.copyOfRange(words, 1, words.length);
        }
        if (words[0].equals("region")) {
            makeRegion();
        } else {
            operation();
        }
        return true;
    }

    private boolean concerns(String tag) {
        BackEnd backEnd = maker.backEnd();
        return switch (tag) {
            case "linear:" -> backEnd == BackEnd.LINEAR;
            case "device:" -> backEnd != BackEnd.LINEAR;
            case "guarded:" -> backEnd == BackEnd.PTE;
            case "raw:" -> backEnd == BackEnd.PTE_RAW;
            default -> throw new AssertionError("no such back end: " + tag);
        };
    }

    @Override
    public void close() {
        if (region != null) {
            region.validate();
            region.close();
            region = null;
        }
    }

    // ---- words -------------------------------------------------------------------------------------------------

    private static long number(String word) {
        if (word.endsWith("K")) {
            return number(word.substring(0, word.length() - 1)) * KIB;
        }
        if (word.endsWith("M")) {
            return number(word.substring(0, word.length() - 1)) * KIB * KIB;
        }
        return Long.decode(word);
    }

    private long number(int i) {
        return number(words[i]);
    }

    private int flags(int from) {
        int flags = 0;
        for (int i = from; i < words.length; i++) {
            flags |= switch (words[i]) {
                case "zeros" -> Region.ZEROS;
                case "faulted" -> Region.FAULTED;
                case "inplace" -> Region.IN_PLACE;
                default -> (int) number(words[i]);
            };
        }
        return flags;
    }

    private Block block(String name) {
        Block block = blocks.get(name);
        check(block != null, "no such block: " + name);
        return block;
    }

    private long place(String word) {
        if (word.startsWith("@")) {
            return region.base() + number(word.substring(1));
        }
        String[] halves = word.split("\\+", 2);
        return block(halves[0]).at + number(halves[1]);
    }

    // ---- answers -----------------------------------------------------------------------------------------------

    private static void check(boolean condition, String message) {
        if (!condition) {
            throw new AssertionError(message);
        }
    }

    private void answer(String got) {
        check(expected.equals(got), "expected " + expected + ", got " + got);
    }

    private void amount(long got) {
        boolean most = expected.startsWith("<=");
        boolean least = expected.startsWith(">=");
        long wanted = number(most || least ? expected.substring(2).strip() : expected);
        check(most ? got <= wanted : least ? got >= wanted : got == wanted, "expected " + expected + ", got " + got);
    }

    /** The answer of a call that throws where C says EINVAL. */
    private interface Call {
        String answer();
    }

    private static String answerOf(Call call) {
        try {
            return call.answer();
        } catch (IllegalArgumentException e) {
            return "EINVAL";
        }
    }

    // ---- operations --------------------------------------------------------------------------------------------

    private void makeRegion() {
        close();
        blocks.clear();
        long bytes = number(1);
        long pool = Math.max(bytes, 1);
        long deferred = Long.MAX_VALUE;
        HugePages hugePages = HugePages.SYSTEM_DEFAULT;
        for (int i = 2; i < words.length; i++) {
            switch (words[i]) {
                case "nohuge" -> hugePages = HugePages.AVOID;
                case "pool" -> pool = number(++i);
                case "deferred" -> deferred = number(++i);
                default -> throw new AssertionError("no such option: " + words[i]);
            }
        }
        long poolBytes = pool;
        long deferredBytes = deferred;
        HugePages advice = hugePages;
        answer(answerOf(() -> {
            region = maker.region(bytes, advice, poolBytes, deferredBytes);
            return "ok";
        }));
    }

    private void operation() {
        switch (words[0]) {
            case "map" -> answer(answerOf(this::map));
            case "map_at" -> mapAt();
            case "unmap" -> answer(answerOf(this::unmap));
            case "unmap_at" ->
                answer(answerOf(() -> {
                    region.unmap(place(words[1]), number(2));
                    return "ok";
                }));
            case "resize" -> resize();
            case "resize_at" ->
                answer(answerOf(() ->
                        region.resize(place(words[1]), number(2), number(3), 0) == Region.NO_MEMORY ? "ENOMEM" : "ok"));
            case "fill", "check", "zero" -> contents();
            case "aligned" -> check(block(words[1]).at % number(2) == 0, "misaligned");
            case "same" -> check(block(words[1]).at == block(words[2]).at, "elsewhere");
            case "resident" -> amount(resident(block(words[1]).at + number(2), number(3)));
            case "give_back" -> amount(region.giveBack(number(1)));
            case "populate" -> populate();
            case "clear" -> amount(region.clear(number(1)));
            case "stat" -> amount(stat(words[1]));
            case "validate" -> region.validate();
            default -> throw new AssertionError("no such operation: " + words[0]);
        }
    }

    private String map() {
        long bytes = number(2);
        long at = region.map(bytes, flags(3));
        if (at == Region.NO_MEMORY) {
            return "ENOMEM";
        }
        name(words[1], at, bytes);
        return "ok";
    }

    private void mapAt() {
        long at = place(words[2]);
        String got = answerOf(() -> region.mapAt(at, number(3), flags(4)) ? "ok" : "false");
        if (got.equals("false")) {
            check(expected.equals("EBUSY") || expected.equals("ENOMEM"), "expected " + expected + ", got false");
            return;
        }
        answer(got);
        if (got.equals("ok")) {
            name(words[1], at, number(3));
        }
    }

    private String unmap() {
        Block block = block(words[1]);
        long from = words.length > 2 ? number(2) : 0;
        region.unmap(block.at + from, words.length > 2 ? number(3) : block.bytes);
        block.bytes = Math.min(block.bytes, from);
        return "ok";
    }

    private void resize() {
        Block block = block(words[1]);
        long bytes = number(2);
        String got = answerOf(() -> {
            long at = region.resize(block.at, block.bytes, bytes, flags(3));
            if (at == Region.NO_MEMORY) {
                return "ENOMEM";
            }
            String where = at == block.at ? "kept" : "moved";
            block.at = at;
            block.bytes = bytes;
            checkPlace(block);
            return expected.equals("ok") ? "ok" : where;
        });
        answer(got);
    }

    private void name(String name, long at, long bytes) {
        Block block = blocks.computeIfAbsent(name, n -> new Block());
        check(block.bytes == 0, "still mapped: " + name);
        block.at = at;
        block.bytes = bytes;
        checkPlace(block);
    }

    private static long rounded(long bytes) {
        return (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    }

    /** A block that a call has returned: where may it be? */
    private void checkPlace(Block block) {
        long offset = block.at - region.base();
        boolean inside = offset >= 0 && offset + rounded(block.bytes) <= region.bytes();
        check(block.at % PAGE_BYTES == 0 && inside, "misplaced");
        blocks.forEach((name, other) -> {
            boolean apart = block.at >= other.at + rounded(other.bytes) || other.at >= block.at + rounded(block.bytes);
            check(other == block || other.bytes == 0 || apart, "overlaps " + name);
        });
    }

    private void contents() {
        MemorySegment block = MemorySegment.ofAddress(block(words[1]).at).reinterpret(region.bytes());
        boolean fills = words[0].equals("fill");
        long seed = words.length > 4 ? number(4) : 0;
        for (long o = number(2), end = o + number(3); o < end; o += Long.BYTES) {
            long wanted = words[0].equals("zero") ? 0 : seed ^ o;
            if (fills) {
                block.set(ValueLayout.JAVA_LONG, o, wanted);
            } else if (block.get(ValueLayout.JAVA_LONG, o) != wanted) {
                throw new AssertionError(String.format("found %#x at %#x", block.get(ValueLayout.JAVA_LONG, o), o));
            }
        }
    }

    private static long resident(long address, long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            long n = bytes / PAGE_BYTES;
            MemorySegment pages = arena.allocate(n);
            check(MemoryCalls.mincore(address, bytes, pages) == 0, "mincore");
            long found = 0;
            for (long i = 0; i < n; i++) {
                found += pages.get(ValueLayout.JAVA_BYTE, i) & 1;
            }
            return found * PAGE_BYTES;
        }
    }

    /** No memory at all: an exception where the kernel says so, or nothing populated. */
    private void populate() {
        long got;
        try {
            got = region.populate(number(1));
        } catch (SystemCallException e) {
            answer("ENOMEM");
            return;
        }
        if (expected.equals("ENOMEM")) {
            check(got == 0, "expected ENOMEM, got " + got);
        } else {
            amount(got);
        }
    }

    private long stat(String field) {
        RegionStats stats = region.stats();
        return switch (field) {
            case "capacity_bytes" -> stats.capacityBytes();
            case "allocated_bytes" -> stats.allocatedBytes();
            case "retained_bytes" -> stats.retainedBytes();
            case "maps" -> stats.maps();
            case "unmaps" -> stats.unmaps();
            case "failures" -> stats.failures();
            case "cleared_bytes" -> stats.clearedBytes();
            case "moved_bytes" -> stats.movedBytes();
            case "given_back_bytes" -> stats.givenBackBytes();
            default -> throw new AssertionError("no such field: " + field);
        };
    }
}
