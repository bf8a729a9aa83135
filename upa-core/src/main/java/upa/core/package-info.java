/**
 * Regions of pages allocated in user mode.
 *
 * <p>{@link upa.core.PageArena} is where users of the foreign memory API start: an {@link java.lang.foreign.Arena} over
 * a {@link upa.core.Region}. A region hands out addresses; which page goes to whom is decided by its
 * {@link upa.llfree.LlFree}. {@link upa.core.RegionDescriptor} holds the layout that C and Java share.
 *
 * <p>A shortage is a value, misuse an exception whose message says name=value. Sizes are in bytes, or in pages of 4096
 * bytes where a name says so.
 */
package upa.core;
