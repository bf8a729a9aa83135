/* SPDX-License-Identifier: Apache-2.0 */
#include "upkeep/ahead.h"

#include <errno.h>
#include <stdatomic.h>

#include "gate.h"
#include "observe/statistics.h"
#include "os/filter.h"
#include "os/os.h"
#include "region/region_private.h"
#include "settings.h"
#include "upkeep/facts.h"
#include "upkeep/retention.h"

static _Atomic bool wanted;

static int resident(uint64_t first, uint32_t pages)
{
	unsigned char is[AHEAD_WINDOW];
	int n = 0;

	if (os_resident((void *)(first * PAGE_BYTES), pages * PAGE_BYTES, is))
		return -1;
	for (uint32_t i = 0; i < pages; i++)
		n += is[i] & 1;
	return n;
}

static void stop(void)
{
	atomic_store_explicit(&wanted, false, memory_order_relaxed);
}

/* Asked once. */
static bool is_one_node(void)
{
	static _Atomic bool known;

	if (atomic_load_explicit(&known, memory_order_relaxed))
		return true;
	if (facts_many_nodes()) {
		stop();
		return false;
	}
	atomic_store_explicit(&known, true, memory_order_relaxed);
	return true;
}

static uint64_t spare(void)
{
	return is_one_node() ? (uint64_t)retention_spare() / PAGE_BYTES : 0;
}

static const struct ahead_hooks hooks = { resident, spare };

static void populate(struct ahead *a, uint64_t first, uint64_t pages)
{
	uint32_t n = ahead_of(a, &hooks, first, pages);
	int error;

	if (!n)
		return;
	error = (int)os_madvise((void *)(first * PAGE_BYTES), n * PAGE_BYTES, MADV_POPULATE_WRITE);
	/* Kernels before 5.14 do not know it. */
	if (error == -EINVAL)
		stop();
	if (error)
		ahead_refused(a, pages);
	else
		statistics_populated(n * PAGE_BYTES);
}

void ahead_start(void)
{
	wanted = settings.ahead && settings.retain_percent && !settings.strict && !settings.backend && !settings.pager;
}

void ahead_block_of_size(void *address, size_t length)
{
	static _Thread_local struct ahead blocks __attribute__((tls_model("initial-exec")));
	struct upa_region *region = gate_of(address);
	uint64_t pages = pages_of(length);

	if (!atomic_load_explicit(&wanted, memory_order_relaxed) || !region ||
	    upa_region_absent(region, address, pages * PAGE_BYTES, SIZE_MAX) != pages * PAGE_BYTES)
		return;
	populate(&blocks, (uintptr_t)address / PAGE_BYTES, pages);
}

void ahead_heap(uintptr_t from, uintptr_t to)
{
	static struct ahead heap;

	if (atomic_load_explicit(&wanted, memory_order_relaxed))
		populate(&heap, from / PAGE_BYTES, (to - from) / PAGE_BYTES);
}
