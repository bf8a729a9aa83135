package upa.pager.live;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import upa.pager.store.StoreStatistics;

/** What is known of a paged process in numbers, for {@code upa policy stats} and {@code upa pager --metrics}. */
public enum ProcessFigure {
    /** Memory that may be resident. */
    BOUND("bound, pages"),
    /** Memory that is. */
    RESIDENT("resident, pages"),
    /** Memory in stores. */
    OUTSIDE("outside of memory, pages"),
    /** Faults on pages that had left. */
    FAULTS("faults on evicted pages"),
    /** Of these, those soon after the page had left. */
    REFAULTS("  of these soon after eviction"),
    /** Pages touched for the first time. */
    FIRST_TOUCHES("first touches, pages"),
    /** Pages wanted back on their way out. */
    RESCUES("rescued from the staging area"),
    /** Pages that have left. */
    EVICTIONS("evicted to stores"),
    /** Pages that came before a thread wanted them. */
    PREFETCHES("brought in early"),
    /** Proposals of policies that meant nothing. */
    REFUSED_PROPOSALS("proposals without effect"),
    /** Pages that could not leave. */
    UNMOVABLE("pages that could not leave"),
    /** Evictions that a thread waited for. */
    DIRECT_EVICTIONS("evictions that a thread waited for"),
    /** Pages that a store has lost. */
    LOST("pages lost by a store");

    /**
     * All figures of a process.
     *
     * @param numbers of the process
     * @param stores  of each of its stores
     */
    public record All(Map<ProcessFigure, Long> numbers, List<OfStore> stores) {}

    /**
     * Those of a store.
     *
     * @param name   its name
     * @param counts what it holds and has done
     */
    public record OfStore(String name, StoreStatistics counts) {}

    private final String text;

    ProcessFigure(String text) {
        this.text = text;
    }

    /** {@return a line for the user} */
    String line(long value) {
        return line(text, value);
    }

    static String line(String text, long value) {
        return String.format(Locale.ROOT, "%-46s %14d%n", text, value);
    }
}
