package upa.internal.region.device;

import static upa.llfree.LlFreeDescriptor.CHILD_PAGES;

import java.util.BitSet;
import upa.llfree.LlFree;

/** Every frame of the pool is free, or in exactly one word; words and what is recorded of free pages agree. */
final class Check {
    private final LlFree pages;
    private final FrameWords words;
    private final Frames frames;
    private final BitSet attached = new BitSet();

    private Check(FrameWords words, Frames frames) {
        this.words = words;
        this.frames = frames;
        pages = words.pages;
    }

    /** IllegalStateException with one line about the first fault of a quiet region. */
    static void validate(FrameWords words, Frames frames) {
        words.pages.validate();
        frames.all.validate();
        new Check(words, frames).run();
    }

    private void run() {
        long still = 0;
        for (long page = 0; page < pages.touchedChildren() * CHILD_PAGES; page++) {
            int word = words.word(page);
            boolean isFree = pages.next(page, 1, true) >= 0;
            boolean isPopulated = pages.nextStale(page, 1) >= 0 || pages.childState(page) == LlFree.ZEROED;
            // What is recorded is an upper bound: of two threads that free parts of a child, one may set marks of the
            // other.
            if (isFree ? word != 0 && !isPopulated : word == 0) {
                throw new IllegalStateException(
                        "page=" + page + " word=" + word + " free=" + isFree + " populated=" + isPopulated);
            }
            if (word != 0) {
                checkFrame(page, word);
                still += isFree ? 1 : 0;
            }
        }
        long pool = frames.pool();
        long free = frames.all.stats().freePages();
        if (free + attached.cardinality() != pool || free != frames.free() || still != words.deferred.get()) {
            throw new IllegalStateException("pool=" + pool + " free=" + free + " counted=" + frames.free()
                    + " attached=" + attached.cardinality() + " deferred=" + words.deferred + " found=" + still);
        }
    }

    private void checkFrame(long page, int word) {
        if (word < 0 || word > frames.pool() || attached.get(word) || frames.all.next(word - 1, 1, true) >= 0) {
            throw new IllegalStateException("page=" + page + " word=" + word + " pool=" + frames.pool()
                    + ": its frame is free, stands at another page, or is not in the pool");
        }
        attached.set(word);
    }
}
