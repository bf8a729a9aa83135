package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.BitSet;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Consumer;
import upa.pager.device.AwayWord;
import upa.pager.device.PagedRegion;
import upa.pager.host.PolicyThread;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.posix.Linux;
import upa.policy.PageBatch.Cause;

/**
 * What the parts of a device's pager share: the region, the place words of its pages, and where these can be. Belongs
 * to the pager's thread, but for what the policies' thread sees through the mechanism.
 *
 * <p>Two words say where a page is. The shadow entry ({@link AwayWord}) is the truth, since the module and the owner
 * see no other. The place word beside it says in which slot, if the entry says that a store has the page: both have a
 * part of the content's checksum, by which the next pager knows that they belong together. They change in this order:
 * a page goes {@code present > leaving}, its place word changes, {@code leaving > stored}; it comes
 * {@code stored > present}, then its place word changes. So at any instant content is where the entry says.
 *
 * <p>The owner may take a page away at any time: its entry becomes 0. Every change of an entry is by compare-and-swap,
 * and finds that out; {@link #sweep} finds the others.
 */
final class DevicePages {
    /**
     * In memory, and no victim: a batch of which the page was a part is still under way. Its word must not look again
     * as it did when that batch began.
     */
    private static final long BUSY = PlaceWord.of(PlaceWord.MEMORY, 0, 1);

    final PagedRegion region;
    final StoreChain stores;
    final PageStates states;
    final LiveMechanism mechanism;
    final Counters counters = new Counters();
    final Arena arena = Arena.ofAuto();
    final DeviceMemory memory;
    final Migration migration;
    final Mover mover;
    /** Pages of batches from memory to stores that are under way. */
    final BitSet inFlight = new BitSet();
    /** Pages that have come since accessed bits were read: their own touch is no evidence. */
    final BitSet arrived = new BitSet();

    private final Queue<Runnable> completions = new ConcurrentLinkedQueue<>();
    private final int wakeFd;
    private final Runnable wake;
    private final Consumer<String> log;
    private final MemorySegment woken;
    private final int[] single = new int[1];
    private PolicyThread policies;
    private String problem = "";
    private long unmaps = -1;
    private boolean overBound;

    DevicePages(
            PagedRegion region, StoreChain stores, int boundPages, int wakeFd, Runnable wake, Consumer<String> log) {
        this.region = region;
        this.stores = stores;
        this.wakeFd = wakeFd;
        this.wake = wake;
        woken = arena.allocate(Long.BYTES, Long.BYTES);
        this.log = log;
        states = new PageStates(region.shared().places());
        mechanism = new LiveMechanism(states, stores.places(), counters, boundPages, wake);
        memory = new DeviceMemory(region, states, arena);
        migration = stores.migration(states, this::later, Runnable::run, (page, word) -> stores.free(word));
        migration.tier(PlaceWord.MEMORY, memory);
        mover = new Mover(stores, migration, states, mechanism, new Mover.Others() {
            @Override
            public boolean share(int page, long word) {
                return false;
            }

            @Override
            public void forgetCopies(int store) {
                for (int page = states.nextClean(0); page >= 0; page = states.nextClean(page + 1)) {
                    if (PlaceWord.place(states.get(page)) == PlaceWord.FIRST_TIER + store) {
                        DevicePages.this.forgetCopy(page);
                    }
                }
            }

            @Override
            public void forgetCopy(int page) {
                DevicePages.this.forgetCopy(page);
            }
        });
    }

    void policies(PolicyThread started) {
        policies = started;
    }

    PolicyThread policies() {
        return policies;
    }

    void tell(Cause cause, int page) {
        single[0] = page;
        tell(cause, single, 1);
    }

    void tell(Cause cause, int[] pages, int count) {
        if (count > 0 && policies != null) {
            policies.tell(cause, pages, count);
        }
    }

    /** Says something, but not twice in a row. */
    void complain(String line) {
        if (!line.equals(problem)) {
            problem = line;
            log.accept(line);
        }
    }

    String problem() {
        return problem;
    }

    /** Has the pager's thread do something, from any thread. */
    private void later(Runnable completion) {
        completions.add(completion);
        wake.run();
    }

    /** Does what others have left to do. */
    void complete() {
        for (Runnable r = completions.poll(); r != null; r = completions.poll()) {
            r.run();
        }
    }

    /** A descriptor that can be read when there is something to be done. */
    int wakeFd() {
        return wakeFd;
    }

    void drainWake() {
        Linux.read(wakeFd, woken);
    }

    /** How many frames may be taken: more than the bound while no store takes pages. */
    int most() {
        return overBound ? region.frames() : mechanism.boundPages();
    }

    void overBound(boolean isOver) {
        overBound = isOver;
    }

    /** How many frames may be taken still. */
    int room() {
        return most() - region.pool().taken();
    }

    /** A page is in memory, without a copy. */
    void present(int page) {
        states.set(page, inFlight.get(page) ? BUSY : PageStates.memory());
        arrived.set(page);
    }

    /** A batch of which a page was a part is done with it. */
    void landed(int page) {
        inFlight.clear(page);
        if (states.get(page) == BUSY) {
            states.set(page, PageStates.memory());
        }
    }

    /** A page in memory has no copy from now on. */
    void forgetCopy(int page) {
        boolean chosen = states.isChosen(page);
        migration.written(page);
        if (chosen) {
            states.choose(page);
        }
    }

    /** What a page had is not needed any more, wherever it is. The frame, if it had one, is the owner's affair. */
    void forget(int page) {
        boolean wasInMemory = PlaceWord.isInMemory(states.get(page));
        long word = states.set(page, 0);
        stores.free(word);
        arrived.clear(page);
        if (wasInMemory) {
            tell(Cause.FREED, page);
        }
    }

    /** The content of a page is lost: who touches it gets SIGBUS. */
    void lose(int page, int entry) {
        counters.lost++;
        complain("content is lost: page=" + page + " " + describe(states.get(page)) + ": who touches it gets SIGBUS");
        forget(page);
        if (region.change(page, entry, 0)) {
            region.dismiss(page);
        }
    }

    private String describe(long word) {
        return StoreChain.isStored(word) ? "store=" + stores.name(word) : "store=unknown";
    }

    /** Whether a page has no content, as its entry says. */
    static boolean isEmpty(int entry) {
        return entry == 0 || entry == AwayWord.FRESH;
    }

    /** Forgets the pages that the owner has taken away since the last time. */
    void sweep() {
        long now = region.unmaps();
        if (now == unmaps) {
            return;
        }
        unmaps = now;
        for (int page = states.nextKnown(0); page >= 0; page = states.nextKnown(page + 1)) {
            if (isEmpty(region.word(page))) {
                forget(page);
            }
        }
    }
}
