package upa.pager.policies;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import upa.pager.host.FakeFaults;
import upa.pager.host.FakeMechanism;
import upa.pager.host.PolicyHost;
import upa.pager.host.PolicySpec;
import upa.policy.Hint;
import upa.policy.PageBatch.Cause;

/** A policy under its host, on pages that are only bits: what tests do to it, and what it answers. */
abstract class PolicyWorld {
    static final int PAGES = 1 << 16;

    final FakeMechanism pages = new FakeMechanism(PAGES, 10);
    final List<String> said = new ArrayList<>();
    final PolicyHost host = new PolicyHost(pages, said::add);

    void start(String spec) {
        host.replace(PolicySpec.parse(spec));
    }

    void add(Cause cause, int... numbers) {
        for (int page : numbers) {
            pages.put(page);
            host.added(cause, new int[] {page}, 1);
        }
    }

    void use(int... numbers) {
        host.used(Cause.ACCESSED, numbers, numbers.length);
    }

    List<Integer> victims(int count) {
        pages.evicted.clear();
        assertEquals(count, host.evict(count, false));
        return List.copyOf(pages.evicted);
    }

    void fault(int page, int thread) {
        fault(512, thread, page);
    }

    /** Faults of one thread, delivered together, while there is room for so many other pages. */
    void fault(int room, int thread, int... batch) {
        pages.room = room;
        host.fault(new FakeFaults(thread, false, -1, batch));
    }

    /** All pages are in a store, so that whatever is proposed comes. */
    void storeAll() {
        for (int page = 0; page < PAGES; page++) {
            pages.put(page);
            pages.evict(page, 0);
        }
        pages.done.clear();
    }

    List<Integer> fetched(Runnable what) {
        pages.done.clear();
        what.run();
        return pages.done.stream()
                .filter(d -> d.startsWith("fetch "))
                .map(d -> Integer.valueOf(d.substring(6)))
                .toList();
    }

    /** Both ends included. */
    static List<Integer> range(int first, int last) {
        return IntStream.rangeClosed(first, last).boxed().toList();
    }

    void hint(Hint.Kind kind, int first, int count) {
        host.hint(new Hint(kind, first, count, 0));
    }
}
