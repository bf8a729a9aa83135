/* SPDX-License-Identifier: Apache-2.0 */
/*
 * refusals.h - requests that need not be tried. A region that has no room for a request is searched from end to end to
 * find that out, which costs a thousand times what the kernel's mmap() does. So what has been refused once, or more
 * than that, is the kernel's until as many bytes have been freed: before that, room for it is unlikely.
 *
 * The words are hints: threads that change them at once may have a request tried once more, or given to the kernel.
 */
#ifndef UPA_MMAN_REFUSALS_H
#define UPA_MMAN_REFUSALS_H

#include "mman/default_region.h"
#include "region/region_private.h"

/* A search pays off only after this part of the region has been freed, however small the request. */
#define REFUSAL_PART 4096u

static inline bool refused_before(const struct upa_region *r, size_t length)
{
	size_t least = atomic_load_explicit(&upa_default_region.refused_bytes, memory_order_relaxed);

	if (__builtin_expect(!least || length < least, 1))
		return false;
	return upa_region_freed_bytes(r) <
	       atomic_load_explicit(&upa_default_region.refused_until, memory_order_relaxed);
}

/* To be told of each refusal, and of each success that took a search. */
static inline void note_refused(const struct upa_region *r, size_t length)
{
	uint64_t part = upa_region_bytes(r) / REFUSAL_PART;

	atomic_store_explicit(&upa_default_region.refused_until,
			      upa_region_freed_bytes(r) + (length > part ? length : part), memory_order_relaxed);
	atomic_store_explicit(&upa_default_region.refused_bytes, length, memory_order_relaxed);
}

static inline void note_served(size_t length)
{
	size_t least = atomic_load_explicit(&upa_default_region.refused_bytes, memory_order_relaxed);

	if (__builtin_expect(least && length >= least, 0))
		atomic_store_explicit(&upa_default_region.refused_bytes, 0, memory_order_relaxed);
}

#endif
