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
    private static final long SUSPICIONS_OFFSET = BOUND_OFFSET + Integer.BYTES;
    private static final long FAILURES_OFFSET = SUSPICIONS_OFFSET + Integer.BYTES;
    private static final long DEATHS_OFFSET = FAILURES_OFFSET + Integer.BYTES;
    private static final long PRESENT_OFFSET = DEATHS_OFFSET + Integer.BYTES;
    private static final long POLICY_OFFSET = 2048;
    private static final long POLICY_BYTES = Wire.KEPT_BYTES - POLICY_OFFSET;
    /** Most bytes of a policy's text. */
    static final long MOST_POLICY_BYTES = POLICY_BYTES - 1;

    /** Pagers in a row that die as its policies run, after which those are not tried again. */
    static final int MOST_SUSPICIONS = 4;
    /** The same of pagers that die whatever runs: a policy may have threads that nobody knows of. */
    static final int MOST_DEATHS = 16;

    private static final VarHandle BYTE = ValueLayout.JAVA_BYTE.varHandle();
    private static final VarHandle INT = ValueLayout.JAVA_INT.varHandle();

    private final MemorySegment memory;
    private final MemorySegment messages;
    private boolean ended;

    Kept(MemorySegment memory) {
        this.memory = memory;
        messages = memory.asSlice(0, MESSAGES_BYTES);
    }

    /**
     * The memory is about to be taken away: what threads of policies, which may outlive it, and threads that answer
     * users write from now on is for nobody.
     */
    synchronized void end() {
        ended = true;
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

    /**
     * A pager has died. Who of several programs it was is told by the deaths in a row at which code of its policies may
     * have been running; that of others runs now and then.
     *
     * @return false if that has happened too often
     */
    boolean survives() {
        boolean present = (int) INT.getAcquire(memory, PRESENT_OFFSET) != 0;
        present(false);
        int suspicions = present ? memory.get(ValueLayout.JAVA_INT, SUSPICIONS_OFFSET) + 1 : 0;
        int deaths = memory.get(ValueLayout.JAVA_INT, DEATHS_OFFSET) + 1;
        memory.set(ValueLayout.JAVA_INT, SUSPICIONS_OFFSET, suspicions);
        memory.set(ValueLayout.JAVA_INT, DEATHS_OFFSET, deaths);
        return suspicions < MOST_SUSPICIONS && deaths < MOST_DEATHS;
    }

    /** No pager has died for a while. */
    void forgive() {
        memory.set(ValueLayout.JAVA_INT, SUSPICIONS_OFFSET, 0);
        memory.set(ValueLayout.JAVA_INT, DEATHS_OFFSET, 0);
    }

    /** Whether code of its policies may be running, from their thread. */
    synchronized void present(boolean now) {
        if (!ended) {
            INT.setRelease(memory, PRESENT_OFFSET, now ? 1 : 0);
        }
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

    synchronized void policy(String text) {
        if (ended) {
            return;
        }
        byte[] bytes = (text + '\0').getBytes(StandardCharsets.UTF_8);
        if (bytes.length <= POLICY_BYTES) {
            memory.asSlice(POLICY_OFFSET, bytes.length).copyFrom(MemorySegment.ofArray(bytes));
        } else {
            memory.set(ValueLayout.JAVA_BYTE, POLICY_OFFSET, (byte) 0);
        }
    }
}
