package upa.pager.live;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import upa.pager.host.Policies;
import upa.pager.host.PolicySpec;
import upa.pager.host.PolicyThread;
import upa.pager.host.PolicyWatch;
import upa.pager.posix.Linux;
import upa.pager.store.StoreException;
import upa.pager.store.StoreSpec;
import upa.policy.Hint;
import upa.policy.Place;
import upa.policy.PolicyException;

/**
 * One process that is paged. Its thread alone changes where a page is, and it never waits for a policy.
 *
 * <p>While an order to move pages is under way, nothing is read from the userfaultfd. So whatever the kernel tells of
 * unmapped, moved and dropped pages is known before such a page could be moved, or the kernel refuses to move it.
 */
final class Session implements Runnable {
    private static final int PAGE_SHIFT = 12;
    private static final int IDLE_MILLIS = 100;
    /** Exit status after which a pager is started again. */
    private static final int FAILED = 3;

    private static final int PAGES_BETWEEN_EVENTS = 64;
    private static final int WRITER_SECONDS = 10;
    private static final int KIND_MASK = 0xff;
    private static final int PRIORITY_SHIFT = 8;
    private static final long DEATH_NANOS = 2_000_000_000;
    /** After so long a session has shown that it does not end its pager. */
    private static final long SETTLED_NANOS = 10_000_000_000L;
    /** Failures of a session in that time, after which it is not served again. */
    private static final int MOST_FAILURES = 8;
    /** Nothing is mapped there: the kernel maps nothing so low. */
    private static final long NOWHERE = 1 << 16;

    /** Told in the session's thread when it is over. */
    interface Ended {
        void ended(Session session);
    }

    /**
     * What a process may have.
     *
     * @param policy     which is the first
     * @param boundPages in memory
     * @param stores     where the others go
     * @param places     those of the stores
     */
    record Terms(PolicySpec policy, int boundPages, StoreSpec stores, java.util.List<Place> places) {}

    final PagedProcess process;
    private final Terms terms;
    private final Client client;
    private final PolicyWatch watch;
    private final ThreadGroup threads;
    private final long begun = System.nanoTime();
    private boolean settled;
    private final Ended ended;
    private final PageStates states;
    private final LiveMechanism mechanism;
    private final Evictor evictor;
    private final FaultServer faults;
    private final Children children;
    private final EventReader events;
    private final CoreWatch core;

    /** What the thread waits for; made anew when there are other children. */
    private MemorySegment ready;

    private int readyChanges;
    private final MemorySegment woken;
    private int freezes;
    private boolean active;
    private boolean told;
    /** An order that takes its time is under way; the userfaultfd is read meanwhile. */
    private boolean busy;

    private boolean over;
    private volatile boolean otherPolicies;

    Session(
            Client.Hello hello,
            Client client,
            Terms terms,
            ThreadGroup threads,
            PolicyWatch watch,
            Consumer<String> log,
            Ended ended) {
        this.client = client;
        this.terms = terms;
        this.watch = watch;
        this.threads = threads;
        this.ended = ended;
        process = new PagedProcess(hello, client, terms.places(), terms.boundPages(), log);
        states = process.states;
        mechanism = process.mechanism;
        ready = Linux.pollSet(process.arena, process.uffd.fd(), process.wakeFd(), client.fd());
        woken = Linux.pollSet(process.arena, process.wakeFd());
        evictor = new Evictor(this, process);
        faults = new FaultServer(process, evictor);
        children = new Children(process, faults);
        process.children(children);
        events = new EventReader(process, faults, children, evictor);
        core = new CoreWatch(process.arena, hello.pid());
    }

    int pid() {
        return process.hello.pid();
    }

    String name() {
        return process.hello.name();
    }

    /** {@return where all threads are that are there for it alone} */
    ThreadGroup threads() {
        return threads;
    }

    @Override
    public void run() {
        try {
            if (process.kept.failures() >= MOST_FAILURES) {
                refuse();
                return;
            }
            if (process.kept.bound() > 0) {
                mechanism.limit(process.kept.bound());
            }
            client.send(Wire.WELCOME, 0, 0, (long) mechanism.boundPages() << PAGE_SHIFT);
            if (process.hello.again()) {
                resume();
            }
            while (!over) {
                Mover mover = process.mover();
                int most = process.swap() != null
                        ? process.swap().pauseMillis()
                        : process.far() != null ? FarLook.PAUSE_MILLIS : IDLE_MILLIS;
                turn(mover != null && mover.waitsForRate() ? 1 : most);
            }
        } catch (Client.GoneException e) {
            end();
        } catch (Throwable t) {
            watch.failed(t);
            // Its pages are the process's: another pager goes on with them.
            process.log("the pager has failed, and begins anew: " + t);
            process.kept.failures(process.kept.failures() + 1);
            fail();
        } finally {
            close();
        }
    }

