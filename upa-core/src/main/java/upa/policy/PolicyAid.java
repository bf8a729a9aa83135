package upa.policy;

/**
 * A policy that helps another: it prefetches, promotes, places or bounds, but does not choose all victims. The default
 * policy is put behind it, unless a complete one is named there: {@code stride+s3-fifo}.
 */
public interface PolicyAid extends MemoryPolicy {

    /**
     * Asks for victims, before the policies behind this one are asked for the rest. Proposes none unless overridden.
     *
     * @param wanted takes the proposals
     */
    @Override
    default void evict(Eviction wanted) {}
}
