package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import upa.pager.host.PolicyThread;
import upa.pager.place.Migration;
import upa.pager.place.PlaceWord;
import upa.pager.posix.Linux;
import upa.pager.posix.Posix;
import upa.pager.store.PageIo;
import upa.policy.PageBatch.Cause;

/** What the parts of a session share: the process, its pages, and where these can be. Belongs to its thread. */
final class PagedProcess {
    private static final int PAGE_SHIFT = 12;

    final Client.Hello hello;
    final Client client;
    final Kept kept;
    final Uffd uffd;
    final int pages;
    final PageStates states;
    final LiveMechanism mechanism;
    final Counters counters = new Counters();
    final Arena arena = Arena.ofAuto();
    /** One page of content, the session's thread's. */
    final MemorySegment scratch = arena.allocate(PageIo.PAGE_BYTES, PageIo.PAGE_BYTES);

    final MemorySegment onesPage =
            arena.allocate(PageIo.PAGE_BYTES, PageIo.PAGE_BYTES).fill((byte) 1);
    final MemorySegment zeroPage = arena.allocate(PageIo.PAGE_BYTES, PageIo.PAGE_BYTES);

    private final Consumer<String> log;
    private final Queue<Runnable> completions = new ConcurrentLinkedQueue<>();
    private final int wake = Linux.eventfd();
    private final MemorySegment one = arena.allocateFrom(ValueLayout.JAVA_LONG, 1);
    private boolean closed;
    /** Null until pages may leave. */
    private volatile StoreChain stores;

    private KernelSwap swap;
    private FarNode far;
    private volatile FarLook farLook;
    private volatile Mover mover;
    /** Null as long as there are no stores. */
    private volatile Migration migration;

    final ProgramMemory memory = new ProgramMemory(this);
    final Copies copies;
    private Children children;

    private volatile PolicyThread policies;
    private volatile String problem = "";

    PagedProcess(
            Client.Hello hello,
            Client client,
            java.util.List<upa.policy.Place> places,
            int boundPages,
            Consumer<String> log) {
        this.hello = hello;
        this.client = client;
        this.log = line -> log.accept("pid=" + hello.pid() + " (" + hello.name() + "): " + line);
        kept = new Kept(client.kept());
        uffd = new Uffd(hello.uffd(), kept.messages());
        copies = new Copies(this);
        pages = hello.pages();
        states = new PageStates(client.words());
        mechanism = new LiveMechanism(states, places, counters, boundPages, this::wake);
    }

    long address(int page) {
        return hello.base() + ((long) page << PAGE_SHIFT);
    }

    /** The page at an address, or -1 if it is out of the region. */
    int page(long address) {
        long page = address - hello.base() >> PAGE_SHIFT;
        return page >= 0 && page < pages ? (int) page : -1;
    }

    /** Null until pages may leave. */
    StoreChain stores() {
        return stores;
    }

    /** From now on pages may leave; the workers do what nobody waits for. */
    void stores(StoreChain opened, Executor workers) {
        Migration made = opened.migration(states, this::later, workers, this::release);
        made.tier(PlaceWord.MEMORY, memory);
        made.tier(PlaceWord.STAGING, new StagingArea(client::staged));
        migration = made;
        mover = new Mover(opened, made, states, mechanism, new Mover.Others() {
            @Override
            public boolean share(int page, long word) {
                return children.hold(page, word);
            }

            @Override
            public void forgetCopies(int store) {
                while (copies.forget(store)) {
                    // Some at a time.
                    continue;
                }
            }

            @Override
            public void forgetCopy(int page) {
                copies.give(page);
            }

            @Override
            public int nodeRoom() {
                return far == null ? 0 : far.room();
            }

            @Override
            public int toNode(int[] list, int count) {
                int[] stay = new int[count];
                int staying = far.moveOut(list, count, stay);
                tell(Cause.FETCHED, stay, staying);
                return count - staying;
            }
        });
        swap = opened.swap() == null ? null : new KernelSwap(this, opened.swap());
        far = opened.node() == null ? null : new FarNode(this, opened.node());
        stores = opened;
    }

    /** Has pages swapped out; null if they go to stores. */
    KernelSwap swap() {
        return swap;
    }

    /** Has pages moved to a far node; null if there is none. */
    FarNode far() {
        return far;
    }

    /** Sees which pages there are used; null if there is none. */
    FarLook farLook() {
        return farLook;
    }

    void farLook(FarLook made) {
        farLook = made;
    }

    /** All moves of this process; null until pages may leave. */
    Migration migration() {
        return migration;
    }

    /** Null until pages may leave. */
    Mover mover() {
        return mover;
    }

    void children(Children ofThis) {
        children = ofThis;
    }

    /** The page does not need its slot any more: it is free, but if a child has inherited it. */
    void release(int page, long word) {
        if (StoreChain.isStored(word)) {
            long free = PlaceWord.claimed(word, PlaceWord.FREE);
            if (!children.hold(page, free)) {
                stores.free(free);
            }
        }
    }

    PolicyThread policies() {
        return policies;
    }

    void policies(PolicyThread started) {
        policies = started;
    }

    String problem() {
        return problem;
    }

    void problem(String line) {
        problem = line;
        log.accept(line);
    }

    void log(String line) {
        log.accept(line);
    }

    /** Says something once. */
    void complain(String line) {
        if (!line.equals(problem)) {
            problem(line);
        }
    }

    void tell(Cause cause, int[] list, int count) {
        PolicyThread now = policies;
        if (now != null && count > 0) {
            now.tell(cause, list, count);
        }
    }

    /** Has the session's thread look at what has been asked for, from any thread. */
    synchronized void wake() {
        if (!closed) {
            Linux.write(wake, one);
        }
    }

    /** The same; if the session is over, whoever waits for pages to be moved does so no longer. */
    synchronized void wakeOrEnd() {
        wake();
        if (closed) {
            end();
        }
    }

    /** A descriptor that can be read after {@link #wake}. */
    int wakeFd() {
        return wake;
    }

    void drainWake() {
        Linux.read(wake, scratch.asSlice(0, Long.BYTES));
    }

    /** Has the session's thread do something, from any thread. */
    void later(Runnable completion) {
        completions.add(completion);
        wake();
    }

    boolean hasCompletions() {
        return !completions.isEmpty();
    }

    /** Does what others have left to do. */
    void complete() {
        for (Runnable r = completions.poll(); r != null; r = completions.poll()) {
            r.run();
        }
    }

    void close() {
        copies.close();
        if (swap != null) {
            swap.close();
        }
        if (far != null) {
            far.close();
        }
        uffd.close();
        kept.end();
        client.close();
        synchronized (this) {
            closed = true;
            Posix.close(wake);
            end();
        }
    }

    private void end() {
        if (mover != null) {
            mover.end();
        }
        if (farLook != null) {
            farLook.end();
        }
    }
}
