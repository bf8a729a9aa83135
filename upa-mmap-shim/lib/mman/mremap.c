/* SPDX-License-Identifier: Apache-2.0 */
/* mremap over the default region: blocks are resized there, moved out of it and into it. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include <upa/mman.h>

#include "mman/default_region.h"
#include "mman/mman_private.h"
#include "mman/pieces.h"
#include "mman/ranges.h"
#include "mman/refusals.h"
#include "os/maps.h"

/* Frees pages of the region whose memory has been moved elsewhere. */
static int unmap_moved(struct upa_region *r, char *address, size_t length)
{
	return upa_region_tainted(r, address, length) ? upa_region_unmap(r, address, length) :
							upa_region_unmap_moved(r, address, length);
}

/* Would the kernel grant so much memory? The region itself it does not count. 0 or -errno. */
static long would_reserve(size_t length)
{
	long probe = length ? os_mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : 0;

	if (!os_failed(probe) && length)
		os_munmap((void *)probe, length);
	return os_failed(probe) ? probe : 0;
}

/*
 * Moves pages of the region to one mapping of the kernel's, of new_size, with whatever kernel state they carry.
 * The old range stays mapped, reads zero and is still allocated. Address or -errno.
 */
static long move_out(struct upa_region *r, char *from, size_t old_size, size_t new_size, bool asked)
{
	size_t kept = old_size < new_size ? old_size : new_size;
	bool whole = wholly_inside(r, from, kept);
	long to = would_reserve(new_size - kept);
	long grown;

	if (os_failed(to))
		return to;
	to = upa_region_ordinary(r) ? upa_move_mapping(whole ? r : NULL, from, kept, asked, 0, NULL) : -EFAULT;
	/*
	 * Several mappings to the kernel, as moves and restored neighbours leave them, of which none is treated in a
	 * way of its own: no more than bytes to move.
	 */
	if (to == -EFAULT && whole && !upa_region_tainted(r, from, kept)) {
		to = os_mmap(NULL, new_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
			     0);
		if (!os_failed(to)) {
			memcpy((void *)to, from, kept);
			upa_region_renew(r, from, kept);
		}
		return to;
	}
	if (os_failed(to) || new_size == kept)
		return to;
	/* The new pages are to be like the old ones, and of one mapping with them: let the kernel extend it. */
	grown = os_mremap((void *)to, kept, new_size, MREMAP_MAYMOVE, NULL);
	if (os_failed(grown))
		os_mremap((void *)to, kept, kept, MREMAP_MAYMOVE | MREMAP_FIXED, from);
	return grown;
}

/* Undoes move_out(). */
static void move_back(struct upa_region *r, void *made, size_t made_size, size_t kept, char *from)
{
	if (upa_region_ordinary(r)) {
		os_mremap(made, made_size, kept, MREMAP_MAYMOVE | MREMAP_FIXED, from);
		return;
	}
	memcpy(from, made, kept);
	os_munmap(made, made_size);
}

/* Reserves addresses for what is to be moved: at `to`, whatever is there, or anywhere. Address or -errno. */
static long reserve(struct upa_region *r, char *to, size_t length)
{
	long made = os_mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long moved;

	if (os_failed(made) || !to)
		return made;
	moved = upa_move_into(r, (void *)made, length, to);
	if (os_failed(moved))
		os_munmap((void *)made, length);
	return moved;
}

/*
 * Moves pages of the region that the kernel has in several mappings, one by one: it does not move them at once before
 * 6.17, nor where one is to grow, nor without leaving a hole (MREMAP_DONTUNMAP). The last one grows. Address or -errno.
 */
static long move_in_pieces(struct upa_region *r, char *from, size_t old_size, size_t new_size, int flags, char *to)
{
	size_t kept = old_size < new_size ? old_size : new_size;
	long target = reserve(r, flags & MREMAP_FIXED ? to : NULL, new_size);
	long error;

	if (os_failed(target))
		return target;
	error = upa_move_pieces(r, from, kept, new_size, flags & MREMAP_DONTUNMAP, (char *)target);
	if (error)
		upa_munmap((void *)target, new_size);
	return error ? error : target;
}

