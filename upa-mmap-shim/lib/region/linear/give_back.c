/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving memory of free pages back to the kernel. It takes free pages like any other caller, drops their memory and
 * frees them as absent: nobody can get a page midway.
 */
#define _GNU_SOURCE
#include "llfree/populated.h"
#include "os/os.h"
#include "region/linear/linear.h"
#include "region/slots.h"

/* Of pages that the caller holds, those that count as retained. */
static uint64_t populated_of(const struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t total = 0;
	uint64_t length;
	int64_t page;

	for (uint64_t at = first; at < end; at = (at / UPA_CHILD_PAGES + 1) * UPA_CHILD_PAGES)
		if (upa_llfree_child_state(&r->llfree, at) == UPA_ZEROED)
			total += end - at < UPA_CHILD_PAGES ? end - at : UPA_CHILD_PAGES - at % UPA_CHILD_PAGES;
	while (first < end && (page = upa_llfree_next_stale(&r->llfree, first, end - first, &length)) >= 0) {
		total += length;
		first = (uint64_t)page + length;
	}
	return total;
}

bool upa_linear_take_populated(struct upa_region *r, uint64_t first, uint64_t pages, uint64_t *populated)
{
	if (take_free(r, first, pages))
		return false;
	*populated = populated_of(r, first, pages);
	UPA_ASSERT(*populated <= pages && reached(r, first, pages));
	return true;
}

/* Takes free pages, drops their memory and frees them again. Returns the pages dropped, 0 if somebody was faster. */
static int64_t give_back_run(struct upa_region *r, uint64_t first, uint64_t pages, int advice)
{
	uint64_t populated;
	int error;

	if (!upa_linear_take_populated(r, first, pages, &populated))
		return 0;
	error = os_madvise(address_of(r, first), pages * PAGE_BYTES, advice);
	put_back(r, first, pages, error ? UPA_PUT_UNTOUCHED : UPA_PUT_ABSENT);
	return error ? error : (int64_t)populated;
}

int64_t upa_linear_give_back_parts(struct upa_region *r, uint64_t first, uint64_t pages, int advice)
{
	uint64_t end = first + pages;
	int64_t total = 0;

	while (first < end) {
		uint64_t free_length, length;
		int64_t page = upa_llfree_next(&r->llfree, first, end - first, true, &free_length);
		int64_t dropped;

		if (page < 0)
			break;
		first = (uint64_t)page + free_length;
		/* All of it if any is stale: a huge page has put memory behind the others as well. */
		if (upa_llfree_child_state(&r->llfree, (uint64_t)page) != UPA_ZEROED &&
		    upa_llfree_next_stale(&r->llfree, (uint64_t)page, free_length, &length) < 0)
			continue;
		dropped = give_back_run(r, (uint64_t)page, free_length, advice);
		if (dropped < 0)
			return total ? total : dropped;
		total += dropped;
	}
	return total;
}

int64_t upa_linear_give_back_by(struct upa_region *r, uint64_t retain, int advice)
{
	struct upa_llfree_stats st;
	uint64_t total = 0;

	upa_llfree_get_stats(&r->llfree, &st);
	/* From the far end: what stays is where the next searches begin. */
	for (uint64_t c = upa_llfree_touched_children(&r->llfree);
	     st.retained_pages > retain + total && (c = populated_before(&r->llfree, c));) {
		uint64_t excess = st.retained_pages - retain - total;
		uint64_t n = 0;
		int64_t dropped;

		while (n < c && n < BATCH_CHILDREN && n * UPA_CHILD_PAGES < excess &&
		       whole_child(r, c - n - 1, UPA_POPULATED))
			n++;
		if (n) {
			c -= n;
			dropped = give_back_run(r, c * UPA_CHILD_PAGES, n * UPA_CHILD_PAGES, advice);
		} else {
			c--;
			dropped = upa_linear_give_back_parts(r, c * UPA_CHILD_PAGES, UPA_CHILD_PAGES, advice);
		}
		if (dropped < 0 && !total)
			return dropped;
		total += dropped > 0 ? (uint64_t)dropped : 0;
	}
	UPA_ASSERT(total <= r->llfree.pages);
	return (int64_t)total;
}

int64_t upa_linear_give_back(struct upa_region *r, uint64_t retain)
{
	return upa_linear_give_back_by(r, retain, MADV_DONTNEED);
}
