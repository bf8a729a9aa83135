package upa.llfree;

import java.lang.foreign.MemorySegment;

/**
 * The allocator as the contract sees it: the operations of {@code upa/llfree.h} in C's terms, so that one suite judges
 * both twins. Errors are negative errno values; pages, numbers of pages and flags are unsigned.
 *
 * <p>A twin looks at one state at a time, the last one that {@link #init} or {@link #attach} took. The operations on it
 * are as thread-safe as those of the allocator.
 */
interface Twin {
    int ENOMEM = -12;
    int EBUSY = -16;
    int EINVAL = -22;
    int ERANGE = -34;
    int EPROTO = -71;
    int EBADMSG = -74;

    /** Where an operation that answers with a page and a length puts the length. */
    final class Length {
        long value;
    }

    /** 0 if out of range. */
    long stateSize(long pages, int slots);

    int init(MemorySegment state, long pages, int slots);

    int attach(MemorySegment state);

    long get(int slot, int order, int flags);

    long getRun(int slot, long pages, int flags);

    int getAt(int slot, long first, long pages);

    int putRun(int slot, long first, long pages, int flags);

    int put(int slot, long page, int order);

    long nextStale(long first, long pages, Length length);

    long next(long first, long pages, boolean free, Length length);

    long nextState(long first, long pages, int states, Length length);

    int taint(long first, long pages);

    int tainted(long first, long pages);

    int setStale(long first, long pages);

    int setResident(long first, long pages);

    int resident(long page);

    int setLazy(long first, long pages);

    int settle(long first, long pages);

    int lazy(long page);

    int contents(long first, long pages);

    int childState(long page);

    long touchedChildren();

    void drain();

    long recover();

    /** What is wrong with the state; empty if nothing is. */
    String validate();

    LlFreeStats stats();
}
