package upa.pager.live;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.charset.StandardCharsets;
import upa.pager.store.RedisStore;

/**
 * What a pager leaves in the memory of a process for the one that may follow it, beside the words of its pages.
 *
 * <p>The kernel writes what it tells straight into {@link #messages}, where the first byte of a message is not 0 until
 * it has been heeded: who is killed in between has not heeded it.
 */
final class Kept {
    private static final long MESSAGES_BYTES = (long) Uffd.MOST_MESSAGES * Uffd.MESSAGE_BYTES;
    private static final long IDS_OFFSET = MESSAGES_BYTES;
    private static final long BOUND_OFFSET = IDS_OFFSET + Wire.FIRST_CHILD * RedisStore.ID_BYTES;
    private static final long TRIALS_OFFSET = BOUND_OFFSET + Integer.BYTES;
    private static final long FAILURES_OFFSET = TRIALS_OFFSET + Integer.BYTES;
    private static final long POLICY_OFFSET = 2048;
    private static final long POLICY_BYTES = Wire.KEPT_BYTES - POLICY_OFFSET;
    /** Most bytes of a policy's text. */
    static final long MOST_POLICY_BYTES = POLICY_BYTES - 1;

    private static final VarHandle BYTE = ValueLayout.JAVA_BYTE.varHandle();

    private final MemorySegment memory;
    private final MemorySegment messages;

    Kept(MemorySegment memory) {
        this.memory = memory;
        messages = memory.asSlice(0, MESSAGES_BYTES);
    }

    MemorySegment messages() {
        return messages;
    }

    /** Message i has been heeded. */
    void heeded(int i) {
        BYTE.setRelease(messages, (long) i * Uffd.MESSAGE_BYTES, (byte) 0);
    }

    /** The name under which a store keeps its pages: made the first time. */
    byte[] id(int store) {
        MemorySegment id = memory.asSlice(IDS_OFFSET + (long) store * RedisStore.ID_BYTES, RedisStore.ID_BYTES);
        if (id.mismatch(MemorySegment.ofArray(new byte[RedisStore.ID_BYTES])) < 0) {
            id.copyFrom(MemorySegment.ofArray(RedisStore.newId()));
        }
        return id.toArray(ValueLayout.JAVA_BYTE);
    }

    /** Pages that the user has set as bound; 0: none. */
    int bound() {
        return memory.get(ValueLayout.JAVA_INT, BOUND_OFFSET);
    }

    void bound(int pages) {
        memory.set(ValueLayout.JAVA_INT, BOUND_OFFSET, pages);
    }

    /** How often policies from jars have been started, of late. */
    int trials() {
        return memory.get(ValueLayout.JAVA_INT, TRIALS_OFFSET);
    }

    void trials(int count) {
        memory.set(ValueLayout.JAVA_INT, TRIALS_OFFSET, count);
    }

    /** How often a pager has failed with this process, of late. */
    int failures() {
        return memory.get(ValueLayout.JAVA_INT, FAILURES_OFFSET);
    }

    void failures(int count) {
        memory.set(ValueLayout.JAVA_INT, FAILURES_OFFSET, count);
    }

    /** The policy that was set last; empty: none, or one whose text is too long. */
    String policy() {
        return Client.text(memory.asSlice(POLICY_OFFSET, POLICY_BYTES));
    }

    boolean hasRoom(String policy) {
        return policy.getBytes(StandardCharsets.UTF_8).length <= MOST_POLICY_BYTES;
    }

    void policy(String text) {
        byte[] bytes = (text + '\0').getBytes(StandardCharsets.UTF_8);
        if (bytes.length <= POLICY_BYTES) {
            memory.asSlice(POLICY_OFFSET, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
        } else {
            memory.set(ValueLayout.JAVA_BYTE, POLICY_OFFSET, (byte) 0);
        }
    }
}
