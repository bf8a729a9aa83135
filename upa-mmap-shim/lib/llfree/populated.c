/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/populated.h"

#include "llfree/bits.h"
#include "llfree/search.h"

/* Has a child n free aligned pages that have memory? */
static bool is_populated(const struct upa_llfree *a, uint64_t c, uint32_t w, uint64_t tree_flip, uint32_t n,
			 uint32_t align)
{
	const struct bitmap *b = bitmap_at(a, c);
	const bool mixed = child_state(w) == UPA_MIXED;

	if (n == UPA_CHILD_PAGES)
		return !mixed || all_stale(b, 0, n);
	if (mixed)
		return find_stale(b, child_flip(w, tree_flip), n, align) >= 0;
	return child_is_free(w, tree_flip) || find_free(b, child_flip(w, tree_flip), 0, n, align) >= 0;
}

/* Looking into a child costs as much as looking at so many words. */
#define CHILD_LOOKS 8u

/* The first such child of a tree, or -1. Counts what it looks at. */
static int64_t populated_in_tree(const struct upa_llfree *a, uint64_t tree, uint64_t flip, uint32_t n, uint32_t align,
				 bool crosses, uint32_t *looks)
{
	uint64_t end = (tree + 1) * UPA_TREE_CHILDREN;
	uint32_t before = 0; /* free pages of the child before, if they may be a part of a run */

	if (end > a->children)
		end = a->children;
	for (uint64_t c = tree * UPA_TREE_CHILDREN; c < end && *looks; c++) {
		uint32_t w = load_relaxed(child_at(a, c));
		uint32_t free = child_free(w, child_flip(w, flip));
		uint32_t with = free + before; /* with the child before */

		--*looks;
		before = crosses && child_state(w) != UPA_ABSENT ? free : 0;
		if (child_state(w) == UPA_ABSENT || with < n || !free)
			continue;
		*looks -= *looks < CHILD_LOOKS ? *looks : CHILD_LOOKS;
		if (free >= n && is_populated(a, c, w, flip, n, align))
			return (int64_t)c;
		if (with > free && search_border(a, c, flip, n, ANY_STATE & ~ONLY(UPA_ABSENT), true) >= 0)
			return (int64_t)c;
	}
	return -1;
}

int64_t search_populated(const struct upa_llfree *a, uint32_t n, uint32_t align, bool crosses, uint32_t looks)
{
	uint64_t trees = (touched_children(a) + UPA_TREE_CHILDREN - 1) / UPA_TREE_CHILDREN;
	int64_t idle = -1;

	for (uint64_t t = 0; t < trees && looks; t++) {
		uint32_t w;
		int64_t c;

		looks--;
		if (t % UPA_GROUP_TREES == 0 &&
		    node_state(load_relaxed(group_at(a, t / UPA_GROUP_TREES))) == UPA_ABSENT) {
			t += UPA_GROUP_TREES - 1;
			continue;
		}
		w = tree_load(a, t);
		if (w & TREE_RESERVED || tree_free(w) < n || node_state(w) == UPA_ABSENT ||
		    (!node_used(w) && idle >= 0))
			continue;
		c = populated_in_tree(a, t, node_flip(w), n, align, crosses, &looks);
		if (c >= 0 && node_used(w))
			return c;
		if (c >= 0)
			idle = c;
	}
	return idle;
}

uint64_t populated_before(const struct upa_llfree *a, uint64_t end)
{
	while (end) {
		const uint64_t c = end - 1, tree = c / UPA_TREE_CHILDREN;
		const uint32_t group = load_relaxed(group_at(a, tree / UPA_GROUP_TREES));
		const uint32_t view = tree_view(load_relaxed(tree_at(a, tree)), group);
		const uint32_t w = load_relaxed(child_at(a, c));

		if (group & NODE_WHOLE || node_state(group) == UPA_ABSENT)
			end = tree / UPA_GROUP_TREES * UPA_GROUP_TREES * UPA_TREE_CHILDREN;
		else if (tree_is_whole(view) || node_state(view) == UPA_ABSENT)
			end = tree * UPA_TREE_CHILDREN;
		else if (child_state(w) == UPA_ABSENT || child_is_full(w, node_flip(view)))
			end = c;
		else
			break;
	}
	return end;
}
