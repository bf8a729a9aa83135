/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/purge.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>

#include "os/os.h"
#include "region/region_private.h"
#include "policy/retain.h"
#include "settings.h"
#include "zero.h"

#define PAGE 4096ul
#define UNIT_SHIFT 21
#define UNIT_BYTES (1ul << UNIT_SHIFT)

/* A purge of less is cheap, one of more is rare. */
#define LEAST_BYTES (64ul << 10)
#define MOST_BYTES (1ul << 30)

/* What is not purged again within this time is not in use. */
#define AGAIN_MS 1000

/* How often to look through all that has been purged. */
#define LOOK_MS 16

static bool begun;
static _Atomic bool stopped;
static _Atomic uint64_t purged_bytes;

/* ---- what has been purged lately ----------------------------------------------------------------- */

/*
 * Each 2 MiB has a heat: the purges of it, each counting half when so many bytes more have been purged as HALF_LIFE times the
 * program's peak. Parts that are left resident are idle until they are found in use. Units 8 GiB apart share an entry, and drive each
 * other out. Threads that meet here may lose a purge; nothing but what stays resident hangs on it.
 */
struct unit {
	_Atomic uint32_t number, idle; /* idle: a bit for each part */
	_Atomic uint32_t heat;         /* at that time, in ONE-s */
	_Atomic uint32_t clock;        /* of the last purge: MiB purged until then */
	_Atomic uint32_t milliseconds;
	_Atomic uint32_t huge;         /* the unit's number once it has been made one of huge pages */
};

#define UNITS 4096u
#define PARTS 32u
#define PART_BYTES (UNIT_BYTES / PARTS)
#define ONE (1u << 16)
#define MOST_HEAT (UINT32_MAX / 2)
#define HALF_LIFE 16

static struct unit units[UNITS];
static _Atomic int64_t idle_bytes;
static _Atomic uint64_t purge_clock;

/* How much to leave resident: units hotter than so, which are those that fit into so many bytes. */
static _Atomic uint32_t least_heat;
static _Atomic int64_t hot_bytes = INT64_MAX / 2;

