/**
 * A lock-free allocator of page numbers, all of whose state is a piece of memory that processes may share.
 *
 * <p>{@link upa.llfree.LlFree} is all that a user sees; {@link upa.llfree.LlFreeDescriptor} draws the layout, which the
 * twin in C ({@code upa/llfree.h}) shares. Behind it, one file a layer, each of which knows only those before it:
 * words, bits, layout and state, child, tickets, search, put, get, check.
 */
package upa.llfree;
