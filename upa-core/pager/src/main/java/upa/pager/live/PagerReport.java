package upa.pager.live;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import upa.pager.host.PolicyThread;
import upa.pager.place.Migration;
import upa.pager.place.MoveCounters;
import upa.pager.place.PlaceWord;
import upa.pager.store.StoreStatistics;
import upa.policy.PolicyStatistics;

/** What {@code upa policy status} and {@code stats} print of a process. */
final class PagerReport {
    private static final int MIB_SHIFT = 8;
    private static final int PAGE_SHIFT = 12;

    private static final String STORE = "store ";
    private static final String[] DISTANCES = {"< 1/8", "< 1/4", "< 1/2", "< 1", "< 2", "< 4", "more"};

    private PagerReport() {}

    static String status(Session session) {
        PagedProcess s = session.process;
        PolicyThread policies = s.policies();
        return line(
                session.pid(),
                session.name(),
                policies == null ? "far below its bound" : policies.text(),
                s.mechanism.boundPages(),
                s.states.resident(),
                s.states.outside() + s.states.aside(),
                s.problem());
    }

    /** In pages; the note may be empty. */
    static String line(int pid, String name, String policy, int bound, int resident, int stored, String note) {
        return String.format(
                Locale.ROOT,
                "%8d  %-16s  %-24s  bound %d MiB, resident %d MiB, stored %d MiB%s%n",
                pid,
                name,
                policy,
                bound >> MIB_SHIFT,
                resident >> MIB_SHIFT,
                stored >> MIB_SHIFT,
                note.isEmpty() ? "" : "  (" + note + ")");
    }

    /** The same for programs: {@link PagerCommand.Program}. */
    static String program(Session session) {
        PagedProcess s = session.process;
        return session.pid() + " " + ((long) s.mechanism.boundPages() << PAGE_SHIFT) + " "
                + ((long) s.states.resident() << PAGE_SHIFT) + " " + ((long) s.states.outside() << PAGE_SHIFT) + " "
                + session.name() + "\n";
    }

    private static Map<ProcessFigure, Long> numbers(PagedProcess s) {
        PolicyThread policies = s.policies();
        PolicyStatistics p = policies == null ? s.counters.statistics() : policies.statistics();
        Counters c = s.counters;
        Map<ProcessFigure, Long> n = new EnumMap<>(ProcessFigure.class);
        n.put(ProcessFigure.BOUND, (long) s.mechanism.boundPages());
        n.put(ProcessFigure.RESIDENT, (long) s.states.resident());
        n.put(ProcessFigure.OUTSIDE, (long) s.states.outside());
        n.put(ProcessFigure.FAULTS, p.faults());
        n.put(ProcessFigure.REFAULTS, p.refaults());
        n.put(ProcessFigure.FIRST_TOUCHES, p.firstTouches());
        n.put(ProcessFigure.RESCUES, p.rescues());
        n.put(ProcessFigure.EVICTIONS, p.evictions());
        n.put(ProcessFigure.PREFETCHES, p.prefetches());
        n.put(ProcessFigure.REFUSED_PROPOSALS, p.refused());
        n.put(ProcessFigure.UNMOVABLE, c.refused);
        n.put(ProcessFigure.DIRECT_EVICTIONS, c.waits);
        n.put(ProcessFigure.LOST, c.lost);
        return n;
    }

    /** For programs: {@link PagerCommand#figures}. */
    static String figures(Session session) {
        StringBuilder text = new StringBuilder();
        numbers(session.process)
                .forEach((figure, n) ->
                        text.append(figure.name()).append(' ').append(n).append('\n'));
        StoreChain stores = session.process.stores();
        for (int i = 0; stores != null && i < stores.size(); i++) {
            text.append(STORE).append(stores.store(i).name());
            stores.store(i).statistics().numbers().forEach(n -> text.append(' ').append(n));
            text.append('\n');
        }
        return text.toString();
    }

    /** What that says. */
    static ProcessFigure.All parse(String figures) {
        Map<ProcessFigure, Long> numbers = new EnumMap<>(ProcessFigure.class);
        List<ProcessFigure.OfStore> stores = new ArrayList<>();
        figures.lines().forEach(line -> {
            String[] words = line.split(" ");
            if (line.startsWith(STORE)) {
                stores.add(new ProcessFigure.OfStore(
                        words[1],
                        StoreStatistics.of(Arrays.stream(words)
                                .skip(2)
                                .mapToLong(Long::parseLong)
                                .toArray())));
            } else {
                numbers.put(ProcessFigure.valueOf(words[0]), Long.parseLong(words[1]));
            }
        });
        return new ProcessFigure.All(numbers, stores);
    }

