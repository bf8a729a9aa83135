/* SPDX-License-Identifier: Apache-2.0 */
/* Private regions of anonymous memory: made, prepared, restored. fork() gives a child a copy of data and metadata. */
#define _GNU_SOURCE
#include "region/linear/linear.h"

#include <errno.h>

#include "os/filter.h"
#include "region/mapping.h"
#include "region/slots.h"

/* Also for what comes in place of a part of the region. */
static int advise_huge(const struct upa_region *r, void *address, uint64_t bytes)
{
	if (r->flags & UPA_REGION_HUGEPAGE)
		return os_madvise(address, bytes, MADV_HUGEPAGE);
	if (r->flags & UPA_REGION_NOHUGEPAGE)
		return os_madvise(address, bytes, MADV_NOHUGEPAGE);
	return 0;
}

int upa_linear_mark(const struct upa_region *r, void *address, uint64_t bytes)
{
	os_name(address, bytes, "upa region");
	return advise_huge(r, address, bytes);
}

/* Anonymous memory if fd is -1. */
static int map_all(struct upa_region *r, int fd, uint64_t offset)
{
	void *base;
	int error = upa_map_aligned(&base, r->bytes, fd < 0 ? MAP_SPARSE : MAP_SHARED, fd, offset);

	if (error)
		return error;
	r->base = base;
	atomic_store(&r->extent, r->bytes);
	error = fd < 0 ? upa_linear_mark(r, base, r->bytes) : advise_huge(r, base, r->bytes);
	if (error)
		os_munmap(base, r->bytes);
	return error;
}

