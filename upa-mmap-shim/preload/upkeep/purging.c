/* SPDX-License-Identifier: Apache-2.0 */
#include "upkeep/purging.h"

#include <stdatomic.h>
#include <string.h>

#include "clock.h"
#include "gate.h"
#include "mman/ranges.h"
#include "observe/view_writer.h"
#include "os/filter.h"
#include "os/os.h"
#include "policy/purge.h"
#include "region/region_private.h"
#include "settings.h"
#include "upkeep/facts.h"
#include "upkeep/retention.h"
#include "upkeep/zero.h"

static bool started;
static _Atomic bool stopped;

static const struct purge_hooks hooks = {
	.now = clock_milliseconds,
	.in_use = facts_in_use,
	.excess = retention_excess,
	.peak = retention_peak,
};

static struct purge purge = PURGE_START(&hooks);

/* Is the range one mapping, private, anonymous and writable? */
static bool ordinary(uintptr_t from, uintptr_t to)
{
	struct facts_mapping mapping;
	int error = facts_mapping(from, &mapping);

	if (error == -ENOTTY || error == -EINVAL)
		purging_stop();
	return !error && mapping.ordinary && mapping.from <= from && mapping.to >= to;
}

static bool ordinary_in_region(const struct upa_region *region, uintptr_t from, uintptr_t to)
{
	struct range hole;

	/* What is not mapped of the region yet, anybody's mapping may be in. */
	return gate_knows((void *)from) && gate_knows((void *)(to - 1)) &&
	       !upa_region_tainted(region, (void *)from, to - from) &&
	       !upa_region_next(region, (void *)from, to - from, true, &hole);
}

/* Free pages of the region, which to the kernel are mapped like any others, are none to the program. */
static bool has_hole(const struct upa_region *region, uintptr_t from, uintptr_t to)
{
	struct range part, hole;

	return region && inside(region, (void *)from, to - from, &part) &&
	       upa_region_next(region, part.address, part.bytes, true, &hole);
}

/* To be called before the pages go to the kernel, and only for pages whose advice is nobody else's. */
static void make_huge(uintptr_t from, uintptr_t to)
{
	unsigned char resident[HEAT_UNIT_BYTES / PAGE_BYTES];
	uint32_t now = (uint32_t)clock_milliseconds();
	uintptr_t start = (from + HEAT_UNIT_BYTES - 1) & ~(HEAT_UNIT_BYTES - 1);

	if (!settings.huge || !purge_huge_allowed(&purge, now))
		return;
	for (; start + HEAT_UNIT_BYTES <= to; start += HEAT_UNIT_BYTES) {
		uint32_t number = (uint32_t)(start >> HEAT_UNIT_SHIFT);
		void *at = (void *)start;
		uint64_t before;

		if (!purge_huge_helps(&purge, number) || os_resident(at, HEAT_UNIT_BYTES, resident) ||
		    memchr(resident, 0, sizeof(resident)) || os_madvise(at, HEAT_UNIT_BYTES, MADV_HUGEPAGE) ||
		    !purge_huge_made(&purge, number))
			continue;
		os_madvise(at, HEAT_UNIT_BYTES, MADV_DONTNEED);
		before = clock_own_nanoseconds();
		os_madvise(at, HEAT_UNIT_BYTES, MADV_POPULATE_WRITE);
		purge_huge_took(&purge, now, clock_own_nanoseconds() - before);
	}
}

/* Clears what is hot and gives the rest to the kernel. False if the kernel refuses. */
static bool carry_out(const struct purge_choice *choice, uintptr_t from, uintptr_t to, bool ours)
{
	struct purge_stretch s;

	for (uintptr_t at = from; at < to; at = s.to) {
		s = purge_next(&purge, choice, from, to, at);
		if (s.hot) {
			zero_pages(s.from, s.to);
			view_add(&view.purged_bytes, s.to - s.from);
			continue;
		}
		if (ours)
			make_huge(s.from, s.to);
		if (os_madvise((void *)s.from, s.to - s.from, MADV_DONTNEED))
			return false;
	}
	return true;
}

void purging_start(void)
{
	started = true;
}

static void show_idle(void)
{
	int64_t idle = heat_idle_bytes(&purge.heat);

	view_set(&view.purged_idle_bytes, idle > 0 ? (uint64_t)idle : 0);
}

bool purging(const struct upa_region *region, void *address, size_t length)
{
	uintptr_t from = (uintptr_t)address;
	uintptr_t to = from + ((length + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1));
	struct purge_choice choice;
	bool any, ours;

	if (!started || length < PURGE_LEAST_BYTES || length > PURGE_MOST_BYTES || from % PAGE_BYTES ||
	    atomic_load_explicit(&stopped, memory_order_relaxed))
		return false;
	any = purge_choose(&purge, &choice, from, to);
	ours = region && ordinary_in_region(region, from, to);
	if (any && (ours || (!has_hole(region, from, to) && ordinary(from, to)))) {
		bool done = carry_out(&choice, from, to, ours);

		show_idle();
		return done;
	}
	purge_decline(&purge, from, to);
	if (ours)
		make_huge(from, to);
	return false;
}

void purging_forget(const void *address, size_t length)
{
	if (heat_idle_bytes(&purge.heat) <= 0)
		return;
	heat_forget(&purge.heat, (uintptr_t)address, (uintptr_t)address + length);
	show_idle();
}

void purging_after_fork(void)
{
	purge_after_fork(&purge);
}

void purging_stop(void)
{
	atomic_store(&stopped, true);
}
