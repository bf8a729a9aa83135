/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mmap and its relatives over the default region. A call is served here if it asks for, or lies wholly
 * in, ordinary pages of the region; a range that is partly foreign is cut into its parts. Pages that the
 * program treats in a way of their own (protection, sticky advice, a foreign mapping over them) are
 * tainted: the region restores them when they are freed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <upa/mman.h>

#include "mman_private.h"
#include "os.h"
#include "region_private.h"

#define PAGE 4096ul

/* ---- the default region --------------------------------------------------------------------- */

/* Addresses are free and untouched metadata costs nothing, but fragmentation is cheapest avoided with room to spare. */
#define MEMORY_FACTOR 16ull
#define LEAST_BYTES (64ull << 20)
#define MOST_BYTES (16ull << 40)

enum { UNMADE, IN_THE_MAKING, MADE, IMPOSSIBLE };

static _Atomic int state;
static _Atomic bool stopped;
static struct upa_region *region;
static int creation_error;
static size_t most_served = SIZE_MAX;

/* UPA_REGION_BYTES; 0 if absent or not a size. */
static uint64_t configured_bytes(void)
{
	const char *text = getenv("UPA_REGION_BYTES");
	const char *suffixes = "KMGT";
	uint64_t bytes = 0;

	if (!text || !*text)
		return 0;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (bytes > MOST_BYTES)
			return 0;
		bytes = bytes * 10 + (uint64_t)(*text - '0');
	}
	for (int i = 0; *text && suffixes[i]; i++)
		if (*text == suffixes[i] && !text[1])
			return bytes <= MOST_BYTES >> 10 * (i + 1) ? bytes << 10 * (i + 1) : 0;
	return *text ? 0 : bytes;
}

static uint64_t default_bytes(void)
{
	uint64_t bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * PAGE * MEMORY_FACTOR;
	struct rlimit limit;

	if (bytes > MOST_BYTES)
		bytes = MOST_BYTES;
	/* The reservation counts against the limit at once: leave half of it to everything else. */
	if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur / 2)
		bytes = limit.rlim_cur / 2;
	return bytes > LEAST_BYTES ? bytes : LEAST_BYTES;
}

static void make_region(void)
{
	uint64_t configured = configured_bytes();
	uint64_t bytes = configured ? configured : default_bytes();

	do {
		creation_error = upa_region_create(&region, bytes, 0);
		bytes /= 2;
	} while (creation_error == -ENOMEM && !configured && bytes >= LEAST_BYTES);
}

/* The region if there is one by now. Whoever comes while it is being made does without: no waiting in a signal handler. */
static struct upa_region *made_region(void)
{
	return atomic_load_explicit(&state, memory_order_acquire) == MADE ? region : NULL;
}

static struct upa_region *default_region(void)
{
	int expected = UNMADE;

	if (atomic_load_explicit(&state, memory_order_relaxed) == UNMADE &&
	    atomic_compare_exchange_strong(&state, &expected, IN_THE_MAKING)) {
		make_region();
		atomic_store_explicit(&state, creation_error ? IMPOSSIBLE : MADE, memory_order_release);
	}
	return made_region();
}

struct upa_region *upa_mman_region(void)
{
	struct upa_region *r = default_region();

	if (!r)
		errno = atomic_load(&state) == IMPOSSIBLE ? -creation_error : EAGAIN;
	return r;
}

int upa_mman_start(uint64_t region_bytes, size_t most)
{
	int expected = UNMADE;

	if (!atomic_compare_exchange_strong(&state, &expected, IN_THE_MAKING))
		return -EALREADY;
	most_served = most;
	creation_error = upa_region_create(&region, region_bytes, 0);
	atomic_store_explicit(&state, creation_error ? IMPOSSIBLE : MADE, memory_order_release);
	return creation_error;
}

void upa_mman_stop(void)
{
	atomic_store(&stopped, true);
}

