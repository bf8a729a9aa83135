package upa.pager.device;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * Which frames of a region are free, in memory that owner and pager share: a bit for each frame, 1 if it is taken, in
 * the rows that the module reads ({@code struct upadev_allocator}), and how many are taken. The pager alone takes
 * frames; both free them. Safe for use by several threads and processes.
 */
public final class FramePool {
    /** Frames whose bits lie together. */
    private static final int CHILD_FRAMES = 512;
    /** Words for these: the module reads the first eight. */
    private static final int CHILD_WORDS = 16;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final VarHandle WORD = LONG.varHandle();

    private final MemorySegment bits;
    private final MemorySegment taken;
    private final int frames;
    /** Where the search goes on: the pager's. */
    private int hand;

    /**
     * Makes a view of a pool.
     *
     * @param bits   128 bytes for each 512 frames
     * @param taken  8 bytes: how many are taken
     * @param frames of the pool
     */
    public FramePool(MemorySegment bits, MemorySegment taken, int frames) {
        this.bits = bits;
        this.taken = taken;
        this.frames = frames;
    }

    /**
     * Bytes that the bits of a pool take.
     *
     * @param frames of the pool
     * @return for all of its children
     */
    public static long bytes(int frames) {
        return Math.ceilDiv(frames, CHILD_FRAMES) * (long) CHILD_WORDS * Long.BYTES;
    }

    private static long offset(int frame) {
        return ((long) (frame / CHILD_FRAMES) * CHILD_WORDS + frame % CHILD_FRAMES / Long.SIZE) * Long.BYTES;
    }

    /** {@return how many frames are taken} */
    public int taken() {
        return (int) (long) WORD.getAcquire(taken, 0L);
    }

    /** {@return a frame that was free, now the caller's; -1 if there is none} */
    public int take() {
        for (int looked = 0; looked < frames + Long.SIZE; ) {
            int first = hand / Long.SIZE * Long.SIZE;
            long row = (long) WORD.getAcquire(bits, offset(first));
            long free = ~row & -1L << hand % Long.SIZE;
            int frame = first + Long.numberOfTrailingZeros(free);
            if (free != 0 && frame < frames) {
                if (WORD.compareAndSet(bits, offset(first), row, row | 1L << frame % Long.SIZE)) {
                    WORD.getAndAdd(taken, 0L, 1L);
                    hand = frame + 1 < frames ? frame + 1 : 0;
                    return frame;
                }
                continue;
            }
            looked += first + Long.SIZE - hand;
            hand = first + Long.SIZE < frames ? first + Long.SIZE : 0;
        }
        return -1;
    }

    /**
     * Frees a frame of the caller's.
     *
     * @param frame its number
     */
    public void free(int frame) {
        long bit = 1L << frame % Long.SIZE;
        long was = (long) WORD.getAndBitwiseAnd(bits, offset(frame), ~bit);
        if ((was & bit) == 0) {
            throw new IllegalStateException("a frame is freed twice: frame=" + frame);
        }
        WORD.getAndAdd(taken, 0L, -1L);
    }

    /**
     * Whether a frame is free.
     *
     * @param frame its number
     * @return whether nobody has it
     */
    public boolean isFree(int frame) {
        return ((long) WORD.getAcquire(bits, offset(frame)) >>> frame % Long.SIZE & 1) == 0;
    }
}
