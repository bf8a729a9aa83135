package upa.pager.live;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.BitSet;
import upa.pager.place.PlaceWord;
import upa.pager.place.Words;

/**
 * Where each page of a process is: its {@link PlaceWord}. A page in memory that is {@link PlaceWord#MOVING} has been
 * chosen as a victim; one in a store that is {@link PlaceWord#WANTED} is being read, and one that is MOVING is on its
 * way to another store. One that is {@link PlaceWord#CLEAN} is in memory and in a store; whether it has been chosen its
 * word does not say. {@link #LOST} has no content any more that could be trusted.
 *
 * <p>The words outlive the pager: they lie in memory that the process keeps. All else is made anew from them. Changed
 * by the session's thread; the policy's thread chooses victims, and reads.
 */
final class PageStates implements Words {
    /** No place, and yet not zero: its store has lost it. */
    static final long LOST = PlaceWord.claimed(0, PlaceWord.WANTED);

    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();

    private final MemorySegment words;
    private final int pages;
    /** Pages whose word is not 0: nothing is to be read of others, since that would take memory. */
    private final BitSet known = new BitSet();

    private final BitSet inMemory = new BitSet();
    private final BitSet eligible = new BitSet();
    private final BitSet outside = new BitSet();
    private final BitSet clean = new BitSet();
    /** Victims that have a copy. */
    private final BitSet chosenClean = new BitSet();

    private int cleanCount;
    /** Pages that are the program's own as those in memory are, but that the kernel has in swap or on a far node. */
    private final BitSet aside = new BitSet();

    private int asideCount;
    private int resident;
    private int outsideCount;

    PageStates(int pages) {
        this(MemorySegment.ofArray(new long[pages]));
    }

    /** Of words that are 0; others are to be set. */
    PageStates(MemorySegment words) {
        this.words = words;
        pages = Math.toIntExact(words.byteSize() / Long.BYTES);
    }

    int pages() {
        return pages;
    }

    /** The word as it is in memory, also if it has not been set here. */
    long stored(int page) {
        return (long) WORD.getAcquire(words, (long) page * Long.BYTES);
    }

    @Override
    public synchronized long get(int page) {
        return known.get(page) ? stored(page) : 0;
    }

    @Override
    public synchronized boolean change(int page, long from, long to) {
        if (get(page) != from) {
            return false;
        }
        set(page, to);
        return true;
    }

    static boolean isOutside(long word) {
        return PlaceWord.place(word) > PlaceWord.MEMORY && !PlaceWord.isClean(word);
    }

    /** Changes a word, and returns what it was. The process may have written it before, and told the caller. */
    synchronized long set(int page, long word) {
        long was = get(page);
        if (stored(page) != word) {
            WORD.setRelease(words, (long) page * Long.BYTES, word);
        }
        asideCount -= aside.get(page) ? 1 : 0;
        aside.clear(page);
        boolean isInMemory = PlaceWord.isInMemory(word);
        resident += (isInMemory ? 1 : 0) - (inMemory.get(page) ? 1 : 0);
        outsideCount += (isOutside(word) ? 1 : 0) - (outside.get(page) ? 1 : 0);
        known.set(page, word != 0);
        inMemory.set(page, isInMemory);
        cleanCount += (PlaceWord.isClean(word) ? 1 : 0) - (clean.get(page) ? 1 : 0);
        eligible.set(page, word == memory() || PlaceWord.isClean(word));
        outside.set(page, isOutside(word));
        clean.set(page, PlaceWord.isClean(word));
        chosenClean.clear(page);
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
        if (!eligible.get(page)) {
            return false;
        }
        if (clean.get(page)) {
            chosenClean.set(page);
            eligible.clear(page);
        } else {
            set(page, chosen());
        }
        return true;
    }

    /** Whether a page is a victim still. */
    synchronized boolean isChosen(int page) {
        return get(page) == chosen() || chosenClean.get(page);
    }

    /** A victim stays in memory after all, with its copy if it has one. */
    synchronized void spare(int page) {
        set(page, clean.get(page) ? stored(page) : memory());
    }

    /** The kernel has taken a page out of memory that counts: it is in swap, or on a far node, and mapped still. */
    synchronized void setAside(int page) {
        set(page, memory());
        inMemory.clear(page);
        resident--;
        eligible.clear(page);
        aside.set(page);
        asideCount++;
    }

    /** The words will be there no longer: nothing is read of them from now on. */
    synchronized void end() {
        for (BitSet set : new BitSet[] {known, inMemory, eligible, outside, clean, chosenClean, aside}) {
            set.clear();
        }
        asideCount = 0;
    }

    /** The first page from there on that is in swap or on a far node as far as is known, or -1. */
    synchronized int nextAside(int from) {
        return aside.nextSetBit(from);
    }

    synchronized boolean isAside(int page) {
        return aside.get(page);
    }

    /** Pages in swap or on a far node as far as is known. */
    synchronized int aside() {
        return asideCount;
    }

    /** The first page from there on that is in memory and has a copy, or -1. */
    synchronized int nextClean(int from) {
        return clean.nextSetBit(from);
    }

    /** Pages in memory that have a copy. */
    synchronized int clean() {
        return cleanCount;
    }

    /** The first page from there on that has a word, or -1. */
    synchronized int nextKnown(int from) {
        return known.nextSetBit(from);
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
        return outsideCount;
    }

    synchronized boolean isEligible(int page) {
        return eligible.get(page);
    }
}
