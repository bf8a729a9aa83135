package upa.pager.simulate;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.BitSet;
import upa.pager.posix.FileFailure;
import upa.policy.PolicyContext;

/**
 * Accesses of pages, one after the other. Reads text, compressed by gzip or not, whose lines are
 * <ul>
 * <li>a page number in decimal, as in the traces of LIRS;
 * <li>{@code START COUNT …}: page numbers in a row, as in the traces of ARC;
 * <li>an address in hexadecimal with {@code 0x}, perhaps behind {@code R} or {@code W};
 * <li>what {@code valgrind --tool=lackey --trace-mem=yes} prints; instruction fetches and other lines are left out, and
 * of accesses to one page in a row only the first counts.
 * </ul>
 * A {@link Recording} is read as well. Empty lines and those that begin with {@code #} or {@code *} mean nothing.
 *
 * <p>Pages are numbered anew by blocks of 512, without the gaps: neighbours stay neighbours, others do not become such.
 */
public final class PageTrace {
    private static final int BLOCK = PolicyContext.BLOCK_PAGES;
    private static final int PAGE_SHIFT = 12;
    private static final int WRITE = 1 << 31;
    private static final int MOST_ROW = 1 << 24;
    private static final int MOST_ACCESSES = 1 << 30;

    /** Page in the lower bits, write in the uppermost. */
    private final int[] accesses;

    private final int pages;
    private final int distinct;

    private PageTrace(int[] accesses, int pages, int distinct) {
        this.accesses = accesses;
        this.pages = pages;
        this.distinct = distinct;
    }

    /**
     * Makes a trace of page numbers, all of them reads.
     *
     * @param numbers in the order of access, at least 0
     * @return the trace, renumbered
     */
    public static PageTrace of(long... numbers) {
        Builder builder = new Builder();
        for (long number : numbers) {
            builder.add(number, false);
        }
        return builder.build();
    }

    /**
     * Reads a file.
     *
     * @param file its path
     * @return the trace
     * @throws TraceException if it cannot be read, naming file and line
     */
    public static PageTrace read(Path file) throws TraceException {
        if (Files.isDirectory(file)) {
            throw new TraceException("cannot read trace file=" + file + ": it is a directory");
        }
        int line = 0;
        boolean recorded = false;
        Builder builder = new Builder();
        try (InputStream raw = Files.newInputStream(file);
                BufferedReader in = new BufferedReader(
                        new InputStreamReader(Recording.unpacked(raw), StandardCharsets.ISO_8859_1))) {
            for (String text = in.readLine(); text != null; text = in.readLine()) {
                line++;
                recorded |= line == 1 && text.startsWith(Recording.HEADER);
                if (line > 1 && recorded ? !parseRecorded(text, builder) : !parse(text, builder)) {
                    throw new TraceException("cannot read trace file=" + file + ": line=" + line
                            + " is neither page number, address nor lackey's");
                }
            }
        } catch (FileSystemException e) {
            throw new TraceException("cannot read trace file=" + file + ": " + FileFailure.reason(e));
        } catch (IOException | IllegalArgumentException e) {
            throw new TraceException("cannot read trace file=" + file + ": line=" + line + ": " + e.getMessage());
        }
        if (builder.size == 0) {
            throw new TraceException("cannot read trace file=" + file + ": it has no accesses");
        }
        try {
            return builder.build();
        } catch (IllegalArgumentException e) {
            throw new TraceException("cannot read trace file=" + file + ": " + e.getMessage());
        }
    }

    /** Of a recording counts what it shows of the program's accesses. */
    private static boolean parseRecorded(String line, Builder to) {
        Recording.Event event = Recording.parse(line);
        if (event == null) {
            return false;
        }
        if (event.isAccess()) {
            long count = event.kind() == 't' ? event.count() : 1;
            if (count > MOST_ROW) {
                return false;
            }
            for (long i = 0; i < count; i++) {
                to.add(event.page() + i, event.write() || event.kind() == 't');
            }
        }
        return true;
    }

