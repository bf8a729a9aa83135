/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contents.c - the functions of upa/llfree.h on what pages hold, and on the marks of their children: asked, and
 * recorded by who holds the pages. Arguments are checked here, and trusted below.
 */
#include <errno.h>

#include "llfree/child.h"
#include "llfree/search.h"

/* ---- states ---------------------------------------------------------------------------------- */

int64_t upa_llfree_next_stale(const struct upa_llfree *a, uint64_t first, uint64_t pages, uint64_t *length)
{
	uint64_t end = first + pages;
	uint64_t page;

	if (!in_range(a, first, pages))
		return -EINVAL;
	page = search_content(a, first, end, true);
	if (page == end)
		return -1;
	*length = search_content(a, page, end, false) - page;
	return (int64_t)page;
}

int upa_llfree_contents(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	return in_range(a, first, pages) ? (int)search_contents(a, first, first + pages) : -EINVAL;
}

int64_t upa_llfree_next_state(const struct upa_llfree *a, uint64_t first, uint64_t pages, uint32_t states,
			      uint64_t *length)
{
	uint64_t end = first + pages;
	uint64_t page;

	if (!in_range(a, first, pages) || states & ~ANY_STATE)
		return -EINVAL;
	page = search_states(a, first, end, states);
	if (page == end)
		return -1;
	*length = search_states(a, page, end, ~states & ANY_STATE) - page;
	return (int64_t)page;
}

int upa_llfree_set_stale(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	if (!in_range(a, first, pages))
		return -EINVAL;
	for (uint64_t page = first, end; page < first + pages; page = end) {
		uint64_t c = page / UPA_CHILD_PAGES;
		uint32_t lo = (uint32_t)(page % UPA_CHILD_PAGES);

		end = end_in_child(page, first + pages);
		if (end - page == UPA_CHILD_PAGES) {
			child_set_state(a, c, ONLY(UPA_ABSENT) | ONLY(UPA_ZEROED), UPA_STALE);
			child_settle(a, c);
		}
		child_record(a, c, lo, lo + (uint32_t)(end - page), UPA_STALE);
	}
	return 0;
}

int upa_llfree_child_state(const struct upa_llfree *a, uint64_t page)
{
	return page < a->pages ? (int)child_state(load_relaxed(child_at(a, page / UPA_CHILD_PAGES))) : -EINVAL;
}

/* ---- marks of children ----------------------------------------------------------------------- */

/* Marks the children in which pages lie that the caller holds. */
static int mark_all(const struct upa_llfree *a, uint64_t first, uint64_t pages, uint32_t marks)
{
	if (!in_range(a, first, pages))
		return -EINVAL;
	for (uint64_t c = first / UPA_CHILD_PAGES; c <= (first + pages - 1) / UPA_CHILD_PAGES; c++)
		child_mark(a, c, marks);
	return 0;
}

int upa_llfree_taint(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	return mark_all(a, first, pages, CHILD_TAINTED);
}

int upa_llfree_tainted(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	if (!in_range(a, first, pages))
		return -EINVAL;
	if (end_in_child(first, first + pages) == first + pages)
		return !!(load_relaxed(child_at(a, first / UPA_CHILD_PAGES)) & CHILD_TAINTED);
	return search_taint(a, first, first + pages);
}

int upa_llfree_set_resident(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;

	if (!in_range(a, first, pages))
		return -EINVAL;
	for (uint64_t c = (first + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES; (c + 1) * UPA_CHILD_PAGES <= end; c++)
		child_mark(a, c, CHILD_RESIDENT);
	return 0;
}

int upa_llfree_resident(const struct upa_llfree *a, uint64_t page)
{
	return page < a->pages ? !!(load_relaxed(child_at(a, page / UPA_CHILD_PAGES)) & CHILD_RESIDENT) : -EINVAL;
}

int upa_llfree_set_lazy(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	return mark_all(a, first, pages, CHILD_LAZY);
}

int upa_llfree_settle(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;

	if (!in_range(a, first, pages))
		return -EINVAL;
	for (uint64_t c = (first + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES; (c + 1) * UPA_CHILD_PAGES <= end; c++)
		child_settle(a, c);
	return 0;
}

int upa_llfree_lazy(const struct upa_llfree *a, uint64_t page)
{
	return page < a->pages ? !!(load_relaxed(child_at(a, page / UPA_CHILD_PAGES)) & CHILD_LAZY) : -EINVAL;
}
