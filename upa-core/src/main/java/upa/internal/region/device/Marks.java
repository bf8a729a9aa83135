package upa.internal.region.device;

import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;

import upa.internal.os.RawMemory;

/**
 * What the module says of memory that it has taken by itself: words in the state, laid out as upa.h of the module says
 * of UPADEV_ALLOCATORS. It sets marks of children, which are cleared here; all else it alone writes.
 */
final class Marks {
    /** Words before the marks: how many frames were taken, and the bound. */
    private static final long FIRST_MARK = 2;

    private static final long BOUND_WORD = 1;

    private final long address;
    private final long pageWords;
    private final long frameWords;

    Marks(long address, long pages, long frames) {
        this.address = address;
        pageWords = words(pages);
        frameWords = words(frames);
    }

    /** {@return the size of the marks for so many pages and frames} */
    static long bytes(long pages, long frames) {
        return (FIRST_MARK + words(pages) + words(frames) + frames / Long.SIZE) * Long.BYTES;
    }

    /** For each child a bit. */
    private static long words(long units) {
        long children = Math.ceilDiv(units, CHILD_PAGES);
        return Math.ceilDiv(children, Long.SIZE);
    }

    private long at(long word) {
        return address + word * Long.BYTES;
    }

    /** {@return how many frames the module has taken so far} */
    long taken() {
        return RawMemory.getLongAcquire(address);
    }

    /** {@return how many frames may have memory, or UPADEV_NO_BOUND} */
    long bound() {
        return RawMemory.getLongOpaque(at(BOUND_WORD));
    }

    /** {@return whether the module has taken the memory of a frame; sure of one that stands at no page} */
    boolean isAbsent(long frame) {
        long word = RawMemory.getLongAcquire(at(FIRST_MARK + pageWords + frameWords + frame / Long.SIZE));
        return (word >>> frame & 1) != 0;
    }

    /** {@return whether all of them are absent} */
    boolean areAbsent(PageRanges frames) {
        for (int i = 0; i < frames.count(); i++) {
            for (long n = 0; n < frames.lengthOf(i); n++) {
                if (!isAbsent(frames.firstOf(i) + n)) {
                    return false;
                }
            }
        }
        return true;
    }

    /** {@return a child with free pages whose frames were taken, the mark of which is cleared now, or -1} */
    long nextPageChild() {
        return claim(FIRST_MARK, pageWords);
    }

    /** {@return a child of frames, the same} */
    long nextFrameChild() {
        return claim(FIRST_MARK + pageWords, frameWords);
    }

    private long claim(long first, long words) {
        for (long i = 0; i < words; i++) {
            long word;
            while ((word = RawMemory.getLongOpaque(at(first + i))) != 0) {
                if (RawMemory.compareAndSetLongVolatile(at(first + i), word, word & (word - 1))) {
                    return i * Long.SIZE + Long.numberOfTrailingZeros(word);
                }
            }
        }
        return -1;
    }
}