    /** A pager that fails with it again and again is no use to others. It comes again and again, till it gives up. */
    private void refuse() {
        if (process.kept.failures() == MOST_FAILURES) {
            process.kept.failures(MOST_FAILURES + 1);
            process.log("the pager has failed too often with it: it has no pager any more");
        }
    }

    private void settle() {
        if (!settled && System.nanoTime() - begun > SETTLED_NANOS) {
            settled = true;
            process.kept.failures(0);
            process.kept.forgive();
        }
    }

    private void turn(int timeoutMillis) throws Client.GoneException {
        boolean idle = faults.isIdle()
                && !process.hasCompletions()
                && !client.hasWaiting()
                && !(active && faults.mayPrefetch());
        if (faults.takeRetries()) {
            Thread.yield();
        }
        boolean silent = Linux.poll(ready, idle ? timeoutMillis : 0) == 0;
        if (Linux.isReady(ready, 1)) {
            process.drainWake();
        }
        boolean said = Linux.isReady(ready, 2) || client.hasWaiting();
        process.complete();
        events.read();
        faults.serve();
        children.serve();
        watchChildren();
        if (silent && idle && freezes == 0 && states.outside() > 0 && core.isDumping()) {
            bringForCore();
        }
        for (Client.Message m = said ? client.next() : null; m != null && !over; m = client.next()) {
            take(m);
        }
        if (mechanism.takeLimited()) {
            process.kept.bound(mechanism.boundPages());
            client.send(Wire.WELCOME, 0, 0, (long) mechanism.boundPages() << PAGE_SHIFT);
        }
        settle();
        if (active && !over) {
            keepPolicies();
            if (freezes == 0) {
                faults.prefetch();
            }
            evictor.putBackRefused();
            evictor.balance();
            evictor.write();
            process.copies.relieve();
            if (process.swap() != null) {
                process.swap().look();
            }
            if (process.far() != null) {
                process.far().look();
                process.farLook().step();
            }
            process.mover().step();
        }
    }

    private void watchChildren() {
        if (readyChanges == children.changes()) {
            return;
        }
        readyChanges = children.changes();
        int[] of = children.descriptors();
        int[] fds =
                java.util.Arrays.copyOf(new int[] {process.uffd.fd(), process.wakeFd(), client.fd()}, 3 + of.length);
        System.arraycopy(of, 0, fds, 3, of.length);
        ready = Linux.pollSet(Arena.ofAuto(), fds);
    }

    // ---- what the client says -----------------------------------------------------------------------

    private void take(Client.Message m) throws Client.GoneException {
        switch (m.kind()) {
            // One of an order of a pager before means nothing.
            case Wire.DONE -> busy &= !client.isDone(m);
            case Wire.ACTIVATE -> activate();
            case Wire.FREEZE -> {
                freezes = m.count();
                if (freezes > 0) {
                    bringAll();
                    client.send(Wire.GRANTED, 0, m.ticket(), 0);
                }
            }
            case Wire.LEAVE -> {
                process.log("does what does not go with paging: its memory has no bound any more");
                leave();
                client.send(Wire.LEFT, 0, 0, 0);
            }
            case Wire.HINT -> hint(m);
            default -> process.log("a message that makes no sense: kind=" + m.kind());
        }
    }

    /** What makes no sense is no hint. */
    private void hint(Client.Message m) {
        Hint.Kind[] kinds = Hint.Kind.values();
        int kind = m.ticket() & KIND_MASK;
        if (active
                && kind < kinds.length
                && m.count() > 0
                && m.argument() >= 0
                && m.argument() <= (long) process.pages - m.count()) {
            process.policies()
                    .hint(new Hint(kinds[kind], (int) m.argument(), m.count(), m.ticket() >>> PRIORITY_SHIFT));
        }
    }

    private void leave() throws Client.GoneException {
        freezes++;
        bringAll();
        children.fill();
        process.uffd.unregister(process.hello.base(), process.hello.bytes());
        over = true;
    }

    /** Registers the region, and finds what is in memory. From then on every change is seen. */
    private void activate() throws Client.GoneException {
        if (active || over) {
            return;
        }
        if (!openStores()) {
            over = true;
            client.send(Wire.LEFT, 0, 0, 0);
            return;
        }
        new Takeover(process, events, children, evictor).begin();
        startPolicies(chosenPolicy());
    }

