package upa.pager.live;

import upa.pager.place.PlaceWord;
import upa.pager.store.PageIo;

/**
 * What a session finds in a process: the pages that are in memory, and, if a pager was there before and has been
 * killed, what that one knew. In the session's thread, before it serves anything.
 *
 * <p>The words say where pages are, but for what was under way. A page that was being brought in can be in memory
 * already: memory counts. So it does of one that has a copy: the copy is forgotten. What was staged is written to a
 * store anew. What the kernel has told is heeded again.
 */
final class Takeover {
    private static final int ADOPT_PAGES = 4096;

    private final PagedProcess process;
    private final EventReader events;
    private final Children children;
    private final Evictor evictor;
    private final PageStates states;
    private final Client client;

    Takeover(PagedProcess process, EventReader events, Children children, Evictor evictor) {
        this.process = process;
        this.events = events;
        this.children = children;
        this.evictor = evictor;
        states = process.states;
        client = process.client;
    }

    /** Of a process that nobody has paged yet. */
    void begin() throws Client.GoneException {
        process.uffd.register(process.hello.known(), PageIo.PAGE_BYTES);
        register(0, process.pages);
    }

    /** Of one whose pager is dead. Threads that wait for it have their faults again afterwards. */
    void resume() throws Client.GoneException {
        adopt();
        children.adopt();
        events.heedKept();
        children.heedKept();
        begin();
        evictor.adoptStaged();
        process.uffd.wakeAll();
    }

    private void adopt() {
        long[] stored = new long[ADOPT_PAGES];
        int count = 0;
        for (int page = client.nextWritten(0); page >= 0 && page < process.pages; page = client.nextWritten(page)) {
            for (int end = Math.min(client.endOfWritten(page), process.pages); page < end; page++) {
                long word = states.stored(page);
                if (word == 0) {
                    continue;
                }
                long clean = word == PageStates.LOST ? word : PlaceWord.claimed(word, PlaceWord.FREE);
                states.set(page, clean);
                if (PlaceWord.place(word) == PlaceWord.STAGING) {
                    evictor.moved(PlaceWord.slot(word), page);
                } else if (StoreChain.isStored(clean)) {
                    stored[count++] = clean;
                }
                if (count == stored.length) {
                    process.stores().adopt(stored, count);
                    count = 0;
                }
            }
        }
        process.stores().adopt(stored, count);
    }

    /** What cannot be registered, since something else is mapped there, is not looked at either. */
    private void register(int first, int count) throws Client.GoneException {
        long bytes = (long) count * PageIo.PAGE_BYTES;
        if (process.uffd.register(process.address(first), bytes) == 0) {
            scan(first, count);
        } else if (count > upa.policy.PolicyContext.BLOCK_PAGES) {
            int half = count / 2;
            register(first, half);
            register(first + half, count - half);
        }
    }

    private void scan(int first, int count) throws Client.GoneException {
        for (int at = first; at < first + count; at += Wire.SCAN_PAGES) {
            int n = Math.min(Wire.SCAN_PAGES, first + count - at);
            client.order(Wire.SCAN, n, at);
            if (client.await() == 0) {
                for (int i = 0; i < n; i++) {
                    if (client.isPresent(i)) {
                        present(at + i);
                    }
                }
            } else if (n > 1) {
                scan(at, n / 2);
                scan(at + n / 2, n - n / 2);
            }
        }
    }

    private void present(int page) {
        long word = states.get(page);
        if (word != PageStates.LOST) {
            states.set(page, PageStates.memory());
            process.release(page, word);
        }
    }
}
