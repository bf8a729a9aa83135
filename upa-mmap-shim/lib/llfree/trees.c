/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/trees.h"

#include "llfree/child.h"

/* ---- tickets of groups ----------------------------------------------------------------------- */

/* Takes the ticket that opening a free tree needs. While it is held the polarity of the group, that of *word, stays. */
static bool group_take(const struct upa_llfree *a, uint64_t group, bool overdraw, uint32_t *word)
{
	group_t *g = group_at(a, group);
	uint32_t w = load_relaxed(g);

	do {
		if (w & NODE_WHOLE || (node_used(w) >= UPA_GROUP_TREES && !overdraw) || node_used(w) == NODE_USED)
			return false;
	} while (!cas_weak_acq_rel(g, &w, w + 1));
	*word = w;
	return true;
}

static void group_give(const struct upa_llfree *a, uint64_t group)
{
	uint32_t w = fetch_sub_acq_rel(group_at(a, group), 1);

	UPA_ASSERT(node_used(w));
	(void)w;
}

/* ---- opening and closing --------------------------------------------------------------------- */

/*
 * Opens a tree that is closed and wholly free, with n pages used, other bits of its word set, and its polarity inverted
 * if `toggle`. *word is what its word was, as it is to be read; false if somebody else was quicker.
 */
static bool open_free(const struct upa_llfree *a, uint64_t tree, uint32_t n, uint32_t set, uint32_t toggle,
		      bool overdraw, uint32_t *word)
{
	tree_t *t = tree_at(a, tree);
	uint64_t group = tree / UPA_GROUP_TREES;
	uint32_t w, group_word;

	if (node_used(tree_load(a, tree)) || !group_take(a, group, overdraw, &group_word))
		return false;
	w = load_relaxed(t);
	do {
		*word = tree_view(w, group_word);
		if (w & TREE_OPEN || node_used(*word)) {
			group_give(a, group);
			return false;
		}
	} while (!cas_weak_acq_rel(t, &w, ((*word ^ toggle) | TREE_OPEN | set) + n));
	return true;
}

/* Closes the trees of a group, if all of them are idle. True if all are closed. */
static bool close_trees(const struct upa_llfree *a, uint64_t group)
{
	uint64_t first = group * UPA_GROUP_TREES;

	for (uint64_t t = first; t < first + UPA_GROUP_TREES; t++) {
		uint32_t w = tree_load(a, t);

		if (node_used(w) || w & TREE_RESERVED)
			return false;
	}
	for (uint64_t t = first; t < first + UPA_GROUP_TREES; t++) {
		uint32_t w = load_relaxed(tree_at(a, t));
		uint32_t held;

		if (!(w & TREE_OPEN))
			continue;
		if (node_used(w) || w & TREE_RESERVED)
			return false;
		/*
		 * With all its tickets the tree is the caller's, and while it is open the polarity of the group stays.
		 */
		if (!cas_strong_acq_rel(tree_at(a, t), &w, w + UPA_TREE_PAGES))
			return false;
		held = w + UPA_TREE_PAGES;
		if (!cas_strong_acq_rel(tree_at(a, t), &held,
					tree_view(w & ~TREE_OPEN, load_relaxed(group_at(a, group))))) {
			tree_give(a, t, UPA_TREE_PAGES);
			return false;
		}
		group_give(a, group);
	}
	return true;
}

/*
 * Opens a tree in which the caller holds pages, with other bits of its word set if it was closed. *word is what it is
 * then; false if it is closed and wholly free.
 */
static bool open_held(const struct upa_llfree *a, uint64_t tree, uint32_t set, uint32_t *word)
{
	tree_t *t = tree_at(a, tree);
	group_t *g = group_at(a, tree / UPA_GROUP_TREES);
	uint32_t w = load_relaxed(t);

	while (!(w & TREE_OPEN)) {
		uint32_t group = load_relaxed(g);
		uint32_t view = tree_view(w, group);

		if (!node_used(view))
			return false;
		/* The group first: nobody must free all of it once one of its trees is open. */
		if (group & NODE_WHOLE) {
			cas_weak_acq_rel(g, &group, group & ~NODE_WHOLE);
			w = load_relaxed(t);
		} else if (cas_weak_acq_rel(t, &w, view | TREE_OPEN | set)) {
			w = view | TREE_OPEN | set;
		}
	}
	*word = w;
	return true;
}

