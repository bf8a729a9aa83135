package upa.bench.jmh;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;
import upa.llfree.LlFree;

/** What getting 2^order page numbers and putting them back costs: the Java twin, and the C twin called from Java. */
@State(Scope.Benchmark)
public class LlFreeBenchmark {

    private static final long PAGES = 4L << 20;
    private static final int SLOTS = 16;
    /** More than enough for struct upa_llfree, a process's view of a state: five pointers, three u64, two u32. */
    private static final long VIEW_BYTES = 256;

    /** The order of the blocks. */
    @Param({"0", "9"})
    public int order;

    private Arena arena;
    private LlFree java;
    private MemorySegment c;
    private MethodHandle get;
    private MethodHandle put;

    /** Each thread has a slot of its own. */
    @State(Scope.Thread)
    public static class Slot {

        private static final AtomicInteger NEXT = new AtomicInteger();

        private final int number = NEXT.getAndIncrement();

        /** A slot that no other thread has. */
        public Slot() {}
    }

    /** An allocator of 16 GiB for each twin. */
    @Setup
    public void open() throws Throwable {
        arena = Arena.ofShared();
        long bytes = LlFree.stateSize(PAGES, SLOTS);
        java = LlFree.create(arena.allocate(bytes, 4096), PAGES, SLOTS);
        Linker linker = Linker.nativeLinker();
        SymbolLookup upa = SymbolLookup.libraryLookup(
                Path.of(System.getProperty("upa.library.path"), "libupa.so").toAbsolutePath(), arena);
        MethodHandle init = linker.downcallHandle(
                upa.find("upa_llfree_init").orElseThrow(),
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT,
                        ValueLayout.ADDRESS,
                        ValueLayout.ADDRESS,
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_INT));
        // Neither blocks nor faults: critical calls.
        get = linker.downcallHandle(
                upa.find("upa_llfree_get").orElseThrow(),
                FunctionDescriptor.of(
                        ValueLayout.JAVA_LONG,
                        ValueLayout.ADDRESS,
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_INT),
                Linker.Option.critical(false));
        put = linker.downcallHandle(
                upa.find("upa_llfree_put").orElseThrow(),
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT,
                        ValueLayout.ADDRESS,
                        ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_LONG,
                        ValueLayout.JAVA_INT),
                Linker.Option.critical(false));
        c = arena.allocate(VIEW_BYTES, 64);
        int error = (int) init.invokeExact(c, arena.allocate(bytes, 4096), bytes, PAGES, SLOTS);
        if (error != 0) {
            throw new IllegalStateException("upa_llfree_init: error=" + error);
        }
    }

    /** Frees both. */
    @TearDown
    public void close() {
        arena.close();
    }

    /**
     * The Java twin.
     *
     * @param slot the thread's
     * @return the page
     */
    @Benchmark
    public long java(Slot slot) {
        long page = java.get(slot.number, order, 0);
        java.put(slot.number, page, order);
        return page;
    }

    /**
     * The Java twin, two threads at once.
     *
     * @param slot the thread's
     * @return the page
     */
    @Benchmark
    @Threads(2)
    public long javaTwoThreads(Slot slot) {
        return java(slot);
    }

    /**
     * The C twin through critical downcalls.
     *
     * @param slot the thread's
     * @return the page
     */
    @Benchmark
    public long c(Slot slot) throws Throwable {
        long page = (long) get.invokeExact(c, slot.number, order, 0);
        int error = (int) put.invokeExact(c, slot.number, page, order);
        if (error != 0) {
            throw new IllegalStateException("upa_llfree_put: error=" + error);
        }
        return page;
    }
}
