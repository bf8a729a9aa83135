package upa.pager.place;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLongArray;
import upa.pager.store.PageIo;

/**
 * Moves pages between places, always in five steps: claim the word by compare-and-swap; detach, so that the content
 * stands still; copy; publish the new word by compare-and-swap; release what is not needed any more.
 *
 * <p>Invariants: at every instant the word of a page names one place that holds its content. A word is changed by who
 * has claimed it; a thread that waits for a page takes the claim of a mover, never the other way round. Who publishes
 * releases the old slot, who does not publish releases the new one: each slot is released once. While a batch is under
 * way its pages are in {@link #underWay}, so that no second batch can claim a word that looks the same again. Memory
 * accepts a page only under a claim that nobody can take: the program sees it at once, and what it writes must stay.
 *
 * <p>A page that is detached from memory and wanted goes back there: its mover finds its claim taken, and restores it.
 *
 * <p>Safe for use by several threads.
 */
public final class Migration {
    private static final int MOVED = 0;
    private static final int STALE = 1;
    private static final int TAKEN = 2;
    private static final int REFUSED = 3;
    private static final int FAILED = 4;
    private static final int KINDS = 5;

    private final Words table;
    private final Executor owner;
    private final Tier[] tiers = new Tier[PlaceWord.MOST_PLACES];
    private final BitSet underWay = new BitSet();
    private final AtomicLongArray counters = new AtomicLongArray(PlaceWord.MOST_PLACES * PlaceWord.MOST_PLACES * KINDS);

    /**
     * Makes a migration whose words anybody may change, each by compare-and-swap.
     *
     * @param table  words of the pages
     * @param memory where a program sees them
     */
    public Migration(Words table, Tier memory) {
        this(table, Runnable::run);
        tiers[PlaceWord.MEMORY] = memory;
    }

    /**
     * Makes a migration between stores, whose words one thread changes.
     *
     * @param table words of the pages
     * @param owner runs what changes words: the only thread that does, and the one that calls {@link #move}
     */
    public Migration(Words table, Executor owner) {
        this.table = table;
        this.owner = owner;
    }

    /**
     * Adds a place behind those there are.
     *
     * @param place its index
     * @param tier  what it is
     */
    public void tier(int place, Tier tier) {
        tiers[place] = tier;
    }

    /**
     * What became of pages that were to be moved.
     *
     * @param from old place
     * @param to   new place
     * @return the counts so far
     */
    public MoveCounters counters(int from, int to) {
        int at = (from * PlaceWord.MOST_PLACES + to) * KINDS;
        return new MoveCounters(
                counters.get(at + MOVED),
                counters.get(at + STALE),
                counters.get(at + TAKEN),
                counters.get(at + REFUSED),
                counters.get(at + FAILED));
    }

    private void count(int from, int to, int kind) {
        counters.incrementAndGet((from * PlaceWord.MOST_PLACES + to) * KINDS + kind);
    }

    /** One batch on its way. */
    private static final class Batch {
        private final int from;
        private final int to;
        private final int claim;
        private final int[] pages;
        private final long[] words;
        private int count;

        Batch(int from, int to, int claim, int most) {
            this.from = from;
            this.to = to;
            this.claim = claim;
            pages = new int[most];
            words = new long[most];
        }
    }

    /**
     * Moves pages that are in one place to another, because a policy wants it.
     *
     * @param pages numbers
     * @param count how many of the array
     * @param from  where they should be; those that are not are left alone
     * @param to    where they go
     * @param io    for content; the migration's until it is done
     * @return how many were moved, when all is done
     */
    public CompletableFuture<Integer> move(int[] pages, int count, int from, int to, PageIo io) {
        return run(claim(pages, count, from, to, PlaceWord.MOVING), io);
    }

    /**
     * Brings a page into memory because a thread waits for it, whoever else may be moving it.
     *
     * @param page its number
     * @param io   for content; the migration's until it is done
     * @return whether it is in memory or on its way back there, when all is done; if not, try again
     */
    CompletableFuture<Boolean> fetch(int page, PageIo io) {
        long word = table.get(page);
        int from = PlaceWord.place(word);
        if (from == PlaceWord.MEMORY && PlaceWord.claim(word) == PlaceWord.MOVING) {
            table.change(page, word, PlaceWord.claimed(word, PlaceWord.WANTED));
        }
        if (from == PlaceWord.MEMORY || from == PlaceWord.NONE) {
            return CompletableFuture.completedFuture(from == PlaceWord.MEMORY);
        }
        return run(claim(new int[] {page}, 1, from, PlaceWord.MEMORY, PlaceWord.WANTED), io)
                .thenApply(moved -> moved == 1);
    }

    /** First step. */
    private Batch claim(int[] pages, int count, int from, int to, int claim) {
        Batch batch = new Batch(from, to, claim, count);
        for (int i = 0; i < count; i++) {
            int page = pages[i];
            if (claim == PlaceWord.MOVING && !enter(page)) {
                count(from, to, STALE);
                continue;
            }
            long word = table.get(page);
            boolean free = PlaceWord.claim(word) == PlaceWord.FREE
                    || claim == PlaceWord.WANTED && PlaceWord.claim(word) == PlaceWord.MOVING;
            long mine = PlaceWord.claimed(word, claim);
            if (PlaceWord.place(word) == from && from != to && free && table.change(page, word, mine)) {
                batch.pages[batch.count] = page;
                batch.words[batch.count++] = mine;
            } else {
                leave(claim, page);
                count(from, to, STALE);
            }
        }
        return batch;
    }

