package upa.tools.reclaim;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the kernel says of the machine's memory. */
final class Machine {

    private static final Pattern STALLS = Pattern.compile("(?m)^some .*total=(\\d{1,18})$");

    private final Path proc;

    /**
     * For a file system such as /proc.
     *
     * @param proc where it is
     */
    Machine(Path proc) {
        this.proc = proc;
    }

    /**
     * Of memory.
     *
     * @param total     bytes
     * @param available bytes that can be had without swapping, what the kernel may take by itself included
     */
    record Memory(long total, long available) {}

    /** {@return what there is; null if the kernel does not say} */
    Memory memory() {
        String text = text(proc.resolve("meminfo"));
        long total = field(text, "MemTotal:");
        long available = field(text, "MemAvailable:");
        return total <= 0 || available < 0 ? null : new Memory(total << 10, available << 10);
    }

    /** {@return microseconds in which some task has waited for memory, since the start; -1 where PSI is off} */
    long stalledMicros() {
        Matcher some = STALLS.matcher(text(proc.resolve("pressure/memory")));
        return some.find() ? Long.parseLong(some.group(1)) : -1;
    }

    /** The text of a file of the kernel's; empty if it cannot be read. */
    static String text(Path file) {
        try {
            return Files.readString(file, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }

    /** The number behind a name that begins a line; -1 if there is none. */
    static long field(String text, String name) {
        for (String line : text.split("\n")) {
            String[] words = line.strip().split("\\s+");
            if (words.length > 1 && words[0].equals(name)) {
                return number(words[1]);
            }
        }
        return -1;
    }

    /** -1 if it is none, such as {@code max}. */
    static long number(String text) {
        return text.strip().matches("\\d{1,18}") ? Long.parseLong(text.strip()) : -1;
    }
}
