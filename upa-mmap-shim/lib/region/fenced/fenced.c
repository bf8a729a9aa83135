/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The linear region whose free pages fault when they are touched, as after munmap(). A system call for each map and
 * unmap. Page tables do not move here, for the kernel has fenced and open ranges in mappings of their own: what is
 * large had better leave the region.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "os/os.h"
#include "region/linear/linear.h"
#include "region/slots.h"

static int open_fenced(struct upa_region *r, const struct region_header *h, const struct upa_region_options *options,
		       int fd)
{
	int error = upa_linear_open(r, h, options, fd);

	if (error)
		return error;
	/*
	 * With a page in it the mapping has its anon_vma, which its parts will share: else the kernel could not merge
	 * them again.
	 */
	*r->base = 0;
	error = os_mprotect(r->base, atomic_load(&r->extent), PROT_NONE);
	if (error)
		upa_linear_close(r);
	return error;
}

static int extend(struct upa_region *r, uint64_t bytes)
{
	return upa_linear_extend_as(r, bytes, PROT_NONE);
}

static int fence(const struct upa_region *r, uint64_t first, uint64_t pages)
{
	return os_mprotect(address_of(r, first), pages * PAGE_BYTES, PROT_NONE);
}

static int prepare(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags, uint32_t holds)
{
	int error;

	UPA_ASSERT(held(r, first, pages) && reached(r, first, pages));
	error = os_mprotect(address_of(r, first), pages * PAGE_BYTES, PROT_READ | PROT_WRITE);
	if (!error)
		error = upa_linear_fill(r, first, pages, flags, holds);
	if (error) {
		fence(r, first, pages);
		put_back(r, first, pages, UPA_PUT_UNTOUCHED);
	}
	return error;
}

static int unmap(struct upa_region *r, uint64_t first, uint64_t pages)
{
	bool tainted = upa_llfree_tainted(&r->llfree, first, pages) > 0, lost = false;
	uint64_t length;
	int error;

	if (upa_llfree_next(&r->llfree, first, pages, true, &length) >= 0)
		return -EINVAL;
	error = tainted ? upa_linear_restore_freed(r, first, pages, PROT_NONE, &lost) : fence(r, first, pages);
	if (lost)
		return 0;
	/*
	 * No more mappings to be had, of which this would need two and munmap() one: the addresses are lost, their
	 * memory is not.
	 */
	if (error == -ENOMEM && !os_madvise(address_of(r, first), pages * PAGE_BYTES, MADV_GUARD_INSTALL))
		return upa_llfree_taint(&r->llfree, first, pages);
	return error ? error : upa_llfree_put_run(&r->llfree, this_slot(), first, pages, tainted ? UPA_PUT_ABSENT : 0);
}

static int put(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags)
{
	UPA_ASSERT(held(r, first, pages));
	fence(r, first, pages);
	return upa_llfree_put_run(&r->llfree, this_slot(), first, pages, flags);
}

/* Still fenced: whoever renews them is to open them. */
static int claim(struct upa_region *r, uint64_t first, uint64_t pages)
{
	return upa_llfree_taint(&r->llfree, first, pages);
}

static int64_t relocate(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages, uint32_t flags)
{
	if (old_pages >= UPA_CHILD_PAGES && upa_llfree_tainted(&r->llfree, first, old_pages) <= 0)
		return -ENOMEM;
	return upa_linear_copy_elsewhere(r, first, old_pages, new_pages, flags);
}

const struct region_backend upa_fenced = {
	.flags = UPA_REGION_HUGEPAGE | UPA_REGION_NOHUGEPAGE | UPA_REGION_FENCED | UPA_REGION_GROWS,
	.prepares = true,
	.ordinary = true,
	.open = open_fenced,
	.close = upa_linear_close,
	.extend = extend,
	.prepare = prepare,
	.unmap = unmap,
	.put = put,
	.claim = claim,
	.renew = upa_linear_renew,
	.clear = upa_linear_clear,
	.relocate = relocate,
	.give_back = upa_linear_give_back,
	.make_lazy = upa_linear_make_lazy,
	.find_taken = upa_linear_find_taken,
	.make_ordinary = upa_linear_make_ordinary,
	.retained = upa_linear_retained,
	.uncounted = upa_linear_uncounted,
	.recover = upa_linear_recover,
	.validate = upa_linear_validate,
};
