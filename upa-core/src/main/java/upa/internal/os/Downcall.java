package upa.internal.os;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/**
 * How handles for libc's functions are made, and errno is read. Descriptors and addresses are those of the generated
 * bindings, with addresses as {@code long} and errno captured.
 *
 * <p>No call is {@link Linker.Option#critical critical}: each of them, memset included, may fault or sleep, which a
 * critical call must not, since it holds up every safepoint of the process.
 */
final class Downcall {
    static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");
    private static final VarHandle ERRNO_VALUE =
            Linker.Option.captureStateLayout().varHandle(MemoryLayout.PathElement.groupElement("errno"));
    /** A thread keeps the segment into which its calls put errno. */
    private static final ThreadLocal<MemorySegment> STATE =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(Linker.Option.captureStateLayout()));

    private Downcall() {}

    static MethodHandle handle(MemorySegment function, FunctionDescriptor descriptor, Linker.Option... options) {
        MemoryLayout[] arguments =
                descriptor.argumentLayouts().stream().map(Downcall::raw).toArray(MemoryLayout[]::new);
        return Linker.nativeLinker()
                .downcallHandle(
                        function,
                        FunctionDescriptor.of(raw(descriptor.returnLayout().orElseThrow()), arguments),
                        options);
    }

    private static MemoryLayout raw(MemoryLayout layout) {
        return layout instanceof AddressLayout ? ValueLayout.JAVA_LONG : layout;
    }

    /** The segment for errno that the first argument of a call names. */
    static MemorySegment state() {
        return STATE.get();
    }

    /** What the kernel has returned, or -errno. */
    static long result(long returned, MemorySegment state) {
        return returned == -1 ? -(int) ERRNO_VALUE.get(state, 0L) : returned;
    }

    static AssertionError impossible(Throwable t) {
        return new AssertionError("a downcall threw", t);
    }
}
