package upa.llfree;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import upa.internal.bindings.Upa;
import upa.internal.bindings.upa_llfree;
import upa.internal.bindings.upa_llfree_stats;

/** The allocator of libupa.so, through its generated bindings. */
final class NativeTwin implements Twin {
    private static final int MESSAGE_BYTES = 200;

    private MemorySegment view = MemorySegment.NULL;

    @Override
    public long stateSize(long pages, int slots) {
        return Upa.upa_llfree_state_size(pages, slots);
    }

    @Override
    public int init(MemorySegment state, long pages, int slots) {
        MemorySegment made = upa_llfree.allocate(Arena.ofAuto());
        int error = Upa.upa_llfree_init(made, state, state.byteSize(), pages, slots);
        if (error == 0) {
            view = made;
        }
        return error;
    }

    @Override
    public int attach(MemorySegment state) {
        MemorySegment made = upa_llfree.allocate(Arena.ofAuto());
        int error = Upa.upa_llfree_attach(made, state, state.byteSize());
        if (error == 0) {
            view = made;
        }
        return error;
    }

    @Override
    public long get(int slot, int order, int flags) {
        return Upa.upa_llfree_get(view, slot, order, flags);
    }

    @Override
    public long getRun(int slot, long pages, int flags) {
        return Upa.upa_llfree_get_run(view, slot, pages, flags);
    }

    @Override
    public int getAt(int slot, long first, long pages) {
        return Upa.upa_llfree_get_at(view, slot, first, pages);
    }

    @Override
    public int putRun(int slot, long first, long pages, int flags) {
        return Upa.upa_llfree_put_run(view, slot, first, pages, flags);
    }

    @Override
    public int put(int slot, long page, int order) {
        return Upa.upa_llfree_put(view, slot, page, order);
    }

    @Override
    public long nextStale(long first, long pages, Length length) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
            long page = Upa.upa_llfree_next_stale(view, first, pages, out);
            length.value = out.get(ValueLayout.JAVA_LONG, 0);
            return page;
        }
    }

    @Override
    public long next(long first, long pages, boolean free, Length length) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
            long page = Upa.upa_llfree_next(view, first, pages, free ? 1 : 0, out);
            length.value = out.get(ValueLayout.JAVA_LONG, 0);
            return page;
        }
    }

    @Override
    public long nextState(long first, long pages, int states, Length length) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
            long page = Upa.upa_llfree_next_state(view, first, pages, states, out);
            length.value = out.get(ValueLayout.JAVA_LONG, 0);
            return page;
        }
    }

    @Override
    public int taint(long first, long pages) {
        return Upa.upa_llfree_taint(view, first, pages);
    }

    @Override
    public int tainted(long first, long pages) {
        return Upa.upa_llfree_tainted(view, first, pages);
    }

    @Override
    public int setStale(long first, long pages) {
        return Upa.upa_llfree_set_stale(view, first, pages);
    }

    @Override
    public int setResident(long first, long pages) {
        return Upa.upa_llfree_set_resident(view, first, pages);
    }

    @Override
    public int resident(long page) {
        return Upa.upa_llfree_resident(view, page);
    }

    @Override
    public int setLazy(long first, long pages) {
        return Upa.upa_llfree_set_lazy(view, first, pages);
    }

    @Override
    public int settle(long first, long pages) {
        return Upa.upa_llfree_settle(view, first, pages);
    }

    @Override
    public int lazy(long page) {
        return Upa.upa_llfree_lazy(view, page);
    }

    @Override
    public int contents(long first, long pages) {
        return Upa.upa_llfree_contents(view, first, pages);
    }

    @Override
    public int childState(long page) {
        return Upa.upa_llfree_child_state(view, page);
    }

    @Override
    public long touchedChildren() {
        return Upa.upa_llfree_touched_children(view);
    }

    @Override
    public void drain() {
        Upa.upa_llfree_drain(view);
    }

    @Override
    public long recover() {
        return Upa.upa_llfree_recover(view);
    }

    @Override
    public String validate() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment message = arena.allocate(MESSAGE_BYTES);
            int error = Upa.upa_llfree_validate(view, message, MESSAGE_BYTES);
            return error == 0 ? "" : "error=" + error + " " + message.getString(0);
        }
    }

    @Override
    public LlFreeStats stats() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment s = upa_llfree_stats.allocate(arena);
            Upa.upa_llfree_get_stats(view, s);
            return new LlFreeStats(
                    upa_llfree_stats.pages(s),
                    upa_llfree_stats.free_pages(s),
                    upa_llfree_stats.free_children(s),
                    upa_llfree_stats.retained_pages(s),
                    upa_llfree_stats.gets(s),
                    upa_llfree_stats.got_pages(s),
                    upa_llfree_stats.puts(s),
                    upa_llfree_stats.put_pages(s),
                    upa_llfree_stats.failures(s),
                    upa_llfree_stats.searches(s),
                    upa_llfree_stats.lazy_pages(s));
        }
    }
}