    static String statistics(Session session) {
        PagedProcess s = session.process;
        Map<ProcessFigure, Long> n = numbers(s);
        Counters c = s.counters;
        StringBuilder text = new StringBuilder();
        line(text, ProcessFigure.BOUND, n);
        line(text, ProcessFigure.RESIDENT, n);
        line(text, ProcessFigure.OUTSIDE, n);
        line(text, s.far() == null ? "in swap, pages" : "on the far node, pages", s.states.aside());
        line(text, ProcessFigure.FAULTS, n);
        line(text, ProcessFigure.REFAULTS, n);
        for (int i = 0; i < DISTANCES.length; i++) {
            line(text, "  evictions since its own, of the bound: " + DISTANCES[i], c.refaults(i));
        }
        line(text, ProcessFigure.FIRST_TOUCHES, n);
        line(text, ProcessFigure.RESCUES, n);
        line(text, ProcessFigure.EVICTIONS, n);
        line(text, "  of these at no cost, unwritten since", c.dropped);
        line(text, "in memory with a copy in a store, pages", s.states.clean());
        line(text, "copies that were written over", c.overwritten);
        line(text, ProcessFigure.PREFETCHES, n);
        line(text, ProcessFigure.REFUSED_PROPOSALS, n);
        line(text, ProcessFigure.UNMOVABLE, n);
        line(text, "victims by address, in place of the policy's", c.standIns);
        line(text, ProcessFigure.DIRECT_EVICTIONS, n);
        line(text, "staging, ns a page", c.staged == 0 ? 0 : c.stagingNanos / c.staged);
        line(text, ProcessFigure.LOST, n);
        StoreChain stores = s.stores();
        for (int i = 0; stores != null && i < stores.size(); i++) {
            StoreStatistics t = stores.store(i).statistics();
            text.append(String.format(
                    Locale.ROOT,
                    "store %s (of this process): pages %d, bytes %d of %d, written %d, read %d, refused %d,"
                            + " failed %d%n",
                    stores.store(i).name(),
                    t.pages(),
                    t.bytesUsed(),
                    t.bytesLimit(),
                    t.written(),
                    t.read(),
                    t.refused(),
                    t.failed()));
        }
        if (s.farLook() != null) {
            line(text, "looked at on the far node, pages", s.farLook().looked());
            line(text, "  of these used, and near again", s.farLook().used());
            line(text, "sent on from there to stores", s.farLook().sentOn());
            String why = s.far().failures();
            text.append("not moved between nodes: ")
                    .append(why.isEmpty() ? "none" : why)
                    .append('\n');
        }
        if (s.migration() != null) {
            moves(text, s.migration(), stores);
        }
        return text.toString();
    }

    /** All moves there are; a page that repeats a word goes to no store, and counts for the one it was to go to. */
    private static void moves(StringBuilder text, Migration migration, StoreChain stores) {
        int end = PlaceWord.FIRST_TIER + stores.size();
        for (int from = PlaceWord.MEMORY; from < end; from++) {
            for (int to = PlaceWord.MEMORY; to < end; to++) {
                // What is dropped, since a store has it, does not go by way of the staging area.
                MoveCounters m = migration.counters(from == PlaceWord.MEMORY ? PlaceWord.STAGING : from, to);
                if (m.moved() + m.taken() + m.refused() + m.failed() > 0) {
                    text.append(String.format(
                            Locale.ROOT,
                            "moved from %s to %s: pages %d, touched meanwhile %d, refused %d, failed %d%n",
                            from == PlaceWord.MEMORY && to == from ? "staging" : name(stores, from),
                            name(stores, to),
                            m.moved(),
                            m.taken() + m.stale(),
                            m.refused(),
                            m.failed()));
                }
            }
        }
    }

    private static String name(StoreChain stores, int place) {
        return switch (place) {
            case PlaceWord.MEMORY -> "memory";
            case PlaceWord.PATTERN -> "pattern";
            default -> stores.store(place - PlaceWord.FIRST_TIER).name();
        };
    }

    private static void line(StringBuilder text, ProcessFigure figure, Map<ProcessFigure, Long> n) {
        text.append(figure.line(n.get(figure)));
    }

    private static void line(StringBuilder text, String what, long n) {
        text.append(ProcessFigure.line(what, n));
    }
}