void upa_mman_retire(void)
{
	struct upa_region *r = made_region();
	struct range gap;
	char *at, *end;

	upa_mman_stop();
	if (!r)
		return;
	at = upa_region_base(r);
	end = at + upa_region_bytes(r);
	for (; at < end && upa_region_next(r, at, (size_t)(end - at), true, &gap); at = gap.address + gap.bytes)
		if (!upa_region_map_at(r, gap.address, gap.bytes, 0))
			os_munmap(gap.address, gap.bytes);
}

/* ---- helpers -------------------------------------------------------------------------------- */

static void *address_result(long result)
{
	if (!os_failed(result))
		return (void *)result;
	errno = (int)-result;
	return MAP_FAILED;
}

static int int_result(int result)
{
	if (!result)
		return 0;
	errno = -result;
	return -1;
}

static bool aligned(const void *address)
{
	return (uintptr_t)address % PAGE == 0;
}

static size_t page_up(size_t length)
{
	return (length + PAGE - 1) & ~(PAGE - 1);
}

/* The part of a range that lies in the region; false if none does. */
static bool inside(const struct upa_region *r, const void *address, size_t length, struct range *part)
{
	uintptr_t base = (uintptr_t)upa_region_base(r);
	uintptr_t limit = base + upa_region_bytes(r);
	uintptr_t start = (uintptr_t)address;
	uintptr_t end = start + length;

	if (end <= base || start >= limit || end < start)
		return false;
	start = start > base ? start : base;
	end = end < limit ? end : limit;
	*part = (struct range){ (char *)start, end - start };
	return true;
}

static bool wholly_inside(const struct upa_region *r, const void *address, size_t length)
{
	struct range part;

	return inside(r, address, length, &part) && part.address == address && part.bytes == length;
}

/* Is every page of a range inside the region allocated? */
static bool all_allocated(const struct upa_region *r, const void *address, size_t length)
{
	struct range gap;

	return !upa_region_next(r, address, length, true, &gap);
}

/* Makes every page of a range inside the region the program's, and not ours to hand out, until it is unmapped. */
static void surrender(struct upa_region *r, char *address, size_t length)
{
	struct range gap;

	while (upa_region_next(r, address, length, true, &gap))
		upa_region_map_at(r, gap.address, gap.bytes, 0);
	upa_region_taint(r, address, length);
}

/* Applies a call to the parts of a range in turn; -ENOMEM if it has holes, as the kernel has it, or the first error. */
static int for_parts(struct upa_region *r, char *address, size_t length, int (*call)(char *, size_t, int), int argument)
{
	struct range part = { address + length, 0 };
	struct range piece;
	char *end;
	int error = 0;

	inside(r, address, length, &part);
	if (part.address > address)
		error = call(address, (size_t)(part.address - address), argument);
	end = part.address + part.bytes;
	for (char *at = part.address; !error && at < end; at = piece.address + piece.bytes) {
		if (!upa_region_next(r, at, (size_t)(end - at), false, &piece))
			return -ENOMEM;
		error = call(piece.address, piece.bytes, argument);
		if (!error && piece.address != at)
			error = -ENOMEM;
	}
	if ((!error || error == -ENOMEM) && end < address + length) {
		int rest = call(end, (size_t)(address + length - end), argument);

		error = error ? error : rest;
	}
	return error;
}

/* ---- mmap and munmap ------------------------------------------------------------------------ */

/* Flags that change nothing about private anonymous memory as the region has it. */
#define SERVED_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | UPA_MAP_UNCLEARED)

static bool served(const void *address, size_t length, int protection, int flags, off_t offset)
{
	return !address && length && protection == (PROT_READ | PROT_WRITE) && !(flags & ~SERVED_FLAGS) &&
	       flags & MAP_PRIVATE && flags & MAP_ANONYMOUS && offset % (off_t)PAGE == 0;
}

/* MAP_FIXED over pages of the region. Made elsewhere first, so that a refusal leaves everything as it was. */
static void *map_over(struct upa_region *r, void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	long made = os_mmap(NULL, length, protection, flags & ~MAP_FIXED, fd, offset);
	struct range part;
	long moved;

	if (os_failed(made))
		return address_result(made);
	if (inside(r, address, page_up(length), &part))
		surrender(r, part.address, part.bytes);
	moved = os_mremap((void *)made, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, address);
	if (os_failed(moved))
		os_munmap((void *)made, length);
	return address_result(moved);
}

