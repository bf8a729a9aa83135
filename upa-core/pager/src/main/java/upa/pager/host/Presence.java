package upa.pager.host;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.function.Consumer;

/**
 * Says whether code of policies may be running just now: if the whole process dies of it, it is known whose it was.
 * Told by the thread of the policies. Threads that they have started count too, from the end of the callback that did.
 */
final class Presence {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final ThreadGroup group;
    private final Consumer<Boolean> told;
    private long started;
    private boolean others;

    /**
     * Of the policies of a group of threads.
     *
     * @param group theirs, with one thread that runs them
     * @param told  is told
     */
    Presence(ThreadGroup group, Consumer<Boolean> told) {
        this.group = group;
        this.told = told;
        started = THREADS.getTotalStartedThreadCount();
    }

    /** A callback begins. */
    void begin() {
        told.accept(true);
    }

    /** It has ended. */
    void end() {
        long now = THREADS.getTotalStartedThreadCount();
        if (now != started) {
            started = now;
            others = group.activeCount() > 1;
        }
        told.accept(others);
    }
}