bool tree_split_any(const struct upa_llfree *a, uint64_t tree, uint64_t *flip)
{
	uint32_t w;

	if (!open_held(a, tree, 0, &w))
		return false;
	*flip = node_flip(w);
	while (w & NODE_WHOLE && !cas_weak_acq_rel(tree_at(a, tree), &w, w & ~NODE_WHOLE))
		;
	return true;
}

/* ---- tickets of trees ------------------------------------------------------------------------ */

bool tree_take_any(const struct upa_llfree *a, uint64_t tree, uint32_t n, bool overdraw, uint64_t *flip)
{
	tree_t *t = tree_at(a, tree);
	uint32_t w = load_relaxed(t);

	for (;;) {
		if (!(w & TREE_OPEN)) {
			if (open_free(a, tree, n, 0, 0, overdraw, &w)) {
				*flip = node_flip(w);
				return true;
			}
			w = load_relaxed(t);
			if (!(w & TREE_OPEN))
				return false;
		}
		if (w & NODE_WHOLE || (tree_free(w) < n && !overdraw) || node_used(w) + n > NODE_USED)
			return false;
		if (cas_weak_acq_rel(t, &w, w + n)) {
			*flip = node_flip(w);
			return true;
		}
	}
}

bool tree_reserve(const struct upa_llfree *a, uint64_t tree, uint32_t least, uint32_t *word)
{
	tree_t *t = tree_at(a, tree);
	uint32_t w = load_relaxed(t);

	if (!(w & TREE_OPEN))
		return open_free(a, tree, UPA_TREE_PAGES, TREE_RESERVED, 0, false, word);
	*word = w;
	return !(w & TREE_RESERVED) && tree_free(w) >= least &&
	       cas_weak_acq_rel(t, &w, w + tree_free(w) + TREE_RESERVED);
}

void tree_release(const struct upa_llfree *a, uint64_t tree, uint32_t free)
{
	tree_t *t = tree_at(a, tree);
	uint32_t w = load_relaxed(t);

	do
		UPA_ASSERT(w & TREE_RESERVED && node_used(w) >= free);
	while (!cas_weak_acq_rel(t, &w, (w - free) & ~TREE_RESERVED));
}

/* ---- whole trees ----------------------------------------------------------------------------- */

/* For assertions: is every page of a tree allocated, by the words of its children, if its polarity is `flip`? */
static bool all_children_full(const struct upa_llfree *a, uint64_t tree, uint64_t flip)
{
	for (uint64_t c = tree * UPA_TREE_CHILDREN; c < (tree + 1) * UPA_TREE_CHILDREN; c++)
		if (!child_is_full(load_relaxed(child_at(a, c)), flip))
			return false;
	return true;
}

bool tree_get_whole(const struct upa_llfree *a, uint64_t tree)
{
	tree_t *t = tree_at(a, tree);
	uint32_t w = load_relaxed(t);

	if (!(w & TREE_OPEN)) {
		if (!open_free(a, tree, UPA_TREE_PAGES, NODE_WHOLE, NODE_POLARITY, false, &w))
			return false;
		UPA_ASSERT(all_children_full(a, tree, ~node_flip(w)));
		return true;
	}
	do {
		/* Somebody may have closed it meanwhile. */
		if (!(w & TREE_OPEN) || node_used(w) || w & TREE_RESERVED)
			return false;
	} while (!cas_weak_acq_rel(t, &w, (w ^ NODE_POLARITY) + (UPA_TREE_PAGES | NODE_WHOLE)));
	UPA_ASSERT(all_children_full(a, tree, ~node_flip(w)));
	return true;
}

/* Do the marks of a word say that all below holds what `state` says? */
static bool holds(uint32_t w, uint32_t state)
{
	if (node_state(w) != state)
		return false;
	return state == UPA_STALE || !(w & NODE_RESIDENT) == (state == UPA_ABSENT);
}

