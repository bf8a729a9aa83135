/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tickets.h - tickets of trees, in the trees' words and in the slots that reserve trees: who has taken n of them will
 * find n free pages in the children of the tree.
 */
#ifndef UPA_LLFREE_TICKETS_H
#define UPA_LLFREE_TICKETS_H

#include "llfree/words.h"

/*
 * Takes n tickets of a given tree wherever they are: own slot, the tree, the slot of somebody else. They may be
 * nowhere, on their way between a tree and a slot, or gone with a killed thread: then it may overdraw the tree.
 */
bool tickets_take(const struct upa_llfree *a, struct slot *own, uint64_t tree, uint32_t n, bool overdraw);

static inline void tree_give(const struct upa_llfree *a, uint64_t tree, uint32_t n)
{
	uint32_t w = fetch_sub_acq_rel(tree_at(a, tree), n);

	UPA_ASSERT((w & TREE_USED) >= n);
	(void)w;
}

/* Gives n tickets back, to the slot if it holds the tree; what has been overdrawn has no room there. */
static inline void tickets_give(const struct upa_llfree *a, struct slot *s, uint64_t tree, uint32_t n)
{
	uint64_t w = slot_load(a, s);

	while (slot_holds(w, tree) && slot_free(w) + n <= UPA_TREE_PAGES)
		if (cas_weak_acq_rel(&s->reservation, &w, w + n))
			return;
	tree_give(a, tree, n);
}

/*
 * Puts a new tree with at least n free pages into the slot, looking from *from on, and sets *from behind it. Partly
 * used trees first: they keep the rest whole for large runs. False if there is none; true also when another thread has
 * changed the slot meanwhile, which is as good.
 */
bool tickets_reserve(const struct upa_llfree *a, struct slot *s, uint64_t old, uint32_t n, uint64_t *from);

/* Fetches what others have freed in the tree of a slot's word. False if that does not make n. */
bool tickets_fetch(const struct upa_llfree *a, struct slot *s, uint64_t word, uint32_t n);

/* Gives the reservations of all slots back to their trees. */
void tickets_drain(const struct upa_llfree *a);

#endif
