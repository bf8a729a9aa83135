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

/*
 * Unmaps what is left of a segment, as the kernel does, but where it lies among pages of the region they are free then.
 * Of what is elsewhere the kernel knows more.
 */
EXPORT int shmdt(const void *address)
{
	struct maps_piece piece = { .start = address };
	bool found = false;

	while (gate_of(address) && maps_attached(&piece) && !own_munmap(piece.address, piece.bytes))
		found = true;
	return found ? 0 :
		       (int)entry_result(ENTRY_NEXT(shmdt, os_call(SYS_shmdt, (long)address, 0, 0, 0, 0, 0), address));
}

ENTRY_IS_OWN(shmat);
ENTRY_IS_OWN(shmdt);
