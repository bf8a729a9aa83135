package upa.core;

import java.nio.file.Path;
import java.util.Objects;

/**
 * What a pager is asked for, by {@link Region#admit}.
 *
 * @param memoryBytes what may be in memory; at least 1 MiB, and no more than the pool counts
 * @param policy      which pages leave, as of {@code upa run --policy}; empty: the default, clock
 * @param stores      where pages go, as of its {@code --store}; empty: with its default
 * @param socket      at which the pager listens; null: that of {@code upa pager --regions}
 */
public record PagerTerms(long memoryBytes, String policy, String stores, Path socket) {
    /** Least bytes that may be in memory. */
    public static final long LEAST_MEMORY = 1 << 20;

    /**
     * Checks the terms.
     *
     * @throws IllegalArgumentException if memoryBytes is too small, or a text has more than one line
     */
    public PagerTerms {
        Objects.requireNonNull(policy, "policy=null");
        Objects.requireNonNull(stores, "stores=null");
        if (memoryBytes < LEAST_MEMORY) {
            throw new IllegalArgumentException(
                    "out of range: memoryBytes=" + memoryBytes + " (" + LEAST_MEMORY + " or more)");
        }
        if (policy.indexOf('\n') >= 0 || stores.indexOf('\n') >= 0) {
            throw new IllegalArgumentException("more than one line: policy=" + policy + " stores=" + stores);
        }
    }

    /**
     * The default policy, stores and pager.
     *
     * @param memoryBytes see {@link #memoryBytes()}
     * @return the terms
     * @throws IllegalArgumentException if memoryBytes is too small
     */
    public static PagerTerms of(long memoryBytes) {
        return new PagerTerms(memoryBytes, "", "", null);
    }
}
