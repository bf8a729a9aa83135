/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared regions: a file that other processes map as well, each at addresses of its own. So page tables stay where they
 * are, memory goes back by a hole in the file, and nobody may change a part of the mapping.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "os/clear.h"
#include "os/os.h"
#include "region/linear/linear.h"
#include "region/slots.h"

static int prepare(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags, uint32_t holds)
{
	int error = upa_linear_fill(r, first, pages, flags, holds);

	if (error)
		put_back(r, first, pages, UPA_PUT_UNTOUCHED);
	return error;
}

static int unmap(struct upa_region *r, uint64_t first, uint64_t pages)
{
	return upa_llfree_put_run(&r->llfree, this_slot(), first, pages, 0);
}

/* mincore() would say what is in the page cache, whoever put it there; it is not asked. */
static void clear(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t cleared = 0;
	uint64_t length;
	int64_t page;

	while (first < end && (page = upa_llfree_next_stale(&r->llfree, first, end - first, &length)) >= 0) {
		upa_clear(address_of(r, (uint64_t)page), length * PAGE_BYTES);
		cleared += length;
		first = (uint64_t)page + length;
	}
	if (cleared)
		ADD(r, cleared_pages, cleared);
}

static int64_t give_back(struct upa_region *r, uint64_t retain)
{
	return upa_linear_give_back_by(r, retain, MADV_REMOVE);
}

static int renew(struct upa_region *r, uint64_t first, uint64_t pages)
{
	return os_madvise(address_of(r, first), pages * PAGE_BYTES, MADV_REMOVE);
}

static int make_ordinary(struct upa_region *r)
{
	(void)r;
	return -EINVAL;
}

const struct region_backend upa_shared = {
	.flags = UPA_REGION_HUGEPAGE | UPA_REGION_NOHUGEPAGE,
	.ordinary = true,
	.open = upa_linear_open,
	.close = upa_linear_close,
	.prepare = prepare,
	.unmap = unmap,
	.put = upa_linear_put,
	.claim = upa_linear_claim,
	.renew = renew,
	.clear = clear,
	.relocate = upa_linear_copy_elsewhere,
	.give_back = give_back,
	.populate = upa_linear_populate,
	.clear_child = upa_linear_clear_child,
	.make_ordinary = make_ordinary,
	.retained = upa_linear_retained,
	.uncounted = upa_linear_uncounted,
	.recover = upa_linear_recover,
	.validate = upa_linear_validate,
};
