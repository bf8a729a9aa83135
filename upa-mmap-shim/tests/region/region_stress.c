/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_stress.c - threads that do everything to one region at once. Each block is filled with a pattern of its own
 * and checked before every call; a map of owners shows any page that two hold. Meanwhile other threads give memory
 * back, populate, clear (also ahead of need), map ordinary memory of the kernel's and read statistics.
 *
 *   region_stress [STEPS [SEED]]
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <upa/region.h>

#include "test_backend.h"
#include "check.h"
#include "units.h"

#define REGION (96 * MIB)
#define POOL (48 * MIB) /* fewer frames than pages, on the device */
#define WORKERS 4
#define LIVE 24

struct block {
	char *at;
	size_t bytes;
	uint64_t mark;
};

static struct upa_region *region;
static _Atomic uint64_t owner[REGION / PAGE];
static _Atomic bool stop;
static int steps = 4000;

static size_t pages(size_t bytes)
{
	return (bytes + PAGE - 1) / PAGE;
}
static uint64_t index_of(const char *p)
{
	return (uint64_t)(p - (char *)upa_region_base(region)) / PAGE;
}

static void own(const char *at, size_t bytes, uint64_t from, uint64_t to)
{
	for (uint64_t i = index_of(at); i < index_of(at) + pages(bytes); i++) {
		uint64_t old = from;

		CHECK(atomic_compare_exchange_strong(&owner[i], &old, to),
		      "page=%" PRIu64 " expected=%#" PRIx64 " owner=%#" PRIx64, i, from, old);
	}
}

static void fill(const struct block *b, size_t from)
{
	for (size_t i = from / PAGE * PAGE; i < b->bytes; i += PAGE)
		*(uint64_t *)(b->at + i) = b->mark ^ i;
}

static void check_block(const struct block *b, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		CHECK(*(uint64_t *)(b->at + i) == (b->mark ^ i), "mark=%#" PRIx64 " page=%zu holds %#" PRIx64, b->mark,
		      i / PAGE, *(uint64_t *)(b->at + i));
}

static void check_zero(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 256)
		CHECK(!*(const uint64_t *)(p + i), "offset=%zu", i);
}

static size_t random_bytes(uint64_t *seed)
{
	switch (random_below(seed, 8)) {
	case 0: return random_below(seed, 6 * MIB) + 1;
	case 1: return 2 * MIB + PAGE * random_below(seed, 3);
	case 2: return random_below(seed, 600 * 1024) + 1;
	default: return random_below(seed, 40000) + 1;
	}
}

static void step(struct block *b, uint64_t *seed, uint64_t mark)
{
	size_t bytes = random_bytes(seed);
	uint32_t flags = random_below(seed, 2) ? UPA_MAP_ZEROS : 0;
	size_t kept, part;
	struct block old = *b;

	if (!b->at) {
		if (!random_below(seed, 6))
			flags |= UPA_MAP_FAULTED;
		if (random_below(seed, 10)) {
			b->at = upa_region_map(region, bytes, flags);
			CHECK(b->at || errno == ENOMEM, "errno=%d", errno);
		} else {
			char *at =
				(char *)upa_region_base(region) + PAGE * random_below(seed, (REGION - 8 * MIB) / PAGE);
			int error = upa_region_map_at(region, at, bytes, flags);

			CHECK(!error || error == -EBUSY || (on_device() && error == -ENOMEM), "error=%d", error);
			b->at = error ? NULL : at;
		}
		if (!b->at)
			return;
		*b = (struct block){ b->at, bytes, mark };
		own(b->at, bytes, 0, mark);
		if (flags & UPA_MAP_ZEROS)
			check_zero(b->at, bytes);
		fill(b, 0);
		return;
	}
	check_block(b, b->bytes);
	switch (random_below(seed, 6)) {
	case 0:
	case 1:
		/* While the call runs, the pages are this thread's or being freed. */
		own(b->at, b->bytes, b->mark, 0);
		b->at = upa_region_resize(region, old.at, old.bytes, bytes,
					  flags | (random_below(seed, 4) ? 0 : UPA_MAP_INPLACE));
		if (!b->at) {
			CHECK(errno == ENOMEM, "errno=%d", errno);
			*b = old;
			own(b->at, b->bytes, 0, b->mark);
			check_block(b, b->bytes);
			break;
		}
		b->bytes = bytes;
		own(b->at, b->bytes, 0, b->mark);
		kept = bytes < old.bytes ? bytes : old.bytes;
		check_block(b, kept);
		if (flags & UPA_MAP_ZEROS && pages(bytes) > pages(old.bytes))
			check_zero(b->at + pages(kept) * PAGE, (pages(bytes) - pages(kept)) * PAGE);
		fill(b, kept);
		break;
	case 2:
		/* Only its head or tail. */
		part = PAGE * (1 + random_below(seed, pages(b->bytes)));
		if (part >= b->bytes)
			break;
		own(b->at + part, b->bytes - part, b->mark, 0);
		CHECK(!upa_region_unmap(region, b->at + part, b->bytes - part), "unmap");
		b->bytes = part;
		break;
	case 3:
		/* With kernel state of its own: who gets the pages next can read and write them. */
		if (on_device()) {
			CHECK(upa_region_taint(region, b->at, b->bytes) == -EOPNOTSUPP, "taint");
		} else {
			CHECK(!upa_region_taint(region, b->at, b->bytes), "taint");
			CHECK(!mprotect(b->at, pages(b->bytes) * PAGE, PROT_READ), "errno=%d", errno);
		}
		check_block(b, b->bytes);
		/* fallthrough */
	default:
		own(b->at, b->bytes, b->mark, 0);
		CHECK(!upa_region_unmap(region, b->at, b->bytes), "unmap");
		b->at = NULL;
	}
}

