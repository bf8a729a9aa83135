package upa.llfree;

import static upa.internal.os.RawMemory.*;
import static upa.llfree.LlFreeDescriptor.*;
import static upa.llfree.Words.*;

/** Takes pages: first where the slot is at home, then by ever wider searches. {@code s} is the address of a slot. */
final class Get {
    static final int GET_ZEROS = 1;
    static final int GET_ABSENT = 2;
    static final int GET_CONTENTS = 4;
    static final int GET_ALIGNED = 8;

    /** Nothing free can serve the request. */
    static final int NO_MEMORY = -12;
    /** A page of the range is not free. */
    static final int BUSY = -16;
    /** The tickets of a range are not to be found. */
    private static final int AGAIN = -11;
    /** A search has seen room but could not have it. */
    private static final int MISSED = -2;

    /** Trees to try for a run that their counters promise but their fragments may not hold. */
    private static final int RESERVE_TRIES = 4;
    /**
     * Searches of the whole state before a get fails though there may have been room each time: it has seen some, and
     * others were quicker, or pages became free meanwhile, which may be where it had already been.
     */
    private static final int SEARCH_TRIES = 16;

    private Get() {}

    // ---- exactly these pages ---------------------------------------------------------------------------------

    /** Takes exactly these pages: 0, or BUSY if one of them is not free. */
    static int at(State a, long s, long first, long pages) {
        for (int tries = 0; tries < SEARCH_TRIES; tries++) {
            if (Search.nextPage(a, first, first + pages, false) != first + pages) {
                return BUSY;
            }
            if (range(a, s, first, pages, true) == 0) {
                return 0;
            }
            Thread.yield();
        }
        return BUSY;
    }

    /** Frees what this thread has just taken. */
    private static void undo(State a, long s, long first, long end) {
        Put.range(a, s, first, end - first, Child.UNCHANGED);
    }

    /**
     * Takes exactly these pages of one tree, whose polarity is {@code flip}. Returns how many before the first child
     * whose pages are not all free.
     */
    private static int pages(State a, long first, long end, long flip) {
        long c = first / CHILD_PAGES;
        int lo = (int) (first % CHILD_PAGES);
        int all = (int) (end - first);
        int left = all;
        if (lo != 0) {
            int n = Math.min(left, CHILD_PAGES - lo);
            if (!Child.getPart(a, c++, flip, lo, lo + n)) {
                return 0;
            }
            left -= n;
        }
        for (; left >= CHILD_PAGES; left -= CHILD_PAGES) {
            if (!Child.getWhole(a, c++, flip)) {
                return all - left;
            }
        }
        return left != 0 && !Child.getPart(a, c, flip, 0, left) ? all - left : all;
    }

    /** Of one tree: 0, BUSY if one of them is not free, AGAIN if their tickets are not to be found. */
    private static int inOneTree(State a, long s, long first, long end, boolean overdraw) {
        long tree = first / TREE_PAGES;
        long flip = Tickets.take(a, s, tree, (int) (end - first), overdraw);
        if (flip == Tickets.NONE) {
            return AGAIN;
        }
        int got = pages(a, first, end, flip);
        if (got == end - first) {
            return 0;
        }
        // The tickets of what has been taken so far go back with it.
        Tickets.give(a, s, tree, (int) (end - first) - got);
        undo(a, s, first, first + got);
        return BUSY;
    }

    /** Takes exactly these pages: 0, BUSY if one of them is not free, AGAIN if their tickets are not to be found. */
    private static int range(State a, long s, long first, long pages, boolean overdraw) {
        long end = first + pages;
        a.touchChildren((end + CHILD_PAGES - 1) / CHILD_PAGES);
        long at = first;
        while (at < end) {
            long treeEnd = Math.min((at / TREE_PAGES + 1) * TREE_PAGES, end);
            if (treeEnd - at == TREE_PAGES) {
                if (at % GROUP_PAGES == 0 && end - at >= GROUP_PAGES && Trees.getWholeGroup(a, at / GROUP_PAGES)) {
                    at += GROUP_PAGES;
                    continue;
                }
                if (Trees.getWhole(a, at / TREE_PAGES)) {
                    at = treeEnd;
                    continue;
                }
            }
            int error = inOneTree(a, s, at, treeEnd, overdraw);
            if (error != 0) {
                undo(a, s, first, at);
                return error;
            }
            at = treeEnd;
        }
        return 0;
    }