void *upa_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	struct upa_region *r;
	struct range part;

	if (served(address, length, protection, flags, offset) && length <= most_served &&
	    !atomic_load_explicit(&stopped, memory_order_relaxed)) {
		uint32_t wanted = (flags & UPA_MAP_UNCLEARED ? 0 : UPA_MAP_ZEROS) | (flags & MAP_POPULATE ? UPA_MAP_FAULTED : 0);
		int saved = errno;
		void *block;

		r = default_region();
		block = r ? upa_region_map(r, length, wanted) : NULL;
		if (block)
			return block;
		errno = saved;
	}
	flags &= ~UPA_MAP_UNCLEARED;
	r = made_region();
	if (flags & MAP_FIXED && r && aligned(address) && length && inside(r, address, page_up(length), &part))
		return map_over(r, address, length, protection, flags, fd, offset);
	return address_result(os_mmap(address, length, protection, flags, fd, offset));
}

static int unmap_part(char *address, size_t length, int unused)
{
	struct upa_region *r = made_region();

	(void)unused;
	return wholly_inside(r, address, length) ? upa_region_unmap(r, address, length) : os_munmap(address, length);
}

int upa_munmap(void *address, size_t length)
{
	struct upa_region *r = made_region();
	struct range part;
	int error;

	if (!r || !aligned(address) || !length || !inside(r, address, page_up(length), &part))
		return int_result(os_munmap(address, length));
	length = page_up(length);
	if (part.bytes == length && !upa_region_unmap(r, address, length))
		return 0;
	error = for_parts(r, address, length, unmap_part, 0);
	/* Unmapping what is not mapped is no error. */
	return int_result(error == -ENOMEM ? 0 : error);
}

/* ---- mremap --------------------------------------------------------------------------------- */

/* Moves pages of the region to `to`, outside it or surrendered. The old range stays mapped, and ours, all along. */
static int move_out(struct upa_region *r, char *from, size_t length, char *to)
{
	long moved = os_mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);

	if (os_failed(moved))
		return (int)moved;
	if (upa_region_tainted(r, from, length))
		return upa_region_unmap(r, from, length);
	return upa_region_unmap_moved(r, from, length);
}