    private static boolean parse(String line, Builder to) {
        if (line.startsWith("==") || line.startsWith("--") || line.startsWith("I ")) {
            return true;
        }
        if (line.length() > 3 && line.charAt(0) == ' ' && line.charAt(2) == ' ' && "LSM".indexOf(line.charAt(1)) >= 0) {
            int comma = line.indexOf(',');
            long address = comma < 0 ? -1 : number(line.substring(3, comma).strip(), 16);
            if (address >= 0) {
                to.addUnlessLast(address >>> PAGE_SHIFT, line.charAt(1) != 'L');
            }
            return address >= 0;
        }
        String text = line.strip();
        if (text.isEmpty() || text.charAt(0) == '#' || text.charAt(0) == '*') {
            return true;
        }
        String[] words = text.split("\\s+");
        boolean write = words[0].equalsIgnoreCase("W");
        String first = (write || words[0].equalsIgnoreCase("R")) && words.length == 2 ? words[1] : words[0];
        if (first.startsWith("0x")) {
            long address = number(first.substring(2), 16);
            if (address >= 0) {
                to.add(address >>> PAGE_SHIFT, write);
            }
            return address >= 0;
        }
        long start = number(words[0], 10);
        long count = words.length > 1 ? number(words[1], 10) : 1;
        if (start < 0 || count < 1 || count > MOST_ROW || start + count < 0) {
            return false;
        }
        for (long i = 0; i < count; i++) {
            to.add(start + i, false);
        }
        return true;
    }

    private static long number(String digits, int radix) {
        try {
            return digits.startsWith("+") ? -1 : Long.parseLong(digits, radix);
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    /** {@return how many accesses} */
    public int size() {
        return accesses.length;
    }

    /** {@return page numbers are below this} */
    public int pages() {
        return pages;
    }

    /** {@return how many different pages are accessed} */
    public int distinct() {
        return distinct;
    }

    /**
     * The page of an access.
     *
     * @param index 0 to {@link #size()} - 1
     * @return its number
     */
    public int page(int index) {
        return accesses[index] & ~WRITE;
    }

    /**
     * Whether an access writes.
     *
     * @param index 0 to {@link #size()} - 1
     * @return whether it does
     */
    public boolean isWrite(int index) {
        return accesses[index] < 0;
    }

    private static final class Builder {
        private long[] numbers = new long[1024];
        private int size;

        void add(long number, boolean write) {
            if (number < 0 || number >= 1L << 52) {
                throw new IllegalArgumentException("page=" + number + " is out of range");
            }
            if (size == numbers.length) {
                if (size >= MOST_ACCESSES) {
                    throw new IllegalArgumentException("it has more than accesses=" + MOST_ACCESSES);
                }
                numbers = Arrays.copyOf(numbers, 2 * size);
            }
            numbers[size++] = number << 1 | (write ? 1 : 0);
        }

        void addUnlessLast(long number, boolean write) {
            if (size > 0 && numbers[size - 1] >>> 1 == number) {
                numbers[size - 1] |= write ? 1 : 0;
            } else {
                add(number, write);
            }
        }

        PageTrace build() {
            long[] blocks = new long[size];
            for (int i = 0; i < size; i++) {
                blocks[i] = (numbers[i] >>> 1) / BLOCK;
            }
            long[] sorted = Arrays.stream(blocks).sorted().distinct().toArray();
            int[] renumbered = new int[sorted.length];
            long next = 0;
            for (int b = 0; b < sorted.length; b++) {
                next += b > 0 && sorted[b] != sorted[b - 1] + 1 ? 1 : 0;
                if ((next + 1) * BLOCK > PolicyContext.MAX_PAGES) {
                    throw new IllegalArgumentException(
                            "its pages lie in more than blocks=" + PolicyContext.MAX_PAGES / BLOCK);
                }
                renumbered[b] = (int) next++;
            }
            int[] accesses = new int[size];
            BitSet seen = new BitSet();
            for (int i = 0; i < size; i++) {
                int block = renumbered[Arrays.binarySearch(sorted, blocks[i])];
                int page = block * BLOCK + (int) ((numbers[i] >>> 1) % BLOCK);
                seen.set(page);
                accesses[i] = page | ((numbers[i] & 1) != 0 ? WRITE : 0);
            }
            return new PageTrace(accesses, (int) next * BLOCK, seen.cardinality());
        }
    }
}
