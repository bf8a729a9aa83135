/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of free children for a run that has none. */
#define _GNU_SOURCE
#include "region/linear/linear.h"
#include "region/slots.h"

/* Moves leave VMAs that begin and end at children; in a region with so many of these they would become too many. */
#define SCAVENGE_CHILDREN 16384u

/*
 * Children looked at for each one wanted, so that a search in vain costs little beside the page faults it was to save.
 */
#define SCAVENGE_LOOKS 64u

/*
 * Takes up to `wanted` neighbouring free children below *from that have memory; *from is then where to look on. 0 if
 * none is left.
 */
static uint64_t take_populated(struct upa_region *r, uint64_t *from, uint64_t wanted, uint64_t *looks)
{
	const uint32_t populated = 1u << UPA_ZEROED | 1u << UPA_STALE;

	while (*from && *looks) {
		uint64_t n = 0;

		while (n < *from && n < wanted && n < BATCH_CHILDREN && whole_child(r, *from - n - 1, populated))
			n++;
		*looks -= *looks < n + 1 ? *looks : n + 1;
		*from -= n ? n : 1;
		if (n && !take_free(r, *from * UPA_CHILD_PAGES, n * UPA_CHILD_PAGES))
			return n;
	}
	return 0;
}

/*
 * Moves memory of children to children that have none. How many, from the first on, have been moved; in *lost, how
 * many of these, the last, have no addresses left.
 */
static uint64_t move_children(struct upa_region *r, uint64_t to, uint64_t from, uint64_t children, uint64_t *lost)
{
	*lost = 0;
	for (uint64_t moved = 0, n; moved < children; moved += n) {
		char *source = address_of(r, (from + moved) * UPA_CHILD_PAGES);
		enum moved part;

		n = upa_region_one_mapping(r, source, (children - moved) * CHILD_BYTES) / CHILD_BYTES;
		if (!n)
			return moved;
		part = upa_linear_move(r, (to + moved) * UPA_CHILD_PAGES, (from + moved) * UPA_CHILD_PAGES,
				       n * UPA_CHILD_PAGES);
		if (part == MOVED_AWAY)
			*lost = n;
		if (part != MOVED)
			return moved + *lost;
	}
	return children;
}

/*
 * Douglas's second preference: memory of free children goes to those children of a held run that have none, by page
 * tables, which costs a hundredth of the page faults it saves. From the far end, as giving back does.
 */
bool upa_linear_scavenge(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t child = (first + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;
	uint64_t end = (first + pages) / UPA_CHILD_PAGES;
	uint64_t from = upa_llfree_touched_children(&r->llfree);
	uint64_t looks = child < end ? SCAVENGE_LOOKS * (end - child) : 0;
	bool any = false;

	UPA_ASSERT(!pages || held(r, first, pages));
	if (from > SCAVENGE_CHILDREN)
		return false;
	while (child < end) {
		uint64_t length, taken, moved, lost;
		bool lazy;
		int64_t absent = upa_llfree_next_state(&r->llfree, child * UPA_CHILD_PAGES,
						       (end - child) * UPA_CHILD_PAGES, 1u << UPA_ABSENT, &length);

		if (absent < 0)
			break;
		child = (uint64_t)absent / UPA_CHILD_PAGES;
		taken = take_populated(r, &from, length / UPA_CHILD_PAGES, &looks);
		if (!taken)
			break;
		/* From outside the run, no more than there is to fill. */
		UPA_ASSERT(taken <= length / UPA_CHILD_PAGES && (from + taken <= child || from >= end));
		lazy = upa_llfree_contents(&r->llfree, from * UPA_CHILD_PAGES, taken * UPA_CHILD_PAGES) &
		       UPA_HOLDS_LAZY;
		moved = move_children(r, child, from, taken, &lost);
		UPA_ASSERT(moved <= taken);
		if (moved) {
			upa_llfree_set_stale(&r->llfree, child * UPA_CHILD_PAGES, moved * UPA_CHILD_PAGES);
			/* What may vanish there may vanish here. */
			if (lazy)
				upa_linear_settle(r, child * UPA_CHILD_PAGES, moved * UPA_CHILD_PAGES);
			any = true;
			if (moved > lost)
				put_back(r, from * UPA_CHILD_PAGES, (moved - lost) * UPA_CHILD_PAGES, UPA_PUT_ABSENT);
			ADD(r, moved_pages, moved * UPA_CHILD_PAGES);
		}
		if (moved < taken)
			put_back(r, (from + moved) * UPA_CHILD_PAGES, (taken - moved) * UPA_CHILD_PAGES,
				 UPA_PUT_UNTOUCHED);
		if (lost)
			break;
		child += moved;
	}
	return any;
}