    // ---- at most one child -----------------------------------------------------------------------------------

    /** Words looked at, for pages that have memory, before a child without any is begun: for each page wanted. */
    private static final int LOOKS_A_PAGE = 2;
    /** And at least. */
    private static final int LEAST_LOOKS = 64;
    /** Below so many pages, what is left of a child that has been begun is taken without looking elsewhere. */
    private static final int FEW_PAGES = 8;
    /** Trees to change to for the sake of memory that is there; others may be quicker. */
    private static final int MOVE_TRIES = 2;

    private static final int PASSES = 4;

    /**
     * The states of the children that suit a request, as sets of four bits, best first from the lowest bits on: what
     * saves a fault, then what saves or wastes clearing. In the first two passes MIXED stands for pages that are stale.
     */
    private static int suits(int flags) {
        if ((flags & GET_ABSENT) != 0) {
            return only(ABSENT) | (ANY_STATE & ~only(ABSENT)) << 8;
        }
        int stale = only(STALE) | only(MIXED);
        int populated = (flags & GET_ZEROS) != 0 ? only(ZEROED) | stale << 4 : stale | only(ZEROED) << 4;
        return populated | only(MIXED) << 8 | only(ABSENT) << 12;
    }

    /** Takes n pages of a child; with {@code stale} only such whose stale bit is set. */
    private static long inChild(State a, long c, long flip, int n, int align, boolean stale) {
        if (n < CHILD_PAGES) {
            return Child.get(a, c, flip, n, align, stale);
        }
        if (stale && !Bits.allStale(a.bitmapAt(c), 0, CHILD_PAGES)) {
            return NONE;
        }
        return Child.getWhole(a, c, flip) ? c * CHILD_PAGES : NONE;
    }

    /** Takes n pages from the free end of child c - 1 on that reach into child c, as {@link Search#border}; or NONE. */
    private static long across(State a, long c, long flip, int n, int states, boolean stale) {
        long page = Search.border(a, c, flip, n, states, stale);
        int lo = (int) (page % CHILD_PAGES);
        if (page < 0 || !Child.getPart(a, c - 1, flip, lo, CHILD_PAGES)) {
            return NONE;
        }
        if (Child.getPart(a, c, flip, 0, n - (CHILD_PAGES - lo))) {
            return page;
        }
        Child.putPart(a, c - 1, flip, lo, CHILD_PAGES, Child.UNCHANGED);
        return NONE;
    }

    /**
     * The same at some border of the tree that begins with child {@code base}, from {@code from} on, between children
     * that are in use. So blocks of one size lie side by side, no end of a child is left over, and who frees some of
     * them finds one place for each.
     */
    private static long atBorder(State a, long base, long from, long flip, int n, int states, boolean stale) {
        for (int i = 0; i < TREE_CHILDREN; i++) {
            long c = base + (from + i) % TREE_CHILDREN;
            if (c > base && c < a.children && !isFree(getIntOpaque(a.childAt(c)), flip)) {
                long page = across(a, c, flip, n, states, stale);
                if (page >= 0) {
                    return page;
                }
            }
        }
        return NONE;
    }

