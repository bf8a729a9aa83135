package upa.pager.host;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;

/**
 * Which callback a host is in, since when, and what it has allocated: written by the host's thread, read by the watch.
 * A callback inside another, as a seeding during an eviction, counts as the outer one.
 */
final class CallGuard {
    static final String CONSTRUCTOR = "constructor";
    static final String ATTACH = "attach";

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** Null: nobody wants to know. */
    private final Presence presence;

    private String policy = "";
    private String callback = "";
    private long allocatedBefore;
    /** Number of the callback under way; even when there is none. */
    private volatile long call;

    private volatile Thread thread;

    CallGuard(Presence presence) {
        this.presence = presence;
    }

    void begin(String ofPolicy, String ofCallback) {
        if (presence != null) {
            presence.begin();
        }
        policy = ofPolicy;
        callback = ofCallback;
        if (thread != Thread.currentThread()) {
            thread = Thread.currentThread();
        }
        allocatedBefore = THREADS.getCurrentThreadAllocatedBytes();
        call++;
    }

    /** Returns the bytes allocated since the beginning. */
    long end() {
        call++;
        if (presence != null) {
            presence.end();
        }
        return THREADS.getCurrentThreadAllocatedBytes() - allocatedBefore;
    }

    /** Whether a callback with this number is under way. */
    static boolean isUnderWay(long call) {
        return (call & 1) != 0;
    }

    long call() {
        return call;
    }

    Thread thread() {
        return thread;
    }

    /** For a message about the call under way: right unless that has ended meanwhile. */
    String describe() {
        return "policy=" + policy + " " + callback;
    }

    /** Whether a policy begins with it. Right as {@link #describe} is. */
    boolean isAtFirst() {
        return callback.equals(CONSTRUCTOR) || callback.equals(ATTACH);
    }

    String policy() {
        return policy;
    }

    long allocatedBytes() {
        Thread t = thread;
        return t == null ? 0 : THREADS.getThreadAllocatedBytes(t.threadId()) - allocatedBefore;
    }

    /** Nanoseconds of processor time of the host's thread, or -1 if it has ended. */
    long cpuNanos() {
        Thread t = thread;
        return t == null ? -1 : THREADS.getThreadCpuTime(t.threadId());
    }
}