/* Records what all of a tree, which the caller holds, contains. */
static void record_tree(const struct upa_llfree *a, uint64_t tree, uint32_t state)
{
	tree_t *t = tree_at(a, tree);
	uint32_t w = load_relaxed(t);
	uint32_t all = CHILD_RESIDENT, any = 0;

	if (state == UNCHANGED ? node_state(w) != UPA_MIXED : holds(w, state))
		return;
	for (uint64_t c = tree * UPA_TREE_CHILDREN; c < (tree + 1) * UPA_TREE_CHILDREN; c++) {
		uint32_t child = child_record_whole(a, c, state);

		all &= child;
		any |= child & CHILD_RESIDENT;
	}
	if (state == UNCHANGED || all != any)
		return;
	w = load_relaxed(t);
	while (!cas_weak_acq_rel(t, &w, with_summary(w, state, any)))
		;
}

bool tree_put_whole(const struct upa_llfree *a, uint64_t tree, uint32_t state)
{
	tree_t *t = tree_at(a, tree);
	uint32_t w;

	if (!tree_is_whole(tree_load(a, tree)))
		return false;
	record_tree(a, tree, state);
	if (!open_held(a, tree, NODE_WHOLE, &w))
		return false;
	do {
		if (!(w & NODE_WHOLE))
			return false;
		UPA_ASSERT(w & TREE_OPEN && node_used(w) == UPA_TREE_PAGES);
		UPA_ASSERT(all_children_full(a, tree, node_flip(w)));
	} while (!cas_weak_acq_rel(t, &w, (w ^ (NODE_POLARITY | NODE_WHOLE)) - UPA_TREE_PAGES));
	return true;
}

/* ---- whole groups ---------------------------------------------------------------------------- */

/* For assertions: are all trees of a group, whose word is `group`, closed and allocated? */
static bool all_trees_full(const struct upa_llfree *a, uint64_t g, uint32_t group)
{
	for (uint64_t t = g * UPA_GROUP_TREES; t < (g + 1) * UPA_GROUP_TREES; t++) {
		uint32_t view = tree_view(load_relaxed(tree_at(a, t)), group);

		if (view & TREE_OPEN || node_used(view) != UPA_TREE_PAGES)
			return false;
	}
	return true;
}

bool group_get_whole(const struct upa_llfree *a, uint64_t group)
{
	group_t *g = group_at(a, group);
	uint32_t w = load_relaxed(g);

	if (node_used(w)) {
		if (w & NODE_WHOLE || !close_trees(a, group))
			return false;
		w = load_relaxed(g);
	}
	do {
		if (node_used(w))
			return false;
	} while (!cas_weak_acq_rel(g, &w, (w ^ NODE_POLARITY) + (UPA_GROUP_TREES | NODE_WHOLE)));
	UPA_ASSERT(all_trees_full(a, group, w ^ NODE_POLARITY));
	return true;
}

/* Records what all of a group, which the caller holds, contains. */
static void record_group(const struct upa_llfree *a, uint64_t group, uint32_t state)
{
	group_t *g = group_at(a, group);
	uint32_t w = load_relaxed(g);
	uint32_t all = NODE_RESIDENT, any = 0;
	bool same = state != UNCHANGED;

	if (state == UNCHANGED ? node_state(w) != UPA_MIXED : holds(w, state))
		return;
	for (uint64_t t = group * UPA_GROUP_TREES; t < (group + 1) * UPA_GROUP_TREES; t++) {
		uint32_t tree;

		record_tree(a, t, state);
		tree = load_relaxed(tree_at(a, t));
		same = same && node_state(tree) == state;
		all &= tree;
		any |= tree & NODE_RESIDENT;
	}
	if (!same || all != any)
		return;
	w = load_relaxed(g);
	while (!cas_weak_acq_rel(g, &w, with_summary(w, state, any)))
		;
}

bool group_put_whole(const struct upa_llfree *a, uint64_t group, uint32_t state)
{
	group_t *g = group_at(a, group);
	uint32_t w;

	if (!(load_relaxed(g) & NODE_WHOLE))
		return false;
	record_group(a, group, state);
	w = load_relaxed(g);
	do {
		/* More than all: somebody looks for a ticket that has gone missing, and relies on the polarity. */
		if (!(w & NODE_WHOLE) || node_used(w) != UPA_GROUP_TREES)
			return false;
		UPA_ASSERT(all_trees_full(a, group, w));
	} while (!cas_weak_acq_rel(g, &w, (w ^ (NODE_POLARITY | NODE_WHOLE)) - UPA_GROUP_TREES));
	return true;
}
