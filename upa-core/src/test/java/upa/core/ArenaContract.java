package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What every closeable arena does, the JDK's and ours: each has a subclass of this test. */
abstract class ArenaContract {
    private static final long MIB = 1 << 20;

    /** Makes an arena of the current thread. */
    abstract Arena open();

    abstract boolean isConfined();

    private static <T> T inAnotherThread(Callable<T> task) throws Exception {
        FutureTask<T> future = new FutureTask<>(task);
        Thread thread = new Thread(future);
        thread.start();
        thread.join();
        return future.resultNow();
    }

    private static Throwable thrownInAnotherThread(Runnable task) throws Exception {
        return inAnotherThread(() -> {
            try {
                task.run();
                return null;
            } catch (Throwable t) {
                return t;
            }
        });
    }

    private static void assertZero(MemorySegment s) {
        for (long i = 0; i < s.byteSize(); i++) {
            assertEquals(0, s.get(ValueLayout.JAVA_BYTE, i), "at offset=" + i);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 7, 8, 1000, 1024, 4095, 4096, 4097, 16384, 16385, 65536, 65537, MIB, 3 * MIB + 1})
    void segmentsHaveTheSizeAskedForAndReadZero(long bytes) {
        for (int round = 0; round < 3; round++) {
            try (Arena arena = open()) {
                for (int i = 0; i < 3; i++) {
                    MemorySegment s = arena.allocate(bytes);
                    assertEquals(bytes, s.byteSize());
                    assertTrue(s.isNative());
                    assertFalse(s.isReadOnly());
                    assertZero(s);
                    s.fill((byte) 0xee);
                }
            }
        }
    }

    @Test
    void anyPowerOfTwoIsAnAlignment() {
        for (long alignment = 1; alignment <= 16 * MIB; alignment *= 2) {
            try (Arena arena = open()) {
                for (long bytes : new long[] {0, 1, 100, 5000, 70000}) {
                    MemorySegment s = arena.allocate(bytes, alignment);
                    assertEquals(0, s.address() % alignment, "bytes=" + bytes + " alignment=" + alignment);
                    assertEquals(bytes, s.byteSize());
                    assertZero(s);
                    s.fill((byte) 0xee);
                }
            }
        }
    }

    @Test
    void segmentsDoNotOverlap() {
        Random random = new Random(42);
        try (Arena arena = open()) {
            List<MemorySegment> segments = new ArrayList<>();
            for (int i = 0; i < 2000; i++) {
                long bytes = 1 + (random.nextInt(50) == 0 ? random.nextInt(200_000) : random.nextInt(300));
                MemorySegment s = arena.allocate(bytes, 1L << random.nextInt(8));
                assertZero(s);
                s.fill((byte) i);
                segments.add(s);
            }
            for (int i = 0; i < segments.size(); i++) {
                MemorySegment s = segments.get(i);
                for (long at = 0; at < s.byteSize(); at++) {
                    assertEquals((byte) i, s.get(ValueLayout.JAVA_BYTE, at));
                }
            }
        }
    }

    @Test
    void segmentsOfNoSizeHaveAddressesOfTheirOwn() {
        try (Arena arena = open()) {
            MemorySegment one = arena.allocate(0, 8);
            MemorySegment two = arena.allocate(0, 8);
            assertNotEquals(0, one.address());
            assertNotEquals(one.address(), two.address());
            assertThrows(IndexOutOfBoundsException.class, () -> one.get(ValueLayout.JAVA_BYTE, 0));
        }
    }

    @Test
    void misuseIsAnException() {
        try (Arena arena = open()) {
            String size = assertThrows(IllegalArgumentException.class, () -> arena.allocate(-1))
                    .getMessage();
            assertTrue(size.contains("-1"), size);
            for (long alignment : new long[] {0, -1, 3, 4097, Long.MIN_VALUE}) {
                String message = assertThrows(IllegalArgumentException.class, () -> arena.allocate(1, alignment))
                        .getMessage();
                assertTrue(message.contains(Long.toString(alignment)), message);
            }
            assertThrows(
                    IndexOutOfBoundsException.class, () -> arena.allocate(8).get(ValueLayout.JAVA_BYTE, 8));
        }
    }

    @Test
    void tooMuchIsAnOutOfMemoryError() {
        try (Arena arena = open()) {
            assertThrows(OutOfMemoryError.class, () -> arena.allocate(1L << 56));
            arena.allocate(100).fill((byte) 1);
        }
    }

    @Test
    void theScopeIsThatOfItsSegments() {
        try (Arena arena = open()) {
            MemorySegment small = arena.allocate(1);
            MemorySegment large = arena.allocate(MIB);
            assertTrue(arena.scope().isAlive());
            assertEquals(arena.scope(), small.scope());
            assertEquals(arena.scope(), large.scope());
            try (Arena other = open()) {
                assertNotEquals(arena.scope(), other.scope());
            }
        }
    }

