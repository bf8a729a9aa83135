/* SPDX-License-Identifier: Apache-2.0 */
#include "gate.h"

#include <errno.h>
#include <sys/sysinfo.h>

#include <upa/mman.h>

#include "mman/default_region.h"
#include "mman/mman_private.h"
#include "observe/outlook.h"
#include "observe/statistics.h"
#include "observe/view_writer.h"
#include "os/maps.h"
#include "os/os.h"
#include "os/signals.h"
#include "os/wait.h"
#include "region/region_private.h"
#include "settings.h"

/* Worth a region: the first request of this size, or what comes after so many smaller ones. */
#define BEGIN_BYTES (1ul << 20)
#define BEGIN_REQUESTS 8

static const _Atomic uint64_t no_extent;

struct gate gate = { .extent = &no_extent };

/* NEVER: the program is left alone, or had better be. */
enum { NOT_YET, BEGINNING, BEGUN, NEVER };

static _Atomic int stage = NEVER;
static _Atomic bool closed;
static _Atomic int requests;

/* Threads that are giving the region's addresses up. */
static _Atomic int leaving;

/* The machine's memory in bytes. */
static uint64_t memory_bytes(void)
{
	struct sysinfo info;

	return os_call(SYS_sysinfo, (long)&info, 0, 0, 0, 0, 0) ? 0 : (uint64_t)info.totalram * info.mem_unit;
}

static struct upa_region_options options(uint64_t memory)
{
	uint64_t standard = default_region_bytes(memory, settings.backend);
	struct upa_region_options o = {
		.bytes = settings.region_bytes ? settings.region_bytes : standard,
		.backend = (uint32_t)settings.backend,
		.max_pool_bytes = settings.pool_bytes,
	};

	if (settings.backend) {
		o.max_deferred_bytes = settings.strict ? 0 : UINT64_MAX;
		if (settings.backend == UPA_BACKEND_PTE && settings.reclaim)
			o.flags |= UPA_REGION_RECLAIM;
		if (settings.backend == UPA_BACKEND_PTE && settings.blocks)
			o.flags |= UPA_REGION_BLOCKS;
	} else {
		/* A pager registers the region as a whole, once. */
		o.flags = (settings.pager ? 0 : UPA_REGION_GROWS) | (settings.strict ? UPA_REGION_FENCED : 0);
	}
	return o;
}

static void publish(struct upa_region *region)
{
	atomic_store(&gate.chooses, settings.backend || settings.strict || settings.least_bytes);
	atomic_store(&gate.base, (uintptr_t)upa_region_base(region));
	atomic_store(&gate.extent, upa_region_extent(region));
	atomic_store(&gate.region, region);
	view_region(region);
	statistics_region(region);
	if (settings.backend)
		statistics_note("UPA_BACKEND: malloc's memory comes from /dev/upa, other mappings from the kernel");
}

/* Gives every free address to the kernel. Requests that began before the gate was closed may still come between. */
static void hand_over(struct upa_region *region)
{
	char *at = upa_region_base(region);
	char *end = at + atomic_load(upa_region_extent(region));
	int failures = 0;
	struct range gap;

	while (at < end && failures < 1000 && upa_region_next(region, at, (size_t)(end - at), true, &gap)) {
		at = gap.address;
		if (upa_region_claim(region, gap.address, gap.bytes)) {
			failures++;
			continue;
		}
		os_munmap(gap.address, gap.bytes);
		at += gap.bytes;
	}
}

static void await_leaving(void)
{
	int threads;

	for (int i = 0; i < 4 && (threads = atomic_load(&leaving)) > 0; i++)
		os_await_change(&leaving, threads);
}

static void leave_region(void)
{
	struct upa_region *region = gate_region();
	uint64_t signals;

	if (!region) {
		await_leaving();
		return;
	}
	upa_mman_stop();
	/*
	 * With several threads a region on the device keeps its mapping as a whole: its pages are not the kernel's.
	 */
	if (upa_region_make_ordinary(region)) {
		upa_region_give_back(region, 0);
		return;
	}
	signals = os_block_signals(OS_ALL_SIGNALS);
	/* Whoever finds no region knows by it whether its addresses have been given up. */
	atomic_fetch_add(&leaving, 1);
	/* First, so that no call made from now on looks at the region for an address that may be the kernel's. */
	if (atomic_compare_exchange_strong(&gate.region, &region, NULL))
		hand_over(region);
	atomic_fetch_sub(&leaving, 1);
	os_block_signals(signals);
	await_leaving();
}

