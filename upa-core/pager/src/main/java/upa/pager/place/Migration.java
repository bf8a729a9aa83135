package upa.pager.place;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.function.Function;
import java.util.function.Supplier;
import upa.pager.host.Thrown;
import upa.pager.store.PageIo;

/**
 * Moves pages between places, always in five steps: claim the word by compare-and-swap; detach, so that the content
 * stands still; copy; publish the new word by compare-and-swap; release what is not needed any more. Evictions, faults,
 * and moves from store to store are all of these five steps.
 *
 * <p>Invariants: at every instant the word of a page names one place that holds its content. A word is changed by who
 * has claimed it; a thread that waits for a page takes the claim of a mover, never the other way round. Who publishes
 * releases the old slot, who does not publish releases the new one: each slot is released once. While a batch from
 * store to store is under way its pages are in {@link #underWay}, so that no second batch can claim a word that looks
 * the same again. Memory accepts a page only under a claim that nobody can take: the program sees it at once, and what
 * it writes must stay.
 *
 * <p>A page that is detached from memory and wanted goes back there: its mover finds its claim taken, and restores it.
 *
 * <p>A page may come into memory and keep its slot: {@link PlaceWord#CLEAN}. Then memory lets nobody write to it until
 * {@link #written} has made its word forget the copy; then the slot is freed, and only after that may the write go on.
 * So whoever finds the word clean while the page is detached may drop it: {@link #drop}, an eviction without a copy.
 *
 * <p>Safe for use by several threads.
 */
public final class Migration {
    /** Why a page is where it was. */
    public enum Stay {
        /** It was not where it was thought to be, or somebody else's: nothing was done. */
        STALE,
        /** Somebody has taken it meanwhile: the work was for nothing. */
        TAKEN,
        /** No new place took it. */
        REFUSED,
        /** The old place did not return it. */
        FAILED
    }

    /** Is told what becomes of each page of a move, by who changes words. */
    public interface Told {
        /** Nobody has to know. */
        Told NOBODY = new Told() {
            @Override
            public void moved(int page, long word) {
                // The counters have it.
            }

            @Override
            public void stays(int page, Stay why, PageIo.Result result) {
                // The counters have it.
            }
        };

        /**
         * A page is in another place.
         *
         * @param page its number
         * @param word its new one
         */
        void moved(int page, long word);

        /**
         * A page is where it was, or where somebody else has brought it.
         *
         * @param page   its number
         * @param why    it was not moved
         * @param result of the place that has not returned or taken it; PENDING if none was asked
         */
        void stays(int page, Stay why, PageIo.Result result);
    }

    private static final int MOVED = Stay.values().length;
    private static final int KINDS = MOVED + 1;

    private final Words table;
    private final Executor owner;
    private final Executor atWorkers;
    private final Tier[] tiers = new Tier[PlaceWord.MOST_PLACES];
    private final BitSet underWay = new BitSet();
    private final AtomicLongArray counters = new AtomicLongArray(PlaceWord.MOST_PLACES * PlaceWord.MOST_PLACES * KINDS);

    /**
     * Makes a migration whose words anybody may change, each by compare-and-swap, and which works in its callers.
     *
     * @param table  words of the pages
     * @param memory where a program sees them
     */
    public Migration(Words table, Tier memory) {
        this(table, Runnable::run, Runnable::run);
        tiers[PlaceWord.MEMORY] = memory;
    }

