/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmap and munmap over the default region. Private anonymous memory without an address comes from it; a range that is
 * partly foreign is cut into its parts. Pages that the program treats in a way of their own (a foreign mapping over
 * them) are tainted: the region restores them when they are freed.
 */
#define _GNU_SOURCE
#include <upa/mman.h>

#include "mman/default_region.h"
#include "mman/mman_private.h"
#include "mman/ranges.h"
#include "mman/refusals.h"

/* Flags that change nothing about private anonymous memory as the region has it. */
#define SERVED_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | UPA_MAP_UNCLEARED)

bool upa_mman_serves(int protection, int flags, off_t offset)
{
	return protection == (PROT_READ | PROT_WRITE) && !(flags & ~SERVED_FLAGS) && flags & MAP_PRIVATE &&
	       flags & MAP_ANONYMOUS && offset % (off_t)PAGE_BYTES == 0;
}

static long renew(char *address, size_t length, void *region)
{
	return upa_region_renew(region, address, length);
}

/* Of a huge page: by its logarithm, or 2 MiB. */
static size_t huge_bytes(int flags)
{
	unsigned log = (unsigned)flags >> MAP_HUGE_SHIFT & MAP_HUGE_MASK;

	return 1ul << (log ? log : 21);
}

/* MAP_FIXED or MAP_FIXED_NOREPLACE over pages of the region. */
static void *map_over(struct upa_region *r, void *address, size_t length, int protection, int flags, int fd,
		      off_t offset)
{
	bool claimed = flags & MAP_FIXED_NOREPLACE;
	long made, moved;
	int error;

	/* Free pages count as unmapped, if there are no others; else the kernel says what is wrong first, or EEXIST. */
	if (claimed && upa_claim_range(r, address, length))
		return address_result(os_mmap(address, length, protection, flags, fd, offset));
	/* Made elsewhere, it would be aligned. */
	if (flags & MAP_HUGETLB && (uintptr_t)address % huge_bytes(flags)) {
		if (claimed)
			upa_give_up_range(r, address, length);
		return address_result(-EINVAL);
	}
	flags &= ~(MAP_FIXED | MAP_FIXED_NOREPLACE);
	/* A program's way to empty memory that it keeps. */
	if (wholly_inside(r, address, length) && upa_mman_serves(protection, flags, offset)) {
		error = (int)upa_place(r, address, length, false, renew, r);
		/* Free before, and so they stay. */
		if (error && claimed)
			upa_give_up_range(r, address, length);
		if (!error && flags & MAP_POPULATE)
			os_madvise(address, length, MADV_POPULATE_WRITE);
		return error ? address_result(error) : address;
	}
	made = os_mmap(NULL, length, protection, flags, fd, offset);
	moved = os_failed(made) ? made : upa_move_into(r, (void *)made, length, address);
	if (os_failed(moved) && !os_failed(made))
		os_munmap((void *)made, length);
	if (os_failed(moved) && claimed)
		upa_give_up_range(r, address, length);
	return address_result(moved);
}

/* Of a call that takes this very code away nothing returns that could do more: it is the kernel's as a whole. */
static bool takes_this_code(const void *address, size_t length)
{
	return (uintptr_t)map_over - (uintptr_t)address < length;
}

void *upa_mman_map(size_t length, size_t alignment, int protection, int flags, off_t offset)
{
	uint32_t wanted =
		(flags & UPA_MAP_UNCLEARED ? 0 : UPA_MAP_ZEROS) | (flags & MAP_POPULATE ? UPA_MAP_FAULTED : 0);
	int saved = errno;
	struct upa_region *r;
	void *block;

	if (!length || !upa_mman_serves(protection, flags, offset) || length > upa_default_region.most_served ||
	    atomic_load_explicit(&upa_default_region.stopped, memory_order_relaxed))
		return NULL;
	r = default_region();
	if (!r || refused_before(r, length))
		return NULL;
	block = alignment ? upa_region_map_aligned(r, length, alignment, wanted) : NULL;
	if (!block)
		block = upa_region_map(r, length, wanted);
	if (block)
		note_served(length);
	else
		note_refused(r, length);
	errno = saved;
	return block;
}

void *upa_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	void *block = address ? NULL : upa_mman_map(length, 0, protection, flags, offset);
	struct upa_region *r;
	struct range part;

	if (block)
		return block;
	/* Of huge pages it is a bit of their size. */
	if (!(flags & MAP_HUGETLB))
		flags &= ~UPA_MAP_UNCLEARED;
	r = made_region();
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) && r && aligned(address) &&
	    inside(r, address, page_up(length), &part) && !takes_this_code(address, length))
		return map_over(r, address, page_up(length), protection, flags, fd, offset);
	return address_result(os_mmap(address, length, protection, flags, fd, offset));
}

int upa_munmap(void *address, size_t length)
{
	struct upa_region *r = made_region();
	struct range part, piece;
	char *end;
	int error = 0;

	if (!r || !aligned(address) || !inside(r, address, page_up(length), &part) || takes_this_code(address, length))
		return int_result(os_munmap(address, length));
	end = (char *)address + page_up(length);
	if (part.address == address && part.address + part.bytes == end && !upa_region_unmap(r, address, part.bytes))
		return 0;
	/* First what is not ours, since the kernel refuses ranges that are too long. */
	if (end > part.address + part.bytes)
		error = os_munmap(part.address + part.bytes, (size_t)(end - part.address) - part.bytes);
	if (!error && part.address > (char *)address)
		error = os_munmap(address, (size_t)(part.address - (char *)address));
	while (!error && upa_region_next(r, part.address, part.bytes, false, &piece)) {
		error = upa_region_unmap(r, piece.address, piece.bytes);
		/* Freed by another thread meanwhile: unmapping what is not mapped is no error. */
		if (error == -EINVAL)
			error = 0;
		part.bytes -= (size_t)(piece.address + piece.bytes - part.address);
		part.address = piece.address + piece.bytes;
	}
	return int_result(error);
}
