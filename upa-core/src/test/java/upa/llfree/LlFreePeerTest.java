package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static upa.llfree.LlFreeContract.EFFORT;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.internal.bindings.NativeLibrary;

/** Threads in Java and in C, in one process and in several, on one state at once; and peers killed at any instant. */
class LlFreePeerTest {
    private static final int PAGES = 40_000;
    private static final int SLOTS = 6;
    private static final long OPERATIONS = 40_000L * EFFORT;
    private static final int SURVIVOR = 1_000_000;

    private static final Path LIBRARY = NativeLibrary.path("libllfree_peer.so");
    private static final Path PROGRAM =
            NativeLibrary.path("../tests/llfree_peer").normalize();

    /** Runs C threads in this process; returns how many faults they found. */
    private static long runNative(SharedState shared, int firstId, int threads, long seed) {
        try (Arena arena = Arena.ofConfined()) {
            MethodHandle run = Linker.nativeLinker()
                    .downcallHandle(
                            SymbolLookup.libraryLookup(LIBRARY, arena).findOrThrow("llfree_peer_run"),
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.ADDRESS,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.JAVA_LONG));
            MemorySegment memory = shared.memory;
            return (long) run.invokeExact(memory, memory.byteSize(), firstId, threads, OPERATIONS, seed);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static Process start(boolean java, SharedState shared, int firstId, int threads, long operations, long seed)
            throws IOException {
        List<String> command = new ArrayList<>();
        if (java) {
            Path target = Path.of(System.getProperty("upa.root"), "upa-core", "target");
            command.addAll(List.of(
                    Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                    "--enable-native-access=ALL-UNNAMED",
                    "-XX:TieredStopAtLevel=1",
                    "-Xshare:auto",
                    "-cp",
                    target.resolve("classes") + ":" + target.resolve("test-classes"),
                    LlFreePeer.class.getName()));
        } else {
            assumeTrue(Files.exists(PROGRAM), () -> "no " + PROGRAM + ": build it with ./upa build");
            command.add(PROGRAM.toString());
        }
        Stream.of(shared.file, firstId, threads, operations, seed)
                .map(String::valueOf)
                .forEach(command::add);
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    private static void awaitReady(Process peer) throws IOException {
        assertEquals("ready", peer.inputReader().readLine());
    }

    @Test
    void threadsInCAndJavaOfOneProcess() throws Exception {
        assumeTrue(Files.exists(LIBRARY), () -> "no " + LIBRARY + ": build it with ./upa build");
        for (int seed = 0; seed < 3; seed++) {
            try (SharedState shared = SharedState.create(PAGES, SLOTS)) {
                int base = seed * 100;
                CompletableFuture<Long> c = CompletableFuture.supplyAsync(() -> runNative(shared, 1, 2, base));
                OwnershipWorkload.run(shared, 10, 2, OPERATIONS, base);
                assertEquals(0, c.get());
                shared.assertAllFree();
            }
        }
    }

    @Test
    void processesInCAndJava() throws Exception {
        try (SharedState shared = SharedState.create(PAGES, SLOTS)) {
            Process java = start(true, shared, 1, 2, OPERATIONS, 1);
            awaitReady(java);
            Process c = start(false, shared, 10, 2, OPERATIONS, 2);
            awaitReady(c);
            OwnershipWorkload.run(shared, 20, 2, OPERATIONS, 3);
            assertEquals(0, c.waitFor());
            assertEquals(0, java.waitFor());
            shared.assertAllFree();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whatAKilledPeerHeldStaysAllocated(boolean java) throws Exception {
        Random random = new Random(java ? 7 : 8);
        int threads = 3;
        try (SharedState shared = SharedState.create(PAGES, SLOTS)) {
            BitSet survivors = takeSurvivors(shared, random);
            for (int round = 0; round < (java ? 6 : 60) * EFFORT; round++) {
                Process peer = start(java, shared, 1, threads, 0, round);
                try {
                    awaitReady(peer);
                    Thread.sleep(java ? 50 + random.nextInt(200) : random.nextInt(25));
                } finally {
                    peer.destroyForcibly();
                }
                peer.waitFor();
                LlFree allocator = LlFree.attach(shared.memory);
                allocator.recover();
                allocator.validate();
                checkOwned(shared, allocator, survivors, threads * OwnershipWorkload.MAX_BLOCK, "round=" + round);
                freeWhatIsLost(shared, allocator);
                allocator.validate();
                assertEquals(PAGES - survivors.cardinality(), allocator.stats().freePages(), "round=" + round);
            }
        }
    }

    private static BitSet takeSurvivors(SharedState shared, Random random) {
        BitSet survivors = new BitSet();
        for (int i = 0; i < 40; i++) {
            int first = random.nextInt(PAGES - 700);
            int pages = 1 + random.nextInt(i % 10 == 0 ? 700 : 20);
            if (shared.allocator.getAt(0, first, pages) >= 0) {
                for (int page = first; page < first + pages; page++) {
                    assertEquals(0, shared.changeOwner(page, 0, SURVIVOR));
                    survivors.set(page);
                }
            }
        }
        return survivors;
    }

    /** Every page with an owner is allocated, and of those without one no more than killed calls can have been at. */
    private static void checkOwned(
            SharedState shared, LlFree allocator, BitSet survivors, int mayBeLost, String round) {
        int lost = 0;
        for (int page = 0; page < PAGES; page++) {
            boolean allocated = allocator.next(page, 1, false) == page;
            int owner = shared.owner(page);
            if (owner != 0) {
                assertTrue(allocated, round + " page=" + page + " of owner=" + owner + " is free");
            } else if (allocated) {
                lost++;
            }
            assertEquals(survivors.get(page), owner == SURVIVOR, round + " page=" + page);
        }
        assertTrue(lost <= mayBeLost, round + " pages without an owner: " + lost + ", at most " + mayBeLost);
    }

    private static void freeWhatIsLost(SharedState shared, LlFree allocator) {
        for (int page = 0; page < PAGES; page++) {
            int owner = shared.owner(page);
            if (owner != SURVIVOR && allocator.next(page, 1, false) == page) {
                shared.setContent(page, 1);
                shared.changeOwner(page, owner, 0);
                allocator.putRun(0, page, 1, 0);
            }
        }
    }
}
