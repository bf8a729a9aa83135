/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_clear_ahead.c - a region that clears free memory ahead of need: as much as it was told to and no more, again
 * after it has been used, never what somebody holds; it can be told to stop, forked and destroyed at any time.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "region/region_harness.h"
#include "region/types.h"

/* Bytes of free whole children that read zero. */
static uint64_t zeroed(const struct upa_region *r)
{
	uint64_t n = 0;

	for (uint64_t c = 0; c < r->llfree.children; c++)
		n += whole_child(r, c, 1u << UPA_ZEROED) ? 2 * MIB : 0;
	return n;
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

/* The thread runs when nobody else does, so there is no saying how long that takes. */
static void await_zeroed(const struct upa_region *r, uint64_t bytes)
{
	for (int i = 0; i < 60000 && zeroed(r) < bytes; i++)
		nap();
	CHECK(zeroed(r) == bytes, "zeroed=%" PRIu64 " wanted=%" PRIu64, zeroed(r), bytes);
}

/* A region with old bytes in so much of its free memory. */
static struct upa_region *create_used(size_t bytes)
{
	struct upa_region *r = create(64 * MIB);
	char *p = map(r, bytes, 0);

	memset(p, 0x5a, bytes);
	unmap(r, p, bytes);
	return r;
}

static bool starts(struct upa_region *r, uint64_t bytes)
{
	int error = upa_region_clear_ahead(r, bytes);

	CHECK(!error || error == -EOPNOTSUPP, "error=%d", error);
	return !error;
}

static void test_bound(void)
{
	struct upa_region *r = create_used(32 * MIB);
	uint64_t cleared;
	char *p;

	if (!starts(r, 8 * MIB)) {
		printf("skipped: one processor\n");
		exit(EXIT_SKIPPED);
	}
	await_zeroed(r, 8 * MIB);
	for (int i = 0; i < 50; i++) {
		nap();
		CHECK(zeroed(r) == 8 * MIB && stats(r).cleared_bytes == 8 * MIB, "cleared=%" PRIu64,
		      stats(r).cleared_bytes);
	}
	/* A larger bound, and less than a child, which is none. */
	CHECK(!upa_region_clear_ahead(r, 14 * MIB), "more");
	await_zeroed(r, 14 * MIB);
	CHECK(!upa_region_clear_ahead(r, 2 * MIB - 1) && !upa_region_clear_ahead(r, 0), "stop");
	/* What has been cleared is not cleared again. */
	cleared = stats(r).cleared_bytes;
	CHECK(cleared == 14 * MIB, "cleared=%" PRIu64, cleared);
	p = map(r, 8 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 8 * MIB);
	CHECK(stats(r).cleared_bytes == cleared, "cleared twice");
	CHECK(stats(r).maps == 2 && stats(r).unmaps == 1, "maps=%" PRIu64, stats(r).maps);
	finish(r);
}

/* What is used up is replaced. */
static void test_supply_is_renewed(void)
{
	struct upa_region *r = create_used(32 * MIB);

	starts(r, 4 * MIB);
	for (int i = 0; i < 10; i++) {
		char *p;

		await_zeroed(r, 4 * MIB);
		p = map(r, 4 * MIB, UPA_MAP_ZEROS);
		check_zero(p, 4 * MIB);
		memset(p, i + 1, 4 * MIB);
		unmap(r, p, 4 * MIB);
	}
	CHECK(stats(r).cleared_bytes >= 40 * MIB, "cleared=%" PRIu64, stats(r).cleared_bytes);
	CHECK(!upa_region_destroy(r), "destroyed while it is at work");
}

static void test_refused(void)
{
	struct upa_region *r;

	CHECK(!upa_region_create(&r, 8 * MIB, UPA_REGION_FENCED), "create");
	CHECK(upa_region_clear_ahead(r, 2 * MIB) == -EINVAL, "free pages cannot be touched there");
	finish(r);
}

/* A child has the region, and no such thread until it asks for one. */
static void test_fork(void)
{
	for (int i = 0; i < 20; i++) {
		struct upa_region *r = create_used(16 * MIB);
		int status;
		pid_t child;

		starts(r, 8 * MIB);
		child = fork();
		CHECK(child >= 0, "errno=%d", errno);
		if (!child) {
			char *p = map(r, 16 * MIB, UPA_MAP_ZEROS);

			check_zero(p, 16 * MIB);
			memset(p, 1, 16 * MIB);
			unmap(r, p, 16 * MIB);
#ifdef __SANITIZE_THREAD__ /* starts no threads in a child */
			i = 0;
#endif
			if (i % 2) {
				starts(r, 4 * MIB);
				starts(r, 0);
			}
			CHECK(!upa_region_destroy(r), "destroy");
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
		CHECK(!upa_region_destroy(r), "destroy");
	}
}

static void test_started_and_stopped(void)
{
	struct upa_region *r = create_used(32 * MIB);

	for (int i = 0; i < 200; i++)
		starts(r, (uint64_t)(i % 3) * 4 * MIB);
	starts(r, 0);
	finish(r);
}

int main(void)
{
	test_bound();
	test_supply_is_renewed();
	if (!on_device())
		test_refused();
	test_fork();
	test_started_and_stopped();
	return 0;
}
