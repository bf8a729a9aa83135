package upa.pager.device;

/**
 * The shadow entry of a page of a paged region: constants and accessors of its layout. The module knows the first two
 * rows, owner and pager the others.
 *
 * <pre>
 *   0                          no page: a touch is SIGBUS
 *   frame + 1                  in memory
 *   01 00 (0)                  FRESH: mapped by the owner, without content
 *   01 01 content check (28)   STORED: the pager has it, where its place word says
 *   01 10 frame (28)           LEAVING: out of reach; the frame, which is the pager's, holds its content
 * </pre>
 *
 * The owner changes an entry from 0 to {@link #FRESH}, and from anything to 0. All else is the pager's. Who takes out
 * an entry frame + 1 has the frame; a frame that is {@link #isLeaving} stays the pager's.
 */
public final class AwayWord {
    /** Mapped by the owner, without content. */
    public static final int FRESH = 1 << 30;

    private static final int STORED = 1 << 30 | 1 << 28;
    private static final int LEAVING = 1 << 30 | 2 << 28;
    private static final int REST_BITS = 28;
    private static final int REST = (1 << REST_BITS) - 1;

    private AwayWord() {}

    /**
     * The entry of a page that is in a store.
     *
     * @param check of its content, of which the lower 28 bits count
     * @return its entry
     */
    public static int stored(int check) {
        return STORED | check & REST;
    }

    /**
     * The entry of a page whose frame holds what nobody can reach.
     *
     * @param frame its number
     * @return the entry
     */
    public static int leaving(int frame) {
        return LEAVING | frame & REST;
    }

    /**
     * The entry of a page in memory.
     *
     * @param frame its number
     * @return the entry
     */
    public static int present(int frame) {
        return frame + 1;
    }

    /**
     * Whether a page is in memory.
     *
     * @param word its entry
     * @return whether it names a frame that can be reached
     */
    public static boolean isPresent(int word) {
        return word != 0 && word >>> 30 == 0;
    }

    /**
     * Whether a page is in a store.
     *
     * @param word its entry
     * @return whether it is as from {@link #stored}
     */
    public static boolean isStored(int word) {
        return word >>> REST_BITS == STORED >>> REST_BITS;
    }

    /**
     * Whether a page is on its way out.
     *
     * @param word its entry
     * @return whether it is as from {@link #leaving}
     */
    public static boolean isLeaving(int word) {
        return word >>> REST_BITS == LEAVING >>> REST_BITS;
    }

    /**
     * The frame that an entry names.
     *
     * @param word {@link #isPresent} or {@link #isLeaving}
     * @return its number
     */
    public static int frame(int word) {
        return isLeaving(word) ? word & REST : word - 1;
    }
}
