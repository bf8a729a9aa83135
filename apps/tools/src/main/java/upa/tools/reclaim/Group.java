package upa.tools.reclaim;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * A cgroup that limits memory, of version 2 or 1.
 *
 * @param folder  where its files are
 * @param unified whether it is of version 2
 */
record Group(Path folder, boolean unified) {

    /** Version 1 writes "none" as a number near 2^63. */
    private static final long NO_LIMIT = 1L << 60;

    /** The groups that a process belongs to and those above them, as its {@code /proc/PID/cgroup} names them. */
    static Set<Group> of(String text, Path cgroups) {
        Set<Group> groups = new LinkedHashSet<>();
        for (String line : text.split("\n")) {
            String[] fields = line.split(":", 3);
            boolean unified = fields.length == 3 && fields[0].equals("0") && fields[1].isEmpty();
            // A group outside of what this process may see begins with "/..".
            if (fields.length < 3
                    || !unified && !fields[1].equals("memory")
                    || !fields[2].startsWith("/")
                    || fields[2].startsWith("/..")) {
                continue;
            }
            Path root = unified ? cgroups : cgroups.resolve("memory");
            Path folder = root.resolve(fields[2].substring(1)).normalize();
            while (folder.startsWith(root) && !folder.equals(root)) {
                if (Files.isDirectory(folder)) {
                    groups.add(new Group(folder, unified));
                }
                folder = folder.getParent();
            }
        }
        return groups;
    }

    private long number(String file) {
        return Machine.number(Machine.text(folder.resolve(file)));
    }

    /** {@return bytes beyond which the kernel slows its processes down or kills one; -1: there is no limit} */
    long limit() {
        long kills = number(unified ? "memory.max" : "memory.limit_in_bytes");
        long slows = unified ? number("memory.high") : -1;
        long least = kills < 0 || slows >= 0 && slows < kills ? slows : kills;
        return least >= NO_LIMIT ? -1 : least;
    }

    /** {@return bytes in use, without files' pages and what else the kernel may take at once} */
    long use() {
        String stat = Machine.text(folder.resolve("memory.stat"));
        long inactive = Machine.field(stat, unified ? "inactive_file" : "total_inactive_file");
        long active = Machine.field(stat, unified ? "active_file" : "total_active_file");
        long use = number(unified ? "memory.current" : "memory.usage_in_bytes");
        return Math.max(0, use - Math.max(0, inactive) - Math.max(0, active));
    }

    /** {@return how often its limits have been met so far} */
    long events() {
        if (!unified) {
            return Math.max(0, number("memory.failcnt"));
        }
        String events = Machine.text(folder.resolve("memory.events"));
        return Math.max(0, Machine.field(events, "high")) + Math.max(0, Machine.field(events, "max"));
    }
}
