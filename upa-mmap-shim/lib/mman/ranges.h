/* SPDX-License-Identifier: Apache-2.0 */
/* ranges.h - ranges of addresses beside the default region's, and results as the system calls return them. */
#ifndef UPA_MMAN_RANGES_H
#define UPA_MMAN_RANGES_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "os/os.h"
#include "os/page.h"
#include "region/region_private.h"

/* An address, or MAP_FAILED with errno. */
static inline void *address_result(long result)
{
	if (!os_failed(result))
		return (void *)result;
	errno = (int)-result;
	return MAP_FAILED;
}

/* 0, or -1 with errno. */
static inline int int_result(int result)
{
	if (!result)
		return 0;
	errno = -result;
	return -1;
}

static inline bool aligned(const void *address)
{
	return (uintptr_t)address % PAGE_BYTES == 0;
}

static inline size_t page_up(size_t length)
{
	return (length + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

/* The part of a range that lies in the region; false if none does, or the range is empty or overflows. */
static inline bool inside(const struct upa_region *r, const void *address, size_t length, struct range *part)
{
	uintptr_t base = (uintptr_t)upa_region_base(r);
	uintptr_t limit = base + atomic_load_explicit(upa_region_extent(r), memory_order_acquire);
	uintptr_t start = (uintptr_t)address;
	uintptr_t end = start + length;

	if (end <= base || start >= limit || end <= start)
		return false;
	start = start > base ? start : base;
	end = end < limit ? end : limit;
	*part = (struct range){ (char *)start, end - start };
	return true;
}

static inline bool wholly_inside(const struct upa_region *r, const void *address, size_t length)
{
	struct range part;

	return inside(r, address, length, &part) && part.address == address && part.bytes == length;
}

/* Is every page of a range inside the region allocated? */
static inline bool all_allocated(const struct upa_region *r, const void *address, size_t length)
{
	struct range gap;

	return !upa_region_next(r, address, length, true, &gap);
}

/* Frees pages that were claimed for a call that has then been refused. */
void upa_give_up(struct upa_region *r, char *address, size_t length);

/*
 * Takes a range in which the program has nothing, wherever it is: pages of the region are claimed, and what lies
 * outside is reserved. 0, or -errno with all as it was.
 */
int upa_claim_range(struct upa_region *r, char *address, size_t length);

/* Undoes that. */
void upa_give_up_range(struct upa_region *r, char *address, size_t length);

/* Puts something of the program's at `to`, whatever is there: an address, or -errno. */
typedef long upa_placing(char *to, size_t length, void *context);

/*
 * Has something put at a range that is partly or wholly in the region: its pages there are the program's from then on,
 * and not ours to hand out, until they are unmapped. `marks`: as a mapping of its own. If it is refused, pages that
 * were free before are free again. What `place` says, or -errno.
 */
long upa_place(struct upa_region *r, char *to, size_t length, bool marks, upa_placing *place, void *context);

/*
 * Moves a mapping so. Such mappings are made elsewhere first, so that a refusal leaves everything as it was and no
 * other thread's mmap can come between. Address or -errno.
 */
long upa_move_into(struct upa_region *r, void *made, size_t length, char *to);

#endif
