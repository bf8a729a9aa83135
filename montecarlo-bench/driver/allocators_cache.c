/* SPDX-License-Identifier: Apache-2.0 */
/*
 * allocators_cache.c - the ablation's base line: mmap with a trivial cache of freed mappings. It
 * shows how much of the gain is mere reuse, and what reuse without page allocation costs in memory.
 *
 * One list, newest first, under a lock. `exact` takes a mapping of exactly the size asked for; `fit`
 * the smallest that is large enough and at most twice as large, whole: it cannot split or join.
 * More than CACHE_BYTES are never kept: the oldest go back to the kernel.
 */
#include "contestant.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define CACHE_BYTES (2ull << 30)
#define CACHE_SLOTS 1024u

struct mapping {
	void *address;
	size_t bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mapping cached[CACHE_SLOTS]; /* oldest first */
static unsigned cached_count;
static size_t cached_bytes;

/*
 * `fit` hands out mappings larger than asked for, so it has to know the true size on release: kept
 * in a table of live blocks, hashed by address, as a real cache would.
 */
#define LIVE_SLOTS 65536u
static struct mapping live[LIVE_SLOTS];

static unsigned live_slot(const void *address)
{
	unsigned i = (unsigned)(((uintptr_t)address >> 12) * 0x9e3779b97f4a7c15ull >> 48);

	while (live[i].address && live[i].address != address)
		i = (i + 1) % LIVE_SLOTS;
	return i;
}

static void live_remove(unsigned hole)
{
	unsigned i = hole;

	for (;;) {
		unsigned home;

		i = (i + 1) % LIVE_SLOTS;
		if (!live[i].address)
			break;
		home = (unsigned)(((uintptr_t)live[i].address >> 12) * 0x9e3779b97f4a7c15ull >> 48);
		if ((i - home) % LIVE_SLOTS >= (i - hole) % LIVE_SLOTS) {
			live[hole] = live[i];
			hole = i;
		}
	}
	live[hole].address = NULL;
}

static void forget(unsigned i)
{
	cached_bytes -= cached[i].bytes;
	cached_count--;
	memmove(&cached[i], &cached[i + 1], (cached_count - i) * sizeof(cached[0]));
}

static void *take(size_t bytes, int exact, int clear)
{
	unsigned best = CACHE_SLOTS;
	void *block = NULL;
	size_t got = bytes;

	pthread_mutex_lock(&lock);
	for (unsigned i = cached_count; i-- > 0;) {
		if (cached[i].bytes == bytes) {
			best = i;
			break;
		}
		if (!exact && cached[i].bytes > bytes && cached[i].bytes / 2 <= bytes &&
		    (best == CACHE_SLOTS || cached[i].bytes < cached[best].bytes))
			best = i;
	}
	if (best != CACHE_SLOTS) {
		block = cached[best].address;
		got = cached[best].bytes;
		forget(best);
		if (!exact)
			live[live_slot(block)] = (struct mapping){ block, got };
	}
	pthread_mutex_unlock(&lock);
	if (block) {
		if (clear)
			memset(block, 0, bytes);
		return block;
	}
	block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED)
		return NULL;
	if (!exact) {
		pthread_mutex_lock(&lock);
		live[live_slot(block)] = (struct mapping){ block, bytes };
		pthread_mutex_unlock(&lock);
	}
	return block;
}

static void keep(void *block, size_t bytes)
{
	struct mapping evicted[CACHE_SLOTS];
	unsigned evictions = 0;

	pthread_mutex_lock(&lock);
	while (cached_count && (cached_count == CACHE_SLOTS || cached_bytes + bytes > CACHE_BYTES)) {
		evicted[evictions++] = cached[0];
		forget(0);
	}
	cached[cached_count++] = (struct mapping){ block, bytes };
	cached_bytes += bytes;
	pthread_mutex_unlock(&lock);
	for (unsigned i = 0; i < evictions; i++)
		munmap(evicted[i].address, evicted[i].bytes);
}

static void *exact_allocate(size_t bytes)
{
	return take(bytes, 1, 1);
}

static void *exact_uncleared_allocate(size_t bytes)
{
	return take(bytes, 1, 0);
}

static void *fit_uncleared_allocate(size_t bytes)
{
	return take(bytes, 0, 0);
}

static void fit_release(void *block, size_t bytes)
{
	unsigned slot;

	pthread_mutex_lock(&lock);
	slot = live_slot(block);
	if (live[slot].address == block) {
		bytes = live[slot].bytes;
		live_remove(slot);
	}
	pthread_mutex_unlock(&lock);
	keep(block, bytes);
}

static void chill(void)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < cached_count; i++)
		munmap(cached[i].address, cached[i].bytes);
	cached_count = 0;
	cached_bytes = 0;
	pthread_mutex_unlock(&lock);
}

/* clang-format off */
const struct allocator cache_allocators[] = {
	{ .name = "cache-exact", .summary = "mmap with a cache of freed mappings, same size only, cleared",
	  .flags = ALLOCATOR_ZEROED,
	  .allocate = exact_allocate, .release = keep, .chill = chill },
	{ .name = "cache-exact-uncleared", .summary = "the same, uncleared",
	  .allocate = exact_uncleared_allocate, .release = keep, .chill = chill },
	{ .name = "cache-fit-uncleared",
	  .summary = "mmap with a cache of freed mappings, best fit, at most twice too large, uncleared",
	  .allocate = fit_uncleared_allocate, .release = fit_release, .chill = chill },
	{ 0 }
};
/* clang-format on */
