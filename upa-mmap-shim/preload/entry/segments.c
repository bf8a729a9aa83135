/* SPDX-License-Identifier: Apache-2.0 */
/* System V shared memory at an address of the program's choice, which may be one of the region. */
#define _GNU_SOURCE
#include <sys/shm.h>

#include "entry/entry.h"
#include "entry/limits.h"
#include "gate.h"
#include "mman/ranges.h"
#include "os/maps.h"
#include "region/region_private.h"
#include "upkeep/heap.h"

struct attachment {
	int id, flags;
};

static long kernel_shmat(int id, const void *address, int flags)
{
	return ENTRY_NEXT(shmat, os_call(SYS_shmat, id, (long)address, flags, 0, 0, 0), id, address, flags);
}

static long attach(char *to, size_t length, void *context)
{
	const struct attachment *a = context;

	(void)length;
	return kernel_shmat(a->id, to, a->flags | SHM_REMAP);
}

/* The length of what would be attached; 0 if it may not be. */
static size_t segment_bytes(int id)
{
	struct shmid_ds ds;

	return os_call(SYS_shmctl, id, IPC_STAT, (long)&ds, 0, 0, 0) ? 0 : page_up(ds.shm_segsz);
}

/* To the kernel the region's pages are mapped, free or not: it is told to replace them. */
static long attach_into(struct upa_region *region, char *at, size_t bytes, int id, int flags)
{
	struct attachment a = { id, flags };
	bool claimed = !(flags & SHM_REMAP);
	long result;

	if (claimed && upa_claim_range(region, at, bytes))
		return kernel_shmat(id, at, flags);
	result = upa_place(region, at, bytes, true, attach, &a);
	if (claimed && os_failed(result))
		upa_give_up_range(region, at, bytes);
	return result;
}

static long attach_now(int id, const void *address, int flags)
{
	uintptr_t at = (uintptr_t)address;
	struct upa_region *region;
	size_t bytes;

	if (flags & SHM_RND)
		at &= ~(PAGE_BYTES - 1);
	if (!at || at % PAGE_BYTES)
		return kernel_shmat(id, address, flags);
	bytes = segment_bytes(id);
	if (flags & SHM_REMAP)
		heap_disturb((void *)at, bytes, false);
	else
		heap_uncover((void *)at, bytes);
	region = gate_touched((void *)at, bytes);
	if (!bytes || !region)
		return kernel_shmat(id, address, flags);
	return attach_into(region, (char *)at, bytes, id, flags);
}

EXPORT void *shmat(int id, const void *address, int flags)
{
	long result = attach_now(id, address, flags);

	if (result == -ENOMEM && limits_make_way())
		result = attach_now(id, address, flags);
	return (void *)entry_result(result);
}

/* How much of a range is in use of the region, to the program, from its start on. */
static size_t in_use(struct upa_region *region, char *from, size_t length)
{
	struct range hole;

	return upa_region_next(region, from, length, true, &hole) ? (size_t)(hole.address - from) : length;
}

/*
 * Frees what the kernel has unmapped without saying how much: pages in use at which nothing is mapped any more, tried
 * in steps of twice the size.
 */
static void free_unmapped(struct upa_region *region, char *at)
{
	char *end = (char *)upa_region_base(region) + atomic_load(upa_region_extent(region));
	size_t left = in_use(region, at, (size_t)(end - at));

	for (size_t step = PAGE_BYTES; step && left;) {
		long made;

		step = step < left ? step : left;
		made = os_mmap(at, step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (made == (long)at && !own_munmap(at, step)) {
			at += step;
			left -= step;
			step *= 2;
			continue;
		}
		if (!os_failed(made) && made != (long)at)
			os_munmap((void *)made, step);
		step = step / 2 & ~(PAGE_BYTES - 1);
	}
}

/*
 * Unmaps what is left of a segment, as the kernel does, but where it lies among pages of the region they are free then.
 * Of what is elsewhere the kernel knows more; and where nothing says what is mapped.
 */
EXPORT int shmdt(const void *address)
{
	struct maps_piece piece = { .start = address };
	struct upa_region *region;
	bool found = false;
	long result;

	while (gate_of(address) && maps_attached(&piece) && !own_munmap(piece.address, piece.bytes))
		found = true;
	if (found)
		return 0;
	result = ENTRY_NEXT(shmdt, os_call(SYS_shmdt, (long)address, 0, 0, 0, 0, 0), address);
	region = gate_of(address);
	if (!result && region)
		free_unmapped(region, (char *)(uintptr_t)address);
	return (int)entry_result(result);
}

ENTRY_IS_OWN(shmat);
ENTRY_IS_OWN(shmdt);
