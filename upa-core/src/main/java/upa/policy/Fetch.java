package upa.policy;

/**
 * Takes proposals of pages to bring in early. A page that is resident, or has no content anywhere, is a counted
 * no-op.
 */
public interface Fetch {

    /** {@return how many more pages there is room for now} */
    int room();

    /**
     * Proposes a page.
     *
     * @param page its number
     * @return whether it comes
     */
    boolean bring(int page);

    /**
     * Proposes neighbours, until there is no more room.
     *
     * @param first number of the first page
     * @param count how many
     * @return how many of them come
     */
    default int bring(int first, int count) {
        int come = 0;
        for (int i = 0; i < count && room() > 0; i++) {
            if (bring(first + i)) {
                come++;
            }
        }
        return come;
    }
}
