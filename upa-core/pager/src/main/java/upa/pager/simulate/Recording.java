package upa.pager.simulate;

import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PushbackInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;
import upa.pager.posix.FileFailure;

/**
 * What {@code upa policy record} has seen of a running program. A text, compressed by gzip or not, with a line for each
 * event: its kind, microseconds since the beginning, a page number, and what the kind needs.
 *
 * <pre>
 *   # upa recording 1 pid=71 name=python3
 *   t 1200 64 8          first touch of 8 pages from page 64 on
 *   f 1310 64 w 71       thread 71 waits for page 64, and writes
 *   i 1334 64 23800      page 64 is there, 23800 ns after its fault was read
 *   r 1400 65            page 65 was wanted while on its way to a store
 *   p 1500 66            page 66 was brought in early
 *   d 1600 64 8          8 pages from page 64 on were freed or unmapped
 *   s 2000 100 300 128 5 200 pages in memory, 300 outside, a bound of 128, 5 faults and 200 evictions so far
 * </pre>
 *
 * @param title  what the first line says of the program
 * @param events in their order
 */
public record Recording(String title, List<Event> events) {
    /** The first line begins with it. */
    public static final String HEADER = "# upa recording 1 ";

    private static final int MOST_EVENTS = 1 << 26;
    private static final int MOST_NUMBERS = 5;

    /**
     * A line.
     *
     * @param kind   its letter
     * @param micros when
     * @param page   number of the page; of a sample the pages in memory
     * @param count  how many pages, thread of a fault, or nanoseconds of {@code i}
     * @param write  whether a fault writes
     * @param more   of a sample: pages outside, bound, faults, evictions; otherwise empty
     */
    public record Event(char kind, long micros, long page, long count, boolean write, List<Long> more) {

        /** {@return whether the program uses the page at that time, as far as it is seen} */
        public boolean isAccess() {
            return kind == 't' || kind == 'f' || kind == 'r';
        }
    }

    /**
     * Reads a file.
     *
     * @param file its path
     * @return what it says
     * @throws TraceException if it cannot be read, naming file and line
     */
    public static Recording read(Path file) throws TraceException {
        if (Files.isDirectory(file)) {
            throw new TraceException("cannot read recording file=" + file + ": it is a directory");
        }
        List<Event> events = new ArrayList<>();
        int line = 1;
        try (InputStream raw = Files.newInputStream(file);
                BufferedReader in =
                        new BufferedReader(new InputStreamReader(unpacked(raw), StandardCharsets.ISO_8859_1))) {
            String first = in.readLine();
            if (first == null || !first.startsWith(HEADER)) {
                throw new TraceException("cannot read recording file=" + file + ": it is none of upa policy record");
            }
            for (String text = in.readLine(); text != null; text = in.readLine()) {
                line++;
                Event event = parse(text);
                if (event == null || events.size() == MOST_EVENTS) {
                    throw new TraceException("cannot read recording file=" + file + ": line=" + line
                            + (event == null ? " is no event" : " is one too many"));
                }
                events.add(event);
            }
            return new Recording(first.substring(HEADER.length()), events);
        } catch (FileSystemException e) {
            throw new TraceException("cannot read recording file=" + file + ": " + FileFailure.reason(e));
        } catch (IOException e) {
            throw new TraceException("cannot read recording file=" + file + ": line=" + line + ": " + e.getMessage());
        }
    }

    static InputStream unpacked(InputStream raw) throws IOException {
        PushbackInputStream in = new PushbackInputStream(new BufferedInputStream(raw, 1 << 16), 2);
        byte[] magic = in.readNBytes(2);
        in.unread(magic);
        return magic.length == 2 && magic[0] == 0x1f && magic[1] == (byte) 0x8b ? new GZIPInputStream(in, 1 << 16) : in;
    }

    /** Reads a line; null if it is none. */
    static Event parse(String line) {
        String[] words = line.split(" ");
        if (words.length < 3 || words[0].length() != 1) {
            return null;
        }
        char kind = words[0].charAt(0);
        boolean isFault = kind == 'f';
        long[] n = new long[MOST_NUMBERS + 1];
        int count = 0;
        for (int i = 1; i < words.length; i++) {
            if (isFault && i == 3) {
                if (!words[i].equals("r") && !words[i].equals("w")) {
                    return null;
                }
            } else if (count > MOST_NUMBERS || !words[i].matches("[0-9]{1,18}")) {
                return null;
            } else {
                n[count++] = Long.parseLong(words[i]);
            }
        }
        int needed = switch (kind) {
            case 't', 'd', 'f', 'i' -> 3;
            case 'r', 'p' -> 2;
            case 's' -> 6;
            default -> -1;
        };
        if (count != needed || isFault && words.length != 5) {
            return null;
        }
        return new Event(
                kind,
                n[0],
                n[1],
                kind == 's' || kind == 'r' || kind == 'p' ? 1 : n[2],
                isFault && words[3].equals("w"),
                kind == 's' ? List.of(n[2], n[3], n[4], n[5]) : List.of());
    }
}
