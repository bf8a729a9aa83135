package upa.pager.live;

import java.util.Arrays;
import java.util.BitSet;
import upa.pager.place.PlaceWord;
import upa.pager.place.Words;

/**
 * Where each page of a process is: its {@link PlaceWord}. A page in memory that is {@link PlaceWord#MOVING} has been
 * chosen as a victim; one in a store that is {@link PlaceWord#WANTED} is being read, and one that is MOVING is on its
 * way to another store. {@link #LOST} has no content any
 * more that could be trusted.
 *
 * <p>Changed by the session's thread; the policy's thread chooses victims, and reads.
 */
final class PageStates implements Words {
    /** No place, and yet not zero: its store has lost it. */
    static final long LOST = PlaceWord.claimed(0, PlaceWord.WANTED);

    private final long[] words;
    private final BitSet eligible = new BitSet();
    private final BitSet outside = new BitSet();
    private int resident;

    PageStates(int pages) {
        words = new long[pages];
    }

    int pages() {
        return words.length;
    }

    @Override
    public synchronized long get(int page) {
        return words[page];
    }

    @Override
    public synchronized boolean change(int page, long from, long to) {
        if (words[page] != from) {
            return false;
        }
        set(page, to);
        return true;
    }

    static boolean isOutside(long word) {
        return PlaceWord.place(word) > PlaceWord.MEMORY;
    }

    /** Changes a word, and returns what it was. */
    synchronized long set(int page, long word) {
        long was = words[page];
        words[page] = word;
        resident += (PlaceWord.place(word) == PlaceWord.MEMORY ? 1 : 0)
                - (PlaceWord.place(was) == PlaceWord.MEMORY ? 1 : 0);
        eligible.set(page, word == memory());
        outside.set(page, isOutside(word));
        return was;
    }

    static long memory() {
        return PlaceWord.of(PlaceWord.MEMORY, 0, 0);
    }

    static long chosen() {
        return PlaceWord.claimed(memory(), PlaceWord.MOVING);
    }

    /** Makes a page a victim. Returns false if it cannot be. */
    synchronized boolean choose(int page) {
        if (words[page] != memory()) {
            return false;
        }
        set(page, chosen());
        return true;
    }

    /** The first page from there on that can be a victim, or -1. */
    synchronized int nextEligible(int from) {
        return eligible.nextSetBit(from);
    }

    /** The first page from there on whose content is outside of memory, or -1. */
    synchronized int nextOutside(int from) {
        return outside.nextSetBit(from);
    }

    /** Pages in memory, victims too. */
    synchronized int resident() {
        return resident;
    }

    synchronized int outside() {
        return outside.cardinality();
    }

    synchronized boolean isEligible(int page) {
        return eligible.get(page);
    }

    synchronized void clear() {
        Arrays.fill(words, 0);
        eligible.clear();
        outside.clear();
        resident = 0;
    }
}