/* Grows pages of the region by moving them to memory of the kernel's, with whatever kernel state they carry. */
static void *grow_outside(struct upa_region *r, char *from, size_t old_size, size_t new_size)
{
	long to = os_mmap(NULL, new_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long moved;

	if (os_failed(to))
		return address_result(to);
	moved = os_mremap(from, old_size, old_size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, (void *)to);
	if (!os_failed(moved) && upa_region_tainted(r, from, old_size)) {
		/* The new pages are to be like the old ones: let the kernel extend the mapping itself. */
		os_munmap((char *)to + old_size, new_size - old_size);
		moved = os_mremap((void *)to, old_size, new_size, MREMAP_MAYMOVE, NULL);
		if (os_failed(moved))
			os_mremap((void *)to, old_size, old_size, MREMAP_MAYMOVE | MREMAP_FIXED, from);
	}
	if (os_failed(moved)) {
		os_munmap((void *)to, new_size);
		return address_result(moved);
	}
	if (upa_region_tainted(r, from, old_size))
		upa_region_unmap(r, from, old_size);
	else
		upa_region_unmap_moved(r, from, old_size);
	return (void *)moved;
}

/* MREMAP_FIXED from the region to an address of the program's choice. */
static void *move_fixed(struct upa_region *r, char *from, size_t old_size, size_t new_size, char *to)
{
	size_t kept = old_size < new_size ? old_size : new_size;
	struct range part;
	int error;

	if (!aligned(to) || (to < from + old_size && from < to + new_size))
		return address_result(-EINVAL);
	if (inside(r, to, new_size, &part))
		surrender(r, part.address, part.bytes);
	if (new_size > old_size) {
		long tail = os_mmap(to + old_size, new_size - old_size, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

		if (os_failed(tail))
			return address_result(tail);
	}
	error = move_out(r, from, kept, to);
	if (!error && old_size > kept)
		error = upa_region_unmap(r, from + kept, old_size - kept);
	return error ? address_result(error) : to;
}

static void *remap_inside(struct upa_region *r, char *from, size_t old_size, size_t new_size, int flags, void *to)
{
	int saved = errno;
	void *block;

	if (!all_allocated(r, from, old_size))
		return address_result(-EFAULT);
	if (flags & MREMAP_DONTUNMAP)
		return address_result(os_mremap(from, old_size, new_size, flags, to));
	if (flags & MREMAP_FIXED)
		return move_fixed(r, from, old_size, new_size, to);
	if (new_size > old_size && upa_region_tainted(r, from, old_size))
		return flags & MREMAP_MAYMOVE ? grow_outside(r, from, old_size, new_size) : address_result(-ENOMEM);
	block = upa_region_resize(r, from, old_size, new_size, UPA_MAP_ZEROS | (flags & MREMAP_MAYMOVE ? 0 : UPA_MAP_INPLACE));
	if (block)
		return block;
	if (errno == ENOMEM && flags & MREMAP_MAYMOVE) {
		errno = saved;
		return grow_outside(r, from, old_size, new_size);
	}
	return MAP_FAILED;
}

void *upa_mremap(void *old_address, size_t old_size, size_t new_size, int flags, ...)
{
	struct upa_region *r = made_region();
	void *to = NULL;
	struct range part;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		va_list arguments;

		va_start(arguments, flags);
		to = va_arg(arguments, void *);
		va_end(arguments);
	}
	/* What the kernel would refuse before it looks at any page, it shall refuse. */
	if (!r || !aligned(old_address) || !old_size || !new_size || page_up(old_size) < old_size || page_up(new_size) < new_size ||
	    flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) ||
	    (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE)) ||
	    (flags & MREMAP_DONTUNMAP && old_size != new_size))
		return address_result(os_mremap(old_address, old_size, new_size, flags, to));
	old_size = page_up(old_size);
	new_size = page_up(new_size);
	if (wholly_inside(r, old_address, old_size))
		return remap_inside(r, old_address, old_size, new_size, flags, to);
	/* No mapping reaches across the border of the region. */
	if (inside(r, old_address, old_size, &part))
		return address_result(-EFAULT);
	if (flags & MREMAP_FIXED && aligned(to) && inside(r, to, new_size, &part))
		surrender(r, part.address, part.bytes);
	return address_result(os_mremap(old_address, old_size, new_size, flags, to));
}

/* ---- madvise and mprotect ------------------------------------------------------------------- */

/* Does this advice leave nothing behind that the next holder of the pages could notice? */
static bool passing(int advice)
{
	switch (advice) {
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
	case MADV_COLLAPSE:
#ifdef MADV_COLD
	case MADV_COLD:
	case MADV_PAGEOUT:
#endif
		return true;
	default:
		return false;
	}
}

static int advise_part(char *address, size_t length, int advice)
{
	struct upa_region *r = made_region();

	if (!passing(advice) && wholly_inside(r, address, length))
		upa_region_taint(r, address, length);
	return os_madvise(address, length, advice);
}

static int protect_part(char *address, size_t length, int protection)
{
	struct upa_region *r = made_region();

	if (wholly_inside(r, address, length))
		upa_region_taint(r, address, length);
	return os_mprotect(address, length, protection);
}

int upa_madvise(void *address, size_t length, int advice)
{
	struct upa_region *r = made_region();
	struct range part;

	if (!r || !aligned(address) || !inside(r, address, page_up(length), &part))
		return int_result(os_madvise(address, length, advice));
	return int_result(for_parts(r, address, page_up(length), advise_part, advice));
}

int upa_mprotect(void *address, size_t length, int protection)
{
	struct upa_region *r = made_region();
	struct range part;

	if (!r || !aligned(address) || !inside(r, address, page_up(length), &part))
		return int_result(os_mprotect(address, length, protection));
	return int_result(for_parts(r, address, page_up(length), protect_part, protection));
}
