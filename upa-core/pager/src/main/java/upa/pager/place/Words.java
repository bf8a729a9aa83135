package upa.pager.place;

/** The words of all pages, of which {@link PlaceWord} has the layout. Safe for use by several threads. */
public interface Words {

    /**
     * Reads a word.
     *
     * @param page its number
     * @return its word
     */
    long get(int page);

    /**
     * Changes a word, if it is as expected.
     *
     * @param page its number
     * @param from what it should be
     * @param to   what it becomes
     * @return whether it was as expected
     */
    boolean change(int page, long from, long to);
}
