/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/put.h"

#include "llfree/child.h"
#include "llfree/search.h"
#include "llfree/tickets.h"

uint32_t put_in_child(const struct upa_llfree *a, struct slot *s, uint64_t first, uint32_t n, uint32_t state)
{
	uint64_t c = first / UPA_CHILD_PAGES;
	uint64_t tree = c / UPA_TREE_CHILDREN;
	uint32_t lo = (uint32_t)(first % UPA_CHILD_PAGES);
	uint64_t w = slot_load(a, s);
	uint32_t freed;
	uint64_t flip;

	if (!tickets_split(a, w, tree, &flip))
		return 0;
	freed = n == UPA_CHILD_PAGES ? child_put_whole(a, c, flip, state) :
				       child_put_checked(a, c, flip, lo, lo + n, state);
	if (freed)
		tickets_give_to(a, s, w, tree, freed);
	return freed;
}

/* The pages of one tree; nothing is freed if `check` finds one of them free. */
static uint64_t put_pages(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t end, uint32_t state,
			  bool check)
{
	uint64_t c = first / UPA_CHILD_PAGES;
	uint32_t lo = (uint32_t)(first % UPA_CHILD_PAGES);
	uint32_t left = (uint32_t)(end - first);
	uint32_t freed = 0;
	uint64_t flip;

	if (!tickets_split(a, slot_load(a, s), first / UPA_TREE_PAGES, &flip) ||
	    (check && !search_held_in_tree(a, first, end, flip)))
		return 0;
	if (lo) {
		uint32_t n = left < UPA_CHILD_PAGES - lo ? left : UPA_CHILD_PAGES - lo;

		freed += child_put_part(a, c++, flip, lo, lo + n, state);
		left -= n;
	}
	for (; left >= UPA_CHILD_PAGES; left -= UPA_CHILD_PAGES)
		freed += child_put_whole(a, c++, flip, state);
	if (left)
		freed += child_put_part(a, c, flip, 0, left, state);
	if (freed)
		tickets_give(a, s, first / UPA_TREE_PAGES, freed);
	return freed;
}

uint64_t put_in_tree(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t pages, uint32_t state)
{
	return put_pages(a, s, first, first + pages, state, true);
}

uint64_t put_range(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t pages, uint32_t state)
{
	uint64_t end = first + pages;
	uint64_t freed = 0;

	while (first < end) {
		uint64_t tree_end = end_in_tree(first, end);

		if (tree_end - first == UPA_TREE_PAGES) {
			if (first % UPA_GROUP_PAGES == 0 && end - first >= UPA_GROUP_PAGES &&
			    group_put_whole(a, first / UPA_GROUP_PAGES, state)) {
				freed += UPA_GROUP_PAGES;
				first += UPA_GROUP_PAGES;
				continue;
			}
			if (tree_put_whole(a, first / UPA_TREE_PAGES, state)) {
				freed += UPA_TREE_PAGES;
				first = tree_end;
				continue;
			}
		}
		freed += put_pages(a, s, first, tree_end, state, false);
		first = tree_end;
	}
	return freed;
}
