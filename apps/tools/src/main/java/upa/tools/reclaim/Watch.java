package upa.tools.reclaim;

import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import upa.tools.top.Orders.Outcome;
import upa.tools.top.Sample;
import upa.tools.top.TopException;

/**
 * Takes free memory from programs under UPA while there is pressure: on the machine, or within a cgroup's limit. The
 * largest keepers give first, nothing that is in use is touched, and nothing is held: a watcher that dies leaves no
 * trace but an order that may still be carried out.
 *
 * <p>For one thread.
 */
final class Watch {

    /** Of a machine's memory, so much is to be available unless told otherwise. */
    static final int AVAILABLE_SHARE = 16;

    /** Stalls matter where less than this share is available: else they are of limits, or of slow devices. */
    private static final int SHORT_SHARE = 8;

    /** Tasks that wait for memory for more than this share of the time stand for pressure. */
    private static final int STALL_SHARE = 20;

    /** Processes and their groups are looked for so often, milliseconds: that means to read every process's maps. */
    private static final long SEARCH_MS = 2000;

    /** Who has not answered is not asked again for so long, milliseconds. */
    private static final long SILENCE_MS = 10_000;

    /** Less than this is not worth an order. */
    private static final long LEAST_BYTES = 1 << 20;

    private static final double MIB = 1 << 20;

    /** Processes under UPA, and orders to them. */
    interface Keepers {

        /** Those there are. */
        Collection<Long> find();

        /** What one keeps. */
        Sample read(long pid) throws TopException;

        /** Has one give back until no more than that is kept. */
        Outcome reclaim(long pid, long keep) throws TopException;
    }

    private final Keepers keepers;
    private final Machine machine;
    private final Path proc;
    private final Path cgroups;
    private final long mark;
    private final long keep;
    private final PrintStream out;

    private final Map<Long, Set<Group>> found = new HashMap<>();
    private final Map<Group, Long> events = new HashMap<>();
    private final Map<Long, Long> silentUntil = new HashMap<>();
    private long searchedAt = -SEARCH_MS;
    private long lookedAt;
    private long stalled = -1;

    /**
     * Makes one.
     *
     * @param keepers from whom it takes
     * @param proc    such as /proc
     * @param cgroups such as /sys/fs/cgroup
     * @param mark    bytes that are to be available on the machine; 0: a sixteenth of it
     * @param keep    bytes that each process may keep whatever happens
     * @param out     where what was taken is said
     */
    Watch(Keepers keepers, Path proc, Path cgroups, long mark, long keep, PrintStream out) {
        this.keepers = keepers;
        this.machine = new Machine(proc);
        this.proc = proc;
        this.cgroups = cgroups;
        this.mark = mark;
        this.keep = keep;
        this.out = out;
    }

    /** Whether the kernel says how much memory there is, without which there is nothing to go by. */
    boolean isPossible() {
        return machine.memory() != null;
    }

    /**
     * Looks once, and takes what is needed.
     *
     * @param now milliseconds of a clock that never goes back
     * @return bytes taken
     */
    long look(long now) {
        if (now - searchedAt >= SEARCH_MS) {
            search();
            searchedAt = now;
        }
        long taken = 0;
        boolean stalls = stalls(now);
        Machine.Memory memory = machine.memory();
        if (memory != null) {
            long wanted = mark > 0 ? mark : memory.total() / AVAILABLE_SHARE;
            if (memory.available() < wanted) {
                // And some more: it is no use to come again with each page.
                taken += take(now, "available", found.keySet(), wanted + wanted / 8 - memory.available());
            } else if (stalls && memory.available() < memory.total() / SHORT_SHARE) {
                taken += take(now, "stalls", found.keySet(), -1);
            }
        }
        for (Group group : groups()) {
            long need = need(group);
            if (need > 0) {
                taken += take(now, group.folder().toString(), members(group), need);
            }
        }
        return taken;
    }

    private void search() {
        found.clear();
        for (long pid : keepers.find()) {
            found.put(pid, Group.of(Machine.text(proc.resolve(pid + "/cgroup")), cgroups));
        }
        events.keySet().retainAll(groups());
        silentUntil.keySet().retainAll(found.keySet());
    }

    private Set<Group> groups() {
        Set<Group> all = new HashSet<>();
        found.values().forEach(all::addAll);
        return all;
    }

    private List<Long> members(Group group) {
        return found.keySet().stream()
                .filter(pid -> found.get(pid).contains(group))
                .toList();
    }

    private boolean stalls(long now) {
        long is = machine.stalledMicros();
        long then = stalled;
        long micros = (now - lookedAt) * 1000;
        stalled = is;
        lookedAt = now;
        return is >= 0 && then >= 0 && is - then > micros / STALL_SHARE;
    }

    /**
     * What a group needs to have room again. Its limits are met in every run through files, too: that alone says
     * nothing.
     */
    private long need(Group group) {
        long limit = group.limit();
        long is = group.events();
        Long then = events.put(group, is);
        if (limit < 0) {
            return 0;
        }
        long most = then != null && is > then ? limit / 4 * 3 : limit - limit / 16;
        long use = group.use();
        return use > most ? use - most + limit / 16 : 0;
    }

    /** Takes so much of these processes in all, or half of what they keep (negative). */
    private long take(long now, String why, Collection<Long> pids, long need) {
        List<Sample> samples = new ArrayList<>();
        for (long pid : pids) {
            try {
                if (silentUntil.getOrDefault(pid, now) <= now) {
                    samples.add(keepers.read(pid));
                }
            } catch (TopException e) {
                // It has ended, or become another program.
            }
        }
        samples.removeIf(s -> s.retainedBytes() - keep < LEAST_BYTES);
        samples.sort(Comparator.comparingLong((Sample s) -> -s.retainedBytes()));
        long[] kept = samples.stream().mapToLong(s -> s.retainedBytes() - keep).toArray();
        long total = 0;
        for (long bytes : kept) {
            total += bytes;
        }
        long level = FairShare.level(kept, need < 0 ? total / 2 : need);
        List<Thread> threads = new ArrayList<>();
        List<Outcome> outcomes = new ArrayList<>();
        for (int i = 0; i < kept.length && kept[i] > level; i++) {
            long pid = samples.get(i).pid();
            // All at once: each answers within a quarter of a second.
            threads.add(Thread.ofVirtual().start(() -> order(now, pid, keep + level, outcomes)));
        }
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        return say(why, outcomes);
    }

    private void order(long now, long pid, long stays, List<Outcome> outcomes) {
        try {
            Outcome outcome = keepers.reclaim(pid, stays);
            synchronized (outcomes) {
                outcomes.add(outcome);
            }
        } catch (TopException e) {
            synchronized (outcomes) {
                if (e.reason() == TopException.Reason.SILENT || e.reason() == TopException.Reason.BROKEN) {
                    silentUntil.put(pid, now + SILENCE_MS);
                    out.println(e.getMessage());
                }
            }
        }
    }

    private long say(String why, List<Outcome> outcomes) {
        long taken = 0;
        outcomes.sort(Comparator.comparingLong((Outcome o) -> -o.given()));
        for (Outcome o : outcomes) {
            taken += o.given();
            out.printf(
                    Locale.ROOT,
                    "pressure=%s process=%d %s: given back %.1f MiB, kept %.1f MiB%n",
                    why,
                    o.pid(),
                    o.command(),
                    o.given() / MIB,
                    o.after() / MIB);
        }
        return taken;
    }
}
