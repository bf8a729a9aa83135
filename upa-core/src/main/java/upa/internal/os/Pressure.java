package upa.internal.os;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * How much free memory may be kept where memory is limited or short: what the kernel's texts say of it, and what
 * follows. The twin of {@code preload/policy/pressure.c} and of what reads for it.
 *
 * <p>What is kept must fit beside whatever is touched next. So of each limit, a cgroup's or the machine's, a fixed
 * share may be kept, and of what is left, half; nothing while tasks of the system wait for memory. Any thread may ask.
 */
public final class Pressure {
    /** The answer where nothing limits. */
    public static final long UNLIMITED = Long.MAX_VALUE;
    /** Some task has waited for memory for so many hundredths of a percent of the last ten seconds. */
    private static final long STALL_LIMIT = 500;
    /** So often the system is asked, and the groups are sought. */
    private static final long INTERVAL_MILLIS = 1000;
    /** Of a limit a process may keep this part at most. */
    private static final long SHARE = 32;
    /** What a group says that has no limit is larger. */
    private static final long LEAST_NO_LIMIT = 1L << 60;
    /** Groups with a limit, from the process's own upwards; of more than these the first count. */
    private static final int MOST_GROUPS = 4;

    /** A cgroup that accounts the process's memory: of version 2 if it is unified. */
    record Level(boolean isUnified, Path folder) {}

    private record Group(Level level, long limit) {}

    private final Path root;
    private final List<Group> groups = new ArrayList<>();
    private long askedAt = -INTERVAL_MILLIS;
    private boolean stalls;
    private long machine;

    /** Of this process. */
    public Pressure() {
        this(Path.of("/"));
    }

    /** Files are below a directory in the place of the root. */
    Pressure(Path root) {
        this.root = root;
    }

    /** How much a process may keep that keeps so much now: bytes. By a clock that never goes back. */
    public synchronized long keepable(long nowMillis, long kept) {
        if (nowMillis - askedAt >= INTERVAL_MILLIS) {
            askedAt = nowMillis;
            String machineText = text(root.resolve("proc/meminfo"));
            long available = field(machineText, "MemAvailable");
            stalls = stalls(text(root.resolve("proc/pressure/memory")))
                    && isShort(available, field(machineText, "MemTotal"));
            findGroups();
            machine = keepableOfMachine(available < 0 ? -1 : available << 10, kept);
        }
        long most = stalls ? 0 : machine;
        for (Group group : groups) {
            most = Math.min(most, keepableIn(group, kept));
        }
        return most;
    }

    private void findGroups() {
        groups.clear();
        for (Level level : levels(root, text(root.resolve("proc/self/cgroup")))) {
            long limit = limitOf(level);
            if (isLimit(limit) && groups.size() < MOST_GROUPS) {
                groups.add(new Group(level, limit));
            }
        }
    }

    /** Where the kernel begins to slow the group's processes down, or kills; negative if nowhere. */
    private static long limitOf(Level level) {
        long kills = numberIn(level, level.isUnified ? "memory.max" : "memory.limit_in_bytes");
        long slows = level.isUnified ? numberIn(level, "memory.high") : -1;
        return !isLimit(kills) || isLimit(slows) && slows < kills ? slows : kills;
    }

    private static long keepableIn(Group group, long kept) {
        long use = numberIn(group.level, group.level.isUnified ? "memory.current" : "memory.usage_in_bytes");
        long most = keepable(group.limit, use, 0, kept);
        // Where the share is all that counts, files' pages change nothing.
        return most == group.limit / SHARE ? most : keepable(group.limit, use, filesOf(group.level), kept);
    }

    /** Pages of files that the group's processes have read: they go first. */
    private static long filesOf(Level level) {
        String text = text(level.folder.resolve("memory.stat"));
        String prefix = level.isUnified ? "" : "total_";
        return Math.max(0, field(text, prefix + "inactive_file")) + Math.max(0, field(text, prefix + "active_file"));
    }

    private static long numberIn(Level level, String name) {
        return number(text(level.folder.resolve(name)));
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return "";
        }
    }

    // ---- what the kernel's texts say -------------------------------------------------------------------------

    /** The digits that a text begins with, a point among them left out; negative if there are none. */
    static long number(String text) {
        long n = -1;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c != '.' && (c < '0' || c > '9')) {
                break;
            }
            if (c != '.' && n < Long.MAX_VALUE / 10 - 10) {
                n = Math.max(n, 0) * 10 + (c - '0');
            }
        }
        return n;
    }

    /** The number in the line that begins with this name, as in memory.stat and /proc/meminfo; negative if none is. */
    static long field(String text, String name) {
        return text.lines()
                .filter(line -> line.startsWith(name + " ") || line.startsWith(name + ":"))
                .mapToLong(line -> number(line.substring(name.length() + 1).strip()))
                .findFirst()
                .orElse(-1);
    }

    /**
     * Is so little of the machine's memory available that what is kept could help those who wait? Else they wait for
     * the limits of their own groups. Not known (negative): true.
     */
    static boolean isShort(long available, long total) {
        return available < 0 || total < 0 || available < total / 8;
    }

    /** The text of /proc/pressure/memory: has some task waited for more than 5 % of the last ten seconds? */
    static boolean stalls(String text) {
        int average = text.indexOf("avg10=");
        return average >= 0 && number(text.substring(average + "avg10=".length())) > STALL_LIMIT;
    }

    private static boolean isLimit(long limit) {
        return limit >= 0 && limit < LEAST_NO_LIMIT;
    }

    /**
     * What a process may keep within a group of this limit, that has so much in use: what the process keeps now is a
     * part of it, and so are files' pages, which the kernel takes first.
     */
    static long keepable(long limit, long use, long files, long kept) {
        if (!isLimit(limit)) {
            return UNLIMITED;
        }
        long others = Math.max(0, Math.max(0, use) - Math.max(0, files) - kept);
        return Math.min(limit / SHARE, Math.max(0, limit - others) / 2);
    }

    /** The same of the machine: so much is available beside what is kept; negative if that is not known. */
    static long keepableOfMachine(long available, long kept) {
        return available < 0 ? UNLIMITED : (available + kept) / 2;
    }

    /**
     * What the text of /proc/self/cgroup names, of version 2 and version 1: each with all above it up to the root,
     * since a container may see its own there.
     */
    static List<Level> levels(Path root, String text) {
        List<Level> levels = new ArrayList<>();
        for (String line : text.lines().toList()) {
            String[] parts = line.split(":", 3);
            boolean isUnified = parts.length == 3 && parts[0].equals("0") && parts[1].isEmpty();
            if (!isUnified && (parts.length < 3 || !parts[1].equals("memory"))) {
                continue;
            }
            Path top = root.resolve(isUnified ? "sys/fs/cgroup" : "sys/fs/cgroup/memory");
            Path folder = top.resolve(parts[2].replaceFirst("^/+", "")).normalize();
            for (; folder.startsWith(top) && !folder.equals(top); folder = folder.getParent()) {
                levels.add(new Level(isUnified, folder));
            }
            levels.add(new Level(isUnified, top));
        }
        return levels;
    }
}