static void begin(void)
{
	uint64_t memory = memory_bytes();
	struct upa_region_options o = options(memory);
	int expected = NOT_YET;
	int saved = errno;
	uint64_t signals = os_block_signals(OS_ALL_SIGNALS);

	if (!atomic_compare_exchange_strong(&stage, &expected, BEGINNING)) {
		os_block_signals(signals);
		/* What the kernel served meanwhile would be its own for as long as it is there, and never paged. */
		os_await_change(&stage, BEGINNING);
		return;
	}
	/* What the kernel might refuse to a program that asks for more than there is, it shall decide. */
	if (upa_mman_start(&o, memory / 2)) {
		const char *why = settings.backend ? "no region: the device is not to be had" :
						     "no region: the kernel refuses so large a reservation";

		statistics_note(why);
		/* Of the device upa_backend_refused() has said more. */
		if (!settings.backend)
			outlook_nothing(why);
		atomic_store(&stage, NEVER);
	} else {
		atomic_store(&gate.most, settings.pager || settings.backend ? UINT64_MAX : memory);
		publish(upa_mman_region());
		/* Another thread may have closed the gate meanwhile, and found no region. */
		if (atomic_load(&closed))
			leave_region();
		atomic_store(&stage, BEGUN);
	}
	os_block_signals(signals);
	errno = saved;
}

/* A request for memory while there is no region. */
static bool worth_beginning(size_t length, int protection, int flags)
{
	int now = atomic_load_explicit(&stage, memory_order_relaxed);

	if ((now != NOT_YET && now != BEGINNING) || !(flags & MAP_ANONYMOUS) || !(flags & MAP_PRIVATE) ||
	    protection != (PROT_READ | PROT_WRITE) || flags & MAP_STACK || length < settings.least_bytes)
		return false;
	return length >= BEGIN_BYTES || atomic_fetch_add_explicit(&requests, 1, memory_order_relaxed) >= BEGIN_REQUESTS;
}

/*
 * Strictly, each free stretch of the region is a mapping to the kernel, and so is each in use; a process may have 65
 * 530. Well before that the kernel serves. Counting takes as long as a few requests for each mapping there is, so it
 * is done seldom.
 */
#define MOST_MAPPINGS 16384
#define COUNT_EVERY 4096

static bool too_many_mappings(void)
{
	static _Atomic unsigned calls;
	static _Atomic bool many;

	if (atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) % COUNT_EVERY == COUNT_EVERY - 1)
		atomic_store_explicit(&many, maps_count() > MOST_MAPPINGS, memory_order_relaxed);
	return atomic_load_explicit(&many, memory_order_relaxed);
}

struct upa_region *gate_choose(struct upa_region *region, size_t length, int protection, int flags)
{
	if (!region) {
		if (worth_beginning(length, protection, flags))
			begin();
		region = gate_region();
	}
	if (!region || length < settings.least_bytes || atomic_load_explicit(&closed, memory_order_relaxed) ||
	    (settings.strict && !settings.backend && too_many_mappings()))
		return NULL;
	return region;
}

void gate_open(void)
{
	atomic_store(&stage, NOT_YET);
}

void gate_close(void)
{
	int expected = NOT_YET;

	atomic_store(&closed, true);
	atomic_store(&gate.chooses, true);
	/* The region may be in the making, and would be locked or limited as a whole. */
	if (!atomic_compare_exchange_strong(&stage, &expected, NEVER))
		os_await_change(&stage, BEGINNING);
	leave_region();
}

bool gate_is_closed(void)
{
	return atomic_load(&closed);
}

bool gate_has_begun(void)
{
	int now = atomic_load(&stage);

	return now == BEGINNING || now == BEGUN;
}

void gate_after_fork(void)
{
	int expected = BEGINNING;

	/* Another thread was at it, which is not here. */
	atomic_compare_exchange_strong(&stage, &expected, NEVER);
	if (atomic_exchange(&leaving, 0))
		hand_over(upa_mman_region());
}
