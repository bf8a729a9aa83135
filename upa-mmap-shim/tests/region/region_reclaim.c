/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_reclaim.c - regions on /dev/upa of which the module has taken unused memory (UPA_REGION_RECLAIM): what still
 * has memory is preferred, and all is right if it is taken beside what the owner does. Skipped without the device.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device_harness.h"

#include "../../../kernel-ext/include/uapi/upa.h"

/*
 * What the module has taken is recorded: the next requests get what still has memory, at free pages (with deferral) or
 * in the pool. One page stays at the end of the pool, which therefore keeps its size.
 */
static void prefer_memory(uint64_t max_deferred)
{
	struct upa_region *r = create_reclaimed(256 * MIB, 32 * MIB, max_deferred);
	char *p = map(r, 32 * MIB, 0);
	uint64_t retained;
	int64_t given;

	fill(p, 32 * MIB, 1);
	unmap(r, p, 32 * MIB - PAGE);
	given = upa_region_give_back(r, 16 * MIB);
	retained = stats(r).retained_bytes;
	CHECK(given >= (int64_t)(16 * MIB - PAGE) && given < (int64_t)(16 * MIB + 64 * PAGE), "given=%" PRId64, given);
	CHECK(retained == 32 * MIB - PAGE - (uint64_t)given, "retained=%" PRIu64 " given=%" PRId64, retained, given);
	check_region(r);
	for (uint64_t i = 1; i <= 3; i++) {
		char *q = map(r, 4 * MIB, i % 2 ? UPA_MAP_ZEROS : 0);

		if (i % 2)
			check_zero(q, 4 * MIB);
		fill(q, 4 * MIB, (char)(2 + i));
		CHECK(stats(r).retained_bytes == retained - i * 4 * MIB, "i=%" PRIu64 " retained=%" PRIu64, i,
		      stats(r).retained_bytes);
	}
	/* Few are left but those without. */
	p = map(r, 16 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 16 * MIB);
	check_region(r);
	finish(r);
}

static void test_memory_preferred(void)
{
	prefer_memory(UINT64_MAX);
	prefer_memory(0);
}

#define BLOCKS 64

static _Atomic int at_work = 3;

struct taker {
	struct upa_region *region;
	uint64_t number;
};

/* Maps, moves and frees blocks that know whose they are, while memory of what is free is taken all the time. */
static void *take_turns(void *argument)
{
	const struct taker *t = argument;
	uint64_t state = t->number * 2654435761u + 1;
	struct {
		char *p;
		size_t bytes;
	} block[BLOCKS] = { 0 };

	for (int round = 0; round < 6000; round++) {
		size_t i, bytes;

		state = state * 6364136223846793005u + 1442695040888963407u;
		i = state >> 33 & (BLOCKS - 1);
		bytes = (1 + (state >> 40 & 63)) * PAGE;
		if (!block[i].p) {
			bool zeros = state >> 50 & 1;

			block[i].p = upa_region_map(t->region, bytes, zeros ? UPA_MAP_ZEROS : 0);
			if (block[i].p && zeros)
				check_zero(block[i].p, bytes);
		} else {
			check_filled(block[i].p, block[i].bytes, t->number << 32 | i);
			if (state >> 51 & 1) {
				char *moved = upa_region_resize(t->region, block[i].p, block[i].bytes, bytes, 0);

				if (!moved)
					continue;
				check_marks(moved, 0, bytes < block[i].bytes ? bytes : block[i].bytes,
					    t->number << 32 | i);
				block[i].p = moved;
			} else {
				unmap(t->region, block[i].p, block[i].bytes);
				block[i].p = NULL;
			}
		}
		block[i].bytes = bytes;
		if (block[i].p)
			fill(block[i].p, bytes, t->number << 32 | i);
	}
	atomic_fetch_sub(&at_work, 1);
	return NULL;
}

static void test_taken_beside_users(void)
{
	pthread_t threads[3];
	struct taker takers[3];
	struct upa_region *r;
	int64_t given = 0;

	r = create_reclaimed(128 * MIB, 32 * MIB, 16 * MIB);
	for (uint64_t i = 0; i < 3; i++) {
		takers[i] = (struct taker){ r, i + 1 };
		CHECK(!pthread_create(&threads[i], NULL, take_turns, &takers[i]), "errno=%d", errno);
	}
	for (uint64_t i = 0; atomic_load(&at_work); i++) {
		int64_t n = upa_region_give_back(r, i * 7919 % 16 * MIB);

		CHECK(n >= 0, "error=%" PRId64, n);
		given += n;
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK(given > (int64_t)(8 * MIB), "given=%" PRId64, given);
	finish(r);
}

/* ---- a bound ------------------------------------------------------------------------------------ */

#define MOST_DESCRIPTORS 1024

/* The descriptor of the only region there is. */
static int device(void)
{
	struct upadev_stats st;
	char path[64], target[64];

	for (int fd = 3; fd < MOST_DESCRIPTORS; fd++) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = 0;
		if (strstr(target, "/dev/") && !ioctl(fd, UPADEV_STATS, &st))
			return fd;
	}
	CHECK(false, "no region");
	return -1;
}

