package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static upa.llfree.LlFreeDescriptor.BITMAP_OFFSET;
import static upa.llfree.LlFreeDescriptor.CHILD_OFFSET;
import static upa.llfree.LlFreeDescriptor.GROUP_OFFSET;
import static upa.llfree.LlFreeDescriptor.SLOT_OFFSET;
import static upa.llfree.LlFreeDescriptor.TREE_OFFSET;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Runs the contract vectors that both twins share; upa-mmap-shim/tests/vectors/README.md says what is in them, and the
 * C runner beside it does the same as this one.
 */
final class Vectors {
    private static final List<String> STATES = List.of("absent", "zeroed", "stale", "mixed");
    private static final Map<Integer, String> HOLDS = Map.of(
            LlFree.HOLDS_ABSENT,
            "absent",
            LlFree.HOLDS_ZEROED,
            "zeroed",
            LlFree.HOLDS_STALE,
            "stale",
            LlFree.HOLDS_LAZY,
            "lazy",
            LlFree.HOLDS_RESIDENT,
            "resident");
    private static final Map<Long, String> ERRORS = Map.of(
            (long) Twin.ENOMEM,
            "ENOMEM",
            (long) Twin.EBUSY,
            "EBUSY",
            (long) Twin.EINVAL,
            "EINVAL",
            (long) Twin.ERANGE,
            "ERANGE",
            (long) Twin.EPROTO,
            "EPROTO",
            (long) Twin.EBADMSG,
            "EBADMSG");

    private final Twin twin;
    private MemorySegment state;

    private Vectors(Twin twin) {
        this.twin = twin;
    }

    /** The vector files, in the order of their names. */
    static List<Path> files() throws IOException {
        Path directory = Path.of(System.getProperty("upa.root"), "upa-mmap-shim", "tests", "vectors", "llfree");
        try (Stream<Path> files = Files.list(directory)) {
            return files.filter(f -> f.toString().endsWith(".vec")).sorted().toList();
        }
    }

    /** Runs a file. Returns a line for every wrong answer. */
    static List<String> run(Path file, Twin twin) throws IOException {
        Vectors vectors = new Vectors(twin);
        List<String> wrong = new ArrayList<>();
        List<String> lines = Files.readAllLines(file);
        int operations = 0;
        for (int i = 0; i < lines.size(); i++) {
            String text = lines.get(i).replaceFirst("#.*", "").strip();
            if (text.isEmpty()) {
                continue;
            }
            String[] halves = text.split("=", 2);
            String expected = halves.length == 2 ? halves[1].strip() : "";
            String answer;
            try {
                answer = vectors.answer(halves[0].strip().split("\\s+"));
            } catch (RuntimeException e) {
                throw new AssertionError(file + ":" + (i + 1) + ": " + text, e);
            }
            operations++;
            if (!isSame(expected, answer)) {
                wrong.add(file.getFileName() + ":" + (i + 1) + ": " + text + "   answered: " + answer);
            }
        }
        if (operations == 0) {
            wrong.add(file + " is empty");
        }
        return wrong;
    }

    private static boolean isSame(String expected, String answer) {
        return expected.equals(answer)
                || expected.matches("0x[0-9a-f]+|\\d+")
                        && answer.matches("0x[0-9a-f]+|\\d+")
                        && number(expected) == number(answer);
    }

    private static long number(String word) {
        return word.startsWith("0x")
                ? Long.parseUnsignedLong(word, 2, word.length(), 16)
                : Long.parseUnsignedLong(word);
    }

    private String answer(String[] w) {
        Twin.Length length = new Twin.Length();
        switch (w[0]) {
            case "init":
                return init(n(w, 1, 2), (int) n(w, 2, 2));
            case "size":
                return say(twin.stateSize(n(w, 1, 2), (int) n(w, 2, 2)));
            case "get":
                return got(twin.get((int) n(w, 1, 3), (int) n(w, 2, 3), (int) n(w, 3, 3)), n(w, 3, 3));
            case "run":
                return got(twin.getRun((int) n(w, 1, 3), n(w, 2, 3), (int) n(w, 3, 3)), n(w, 3, 3));
            case "at":
                return at((int) n(w, 1, 3), n(w, 2, 3), n(w, 3, 3));
            case "fill":
                return fill((int) n(w, 1, 3), (int) n(w, 2, 3), (int) n(w, 3, 3));
            case "put":
                return say(twin.putRun((int) n(w, 1, 4), n(w, 2, 4), n(w, 3, 4), (int) n(w, 4, 4)));
            case "putorder":
                return say(twin.put((int) n(w, 1, 3), n(w, 2, 3), (int) n(w, 3, 3)));
            case "stale":
                return say(twin.nextStale(n(w, 1, 2), n(w, 2, 2), length), length);
            case "next":
                return say(twin.next(n(w, 1, 3), n(w, 2, 3), n(w, 3, 3) != 0, length), length);
            case "nextstate":
                return say(twin.nextState(n(w, 1, 3), n(w, 2, 3), (int) n(w, 3, 3), length), length);
            case "child":
                int childState = twin.childState(n(w, 1, 1));
                return childState < 0 ? say(childState) : STATES.get(childState);
            case "taint":
                return say(twin.taint(n(w, 1, 2), n(w, 2, 2)));
            case "tainted":
                return say(twin.tainted(n(w, 1, 2), n(w, 2, 2)));
            case "setstale":
                return say(twin.setStale(n(w, 1, 2), n(w, 2, 2)));
            case "setresident":
                return say(twin.setResident(n(w, 1, 2), n(w, 2, 2)));
            case "resident":
                return say(twin.resident(n(w, 1, 1)));
            case "setlazy":
                return say(twin.setLazy(n(w, 1, 2), n(w, 2, 2)));
            case "settle":
                return say(twin.settle(n(w, 1, 2), n(w, 2, 2)));
            case "lazy":
                return say(twin.lazy(n(w, 1, 1)));
            case "contents":
                int contents = twin.contents(n(w, 1, 2), n(w, 2, 2));
                return contents < 0 ? say(contents) : contents(contents);
            case "touched":
                return say(twin.touchedChildren());
            case "stat":
                return say(stat(w[1]));
            case "drain":
                twin.drain();
                return "";
            case "validate":
                return twin.validate().isEmpty() ? "" : "EUCLEAN";
            case "recover":
                return say(twin.recover());
            case "attach":
                int error = twin.attach(state);
                return error == 0 ? "" : say(error);
            case "peek":
                return String.format(
                        "%#x",
                        isInts(w[1])
                                ? Integer.toUnsignedLong(state.get(ValueLayout.JAVA_INT, word(w[1], n(w, 2, 2), 4)))
                                : state.get(ValueLayout.JAVA_LONG, word(w[1], n(w, 2, 2), 8)));
            case "poke":
                if (isInts(w[1])) {
                    state.set(ValueLayout.JAVA_INT, word(w[1], n(w, 2, 3), 4), (int) n(w, 3, 3));
                } else {
                    state.set(ValueLayout.JAVA_LONG, word(w[1], n(w, 2, 3), 8), n(w, 3, 3));
                }
                return "";
            case "hash":
                return String.format("%#x", hash());
            default:
                throw new IllegalArgumentException("no such operation: " + w[0]);
        }
    }