    @Test
    void useAfterCloseThrows() {
        Arena arena = open();
        MemorySegment small = arena.allocate(16);
        MemorySegment large = arena.allocate(MIB);
        MemorySegment slice = large.asSlice(4096, 8);
        arena.close();
        assertFalse(arena.scope().isAlive());
        for (MemorySegment s : List.of(small, large, slice)) {
            assertEquals(
                    "Already closed",
                    assertThrows(IllegalStateException.class, () -> s.get(ValueLayout.JAVA_BYTE, 0))
                            .getMessage());
        }
        assertEquals(
                "Already closed",
                assertThrows(IllegalStateException.class, () -> arena.allocate(1))
                        .getMessage());
        assertEquals(
                "Already closed",
                assertThrows(IllegalStateException.class, () -> arena.allocate(MIB))
                        .getMessage());
        assertEquals(
                "Already closed",
                assertThrows(IllegalStateException.class, arena::close).getMessage());
    }

    @Test
    void confinementHolds() throws Exception {
        try (Arena arena = open()) {
            MemorySegment s = arena.allocate(16);
            assertEquals(!isConfined(), s.isAccessibleBy(new Thread(() -> {})));
            Throwable access = thrownInAnotherThread(() -> s.set(ValueLayout.JAVA_BYTE, 0, (byte) 1));
            Throwable allocation =
                    thrownInAnotherThread(() -> arena.allocate(16).fill((byte) 1));
            if (isConfined()) {
                assertEquals(WrongThreadException.class, access.getClass());
                assertEquals(WrongThreadException.class, allocation.getClass());
                assertEquals(
                        WrongThreadException.class,
                        thrownInAnotherThread(arena::close).getClass());
                assertTrue(arena.scope().isAlive());
            } else {
                assertNull(access);
                assertNull(allocation);
            }
            s.set(ValueLayout.JAVA_BYTE, 0, (byte) 2);
        }
    }

    @Test
    void aSharedArenaIsClosedByAnyThread() throws Exception {
        Arena arena = open();
        arena.allocate(16);
        Throwable thrown = thrownInAnotherThread(arena::close);
        if (isConfined()) {
            assertEquals(WrongThreadException.class, thrown.getClass());
            arena.close();
        } else {
            assertNull(thrown);
            assertThrows(IllegalStateException.class, arena::close);
        }
    }

    @Test
    void anArenaInUseByANativeCallStaysOpen() throws Throwable {
        Arena arena = open();
        MemorySegment numbers = arena.allocateFrom(ValueLayout.JAVA_INT, 3, 1, 2);
        Linker linker = Linker.nativeLinker();
        MethodHandle qsort = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("qsort"),
                FunctionDescriptor.ofVoid(
                        ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));
        List<Throwable> thrown = new ArrayList<>();
        MethodHandle closing = MethodHandles.insertArguments(
                MethodHandles.lookup()
                        .findStatic(
                                ArenaContract.class,
                                "compareAndClose",
                                MethodType.methodType(
                                        int.class, Arena.class, List.class, MemorySegment.class, MemorySegment.class)),
                0,
                arena,
                thrown);
        try (Arena stubs = Arena.ofConfined()) {
            MemorySegment compare = linker.upcallStub(
                    closing,
                    FunctionDescriptor.of(
                            ValueLayout.JAVA_INT,
                            ValueLayout.ADDRESS.withTargetLayout(ValueLayout.JAVA_INT),
                            ValueLayout.ADDRESS.withTargetLayout(ValueLayout.JAVA_INT)),
                    stubs);
            qsort.invokeExact(numbers, 3L, 4L, compare);
        }
        assertFalse(thrown.isEmpty());
        assertEquals(IllegalStateException.class, thrown.getFirst().getClass());
        assertEquals(3, numbers.getAtIndex(ValueLayout.JAVA_INT, 2));
        arena.close();
    }

    @SuppressWarnings("unused") // an upcall
    private static int compareAndClose(Arena arena, List<Throwable> thrown, MemorySegment a, MemorySegment b) {
        try {
            arena.close();
        } catch (IllegalStateException e) {
            thrown.add(e);
        }
        return Integer.compare(a.get(ValueLayout.JAVA_INT, 0), b.get(ValueLayout.JAVA_INT, 0));
    }

    @Test
    void theAllocatorsBuiltOnArenasWork() {
        try (Arena arena = open()) {
            assertEquals("käse", arena.allocateFrom("käse").getString(0));
            assertEquals(
                    2.5, arena.allocateFrom(ValueLayout.JAVA_DOUBLE, 1.5, 2.5).getAtIndex(ValueLayout.JAVA_DOUBLE, 1));
            SegmentAllocator slices = SegmentAllocator.slicingAllocator(arena.allocate(1024));
            assertEquals(arena.scope(), slices.allocate(100, 64).scope());
        }
    }
}
