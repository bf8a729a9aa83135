/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree.c - the functions of upa/llfree.h that work on pages: arguments are checked here, and trusted below.
 *
 * The files of this folder are layers, each of which uses only those before it: words (the layout), bits (of one
 * child), child, tickets (of trees and slots), search, populated, fit, put, get. Beside this file, state makes and
 * attaches, contents says what pages hold, check recovers and validates. Loads are relaxed unless what they read is
 * then relied on; every compare-and-swap that succeeds is acquire and release.
 */
#include <errno.h>

#include "llfree/child.h"
#include "llfree/counters.h"
#include "llfree/get.h"
#include "llfree/put.h"
#include "llfree/search.h"
#include "llfree/tickets.h"

/* What every get ends with: `result` counted, a page of those that exist and are noted as touched. */
static int64_t got(const struct upa_llfree *a, struct slot *s, int64_t result, uint64_t pages)
{
	UPA_ASSERT(result < 0 || in_range(a, (uint64_t)result, pages));
	UPA_ASSERT(result < 0 || ((uint64_t)result + pages - 1) / UPA_CHILD_PAGES < touched_children(a));
	return count_get(s, result, pages);
}

#define GET_FLAGS (UPA_GET_ZEROS | UPA_GET_ABSENT | UPA_GET_CONTENTS | UPA_GET_ALIGNED)

/*
 * What pages just taken hold goes into the result, if asked for. Most runs lie in one child, whose word is at hand; its
 * bits are looked at for those only who need zeros.
 */
static inline int64_t with_contents(const struct upa_llfree *a, int64_t page, uint64_t pages, uint32_t flags)
{
	uint64_t first = (uint64_t)page;
	uint32_t holds = ONLY(UPA_MIXED);

	if (page < 0 || !(flags & UPA_GET_CONTENTS))
		return page;
	if (end_in_child(first, first + pages) == first + pages) {
		holds = child_holds(load_acquire(child_at(a, first / UPA_CHILD_PAGES)));
		if (holds & ONLY(UPA_MIXED) && !(flags & UPA_GET_ZEROS))
			holds ^= ONLY(UPA_MIXED) | UPA_HOLDS_ABSENT | UPA_HOLDS_STALE;
	}
	if (holds & ONLY(UPA_MIXED))
		holds = search_contents(a, first, first + pages);
	return page | (int64_t)holds << UPA_CONTENTS_SHIFT;
}

/* ---- get and put ----------------------------------------------------------------------------- */

int64_t upa_llfree_get(const struct upa_llfree *a, uint32_t slot, uint32_t order, uint32_t flags)
{
	struct slot *s = slot_at(a, slot);
	int64_t page;

	if (order > UPA_MAX_ORDER || flags & ~GET_FLAGS)
		return -EINVAL;
	page = got(a, s, get_small(a, s, 1u << order, 1u << order, flags), 1u << order);
	return with_contents(a, page, 1u << order, flags);
}

int64_t upa_llfree_get_run(const struct upa_llfree *a, uint32_t slot, uint64_t pages, uint32_t flags)
{
	struct slot *s = slot_at(a, slot);
	int64_t page = -ENOMEM;

	if (!pages || flags & ~GET_FLAGS)
		return -EINVAL;
	if (pages <= UPA_CHILD_PAGES && pages <= a->pages)
		page = get_small(a, s, (uint32_t)pages, 1, flags);
	else if (pages <= a->pages)
		page = get_large(a, s, pages, flags);
	return with_contents(a, got(a, s, page, pages), pages, flags);
}

int upa_llfree_get_at(const struct upa_llfree *a, uint32_t slot, uint64_t first, uint64_t pages)
{
	struct slot *s = slot_at(a, slot);
	int error;

	if (!in_range(a, first, pages))
		return -EINVAL;
	error = get_at(a, s, first, pages);
	if (error)
		return error;
	got(a, s, (int64_t)first, pages);
	return (int)search_contents(a, first, first + pages);
}

int upa_llfree_put_run(const struct upa_llfree *a, uint32_t slot, uint64_t first, uint64_t pages, uint32_t flags)
{
	static const uint32_t states[] = {
		UPA_STALE, [UPA_PUT_ABSENT] = UPA_ABSENT, [UPA_PUT_ZEROED] = UPA_ZEROED, [UPA_PUT_UNTOUCHED] = UNCHANGED
	};
	struct slot *s = slot_at(a, slot);
	uint64_t freed;

	if (!in_range(a, first, pages) || flags > UPA_PUT_UNTOUCHED)
		return -EINVAL;
	if (end_in_child(first, first + pages) == first + pages)
		freed = put_in_child(a, s, first, (uint32_t)pages, states[flags]);
	else if (pages < UPA_TREE_PAGES && end_in_tree(first, first + pages) == first + pages)
		freed = put_in_tree(a, s, first, pages, states[flags]);
	else if (search_held(a, first, first + pages))
		freed = put_range(a, s, first, pages, states[flags]);
	else
		return -EINVAL;
	if (!freed)
		return -EINVAL;
	if (pages > UPA_CHILD_PAGES)
		store_relaxed(&s->run_hint, first);
	count_put(s, freed, freed == pages);
	return freed == pages ? 0 : -EINVAL;
}

int upa_llfree_put(const struct upa_llfree *a, uint32_t slot, uint64_t page, uint32_t order)
{
	if (order > UPA_MAX_ORDER || page & ((1u << order) - 1))
		return -EINVAL;
	return upa_llfree_put_run(a, slot, page, 1u << order, 0);
}

void upa_llfree_drain(const struct upa_llfree *a)
{
	tickets_drain(a);
}

/* ---- which pages are free -------------------------------------------------------------------- */

int64_t upa_llfree_next(const struct upa_llfree *a, uint64_t first, uint64_t pages, int free, uint64_t *length)
{
	uint64_t end = first + pages;
	uint64_t page;

	if (!in_range(a, first, pages))
		return -EINVAL;
	page = search_next(a, first, end, free);
	if (page == end)
		return -1;
	*length = search_next(a, page, end, !free) - page;
	return (int64_t)page;
}

uint64_t upa_llfree_touched_children(const struct upa_llfree *a)
{
	return touched_children(a);
}