static uint32_t get(const _Atomic uint32_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static void set(_Atomic uint32_t *p, uint32_t n)
{
	atomic_store_explicit(p, n, memory_order_relaxed);
}

static uint32_t clock_now(void)
{
	return (uint32_t)(atomic_load_explicit(&purge_clock, memory_order_relaxed) >> 20);
}

static uint32_t half_life(void)
{
	return (uint32_t)(retain_peak() * HALF_LIFE >> 20) + 1;
}

static uint32_t heat_at(const struct unit *u, uint32_t clock, uint32_t half)
{
	uint32_t age = clock - get(&u->clock);
	uint32_t heat = age / half < 32 ? get(&u->heat) >> age / half : 0;

	/* Between two halvings a straight line will do. */
	return heat - (uint32_t)((uint64_t)heat * (age % half) / (2ull * half));
}

static void set_idle(struct unit *u, uint32_t parts, bool idle)
{
	uint32_t was = idle ? atomic_fetch_or_explicit(&u->idle, parts, memory_order_relaxed) :
			      atomic_fetch_and_explicit(&u->idle, ~parts, memory_order_relaxed);
	int64_t bytes = __builtin_popcount(parts & (idle ? ~was : was)) * (int64_t)PART_BYTES;

	atomic_fetch_add_explicit(&idle_bytes, idle ? bytes : -bytes, memory_order_relaxed);
}

/* Notes that a unit is purged. Is it one to leave resident? */
static bool heat_up(uint32_t number, uint32_t now)
{
	struct unit *u = &units[number % UNITS];
	uint32_t clock = clock_now();
	uint32_t heat = 0, since = now - get(&u->milliseconds);

	if (get(&u->number) == number)
		heat = heat_at(u, clock, half_life());
	else
		set_idle(u, UINT32_MAX, false);
	set(&u->number, number);
	set(&u->heat, heat < MOST_HEAT ? heat + ONE : heat);
	set(&u->clock, clock);
	set(&u->milliseconds, now);
	return heat && heat + ONE >= get(&least_heat) && since <= AGAIN_MS;
}

/* The parts of a unit that lie wholly in a range. */
static uint32_t parts_in(uintptr_t unit, uintptr_t from, uintptr_t to)
{
	uintptr_t start = unit << UNIT_SHIFT;
	uint64_t first = from > start ? (from - start + PART_BYTES - 1) / PART_BYTES : 0;
	uint64_t end = to < start + UNIT_BYTES ? (to - start) / PART_BYTES : PARTS;

	return first < end ? (uint32_t)((1ull << end) - (1ull << first)) : 0;
}

static void mark(uintptr_t from, uintptr_t to, bool idle)
{
	for (uintptr_t unit = from >> UNIT_SHIFT; unit <= (to - 1) >> UNIT_SHIFT; unit++)
		if (get(&units[unit % UNITS].number) == (uint32_t)unit)
			set_idle(&units[unit % UNITS], parts_in(unit, from, to), idle);
}

/* Has anything been written to this page? The kernel looks, since the program may have unmapped it. */
static bool in_use(uintptr_t page)
{
	static uint64_t words[PAGE / 8];
	struct iovec to = { words, PAGE }, from = { (void *)page, PAGE };

	if (os_call(SYS_process_vm_readv, getpid(), (long)&to, 1, (long)&from, 1, 0) != (long)PAGE)
		return true;
	for (size_t i = 0; i < PAGE / 8; i++)
		if (words[i])
			return true;
	return false;
}

/* One page speaks for a quarter of a unit. Who writes only zeros to it is overlooked; no more than the bound on what stays depends on this. */
static void find_use(struct unit *u)
{
	for (uint32_t quarter = 0xff; get(&u->idle) && quarter; quarter <<= 8) {
		uint32_t idle = get(&u->idle) & quarter;

		if (idle && in_use(((uintptr_t)get(&u->number) << UNIT_SHIFT) + (uintptr_t)__builtin_ctz(idle) * PART_BYTES))
			set_idle(u, quarter, false);
	}
}

/* The heat that so many units have, at least. */
static uint32_t heat_of(size_t wanted)
{
	static uint32_t heats[UNITS];
	uint32_t clock = clock_now(), half = half_life();
	size_t n = 0;
	uint32_t low = 0, high = MOST_HEAT;

	for (size_t i = 0; i < UNITS; i++)
		if (get(&units[i].number))
			heats[n++] = heat_at(&units[i], clock, half);
	while (n > wanted && high - low > ONE / 64) {
		uint32_t middle = low + (high - low) / 2;
		size_t hotter = 0;

		for (size_t i = 0; i < n; i++)
			hotter += heats[i] >= middle;
		if (hotter > wanted)
			low = middle;
		else
			high = middle;
	}
	return n > wanted ? high : 0;
}

static atomic_flag looking = ATOMIC_FLAG_INIT;

static void look(uint32_t now)
{
	static uint32_t looked_at;

	if (atomic_flag_test_and_set(&looking))
		return;
	if (now - looked_at >= LOOK_MS) {
		for (size_t i = 0; i < UNITS; i++)
			find_use(&units[i]);
		set(&least_heat, heat_of((size_t)(atomic_load_explicit(&hot_bytes, memory_order_relaxed) / (int64_t)UNIT_BYTES)));
		looked_at = now;
	}
	atomic_flag_clear(&looking);
}

/*
 * Where resident memory exceeds its bound, fewer units are to be hot, else slowly more. Only what is being purged can be given to
 * the kernel, so that room for the hottest has to be kept by not leaving the others.
 */
static void adapt(int64_t excess, int64_t bytes)
{
	int64_t hot = atomic_load_explicit(&hot_bytes, memory_order_relaxed);

	hot += excess > 0 ? -excess / 5 : (bytes < -excess ? bytes : -excess) / 200;
	/* Never less than half: another use of memory may have taken its place. */
	hot = hot > retain_peak() / 2 ? hot : retain_peak() / 2;
	hot = hot < 2 * retain_peak() ? hot : 2 * retain_peak();
	atomic_store_explicit(&hot_bytes, hot, memory_order_relaxed);
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

/* Which units of a range to clear; the others are the kernel's. */
struct choice {
	uint64_t hot[MOST_BYTES / UNIT_BYTES / 64 + 1];
};

static bool is_hot(const struct choice *c, uintptr_t i)
{
	return c->hot[i / 64] >> i % 64 & 1;
}

/* Where a range's unit i ends. */
static uintptr_t end_of(uintptr_t from, uintptr_t to, uintptr_t i)
{
	uintptr_t end = ((from >> UNIT_SHIFT) + i + 1) << UNIT_SHIFT;

	return end < to ? end : to;
}

/* The hot units of a range, less the highest until so much as exceeds the bound goes to the kernel. False if all of it does. */
static bool choose(struct choice *c, uintptr_t from, uintptr_t to)
{
	uintptr_t first = from >> UNIT_SHIFT;
	uint32_t now = (uint32_t)milliseconds();
	bool any = false;
	int64_t excess;

	memset(c, 0, sizeof(*c));
	atomic_fetch_add_explicit(&purge_clock, to - from, memory_order_relaxed);
	look(now);
	excess = retain_excess(atomic_load_explicit(&idle_bytes, memory_order_relaxed), (int64_t)(to - from));
	adapt(excess, (int64_t)(to - from));
	for (uintptr_t i = ((to - 1) >> UNIT_SHIFT) - first + 1; i--;) {
		if (heat_up((uint32_t)(first + i), now) && excess <= 0) {
			c->hot[i / 64] |= 1ull << i % 64;
			any = true;
		} else {
			excess -= UNIT_BYTES;
		}
	}
	return any;
}

/* If faulting in a huge page takes longer than half of what its pages' faults would (where memory is short of them, or a host has to find them), no more for a while. */
#define HUGE_NS 350000
#define HUGE_PAUSE_MS 1000
#define HUGE_TEST 16

static uint64_t nanoseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/*
 * What is purged and touched over and over, as a whole, and cannot stay resident is cheaper by 2 MiB than by 4 KiB. To be called before
 * the pages go to the kernel, and only for pages whose advice is nobody else's.
 */
static void make_huge(uintptr_t from, uintptr_t to)
{
	static _Atomic uint32_t made, not_before;
	unsigned char resident[UNIT_BYTES / PAGE];
	uint32_t now = (uint32_t)milliseconds();

	if (!settings.huge || (int32_t)(now - get(&not_before)) < 0)
		return;
	for (uintptr_t start = (from + UNIT_BYTES - 1) & ~(UNIT_BYTES - 1); start + UNIT_BYTES <= to; start += UNIT_BYTES) {
		struct unit *u = &units[(start >> UNIT_SHIFT) % UNITS];
		void *at = (void *)start;
		uint64_t before;

		if (get(&u->huge) == start >> UNIT_SHIFT || get(&u->heat) <= ONE || os_mincore(at, UNIT_BYTES, resident) ||
		    memchr(resident, 0, sizeof(resident)) || os_madvise(at, UNIT_BYTES, MADV_HUGEPAGE))
			continue;
		set(&u->huge, (uint32_t)(start >> UNIT_SHIFT));
		if (atomic_fetch_add_explicit(&made, 1, memory_order_relaxed) % HUGE_TEST)
			continue;
		os_madvise(at, UNIT_BYTES, MADV_DONTNEED);
		before = nanoseconds();
		os_madvise(at, UNIT_BYTES, MADV_POPULATE_WRITE);
		if (nanoseconds() - before > HUGE_NS)
			set(&not_before, now + HUGE_PAUSE_MS);
	}
}

void purge_begin(void)
{
	begun = true;
}

bool purge(const struct upa_region *region, void *address, size_t length)
{
	uintptr_t from = (uintptr_t)address;
	uintptr_t to = from + ((length + PAGE - 1) & ~(PAGE - 1));
	struct choice c;
	bool any, ours;

	if (!begun || length < LEAST_BYTES || length > MOST_BYTES || from % PAGE ||
	    atomic_load_explicit(&stopped, memory_order_relaxed))
		return false;
	any = choose(&c, from, to);
	ours = region && ordinary_in_region(region, from, to);
	if (!any || (!ours && !ordinary(from, to))) {
		mark(from, to, false);
		if (ours)
			make_huge(from, to);
		return false;
	}
	for (uintptr_t i = 0, start = from, end; start < to; start = end) {
		bool hot = is_hot(&c, i);

		for (end = end_of(from, to, i++); end < to && is_hot(&c, i) == hot; i++)
			end = end_of(from, to, i);
		mark(start, end, hot);
		if (!hot && ours)
			make_huge(start, end);
		if (!hot && os_madvise((void *)start, end - start, MADV_DONTNEED))
			return false;
		if (!hot)
			continue;
		zero_pages(start, end);
		atomic_fetch_add_explicit(&purged_bytes, end - start, memory_order_relaxed);
	}
	return true;
}

void purge_forget(void *address, size_t length)
{
	uintptr_t from = (uintptr_t)address;
	uintptr_t to = from + length;

	if (to <= from || atomic_load_explicit(&idle_bytes, memory_order_relaxed) <= 0)
		return;
	if (length >> UNIT_SHIFT < UNITS) {
		mark(from, to, false);
		return;
	}
	/* A range may be as long as a program's mistake makes it: look through what is known, not through the range. */
	for (size_t i = 0; i < UNITS; i++) {
		uintptr_t start = (uintptr_t)get(&units[i].number) << UNIT_SHIFT;

		if (start < to && start + UNIT_BYTES > from)
			set_idle(&units[i], parts_in(start >> UNIT_SHIFT, from, to), false);
	}
}

void purge_after_fork(void)
{
	atomic_flag_clear(&looking);
}

void purge_stop(void)
{
	atomic_store(&stopped, true);
}

uint64_t purge_count(void)
{
	return atomic_load(&purged_bytes);
}
