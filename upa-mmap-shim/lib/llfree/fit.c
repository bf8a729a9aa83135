/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/fit.h"

#include "llfree/bits.h"
#include "llfree/search.h"

/* What is looked for, and the best place so far. */
struct fit {
	uint64_t n;
	uint64_t looks; /* words that may be looked at still */
	int64_t page;
	uint64_t absent; /* pages there that lack memory */
	uint64_t length; /* of the free pages around it */
};

/* Is `page`, within `length` free pages, a better place? Returns how many pages there lack memory. */
static uint64_t compare(const struct upa_llfree *a, struct fit *f, uint64_t page, uint64_t length)
{
	uint64_t absent = search_absent(a, page, page + f->n);
	uint64_t looked = f->n / UPA_TREE_PAGES * UPA_TREE_CHILDREN;

	f->looks -= looked < f->looks ? looked : f->looks;
	if (absent < f->absent || (absent == f->absent && length < f->length)) {
		f->page = (int64_t)page;
		f->absent = absent;
		f->length = length;
	}
	return absent;
}

/*
 * Looks at the free pages from .. end-1 between allocated ones: at their start, and if memory is lacking there, where
 * children that have some follow such that have none.
 */
static void look_at(const struct upa_llfree *a, struct fit *f, uint64_t from, uint64_t end)
{
	uint64_t at = from, limit = end, children;

	if (end < from + f->n || !compare(a, f, from, end - from))
		return;
	children = (end - from) / UPA_CHILD_PAGES;
	if (children > f->looks) {
		children = f->looks;
		limit = from + children * UPA_CHILD_PAGES;
	}
	f->looks -= children;
	for (;;) {
		at = search_states(a, at, limit, ONLY(UPA_ABSENT));
		at = search_states(a, at, limit, ANY_STATE & ~ONLY(UPA_ABSENT));
		if (at == limit)
			return;
		compare(a, f, at + f->n <= end ? at : end - f->n, end - from);
	}
}

/*
 * What is to be known of the tree of child c: 0 if no page of it is to be had, 1 if all are free, 2 if its children are
 * to be asked. Sets *flip, and *end, the child up to which that holds.
 */
enum tree_room { NO_ROOM, ALL_FREE, SOME_FREE };

static enum tree_room room_in(const struct upa_llfree *a, const struct slot *own, uint64_t c, uint64_t *flip,
			      uint64_t *end)
{
	uint64_t tree = c / UPA_TREE_CHILDREN;
	uint32_t group = load_relaxed(group_at(a, tree / UPA_GROUP_TREES));
	uint32_t w = tree_view(load_relaxed(tree_at(a, tree)), group);

	*end = (tree + 1) * UPA_TREE_CHILDREN;
	*flip = node_flip(w);
	if (!(w & TREE_OPEN)) {
		if (group & NODE_WHOLE || !node_used(group))
			*end = (tree / UPA_GROUP_TREES + 1) * UPA_GROUP_TREES * UPA_TREE_CHILDREN;
		return node_used(w) ? NO_ROOM : ALL_FREE;
	}
	if (w & NODE_WHOLE)
		return NO_ROOM;
	if (w & TREE_RESERVED)
		return slot_holds(slot_load(a, own), tree) ? SOME_FREE : NO_ROOM;
	return !node_used(w) ? ALL_FREE : tree_free(w) ? SOME_FREE : NO_ROOM;
}

int64_t search_fit(const struct upa_llfree *a, const struct slot *own, uint64_t n)
{
	const uint64_t last = touched_children(a) + (n + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;
	const uint64_t end = last < a->children ? last : a->children;
	struct fit f = { .n = n, .looks = n, .page = -1, .absent = n + 1 };
	uint64_t start = 0; /* of the free pages before the child looked at */

	for (uint64_t c = 0, stop, flip; c < end && f.looks; c = stop) {
		enum tree_room room = room_in(a, own, c, &flip, &stop);

		stop = stop < end ? stop : end;
		f.looks--;
		if (room == ALL_FREE)
			continue;
		if (room == NO_ROOM) {
			look_at(a, &f, start, c * UPA_CHILD_PAGES);
			start = stop * UPA_CHILD_PAGES;
			continue;
		}
		for (; c < stop && f.looks; c++) {
			uint32_t w = load_relaxed(child_at(a, c));
			uint64_t polarity = child_flip(w, flip);
			uint64_t first = c * UPA_CHILD_PAGES;

			f.looks--;
			if (child_is_free(w, flip))
				continue;
			/* No stretch within a child is long enough. */
			if (child_is_full(w, flip)) {
				look_at(a, &f, start, first);
				start = first + UPA_CHILD_PAGES;
			} else {
				uint32_t lo = next_bit(bitmap_at(a, c)->allocated, polarity, 0, UPA_CHILD_PAGES);

				look_at(a, &f, start, first + lo);
				start = first + end_of_allocated(bitmap_at(a, c), polarity);
			}
			if (!f.absent && f.length == n)
				return f.page;
		}
	}
	if (f.looks)
		look_at(a, &f, start, end * UPA_CHILD_PAGES < a->pages ? end * UPA_CHILD_PAGES : a->pages);
	/* Whole trees are taken and freed in one step each: worth more than a little memory. */
	if (f.absent && (!f.looks || (n >= UPA_TREE_PAGES && f.absent > n - UPA_CHILD_PAGES)))
		return -1;
	return f.page;
}
