package upa.llfree;

import java.lang.foreign.MemorySegment;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;

/** {@link LlFree} in C's terms: misuse, an exception in Java, is {@code -EINVAL} here. */
final class JavaTwin implements Twin {
    private LlFree allocator;

    private static long misuseIsEinval(LongSupplier operation) {
        try {
            return operation.getAsLong();
        } catch (IllegalArgumentException misuse) {
            return EINVAL;
        }
    }

    private static int intMisuseIsEinval(IntSupplier operation) {
        return (int) misuseIsEinval(operation::getAsInt);
    }

    @Override
    public long stateSize(long pages, int slots) {
        try {
            return LlFree.stateSize(pages, slots);
        } catch (IllegalArgumentException outOfRange) {
            return 0;
        }
    }

    @Override
    public int init(MemorySegment state, long pages, int slots) {
        return intMisuseIsEinval(() -> {
            allocator = LlFree.create(state, pages, slots);
            return 0;
        });
    }

    @Override
    public int attach(MemorySegment state) {
        try {
            allocator = LlFree.attach(state);
            return 0;
        } catch (IllegalArgumentException refused) {
            String why = refused.getMessage();
            return why.startsWith("not an allocation state")
                    ? EBADMSG
                    : why.startsWith("another layout: expected abi")
                            ? EPROTO
                            : why.startsWith("segment") ? EINVAL : ERANGE;
        }
    }

    @Override
    public long get(int slot, int order, int flags) {
        return misuseIsEinval(() -> allocator.get(slot, order, flags));
    }

    @Override
    public long getRun(int slot, long pages, int flags) {
        // Java's largest number stands for the larger ones of C.
        return misuseIsEinval(() -> allocator.getRun(slot, pages < 0 ? Long.MAX_VALUE : pages, flags));
    }

    @Override
    public int getAt(int slot, long first, long pages) {
        return intMisuseIsEinval(() -> allocator.getAt(slot, first, pages));
    }

    @Override
    public int putRun(int slot, long first, long pages, int flags) {
        return intMisuseIsEinval(() -> {
            allocator.putRun(slot, first, pages, flags);
            return 0;
        });
    }

    @Override
    public int put(int slot, long page, int order) {
        return intMisuseIsEinval(() -> {
            allocator.put(slot, page, order);
            return 0;
        });
    }

    @Override
    public long nextStale(long first, long pages, Length length) {
        return misuseIsEinval(() -> {
            long page = allocator.nextStale(first, pages);
            if (page >= 0) {
                length.value = allocator.staleLength(page, first + pages - page);
            }
            return page;
        });
    }

    @Override
    public long next(long first, long pages, boolean free, Length length) {
        return misuseIsEinval(() -> {
            long page = allocator.next(first, pages, free);
            if (page >= 0) {
                length.value = allocator.length(page, first + pages - page, free);
            }
            return page;
        });
    }

    @Override
    public long nextState(long first, long pages, int states, Length length) {
        return misuseIsEinval(() -> {
            long page = allocator.nextState(first, pages, states);
            if (page >= 0) {
                length.value = allocator.stateLength(page, first + pages - page, states);
            }
            return page;
        });
    }

    @Override
    public int taint(long first, long pages) {
        return intMisuseIsEinval(() -> {
            allocator.taint(first, pages);
            return 0;
        });
    }

    @Override
    public int tainted(long first, long pages) {
        return intMisuseIsEinval(() -> allocator.tainted(first, pages) ? 1 : 0);
    }

    @Override
    public int setStale(long first, long pages) {
        return intMisuseIsEinval(() -> {
            allocator.setStale(first, pages);
            return 0;
        });
    }

    @Override
    public int setResident(long first, long pages) {
        return intMisuseIsEinval(() -> {
            allocator.setResident(first, pages);
            return 0;
        });
    }

    @Override
    public int resident(long page) {
        return intMisuseIsEinval(() -> allocator.resident(page) ? 1 : 0);
    }

    @Override
    public int setLazy(long first, long pages) {
        return intMisuseIsEinval(() -> {
            allocator.setLazy(first, pages);
            return 0;
        });
    }

    @Override
    public int settle(long first, long pages) {
        return intMisuseIsEinval(() -> {
            allocator.settle(first, pages);
            return 0;
        });
    }

    @Override
    public int lazy(long page) {
        return intMisuseIsEinval(() -> allocator.lazy(page) ? 1 : 0);
    }

    @Override
    public int contents(long first, long pages) {
        return intMisuseIsEinval(() -> allocator.contents(first, pages));
    }

    @Override
    public int childState(long page) {
        return intMisuseIsEinval(() -> allocator.childState(page));
    }

    @Override
    public long touchedChildren() {
        return allocator.touchedChildren();
    }

    @Override
    public void drain() {
        allocator.drain();
    }

    @Override
    public long recover() {
        return allocator.recover();
    }

    @Override
    public String validate() {
        try {
            allocator.validate();
            return "";
        } catch (IllegalStateException fault) {
            return fault.getMessage();
        }
    }

    @Override
    public LlFreeStats stats() {
        return allocator.stats();
    }
}
