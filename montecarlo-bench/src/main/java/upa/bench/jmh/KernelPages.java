package upa.bench.jmh;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** The kernel's mmap and munmap through FFM, as a Java program without UPA would call them: the base line. */
final class KernelPages {

    private static final int READ_WRITE = 3;
    private static final int PRIVATE_ANONYMOUS = 0x22;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MethodHandle MMAP = handle(
            "mmap",
            FunctionDescriptor.of(
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_INT,
                    ValueLayout.JAVA_LONG));
    private static final MethodHandle MUNMAP =
            handle("munmap", FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));

    private KernelPages() {}

    private static MethodHandle handle(String name, FunctionDescriptor descriptor) {
        return LINKER.downcallHandle(LINKER.defaultLookup().find(name).orElseThrow(), descriptor);
    }

    static MemorySegment map(long bytes) {
        try {
            long address = (long) MMAP.invokeExact(0L, bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0L);
            if (address == -1) {
                throw new OutOfMemoryError("mmap: bytes=" + bytes);
            }
            return MemorySegment.ofAddress(address).reinterpret(bytes);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    static void unmap(MemorySegment block) {
        try {
            int result = (int) MUNMAP.invokeExact(block.address(), block.byteSize());
            if (result != 0) {
                throw new IllegalStateException("munmap: block=" + block);
            }
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
