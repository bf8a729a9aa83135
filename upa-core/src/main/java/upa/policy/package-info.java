/**
 * Memory policies: which pages of a program stay in memory, which leave it, which come early.
 *
 * <p>A {@link upa.policy.MemoryPolicy} is told what happens to the pages of one region and proposes; a framework checks
 * each proposal and carries it out. So a policy can be wrong without harm: a proposal that makes no sense is counted
 * and nothing else, and a policy that throws, hangs or hoards memory is replaced by the default one.
 *
 * <p>A page is its number in the region, 0 to {@link upa.policy.PolicyContext#pages()} - 1; pages that are neighbours
 * by address are neighbours by number. A block is 512 pages, 2 MiB, aligned. Callbacks of one region are serial, so
 * no policy needs a lock; batches and views that a callback gets are valid until it returns.
 *
 * <p>A policy is public, has a public constructor without parameters, carries {@link upa.policy.PolicyInfo}, and is
 * found by name if its jar names it in {@code META-INF/services/upa.policy.MemoryPolicy}.
 */
package upa.policy;
