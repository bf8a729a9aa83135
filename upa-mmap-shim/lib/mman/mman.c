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
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <upa/mman.h>

#include "region/backend_name.h"
#include "os/maps.h"
#include "mman/mman_private.h"
#include "os/os.h"
#include "region/region_private.h"

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

/* A size of the environment; 0 if absent or not a size. */
static uint64_t configured_bytes(const char *name)
{
	const char *text = getenv(name);
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

/* Tables of the module cost memory for each address. */
#define DEVICE_FACTOR 4ull

static int create_region(struct upa_region_options *options)
{
	int error = upa_region_create_with(&region, options);

	if (error && options->backend)
		upa_backend_refused(options->backend, error);
	return error;
}

static void make_region(void)
{
	uint64_t configured = configured_bytes("UPA_REGION_BYTES");
	const char *name = getenv("UPA_BACKEND");
	int backend = name && *name ? upa_backend_parse(name) : (int)UPA_BACKEND_LINEAR;
	struct upa_region_options options = {
		.bytes = configured ? configured : default_bytes(),
		.backend = backend < 0 ? UPA_BACKEND_LINEAR : (uint32_t)backend,
		.max_pool_bytes = configured_bytes("UPA_POOL_BYTES"),
		.flags = backend == (int)UPA_BACKEND_PTE && getenv("UPA_RECLAIM") && !strcmp(getenv("UPA_RECLAIM"), "1") ? UPA_REGION_RECLAIM : 0,
		.max_deferred_bytes = getenv("UPA_DEFERRED_BYTES") ? configured_bytes("UPA_DEFERRED_BYTES") : UINT64_MAX,
	};

	if (options.backend && !configured)
		options.bytes /= MEMORY_FACTOR / DEVICE_FACTOR;
	do {
		creation_error = create_region(&options);
		options.bytes /= 2;
	} while (creation_error == -ENOMEM && !configured && !options.backend && options.bytes >= LEAST_BYTES);
}

/* The region if there is one by now. Whoever comes while it is being made does without: no waiting in a signal handler. */
static struct upa_region *made_region(void)
{
	return atomic_load_explicit(&state, memory_order_acquire) == MADE ? region : NULL;
}

static struct upa_region *default_region(void)
{
	int expected = UNMADE;
	int saved = errno;

	if (atomic_load_explicit(&state, memory_order_relaxed) == UNMADE &&
	    atomic_compare_exchange_strong(&state, &expected, IN_THE_MAKING)) {
		make_region();
		errno = saved; /* sysconf() may have tried what this machine has not */
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

int upa_mman_start(const struct upa_region_options *options, size_t most)
{
	struct upa_region_options copy = *options;
	int expected = UNMADE;

	if (!atomic_compare_exchange_strong(&state, &expected, IN_THE_MAKING))
		return -EALREADY;
	most_served = most;
	creation_error = create_region(&copy);
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
	/* Of the device, its mapping stays as a whole. */
	if (upa_region_make_ordinary(r)) {
		upa_region_give_back(r, 0);
		return;
	}
	at = upa_region_base(r);
	end = at + upa_region_bytes(r);
	for (; at < end && upa_region_next(r, at, (size_t)(end - at), true, &gap); at = gap.address + gap.bytes)
		if (!upa_region_claim(r, gap.address, gap.bytes))
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

/* The part of a range that lies in the region; false if none does, or the range is empty or overflows. */
static bool inside(const struct upa_region *r, const void *address, size_t length, struct range *part)
{
	uintptr_t base = (uintptr_t)upa_region_base(r);
	uintptr_t limit = base + upa_region_bytes(r);
	uintptr_t start = (uintptr_t)address;
	uintptr_t end = start + length;

	if (end <= base || start >= limit || end <= start)
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
static int surrender(struct upa_region *r, char *address, size_t length)
{
	struct range gap;

	while (upa_region_next(r, address, length, true, &gap)) {
		int error = upa_region_claim(r, gap.address, gap.bytes);

		/* On the device it takes memory. */
		if (error && error != -EBUSY)
			return error;
	}
	return 0;
}

/* ---- mmap and munmap ------------------------------------------------------------------------ */

/* Flags that change nothing about private anonymous memory as the region has it. */
#define SERVED_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | UPA_MAP_UNCLEARED)

/* Is this memory as the region has it, wherever it is to be? */
static bool ordinary(int protection, int flags, off_t offset)
{
	return protection == (PROT_READ | PROT_WRITE) && !(flags & ~SERVED_FLAGS) && flags & MAP_PRIVATE && flags & MAP_ANONYMOUS &&
	       offset % (off_t)PAGE == 0;
}

/*
 * Moves a mapping to `to`, a range that is partly or wholly in the region. Such mappings are made elsewhere
 * first, so that a refusal leaves everything as it was and no other thread's mmap can come between.
 */
static long move_into(struct upa_region *r, void *made, size_t length, char *to)
{
	struct range part;

	if (inside(r, to, length, &part)) {
		if (upa_region_make_ordinary(r))
			return -EINVAL;
		surrender(r, part.address, part.bytes);
		upa_region_taint(r, part.address, part.bytes);
	}
	return os_mremap(made, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

/* MAP_FIXED or MAP_FIXED_NOREPLACE over pages of the region. */
static void *map_over(struct upa_region *r, void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	bool claimed = flags & MAP_FIXED_NOREPLACE;
	long made, moved;
	int error;

	/* Free pages count as unmapped, if there are no others; else the kernel says what is wrong first, or EEXIST. */
	if (claimed && (!wholly_inside(r, address, length) || upa_region_claim(r, address, length)))
		return address_result(os_mmap(address, length, protection, flags, fd, offset));
	flags &= ~(MAP_FIXED | MAP_FIXED_NOREPLACE);
	/* A program's way to empty memory that it keeps. */
	if (wholly_inside(r, address, length) && ordinary(protection, flags, offset)) {
		error = surrender(r, address, length);
		if (!error)
			error = upa_region_renew(r, address, length);
		if (!error && flags & MAP_POPULATE)
			os_madvise(address, length, MADV_POPULATE_WRITE);
		return error ? address_result(error) : address;
	}
	made = os_mmap(NULL, length, protection, flags, fd, offset);
	moved = os_failed(made) ? made : move_into(r, (void *)made, length, address);
	if (os_failed(moved) && !os_failed(made))
		os_munmap((void *)made, length);
	if (os_failed(moved) && claimed)
		upa_region_unmap_untouched(r, address, length);
	return address_result(moved);
}

void *upa_mman_map(size_t length, size_t alignment, int protection, int flags, off_t offset)
{
	uint32_t wanted = (flags & UPA_MAP_UNCLEARED ? 0 : UPA_MAP_ZEROS) | (flags & MAP_POPULATE ? UPA_MAP_FAULTED : 0);
	int saved = errno;
	struct upa_region *r;
	void *block;

	if (!length || !ordinary(protection, flags, offset) || length > most_served || atomic_load_explicit(&stopped, memory_order_relaxed))
		return NULL;
	r = default_region();
	block = r && alignment ? upa_region_map_aligned(r, length, alignment, wanted) : NULL;
	if (r && !block)
		block = upa_region_map(r, length, wanted);
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
	flags &= ~UPA_MAP_UNCLEARED;
	r = made_region();
	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) && r && aligned(address) && inside(r, address, page_up(length), &part))
		return map_over(r, address, page_up(length), protection, flags, fd, offset);
	return address_result(os_mmap(address, length, protection, flags, fd, offset));
}

int upa_munmap(void *address, size_t length)
{
	struct upa_region *r = made_region();
	struct range part, piece;
	char *end;
	int error = 0;

	if (!r || !aligned(address) || !inside(r, address, page_up(length), &part))
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

/* ---- mremap --------------------------------------------------------------------------------- */

/* Frees pages of the region whose memory has been moved elsewhere. */
static int unmap_moved(struct upa_region *r, char *address, size_t length)
{
	return upa_region_tainted(r, address, length) ? upa_region_unmap(r, address, length) :
							upa_region_unmap_moved(r, address, length);
}

/*
 * Moves pages of the region that are one mapping, and leaves an empty one behind. The kernel then unlocks all of the mapping that
 * they were part of; so first they are made one of their own, unless
 * that is just what the program has asked for. Address or -errno.
 */
static long move_mapping(struct upa_region *r, char *from, size_t length, bool asked, int flags, char *to)
{
	bool locked = !asked && upa_region_tainted(r, from, length) &&
		      os_call(SYS_msync, (long)from, (long)length, MS_ASYNC | MS_INVALIDATE, 0, 0, 0) == -EBUSY &&
		      upa_region_one_mapping(r, from, length) == length;
	long result;

	if (locked)
		os_call(SYS_munlock, (long)from, (long)length, 0, 0, 0, 0);
	result = os_mremap(from, length, length, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | flags, to);
	if (locked)
		os_call(SYS_mlock, os_failed(result) ? (long)from : result, (long)length, 0, 0, 0, 0);
	return result;
}

/*
 * The same to a place of the program's choice, for pages that the kernel has in several mappings and cannot
 * move as one (before 6.17) or not without leaving a hole (MREMAP_DONTUNMAP).
 */
static int move_pieces(struct upa_region *r, char *from, size_t length, bool asked, char *to)
{
	long result = os_mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	void *made;
	size_t n;

	if (os_failed(result))
		return (int)result;
	made = (void *)result;
	result = move_into(r, made, length, to);
	if (os_failed(result))
		os_munmap(made, length);
	for (; !os_failed(result) && length; length -= n, from += n, to += n) {
		n = upa_region_one_mapping(r, from, length);
		result = move_mapping(r, from, n, asked, MREMAP_FIXED, to);
	}
	return os_failed(result) ? (int)result : 0;
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
	long to = would_reserve(new_size - kept);
	long grown;

	if (os_failed(to))
		return to;
	to = upa_region_ordinary(r) ? move_mapping(r, from, kept, asked, 0, NULL) : -EFAULT;
	/* Several mappings to the kernel, as moves and restored neighbours leave them, but one to the program: no more than bytes to move. */
	if (to == -EFAULT && (!upa_region_tainted(r, from, kept) || maps_ordinary(from, kept))) {
		to = os_mmap(NULL, new_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
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

static void *remap_inside(struct upa_region *r, char *from, size_t old_size, size_t new_size, int flags, char *to, uint32_t zeros)
{
	int saved = errno;
	void *block;
	long moved;

	if (!all_allocated(r, from, old_size))
		return address_result(-EFAULT);
	if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
		/* In place, new pages would not be like tainted ones. */
		bool tainted = upa_region_tainted(r, from, old_size);
		bool elsewhere = tainted || new_size > most_served;
		uint32_t in_place = flags & MREMAP_MAYMOVE ? 0 : UPA_MAP_INPLACE;

		block = elsewhere ? NULL : upa_region_resize(r, from, old_size, new_size, zeros | in_place);
		if (block)
			return block;
		/* Several mappings to the program, or to a child with a hole in them (MADV_DONTFORK). */
		if (in_place && tainted && upa_region_one_mapping(r, from, old_size) < old_size && !maps_ordinary(from, old_size))
			return address_result(-EFAULT);
		if (in_place || (!elsewhere && errno != ENOMEM))
			return address_result(elsewhere ? -ENOMEM : -errno);
		errno = saved;
	}
	moved = move_out(r, from, old_size, new_size, flags & MREMAP_DONTUNMAP);
	if (flags & MREMAP_FIXED) {
		void *made = (void *)moved;

		if (!os_failed(moved)) {
			moved = move_into(r, made, new_size, to);
			if (os_failed(moved))
				move_back(r, made, new_size, old_size < new_size ? old_size : new_size, from);
		} else if (moved == -EFAULT && new_size <= old_size) {
			moved = move_pieces(r, from, new_size, flags & MREMAP_DONTUNMAP, to);
		}
	}
	if (os_failed(moved))
		return address_result(moved);
	if (!(flags & MREMAP_DONTUNMAP))
		unmap_moved(r, from, old_size);
	return flags & MREMAP_FIXED ? to : (void *)moved;
}

/* Makes a range smaller where it is: the rest is unmapped, whatever it is. */
static void *shrink(struct upa_region *r, char *from, size_t old_size, size_t new_size)
{
	struct range part;

	bool ours = inside(r, from, PAGE, &part);

	if (ours && !all_allocated(r, from, PAGE))
		return address_result(-EFAULT);
	/* Also of the region: with MADV_DONTFORK, not in a child. */
	if (!ours || upa_region_tainted(r, from, PAGE)) {
		long result = os_mremap(from, PAGE, PAGE, 0, NULL);

		if (os_failed(result))
			return address_result(result);
	}
	if (old_size > new_size && upa_munmap(from + new_size, old_size - new_size))
		return MAP_FAILED;
	return from;
}

void *upa_mremap(void *old_address, size_t old_size, size_t new_size, int flags, ...)
{
	struct upa_region *r = made_region();
	uintptr_t from = (uintptr_t)old_address;
	uintptr_t target = 0;
	uint32_t zeros = flags & UPA_MAP_UNCLEARED ? 0 : UPA_MAP_ZEROS;
	struct range part;
	bool into;
	long made, moved;

	flags &= ~UPA_MAP_UNCLEARED;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		va_list arguments;

		va_start(arguments, flags);
		target = (uintptr_t)va_arg(arguments, void *);
		va_end(arguments);
	}
	into = r && flags & MREMAP_FIXED && inside(r, (void *)target, page_up(new_size), &part);
	/* What the kernel would refuse before it looks at any page, it shall refuse. */
	if (!r || (!into && !inside(r, old_address, old_size ? page_up(old_size) : PAGE, &part)) || !aligned(old_address) || !page_up(new_size) ||
	    page_up(old_size) < old_size || flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) ||
	    (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE)) ||
	    (flags & MREMAP_DONTUNMAP && page_up(old_size) != page_up(new_size)) ||
	    (flags & MREMAP_FIXED && (target % PAGE || target + page_up(new_size) < target)))
		return address_result(os_mremap(old_address, old_size, new_size, flags, (void *)target));
	old_size = page_up(old_size);
	new_size = page_up(new_size);
	if (flags & MREMAP_FIXED && target < from + old_size && from < target + new_size)
		return address_result(-EINVAL);
	if (new_size <= old_size && !(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return shrink(r, old_address, old_size, new_size);
	if (wholly_inside(r, old_address, old_size))
		return remap_inside(r, old_address, old_size, new_size, flags, (char *)target, zeros);
	/* No mapping reaches across the border of the region. An old size of 0 means a second view of a shared mapping. */
	if (inside(r, old_address, old_size, &part) || (!old_size && inside(r, old_address, PAGE, &part) && !all_allocated(r, old_address, PAGE)))
		return address_result(-EFAULT);
	if (!into)
		return address_result(os_mremap(old_address, old_size, new_size, flags, (void *)target));
	made = os_mremap(old_address, old_size, new_size, flags & ~MREMAP_FIXED, NULL);
	moved = os_failed(made) ? made : move_into(r, (void *)made, new_size, (char *)target);
	if (os_failed(moved) && !os_failed(made) && made != (long)from && old_size)
		os_mremap((void *)made, new_size, old_size, MREMAP_MAYMOVE | MREMAP_FIXED, old_address);
	return address_result(moved);
}

/* ---- madvise and mprotect ------------------------------------------------------------------- */

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
	/* These stay, but are about speed only; restoring pages would cost numpy, which asks for each large array, all reuse. */
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
#ifdef MADV_COLD
	case MADV_COLD:
	case MADV_PAGEOUT:
#endif
		return true;
	default:
		return false;
	}
}

/* Advice about memory on the device: what it says of contents is done, what it says of treatment is granted if it changes nothing. */
static int advise_on_device(struct upa_region *r, char *address, size_t length, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
		return upa_region_renew(r, address, length);
	case MADV_REMOVE:
	case MADV_COLLAPSE:
		return -EINVAL;
	default:
		return 0;
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
	case MADV_REMOVE:
		return true;
	default:
		return passing(advice);
	}
}

static int call_madvise(char *address, size_t length, long advice) { return os_madvise(address, length, (int)advice); }
static int call_mprotect(char *address, size_t length, long protection) { return os_mprotect(address, length, (int)protection); }

/* Makes such a call on pages of the device, if it can be had there. */
static bool call_on_device(struct upa_region *r, char *address, size_t length, upa_call_on_range *call, long argument, int *result)
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
static int apply(struct upa_region *r, char *address, size_t length, bool sticks, upa_call_on_range *call, long argument)
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
		return result || end == address + length ? result : call(end, (size_t)(address + length - end), argument);
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

	return (stops ? upa_mman_apply : upa_mman_apply_past_holes)(address, length, !passing(advice), call_madvise, advice);
}

int upa_mprotect(void *address, size_t length, int protection)
{
	struct upa_region *r = made_region();

	/* The kernel looks at the protection before it looks for pages; no page of the region grows down. */
	if (protection & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return int_result(os_mprotect(address, length, protection));
	/* What the pages are anyway: they need not be tainted for it. mimalloc takes purged memory into use again with this. */
	if (r && protection == (PROT_READ | PROT_WRITE) && aligned(address) && wholly_inside(r, address, page_up(length)) &&
	    !upa_region_tainted(r, address, page_up(length)) && all_allocated(r, address, page_up(length)))
		return 0;
	return upa_mman_apply(address, length, true, call_mprotect, protection);
}
