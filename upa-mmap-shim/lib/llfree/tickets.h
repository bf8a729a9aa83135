/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tickets.h - tickets of trees wherever they are, in the trees' words or in the slots that reserve trees: who has taken
 * n of them will find n free pages in the children of the tree.
 */
#ifndef UPA_LLFREE_TICKETS_H
#define UPA_LLFREE_TICKETS_H

#include "llfree/trees.h"

/*
 * Takes n tickets of a given tree: of the own slot, the tree, the slot of somebody else. They may be nowhere, on their
 * way between a tree and a slot, or gone with a killed thread: then it may overdraw the tree. On success *flip is the
 * polarity of the tree.
 */
bool tickets_take(const struct upa_llfree *a, struct slot *own, uint64_t tree, uint32_t n, bool overdraw,
		  uint64_t *flip);

/*
 * Gives n tickets back, to the slot if it holds the tree; what has been overdrawn has no room there. w is what the
 * slot's word was.
 */
static inline void tickets_give_to(const struct upa_llfree *a, struct slot *s, uint64_t w, uint64_t tree, uint32_t n)
{
	while (slot_holds(w, tree) && slot_free(w) + n <= UPA_TREE_PAGES)
		if (cas_weak_acq_rel(&s->reservation, &w, w + n))
			return;
	tree_give(a, tree, n);
}

static inline void tickets_give(const struct upa_llfree *a, struct slot *s, uint64_t tree, uint32_t n)
{
	tickets_give_to(a, s, slot_load(a, s), tree, n);
}

/*
 * The polarity of a tree in which the caller holds pages, so that parts of it can be freed. False if it is wholly free:
 * then the caller holds none. w is what the word of the caller's slot was.
 */
static inline bool tickets_split(const struct upa_llfree *a, uint64_t w, uint64_t tree, uint64_t *flip)
{
	if (slot_holds(w, tree)) {
		*flip = slot_flip(w);
		return true;
	}
	return tree_split(a, tree, flip);
}

/*
 * Puts a new tree with at least n free pages into the slot, looking from *from on, and sets *from behind it. Partly
 * used trees first: they keep the rest whole for large runs. False if there is none; true also when another thread has
 * changed the slot meanwhile, which is as good.
 */
bool tickets_reserve(const struct upa_llfree *a, struct slot *s, uint64_t old, uint32_t n, uint64_t *from);

/*
 * The same with the tree of child c, if it has at least n free pages and nobody reserves it. The slot's gets begin at
 * that child.
 */
bool tickets_reserve_at(const struct upa_llfree *a, struct slot *s, uint64_t old, uint64_t c, uint32_t n);

/* Fetches what others have freed in the tree of a slot's word. False if that does not make n. */
bool tickets_fetch(const struct upa_llfree *a, struct slot *s, uint64_t word, uint32_t n);

/* Ends the reservation of a slot if its tree is wholly free: a large run may want it whole. */
void tickets_leave_idle(const struct upa_llfree *a, struct slot *s);

/* Gives the reservations of all slots back to their trees. */
void tickets_drain(const struct upa_llfree *a);

#endif
