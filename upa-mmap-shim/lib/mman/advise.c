/* SPDX-License-Identifier: Apache-2.0 */
/*
 * madvise and mprotect over the default region. What sticks to pages taints them, so that the region restores them when
 * they are freed; free pages are holes.
 */
#define _GNU_SOURCE
#include <upa/mman.h>

#include "mman/default_region.h"
#include "mman/mman_private.h"
#include "mman/ranges.h"

/* Does this advice leave nothing behind that the next holder of the pages could go wrong by? */
static bool passing(int advice)
{
	switch (advice) {
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_COLLAPSE:
	/*
	 * These stay, but are about speed only; restoring pages would cost numpy, which asks for each large array, all
	 * reuse.
	 */
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
#ifdef MADV_COLD
	case MADV_COLD:
	case MADV_PAGEOUT:
#endif
		return true;
	default: return false;
	}
}

/*
 * Advice about memory on the device: what it says of contents is done, what it says of treatment is granted if it
 * changes nothing.
 */
static int advise_on_device(struct upa_region *r, char *address, size_t length, int advice)
{
	switch (advice) {
	case MADV_DONTNEED: return upa_region_renew(r, address, length);
	case MADV_REMOVE:
	case MADV_COLLAPSE: return -EINVAL;
	default: return 0;
	}
}

/* Can such advice, or making pages readable and writable, be had without the kernel? */
static bool granted_on_device(int advice)
{
	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_REMOVE: return true;
	default: return passing(advice);
	}
}

static int call_madvise(char *address, size_t length, long advice)
{
	return os_madvise(address, length, (int)advice);
}
static int call_mprotect(char *address, size_t length, long protection)
{
	return os_mprotect(address, length, (int)protection);
}

/* Makes such a call on pages of the device, if it can be had there. */
static bool call_on_device(struct upa_region *r, char *address, size_t length, upa_call_on_range *call, long argument,
			   int *result)
{
	if (upa_region_ordinary(r) || !wholly_inside(r, address, length))
		return false;
	if (call == call_mprotect && argument == (PROT_READ | PROT_WRITE))
		*result = 0;
	else if (call == call_madvise && granted_on_device((int)argument))
		*result = advise_on_device(r, address, length, (int)argument);
	else
		return false;
	return true;
}

/* Makes a call on a range without holes, which may lie partly in the region. */
static int apply(struct upa_region *r, char *address, size_t length, bool sticks, upa_call_on_range *call,
		 long argument)
{
	struct range part;
	int result;

	if (call_on_device(r, address, length, call, argument, &result))
		return result;
	/* Partly on the device: what is not, apart. */
	if (!upa_region_ordinary(r) && inside(r, address, length, &part) && part.bytes < length) {
		char *end = part.address + part.bytes;

		result = part.address > address ? call(address, (size_t)(part.address - address), argument) : 0;
		result = result ? result : apply(r, part.address, part.bytes, sticks, call, argument);
		return result || end == address + length ? result :
							   call(end, (size_t)(address + length - end), argument);
	}
	if (sticks && inside(r, address, length, &part))
		upa_region_taint(r, part.address, part.bytes);
	return call(address, length, argument);
}

/* The first hole that the program has in a range: free pages of the region, which to the kernel are none. */
static bool next_hole(struct upa_region *r, char *address, size_t length, struct range *hole)
{
	struct range part;

	return inside(r, address, length, &part) && upa_region_next(r, part.address, part.bytes, true, hole);
}

int upa_mman_apply(void *address, size_t length, bool sticks, upa_call_on_range *call, long argument)
{
	struct upa_region *r = made_region();
	struct range part, hole;
	int error = 0;

	if (!r || !aligned(address) || !inside(r, address, page_up(length), &part))
		return int_result(call(address, length, argument));
	if (!next_hole(r, address, page_up(length), &hole))
		return int_result(apply(r, address, page_up(length), sticks, call, argument));
	if (hole.address > (char *)address)
		error = apply(r, address, (size_t)(hole.address - (char *)address), sticks, call, argument);
	return int_result(error ? error : -ENOMEM);
}

int upa_mman_apply_past_holes(void *address, size_t length, bool sticks, upa_call_on_range *call, long argument)
{
	struct upa_region *r = made_region();
	struct range part, hole;
	int result = 0;
	char *end;

	/* An empty range is good for asking the kernel whether there is such an argument. */
	if (!r || !aligned(address) || !inside(r, address, page_up(length), &part) || call(address, 0, argument))
		return int_result(call(address, length, argument));
	end = (char *)address + page_up(length);
	for (char *at = address; at < end;) {
		bool found = next_hole(r, at, (size_t)(end - at), &hole);
		char *stop = found ? hole.address : end;
		int error = stop > at ? apply(r, at, (size_t)(stop - at), sticks, call, argument) : 0;

		if (error && error != -ENOMEM)
			return int_result(error);
		if (error || found)
			result = -ENOMEM;
		at = found ? hole.address + hole.bytes : end;
	}
	return int_result(result);
}

int upa_madvise(void *address, size_t length, int advice)
{
	bool stops = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;

	return (stops ? upa_mman_apply : upa_mman_apply_past_holes)(address, length, !passing(advice), call_madvise,
								    advice);
}

/*
 * Protection of what grows. To the kernel, free pages are a mapping that does not; to the program there is none to
 * begin with (GROWSUP), or none so far (GROWSDOWN: the first one counts). No page of the region grows.
 */
static int protect_growing(struct upa_region *r, char *address, size_t length, int protection)
{
	int grows = protection & (PROT_GROWSDOWN | PROT_GROWSUP);
	size_t rest = page_up(length);
	struct range part, other;

	if (!r || !length || !aligned(address) || (grows != PROT_GROWSDOWN && grows != PROT_GROWSUP) ||
	    protection & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | grows))
		return os_mprotect(address, length, protection);
	if (grows == PROT_GROWSUP)
		return wholly_inside(r, address, PAGE_BYTES) && upa_region_next(r, address, PAGE_BYTES, true, &other) ?
			       -ENOMEM :
			       os_mprotect(address, length, protection);
	if (!inside(r, address, rest, &part) || part.address != address ||
	    upa_region_next(r, part.address, part.bytes, false, &other))
		return os_mprotect(address, length, protection);
	rest -= part.bytes;
	return rest ? os_mprotect(part.address + part.bytes, rest, protection) : -ENOMEM;
}

int upa_mprotect(void *address, size_t length, int protection)
{
	struct upa_region *r = made_region();

	/* The kernel looks at the protection before it looks for pages. */
	if (protection & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return int_result(protect_growing(r, address, length, protection));
	/*
	 * What the pages are anyway: they need not be tainted for it. mimalloc takes purged memory into use again with
	 * this.
	 */
	if (r && protection == (PROT_READ | PROT_WRITE) && aligned(address) &&
	    wholly_inside(r, address, page_up(length)) && !upa_region_tainted(r, address, page_up(length)) &&
	    all_allocated(r, address, page_up(length)))
		return 0;
	return upa_mman_apply(address, length, true, call_mprotect, protection);
}
