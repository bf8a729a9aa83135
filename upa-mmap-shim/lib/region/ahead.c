/* SPDX-License-Identifier: Apache-2.0 */
/* Work on free pages ahead of need, child by child: each is taken, worked on and freed, like by any other caller. */
#include <upa/region.h>

#include "region/backend.h"
#include "region/slots.h"

int64_t upa_region_populate(struct upa_region *r, uint64_t bytes)
{
	uint64_t pages = r->backend->populate ? bytes / PAGE_BYTES : 0;
	uint64_t total = 0;

	for (uint64_t c = 0; c < r->llfree.children && total + UPA_CHILD_PAGES <= pages; c++) {
		uint64_t first = c * UPA_CHILD_PAGES;
		int error;

		if (!whole_child(r, c, 1u << UPA_ABSENT) ||
		    upa_llfree_get_at(&r->llfree, this_slot(), first, UPA_CHILD_PAGES))
			continue;
		/* Used and freed by somebody between the look and the taking: what it holds now is not zero. */
		if (upa_llfree_child_state(&r->llfree, first) != UPA_ABSENT) {
			upa_llfree_put_run(&r->llfree, this_slot(), first, UPA_CHILD_PAGES, UPA_PUT_UNTOUCHED);
			continue;
		}
		error = upa_region_reach(r, first, UPA_CHILD_PAGES);
		if (!error)
			error = r->backend->populate(r, first);
		if (error)
			return total ? (int64_t)(total * PAGE_BYTES) : error;
		total += UPA_CHILD_PAGES;
	}
	return (int64_t)(total * PAGE_BYTES);
}

int64_t upa_region_clear(struct upa_region *r, uint64_t bytes)
{
	uint64_t pages = r->backend->populate ? bytes / PAGE_BYTES : 0;
	uint64_t touched = upa_llfree_touched_children(&r->llfree);
	uint64_t total = 0;

	for (uint64_t c = 0; c < touched && total + UPA_CHILD_PAGES <= pages; c++) {
		uint64_t first = c * UPA_CHILD_PAGES;
		uint64_t length;
		bool populated;

		if (!whole_child(r, c, 1u << UPA_STALE | 1u << UPA_MIXED) ||
		    upa_llfree_get_at(&r->llfree, this_slot(), first, UPA_CHILD_PAGES))
			continue;
		/* A child with absent pages among them stays as it is: clearing would populate those. */
		populated = upa_llfree_next_stale(&r->llfree, first, UPA_CHILD_PAGES, &length) == (int64_t)first &&
			    length == UPA_CHILD_PAGES;
		if (populated) {
			r->backend->clear(r, first, UPA_CHILD_PAGES);
			total += UPA_CHILD_PAGES;
		}
		upa_llfree_put_run(&r->llfree, this_slot(), first, UPA_CHILD_PAGES,
				   populated ? UPA_PUT_ZEROED : UPA_PUT_UNTOUCHED);
	}
	return (int64_t)(total * PAGE_BYTES);
}
