package upa.pager.store;

import java.util.Arrays;

/**
 * From slots of one store to slots of another: open addressing, linear probing, deletion by moving up. An entry is one
 * long: key + 1 above value, 0 if it is free. Belongs to one thread at a time.
 */
final class SlotMap {
    static final int NONE = -1;

    private static final int LEAST = 64;
    private static final int SPREAD = 0x9e3779b9;

    private long[] entries = new long[LEAST];
    private int size;

    int size() {
        return size;
    }

    private int home(int key) {
        return (key * SPREAD) >>> Integer.numberOfLeadingZeros(entries.length - 1);
    }

    private static int key(long entry) {
        return (int) (entry >>> Integer.SIZE) - 1;
    }

    private int find(int key) {
        int mask = entries.length - 1;
        int at = home(key);
        while (entries[at] != 0 && key(entries[at]) != key) {
            at = at + 1 & mask;
        }
        return at;
    }

    /** Returns the value of a key, or {@link #NONE}. */
    int get(int key) {
        long entry = entries[find(key)];
        return entry == 0 ? NONE : (int) entry;
    }

    /** Sets the value of a key that has none. */
    void put(int key, int value) {
        if (2 * (size + 1) > entries.length) {
            grow();
        }
        entries[find(key)] = (key + 1L) << Integer.SIZE | value & 0xffffffffL;
        size++;
    }

    private void grow() {
        long[] old = entries;
        entries = new long[2 * old.length];
        for (long entry : old) {
            if (entry != 0) {
                entries[find(key(entry))] = entry;
            }
        }
    }

    /** Removes a key, and returns the value that it had, or {@link #NONE}. */
    int remove(int key) {
        int at = find(key);
        if (entries[at] == 0) {
            return NONE;
        }
        int value = (int) entries[at];
        int mask = entries.length - 1;
        int gap = at;
        for (int next = at + 1 & mask; entries[next] != 0; next = next + 1 & mask) {
            // Moves up if its home is not between the gap and itself.
            if ((next - home(key(entries[next])) & mask) >= (next - gap & mask)) {
                entries[gap] = entries[next];
                gap = next;
            }
        }
        entries[gap] = 0;
        size--;
        return value;
    }

    void clear() {
        Arrays.fill(entries, 0);
        size = 0;
    }
}