/*
 * A mapping of the program's own in the region grows where it is, if the pages behind it are free to the program. It
 * grows elsewhere and is moved back, so that no address is unmapped meanwhile. False with all as it was.
 */
static bool grow_in_place(struct upa_region *r, char *from, size_t old_size, size_t new_size)
{
	char *behind = from + old_size;
	long made, moved;

	if (upa_claim_range(r, behind, new_size - old_size))
		return false;
	made = move_out(r, from, old_size, new_size, false);
	moved = os_failed(made) ? made : upa_move_into(r, (void *)made, new_size, from);
	if (!os_failed(moved))
		return true;
	if (!os_failed(made))
		move_back(r, (void *)made, new_size, old_size, from);
	upa_give_up_range(r, behind, new_size - old_size);
	return false;
}

/* Is it not one mapping to the program? To a child, it may have a hole, or be none at all (MADV_DONTFORK). */
static bool not_one_mapping(struct upa_region *r, char *from, size_t length)
{
	if (!upa_region_tainted(r, from, length))
		return false;
	return os_failed(os_mremap(from, PAGE_BYTES, PAGE_BYTES, 0, NULL)) ||
	       (upa_region_one_mapping(r, from, length) < length && !maps_ask(from, length).alike);
}

/* As grow_in_place(), of what may be several mappings to the kernel: the last one grows. */
static bool grow_last_in_place(struct upa_region *r, char *from, size_t old_size, size_t new_size)
{
	size_t last = 0, n;

	if (!upa_region_ordinary(r))
		return false;
	while ((n = upa_region_one_mapping(r, from + last, old_size - last)) && last + n < old_size)
		last += n;
	return n && (!last || !not_one_mapping(r, from, old_size)) &&
	       grow_in_place(r, from + last, old_size - last, new_size - last);
}