    /**
     * Takes n pages of child c right before the first in use, where free ones go on into the end of child c - 1: so
     * what is left of them lies in one piece. Else NONE.
     */
    private static long before(State a, long c, long treeFlip, int n, boolean stale) {
        long bits = a.bitmapAt(c);
        long flipBefore = childFlip(getIntOpaque(a.childAt(c - 1)), treeFlip);
        int end = Bits.next(bits, childFlip(getIntOpaque(a.childAt(c)), treeFlip), 0);
        if (end < n
                || end == CHILD_PAGES
                || Bits.endOfAllocated(a.bitmapAt(c - 1), flipBefore) == CHILD_PAGES
                || stale && !Bits.allStale(bits, end - n, end)
                || !Child.getPart(a, c, treeFlip, end - n, end)) {
            return NONE;
        }
        return c * CHILD_PAGES + end - n;
    }

    /**
     * Takes n pages of the tree for which the caller has tickets of a slot's word, from the child where that begins, in
     * passes from {@code pass} on; NONE if it has none. If {@code crosses}, they may lie in two children, at the end of
     * one and the start of the next, before another child is begun.
     */
    private static long inTree(State a, long word, int n, int align, int suits, int pass, boolean crosses) {
        long hint = slotChild(word);
        long flip = slotFlip(word);
        long base = hint - hint % TREE_CHILDREN;
        int seen = ANY_STATE;
        for (int end = pass + PASSES / 2; pass < end; pass++) {
            int set = suits >> 4 * pass & ANY_STATE;
            boolean stale = pass < PASSES / 2;
            int states = stale ? set : ANY_STATE; // of both sides of a border
            if ((seen & set) == 0) {
                continue;
            }
            seen = 0;
            // Twice round: those that are partly used come first, so that others stay whole for large runs.
            for (int i = 0; i < 2 * TREE_CHILDREN; i++) {
                long page = NONE;
                if (crosses && i == TREE_CHILDREN) {
                    page = atBorder(a, base, hint, flip, n, states, stale);
                }
                if (page >= 0) {
                    return page;
                }
                long c = base + (hint + i) % TREE_CHILDREN;
                int w = getIntOpaque(a.childAt(c));
                int state = childState(w);
                // A last tree may be short of children and pages. Its words say so, unless somebody has overwritten
                // them.
                if (childFree(w, childFlip(w, flip)) < n || c >= a.children) {
                    continue;
                }
                seen |= only(state);
                if (!isIn(set, state) || (state == ABSENT || isFree(w, flip)) != i >= TREE_CHILDREN) {
                    continue;
                }
                // What begins with a child had better begin where the one before ends.
                if (crosses && c > base) {
                    page = across(a, c, flip, n, states, stale);
                    page = page < 0 ? before(a, c, flip, n, state == MIXED && stale) : page;
                }
                if (page < 0) {
                    page = inChild(a, c, flip, n, align, state == MIXED && stale);
                }
                if (page >= 0 && page + n <= a.pages) {
                    return page;
                }
            }
        }
        return NONE;
    }

    private static int freshLooks(int n) {
        return Math.max(n * LOOKS_A_PAGE, LEAST_LOOKS);
    }

    /** How many words to look at, for pages that have memory, if the slot's tree has none such. */
    private static int looks(State a, long word, int n) {
        int w = getIntOpaque(a.childAt(slotChild(word)));
        int free = childFree(w, childFlip(w, slotFlip(word)));
        if (free < n || free >= CHILD_PAGES || !isIn(only(ABSENT) | only(MIXED), childState(w))) {
            return freshLooks(n);
        }
        return n < FEW_PAGES ? 0 : n;
    }

    /** Has another child of the tree of c, in one of these states, n free pages? */
    private static boolean isAround(State a, long c, long flip, int n, int states) {
        long base = c - c % TREE_CHILDREN;
        for (long other = base; other < base + TREE_CHILDREN; other++) {
            int w = getIntOpaque(a.childAt(other));
            if (isIn(states, childState(w)) && other != c && childFree(w, childFlip(w, flip)) >= n) {
                return true;
            }
        }
        return false;
    }