int upa_linear_open(struct upa_region *r, const struct region_header *h, const struct upa_region_options *options,
		    int fd)
{
	size_t metadata_bytes = upa_region_metadata_bytes(h);
	void *metadata;
	int error;

	/* Locked already, by mlockall(MCL_FUTURE): the whole range would be populated at once. */
	if (os_madvise(r, PAGE_BYTES, MADV_DONTNEED))
		return -ENOMEM;
	error = fd < 0 ? upa_map_sparse(&metadata, metadata_bytes) :
			 upa_map(&metadata, NULL, metadata_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (error)
		return error;
	r->header = metadata;
	r->metadata_bytes = metadata_bytes;
	r->counters = counters_in(metadata);
	r->slots = h->slots;
	r->flags = options->flags;
	r->bytes = h->data_bytes;
	error = r->flags & UPA_REGION_GROWS ? upa_linear_place(r) : map_all(r, fd, h->data_offset);
	if (error) {
		os_munmap(metadata, metadata_bytes);
		return error;
	}
	/* Ours alone, and of no interest to who looks for what a program was doing. */
	if (fd < 0)
		os_madvise(metadata, metadata_bytes, MADV_DONTDUMP);
	return 0;
}

void upa_linear_close(struct upa_region *r)
{
	os_munmap(r->base, atomic_load(&r->extent));
	os_munmap(r->header, r->metadata_bytes);
}

static int restore(const struct upa_region *r, uint64_t first, uint64_t pages, int protection, int fixed)
{
	char *address = address_of(r, first);
	void *made;
	int error;

	/* Others' mappings of a file stay; behind the extent nothing is ours. */
	UPA_ASSERT(r->backend != &upa_shared && held(r, first, pages) && reached(r, first, pages));
	error = upa_map(&made, address, pages * PAGE_BYTES, protection, MAP_SPARSE | fixed, -1, 0);
	if (!error && made != address) {
		/* Before Linux 4.17 MAP_FIXED_NOREPLACE is a hint. */
		os_munmap(made, pages * PAGE_BYTES);
		error = -EEXIST;
	}
	return error ? error : upa_linear_mark(r, address, pages * PAGE_BYTES);
}

int upa_linear_restore(const struct upa_region *r, uint64_t first, uint64_t pages, int protection)
{
	return restore(r, first, pages, protection, MAP_FIXED);
}

int upa_linear_restore_freed(const struct upa_region *r, uint64_t first, uint64_t pages, int protection, bool *lost)
{
	int error = upa_linear_restore(r, first, pages, protection);

	*lost = false;
	if (error != -ENOMEM || os_munmap(address_of(r, first), pages * PAGE_BYTES))
		return error;
	*lost = restore(r, first, pages, protection, MAP_FIXED_NOREPLACE);
	return 0;
}

int upa_linear_fill(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags, uint32_t holds)
{
	UPA_ASSERT(held(r, first, pages) && reached(r, first, pages));
	if (holds & UPA_HOLDS_LAZY)
		upa_linear_settle(r, first, pages);
	if (flags & UPA_MAP_FAULTED) {
		int error = os_madvise(address_of(r, first), pages * PAGE_BYTES, MADV_POPULATE_WRITE);

		if (error)
			return error;
		upa_llfree_set_resident(&r->llfree, first, pages);
	}
	if (flags & UPA_MAP_ZEROS && holds & UPA_HOLDS_STALE)
		upa_linear_clear_as(r, first, pages, holds);
	return 0;
}

static int prepare(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags, uint32_t holds)
{
	int error;

	if (holds & UPA_HOLDS_ABSENT && upa_linear_scavenge(r, first, pages))
		holds = (uint32_t)upa_llfree_contents(&r->llfree, first, pages);
	error = upa_linear_fill(r, first, pages, flags, holds);
	if (error)
		put_back(r, first, pages, UPA_PUT_UNTOUCHED);
	return error;
}

static int unmap_tainted(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t length;
	bool lost;
	int error;

	if (upa_llfree_next(&r->llfree, first, pages, true, &length) >= 0)
		return -EINVAL;
	error = upa_linear_restore_freed(r, first, pages, PROT_READ | PROT_WRITE, &lost);
	return error || lost ? error : upa_llfree_put_run(&r->llfree, this_slot(), first, pages, UPA_PUT_ABSENT);
}

static int unmap(struct upa_region *r, uint64_t first, uint64_t pages)
{
	if (upa_llfree_tainted(&r->llfree, first, pages) > 0)
		return unmap_tainted(r, first, pages);
	return upa_llfree_put_run(&r->llfree, this_slot(), first, pages, 0);
}

int upa_linear_put(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags)
{
	return upa_llfree_put_run(&r->llfree, this_slot(), first, pages, flags);
}

int upa_linear_claim(struct upa_region *r, uint64_t first, uint64_t pages)
{
	(void)r, (void)first, (void)pages;
	return 0;
}

int upa_linear_renew(struct upa_region *r, uint64_t first, uint64_t pages)
{
	UPA_ASSERT(held(r, first, pages));
	if (upa_llfree_tainted(&r->llfree, first, pages) <= 0 &&
	    !os_madvise(address_of(r, first), pages * PAGE_BYTES, MADV_DONTNEED))
		return 0;
	return upa_linear_restore(r, first, pages, PROT_READ | PROT_WRITE);
}

int upa_linear_populate(struct upa_region *r, uint64_t first)
{
	int error = os_madvise(address_of(r, first), CHILD_BYTES, MADV_POPULATE_WRITE);

	/* Nothing else has put memory there, or it would not be zero. */
	UPA_ASSERT(upa_llfree_child_state(&r->llfree, first) == (int)UPA_ABSENT);
	put_back(r, first, UPA_CHILD_PAGES, error ? 0 : UPA_PUT_ZEROED);
	return error;
}

int upa_linear_make_ordinary(struct upa_region *r)
{
	(void)r;
	return 0;
}

uint64_t upa_linear_retained(const struct upa_region *r, uint64_t recorded)
{
	(void)r;
	return recorded;
}

uint64_t upa_linear_uncounted(const struct upa_region *r)
{
	(void)r;
	return 0;
}

int64_t upa_linear_recover(struct upa_region *r)
{
	return upa_llfree_recover(&r->llfree);
}

int upa_linear_validate(const struct upa_region *r, char *message, size_t message_bytes)
{
	return upa_llfree_validate(&r->llfree, message, message_bytes);
}

const struct region_backend upa_linear = {
	.flags = UPA_REGION_HUGEPAGE | UPA_REGION_NOHUGEPAGE | UPA_REGION_GROWS,
	.ordinary = true,
	.open = upa_linear_open,
	.close = upa_linear_close,
	.extend = upa_linear_extend,
	.prepare = prepare,
	.unmap = unmap,
	.put = upa_linear_put,
	.claim = upa_linear_claim,
	.renew = upa_linear_renew,
	.clear = upa_linear_clear,
	.relocate = upa_linear_relocate,
	.give_back = upa_linear_give_back,
	.make_lazy = upa_linear_make_lazy,
	.find_taken = upa_linear_find_taken,
	.populate = upa_linear_populate,
	.clear_child = upa_linear_clear_child,
	.make_ordinary = upa_linear_make_ordinary,
	.retained = upa_linear_retained,
	.uncounted = upa_linear_uncounted,
	.recover = upa_linear_recover,
	.validate = upa_linear_validate,
};
