package upa.pager.scale;

/**
 * What a page from a remote store costs each part that it passes, in seconds of that part alone.
 *
 * @param pager a pager's processor: request, reply, checksum, and putting the page in its place; one at a time
 * @param link  the client machine's link: the bytes of the page and of what goes with it; one at a time
 * @param node  a node of the cluster: its one thread that serves; one at a time
 */
public record Costs(double pager, double link, double node) {
    /** Bytes of a page on the wire: itself, the protocol's, and the headers of three packets of 1 500 bytes. */
    public static final int WIRE_BYTES = 4096 + 64 + 3 * 66;

    /** Refuses what is not above 0. */
    public Costs {
        if (!(pager > 0 && link > 0 && node > 0)) {
            throw new IllegalArgumentException(
                    "pager=" + pager + " link=" + link + " node=" + node + " must be above 0");
        }
    }

    /**
     * With a link of a given speed.
     *
     * @param pager      seconds
     * @param gigabits   of the link, a second
     * @param node       seconds
     * @return the costs
     */
    public static Costs over(double pager, double gigabits, double node) {
        return new Costs(pager, WIRE_BYTES * 8 / (gigabits * 1e9), node);
    }
}