/* Since 6.17 the kernel moves whatever is mapped of a range to a fixed place, and what is not stays away. */
static bool kernel_moves_several(void)
{
	enum { UNKNOWN, ONE, SEVERAL };
	static _Atomic int moves;
	long made;

	if (atomic_load(&moves))
		return atomic_load(&moves) == SEVERAL;
	made = os_mmap(NULL, 4 * PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (os_failed(made))
		return false;
	os_mprotect((void *)made, PAGE_BYTES, PROT_READ);
	atomic_store(&moves, os_failed(os_mremap((void *)made, 2 * PAGE_BYTES, 2 * PAGE_BYTES,
						 MREMAP_MAYMOVE | MREMAP_FIXED, (char *)made + 2 * PAGE_BYTES)) ?
				     ONE :
				     SEVERAL);
	os_munmap((void *)made, 4 * PAGE_BYTES);
	return atomic_load(&moves) == SEVERAL;
}

static void *remap_inside(struct upa_region *r, char *from, size_t old_size, size_t new_size, int flags, char *to,
			  uint32_t zeros);

/* Moves what is in use of a range. It begins with a page in use. */
static void *move_past_holes(struct upa_region *r, char *from, size_t length, int flags, char *to)
{
	char *end = from + length;
	struct range run;

	for (char *at = from; at < end && upa_region_next(r, at, (size_t)(end - at), false, &run);
	     at = run.address + run.bytes)
		if (remap_inside(r, run.address, run.bytes, run.bytes, flags, to + (run.address - from), 0) ==
		    MAP_FAILED)
			return MAP_FAILED;
	return to;
}

static void *remap_inside(struct upa_region *r, char *from, size_t old_size, size_t new_size, int flags, char *to,
			  uint32_t zeros)
{
	int saved = errno;
	void *block;
	long moved;

	/* Of what gets smaller on its way, one mapping is moved; first the rest is unmapped, whatever it is. */
	if (flags & MREMAP_FIXED && new_size < old_size) {
		if (!all_allocated(r, from, new_size) || not_one_mapping(r, from, new_size))
			return address_result(-EFAULT);
		if (!all_allocated(r, from, old_size)) {
			if (upa_munmap(from + new_size, old_size - new_size))
				return MAP_FAILED;
			old_size = new_size;
		}
	}
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		if (!all_allocated(r, from, old_size)) {
			if (flags & MREMAP_FIXED && new_size == old_size && kernel_moves_several())
				return move_past_holes(r, from, old_size, flags, to);
			return address_result(-EFAULT);
		}
	} else {
		/* In place, new pages would not be like tainted ones. */
		bool tainted = upa_region_tainted(r, from, old_size);
		bool elsewhere = tainted || new_size > upa_default_region.most_served;
		uint32_t in_place = flags & MREMAP_MAYMOVE ? 0 : UPA_MAP_INPLACE;
		uint32_t here = in_place || refused_before(r, new_size) ? UPA_MAP_INPLACE : 0;

		block = elsewhere ? NULL : upa_region_resize(r, from, old_size, new_size, zeros | here);
		if (block)
			return block;
		/* That looks at the pages as well: EINVAL says no more than that not all are allocated. */
		if (elsewhere ? !all_allocated(r, from, old_size) : errno == EINVAL)
			return address_result(-EFAULT);
		if (!elsewhere && !here && errno == ENOMEM)
			note_refused(r, new_size);
		if (tainted && new_size > old_size && grow_last_in_place(r, from, old_size, new_size))
			return from;
		if (in_place && not_one_mapping(r, from, old_size))
			return address_result(-EFAULT);
		if (in_place || (!elsewhere && errno != ENOMEM))
			return address_result(elsewhere ? -ENOMEM : -errno);
		errno = saved;
	}
	moved = move_out(r, from, old_size, new_size, flags & MREMAP_DONTUNMAP);
	if (moved == -EFAULT && upa_region_ordinary(r)) {
		/* To a fixed place the kernel moves several mappings at once, if none is to grow. */
		if ((flags & MREMAP_FIXED && new_size <= old_size) || maps_ask(from, old_size).alike)
			moved = move_in_pieces(r, from, old_size, new_size, flags, to);
	} else if (flags & MREMAP_FIXED && !os_failed(moved)) {
		void *made = (void *)moved;

		moved = upa_move_into(r, made, new_size, to);
		if (os_failed(moved))
			move_back(r, made, new_size, old_size < new_size ? old_size : new_size, from);
	}
	if (os_failed(moved))
		return address_result(moved);
	if (!(flags & MREMAP_DONTUNMAP)) {
		size_t kept = old_size < new_size ? old_size : new_size;

		unmap_moved(r, from, kept);
		/* What has been cut off has its memory still. */
		if (kept < old_size)
			upa_region_unmap(r, from + kept, old_size - kept);
	}
	return flags & MREMAP_FIXED ? to : (void *)moved;
}

/* Makes a range smaller where it is: the rest is unmapped, whatever it is. */
static void *shrink(struct upa_region *r, char *from, size_t old_size, size_t new_size)
{
	struct range part;

	bool ours = inside(r, from, PAGE_BYTES, &part);

	/* Also of the region: with MADV_DONTFORK, not in a child. */
	if (!ours || upa_region_tainted(r, from, PAGE_BYTES)) {
		long result = os_mremap(from, PAGE_BYTES, PAGE_BYTES, 0, NULL);

		if (os_failed(result))
			return address_result(result);
	}
	if (old_size > new_size && upa_munmap(from + new_size, old_size - new_size))
		return MAP_FAILED;
	return from;
}

/* The last page of all addresses is nobody's. */
#define MOST_BYTES (MOST_ADDRESSES - PAGE_BYTES)

/* What the kernel would refuse before it looks at any page, it shall refuse. */
static bool refused_at_once(uintptr_t from, size_t old_size, size_t new_size, int flags, uintptr_t target)
{
	bool moves = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);

	if (from % PAGE_BYTES || !page_up(new_size) || new_size > MOST_BYTES)
		return true;
	if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) || (moves && !(flags & MREMAP_MAYMOVE)))
		return true;
	if (flags & MREMAP_DONTUNMAP && page_up(old_size) != page_up(new_size))
		return true;
	return flags & MREMAP_FIXED && (target % PAGE_BYTES || target + page_up(new_size) < target);
}

