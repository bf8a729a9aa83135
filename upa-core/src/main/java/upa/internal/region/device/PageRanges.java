package upa.internal.region.device;

import java.util.Arrays;

/**
 * A list of ranges of pages, or of page frames, that grows; of what is added, neighbours make one range. For one
 * thread.
 */
final class PageRanges {
    /** First page and number of pages of each range, in turn: the layout of the module's struct upadev_range. */
    private long[] words = new long[8];

    private int count;
    private long pages;

    /** Adds a range that no other overlaps. */
    void add(long first, long n) {
        pages += n;
        if (count > 0 && firstOf(count - 1) + lengthOf(count - 1) == first) {
            words[2 * count - 1] += n;
        } else if (count > 0 && first + n == firstOf(count - 1)) {
            words[2 * count - 2] = first;
            words[2 * count - 1] += n;
        } else {
            if (2 * count == words.length) {
                words = Arrays.copyOf(words, 2 * words.length);
            }
            words[2 * count] = first;
            words[2 * count + 1] = n;
            count++;
        }
    }

    void clear() {
        count = 0;
        pages = 0;
    }

    int count() {
        return count;
    }

    /** Pages in all ranges. */
    long pages() {
        return pages;
    }

    long firstOf(int range) {
        return words[2 * range];
    }

    long lengthOf(int range) {
        return words[2 * range + 1];
    }

    /** The ranges themselves, of which the first {@link #count} are valid. */
    long[] words() {
        return words;
    }
}
