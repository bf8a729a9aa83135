package upa.pager.device;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Pages that are to come or go in one call of the module: its {@code struct upadev_transfer}. Each succeeds or fails by
 * itself. Belongs to one thread.
 */
public final class Transfers {
    private static final int BYTES = 32;
    private static final int CLEAN = 1;
    /** Of what has not been tried. */
    private static final int NOT_TRIED = -11;

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;

    private final MemorySegment items;
    private int count;

    /**
     * Makes room for transfers.
     *
     * @param arena owns the memory
     * @param most  of one call, up to 4 096
     */
    public Transfers(Arena arena, int most) {
        items = arena.allocate((long) most * BYTES, Long.BYTES);
    }

    /** Begins anew. */
    public void clear() {
        count = 0;
    }

    /**
     * Adds a transfer.
     *
     * @param page   its number
     * @param buffer 4 096 bytes for its content, or {@link MemorySegment#NULL}: the frame keeps it
     * @param away   its entry while it is away
     * @param frame  where it is or will be
     * @return its index
     */
    public int add(int page, MemorySegment buffer, int away, int frame) {
        long at = (long) count * BYTES;
        items.set(LONG, at, page);
        items.set(LONG, at + 8, buffer.address());
        items.set(INT, at + 16, away);
        items.set(INT, at + 20, frame);
        items.set(INT, at + 24, NOT_TRIED);
        items.set(INT, at + 28, 0);
        return count++;
    }

    /** {@return how many there are} */
    public int count() {
        return count;
    }

    /** {@return the address of them all} */
    public MemorySegment items() {
        return items;
    }

    /**
     * What became of one.
     *
     * @param i its index
     * @return 0, or -errno
     */
    public int result(int i) {
        return items.get(INT, (long) i * BYTES + 24);
    }

    /**
     * Whether a page that has gone was not written to since it came.
     *
     * @param i its index
     * @return false also if that is not known
     */
    public boolean isClean(int i) {
        return (items.get(INT, (long) i * BYTES + 28) & CLEAN) != 0;
    }

    /**
     * The frame of one.
     *
     * @param i its index
     * @return as it was added
     */
    public int frameOf(int i) {
        return items.get(INT, (long) i * BYTES + 20);
    }
}