    /**
     * Takes n pages of child c, where the slot's last get ended, if nothing of its tree is better: what {@link #beyond}
     * would take, in one look. Else NONE.
     */
    private static long near(State a, long c, long flip, int n, int align, int flags) {
        int suits = suits(flags);
        int w = getIntOpaque(a.childAt(c));
        int state = childState(w);
        int free = childFree(w, childFlip(w, flip));
        if (free < n) {
            return NONE;
        }
        long page = NONE;
        int best = suits & ANY_STATE;
        if (isIn(best, state) || isIn(suits >> 4 & ANY_STATE, state) && !isAround(a, c, flip, n, best)) {
            page = inChild(a, c, flip, n, align, state == MIXED);
        }
        // The rest of a child that has been begun.
        if (page < 0
                && n < FEW_PAGES
                && free < CHILD_PAGES
                && (flags & GET_ABSENT) == 0
                && isIn(only(ABSENT) | only(MIXED), state)
                && !isAround(a, c, flip, n, ANY_STATE & ~only(ABSENT))) {
            page = inChild(a, c, flip, n, align, false);
        }
        return page;
    }

    /** At most 512 pages: of one child, or of the end of one and the start of the next, wherever that can be. */
    static long small(State a, long s, int n, int align, int flags) {
        long w = a.slotLoad(s);
        // Mostly the child where the slot's last get ended has what is wanted.
        if (isPresent(w) && slotFree(w) >= n && weakCompareAndSetLongVolatile(s, w, w - n)) {
            long c = slotChild(w);
            long page = near(a, c, slotFlip(w), n, align, flags);
            if (page >= 0 && page + n <= a.pages) {
                return page;
            }
            Tickets.give(a, s, c / TREE_CHILDREN, n);
        }
        return beyond(a, s, n, align, flags);
    }

    /** The rest of {@link #small}: the child where the slot's last get ended has not been enough. */
    private static long beyond(State a, long s, int n, int align, int flags) {
        int suits = suits(flags);
        int moves = (flags & GET_ABSENT) != 0 ? 0 : MOVE_TRIES;
        boolean crosses = align == 1 && n > 1 && n < CHILD_PAGES && (flags & (GET_ABSENT | GET_ALIGNED)) == 0;
        long from = 0;
        for (int tries = 0; tries < RESERVE_TRIES; ) {
            long w = a.slotLoad(s);
            long better = NONE;
            if (isPresent(w)) {
                if (slotFree(w) < n) {
                    if (Tickets.fetch(a, s, w, n)) {
                        continue;
                    }
                } else {
                    if (!weakCompareAndSetLongVolatile(s, w, w - n)) {
                        continue;
                    }
                    long page = inTree(a, w, n, align, suits, 0, crosses);
                    if (page < 0 && moves > 0) {
                        better = Populated.child(a, n, align, crosses, looks(a, w, n));
                    }
                    if (page < 0 && better < 0) {
                        page = inTree(a, w, n, align, suits, PASSES / 2, crosses);
                    }
                    long hint = slotChild(w);
                    if (page >= 0) {
                        long c = (page + n - 1) / CHILD_PAGES;
                        if (c != hint) {
                            weakCompareAndSetLongVolatile(s, w - n, withChild(w - n, c));
                        }
                        return page;
                    }
                    Tickets.give(a, s, hint / TREE_CHILDREN, n);
                }
            }
            if (moves > 0) {
                boolean room = better >= 0; // in the slot's tree too, if need be
                moves--;
                if (!room) {
                    better = Populated.child(a, n, align, crosses, freshLooks(n));
                }
                w = a.slotLoad(s);
                if (better >= 0 && (Tickets.reserveAt(a, s, w, better, n) || room)) {
                    continue;
                }
            }
            tries++;
            from = Tickets.reserve(a, s, w, n, from);
            if (from < 0) {
                break;
            }
        }
        return anywhere(a, s, n, align);
    }

    // ---- more than one child ---------------------------------------------------------------------------------

    /** Times that others may be quicker at the best place for a run. */
    private static final int FIT_TRIES = 4;

