/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_clear_ahead.c - free memory that is cleared ahead of need: as much as was asked for and no more, again after
 * it has been used, and never what somebody holds.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

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

static _Atomic bool stop;

struct service {
	struct upa_region *region;
	uint64_t bytes;
	pthread_t thread;
};

/* As the header says. */
static void *serve(void *service)
{
	struct service *s = service;
	const struct sched_param none = { 0 };

	CHECK(!sched_setscheduler(0, SCHED_IDLE, &none), "errno=%d", errno);
	while (!atomic_load(&stop)) {
		int64_t cleared = upa_region_clear_ahead(s->region, s->bytes);

		CHECK(cleared >= 0 || cleared == -EAGAIN, "cleared=%" PRId64, cleared);
		if (cleared <= 0)
			nap();
	}
	return NULL;
}

static void start(struct service *s, struct upa_region *r, uint64_t bytes)
{
	*s = (struct service){ .region = r, .bytes = bytes };
	atomic_store(&stop, false);
	CHECK(!pthread_create(&s->thread, NULL, serve, s), "pthread_create");
}

static void end(struct service *s)
{
	atomic_store(&stop, true);
	CHECK(!pthread_join(s->thread, NULL), "pthread_join");
}

/* Until so much reads zero: a busy machine may interrupt it any number of times. */
static void clear_up_to(struct upa_region *r, uint64_t bytes)
{
	int64_t cleared;

	do {
		cleared = upa_region_clear_ahead(r, bytes);
		CHECK(cleared >= 0 || cleared == -EAGAIN, "cleared=%" PRId64, cleared);
	} while (cleared);
}

static void test_bound(void)
{
	struct upa_region *r = create_used(32 * MIB);
	char *p;

	CHECK(!upa_region_clear_ahead(r, 0) && !upa_region_clear_ahead(r, 2 * MIB - 1), "less than it works by");
	clear_up_to(r, 8 * MIB);
	CHECK(zeroed(r) == 8 * MIB && stats(r).cleared_bytes == 8 * MIB, "zeroed=%" PRIu64, zeroed(r));
	CHECK(!upa_region_clear_ahead(r, 8 * MIB) && stats(r).cleared_bytes == 8 * MIB, "there is enough");
	clear_up_to(r, 15 * MIB);
	CHECK(zeroed(r) == 14 * MIB, "zeroed=%" PRIu64, zeroed(r));
	/* What has been cleared is not cleared again. */
	p = map(r, 8 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 8 * MIB);
	CHECK(stats(r).cleared_bytes == 14 * MIB, "cleared=%" PRIu64, stats(r).cleared_bytes);
	/* No more than there is, and it is none of the calls that are counted. */
	clear_up_to(r, UINT64_MAX);
	CHECK(zeroed(r) == 24 * MIB, "zeroed=%" PRIu64, zeroed(r));
	CHECK(stats(r).maps == 2 && stats(r).unmaps == 1, "maps=%" PRIu64, stats(r).maps);
	finish(r);
}

/* A block of which a part was used is cleared again. One with absent pages is left alone. */
static void test_parts(void)
{
	struct upa_region *r = create_used(4 * MIB);
	char *p;

	clear_up_to(r, 4 * MIB);
	for (int i = 0; i < 5; i++) {
		uint64_t cleared = stats(r).cleared_bytes;

		p = map(r, MIB / 2, UPA_MAP_ZEROS);
		check_zero(p, MIB / 2);
		CHECK(stats(r).cleared_bytes == cleared && zeroed(r) == 2 * MIB, "zeroed=%" PRIu64, zeroed(r));
		memset(p, i + 1, MIB / 2);
		unmap(r, p, MIB / 2);
		clear_up_to(r, 4 * MIB);
		CHECK(zeroed(r) == 4 * MIB, "zeroed=%" PRIu64, zeroed(r));
	}
	finish(r);
	r = create_used(MIB);
	CHECK(!upa_region_clear_ahead(r, 4 * MIB) && !zeroed(r), "zeroed=%" PRIu64, zeroed(r));
	CHECK(stats(r).retained_bytes == MIB, "retained=%" PRIu64, stats(r).retained_bytes);
	finish(r);
}

/* What is used up is replaced, by a thread that gives way to all others. */
static void test_supply_is_renewed(void)
{
	struct upa_region *r = create_used(32 * MIB);
	struct service s;

	start(&s, r, 4 * MIB);
	for (int i = 0; i < 10; i++) {
		char *p;

		await_zeroed(r, 4 * MIB);
		p = map(r, 4 * MIB, UPA_MAP_ZEROS);
		check_zero(p, 4 * MIB);
		memset(p, i + 1, 4 * MIB);
		unmap(r, p, 4 * MIB);
	}
	end(&s);
	CHECK(stats(r).cleared_bytes >= 40 * MIB, "cleared=%" PRIu64, stats(r).cleared_bytes);
	finish(r);
}

static void test_fenced(void)
{
	struct upa_region *r;

	CHECK(!upa_region_create(&r, 8 * MIB, UPA_REGION_FENCED), "create");
	unmap(r, map(r, 4 * MIB, 0), 4 * MIB);
	CHECK(!upa_region_clear_ahead(r, 2 * MIB), "free pages cannot be touched there");
	finish(r);
}

int main(void)
{
	test_bound();
	test_parts();
	test_supply_is_renewed();
	if (!on_device())
		test_fenced();
	return 0;
}
