package upa.policy;

/**
 * Where a page can be when it is not resident.
 *
 * @param index position in the chain of places, 0 for the nearest
 * @param name  as in the option {@code --store}: {@code lz4}, {@code file}, {@code redis}
 * @param kind  what it is
 */
public record Place(int index, String name, Kind kind) {

    /** What a place is. */
    public enum Kind {
        /** Compressed, in memory. */
        COMPRESSED,
        /** On a disk. */
        FILE,
        /** In another process or machine. */
        REMOTE,
        /** Memory of another node, accessible but slower. */
        NODE
    }
}