    /** Goes on with what a pager that was killed has left. */
    private void resume() throws Client.GoneException {
        if (client.nextWritten(0) < 0) {
            // No child of it needs anything.
            client.bornFree(0);
            process.uffd.wakeAll();
            return;
        }
        while (!openStores()) {
            // Its pages are there, and with no other pager.
            try {
                Thread.sleep(IDLE_MILLIS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        new Takeover(process, events, children, evictor).resume();
        process.mover().seed();
        if (process.far() != null) {
            process.far().survey();
        }
        told = states.outside() == 0;
        tellEvicted(states.outside() > 0);
        startPolicies(chosenPolicy());
    }

    /** What has been set since, or has taken over; else the first. */
    private PolicySpec chosenPolicy() {
        String set = process.kept.policy();
        try {
            return set.isEmpty() ? terms.policy() : PolicySpec.parse(set);
        } catch (PolicyException e) {
            process.log(e.getMessage());
            return terms.policy();
        }
    }

    private boolean openStores() throws Client.GoneException {
        KeptStores keeper = new KeptStores();
        try {
            process.stores(StoreChain.open(terms.stores(), keeper), writer());
            process.farLook(process.far() == null ? null : new FarLook(process, evictor));
        } catch (StoreException e) {
            process.complain(e.getMessage() + ": its memory has no bound");
            return false;
        }
        if (keeper.gone) {
            throw new Client.GoneException();
        }
        return true;
    }

    /** A thread of its own: a store that is slow holds up no other process. It ends when it has had nothing to do. */
    private static Executor writer() {
        ThreadPoolExecutor writer = new ThreadPoolExecutor(
                1,
                1,
                WRITER_SECONDS,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(),
                task -> Thread.ofPlatform().daemon().name("writer").unstarted(task));
        writer.allowCoreThreadTimeOut(true);
        return writer;
    }

    /** Descriptors are left with the process. */
    private final class KeptStores implements StoreChain.Keeper {
        private boolean gone;

        @Override
        public int descriptor(int store) {
            int fd = process.hello.kept()[store];
            process.hello.kept()[store] = -1;
            return fd;
        }

        @Override
        public void keep(int store, int fd) {
            try {
                client.keep(store, fd);
            } catch (Client.GoneException e) {
                gone = true;
            }
        }

        @Override
        public byte[] id(int store) {
            return process.kept.id(store);
        }
    }

    /** With those that cannot even learn of the pages there are, a pager would fail again and again. */
    private void startPolicies(PolicySpec chosen) {
        PolicySpec spec = tried(chosen);
        try {
            process.policies(new PolicyThread(mechanism, spec, watch, this::policyProblem, process.kept::present));
        } catch (PolicyException e) {
            policyProblem(e.getMessage() + ": replaced by " + Policies.DEFAULT);
            process.policies(new PolicyThread(mechanism, PolicySpec.DEFAULT, watch, this::policyProblem));
        }
        active = true;
    }

    /**
     * A policy from a jar may end the pager without a word. Whose it was is told by what ran as pagers died, again and
     * again: those are not tried once more, for the sake of all other programs.
     */
    private PolicySpec tried(PolicySpec chosen) {
        if (!process.hello.again()) {
            return chosen;
        }
        boolean mayGoOn = process.kept.survives();
        if (mayGoOn || chosen.elements().stream().noneMatch(PolicySpec.Element::isInJar)) {
            return chosen;
        }
        process.kept.policy(Policies.DEFAULT);
        policyProblem("policies=" + chosen.text() + ": under them pagers have died again and again: replaced by "
                + Policies.DEFAULT);
        return PolicySpec.DEFAULT;
    }

    /**
     * A policy ends this process by System.exit(): the next pager begins without it. From a shutdown hook.
     *
     * @return whether it can have been one of this process: ours do not
     */
    boolean blameForExit() {
        return blame("have ended the pager by System.exit()");
    }

    /** Policies have filled the heap of this process, maybe these: the next pager begins without them. Empty: any. */
    void blameForMemory(String those) {
        keepPolicies();
        if (those.isEmpty() || those.equals(policyText())) {
            blame("may have filled the memory of the pager, which begins anew");
        }
    }

    private String policyText() {
        PolicyThread policies = process.policies();
        return policies == null ? terms.policy().text() : policies.text();
    }

    private boolean blame(String what) {
        String text = policyText();
        if (!text.contains(".jar:")) {
            return false;
        }
        process.kept.policy(Policies.DEFAULT);
        process.log("policies=" + text + " " + what + ": replaced by " + Policies.DEFAULT);
        return true;
    }

    /** Another pager is to be started, which goes on. */
    static void fail() {
        Runtime.getRuntime().halt(FAILED);
    }

    private void policyProblem(String line) {
        otherPolicies = true;
        process.problem(line);
    }

    /** The next pager, if this one dies of what a policy does, begins with those that have taken over. */
    private void keepPolicies() {
        if (otherPolicies && process.policies() != null) {
            otherPolicies = false;
            process.kept.policy(process.policies().text());
        }
    }

    /** Brings all in. Faults and events are served meanwhile; nothing leaves, since it is frozen. */
    private void bringAll() throws Client.GoneException {
        while (states.outside() > 0) {
            int page = 0;
            int sinceEvents = 0;
            while ((page = states.nextOutside(page)) >= 0) {
                faults.bring(page++);
                while (faults.isBusy()) {
                    awaitStores(1);
                }
                if (++sinceEvents == PAGES_BETWEEN_EVENTS) {
                    sinceEvents = 0;
                    events.read();
                    process.complete();
                }
            }
            events.read();
            process.complete();
            faults.serve();
            children.serve();
            if (states.outside() > 0) {
                if (isDead()) {
                    throw new Client.GoneException();
                }
                awaitStores(1);
            }
        }
        tellEvicted(false);
    }

    /** The file is written from the lowest address on: what comes in time is there. */
    private void bringForCore() throws Client.GoneException {
        process.complain("its core file is being written: pages=" + states.outside()
                + " were outside of memory, and may be zeros in it");
        freezes++;
        bringAll();
    }

    void tellEvicted(boolean now) throws Client.GoneException {
        if (told != now) {
            told = now;
            client.send(Wire.EVICTED, 0, 0, now ? 1 : 0);
        }
    }

    // ---- for the evictor ----------------------------------------------------------------------------

    boolean mayOrder() {
        return active && freezes == 0 && !busy;
    }

    /** An order during which faults are served, since it may wait for one itself. */
    void orderSlowly(int kind, int count) throws Client.GoneException {
        busy = true;
        client.order(kind, count, 0);
    }

    void awaitStores(int millis) {
        Linux.poll(woken, millis);
        if (Linux.isReady(woken, 0)) {
            process.drainWake();
        }
        process.complete();
    }

    // ---- the rest -----------------------------------------------------------------------------------

    /** The socket is closed: the process has ended or is another program now; if not, it must get all that it has. */
    private void end() {
        long deadline = System.nanoTime() + DEATH_NANOS;
        try {
            while (!isDead()) {
                if (System.nanoTime() - deadline > 0) {
                    process.log("its client is gone: its memory has no bound any more");
                    told = false;
                    freezes++;
                    while (states.outside() > 0 && !isDead()) {
                        bringAll();
                    }
                    process.uffd.unregister(process.hello.base(), process.hello.bytes());
                    return;
                }
                events.read();
                process.complete();
                faults.serve();
                children.serve();
                Thread.sleep(1);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (Client.GoneException e) {
            // Nobody is left to be told.
            return;
        }
    }

    /** A page to an address where it cannot go: the kernel first looks whether there is a process. */
    private boolean isDead() {
        return process.uffd.copy(NOWHERE, process.zeroPage) == -Linux.ESRCH;
    }

    private void close() {
        core.close();
        if (process.policies() != null) {
            process.policies().close();
        }
        ended.ended(this);
        evictor.end();
        // They read the staging area.
        while (evictor.isWriting() || process.mover() != null && process.mover().isMoving()) {
            Linux.poll(woken, IDLE_MILLIS);
            process.drainWake();
            process.complete();
        }
        if (process.stores() != null) {
            children.fill();
            process.stores().close();
        }
        for (int fd : process.hello.kept()) {
            if (fd >= 0) {
                upa.pager.posix.Posix.close(fd);
            }
        }
        process.close();
    }

    /**
     * Moves all pages in one store to another, from any thread.
     *
     * @return what came of it, in a line; or fails with a {@link PagerException}
     * @throws PagerException if there is no such store
     */
    CompletableFuture<String> move(String from, String to) throws PagerException {
        StoreChain stores = process.stores();
        Mover mover = process.mover();
        if (stores == null || mover == null) {
            throw new PagerException("pid=" + pid() + " is far below its bound, and has nothing in stores yet");
        }
        int source = stores.index(from);
        int target = stores.index(to);
        if (source == target) {
            throw new PagerException("store=" + from + " is where they are");
        }
        CompletableFuture<String> done = source == 0 && process.farLook() != null
                ? process.farLook().request(target)
                : mover.request(source, target);
        process.wakeOrEnd();
        return done;
    }

    /**
     * Chooses other policies, from any thread.
     *
     * @throws PolicyException if they cannot be had; the old ones stay
     */
    void replace(PolicySpec spec) {
        PolicyThread now = process.policies();
        if (now == null) {
            throw new PolicyException("pid=" + pid() + " is far below its bound, and has no policy yet");
        }
        if (!process.kept.hasRoom(spec.text())) {
            throw new PolicyException("the text of the policy is too long: characters="
                    + spec.text().length() + ", the most is " + Kept.MOST_POLICY_BYTES);
        }
        try {
            now.replace(spec).join();
            process.kept.policy(spec.text());
        } catch (java.util.concurrent.CompletionException e) {
            if (e.getCause() instanceof PolicyException p) {
                throw p;
            }
            throw e;
        }
    }
}
