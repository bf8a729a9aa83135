/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trees.h - tickets of trees and of their groups, and trees and groups taken and given back whole.
 *
 * A tree is closed or open. The word of a closed one says only whether it is wholly free or wholly allocated, and is
 * read by the polarity of its group, so that inverting that takes or frees all of a group at once. To count its pages a
 * tree must be open: its word then says what it says. Who opens a free one takes a ticket of the group first; who
 * closes one gives it back. So a group without a ticket out has 16 closed trees, all of them free.
 */
#ifndef UPA_LLFREE_TREES_H
#define UPA_LLFREE_TREES_H

#include "llfree/words.h"

/*
 * Takes n tickets of a tree, and opens it for that if need be. On success *flip is its polarity as a mask. It may
 * overdraw the tree, or its group, where tickets have gone missing.
 */
bool tree_take_any(const struct upa_llfree *a, uint64_t tree, uint32_t n, bool overdraw, uint64_t *flip);

static inline bool tree_take(const struct upa_llfree *a, uint64_t tree, uint32_t n, bool overdraw, uint64_t *flip)
{
	uint32_t w = load_relaxed(tree_at(a, tree));

	if (w & TREE_OPEN && tree_free(w) >= n && cas_weak_acq_rel(tree_at(a, tree), &w, w + n)) {
		*flip = node_flip(w);
		return true;
	}
	return tree_take_any(a, tree, n, overdraw, flip);
}

/* Takes all that is left of a tree for a slot: marks it reserved. On success *word is what it was, open. */
bool tree_reserve(const struct upa_llfree *a, uint64_t tree, uint32_t least, uint32_t *word);

/* Ends a reservation of which so many tickets are left. */
void tree_release(const struct upa_llfree *a, uint64_t tree, uint32_t free);

static inline void tree_give(const struct upa_llfree *a, uint64_t tree, uint32_t n)
{
	uint32_t w = fetch_sub_acq_rel(tree_at(a, tree), n);

	UPA_ASSERT(w & TREE_OPEN && !(w & NODE_WHOLE) && node_used(w) >= n);
	(void)w;
}

/*
 * Makes a tree in which the caller holds pages one whose parts can be freed. False if it is wholly free, so that the
 * caller holds none; else *flip is its polarity.
 */
bool tree_split_any(const struct upa_llfree *a, uint64_t tree, uint64_t *flip);

static inline bool tree_split(const struct upa_llfree *a, uint64_t tree, uint64_t *flip)
{
	uint32_t w = load_relaxed(tree_at(a, tree));

	if ((w & (TREE_OPEN | NODE_WHOLE)) != TREE_OPEN)
		return tree_split_any(a, tree, flip);
	*flip = node_flip(w);
	return true;
}

/* Takes a tree that is wholly free, reserved by nobody, in one step. */
bool tree_get_whole(const struct upa_llfree *a, uint64_t tree);

/*
 * The inverse, for a tree that the caller holds, and which holds what `state` says, or UNCHANGED. False, and nothing
 * freed, if it was not taken in one step or a part of it has been freed since.
 */
bool tree_put_whole(const struct upa_llfree *a, uint64_t tree, uint32_t state);

/* The same for groups: of 16 trees, none of them open but idle ones. */
bool group_get_whole(const struct upa_llfree *a, uint64_t group);
bool group_put_whole(const struct upa_llfree *a, uint64_t group, uint32_t state);

#endif
