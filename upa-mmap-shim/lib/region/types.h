/* SPDX-License-Identifier: Apache-2.0 */
/*
 * types.h - what a region is, for the files of lib/region: its handle, and the arithmetic of pages and addresses that
 * all of them share. Others use upa/region.h and region_private.h.
 */
#ifndef UPA_REGION_TYPES_H
#define UPA_REGION_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <upa/llfree.h>
#include <upa/region.h>

#include "os/assert.h"
#include "os/page.h"
#include "region/region_private.h"

_Static_assert(PAGE_BYTES == 1ull << UPA_PAGE_SHIFT && BLOCK_PAGES == UPA_CHILD_PAGES, "units");

#define CHILD_BYTES (UPA_CHILD_PAGES * PAGE_BYTES)

/*
 * Batches in which background work holds free children: long enough to amortise a TLB flush, short enough to hide
 * little.
 */
#define BATCH_CHILDREN 16u

struct device_region;
struct region_backend;
struct region_counters;
struct region_header;

/* A process's handle, in a mapping of its own: malloc may stand on us. */
struct upa_region {
	const struct region_backend *backend; /* changes once at most, when a region leaves the device */
	struct upa_llfree llfree;             /* over the pages */
	char *base;
	uint64_t bytes;
	_Atomic uint64_t extent;      /* bytes from base on that are mapped, see upa_region_reach() */
	_Atomic uint64_t awaited_at;  /* linear/ only: an extent that was waited for in vain, see extent.c; 0: none */
	_Atomic uint32_t extending;   /* linear/ only: threads that map behind the extent and have not moved it yet */
	struct region_header *header; /* start of the metadata, see layout.h */
	size_t metadata_bytes;
	struct region_counters *counters;
	uint32_t slots;
	uint32_t flags;               /* UPA_REGION_*, as it was made */
	uint32_t preference;          /* UPA_GET_*: what every request for pages prefers */
	_Atomic uint32_t table_moves; /* linear/ only: moves of page tables so far */
	struct device_region *device; /* device/ only */
};

static inline char *address_of(const struct upa_region *r, uint64_t page)
{
	return r->base + page * PAGE_BYTES;
}

/* The pages of a block that lies wholly in the region; false if it does not. */
static inline bool region_block(const struct upa_region *r, const void *address, size_t bytes, uint64_t *first,
				uint64_t *pages)
{
	uint64_t offset = (uint64_t)((uintptr_t)address - (uintptr_t)r->base);

	if (!bytes || offset % PAGE_BYTES || offset >= r->bytes || bytes > r->bytes - offset)
		return false;
	*first = offset / PAGE_BYTES;
	*pages = pages_of(bytes);
	return true;
}

/* Is none of these pages free? For assertions: of pages that somebody holds, nobody else can change that. */
static inline bool held(const struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t length;

	return pages && first < r->llfree.pages && pages <= r->llfree.pages - first &&
	       upa_llfree_next(&r->llfree, first, pages, true, &length) < 0;
}

/* Is child c wholly free, in a state of the set? */
static inline bool whole_child(const struct upa_region *r, uint64_t c, uint32_t states)
{
	uint64_t length;
	uint64_t first = c * UPA_CHILD_PAGES;

	return states >> upa_llfree_child_state(&r->llfree, first) & 1 &&
	       upa_llfree_next(&r->llfree, first, UPA_CHILD_PAGES, false, &length) < 0;
}

#endif
