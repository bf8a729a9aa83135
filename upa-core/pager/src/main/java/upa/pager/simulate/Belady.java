package upa.pager.simulate;

import java.util.Arrays;

/**
 * The fewest faults possible: the page that is used again last leaves (L. A. Belady, A study of replacement algorithms
 * for a virtual-storage computer, 1966). Exact for pages that come one at a time, on demand.
 */
public final class Belady {
    private Belady() {}

    /**
     * Counts faults, first touches among them.
     *
     * @param trace the accesses
     * @param bound pages in memory, at least 1
     * @return how many accesses find their page not resident
     */
    public static long faults(PageTrace trace, int bound) {
        if (bound < 1) {
            throw new IllegalArgumentException("bound=" + bound);
        }
        int n = trace.size();
        int[] nextUse = new int[n];
        int[] seen = new int[trace.pages()];
        Arrays.fill(seen, n);
        for (int i = n - 1; i >= 0; i--) {
            nextUse[i] = seen[trace.page(i)];
            seen[trace.page(i)] = i;
        }
        // Each resident page has one valid entry: its next use, above its number. Former ones are skipped when they
        // come up.
        int[] next = new int[trace.pages()];
        Arrays.fill(next, -1);
        Heap heap = new Heap();
        long faults = 0;
        int resident = 0;
        for (int i = 0; i < n; i++) {
            int page = trace.page(i);
            if (next[page] < 0) {
                faults++;
                if (resident == bound) {
                    int victim;
                    long top;
                    do {
                        top = heap.removeLargest();
                        victim = (int) top;
                    } while (next[victim] != (int) (top >>> 32));
                    next[victim] = -1;
                } else {
                    resident++;
                }
            }
            next[page] = nextUse[i];
            heap.add((long) nextUse[i] << 32 | page);
        }
        return faults;
    }

    /** A binary heap of numbers. */
    private static final class Heap {
        private long[] values = new long[1024];
        private int size;

        void add(long value) {
            if (size == values.length) {
                values = Arrays.copyOf(values, 2 * size);
            }
            int at = size++;
            while (at > 0 && values[at - 1 >>> 1] < value) {
                values[at] = values[at - 1 >>> 1];
                at = at - 1 >>> 1;
            }
            values[at] = value;
        }

        long removeLargest() {
            long largest = values[0];
            long value = values[--size];
            int at = 0;
            while (2 * at + 1 < size) {
                int child = 2 * at + 1;
                child += child + 1 < size && values[child + 1] > values[child] ? 1 : 0;
                if (values[child] <= value) {
                    break;
                }
                values[at] = values[child];
                at = child;
            }
            values[at] = value;
            return largest;
        }
    }
}
