package upa.core;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import upa.internal.bindings.NativeLibrary;

/** dlmalloc on kernel mmap and on libupa, called from Java. */
class DlmallocTest {
    private static final FunctionDescriptor SIZE = FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG);

    @ParameterizedTest
    @ValueSource(strings = {"libdlmalloc_kernel.so", "libdlmalloc_upa.so", "libdlmalloc_upa_uncleared.so"})
    void allocatesReallocatesAndFrees(String name) throws Throwable {
        Path library = NativeLibrary.path(name);
        assumeTrue(Files.exists(library), () -> "no " + library + ": build it with ./upa build");
        try (Arena arena = Arena.ofConfined()) {
            // Kept open: dlmalloc's heap and libupa's default region are the process's.
            SymbolLookup symbols = SymbolLookup.libraryLookup(library, Arena.global());
            Linker linker = Linker.nativeLinker();
            MethodHandle malloc = linker.downcallHandle(symbols.findOrThrow("dlmalloc"), SIZE);
            MethodHandle calloc = linker.downcallHandle(
                    symbols.findOrThrow("dlcalloc"),
                    FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
            MethodHandle realloc = linker.downcallHandle(
                    symbols.findOrThrow("dlrealloc"),
                    FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));
            MethodHandle free = linker.downcallHandle(
                    symbols.findOrThrow("dlfree"), FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
            for (long bytes = 16; bytes <= 64 << 20; bytes *= 4) {
                MemorySegment block = ((MemorySegment) malloc.invokeExact(bytes)).reinterpret(bytes, arena, null);
                assertNotEquals(0, block.address(), "bytes=" + bytes);
                assertEquals(0, block.address() % 16);
                block.fill((byte) 0x5a);
                MemorySegment larger = ((MemorySegment) realloc.invokeExact(block, 2 * bytes)).reinterpret(2 * bytes);
                for (long i = 0; i < bytes; i += 8) {
                    assertEquals(0x5a5a5a5a5a5a5a5aL, larger.get(ValueLayout.JAVA_LONG, i));
                }
                free.invokeExact(larger);
                MemorySegment zeros = ((MemorySegment) calloc.invokeExact(bytes / 8, 8L)).reinterpret(bytes);
                for (long i = 0; i < bytes; i += 8) {
                    assertEquals(0, zeros.get(ValueLayout.JAVA_LONG, i));
                }
                free.invokeExact(zeros);
            }
            assertEquals(MemorySegment.NULL, (MemorySegment) malloc.invokeExact(Long.MAX_VALUE));
            MethodHandle footprint = linker.downcallHandle(
                    symbols.findOrThrow("dlmalloc_max_footprint"), FunctionDescriptor.of(ValueLayout.JAVA_LONG));
            assertTrue((long) footprint.invokeExact() >= 128 << 20);
        }
    }
}
