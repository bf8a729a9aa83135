/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fit.h - looks for the best place for a run of more than a child, page by page. As search.h: what
 * it finds is a snapshot. Of a child whose state is MIXED the stale pages have memory.
 */
#ifndef UPA_LLFREE_FIT_H
#define UPA_LLFREE_FIT_H

#include "llfree/words.h"

/*
 * First of n free pages in trees that no slot other than `own` reserves, where the fewest of them lack memory, and of
 * such places in the shortest stretch of free pages; -1 if there are none. Looks at about n words, which cost less than
 * the page faults that they may save: where there is more to look at, and no place is found without any fault, -1. So
 * for a run of a tree or more if no place has as much memory as a child.
 */
int64_t search_fit(const struct upa_llfree *a, const struct slot *own, uint64_t n);

#endif
