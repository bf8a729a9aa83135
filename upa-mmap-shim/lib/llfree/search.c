/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/search.h"

#include "llfree/bits.h"

/* Is this tree out of bounds for a search that leaves the reservations of others alone? */
static bool is_barred(const struct upa_llfree *a, const struct slot *own, uint64_t tree)
{
	uint32_t w = load_relaxed(tree_at(a, tree));
	uint64_t mine = slot_load(a, own);

	if (slot_holds(mine, tree))
		return tree_free(w) + slot_free(mine) < UPA_CHILD_PAGES;
	return w & TREE_RESERVED || tree_free(w) < UPA_CHILD_PAGES;
}

int64_t search_children(const struct upa_llfree *a, const struct slot *own, uint64_t from, uint64_t end, uint64_t n,
			uint32_t states)
{
	uint64_t start = from; /* of the run found so far */

	for (uint64_t c = from, tree_end; c < end; c = tree_end) {
		tree_end = (c / UPA_TREE_CHILDREN + 1) * UPA_TREE_CHILDREN;
		if (own && is_barred(a, own, c / UPA_TREE_CHILDREN)) {
			start = tree_end;
			continue;
		}
		for (; c < tree_end && c < end; c++) {
			uint32_t w = load_relaxed(child_at(a, c));

			if (child_used(w) || !is_in(states, child_state(w)))
				start = c + 1;
			else if (c + 1 - start == n)
				return (int64_t)start;
		}
	}
	return -1;
}

uint64_t search_next(const struct upa_llfree *a, uint64_t from, uint64_t end, bool free)
{
	while (from < end) {
		uint64_t c = from / UPA_CHILD_PAGES;
		uint32_t w = load_relaxed(child_at(a, c));

		if (child_used(w) == 0 || child_used(w) == UPA_CHILD_PAGES) {
			if (free == (child_used(w) == 0))
				return from;
		} else {
			uint64_t flip = free ? ~polarity(w) : polarity(w);
			uint32_t at = next_bit(bitmap_at(a, c)->allocated, flip, (uint32_t)(from % UPA_CHILD_PAGES));

			if (at < UPA_CHILD_PAGES) {
				from = c * UPA_CHILD_PAGES + at;
				return from < end ? from : end;
			}
		}
		from = (c + 1) * UPA_CHILD_PAGES;
	}
	return end;
}

int64_t search_pages(const struct upa_llfree *a, uint64_t from, uint64_t n, uint64_t align, bool inside)
{
	while ((from = search_next(a, from, a->pages, true)) < a->pages) {
		uint64_t start = (from + align - 1) & ~(align - 1);

		if (inside && start % UPA_CHILD_PAGES + n > UPA_CHILD_PAGES) {
			from = (start / UPA_CHILD_PAGES + 1) * UPA_CHILD_PAGES;
			continue;
		}
		if (start >= a->pages || a->pages - start < n)
			break;
		from = search_next(a, start, start + n, false);
		if (from == start + n)
			return (int64_t)start;
	}
	return -1;
}

uint64_t search_content(const struct upa_llfree *a, uint64_t from, uint64_t end, bool stale)
{
	while (from < end) {
		uint64_t c = from / UPA_CHILD_PAGES;
		/* Acquire: who sees MIXED must see the stale bits that were set before it. */
		uint32_t state = child_state(load_acquire(child_at(a, c)));

		if (state != UPA_MIXED) {
			if (stale == (state == UPA_STALE))
				return from;
		} else {
			uint64_t flip = stale ? 0 : ~0ull;
			uint32_t at = next_bit(bitmap_at(a, c)->stale, flip, (uint32_t)(from % UPA_CHILD_PAGES));

			if (at < UPA_CHILD_PAGES) {
				from = c * UPA_CHILD_PAGES + at;
				return from < end ? from : end;
			}
		}
		from = (c + 1) * UPA_CHILD_PAGES;
	}
	return end;
}