/* From outside the region to a place of the program's choice that is partly or wholly inside. */
static void *remap_into(struct upa_region *r, void *from, size_t old_size, size_t new_size, int flags, char *to)
{
	long made = os_mremap(from, old_size, new_size, flags & ~MREMAP_FIXED, NULL);
	long moved = os_failed(made) ? made : upa_move_into(r, (void *)made, new_size, to);

	if (os_failed(moved) && !os_failed(made) && made != (long)from && old_size)
		os_mremap((void *)made, new_size, old_size, MREMAP_MAYMOVE | MREMAP_FIXED, from);
	return address_result(moved);
}

/* A mapping of the program's own that reaches across a border of the region, and does not just get smaller. */
static void *remap_across(struct upa_region *r, const struct range *part, char *from, size_t old_size, size_t new_size,
			  int flags, char *to)
{
	bool chosen = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
	size_t kept = old_size < new_size ? old_size : new_size;
	long moved;

	if (!all_allocated(r, part->address, part->bytes) || maps_one(from, kept) < kept)
		return address_result(-EFAULT);
	if (!chosen && grow_in_place(r, from, old_size, new_size))
		return from;
	if (!(flags & MREMAP_MAYMOVE))
		return address_result(-ENOMEM);
	moved = move_out(r, from, old_size, new_size, flags & MREMAP_DONTUNMAP);
	if (flags & MREMAP_FIXED && !os_failed(moved)) {
		void *made = (void *)moved;

		moved = upa_move_into(r, made, new_size, to);
		if (os_failed(moved))
			move_back(r, made, new_size, kept, from);
	}
	if (!os_failed(moved) && !(flags & MREMAP_DONTUNMAP))
		upa_munmap(from, old_size);
	return address_result(moved);
}

static void *remap(struct upa_region *r, void *old_address, size_t old_size, size_t new_size, int flags, void *target)
{
	uintptr_t from = (uintptr_t)old_address, to = (uintptr_t)target;
	uint32_t zeros = flags & UPA_MAP_UNCLEARED ? 0 : UPA_MAP_ZEROS;
	struct range part;
	bool out, into, nothing, grows;

	flags &= ~UPA_MAP_UNCLEARED;
	/* Who only grows is told by remap_inside() what it has. */
	grows = r && !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && page_up(new_size) > page_up(old_size) &&
		wholly_inside(r, old_address, page_up(old_size));
	out = r && inside(r, old_address, old_size ? page_up(old_size) : PAGE_BYTES, &part);
	into = r && flags & MREMAP_FIXED && inside(r, target, page_up(new_size), &part);
	if (refused_at_once(from, old_size, new_size, flags, to))
		return address_result(os_mremap(old_address, old_size, new_size, flags, target));
	/* Also of a range that wraps. */
	nothing =
		r && !grows && inside(r, old_address, PAGE_BYTES, &part) && !all_allocated(r, old_address, PAGE_BYTES);
	if (!out && !into && !nothing)
		return address_result(os_mremap(old_address, old_size, new_size, flags, target));
	old_size = page_up(old_size);
	new_size = page_up(new_size);
	if (flags & MREMAP_FIXED && to < from + old_size && from < to + new_size)
		return address_result(-EINVAL);
	/* Where it is to go is looked at first. */
	if (nothing)
		return address_result(flags & MREMAP_FIXED && to > MOST_BYTES - new_size ? -EINVAL : -EFAULT);
	if (new_size <= old_size && !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return shrink(r, old_address, old_size, new_size);
	if (wholly_inside(r, old_address, old_size))
		return remap_inside(r, old_address, old_size, new_size, flags, target, zeros);
	if (inside(r, old_address, old_size, &part))
		return remap_across(r, &part, old_address, old_size, new_size, flags, target);
	if (!into)
		return address_result(os_mremap(old_address, old_size, new_size, flags, target));
	return remap_into(r, old_address, old_size, new_size, flags, target);
}

void *upa_mremap(void *old_address, size_t old_size, size_t new_size, int flags, ...)
{
	void *target = NULL;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		va_list arguments;

		va_start(arguments, flags);
		target = va_arg(arguments, void *);
		va_end(arguments);
	}
	return remap(made_region(), old_address, old_size, new_size, flags, target);
}