static void *worker(void *argument)
{
	struct block live[LIVE] = { 0 };
	uint64_t id = (uintptr_t)argument;
	uint64_t seed = id;

	for (int i = 1; i <= steps; i++)
		step(&live[random_below(&seed, LIVE)], &seed, (id & 0xffff) << 48 | (uint64_t)i << 20);
	for (int i = 0; i < LIVE; i++)
		if (live[i].at) {
			check_block(&live[i], live[i].bytes);
			own(live[i].at, live[i].bytes, live[i].mark, 0);
			CHECK(!upa_region_unmap(region, live[i].at, live[i].bytes), "unmap");
		}
	return NULL;
}

/* What a pager does, and the rest of the program: its mappings must never come to lie in the region. */
static void *background(void *argument)
{
	uint64_t seed = (uintptr_t)argument;
	char *base = upa_region_base(region);

	while (!atomic_load(&stop)) {
		struct upa_region_stats st;
		size_t bytes = PAGE << random_below(&seed, 11);
		int64_t bytes_or_error;
		char *p;

		switch (random_below(&seed, 6)) {
		case 0: CHECK(upa_region_give_back(region, random_below(&seed, 64) * MIB) >= 0, "give back"); break;
		case 1: CHECK(upa_region_clear(region, 8 * MIB) >= 0, "clear"); break;
		case 4:
			bytes_or_error = upa_region_clear_ahead(region, 16 * MIB);
			CHECK(bytes_or_error >= 0 || bytes_or_error == -EAGAIN, "clear ahead=%" PRId64, bytes_or_error);
			break;
		case 2:
			bytes_or_error = upa_region_populate(region, 8 * MIB);
			/* The workers may hold every frame of the pool. */
			CHECK(bytes_or_error >= 0 || (on_device() && bytes_or_error == -ENOMEM), "populate=%" PRId64,
			      bytes_or_error);
			break;
		case 3:
			CHECK(!upa_region_get_stats(region, &st) && st.capacity_bytes == REGION, "capacity=%" PRIu64,
			      st.capacity_bytes);
			break;
		default:
			p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			CHECK(p != MAP_FAILED && (p + bytes <= base || p >= base + REGION), "p=%p base=%p", (void *)p,
			      (void *)base);
			munmap(p, bytes);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const char *full = getenv("UPA_FULL");
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	pthread_t workers[WORKERS], behind;
	char message[200] = "";
	int error;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	steps /= 4;
#endif
	if (full && *full)
		steps *= 50;
	if (argc > 1)
		steps = atoi(argv[1]);
	error = create_region_with(&region, &(struct upa_region_options){ .bytes = REGION,
									  .backend = test_backend(),
									  .max_pool_bytes = POOL,
									  .max_deferred_bytes = 16 * MIB });
	CHECK(!error, "error=%d", error);
	CHECK(!pthread_create(&behind, NULL, background, (void *)(uintptr_t)(seed + 100)), "thread");
	for (uintptr_t i = 0; i < WORKERS; i++)
		CHECK(!pthread_create(&workers[i], NULL, worker, (void *)(seed * WORKERS + i)), "thread");
	for (int i = 0; i < WORKERS; i++)
		CHECK(!pthread_join(workers[i], NULL), "join");
	atomic_store(&stop, true);
	CHECK(!pthread_join(behind, NULL), "join");

	error = upa_region_validate(region, message, sizeof(message));
	CHECK(!error, "%s", message);
	{
		size_t bytes = on_device() ? POOL : REGION;
		char *all = upa_region_map(region, bytes, UPA_MAP_ZEROS);

		CHECK(all, "pages have been lost");
		check_zero(all, bytes);
	}
	CHECK(!upa_region_destroy(region), "destroy");
	return 0;
}
