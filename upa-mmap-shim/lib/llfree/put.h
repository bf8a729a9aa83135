/* SPDX-License-Identifier: Apache-2.0 */
/* put.h - ranges of pages, across children and trees, given back. */
#ifndef UPA_LLFREE_PUT_H
#define UPA_LLFREE_PUT_H

#include "llfree/words.h"

/*
 * Frees a range of which every page is the caller's, and which holds what `state` says, or UNCHANGED (child.h).
 * Returns how many pages were freed: fewer than asked only if somebody else frees them too.
 */
uint64_t put_range(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t pages, uint32_t state);

/* The same of pages of one tree, fewer than all, but nothing is freed if one of them is free. */
uint64_t put_in_tree(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t pages, uint32_t state);

/*
 * The same of pages of one child, of which the caller need not have looked whether they are allocated:
 * nothing is freed if one of them is free.
 */
uint32_t put_in_child(const struct upa_llfree *a, struct slot *s, uint64_t first, uint32_t n, uint32_t state);

#endif