    /**
     * Makes a migration of words that one thread changes.
     *
     * @param table   words of the pages
     * @param owner   runs what changes words: the only thread that does, and the one that calls {@link #move} and
     *                {@link #fetch}
     * @param workers run what places do, as compression, if nobody waits for it
     */
    public Migration(Words table, Executor owner, Executor workers) {
        this.table = table;
        this.owner = owner;
        atWorkers = work -> {
            try {
                workers.execute(work);
            } catch (RejectedExecutionException e) {
                // They end: what is under way must still come to its end.
                work.run();
            }
        };
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
                counters.get(at + Stay.STALE.ordinal()),
                counters.get(at + Stay.TAKEN.ordinal()),
                counters.get(at + Stay.REFUSED.ordinal()),
                counters.get(at + Stay.FAILED.ordinal()));
    }

    private void count(int from, int to, int kind) {
        counters.incrementAndGet((from * PlaceWord.MOST_PLACES + to) * KINDS + kind);
    }

    /** One batch on its way. */
    private static final class Batch {
        private final int from;
        private final int[] route;
        private final int claim;
        private final Told told;
        /** Pages that come into memory keep their slots. */
        private final boolean keeps;
        /** Those that are under way, as in the content that goes with them. */
        private final int[] pages;

        private final long[] words;
        private final PageIo.Result[] refusals;
        private int left;
        /** Those of which it is known where they will be: what is to be published, or 0. */
        private final int[] donePages;

        private final long[] doneWords;
        private final long[] targets;
        private final PageIo.Result[] failures;
        private int done;
        private int moved;

        Batch(int from, int[] route, int claim, boolean keeps, Told told, int most) {
            this.from = from;
            this.keeps = keeps && PlaceWord.isStore(from);
            this.route = route;
            this.claim = claim;
            this.told = told;
            pages = new int[most];
            words = new long[most];
            refusals = new PageIo.Result[most];
            donePages = new int[most];
            doneWords = new long[most];
            targets = new long[most];
            failures = new PageIo.Result[most];
        }

        int to() {
            return route[0];
        }

        /** What is staged is written by one batch at a time: its slot is not used again before. */
        boolean isEntered() {
            return claim == PlaceWord.MOVING && from != PlaceWord.STAGING;
        }

        void decide(int i, long target, PageIo.Result failure) {
            donePages[done] = pages[i];
            doneWords[done] = words[i];
            targets[done] = target;
            failures[done++] = failure;
        }

        /** Those that are decided leave a gap: the others close ranks. */
        void keep(int i, int to, PageIo io) {
            if (i != to) {
                pages[to] = pages[i];
                words[to] = words[i];
                refusals[to] = refusals[i];
                io.moveUp(i, to);
            }
        }
    }

    /**
     * Moves pages that are in one place to another, because a policy wants it. From a store to itself, they are
     * written anew.
     *
     * @param pages numbers
     * @param count how many of the array
     * @param from  where they should be; those that are not are left alone
     * @param to    where they go
     * @param io    for content; the migration's until it is done
     * @return how many were moved, when all is done
     */
    public CompletableFuture<Integer> move(int[] pages, int count, int from, int to, PageIo io) {
        return move(pages, count, from, new int[] {to}, io, Told.NOBODY);
    }

    /**
     * Moves pages that are in one place to the first of several that takes them.
     *
     * @param pages numbers
     * @param count how many of the array
     * @param from  where they should be; those that are not are left alone
     * @param route where they go; what the first does not take goes to the next; memory is alone
     * @param io    for content; the migration's until it is done
     * @param told  what becomes of each
     * @return how many were moved, when all is done
     */
    public CompletableFuture<Integer> move(int[] pages, int count, int from, int[] route, PageIo io, Told told) {
        return run(claim(pages, count, new Batch(from, route, PlaceWord.MOVING, false, told, count)), io);
    }

    /**
     * Brings a page into memory because a thread waits for it, whoever else may be moving it.
     *
     * @param page its number
     * @param io   for content; the migration's until it is done
     * @return whether it is in memory or on its way back there, when all is done; if not, try again
     */
    CompletableFuture<Boolean> fetch(int page, PageIo io) {
        return fetch(page, false, io, Told.NOBODY);
    }

    /**
     * Brings a page into memory because a thread waits for it, whoever else may be moving it. Where the old place
     * answers at once, all is done when this returns.
     *
     * @param page  its number
     * @param keeps whether it keeps its slot, if it is in a store, until it is written to
     * @param io    for content; the migration's until it is done
     * @param told  what becomes of it
     * @return whether it is in memory or on its way back there, when all is done
     */
    public CompletableFuture<Boolean> fetch(int page, boolean keeps, PageIo io, Told told) {
        long word = table.get(page);
        int from = PlaceWord.isClean(word) ? PlaceWord.MEMORY : PlaceWord.place(word);
        if (from == PlaceWord.MEMORY && PlaceWord.claim(word) == PlaceWord.MOVING) {
            table.change(page, word, PlaceWord.claimed(word, PlaceWord.WANTED));
        }
        if (from == PlaceWord.MEMORY || from == PlaceWord.NONE) {
            return CompletableFuture.completedFuture(from == PlaceWord.MEMORY);
        }
        return fetch(new int[] {page}, 1, from, keeps, io, told).thenApply(moved -> moved == 1);
    }

    /**
     * Brings pages of one place into memory under claims that nobody can take: its store is asked for all at once.
     *
     * @param pages numbers
     * @param count how many of the array
     * @param from  where they should be; those that are not are left alone
     * @param keeps whether they keep their slots, if it is a store, until they are written to
     * @param io    for content; the migration's until it is done
     * @param told  what becomes of each
     * @return how many have come, when all is done
     */
    public CompletableFuture<Integer> fetch(int[] pages, int count, int from, boolean keeps, PageIo io, Told told) {
        Batch batch = new Batch(from, new int[] {PlaceWord.MEMORY}, PlaceWord.WANTED, keeps, told, count);
        return run(claim(pages, count, batch), io);
    }

    /**
     * A page is about to be written to: a copy of it is valid no longer. The write must wait until this says so.
     *
     * @param page its number
     * @return whether the write may go on; false while the page is on its way, or elsewhere
     */
    public boolean written(int page) {
        long word = table.get(page);
        while (PlaceWord.isClean(word) && !table.change(page, word, PlaceWord.of(PlaceWord.MEMORY, 0, 0))) {
            word = table.get(page);
        }
        if (PlaceWord.isClean(word)) {
            tiers[PlaceWord.place(word)].release(page, word);
        }
        return PlaceWord.isInMemory(word) || PlaceWord.place(word) == PlaceWord.NONE;
    }

    /**
     * Evicts a page that has a valid copy. The caller has detached it from memory: nobody sees it there any more, and
     * nobody has written to it.
     *
     * @param page its number
     * @return its word; 0 if it has no copy, and must be evicted with its content
     */
    public long drop(int page) {
        long word = table.get(page);
        long target = PlaceWord.claimed(word, PlaceWord.FREE);
        if (!PlaceWord.isClean(word) || !table.change(page, word, target)) {
            return 0;
        }
        count(PlaceWord.MEMORY, PlaceWord.place(word), MOVED);
        return target;
    }

    /** First step. */
    private Batch claim(int[] pages, int count, Batch batch) {
        for (int i = 0; i < count; i++) {
            int page = pages[i];
            if (batch.isEntered() && !enter(page)) {
                stays(batch, page, Stay.STALE, PageIo.Result.PENDING);
                continue;
            }
            long word = table.get(page);
            boolean free = PlaceWord.claim(word) == PlaceWord.FREE
                    || batch.claim == PlaceWord.WANTED && PlaceWord.claim(word) == PlaceWord.MOVING;
            long mine = PlaceWord.claimed(word, batch.claim);
            if (PlaceWord.place(word) == batch.from
                    && (batch.from != batch.to() || PlaceWord.isStore(batch.from))
                    && free
                    && table.change(page, word, mine)) {
                batch.pages[batch.left] = page;
                batch.words[batch.left++] = mine;
            } else {
                leave(batch, page);
                stays(batch, page, Stay.STALE, PageIo.Result.PENDING);
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

    private void leave(Batch batch, int page) {
        if (batch.isEntered()) {
            synchronized (underWay) {
                underWay.clear(page);
            }
        }
    }

    private CompletableFuture<Integer> run(Batch batch, PageIo io) {
        return batch.left == 0 ? CompletableFuture.completedFuture(0) : seen(begin(batch, io));
    }

    private CompletableFuture<Integer> begin(Batch batch, PageIo io) {
        io.begin(batch.left);
        for (int i = 0; i < batch.left; i++) {
            io.slot(i, PlaceWord.slot(batch.words[i]));
            io.check(i, PlaceWord.check(batch.words[i]));
        }
        if (batch.to() == PlaceWord.MEMORY) {
            boolean waited = batch.claim == PlaceWord.WANTED;
            CompletableFuture<PageIo> detached = waited ? detach(batch, io) : atWorkers(io, () -> detach(batch, io));
            return inOwner(detached, waited, done -> enterMemory(batch, done));
        }
        CompletableFuture<PageIo> copied = batch.from == PlaceWord.MEMORY
                ? detach(batch, io).thenComposeAsync(done -> copy(batch, done), atWorkers)
                : atWorkers(io, () -> then(detach(batch, io), done -> copy(batch, done)));
        return copied.thenApplyAsync(done -> publish(batch, done), owner);
    }

    /** What nobody has foreseen must not be lost in a future: words may be claimed for ever. Its owner fails of it. */
    private CompletableFuture<Integer> seen(CompletableFuture<Integer> run) {
        if (run.isDone() && !run.isCompletedExceptionally()) {
            return run;
        }
        return run.whenComplete((moved, failure) -> {
            if (failure != null) {
                fail(failure);
            }
        });
    }

    private void fail(Throwable why) {
        Throwable first = Thrown.first(why);
        owner.execute(() -> {
            if (first instanceof Error e) {
                throw e;
            }
            throw first instanceof RuntimeException e ? e : new CompletionException(first);
        });
    }

    /** What has been done already goes on at once, without a turn of the owner. */
    private <T> CompletableFuture<T> inOwner(
            CompletableFuture<PageIo> before, boolean isOwner, Function<PageIo, CompletableFuture<T>> next) {
        return isOwner && before.isDone() ? next.apply(before.join()) : before.thenComposeAsync(next, owner);
    }

    /** Threads of places wait for devices, and do nothing else: what follows on them is the workers'. */
    private CompletableFuture<PageIo> then(
            CompletableFuture<PageIo> before, Function<PageIo, CompletableFuture<PageIo>> next) {
        return before.isDone() ? next.apply(before.join()) : before.thenComposeAsync(next, atWorkers);
    }

    private CompletableFuture<PageIo> atWorkers(PageIo io, Supplier<CompletableFuture<PageIo>> work) {
        return CompletableFuture.completedFuture(io).thenComposeAsync(same -> work.get(), atWorkers);
    }

    /** A place that fails as a whole has dealt with none of what has no result. No memory is no fault of a place. */
    private CompletableFuture<PageIo> whole(PageIo io, Supplier<CompletableFuture<PageIo>> work) {
        try {
            CompletableFuture<PageIo> done = work.get();
            return done.isDone() && !done.isCompletedExceptionally()
                    ? done
                    : done.exceptionally(failure -> unreachable(io, failure));
        } catch (RuntimeException | Error e) {
            return CompletableFuture.completedFuture(unreachable(io, e));
        }
    }

    private PageIo unreachable(PageIo io, Throwable why) {
        if (Thrown.isOutOfMemory(why)) {
            fail(why);
        }
        for (int i = 0; i < io.count(); i++) {
            if (io.result(i) == PageIo.Result.PENDING) {
                io.result(i, PageIo.Result.UNREACHABLE);
            }
        }
        return io;
    }

    /** Second step. */
    private CompletableFuture<PageIo> detach(Batch batch, PageIo io) {
        if (batch.from != PlaceWord.PATTERN) {
            return whole(io, () -> tiers[batch.from].detach(batch.pages, io));
        }
        for (int i = 0; i < batch.left; i++) {
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

    /** Third step, to stores: what has no content stays; one pattern is its word; the others go along the route. */
    private CompletableFuture<PageIo> copy(Batch batch, PageIo io) {
        int kept = 0;
        for (int i = 0; i < batch.left; i++) {
            if (io.result(i) != PageIo.Result.OK) {
                batch.decide(i, 0, io.result(i));
            } else if (isPattern(io.page(i))) {
                batch.decide(i, PlaceWord.ofPattern(io.page(i).get(ValueLayout.JAVA_INT, 0)), null);
            } else {
                if (!PlaceWord.isStore(batch.from)) {
                    // Of what comes from a store it is known, and has just been found to be right.
                    io.computeCheck(i);
                }
                batch.keep(i, kept++, io);
            }
        }
        batch.left = kept;
        return accept(batch, io, 0);
    }

    private CompletableFuture<PageIo> accept(Batch batch, PageIo io, int leg) {
        if (batch.left == 0 || leg == batch.route.length) {
            return CompletableFuture.completedFuture(io);
        }
        int to = batch.route[leg];
        io.begin(batch.left);
        return then(whole(io, () -> tiers[to].accept(batch.pages, io)), done -> {
            int kept = 0;
            for (int i = 0; i < batch.left; i++) {
                if (io.result(i) == PageIo.Result.OK) {
                    batch.decide(i, PlaceWord.of(to, io.check(i), io.slot(i)), null);
                } else {
                    batch.refusals[i] = io.result(i);
                    batch.keep(i, kept++, io);
                }
            }
            batch.left = kept;
            return accept(batch, io, leg + 1);
        });
    }

    private static boolean isPattern(MemorySegment page) {
        // Equal to itself a word further on.
        return MemorySegment.mismatch(
                        page, 0, PageIo.PAGE_BYTES - Integer.BYTES, page, Integer.BYTES, PageIo.PAGE_BYTES)
                < 0;
    }

    /** Third step, to memory: only under claims that are still there, and that nobody can take. */
    private CompletableFuture<Integer> enterMemory(Batch batch, PageIo io) {
        int kept = 0;
        for (int i = 0; i < batch.left; i++) {
            PageIo.Result result = io.result(i);
            if (result != PageIo.Result.OK) {
                stays(batch, batch.pages[i], batch.words[i], Stay.FAILED, result);
            } else if (!secure(batch, i)) {
                stays(batch, batch.pages[i], batch.words[i], Stay.TAKEN, result);
            } else {
                batch.keep(i, kept++, io);
            }
        }
        batch.left = kept;
        if (kept == 0) {
            return CompletableFuture.completedFuture(0);
        }
        io.begin(kept);
        Tier memory = tiers[PlaceWord.MEMORY];
        CompletableFuture<PageIo> accepted =
                whole(io, () -> batch.keeps ? memory.acceptClean(batch.pages, io) : memory.accept(batch.pages, io));
        return inOwner(accepted, batch.claim == PlaceWord.WANTED, done -> {
            for (int i = 0; i < batch.left; i++) {
                if (io.result(i) == PageIo.Result.OK) {
                    long word = batch.words[i];
                    long inMemory = batch.keeps
                            ? PlaceWord.claimed(word, PlaceWord.CLEAN)
                            : PlaceWord.of(PlaceWord.MEMORY, 0, io.slot(i));
                    publish(batch, batch.pages[i], word, inMemory);
                } else {
                    stays(batch, batch.pages[i], batch.words[i], Stay.REFUSED, io.result(i));
                }
            }
            return CompletableFuture.completedFuture(batch.moved);
        });
    }

    /** Makes a claim one that nobody can take. */
    private boolean secure(Batch batch, int i) {
        long word = batch.words[i];
        if (PlaceWord.claim(word) == PlaceWord.WANTED) {
            return table.get(batch.pages[i]) == word;
        }
        long mine = PlaceWord.claimed(word, PlaceWord.WANTED);
        boolean secured = table.change(batch.pages[i], word, mine);
        batch.words[i] = secured ? mine : word;
        return secured;
    }

    /** Fourth and fifth step. */
    private int publish(Batch batch, PageIo io) {
        for (int i = 0; i < batch.done; i++) {
            if (batch.targets[i] != 0) {
                publish(batch, batch.donePages[i], batch.doneWords[i], batch.targets[i]);
            } else {
                stays(batch, batch.donePages[i], batch.doneWords[i], Stay.FAILED, batch.failures[i]);
            }
        }
        for (int i = 0; i < batch.left; i++) {
            stays(batch, batch.pages[i], batch.words[i], Stay.REFUSED, batch.refusals[i]);
        }
        return batch.moved;
    }

    private void publish(Batch batch, int page, long old, long target) {
        boolean hasSlot = PlaceWord.place(target) != PlaceWord.PATTERN;
        boolean keeps = PlaceWord.isClean(target);
        if (!table.change(page, old, target)) {
            if (hasSlot && !keeps) {
                tiers[PlaceWord.place(target)].release(page, target);
            }
            stays(batch, page, old, Stay.TAKEN, PageIo.Result.OK);
            return;
        }
        if (batch.from != PlaceWord.PATTERN && !keeps) {
            tiers[batch.from].release(page, old);
        }
        batch.moved++;
        // A pattern counts for the place where it was to go.
        count(batch.from, hasSlot && !keeps ? PlaceWord.place(target) : batch.to(), MOVED);
        leave(batch, page);
        batch.told.moved(page, target);
    }

    /** The page stays where it is; in memory even if somebody has taken the claim, since he waits for just that. */
    private void stays(Batch batch, int page, long word, Stay why, PageIo.Result result) {
        if (batch.from != PlaceWord.PATTERN) {
            tiers[batch.from].restore(page, word);
        }
        boolean mine = table.change(page, word, PlaceWord.claimed(word, PlaceWord.FREE));
        if (!mine && batch.from == PlaceWord.MEMORY) {
            table.change(page, PlaceWord.claimed(word, PlaceWord.WANTED), PlaceWord.claimed(word, PlaceWord.FREE));
        }
        leave(batch, page);
        // Of a page that is somebody else's by now, what a place has said is not true of it any more.
        stays(batch, page, mine ? why : Stay.TAKEN, result);
    }

    private void stays(Batch batch, int page, Stay why, PageIo.Result result) {
        count(batch.from, batch.to(), why.ordinal());
        batch.told.stays(page, why, result);
    }
}
