/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A region that grows: its addresses are mapped from the base on as far as they are used. What is mapped is one mapping
 * to the kernel. The addresses behind are nobody's; the kernel hands out high addresses first, so that it comes there
 * last.
 *
 * Any number of threads may extend at once. Each maps exactly what follows the extent that it has read, where nothing
 * is mapped, and then moves the extent: of two, the second finds something mapped, and the extent moved soon after. Who
 * is between the two is counted. Where nobody is, and the extent has not moved, what is mapped is somebody else's.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "os/signals.h"
#include "os/wait.h"
#include "region/linear/linear.h"
#include "region/mapping.h"

/* Mapped beyond what is needed: an eighth of what there is, within these bounds. */
#define LEAST_STEP (16ull << 20)
#define MOST_STEP (256ull << 20)

#define PLACES 4

/* What lies below these is for who needs low addresses (MAP_32BIT). */
#define LEAST_ADDRESS (1ull << 32)

/*
 * Where a region begins, so much of it lies in one GiB, which one page of page tables maps, and an allocator's tree by
 * addresses (jemalloc's: 2 MiB a leaf). Small programs then need one of each, wherever the region comes to lie.
 */
#define FIRST_BYTES (256ull << 20)
#define GIB (1ull << 30)

static int map_behind(const struct upa_region *r, uint64_t extent, uint64_t bytes, int protection)
{
	char *wanted = r->base + extent;
	void *made;
	int error = upa_map(&made, wanted, bytes, protection, MAP_SPARSE | MAP_FIXED_NOREPLACE, -1, 0);

	if (error)
		return error;
	/* Before Linux 4.17 this flag is a hint. */
	error = made == wanted ? upa_linear_mark(r, made, bytes) : -EEXIST;
	if (error)
		os_munmap(made, bytes);
	return error;
}

static uint64_t step(uint64_t extent)
{
	uint64_t eighth = round_up(extent / 8, CHILD_BYTES);

	return eighth < LEAST_STEP ? LEAST_STEP : eighth > MOST_STEP ? MOST_STEP : eighth;
}

/* Maps from the extent to the end that is wanted, and if there is room a step beyond. */
static int map_to(struct upa_region *r, uint64_t extent, uint64_t bytes, int protection)
{
	uint64_t least = round_up(bytes, CHILD_BYTES);
	uint64_t wide = least + step(extent) < r->bytes ? least + step(extent) : r->bytes;
	int error = map_behind(r, extent, wide - extent, protection);

	if (error) {
		wide = least;
		error = map_behind(r, extent, wide - extent, protection);
	}
	if (error)
		return error;
	/* Nobody else can have mapped what we have, so that nobody has moved the extent. It never shrinks. */
	UPA_ASSERT(atomic_load_explicit(&r->extent, memory_order_relaxed) == extent);
	UPA_ASSERT(wide > extent && wide >= bytes && wide <= r->bytes && wide % CHILD_BYTES == 0);
	atomic_store_explicit(&r->extent, wide, memory_order_release);
	return 0;
}

/* map_to(), counted as long as it takes; no signal handler waits for the thread that it has interrupted there. */
static int map_counted(struct upa_region *r, uint64_t extent, uint64_t bytes, int protection)
{
	uint64_t signals = os_block_signals(OS_ALL_SIGNALS);
	int error;

	atomic_fetch_add(&r->extending, 1);
	error = map_to(r, extent, bytes, protection);
	atomic_fetch_sub(&r->extending, 1);
	os_block_signals(signals);
	return error;
}

/* Waits for the threads that may have mapped what follows the extent. Has it moved? */
static bool await_move(struct upa_region *r, uint64_t extent)
{
	for (int looks = 0; atomic_load(&r->extending) && atomic_load(&r->extent) == extent; looks++) {
		/* A fork's child has counted threads that it does not have. */
		if (looks == OS_WAIT_LOOKS)
			atomic_store(&r->awaited_at, extent);
		if (atomic_load(&r->awaited_at) == extent)
			break;
		os_wait(looks);
	}
	return atomic_load(&r->extent) != extent;
}

int upa_linear_extend_as(struct upa_region *r, uint64_t bytes, int protection)
{
	for (;;) {
		uint64_t extent = atomic_load(&r->extent);
		int error;

		if (bytes <= extent)
			return 0;
		error = map_counted(r, extent, bytes, protection);
		if (!error)
			return 0;
		if (error != -EEXIST || !await_move(r, extent))
			return -ENOMEM;
	}
}

int upa_linear_extend(struct upa_region *r, uint64_t bytes)
{
	return upa_linear_extend_as(r, bytes, PROT_READ | PROT_WRITE);
}

/*
 * Is nothing mapped in a range? The kernel looks for that, and then refuses, since no stack is shared. Nothing is
 * mapped meanwhile, which would count against a limit, and have other threads' calls refused. Before Linux 4.17 every
 * range is free by this.
 */
static bool is_free(uintptr_t from, uint64_t bytes)
{
	return os_mmap((void *)from, bytes, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE,
		       -1, 0) == -EINVAL;
}

/* As far as it must be moved, for that. */
static uint64_t beside_border(uintptr_t base)
{
	return base % GIB > GIB - FIRST_BYTES ? FIRST_BYTES : 0;
}

/*
 * Room for a region, or 0: first below where the kernel would map something now, for it comes down from there, or
 * leaves those addresses alone; then above. The steps grow, so that a few dozen reach every address. `beside`: not
 * across a border of a GiB.
 */
static uintptr_t find_room(uint64_t bytes, bool beside)
{
	void *next;
	uintptr_t top, at;
	uint64_t step;

	if (upa_map(&next, NULL, CHILD_BYTES, PROT_NONE, MAP_SPARSE, -1, 0))
		return 0;
	os_munmap(next, CHILD_BYTES);
	top = ((uintptr_t)next + CHILD_BYTES) & ~(uintptr_t)(CHILD_BYTES - 1);
	step = round_up(bytes / 8, CHILD_BYTES);
	for (at = top; at > LEAST_ADDRESS + bytes + step; at -= step, step += round_up(step / 4, CHILD_BYTES)) {
		uintptr_t base = at - bytes - (beside ? beside_border(at - bytes) : 0);

		if (is_free(base, bytes))
			return base;
	}
	step = round_up(bytes / 8, CHILD_BYTES);
	for (at = top; at + bytes < MOST_ADDRESSES; at += step, step += round_up(step / 4, CHILD_BYTES)) {
		uintptr_t base = at + (beside ? beside_border(at) : 0);

		if (is_free(base, bytes))
			return base;
	}
	return 0;
}

int upa_linear_place(struct upa_region *r)
{
	int error = -ENOMEM;

	if (r->bytes >= MOST_ADDRESSES / 2)
		return -ENOMEM;
	/* Another thread's mapping may come between; and qemu-user takes no place that is far from others for free. */
	for (int i = 0; i < PLACES; i++) {
		uintptr_t room = find_room(r->bytes, i == 0);

		if (!room)
			return -ENOMEM;
		r->base = (char *)room;
		error = map_to(r, 0, CHILD_BYTES, PROT_READ | PROT_WRITE);
		if (error != -EEXIST)
			break;
	}
	return error;
}
