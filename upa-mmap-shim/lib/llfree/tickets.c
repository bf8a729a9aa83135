/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/tickets.h"

/* A get must not spin for ever on words that a hostile or broken process keeps changing. */
#define TICKET_TRIES 1024

/* What the holders of a tree have left becomes the tree's; they keep the reservation and fetch more as they need. */
static bool take_from_holders(const struct upa_llfree *a, uint64_t tree)
{
	bool moved = false;

	for (uint32_t s = 0; s < a->slots; s++) {
		struct slot *holder = slot_at(a, s);
		uint64_t w = slot_load(a, holder);

		if (slot_holds(w, tree) && slot_free(w) && cas_weak_acq_rel(&holder->reservation, &w, w & ~SLOT_FREE)) {
			tree_give(a, tree, slot_free(w));
			moved = true;
		}
	}
	return moved;
}

bool tickets_take(const struct upa_llfree *a, struct slot *own, uint64_t tree, uint32_t n, bool overdraw,
		  uint64_t *flip)
{
	uint64_t w = slot_load(a, own);

	while (slot_holds(w, tree) && slot_free(w) >= n)
		if (cas_weak_acq_rel(&own->reservation, &w, w - n)) {
			*flip = slot_flip(w);
			return true;
		}

	for (int i = 0; i < TICKET_TRIES; i++) {
		if (tree_take(a, tree, n, false, flip))
			return true;
		if (!(load_relaxed(tree_at(a, tree)) & TREE_RESERVED) || !take_from_holders(a, tree))
			break;
	}
	return tree_take(a, tree, n, overdraw, flip);
}

/* A tree just reserved, of which `w` was the word, takes the place of the one in the slot's word `old`. */
static void move_to(const struct upa_llfree *a, struct slot *s, uint64_t old, uint64_t c, uint32_t w)
{
	uint64_t t = c / UPA_TREE_CHILDREN;

	touch_children(a, (t + 1) * UPA_TREE_CHILDREN);
	if (!cas_strong_acq_rel(&s->reservation, &old, reservation_of(c, w, tree_free(w)))) {
		tree_release(a, t, tree_free(w));
	} else if (old & SLOT_PRESENT) {
		UPA_ASSERT(slot_tree(old) != t);
		tree_release(a, slot_tree(old), slot_free(old));
	}
}

bool tickets_reserve_at(const struct upa_llfree *a, struct slot *s, uint64_t old, uint64_t c, uint32_t n)
{
	uint32_t w;

	if (!tree_reserve(a, c / UPA_TREE_CHILDREN, n, &w))
		return false;
	move_to(a, s, old, c, w);
	return true;
}

bool tickets_reserve(const struct upa_llfree *a, struct slot *s, uint64_t old, uint32_t n, uint64_t *from)
{
	uint64_t used_trees = (touched_children(a) + UPA_TREE_CHILDREN - 1) / UPA_TREE_CHILDREN;
	uint32_t roomy = n * 8 < UPA_TREE_PAGES / 2 ? n * 8 : UPA_TREE_PAGES / 2;

	for (int pass = 0; pass < 2; pass++) {
		uint32_t least = pass == 0 && roomy > n ? roomy : n;
		uint64_t end = pass == 0 ? used_trees : a->trees;

		for (uint64_t t = *from; t < end; t++) {
			uint32_t w = load_relaxed(tree_at(a, t));

			if (pass == 0 && (!(w & TREE_OPEN) || !node_used(w)))
				continue;
			if (!tree_reserve(a, t, least, &w))
				continue;
			*from = t + 1;
			move_to(a, s, old, t * UPA_TREE_CHILDREN, w);
			return true;
		}
	}
	return false;
}

bool tickets_fetch(const struct upa_llfree *a, struct slot *s, uint64_t word, uint32_t n)
{
	tree_t *tree = tree_at(a, slot_tree(word));
	uint32_t w = load_relaxed(tree);
	uint32_t found;

	do {
		found = tree_free(w);
		/*
		 * No more than the slot has room for, whatever the words say: else they would go to and fro for ever.
		 */
		if (found > UPA_TREE_PAGES - slot_free(word))
			found = UPA_TREE_PAGES - slot_free(word);
		if (!(w & TREE_RESERVED) || !found || found + slot_free(word) < n)
			return false;
	} while (!cas_weak_acq_rel(tree, &w, w + found));
	tickets_give(a, s, slot_tree(word), found);
	return true;
}

void tickets_leave_idle(const struct upa_llfree *a, struct slot *s)
{
	uint64_t w = slot_load(a, s);

	if (w & SLOT_PRESENT && slot_free(w) + tree_free(load_relaxed(tree_at(a, slot_tree(w)))) == UPA_TREE_PAGES &&
	    cas_weak_acq_rel(&s->reservation, &w, 0))
		tree_release(a, slot_tree(w), slot_free(w));
}

void tickets_drain(const struct upa_llfree *a)
{
	for (uint32_t i = 0; i < a->slots; i++) {
		struct slot *s = slot_at(a, i);
		uint64_t w;

		while ((w = slot_load(a, s)) & SLOT_PRESENT)
			if (cas_weak_acq_rel(&s->reservation, &w, 0)) {
				tree_release(a, slot_tree(w), slot_free(w));
				break;
			}
	}
}
