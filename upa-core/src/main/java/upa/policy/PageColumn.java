package upa.policy;

/** One number beside each page. */
public interface PageColumn {

    /**
     * The number of a page.
     *
     * @param page its number; any is allowed
     * @return its value: 0 if it was never set; unsigned for columns of 1 and 2 bytes
     */
    int get(int page);

    /**
     * Sets the number of a page; nothing happens to pages out of range.
     *
     * @param page  its number
     * @param value of which the column's bytes are kept
     */
    void set(int page, int value);
}
