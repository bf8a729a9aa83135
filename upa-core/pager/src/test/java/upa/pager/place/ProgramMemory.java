package upa.pager.place;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import upa.pager.store.PageIo;

/**
 * What a program sees: content of a page, unless it is elsewhere or detached. A page has a version, 0 for zeros.
 */
final class ProgramMemory implements Tier {
    private final Long[] versions;
    private final Long[] detached;
    /** The kernel does not let these go. */
    final boolean[] pinned;
    /** Whoever writes waits until the word of the page is not clean any more. */
    private final boolean[] guarded;

    /** What the program last wrote: read only while the page is nowhere in memory, so nobody writes it. */
    final long[] expected;

    ProgramMemory(int pages) {
        versions = new Long[pages];
        detached = new Long[pages];
        pinned = new boolean[pages];
        guarded = new boolean[pages];
        expected = new long[pages];
    }

    synchronized boolean write(int page, long version) {
        if (versions[page] == null || guarded[page]) {
            return false;
        }
        versions[page] = version;
        return true;
    }

    synchronized void unguard(int page) {
        guarded[page] = false;
    }

    /** Nobody sees the page any more. False if it is not there, or may have been written to. */
    synchronized boolean take(int page) {
        if (versions[page] == null || !guarded[page]) {
            return false;
        }
        detached[page] = versions[page];
        versions[page] = null;
        return true;
    }

    synchronized void putBack(int page) {
        versions[page] = detached[page];
        detached[page] = null;
    }

    synchronized Long read(int page) {
        return versions[page];
    }

    synchronized void first(int page) {
        assertEquals(null, versions[page], "page=" + page);
        versions[page] = 0L;
    }

    @Override
    public synchronized CompletableFuture<PageIo> detach(int[] pages, PageIo io) {
        for (int i = 0; i < io.count(); i++) {
            int page = pages[i];
            if (pinned[page]) {
                io.result(i, PageIo.Result.UNREACHABLE);
                continue;
            }
            assertEquals(null, detached[page], "page=" + page);
            assertTrue(versions[page] != null, "not in memory although its word says so: page=" + page);
            detached[page] = versions[page];
            versions[page] = null;
            fill(io.page(i), page, detached[page]);
            io.result(i, PageIo.Result.OK);
        }
        return CompletableFuture.completedFuture(io);
    }

    @Override
    public synchronized CompletableFuture<PageIo> acceptClean(int[] pages, PageIo io) {
        CompletableFuture<PageIo> done = accept(pages, io);
        for (int i = 0; i < io.count(); i++) {
            guarded[pages[i]] = true;
        }
        return done;
    }

    @Override
    public synchronized CompletableFuture<PageIo> accept(int[] pages, PageIo io) {
        for (int i = 0; i < io.count(); i++) {
            assertEquals(null, versions[pages[i]], "already in memory: page=" + pages[i]);
            versions[pages[i]] = version(io.page(i), pages[i]);
            guarded[pages[i]] = false;
            io.slot(i, 0);
            io.result(i, PageIo.Result.OK);
        }
        return CompletableFuture.completedFuture(io);
    }

    @Override
    public synchronized void release(int page, long word) {
        assertTrue(detached[page] != null, "released twice: page=" + page);
        detached[page] = null;
    }

    @Override
    public synchronized void restore(int page, long word) {
        if (pinned[page] && detached[page] == null) {
            return;
        }
        assertTrue(detached[page] != null && versions[page] == null, "restored twice: page=" + page);
        versions[page] = detached[page];
        detached[page] = null;
    }

    /** Version 0 is all zeros; every third repeats a pattern; the others are random in part, every fifth wholly. */
    private void fill(MemorySegment to, int page, long version) {
        Random random = new Random(version * versions.length + page);
        int seal = (int) version * 31 + page;
        for (int at = 0; at < PageIo.PAGE_BYTES; at += 4) {
            int value =
                    version == 0 ? 0 : version % 3 == 0 || version % 5 != 0 && at % 32 != 0 ? seal : random.nextInt();
            to.set(ValueLayout.JAVA_INT, at, value);
        }
    }

    /** The version that a page's content is of; fails if it is of none. */
    private long version(MemorySegment content, int page) {
        long version = expected[page];
        try (Arena a = Arena.ofConfined()) {
            MemorySegment expected = a.allocate(PageIo.PAGE_BYTES, 8);
            fill(expected, page, version);
            assertEquals(-1, expected.mismatch(content), "page=" + page + " is not of version=" + version);
        }
        return version;
    }
}
