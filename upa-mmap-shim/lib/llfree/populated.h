/* SPDX-License-Identifier: Apache-2.0 */
/*
 * populated.h - looks for free pages that have memory, which save whoever gets them a page fault each. As search.h:
 * what it finds is a snapshot. Of a child whose state is MIXED the stale pages have memory.
 */
#ifndef UPA_LLFREE_POPULATED_H
#define UPA_LLFREE_POPULATED_H

#include "llfree/words.h"

/*
 * A child with n <= 512 free aligned pages that have memory, of a tree that nobody reserves; -1 if none is found by so
 * many words looked at. If a run `crosses` children, also one in which such pages end, see search_border(). Partly used
 * trees first, from the start of the state.
 */
int64_t search_populated(const struct upa_llfree *a, uint32_t n, uint32_t align, bool crosses, uint32_t looks);

/*
 * For a walk from the end: behind the last child below `end` that may have free pages with memory; 0 if there is none.
 * One word rules out a whole tree or group that has none.
 */
uint64_t populated_before(const struct upa_llfree *a, uint64_t end);

#endif
