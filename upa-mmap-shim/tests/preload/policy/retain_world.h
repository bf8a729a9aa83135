/* SPDX-License-Identifier: Apache-2.0 */
/* retain_world.h - a clock and a kernel for policy/retain.h: it counts what the policy asks, notes what it orders. */
#ifndef UPA_TESTS_RETAIN_WORLD_H
#define UPA_TESTS_RETAIN_WORLD_H

#include <string.h>

#include "check.h"
#include "policy/retain.h"

#define KIB 1024ll
#define MIB (1ll << 20)

static struct {
	int64_t now, resident, uncounted;
	bool has_region;
	int64_t keepable;
	struct retain_region region;
	int asked_resident, asked_keepable;
	int64_t told_kept;                  /* when that was asked */
	int64_t heap_target, region_target; /* -1: not asked to give back */
	int64_t heap_left;                  /* what the heap then tells */
	int watched;
} world;

static struct retain retain;

static inline int64_t now(void)
{
	return world.now;
}

static inline int64_t resident(void)
{
	world.asked_resident++;
	return world.resident;
}

static inline int64_t keepable(int64_t at, int64_t kept)
{
	CHECK(at == world.now, "at=%" PRId64, at);
	world.asked_keepable++;
	world.told_kept = kept;
	return world.keepable;
}

static inline bool region(struct retain_region *out)
{
	*out = world.region;
	return world.has_region;
}

static inline int64_t uncounted(void)
{
	return world.uncounted;
}

static inline void give_back_heap(int64_t keep)
{
	world.heap_target = keep;
	retain_heap(&retain, atomic_load(&retain.heap_live), world.heap_left);
}

static inline void give_back_region(int64_t keep)
{
	world.region_target = keep;
}

static inline void watch(void)
{
	world.watched++;
}

static const struct retain_hooks hooks = {
	.now = now,
	.resident = resident,
	.keepable = keepable,
	.region = region,
	.uncounted = uncounted,
	.give_back_heap = give_back_heap,
	.give_back_region = give_back_region,
	.watch = watch,
};

/* A process that has begun long ago; 10 %, a second. */
static inline void begin(void)
{
	memset(&world, 0, sizeof(world));
	memset(&retain, 0, sizeof(retain));
	retain.hooks = &hooks;
	retain.percent = 10;
	retain.half_life = 1000;
	world.now = 1000000;
	world.keepable = INT64_MAX;
	world.heap_target = world.region_target = -1;
}

#define IS(actual, expected)                                                                                           \
	CHECK((actual) == (expected), "%" PRId64 " is not %" PRId64, (int64_t)(actual), (int64_t)(expected))

/* To within a thousandth. */
#define NEAR(actual, expected)                                                                                         \
	CHECK(llabs((long long)(actual) - (long long)(expected)) <= (long long)(expected) / 1000 + 1,                  \
	      "%" PRId64 " is not near %" PRId64, (int64_t)(actual), (int64_t)(expected))

/* The region is looked at now: so much of it in use, so much free and populated. */
static inline void look(int64_t allocated, int64_t retained)
{
	int64_t untold = 0;

	world.has_region = true;
	world.region = (struct retain_region){ allocated, retained, 0 };
	world.resident = allocated + retained;
	world.heap_target = world.region_target = -1;
	world.now += RETAIN_INTERVAL;
	retain_account(&retain, &untold, RETAIN_STEP);
	IS(untold, 0);
}

#endif
