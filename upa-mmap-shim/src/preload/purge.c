/* SPDX-License-Identifier: Apache-2.0 */
#include "purge.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "../os.h"
#include "../region_private.h"
#include "retain.h"
#include "zero.h"

#define PAGE 4096ul
#define UNIT_SHIFT 21

/* A purge of less is cheap, one of more is rare. */
#define LEAST_BYTES (64ul << 10)
#define MOST_BYTES (1ul << 30)

/* What is purged again within this time is in use. */
#define AGAIN_MS 1000

static _Atomic bool stopped;
static _Atomic uint64_t purged_bytes;

/* ---- what has been purged lately ----------------------------------------------------------------- */

/* Of each 2 MiB, the time of the last purge; units that meet in one entry drive each other out. */
#define ENTRIES 8192u

static _Atomic uint64_t lately[ENTRIES]; /* unit << 24 | time in units of 64 ms */

static bool again(uintptr_t unit, int64_t now)
{
	_Atomic uint64_t *entry = &lately[unit * 0x9e3779b97f4a7c15ull >> 51];
	uint64_t stamp = (uint64_t)now / 64 & 0xffffff;
	uint64_t was = atomic_exchange_explicit(entry, (uint64_t)unit << 24 | stamp, memory_order_relaxed);

	return was >> 24 == unit && ((stamp - was) & 0xffffff) <= AGAIN_MS / 64;
}

/* Has all of the range been purged lately? Now it has. */
static bool purged_again(uintptr_t from, uintptr_t to)
{
	int64_t now = milliseconds();
	bool all = true;

	for (uintptr_t unit = from >> UNIT_SHIFT; unit <= (to - 1) >> UNIT_SHIFT; unit++)
		all &= again(unit, now);
	return all;
}

/* ---- may the range be written to? ------------------------------------------------------------------ */

/* struct procmap_query of linux/fs.h, since Linux 6.11. */
struct query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};

#define PROCMAP_QUERY _IOWR('f', 17, struct query)
#define VMA_READABLE 1u
#define VMA_WRITABLE 2u
#define VMA_SHARED 8u

/* Is the range one mapping, private, anonymous and writable? */
static bool ordinary(uintptr_t from, uintptr_t to)
{
	struct query q = { .size = sizeof(q), .query_addr = from };
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long error;

	if (os_failed(fd))
		return false;
	error = os_call(SYS_ioctl, fd, PROCMAP_QUERY, (long)&q, 0, 0, 0);
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	if (error) {
		/* An older kernel will not learn it. */
		if (error == -ENOTTY || error == -EINVAL)
			purge_stop();
		return false;
	}
	return q.vma_start <= from && q.vma_end >= to && !q.inode && !q.dev_major && !q.dev_minor &&
	       (q.vma_flags & (VMA_READABLE | VMA_WRITABLE | VMA_SHARED)) == (VMA_READABLE | VMA_WRITABLE);
}

static bool ordinary_in_region(const struct upa_region *region, uintptr_t from, uintptr_t to)
{
	uintptr_t base = (uintptr_t)upa_region_base(region);
	struct range hole;

	return from >= base && to <= base + upa_region_bytes(region) && !upa_region_tainted(region, (void *)from, to - from) &&
	       !upa_region_next(region, (void *)from, to - from, true, &hole);
}

bool purge(const struct upa_region *region, void *address, size_t length)
{
	uintptr_t from = (uintptr_t)address;
	uintptr_t to = from + ((length + PAGE - 1) & ~(PAGE - 1));

	if (length < LEAST_BYTES || length > MOST_BYTES || from % PAGE || atomic_load_explicit(&stopped, memory_order_relaxed))
		return false;
	/* Both are to be asked each time, since they take note. */
	if (!(purged_again(from, to) & retain_may_keep()))
		return false;
	if (!(region && ordinary_in_region(region, from, to)) && !ordinary(from, to))
		return false;
	zero_pages(from, to);
	retain_kept();
	atomic_fetch_add_explicit(&purged_bytes, to - from, memory_order_relaxed);
	return true;
}

void purge_stop(void)
{
	atomic_store(&stopped, true);
}

uint64_t purge_count(void)
{
	return atomic_load(&purged_bytes);
}