    /** The i-th argument of so many, as a number. */
    private static long n(String[] words, int i, int arguments) {
        if (words.length != 1 + arguments) {
            throw new IllegalArgumentException("wrong number of words: " + words.length);
        }
        return number(words[i]);
    }

    private static String say(long value) {
        return ERRORS.getOrDefault(value, Long.toString(value));
    }

    private static String say(long page, Twin.Length length) {
        return page >= 0 ? page + " " + length.value : page == -1 ? "none" : say(page);
    }

    /** A page, and what it and those behind it hold if that was asked for. */
    private static String got(long result, long flags) {
        return result < 0 || (flags & LlFree.GET_CONTENTS) == 0
                ? say(result)
                : LlFree.pageOf(result) + " " + contents(LlFree.holds(result));
    }

    /** What the pages hold is what "contents" says of them. */
    private String at(int slot, long first, long pages) {
        int holds = twin.getAt(slot, first, pages);
        if (holds >= 0) {
            assertEquals(twin.contents(first, pages), holds);
        }
        return say(Math.min(holds, 0));
    }

    private static String contents(int holds) {
        List<String> names = new ArrayList<>();
        for (int bit = 0; bit < 32; bit++) {
            if ((holds & 1 << bit) != 0) {
                names.add(HOLDS.getOrDefault(1 << bit, "bit" + bit));
            }
        }
        return String.join("+", names);
    }

    private String init(long pages, int slots) {
        long bytes = twin.stateSize(pages, slots);
        MemorySegment memory = Arena.ofAuto().allocate(bytes == 0 ? 1 << 16 : bytes, LlFreeDescriptor.LINE_BYTES);
        int error = twin.init(memory, pages, slots);
        if (error != 0) {
            return say(error);
        }
        state = memory;
        return "";
    }

    private String fill(int slot, int order, int flags) {
        long count = 0;
        long page;
        while ((page = twin.get(slot, order, flags)) >= 0) {
            count++;
        }
        return say(page == Twin.ENOMEM ? count : page);
    }

    private long stat(String field) {
        LlFreeStats s = twin.stats();
        return switch (field) {
            case "pages" -> s.pages();
            case "free_pages" -> s.freePages();
            case "free_children" -> s.freeChildren();
            case "retained_pages" -> s.retainedPages();
            case "gets" -> s.gets();
            case "got_pages" -> s.gotPages();
            case "puts" -> s.puts();
            case "put_pages" -> s.putPages();
            case "failures" -> s.failures();
            case "searches" -> s.searches();
            case "lazy_pages" -> s.lazyPages();
            default -> throw new IllegalArgumentException("no such field: " + field);
        };
    }

    private static boolean isInts(String array) {
        return array.equals("group") || array.equals("tree") || array.equals("child");
    }

    private long word(String array, long index, int bytes) {
        int header = switch (array) {
            case "slot" -> SLOT_OFFSET;
            case "group" -> GROUP_OFFSET;
            case "tree" -> TREE_OFFSET;
            case "child" -> CHILD_OFFSET;
            case "bitmap" -> BITMAP_OFFSET;
            default -> throw new IllegalArgumentException("no such array: " + array);
        };
        return state.get(ValueLayout.JAVA_LONG, header) + index * bytes;
    }

    /** FNV-1a, 64 bits. */
    private long hash() {
        long h = 0xcbf29ce484222325L;
        for (long i = state.get(ValueLayout.JAVA_LONG, SLOT_OFFSET); i < state.byteSize(); i++) {
            h = (h ^ state.get(ValueLayout.JAVA_BYTE, i) & 0xff) * 0x100000001b3L;
        }
        return h;
    }
}
