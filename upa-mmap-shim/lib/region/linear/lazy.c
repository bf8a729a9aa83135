/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of free pages that the kernel may take: marked MADV_FREE, which costs a tenth of a microsecond a page, and
 * nothing is lost if somebody wants the page first. As giving back does, it takes free pages like any other caller, so
 * that nobody can get a page midway. Whoever gets a marked page settles it (clear.c).
 *
 * Only children that are free as a whole are marked. A mark ends when one caller holds all of its child, which in one
 * that others use as well might be never, and each block taken there would have to be written to.
 */
#define _GNU_SOURCE
#include "llfree/populated.h"
#include "os/filter.h"
#include "os/os.h"
#include "region/linear/linear.h"
#include "region/slots.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool markable(const struct upa_region *r, uint64_t c)
{
	return whole_child(r, c, UPA_POPULATED) && (c + 1) * UPA_CHILD_PAGES <= r->llfree.pages &&
	       !upa_llfree_lazy(&r->llfree, c * UPA_CHILD_PAGES);
}

/* Pages marked, 0 if somebody was faster; or -errno. */
static int64_t mark_children(struct upa_region *r, uint64_t c, uint64_t n)
{
	uint64_t first = c * UPA_CHILD_PAGES, pages = n * UPA_CHILD_PAGES;
	uint32_t left = UPA_PUT_UNTOUCHED;
	uint64_t populated;
	int error;

	if (!upa_linear_take_populated(r, first, pages, &populated))
		return 0;
	/* Before a part of it may be marked, and the rest refused. */
	upa_llfree_set_lazy(&r->llfree, first, pages);
	error = os_madvise(address_of(r, first), pages * PAGE_BYTES, MADV_FREE);
	if (error) {
		error = os_madvise(address_of(r, first), pages * PAGE_BYTES, MADV_DONTNEED);
		left = error ? UPA_PUT_UNTOUCHED : UPA_PUT_ABSENT;
	}
	put_back(r, first, pages, left);
	return error ? error : (int64_t)populated;
}

/*
 * Marks free children, from the far end as giving back does, until at least so many pages have been marked; with
 * `parts` gives back what lies in the others. Pages, or -errno if the first one failed.
 */
static int64_t mark_or_drop(struct upa_region *r, uint64_t wanted, bool parts)
{
	uint64_t total = 0;

	for (uint64_t c = upa_llfree_touched_children(&r->llfree);
	     wanted > total && (c = populated_before(&r->llfree, c));) {
		int64_t done = 0;
		uint64_t n = 0;

		while (n < c && n < BATCH_CHILDREN && n * UPA_CHILD_PAGES < wanted - total && markable(r, c - n - 1))
			n++;
		c -= n ? n : 1;
		if (n)
			done = mark_children(r, c, n);
		else if (parts && !upa_llfree_lazy(&r->llfree, c * UPA_CHILD_PAGES))
			done = upa_linear_give_back_parts(r, c * UPA_CHILD_PAGES, UPA_CHILD_PAGES, MADV_DONTNEED);
		if (done < 0 && !total)
			return done;
		total += done > 0 ? (uint64_t)done : 0;
	}
	UPA_ASSERT(total <= r->llfree.pages);
	return (int64_t)total;
}

int64_t upa_linear_make_lazy(struct upa_region *r, uint64_t unmarked, bool strictly)
{
	struct upa_llfree_stats st;
	uint64_t excess;
	int64_t marked, dropped;

	upa_llfree_get_stats(&r->llfree, &st);
	if (st.retained_pages <= st.lazy_pages + unmarked)
		return 0;
	excess = st.retained_pages - st.lazy_pages - unmarked;
	marked = mark_or_drop(r, excess, false);
	/*
	 * What is given back faults again, and blocks that were side by side are so no more. So it waits until it is as
	 * much again: mostly the rest of its child is freed soon, and then it is marked.
	 */
	excess -= marked > 0 ? least(excess, (uint64_t)marked) : 0;
	if (!strictly || excess <= unmarked)
		return marked;
	dropped = mark_or_drop(r, excess - unmarked, true);
	return marked <= 0 ? dropped : dropped > 0 ? marked + dropped : marked;
}

/* Of a held child. */
static bool has_memory(const struct upa_region *r, uint64_t first)
{
	unsigned char resident[UPA_CHILD_PAGES];

	if (os_resident(address_of(r, first), CHILD_BYTES, resident))
		return true;
	for (uint32_t i = 0; i < UPA_CHILD_PAGES; i++)
		if (resident[i] & 1)
			return true;
	return false;
}

int64_t upa_linear_find_taken(struct upa_region *r)
{
	int64_t total = 0;

	for (uint64_t c = upa_llfree_touched_children(&r->llfree); (c = populated_before(&r->llfree, c)) && c--;) {
		uint64_t first = c * UPA_CHILD_PAGES;
		uint64_t populated;

		if (upa_llfree_lazy(&r->llfree, first) <= 0 || !whole_child(r, c, UPA_POPULATED) ||
		    !upa_linear_take_populated(r, first, UPA_CHILD_PAGES, &populated))
			continue;
		/* What is not resident may have been swapped out before it was marked: dropped, it reads zero. */
		if (has_memory(r, first) || os_madvise(address_of(r, first), CHILD_BYTES, MADV_DONTNEED)) {
			put_back(r, first, UPA_CHILD_PAGES, UPA_PUT_UNTOUCHED);
			continue;
		}
		put_back(r, first, UPA_CHILD_PAGES, UPA_PUT_ABSENT);
		total += (int64_t)populated;
	}
	if (total)
		ADD(r, taken_pages, (uint64_t)total);
	return total;
}
