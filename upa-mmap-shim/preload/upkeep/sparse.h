/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sparse.h - large blocks of which the program has touched little. What it never touched has no memory, so there is
 * nothing to keep, to give back, or to look through for a place that has some. The kernel knows: it is asked when a
 * block is unmapped that had much without memory when it was mapped. And if so many in a row were hardly touched that
 * the next will hardly be, the kernel serves: such a block costs less there than a look at what is populated. One of
 * several is still had from the region, to see whether that is so.
 */
#ifndef UPA_SPARSE_H
#define UPA_SPARSE_H

#include <stdbool.h>
#include <stddef.h>

#include <upa/region.h>

/*
 * Of smaller blocks it is not worth it: asking takes as long as touching a few pages, and glibc has them from its
 * heaps, once it has freed one of their size.
 */
#define SPARSE_LEAST_BYTES ((size_t)32 << 20)

/*
 * Unmaps a block of the region, of at least so many bytes, and counts what has no memory as absent. False, and nothing
 * is done: it is not worth it, the kernel does not say, or not all of it is ordinary memory in use.
 */
bool sparse_unmap(struct upa_region *region, char *address, size_t length);

/* Will a block of so many bytes, which is about to be mapped, hardly be touched? */
bool sparse_expected(size_t length);

/* Of those that are expected to be such, is this one had from the region all the same? */
bool sparse_tries(void);

#endif