    /** Are the pages from .. end-1 of one child in one of the states, and may be free? */
    private static boolean suitAgain(State a, long from, long end, long flip, int states) {
        long c = from / CHILD_PAGES;
        int lo = (int) (from % CHILD_PAGES);
        int n = (int) (end - from);
        int w = getIntOpaque(a.childAt(c));
        if (!isFree(w, flip) && childFree(w, childFlip(w, flip)) < n) {
            return false;
        }
        int state = childState(w);
        return isIn(states, state) && (state != MIXED || Bits.allStale(a.bitmapAt(c), lo, lo + n));
    }

    /** Is a page free and has memory, in a tree whose polarity is {@code flip}? */
    private static boolean isPopulated(State a, long page, long flip) {
        long c = page / CHILD_PAGES;
        int lo = (int) (page % CHILD_PAGES);
        int w = getIntOpaque(a.childAt(c));
        int state = childState(w);
        long bits = a.bitmapAt(c);
        return state != ABSENT
                && !Bits.allAllocated(bits, childFlip(w, flip), lo, lo + 1)
                && (state != MIXED || Bits.allStale(bits, lo, lo + 1));
    }

    /**
     * Takes n pages from {@code first} on again, if all lie in one open tree of which the slot or nobody has all the
     * tickets, are free, and in one of the states; else NONE. MIXED stands for pages that are stale.
     */
    private static long again(State a, long s, long first, long n, int states) {
        long tree = first / TREE_PAGES;
        long end = first + n;
        if (first < 0 || first >= a.pages || n > a.pages - first || (end - 1) / TREE_PAGES != tree) {
            return NONE;
        }
        long mine = a.slotLoad(s);
        long flip;
        if (slotHolds(mine, tree)) {
            if (slotFree(mine) < n) {
                return NONE;
            }
            flip = slotFlip(mine);
        } else {
            int w = getIntOpaque(a.treeAt(tree));
            if (!isOpen(w) || isReserved(w) || treeFree(w) < n) {
                return NONE;
            }
            flip = nodeFlip(w);
        }
        for (long at = first; at < end; ) {
            long stop = Math.min((at / CHILD_PAGES + 1) * CHILD_PAGES, end);
            if (!suitAgain(a, at, stop, flip, states)) {
                return NONE;
            }
            at = stop;
        }
        // Of a longer stretch that has memory a longer run makes more.
        if (end < a.pages && end % TREE_PAGES != 0 && !isIn(states, ABSENT) && isPopulated(a, end, flip)) {
            return NONE;
        }
        a.touchChildren((end + CHILD_PAGES - 1) / CHILD_PAGES);
        return inOneTree(a, s, first, end, false) == 0 ? first : NONE;
    }

    /** Takes n pages at the best place that is found, or NONE. */
    private static long fit(State a, long s, long n) {
        for (int tries = 0; tries < FIT_TRIES; tries++) {
            long first = Fit.place(a, s, n);
            if (first < 0 || first >= a.pages || n > a.pages - first) {
                break;
            }
            if (range(a, s, first, n, false) == 0) {
                putLongOpaque(s + SLOT_RUN_HINT, first);
                return first;
            }
        }
        return NONE;
    }