    private boolean enter(int page) {
        synchronized (underWay) {
            boolean was = underWay.get(page);
            underWay.set(page);
            return !was;
        }
    }

    private void leave(int claim, int page) {
        if (claim == PlaceWord.MOVING) {
            synchronized (underWay) {
                underWay.clear(page);
            }
        }
    }

    private CompletableFuture<Integer> run(Batch batch, PageIo io) {
        if (batch.count == 0) {
            return CompletableFuture.completedFuture(0);
        }
        return detach(batch, io).thenComposeAsync(detached -> copy(batch, detached), owner);
    }

    /** Second step. */
    private CompletableFuture<PageIo> detach(Batch batch, PageIo io) {
        io.begin(batch.count);
        for (int i = 0; i < batch.count; i++) {
            io.slot(i, PlaceWord.slot(batch.words[i]));
            io.check(i, PlaceWord.check(batch.words[i]));
        }
        if (batch.from != PlaceWord.PATTERN) {
            return tiers[batch.from].detach(batch.pages, io);
        }
        for (int i = 0; i < batch.count; i++) {
            fill(io.page(i), PlaceWord.pattern(batch.words[i]));
            io.result(i, PageIo.Result.OK);
        }
        return CompletableFuture.completedFuture(io);
    }

    private static void fill(MemorySegment page, int pattern) {
        for (int at = 0; at < PageIo.PAGE_BYTES; at += Integer.BYTES) {
            page.set(ValueLayout.JAVA_INT, at, pattern);
        }
    }

    /** Third step: of those that were detached, which move up to the front. */
    private CompletableFuture<Integer> copy(Batch batch, PageIo io) {
        int kept = 0;
        int moved = 0;
        for (int i = 0; i < batch.count; i++) {
            if (io.result(i) != PageIo.Result.OK) {
                unclaim(batch, i);
                count(batch.from, batch.to, FAILED);
                leave(batch.claim, batch.pages[i]);
            } else if (batch.to == PlaceWord.MEMORY && !secure(batch, i)) {
                count(batch.from, batch.to, TAKEN);
                leave(batch.claim, batch.pages[i]);
            } else if (batch.to != PlaceWord.MEMORY && isPattern(io.page(i))) {
                int pattern = io.page(i).get(ValueLayout.JAVA_INT, 0);
                moved += publish(batch, i, PlaceWord.ofPattern(pattern), -1) ? 1 : 0;
            } else {
                if (kept != i) {
                    io.page(kept).copyFrom(io.page(i));
                    batch.pages[kept] = batch.pages[i];
                    batch.words[kept] = batch.words[i];
                }
                kept++;
            }
        }
        batch.count = kept;
        if (kept == 0) {
            return CompletableFuture.completedFuture(moved);
        }
        io.begin(kept);
        for (int i = 0; i < kept; i++) {
            io.computeCheck(i);
        }
        int already = moved;
        return tiers[batch.to]
                .accept(batch.pages, io)
                .thenApplyAsync(accepted -> already + publish(batch, accepted), owner);
    }

    /** Makes a claim one that nobody can take. */
    private boolean secure(Batch batch, int i) {
        long word = batch.words[i];
        batch.words[i] = PlaceWord.claimed(word, PlaceWord.WANTED);
        return PlaceWord.claim(word) == PlaceWord.WANTED || table.change(batch.pages[i], word, batch.words[i]);
    }

    private static boolean isPattern(MemorySegment page) {
        // Equal to itself a word further on.
        return MemorySegment.mismatch(
                        page, 0, PageIo.PAGE_BYTES - Integer.BYTES, page, Integer.BYTES, PageIo.PAGE_BYTES)
                < 0;
    }

    private int publish(Batch batch, PageIo io) {
        int moved = 0;
        for (int i = 0; i < batch.count; i++) {
            if (io.result(i) == PageIo.Result.OK) {
                moved += publish(batch, i, PlaceWord.of(batch.to, io.check(i), io.slot(i)), io.slot(i)) ? 1 : 0;
            } else {
                unclaim(batch, i);
                count(batch.from, batch.to, REFUSED);
                leave(batch.claim, batch.pages[i]);
            }
        }
        return moved;
    }

    /** Fourth and fifth step. */
    private boolean publish(Batch batch, int i, long word, int newSlot) {
        int page = batch.pages[i];
        int oldSlot = PlaceWord.slot(batch.words[i]);
        boolean published = table.change(page, batch.words[i], word);
        if (published && batch.from != PlaceWord.PATTERN) {
            tiers[batch.from].release(page, oldSlot);
        } else if (!published) {
            if (newSlot >= 0) {
                tiers[batch.to].release(page, newSlot);
            }
            unclaim(batch, i);
        }
        count(batch.from, batch.to, published ? MOVED : TAKEN);
        leave(batch.claim, page);
        return published;
    }

    /** The page stays where it is; in memory even if somebody has taken the claim, since he waits for just that. */
    private void unclaim(Batch batch, int i) {
        int page = batch.pages[i];
        long word = batch.words[i];
        if (batch.from != PlaceWord.PATTERN) {
            tiers[batch.from].restore(page, PlaceWord.slot(word));
        }
        boolean mine = table.change(page, word, PlaceWord.claimed(word, PlaceWord.FREE));
        if (!mine && batch.from == PlaceWord.MEMORY) {
            table.change(page, PlaceWord.claimed(word, PlaceWord.WANTED), PlaceWord.claimed(word, PlaceWord.FREE));
        }
    }
}
