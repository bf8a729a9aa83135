/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "mman/pieces.h"

#include "mman/mman_private.h"
#include "mman/ranges.h"
#include "os/maps.h"

struct upa_leaving upa_leaving;

/* Of a range, how many bytes from its start on are one mapping; 0 if there is no telling. */
static size_t one_mapping(struct upa_region *r, char *from, size_t length)
{
	return r ? upa_region_one_mapping(r, from, length) : maps_one(from, length);
}

static bool is_locked(struct upa_region *r, char *from, size_t length)
{
	return (!r || upa_region_tainted(r, from, length)) &&
	       os_call(SYS_msync, (long)from, (long)length, MS_ASYNC | MS_INVALIDATE, 0, 0, 0) == -EBUSY &&
	       one_mapping(r, from, length) == length;
}

long upa_move_mapping(struct upa_region *r, char *from, size_t length, bool asked, int flags, char *to)
{
	bool locked = !asked && is_locked(r, from, length);
	bool on_fault = locked && maps_ask(from, length).locked_on_fault;
	long result;

	if (locked)
		os_call(SYS_munlock, (long)from, (long)length, 0, 0, 0, 0);
	if (upa_leaving.begin)
		upa_leaving.begin();
	result = os_mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | flags, to);
	if (upa_leaving.end)
		upa_leaving.end();
	if (locked)
		os_call(on_fault ? SYS_mlock2 : SYS_mlock, os_failed(result) ? (long)from : result, (long)length,
			on_fault ? MLOCK_ONFAULT : 0, 0, 0, 0);
	return result;
}

/*
 * Moves one mapping, and has it grow. It grows elsewhere, where the kernel extends it, so that the new pages are like
 * the old ones.
 */
static long move_last(struct upa_region *r, char *from, size_t length, size_t new_size, bool asked, char *to)
{
	long made = upa_move_mapping(r, from, length, asked, 0, NULL);
	long grown, placed;

	if (os_failed(made))
		return made;
	grown = os_mremap((void *)made, length, new_size, MREMAP_MAYMOVE, NULL);
	placed = os_failed(grown) ? grown :
				    os_mremap((void *)grown, new_size, new_size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (os_failed(grown))
		os_mremap((void *)made, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, from);
	else if (os_failed(placed))
		os_mremap((void *)grown, new_size, length, MREMAP_MAYMOVE | MREMAP_FIXED, from);
	return placed;
}

/* Undoes upa_move_pieces() as far as it has come. */
static void move_back(char *made, size_t length, char *to)
{
	size_t n;

	for (; length; length -= n, made += n, to += n) {
		n = maps_one(made, length);
		if (!n)
			return;
		os_mremap(made, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	}
}

long upa_move_pieces(struct upa_region *r, char *from, size_t length, size_t new_size, bool asked, char *to)
{
	long result = 0;
	size_t n;

	for (size_t at = 0; at < length; at += n) {
		n = one_mapping(r, from + at, length - at);
		if (!n)
			result = -EFAULT;
		else if (at + n == length && new_size > length)
			result = move_last(r, from + at, n, new_size - at, asked, to + at);
		else
			result = upa_move_mapping(r, from + at, n, asked, MREMAP_FIXED, to + at);
		if (os_failed(result)) {
			move_back(to, at, from);
			return result;
		}
	}
	return 0;
}

/* Has the last of several mappings grow where it is. 0 or -errno. */
static long grow_last(char *from, size_t length, size_t more)
{
	long result;
	size_t n = 0;

	for (size_t at = 0; at < length; at += n) {
		n = maps_one(from + at, length - at);
		if (!n)
			return -EFAULT;
	}
	result = os_mremap(from + length - n, n, n + more, 0, NULL);
	return os_failed(result) ? result : 0;
}

long upa_mman_remap_pieces(void *old_address, size_t old_size, size_t new_size, int flags, void *to)
{
	bool chosen = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
	size_t kept;
	long target, error;

	old_size = page_up(old_size);
	new_size = page_up(new_size);
	kept = old_size < new_size ? old_size : new_size;
	if (!aligned(old_address) || !kept || !maps_ask(old_address, kept).alike)
		return -EFAULT;
	if (!chosen) {
		error = grow_last(old_address, kept, new_size - kept);
		if (!error || !(flags & MREMAP_MAYMOVE))
			return error ? error : (long)old_address;
	}
	target = os_mmap(flags & MREMAP_FIXED ? to : NULL, new_size, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (flags & MREMAP_FIXED ? MAP_FIXED : 0), -1, 0);
	if (os_failed(target))
		return target;
	error = upa_move_pieces(NULL, old_address, kept, new_size, flags & MREMAP_DONTUNMAP, (char *)target);
	if (error)
		os_munmap((void *)target, new_size);
	else if (!(flags & MREMAP_DONTUNMAP))
		os_munmap(old_address, old_size);
	return error ? error : target;
}
