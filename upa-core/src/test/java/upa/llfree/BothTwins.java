package upa.llfree;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.ToLongFunction;

/** Both twins at once, each on a state of its own: they must give the same answers and leave the same bytes. */
final class BothTwins implements Twin {
    private final Twin java = new JavaTwin();
    private final Twin c = new NativeTwin();
    private MemorySegment javaState = MemorySegment.NULL;
    private MemorySegment cState = MemorySegment.NULL;

    private long both(ToLongFunction<Twin> operation) {
        long answer = operation.applyAsLong(c);
        assertEquals(answer, operation.applyAsLong(java), "C's answer is expected, Java's is given");
        long differs = cState.mismatch(javaState);
        assertEquals(-1, differs, () -> "offset at which the states differ, of bytes=" + cState.byteSize());
        return answer;
    }

    @Override
    public long stateSize(long pages, int slots) {
        return both(t -> t.stateSize(pages, slots));
    }

    @Override
    public int init(MemorySegment state, long pages, int slots) {
        javaState = state;
        cState = Arena.ofAuto().allocate(state.byteSize(), LlFreeDescriptor.LINE_BYTES);
        return (int) both(t -> t.init(t == java ? javaState : cState, pages, slots));
    }

    @Override
    public int attach(MemorySegment state) {
        // Crosswise: each goes on with what the other has made.
        MemorySegment former = javaState;
        javaState = cState;
        cState = former;
        return (int) both(t -> t.attach(t == java ? javaState : cState));
    }

    @Override
    public long get(int slot, int order, int flags) {
        return both(t -> t.get(slot, order, flags));
    }

    @Override
    public long getRun(int slot, long pages, int flags) {
        return both(t -> t.getRun(slot, pages, flags));
    }

    @Override
    public int getAt(int slot, long first, long pages) {
        return (int) both(t -> t.getAt(slot, first, pages));
    }

    @Override
    public int putRun(int slot, long first, long pages, int flags) {
        return (int) both(t -> t.putRun(slot, first, pages, flags));
    }

    @Override
    public int put(int slot, long page, int order) {
        return (int) both(t -> t.put(slot, page, order));
    }

    @Override
    public long nextStale(long first, long pages, Length length) {
        return unpack(both(t -> pack(t.nextStale(first, pages, length), length)), length);
    }

    @Override
    public long next(long first, long pages, boolean free, Length length) {
        return unpack(both(t -> pack(t.next(first, pages, free, length), length)), length);
    }

    @Override
    public long nextState(long first, long pages, int states, Length length) {
        return unpack(both(t -> pack(t.nextState(first, pages, states, length), length)), length);
    }

    /** A page and a length as one number; enough for the small states of tests. */
    private static long pack(long page, Length length) {
        return page < 0 ? page : page << 32 | length.value;
    }

    private static long unpack(long packed, Length length) {
        length.value = packed & 0xffffffffL;
        return packed < 0 ? packed : packed >>> 32;
    }

    @Override
    public int taint(long first, long pages) {
        return (int) both(t -> t.taint(first, pages));
    }

    @Override
    public int tainted(long first, long pages) {
        return (int) both(t -> t.tainted(first, pages));
    }

    @Override
    public int setStale(long first, long pages) {
        return (int) both(t -> t.setStale(first, pages));
    }

    @Override
    public int setResident(long first, long pages) {
        return (int) both(t -> t.setResident(first, pages));
    }

    @Override
    public int resident(long page) {
        return (int) both(t -> t.resident(page));
    }

    @Override
    public int setLazy(long first, long pages) {
        return (int) both(t -> t.setLazy(first, pages));
    }

    @Override
    public int settle(long first, long pages) {
        return (int) both(t -> t.settle(first, pages));
    }

    @Override
    public int lazy(long page) {
        return (int) both(t -> t.lazy(page));
    }

    @Override
    public int contents(long first, long pages) {
        return (int) both(t -> t.contents(first, pages));
    }

    @Override
    public int childState(long page) {
        return (int) both(t -> t.childState(page));
    }

    @Override
    public long touchedChildren() {
        return both(Twin::touchedChildren);
    }

    @Override
    public void drain() {
        both(t -> {
            t.drain();
            return 0;
        });
    }

    @Override
    public long recover() {
        return both(Twin::recover);
    }

    @Override
    public String validate() {
        assertEquals(c.validate().isEmpty(), java.validate().isEmpty());
        return java.validate();
    }

    @Override
    public LlFreeStats stats() {
        assertEquals(c.stats(), java.stats());
        return java.stats();
    }
}
