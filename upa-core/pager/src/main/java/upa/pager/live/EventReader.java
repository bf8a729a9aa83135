package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import upa.pager.place.PlaceWord;
import upa.pager.store.PageIo;
import upa.policy.PageBatch.Cause;

/**
 * What the kernel tells of a process: faults, and pages that are dropped, unmapped, moved, or a child's too. Belongs to
 * the session's thread.
 *
 * <p>The kernel lets the program go on when an event has been read. So each is written to memory that outlives the
 * pager, and heeding it twice is the same as once.
 */
final class EventReader {
    private static final int PAGE_SHIFT = 12;
    private static final int PAGE_BYTES = PageIo.PAGE_BYTES;
    private static final int MOST_TOLD = 512;

    /** A page that has moved out of the region and needs its content there. Its word is its own. */
    private record Departure(long address, long word, MemorySegment staged) {}

    private final PagedProcess process;
    private final FaultServer faults;
    private final Children children;
    private final Evictor evictor;
    private final PageStates states;
    private final Uffd uffd;
    private final List<Departure> departures = new ArrayList<>();
    private final int[] single = new int[1];

    EventReader(PagedProcess process, FaultServer faults, Children children, Evictor evictor) {
        this.process = process;
        this.faults = faults;
        this.children = children;
        this.evictor = evictor;
        states = process.states;
        uffd = process.uffd;
    }

    /** Reads and heeds all that there is. */
    void read() {
        readEvents();
        while (!departures.isEmpty()) {
            Departure d = departures.getFirst();
            int result = d.staged == null
                    ? faults.put(uffd, d.address, d.word)
                    : Math.min(0, uffd.copy(d.address, d.staged));
            if (Uffd.refusesForNow(result)) {
                readEvents();
                continue;
            }
            departures.removeFirst();
            process.stores().free(d.word);
        }
    }

    private void readEvents() {
        int n = Uffd.MOST_MESSAGES;
        // What comes after a short read is the next turn's, or the kernel says EAGAIN to who should know of it first.
        while (n == Uffd.MOST_MESSAGES && (n = uffd.read()) > 0) {
            for (int i = 0; i < n; i++) {
                if (uffd.event(i) == Uffd.EVENT_FORK) {
                    children.forked(uffd.number(i), null);
                } else {
                    heed(i);
                }
                process.kept.heeded(i);
            }
        }
    }

    private void heed(int i) {
        switch (uffd.event(i)) {
            case Uffd.EVENT_FAULT ->
                faults.fault(uffd.argument(i, 1), uffd.number(i), uffd.isWrite(i), uffd.isProtected(i));
            case Uffd.EVENT_REMAP -> remapped(uffd.argument(i, 0), uffd.argument(i, 1), uffd.argument(i, 2));
            case Uffd.EVENT_REMOVE -> drop(uffd.argument(i, 0), uffd.argument(i, 1), Cause.FREED);
            case Uffd.EVENT_UNMAP -> drop(uffd.argument(i, 0), uffd.argument(i, 1), Cause.UNMAPPED);
            default -> process.log("an event that makes no sense: event=" + uffd.event(i));
        }
    }

    /** What a pager before has read and not heeded. Its faults are told again to those that wait. */
    void heedKept() throws Client.GoneException {
        boolean forked = false;
        for (int i = 0; i < Uffd.MOST_MESSAGES; i++) {
            int event = uffd.event(i);
            if (event == Uffd.EVENT_FORK) {
                children.bear(null, true);
                forked = true;
            } else if (event != 0 && event != Uffd.EVENT_FAULT) {
                heed(i);
            }
            process.kept.heeded(i);
        }
        if (!forked) {
            children.bear(null, false);
        }
    }

    /** The program's content is gone, and with it what a store has of it. */
    private void drop(long start, long end, Cause cause) {
        if (cause == Cause.FREED) {
            // Of unmapped addresses nothing is inferred: they may be another mapping's by now.
            departures.removeIf(d -> {
                boolean gone = d.address >= start && d.address < end;
                process.stores().free(gone ? d.word : 0);
                return gone;
            });
        }
        int last = clamp(end + PAGE_BYTES - 1);
        int[] gone = new int[MOST_TOLD];
        int count = 0;
        for (int page = next(clamp(start), last); page < last; page = next(page + 1, last)) {
            process.release(page, states.set(page, 0));
            gone[count++] = page;
            if (count == gone.length) {
                process.tell(cause, gone, count);
                count = 0;
            }
        }
        process.tell(cause, gone, count);
    }

    private int clamp(long address) {
        return Math.clamp(address - process.hello.base() >> PAGE_SHIFT, 0, process.pages);
    }

    /** The next page that has a word, or the end. */
    private int next(int page, int end) {
        int next = page < end ? states.nextKnown(page) : -1;
        return next < 0 ? end : Math.min(next, end);
    }

    /** Pages have other addresses now: within the region their words go with them, outside their content has to. */
    private void remapped(long from, long to, long length) {
        // Those that were on their way to where this begins go on from there.
        departures.replaceAll(d -> d.address < from || d.address >= from + length
                ? d
                : new Departure(d.address - from + to, d.word, d.staged));
        int last = clamp(from + length);
        for (int page = next(clamp(from), last); page < last; page = next(page + 1, last)) {
            long word = states.get(page);
            if (PlaceWord.isClean(word)) {
                // Its copy stays behind; who writes at the new place finds none.
                process.migration().written(page);
                word = states.get(page);
            }
            if (PageStates.isOutside(word)) {
                children.bring(page);
            }
            boolean aside = states.isAside(page);
            // Of a store that is reading it, the result will be of no use. First to the new place, then from the old
            // one: who is killed in between does it again.
            arrive(
                    word == PageStates.LOST ? word : PlaceWord.claimed(word, PlaceWord.FREE),
                    process.address(page) - from + to);
            states.set(page, 0);
            single[0] = page;
            process.tell(Cause.UNMAPPED, single, 1);
            int target = process.page(process.address(page) - from + to);
            if (aside && process.far() != null && target >= 0) {
                process.far().arrived(target);
            }
        }
    }

    private void arrive(long word, long address) {
        int target = process.page(address);
        boolean staged = PlaceWord.place(word) == PlaceWord.STAGING;
        if (target >= 0) {
            long was = states.set(target, word);
            if (was != word) {
                process.release(target, was);
            }
            if (staged) {
                evictor.moved(PlaceWord.slot(word), target);
            } else if (PlaceWord.place(word) == PlaceWord.MEMORY) {
                single[0] = target;
                process.tell(Cause.FETCHED, single, 1);
            }
        } else if (PageStates.isOutside(word) || word == PageStates.LOST) {
            departures.add(new Departure(
                    address,
                    word,
                    !staged
                            ? null
                            : Arena.ofAuto()
                                    .allocate(PAGE_BYTES, PAGE_BYTES)
                                    .copyFrom(process.client.staged(PlaceWord.slot(word)))));
        }
    }
}
