/* SPDX-License-Identifier: Apache-2.0 */
/* default_region.h - the one region of a process that mmap() and its relatives are served from. */
#ifndef UPA_MMAN_DEFAULT_REGION_H
#define UPA_MMAN_DEFAULT_REGION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <upa/region.h>

#include "os/once.h"

/* Most bytes of the region, and of a size that a setting may have. */
#define DEFAULT_REGION_MOST (16ull << 40)

/*
 * Its size on a machine with so much memory, unless a setting says another. Addresses are free and untouched metadata
 * costs nothing, but fragmentation is cheapest avoided with room to spare; on the device each address costs memory for
 * the module's tables.
 */
static inline uint64_t default_region_bytes(uint64_t memory, bool on_device)
{
	uint64_t factor = on_device ? 4 : 16;

	return memory < DEFAULT_REGION_MOST / factor ? memory * factor : DEFAULT_REGION_MOST;
}

struct default_region {
	struct once once;     /* all else is read after it has been made */
	_Atomic bool stopped; /* requests are the kernel's from now on */
	struct upa_region *region;
	size_t most_served; /* larger requests are the kernel's */

	/* See refusals.h. */
	_Atomic size_t refused_bytes; /* 0: no request has been */
	_Atomic uint64_t refused_until;
};

extern struct default_region upa_default_region;

/* Makes it if nobody has begun to. errno is unchanged. */
void upa_make_default_region(void);

/*
 * The region if there is one by now. Whoever comes while it is being made does without: no waiting in a signal handler.
 */
static inline struct upa_region *made_region(void)
{
	return once_made(&upa_default_region.once) ? upa_default_region.region : NULL;
}

/* The region, made now if nobody has begun to. */
static inline struct upa_region *default_region(void)
{
	if (__builtin_expect(once_phase(&upa_default_region.once) == ONCE_UNMADE, 0))
		upa_make_default_region();
	return made_region();
}

#endif
