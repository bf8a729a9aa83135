/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of which only a part need be allocated, and pages that the program treats in ways of its own. */
#define _GNU_SOURCE
#include <errno.h>

#include "llfree/words.h"
#include "os/os.h"
#include "region/backend.h"
#include "region/slots.h"

/* So many places are looked at for a request with an alignment. */
#define ALIGNED_TRIES 4096u

bool upa_region_next(const struct upa_region *r, const void *address, size_t bytes, bool free, struct range *out)
{
	uint64_t first, pages, length;
	int64_t page;

	if (!region_block(r, address, bytes, &first, &pages))
		return false;
	page = upa_llfree_next(&r->llfree, first, pages, free, &length);
	if (page < 0)
		return false;
	*out = (struct range){ address_of(r, (uint64_t)page), length * PAGE_BYTES };
	return true;
}

void *upa_region_map_aligned(struct upa_region *r, size_t bytes, size_t alignment, uint32_t flags)
{
	uint64_t step = alignment / PAGE_BYTES;
	uint64_t pages = pages_of(bytes);
	uint64_t length;

	for (uint64_t first = (round_up((uintptr_t)r->base, alignment) - (uintptr_t)r->base) / PAGE_BYTES, tries = 0;
	     tries < ALIGNED_TRIES && pages <= r->llfree.pages && first <= r->llfree.pages - pages;
	     first += step, tries++)
		if (upa_llfree_next(&r->llfree, first, pages, false, &length) < 0 &&
		    !upa_region_map_at(r, address_of(r, first), bytes, flags))
			return address_of(r, first);
	return NULL;
}

int upa_region_claim(struct upa_region *r, void *address, size_t bytes)
{
	uint64_t first, pages;
	int error;

	if (!region_block(r, address, bytes, &first, &pages))
		return -EINVAL;
	error = upa_llfree_get_at(&r->llfree, this_slot(), first, pages);
	if (error < 0)
		return error;
	error = r->backend->claim(r, first, pages);
	UPA_ASSERT(error || held(r, first, pages));
	if (error)
		count_shortage(r);
	return error;
}

bool upa_region_tainted(const struct upa_region *r, const void *address, size_t bytes)
{
	uint64_t first, pages;

	return region_block(r, address, bytes, &first, &pages) && upa_llfree_tainted(&r->llfree, first, pages) > 0;
}

size_t upa_region_absent(const struct upa_region *r, const void *address, size_t bytes, size_t enough)
{
	uint64_t first, pages, length, absent = 0;

	if (!region_block(r, address, bytes, &first, &pages))
		return 0;
	for (uint64_t end = first + pages; first < end && absent * PAGE_BYTES < enough;) {
		int64_t stale = upa_llfree_next_stale(&r->llfree, first, end - first, &length);
		uint64_t stop = stale < 0 ? end : (uint64_t)stale;

		absent += stop - first;
		first = stale < 0 ? end : stop + length;
	}
	return absent * PAGE_BYTES < enough ? absent * PAGE_BYTES : enough;
}

static int unmap_as(struct upa_region *r, const void *address, size_t bytes, uint32_t put_flags)
{
	uint64_t first, pages;

	return region_block(r, address, bytes, &first, &pages) ? r->backend->put(r, first, pages, put_flags) : -EINVAL;
}

int upa_region_unmap_moved(struct upa_region *r, const void *address, size_t bytes)
{
	return unmap_as(r, address, bytes, UPA_PUT_ABSENT);
}

int upa_region_unmap_untouched(struct upa_region *r, const void *address, size_t bytes)
{
	return unmap_as(r, address, bytes, UPA_PUT_UNTOUCHED);
}

int upa_region_renew(struct upa_region *r, void *address, size_t bytes)
{
	uint64_t first, pages;

	return region_block(r, address, bytes, &first, &pages) ? r->backend->renew(r, first, pages) : -EINVAL;
}

int upa_region_taint(struct upa_region *r, void *address, size_t bytes)
{
	uint64_t first, pages;
	int error;

	if (!region_block(r, address, bytes, &first, &pages))
		return -EINVAL;
	error = upa_region_make_ordinary(r);
	return error ? error : upa_llfree_taint(&r->llfree, first, pages);
}

int upa_region_make_ordinary(struct upa_region *r)
{
	return r->backend->make_ordinary(r);
}

bool upa_region_ordinary(const struct upa_region *r)
{
	return r->backend->ordinary;
}

/*
 * Is a range of the region one mapping to the kernel? It says so (EFAULT if not) when asked to grow it in place, which
 * it cannot, for the page behind is mapped as well (at the end of what is mapped, nothing can be told so). To be known
 * before MREMAP_FIXED: kernels before 6.17 refuse several mappings only after they have unmapped the target, where
 * another thread's mmap may then land.
 */
static bool one_mapping(const struct upa_region *r, char *address, size_t bytes)
{
	long result;

	if (address + bytes == r->base + atomic_load_explicit(&r->extent, memory_order_relaxed))
		return bytes == PAGE_BYTES;
	result = os_mremap(address, bytes, bytes + PAGE_BYTES, 0, NULL);
	/* Something has left a hole behind. */
	if (!os_failed(result))
		os_munmap(address + bytes, PAGE_BYTES);
	return result != -EFAULT;
}

size_t upa_region_one_mapping(const struct upa_region *r, char *address, size_t bytes)
{
	UPA_ASSERT(reached(r, (uint64_t)(address - r->base) / PAGE_BYTES, bytes / PAGE_BYTES));
	/* In a child that shall not have it (MADV_DONTFORK), not even a page is one. */
	while (bytes > PAGE_BYTES && !one_mapping(r, address, bytes))
		bytes = bytes > CHILD_BYTES ? round_up(bytes / 2, CHILD_BYTES) : round_up(bytes / 2, PAGE_BYTES);
	return bytes;
}

uint64_t upa_region_freed_bytes(const struct upa_region *r)
{
	uint64_t pages = 0;

	for (uint32_t i = 0; i < r->slots; i++)
		pages += load_relaxed(&slot_at(&r->llfree, i)->put_pages);
	return pages * PAGE_BYTES;
}
