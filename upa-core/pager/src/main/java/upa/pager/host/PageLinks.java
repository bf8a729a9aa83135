package upa.pager.host;

import upa.policy.PageList;
import upa.policy.PolicyContext;
import upa.policy.PolicyException;

/**
 * The lists of one policy: a word beside each page holds its neighbours, its list and its mark. Words come in chunks of
 * a block, made when a page of the block enters a list and dropped when the last has left.
 *
 * <pre>
 *   63           36 35            8 7     5 4      0
 *  +---------------+---------------+-------+--------+   an end of a list names itself as neighbour;
 *  |   previous    |     next      | list  |  mark  |   list 0: in none
 *  +---------------+---------------+-------+--------+
 * </pre>
 */
final class PageLinks {
    private static final int CHUNK_SHIFT = 9;
    private static final int CHUNK_MASK = (1 << CHUNK_SHIFT) - 1;
    private static final int PREVIOUS_SHIFT = 36;
    private static final int NEXT_SHIFT = 8;
    private static final int LIST_SHIFT = 5;
    private static final int LIST_MASK = 7;
    private static final long PAGE_MASK = (1L << 28) - 1;

    private final int pages;
    private final long[][] chunks;
    private final short[] members;
    private final List[] lists = new List[PageList.MAX_LISTS + 1];
    private int made;
    private int chunksInUse;
    /** Set by another thread when the policy is abandoned: whatever it does next throws. */
    private volatile boolean revoked;

    PageLinks(int pages) {
        if (pages < 0 || pages > PolicyContext.MAX_PAGES) {
            throw new IllegalArgumentException("pages=" + pages + " most=" + PolicyContext.MAX_PAGES);
        }
        this.pages = pages;
        int count = (pages + CHUNK_MASK) >>> CHUNK_SHIFT;
        chunks = new long[count][];
        members = new short[count];
    }

    PageList list() {
        if (made == PageList.MAX_LISTS) {
            throw new PolicyException("a policy has at most lists=" + PageList.MAX_LISTS);
        }
        List list = new List(++made);
        lists[made] = list;
        return list;
    }

    void revoke() {
        revoked = true;
    }

    long bytes() {
        return (long) chunksInUse << (CHUNK_SHIFT + 3);
    }

    int mark(int page) {
        return (int) word(page) & PolicyContext.MAX_MARK;
    }

    void mark(int page, int value) {
        long word = word(page);
        if (word != 0) {
            put(page, word & ~PolicyContext.MAX_MARK | Math.clamp(value, 0, PolicyContext.MAX_MARK));
        }
    }

    /** The word of a page; 0 if it is in no list or out of range. */
    private long word(int page) {
        if (revoked) {
            throw new RevokedException();
        }
        if (page < 0 || page >= pages) {
            return 0;
        }
        long[] chunk = chunks[page >>> CHUNK_SHIFT];
        return chunk == null ? 0 : chunk[page & CHUNK_MASK];
    }

    private void put(int page, long word) {
        chunks[page >>> CHUNK_SHIFT][page & CHUNK_MASK] = word;
    }

    private static int listOf(long word) {
        return (int) (word >>> LIST_SHIFT) & LIST_MASK;
    }

    private static int nextOf(long word) {
        return (int) (word >>> NEXT_SHIFT & PAGE_MASK);
    }

    private static int previousOf(long word) {
        return (int) (word >>> PREVIOUS_SHIFT & PAGE_MASK);
    }

    private void setNext(int page, int next) {
        put(page, word(page) & ~(PAGE_MASK << NEXT_SHIFT) | (long) next << NEXT_SHIFT);
    }

    private void setPrevious(int page, int previous) {
        put(page, word(page) & ~(PAGE_MASK << PREVIOUS_SHIFT) | (long) previous << PREVIOUS_SHIFT);
    }

    /** Takes a page out of whatever list it is in; the chunk stays. Returns its mark. */
    private int unlink(int page, long word) {
        List list = lists[listOf(word)];
        int next = nextOf(word);
        int previous = previousOf(word);
        if (next == page) {
            list.last = previous == page ? PageList.NONE : previous;
        } else {
            setPrevious(next, previous == page ? next : previous);
        }
        if (previous == page) {
            list.first = next == page ? PageList.NONE : next;
        } else {
            setNext(previous, next == page ? previous : next);
        }
        list.size--;
        return (int) word & PolicyContext.MAX_MARK;
    }

    private void forget(int page) {
        int c = page >>> CHUNK_SHIFT;
        put(page, 0);
        if (--members[c] == 0) {
            chunks[c] = null;
            chunksInUse--;
        }
    }

    /** Makes room for a page. Returns the mark it has. */
    private int enter(int page) {
        long word = word(page);
        if (word != 0) {
            return unlink(page, word);
        }
        int c = page >>> CHUNK_SHIFT;
        if (chunks[c] == null) {
            chunks[c] = new long[CHUNK_MASK + 1];
            chunksInUse++;
        }
        members[c]++;
        return 0;
    }

    private final class List implements PageList {
        private final int id;
        private int first = NONE;
        private int last = NONE;
        private int size;

        List(int id) {
            this.id = id;
        }

        private long make(int previous, int next, int mark) {
            return (long) previous << PREVIOUS_SHIFT | (long) next << NEXT_SHIFT | (long) id << LIST_SHIFT | mark;
        }

        @Override
        public int size() {
            return size;
        }

        @Override
        public boolean contains(int page) {
            return listOf(word(page)) == id;
        }

        @Override
        public void addFirst(int page) {
            if (page < 0 || page >= pages) {
                return;
            }
            int mark = enter(page);
            if (first == NONE) {
                put(page, make(page, page, mark));
                last = page;
            } else {
                put(page, make(page, first, mark));
                setPrevious(first, page);
            }
            first = page;
            size++;
        }

        @Override
        public void addLast(int page) {
            if (page < 0 || page >= pages) {
                return;
            }
            int mark = enter(page);
            if (last == NONE) {
                put(page, make(page, page, mark));
                first = page;
            } else {
                put(page, make(last, page, mark));
                setNext(last, page);
            }
            last = page;
            size++;
        }

        @Override
        public boolean remove(int page) {
            long word = word(page);
            if (listOf(word) != id) {
                return false;
            }
            unlink(page, word);
            forget(page);
            return true;
        }

        @Override
        public int removeFirst() {
            int page = first;
            remove(page);
            return page;
        }

        @Override
        public int removeLast() {
            int page = last;
            remove(page);
            return page;
        }

        @Override
        public int first() {
            return first;
        }

        @Override
        public int last() {
            return last;
        }

        @Override
        public int next(int page) {
            long word = word(page);
            int next = nextOf(word);
            return listOf(word) == id && next != page ? next : NONE;
        }

        @Override
        public int previous(int page) {
            long word = word(page);
            int previous = previousOf(word);
            return listOf(word) == id && previous != page ? previous : NONE;
        }
    }
}