    /** More than 512 pages: where they fit best, or whole children, the last of which may be taken in part. */
    static long large(State a, long s, long n, int flags) {
        boolean absent = (flags & GET_ABSENT) != 0;
        boolean fits = (flags & (GET_ABSENT | GET_ALIGNED)) == 0;
        boolean anywhere = n < TREE_PAGES && fits;
        int preferred = absent ? only(ABSENT) : ANY_STATE & ~only(ABSENT);
        long count = (n + CHILD_PAGES - 1) / CHILD_PAGES;
        long hint = getLongOpaque(s + SLOT_RUN_HINT);
        if (n >= TREE_PAGES) {
            Tickets.leaveIdle(a, s);
        } else if (anywhere || hint % CHILD_PAGES == 0) {
            long page = again(a, s, hint, n, preferred);
            if (page >= 0) {
                return page;
            }
        }
        // Where this slot freed or took its last run; for a run that may begin anywhere the best fit; then any
        // preferred memory; then any; then what others have reserved.
        for (int pass = 0; pass < 4; pass++) {
            // The rest looks at all there is, and a region that is full costs no more than it must.
            if (pass == 1) {
                if (lacksRoom(a, n)) {
                    return NO_MEMORY;
                }
                long page = fits ? fit(a, s, n) : NONE;
                if (page >= 0) {
                    return page;
                }
            }
            if (pass == 0
                    && (anywhere || hint < 0 || hint % CHILD_PAGES != 0 || hint / CHILD_PAGES > a.children - count)) {
                continue;
            }
            long from = pass == 0 ? hint / CHILD_PAGES : 0;
            long end = pass == 0 ? from + count : pass == 1 && !absent ? a.touched() : a.children;
            long own = pass < 3 ? s : 0;
            int states = pass < 2 ? preferred : ANY_STATE;
            long c;
            while ((c = Search.children(a, own, from, end, count, states)) >= 0) {
                long first = c * CHILD_PAGES;
                if (first + n <= a.pages && range(a, s, first, n, false) == 0) {
                    putLongOpaque(s + SLOT_RUN_HINT, first);
                    return first;
                }
                from = c + 1;
            }
        }
        return anywhere(a, s, n, 1);
    }

    /** Are there, for certain, no n consecutive free pages? Seen once they may have become free behind the search. */
    private static boolean lacksRoom(State a, long n) {
        if (Search.hasRoom(a, n)) {
            return false;
        }
        long freed = Counters.freedPages(a);
        return !Search.hasRoom(a, n) && Counters.freedPages(a) == freed;
    }

    // ---- the last resort -------------------------------------------------------------------------------------

    /** Page by page: where a run should lie (in one child, or from the start of one), or anywhere. */
    private static long anywhere(State a, long s, long n, long align) {
        boolean small = n <= CHILD_PAGES;
        Counters.searched(s);
        for (int tries = 0; tries < SEARCH_TRIES; tries++) {
            long freed = Counters.freedPages(a);
            boolean missed = false;
            long page = NO_MEMORY;
            if (small) {
                page = first(a, s, n, align, true, tries > 0);
                missed = page == MISSED;
            }
            // What is nowhere page by page need not be looked for at the start of children.
            if (page < 0 && align == 1 && n > 1 && Search.pages(a, 0, n, 1, false) >= 0) {
                if (!small) {
                    page = first(a, s, n, CHILD_PAGES, false, tries > 0);
                    missed = page == MISSED;
                }
                if (page < 0) {
                    page = first(a, s, n, 1, false, tries > 0);
                    missed |= page == MISSED;
                }
            }
            if (page >= 0) {
                return page;
            }
            if (tries == 0) {
                Tickets.drain(a);
            } else if (!missed && Counters.freedPages(a) == freed) {
                break;
            } else {
                Thread.yield();
            }
        }
        return NO_MEMORY;
    }

    /** Takes the first n free aligned pages there are, whoever has reserved their trees; NO_MEMORY, or MISSED some. */
    private static long first(State a, long s, long n, long align, boolean inside, boolean overdraw) {
        long from = 0;
        long page;
        long failure = NO_MEMORY;
        while ((page = Search.pages(a, from, n, align, inside)) >= 0) {
            int error = range(a, s, page, n, overdraw);
            if (error == 0) {
                return page;
            }
            failure = MISSED;
            // A tree without tickets has none for its next page either.
            boolean isOneTree = page / TREE_PAGES == (page + n - 1) / TREE_PAGES;
            from = error == AGAIN && isOneTree ? (page / TREE_PAGES + 1) * TREE_PAGES : page + align;
        }
        return failure;
    }
}
