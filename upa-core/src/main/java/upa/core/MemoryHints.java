package upa.core;

import static upa.core.Arguments.checkNotNull;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import upa.internal.os.HintCall;
import upa.policy.Hint;

/**
 * What a program says about its memory to the policy that pages it ({@code upa run --policy}): the twin of {@code
 * upa/hint.h}. Meant are pages of a {@link Region} or {@link PageArena}, and of any other arena, that are paged.
 *
 * <p>A hint is advice: nothing depends on it but time, and a program that nobody pages may give hints all the same. It
 * may be lost when many are given at once. A page that is only partly in the range counts as a whole.
 *
 * <p><b>Thread-safety:</b> all methods may be called from any thread.
 */
public final class MemoryHints {
    /** Priority of memory of which nothing else is said. */
    public static final int USUAL_PRIORITY = 3;
    /** Highest priority. */
    public static final int MOST_PRIORITY = 7;

    private MemoryHints() {}

    /** {@return whether this process was started by {@code upa run --policy}; if not, hints do nothing} */
    public static boolean areHeard() {
        return HintCall.isHeard();
    }

    /**
     * Says how memory will be used.
     *
     * @param memory native memory
     * @param kind   what is said; not {@link Hint.Kind#PRIORITY}
     * @throws IllegalArgumentException if the memory is not native, or the kind needs a priority
     * @throws IllegalStateException    if the memory has been freed
     */
    public static void give(MemorySegment memory, Hint.Kind kind) {
        checkNotNull("kind", kind);
        if (kind == Hint.Kind.PRIORITY) {
            throw new IllegalArgumentException("needs a priority, see prioritize: kind=" + kind);
        }
        give(memory, kind, 0);
    }

    /**
     * Says how important memory is: pages of lower priority leave first, those of a higher one only when no others can.
     *
     * @param memory   native memory
     * @param priority 0 .. {@link #MOST_PRIORITY}; {@link #USUAL_PRIORITY} takes others back
     * @throws IllegalArgumentException if the memory is not native, or the priority is out of range
     * @throws IllegalStateException    if the memory has been freed
     */
    public static void prioritize(MemorySegment memory, int priority) {
        if (priority < 0 || priority > MOST_PRIORITY) {
            throw new IllegalArgumentException("out of range: priority=" + priority + " (0 to " + MOST_PRIORITY + ")");
        }
        give(memory, Hint.Kind.PRIORITY, priority);
    }

    private static void give(MemorySegment memory, Hint.Kind kind, int priority) {
        checkNotNull("memory", memory);
        if (!memory.isNative()) {
            throw new IllegalArgumentException("not native: memory=" + memory);
        }
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException("freed: memory=" + memory);
        }
        try {
            HintCall.give(memory.address(), memory.byteSize(), kind.ordinal(), priority);
        } finally {
            Reference.reachabilityFence(memory);
        }
    }
}