/* As a manager does. Frames that have memory then, in bytes. */
static uint64_t set_bound(uint64_t pages)
{
	struct upadev_bound bound = { .pages = pages };

	CHECK(!ioctl(device(), UPADEV_BOUND, &bound), "errno=%d", errno);
	return bound.held * PAGE;
}

static bool is_refused(struct upa_region *r, size_t bytes, uint32_t flags)
{
	errno = 0;
	return !upa_region_map(r, bytes, flags) && errno == ENOMEM;
}

/* What would be beyond it is refused, never handed out to be a SIGBUS; what is freed makes room. */
static void bounded(uint64_t max_deferred)
{
	struct upa_region *r = create_reclaimed(256 * MIB, 32 * MIB, max_deferred);
	char *p = map(r, 6 * MIB, 0), *q;
	uint64_t failures;

	fill(p, 6 * MIB, 1);
	set_bound(UPADEV_NO_BOUND - 1);
	unmap(r, map(r, 16 * MIB, 0), 16 * MIB);
	CHECK(set_bound(8 * MIB / PAGE) <= 8 * MIB, "held");
	q = map(r, 2 * MIB, UPA_MAP_ZEROS);
	check_zero(q, 2 * MIB);
	fill(q, 2 * MIB, 2);
	failures = stats(r).failures;
	CHECK(is_refused(r, PAGE, 0) && is_refused(r, MIB, UPA_MAP_ZEROS) && is_refused(r, 16 * MIB, 0), "beyond");
	CHECK(stats(r).failures == failures + 3, "failures=%" PRIu64, stats(r).failures - failures);
	CHECK(upa_region_map_at(r, p + 64 * MIB, PAGE, 0) == -ENOMEM, "beyond, at an address");
	CHECK(!upa_region_resize(r, q, 2 * MIB, 3 * MIB, 0), "beyond, by a resize");
	CHECK(stats(r).allocated_bytes == 8 * MIB, "allocated=%" PRIu64, stats(r).allocated_bytes);
	check_region(r);
	unmap(r, p, 4 * MIB);
	p += 4 * MIB;
	q = upa_region_resize(r, q, 2 * MIB, 5 * MIB, UPA_MAP_ZEROS);
	CHECK(q, "errno=%d", errno);
	check_marks(q, 0, 2 * MIB, 2);
	check_zero(q + 2 * MIB, 3 * MIB);
	fill(q, 5 * MIB, 3);
	CHECK(is_refused(r, 2 * MIB, 0), "beyond");
	/* In advance nothing is cleared or populated that might have no room. */
	upa_region_clear_ahead(r, 16 * MIB);
	fill(map(r, MIB, 0), MIB, 4);
	CHECK(set_bound(4 * MIB / PAGE) == 8 * MIB, "what is in use stays");
	CHECK(is_refused(r, PAGE, 0), "above it already");
	check_marks(p, 0, 2 * MIB, 1 ^ 4 * MIB);
	set_bound(UPADEV_NO_BOUND);
	fill(map(r, 16 * MIB, 0), 16 * MIB, 5);
	check_filled(q, 5 * MIB, 3);
	finish(r);
}

static void test_bounded(void)
{
	bounded(UINT64_MAX);
	bounded(0);
}

static _Atomic uint64_t refused;

/* A block that one has been given, one can write to. */
static void *want_more_than_there_is(void *argument)
{
	struct taker *t = argument;
	char *held[4] = { NULL };

	for (uint64_t i = 0; i < 3000; i++) {
		char **block = &held[i * 7 % 4];

		if (*block) {
			check_filled(*block, MIB / 2, t->number);
			unmap(t->region, *block, MIB / 2);
			*block = NULL;
			continue;
		}
		*block = upa_region_map(t->region, MIB / 2, i % 3 ? 0 : UPA_MAP_ZEROS);
		if (*block)
			fill(*block, MIB / 2, t->number);
		else
			atomic_fetch_add(&refused, 1);
	}
	return NULL;
}

static void test_bounded_beside_threads(void)
{
	struct upa_region *r = create_reclaimed(128 * MIB, 32 * MIB, 16 * MIB);
	pthread_t threads[3];
	struct taker takers[3];

	set_bound(3 * MIB / PAGE);
	for (uint64_t i = 0; i < 3; i++) {
		takers[i] = (struct taker){ r, i + 1 };
		CHECK(!pthread_create(&threads[i], NULL, want_more_than_there_is, &takers[i]), "errno=%d", errno);
	}
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK(atomic_load(&refused), "nothing was beyond it");
	finish(r);
}

int main(void)
{
	/* Raw modes have nothing of it. */
	if (test_backend() == UPA_BACKEND_PTE_RAW) {
		printf("skipped: raw tables say nothing of what is unused\n");
		return EXIT_SKIPPED;
	}
	test_memory_preferred();
	test_taken_beside_users();
	test_bounded();
	test_bounded_beside_threads();
	return 0;
}
