/* SPDX-License-Identifier: Apache-2.0 */
#include "upkeep/sparse.h"

#include <stdatomic.h>
#include <stdint.h>

#include "mman/ranges.h"
#include "region/region_private.h"
#include "settings.h"
#include "upkeep/facts.h"
#include "upkeep/retention.h"

#define LEAST_ABSENT ((size_t)2 << 20)

/*
 * So small a part of a block is not worth keeping: where a whole tree or group is absent, one word says so, and no
 * search looks further.
 */
#define LITTLE_SHARE 512

/* Shorter gaps between populated pages are not worth a step of their own. */
#define LEAST_GAP ((size_t)64 << 10)

#define RANGES 32

/* So many blocks in a row that were hardly touched tell of the next. Of those, one of so many is looked at. */
#define ENOUGH 16u
#define LOOKED_AT 16u

/* Blocks in a row that were hardly touched. */
static _Atomic unsigned in_a_row;

/* A block that is being freed from its start on. */
struct freeing {
	struct upa_region *region;
	char *at;        /* what lies before has been freed */
	char *populated; /* up to here the rest is populated, or taken to be */
	size_t absent;   /* bytes freed as absent */
};

static void free_populated(struct freeing *f)
{
	if (f->populated > f->at)
		upa_region_unmap(f->region, f->at, (size_t)(f->populated - f->at));
	f->at = f->populated;
}

static void free_absent(struct freeing *f, char *to)
{
	free_populated(f);
	if (to <= f->at)
		return;
	upa_region_unmap_moved(f->region, f->at, (size_t)(to - f->at));
	f->absent += (size_t)(to - f->at);
	f->at = f->populated = to;
}

static void pass(struct freeing *f, const struct facts_range *range)
{
	if ((uintptr_t)f->populated + LEAST_GAP <= range->from)
		free_absent(f, (char *)range->from);
	f->populated = (char *)range->to;
}

static size_t bytes_of(const struct facts_range *ranges, long n)
{
	size_t bytes = 0;

	for (long i = 0; i < n; i++)
		bytes += ranges[i].to - ranges[i].from;
	return bytes;
}

/* May it be done with a block: whole pages, in use, no state of their own, and much of it had no memory? */
static bool suits(const struct upa_region *region, const char *address, size_t length)
{
	return !settings.pager && !settings.strict && !settings.backend && aligned(address) &&
	       wholly_inside(region, address, length) &&
	       upa_region_absent(region, address, length, LEAST_ABSENT) == LEAST_ABSENT &&
	       !upa_region_tainted(region, address, length) && all_allocated(region, address, length);
}

static void judge(bool hardly_touched)
{
	if (!hardly_touched)
		atomic_store_explicit(&in_a_row, 0, memory_order_relaxed);
	else if (atomic_load_explicit(&in_a_row, memory_order_relaxed) < ENOUGH)
		atomic_fetch_add_explicit(&in_a_row, 1, memory_order_relaxed);
}

bool sparse_expected(size_t length)
{
	return __builtin_expect(length >= SPARSE_LEAST_BYTES, 0) &&
	       atomic_load_explicit(&in_a_row, memory_order_relaxed) >= ENOUGH;
}

bool sparse_tries(void)
{
	static _Atomic unsigned expected;

	return atomic_fetch_add_explicit(&expected, 1, memory_order_relaxed) % LOOKED_AT == 0;
}

bool sparse_unmap(struct upa_region *region, char *address, size_t length)
{
	struct freeing f = { region, address, address, 0 };
	struct facts_range ranges[RANGES];
	uintptr_t from = (uintptr_t)address, end;
	bool little;
	long n;

	length = page_up(length);
	end = from + length;
	if (!suits(region, address, length)) {
		judge(false);
		return false;
	}
	n = facts_populated(&from, end, ranges, RANGES);
	little = from == end && n >= 0 && bytes_of(ranges, n) <= length / LITTLE_SHARE;
	judge(little);
	if (n < 0)
		return false;
	if (little && !os_madvise(address, length, MADV_DONTNEED))
		n = 0;
	for (;;) {
		for (long i = 0; i < n; i++)
			pass(&f, &ranges[i]);
		if (from == end)
			break;
		n = facts_populated(&from, end, ranges, RANGES);
		if (n < 0) {
			/* Of the rest it is not known. */
			f.populated = (char *)end;
			break;
		}
	}
	free_absent(&f, (char *)end);
	retention_absent((int64_t)f.absent);
	return true;
}
