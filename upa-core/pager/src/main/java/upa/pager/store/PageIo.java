package upa.pager.store;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Objects;
import java.util.zip.CRC32C;

/**
 * The one batch of pages: content, slot, checksum and result of each. Owned by one thread or one store at a time.
 *
 * <p>Content lies page by page in one aligned piece of native memory, so that stores can pass it on without a copy.
 */
public final class PageIo {
    /** Bytes of a page. */
    public static final int PAGE_BYTES = 4096;
    /** Bits of a checksum: the low ones of CRC-32C. */
    public static final int CHECK_BITS = 29;

    private static final int CHECK_MASK = (1 << CHECK_BITS) - 1;

    /** What has become of a page. */
    public enum Result {
        /** Not dealt with yet. */
        PENDING,
        /** Written or read. */
        OK,
        /** Not written: the store has no room. */
        FULL,
        /** Not written: it would not become smaller, or is not what this store is for. */
        UNSUITABLE,
        /** Not read: what came back is not what was written. */
        DAMAGED,
        /** Not read: the store has nothing there. */
        MISSING,
        /** Neither: the store cannot be reached now. */
        UNREACHABLE
    }

    private static final ThreadLocal<CRC32C> CRC = ThreadLocal.withInitial(CRC32C::new);

    private final MemorySegment data;
    private final ByteBuffer bytes;
    private final int[] slots;
    private final int[] checks;
    private final Result[] results;
    private int count;

    /**
     * Makes an empty batch.
     *
     * @param arena    owns its memory
     * @param capacity most pages
     */
    public PageIo(Arena arena, int capacity) {
        data = arena.allocate((long) capacity * PAGE_BYTES, PAGE_BYTES);
        bytes = data.asByteBuffer();
        slots = new int[capacity];
        checks = new int[capacity];
        results = new Result[capacity];
    }

    /** {@return most pages} */
    public int capacity() {
        return slots.length;
    }

    /** {@return how many pages} */
    public int count() {
        return count;
    }

    /**
     * Begins anew, with nothing dealt with.
     *
     * @param pages how many, up to {@link #capacity()}
     */
    public void begin(int pages) {
        count = Objects.checkIndex(pages, slots.length + 1);
        Arrays.fill(results, 0, count, Result.PENDING);
    }

    /** {@return content of all pages, in their order} */
    public MemorySegment data() {
        return data;
    }

    /**
     * Content of one page.
     *
     * @param i its index in the batch
     * @return its 4096 bytes
     */
    public MemorySegment page(int i) {
        return data.asSlice((long) i * PAGE_BYTES, PAGE_BYTES);
    }

    /**
     * Content of pages in a row, as a buffer of its own.
     *
     * @param i     index of the first
     * @param pages how many
     * @return from position to limit
     */
    public ByteBuffer buffer(int i, int pages) {
        return bytes.duplicate().position(i * PAGE_BYTES).limit((i + pages) * PAGE_BYTES);
    }

    /**
     * Slot of a page.
     *
     * @param i its index in the batch
     * @return the slot
     */
    public int slot(int i) {
        return slots[i];
    }

    /**
     * Sets the slot of a page.
     *
     * @param i    its index in the batch
     * @param slot where it is
     */
    public void slot(int i, int slot) {
        slots[i] = slot;
    }

    /**
     * Checksum of a page.
     *
     * @param i its index in the batch
     * @return as it was set
     */
    public int check(int i) {
        return checks[i];
    }

    /**
     * Sets the checksum of a page.
     *
     * @param i     its index in the batch
     * @param check of its content
     */
    public void check(int i, int check) {
        checks[i] = check;
    }

    /**
     * Computes the checksum of a page from its content, and sets it.
     *
     * @param i its index in the batch
     */
    public void computeCheck(int i) {
        checks[i] = checksum(i);
    }

    private int checksum(int i) {
        CRC32C crc = CRC.get();
        crc.reset();
        crc.update(buffer(i, 1));
        return (int) crc.getValue() & CHECK_MASK;
    }

    /**
     * Ends a read: the result is OK if the content is what was written, else DAMAGED.
     *
     * @param i index of the page in the batch
     */
    public void verify(int i) {
        results[i] = checksum(i) == checks[i] ? Result.OK : Result.DAMAGED;
    }

    /**
     * What has become of a page.
     *
     * @param i its index in the batch
     * @return its result
     */
    public Result result(int i) {
        return results[i];
    }

    /**
     * Sets what has become of a page.
     *
     * @param i      its index in the batch
     * @param result what
     */
    public void result(int i, Result result) {
        results[i] = result;
    }

    /**
     * Makes a page take the place of one before it: content, slot and checksum.
     *
     * @param i  its index in the batch
     * @param to the other's, which is lost
     */
    public void moveUp(int i, int to) {
        page(to).copyFrom(page(i));
        slots[to] = slots[i];
        checks[to] = checks[i];
    }
}
