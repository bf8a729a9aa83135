package upa.pager.store;

import upa.policy.Place;

/** Memory of another NUMA node, as a place: a slower one, where pages stay mapped. */
public final class NodeStore extends MappedStore {
    private final int node;
    private final int near;

    /**
     * Makes an empty place.
     *
     * @param name  for messages and policies
     * @param node  where pages go
     * @param near  where they come back to when a policy wants it, not {@code node}
     * @param bytes most that may be there
     */
    public NodeStore(String name, int node, int near, long bytes) {
        super(name, bytes);
        if (near == node) {
            throw new IllegalArgumentException("node=" + node + " is near=" + near);
        }
        this.node = node;
        this.near = near;
    }

    /** {@return the number of the node} */
    public int node() {
        return node;
    }

    /** {@return the number of the node where pages come back to} */
    public int near() {
        return near;
    }

    @Override
    public Place.Kind kind() {
        return Place.Kind.NODE;
    }
}
