/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/get.h"

#include <errno.h>
#include <sched.h>

#include "llfree/child.h"
#include "llfree/counters.h"
#include "llfree/put.h"
#include "llfree/search.h"
#include "llfree/tickets.h"

/* Trees to try for a run that their counters promise but their fragments may not hold. */
#define RESERVE_TRIES 4

/* Searches of the whole state before a get fails though it has seen room: others may be quicker every time. */
#define SEARCH_TRIES 16

/* ---- exactly these pages --------------------------------------------------------------------- */

/* 0, -EBUSY if one of them is not free, -EAGAIN if their tickets are not to be found. */
static int get_range(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t pages, bool overdraw)
{
	uint64_t end = first + pages;
	uint64_t at = first;
	uint64_t undone;
	int error = -EAGAIN;

	while (at < end) {
		uint64_t tree = at / UPA_TREE_PAGES;
		uint64_t tree_end = end_in_tree(at, end);

		if (!tickets_take(a, s, tree, (uint32_t)(tree_end - at), overdraw))
			goto undo;
		while (at < tree_end) {
			uint64_t c = at / UPA_CHILD_PAGES;
			uint64_t child_end = end_in_child(at, tree_end);
			uint32_t n = (uint32_t)(child_end - at);
			uint32_t lo = (uint32_t)(at % UPA_CHILD_PAGES);

			if (n == UPA_CHILD_PAGES ? !child_get_whole(a, c) : !child_get_part(a, c, lo, lo + n)) {
				tickets_give(a, s, tree, (uint32_t)(tree_end - at));
				error = -EBUSY;
				goto undo;
			}
			at = child_end;
		}
	}
	touch_children(a, (end + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES);
	return 0;
undo:
	undone = put_range(a, s, first, at - first, UNCHANGED);
	UPA_ASSERT(undone == at - first);
	(void)undone;
	return error;
}

int get_at(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t pages)
{
	for (int tries = 0; tries < SEARCH_TRIES; tries++) {
		if (search_next(a, first, first + pages, false) != first + pages)
			return -EBUSY;
		if (!get_range(a, s, first, pages, true))
			return 0;
		sched_yield();
	}
	return -EBUSY;
}

/* ---- anywhere -------------------------------------------------------------------------------- */

/*
 * Takes the first n free aligned pages there are, whoever has reserved their trees. Sets *missed if some could not
 * be had.
 */
static int64_t get_first(const struct upa_llfree *a, struct slot *s, uint64_t n, uint64_t align, bool inside,
			 bool overdraw, bool *missed)
{
	uint64_t from = 0;
	int64_t page;

	while ((page = search_pages(a, from, n, align, inside)) >= 0) {
		uint64_t first = (uint64_t)page;
		int error = get_range(a, s, first, n, overdraw);

		if (!error)
			return page;
		*missed = true;
		/* A tree without tickets has none for its next page either. */
		if (error == -EAGAIN && first / UPA_TREE_PAGES == (first + n - 1) / UPA_TREE_PAGES)
			from = (first / UPA_TREE_PAGES + 1) * UPA_TREE_PAGES;
		else
			from = first + align;
	}
	return -ENOMEM;
}

/* The last resort, page by page: where a run should lie (in one child, or from the start of one), then anywhere. */
static int64_t get_anywhere(const struct upa_llfree *a, struct slot *s, uint64_t n, uint64_t align)
{
	bool small = n <= UPA_CHILD_PAGES;

	count(&s->searches, 1);
	for (int tries = 0; tries < SEARCH_TRIES; tries++) {
		bool missed = false;
		int64_t page = get_first(a, s, n, small ? align : UPA_CHILD_PAGES, small, tries > 0, &missed);

		if (page < 0 && align == 1 && n > 1)
			page = get_first(a, s, n, 1, false, tries > 0, &missed);
		if (page >= 0)
			return page;
		if (!tries)
			tickets_drain(a);
		else if (!missed)
			break;
		else
			sched_yield();
	}
	return -ENOMEM;
}

/* ---- up to a child --------------------------------------------------------------------------- */

/* How well a child suits a request, 0 best: what saves a fault first, then what saves or wastes clearing. */
static uint32_t rank(uint32_t state, uint32_t flags)
{
	if (flags & UPA_GET_ABSENT)
		return state == UPA_ABSENT ? 0 : 2;
	if (state == UPA_ABSENT)
		return 2;
	return (state == UPA_ZEROED) != (flags & UPA_GET_ZEROS);
}

/*
 * Takes n pages of the tree for which the caller has tickets, from the child hint on; -1 if none of its children has
 * them.
 */
static int64_t get_in_tree(const struct upa_llfree *a, uint64_t hint, uint32_t n, uint32_t align, uint32_t flags)
{
	uint64_t base = hint - hint % UPA_TREE_CHILDREN;
	uint32_t ranks = 0;

	for (uint32_t want = 0; want < 3; want++) {
		if (want && !is_in(ranks, want))
			continue;
		for (uint32_t i = 0; i < UPA_TREE_CHILDREN; i++) {
			uint64_t c = base + (hint + i) % UPA_TREE_CHILDREN;
			uint32_t w = load_relaxed(child_at(a, c));
			uint32_t r = rank(child_state(w), flags);
			int64_t page;

			/*
			 * A last tree may be short of children and pages. Its words say so, unless somebody has
			 * overwritten them.
			 */
			if (child_free(w) < n || c >= a->children)
				continue;
			ranks |= 1u << r;
			if (r != want)
				continue;
			if (n == UPA_CHILD_PAGES)
				page = child_get_whole(a, c) ? (int64_t)(c * UPA_CHILD_PAGES) : -1;
			else
				page = child_get(a, c, n, align);
			if (page >= 0 && (uint64_t)page + n <= a->pages)
				return page;
		}
	}
	return -1;
}

int64_t get_small(const struct upa_llfree *a, struct slot *s, uint32_t n, uint32_t align, uint32_t flags)
{
	uint64_t from = 0;

	for (int tries = 0; tries < RESERVE_TRIES;) {
		uint64_t w = slot_load(a, s);

		if (w & SLOT_PRESENT) {
			uint64_t hint = slot_child(w);
			int64_t page;

			if (slot_free(w) < n) {
				if (tickets_fetch(a, s, w, n))
					continue;
			} else {
				if (!cas_weak_acq_rel(&s->reservation, &w, w - n))
					continue;
				page = get_in_tree(a, hint, n, align, flags);
				if (page >= 0) {
					uint64_t c = (uint64_t)page / UPA_CHILD_PAGES;

					w -= n;
					if (c != hint)
						cas_weak_acq_rel(&s->reservation, &w, with_child(w, c));
					return page;
				}
				tickets_give(a, s, hint / UPA_TREE_CHILDREN, n);
			}
		}
		tries++;
		if (!tickets_reserve(a, s, w, n, &from))
			break;
	}
	return get_anywhere(a, s, n, align);
}

/* ---- more than a child ----------------------------------------------------------------------- */

int64_t get_large(const struct upa_llfree *a, struct slot *s, uint64_t n, uint32_t flags)
{
	uint32_t preferred = flags & UPA_GET_ABSENT ? ONLY(UPA_ABSENT) : ANY_STATE & ~ONLY(UPA_ABSENT);
	uint64_t children = (n + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;
	uint64_t hint = load_relaxed(&s->run_hint);

	UPA_ASSERT(hint < a->children);
	/*
	 * Where this slot freed or took its last run; then any preferred memory; then any; then what others have
	 * reserved.
	 */
	for (int pass = 0; pass < 4; pass++) {
		const struct slot *own = pass < 3 ? s : NULL;
		uint32_t states = pass < 2 ? preferred : ANY_STATE;
		uint64_t from = pass == 0 ? hint : 0;
		uint64_t end = a->children;
		int64_t c;

		if (pass == 0)
			end = hint + children;
		else if (pass == 1 && !(flags & UPA_GET_ABSENT))
			end = touched_children(a);
		if (end > a->children)
			continue;
		while ((c = search_children(a, own, from, end, children, states)) >= 0) {
			uint64_t first = (uint64_t)c * UPA_CHILD_PAGES;

			if (first + n <= a->pages && !get_range(a, s, first, n, false)) {
				store_relaxed(&s->run_hint, (uint64_t)c);
				return (int64_t)first;
			}
			from = (uint64_t)c + 1;
		}
	}
	return get_anywhere(a, s, n, 1);
}
