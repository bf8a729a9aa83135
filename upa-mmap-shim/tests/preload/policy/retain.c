/* SPDX-License-Identifier: Apache-2.0 */
/* retain.c - how much free memory stays populated (policy/retain.h), on a clock and a kernel that the test makes. */
#include <string.h>

#include "check.h"
#include "policy/retain.h"

#define KIB 1024ll
#define MIB (1ll << 20)

/* ---- the world that the policy sees ------------------------------------------------------------- */

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

static int64_t now(void)
{
	return world.now;
}

static int64_t resident(void)
{
	world.asked_resident++;
	return world.resident;
}

static int64_t keepable(int64_t at, int64_t kept)
{
	CHECK(at == world.now, "at=%" PRId64, at);
	world.asked_keepable++;
	world.told_kept = kept;
	return world.keepable;
}

static bool region(struct retain_region *out)
{
	*out = world.region;
	return world.has_region;
}

static int64_t uncounted(void)
{
	return world.uncounted;
}

static void give_back_heap(int64_t keep)
{
	world.heap_target = keep;
	retain_heap(&retain, atomic_load(&retain.heap_live), world.heap_left);
}

static void give_back_region(int64_t keep)
{
	world.region_target = keep;
}

static void watch(void)
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
static void begin(void)
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
static void look(int64_t allocated, int64_t retained)
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

/* ---- the bound ------------------------------------------------------------------------------------ */

/* A tenth more than the peak, but 2 MiB at least. */
static void beyond_the_peak(void)
{
	begin();
	look(100 * MIB, 11 * MIB);
	IS(retain_peak(&retain), 100 * MIB);
	/* A sixteenth less than what may be kept. */
	NEAR(world.region_target, 10 * MIB - 10 * MIB / 16);
	begin();
	look(100 * MIB, 10 * MIB - KIB);
	IS(world.region_target, -1);
	begin();
	look(5 * MIB, 3 * MIB);
	IS(world.region_target, RETAIN_FLOOR - RETAIN_FLOOR / 16);
	begin();
	look(5 * MIB, RETAIN_FLOOR);
	IS(world.region_target, -1);
	begin();
	retain.percent = 50;
	look(100 * MIB, 51 * MIB);
	NEAR(world.region_target, 50 * MIB - 50 * MIB / 16);
	begin();
	retain.percent = 0;
	look(100 * MIB, 51 * MIB);
	IS(world.region_target, RETAIN_FLOOR - RETAIN_FLOOR / 16);
}

/* What was in use counts half after each half-life, in a straight line between. */
static void decay(void)
{
	static const struct {
		int64_t passed;
		double left; /* of what was in use and is not */
	} points[] = { { 16, 1 - 0.5 * 0.016 }, { 500, 0.75 },      { 1000, 0.5 }, { 1500, 0.375 },
		       { 2000, 0.25 },          { 5000, 1.0 / 32 }, { 60000, 0 } };

	for (size_t i = 0; i < sizeof(points) / sizeof(*points); i++) {
		begin();
		look(200 * MIB, 0);
		look(40 * MIB, 160 * MIB);
		/* Where the decay began. */
		begin();
		look(200 * MIB, 0);
		world.now += points[i].passed - RETAIN_INTERVAL;
		world.region = (struct retain_region){ 40 * MIB, 160 * MIB, 0 };
		look(40 * MIB, 160 * MIB);
		NEAR(retain_peak(&retain) - 40 * MIB, (int64_t)(160 * MIB * points[i].left));
	}
	/* In many small steps the straight lines take 1 / (2 ln 2) = 1.39 times as long: 0.607 are left for 0.5. */
	begin();
	look(200 * MIB, 0);
	for (int i = 0; i < 1000 / RETAIN_INTERVAL; i++)
		look(40 * MIB, 20 * MIB);
	CHECK(llabs((long long)(retain_peak(&retain) - 137 * MIB)) < 2 * MIB, "peak=%" PRId64, retain_peak(&retain));
}

static void no_memory_of_the_peak(void)
{
	begin();
	retain.half_life = 0;
	look(200 * MIB, 0);
	look(40 * MIB, 160 * MIB);
	IS(retain_peak(&retain), 40 * MIB);
	NEAR(world.region_target, 4 * MIB - 4 * MIB / 16);
}

/* It rises at once. */
static void rise(void)
{
	begin();
	look(10 * MIB, 0);
	look(90 * MIB, 8 * MIB);
	IS(retain_peak(&retain), 90 * MIB);
	IS(world.region_target, -1);
}

/* What was in use until this very call has been in use. */
static void just_freed(void)
{
	int64_t untold = 0;

	begin();
	world.has_region = true;
	world.region = (struct retain_region){ 20 * MIB, 50 * MIB, 0 };
	world.resident = 70 * MIB;
	retain_account(&retain, &untold, -50 * MIB);
	IS(retain_peak(&retain), 70 * MIB);
	IS(world.region_target, -1);
}

/* No more stays than limits leave; to ask is not worth it for little. */
static void limits(void)
{
	begin();
	world.keepable = 0;
	look(400 * MIB, MIB + KIB);
	IS(world.asked_keepable, 1);
	IS(world.told_kept, MIB + KIB);
	IS(world.region_target, 0);
	begin();
	world.keepable = 0;
	look(400 * MIB, MIB);
	IS(world.asked_keepable, 0);
	IS(world.region_target, -1);
	begin();
	look(400 * MIB, 33 * MIB);
	IS(world.asked_keepable, 1);
	IS(world.region_target, -1);
	/* A quarter more goes, if any. */
	begin();
	world.keepable = 32 * MIB;
	look(400 * MIB, 32 * MIB);
	IS(world.region_target, -1);
	look(400 * MIB, 32 * MIB + KIB);
	IS(world.region_target, 24 * MIB - 24 * MIB / 16);
	/* The heap's counts as well, and goes as well. */
	begin();
	world.keepable = 0;
	retain_heap(&retain, 400 * MIB, 30 * MIB);
	look(100 * MIB, 3 * MIB);
	IS(world.told_kept, 33 * MIB);
	IS(world.heap_target, 0);
	IS(world.region_target, 0);
	/* Memory is no longer short: who keeps little is not held to what was said then. */
	world.keepable = INT64_MAX;
	retain_heap(&retain, 400 * MIB, 0);
	look(100 * MIB, MIB);
	look(100 * MIB, MIB);
	IS(world.region_target, -1);
}

/* What is freed at once is looked at when it is more than may be kept, not in a while. */
static void limits_at_once(void)
{
	int64_t untold = 0;

	begin();
	world.keepable = 4 * MIB;
	look(100 * MIB, 2 * MIB);
	IS(world.asked_resident, 1);
	/* An eighth of that is told at once. */
	retain_account(&retain, &untold, -512 * KIB + 1);
	IS(atomic_load(&retain.region_live), 100 * MIB);
	retain_account(&retain, &untold, -1);
	IS(atomic_load(&retain.region_live), 100 * MIB - 512 * KIB);
	retain_account(&retain, &untold, -1536 * KIB);
	IS(world.asked_resident, 1);
	world.region = (struct retain_region){ 97 * MIB, 5 * MIB, 0 };
	retain_account(&retain, &untold, -MIB);
	IS(world.asked_resident, 2);
	IS(world.region_target, 3 * MIB - 3 * MIB / 16);
	/* But never so little that threads tell of nothing else. */
	begin();
	world.keepable = MIB;
	look(100 * MIB, 3 * MIB / 2);
	IS(world.asked_keepable, 1);
	untold = -RETAIN_STEP + 1;
	retain_tell(&retain, &untold);
	IS(untold, -RETAIN_STEP + 1);
	untold = 0;
	/* Before anybody has asked, that is more than needs no asking. */
	begin();
	world.has_region = true;
	world.keepable = 0;
	world.now = 3;
	retain_account(&retain, &untold, 100 * MIB);
	IS(world.asked_resident, 1);
	world.region = (struct retain_region){ 98 * MIB, 2 * MIB, 0 };
	retain_account(&retain, &untold, -MIB);
	IS(world.asked_resident, 1);
	retain_account(&retain, &untold, -MIB);
	IS(world.asked_resident, 2);
	IS(world.region_target, 0);
}

/* A request that finds no free memory: what was in use lately makes room for it. */
static void region_grows(void)
{
	int64_t untold = 0;

	begin();
	look(100 * MIB, 0);
	retain_heap(&retain, 20 * MIB, 80 * MIB);
	world.heap_left = 20 * MIB;
	/* All of it comes from free memory. */
	world.region = (struct retain_region){ 10 * MIB, 60 * MIB, 0 };
	world.resident = 170 * MIB;
	look(10 * MIB, 60 * MIB);
	world.heap_target = -1;
	retain_heap(&retain, 20 * MIB, 10 * MIB);
	world.region = (struct retain_region){ 50 * MIB, 20 * MIB, 0 };
	world.resident = 100 * MIB;
	retain_account(&retain, &untold, 40 * MIB);
	IS(world.heap_target, -1);
	/* None of it does. */
	begin();
	world.resident = 100 * MIB;
	retain_heap(&retain, 100 * MIB, 0);
	retain_heap_shrinks(&retain);
	retain_heap(&retain, 20 * MIB, 80 * MIB);
	world.has_region = true;
	world.region = (struct retain_region){ 60 * MIB, 0, 0 };
	retain_account(&retain, &untold, 60 * MIB);
	NEAR(world.heap_target, 30 * MIB);
}

/* What the program wants to be left of free memory. */
static void trims(void)
{
	begin();
	retain_set_trim(&retain, 5 * MIB);
	look(400 * MIB, 5 * MIB);
	IS(world.region_target, -1);
	look(400 * MIB, 6 * MIB);
	IS(world.region_target, 5 * MIB - 5 * MIB / 4 - (5 * MIB - 5 * MIB / 4) / 16);
	IS(retain_heap_allowance(&retain), 0);
	/* And of the heap nothing. */
	retain_heap(&retain, 400 * MIB, KIB);
	look(400 * MIB, 0);
	IS(world.heap_target, 0);
	begin();
	retain_set_trim(&retain, 0);
	look(400 * MIB, 4 * KIB);
	IS(world.region_target, 0);
	/* No wish any more. */
	retain_set_trim(&retain, -1);
	look(400 * MIB, 4 * MIB);
	IS(world.region_target, -1);
	IS(retain_heap_allowance(&retain) > 0, true);
	retain_set_trim(&retain, INT64_MAX);
	look(400 * MIB, 4 * MIB);
	IS(world.region_target, -1);
	/* What was in use before is forgotten. */
	begin();
	look(200 * MIB, 0);
	world.region = (struct retain_region){ 40 * MIB, 0, 0 };
	world.resident = 40 * MIB;
	retain_trimmed(&retain);
	IS(retain_peak(&retain), 40 * MIB);
	look(40 * MIB, 5 * MIB);
	NEAR(world.region_target, 4 * MIB - 4 * MIB / 16);
}

/* What the heap may keep by limits, which it asks for itself if they are not known. */
static void heap_and_limits(void)
{
	begin();
	world.resident = 100 * MIB;
	world.keepable = 6 * MIB;
	retain_heap(&retain, 100 * MIB, 0);
	retain_heap_shrinks(&retain);
	IS(world.asked_keepable, 0);
	retain_heap(&retain, 20 * MIB, 80 * MIB);
	IS(retain_heap_allowance(&retain), 6 * MIB);
	IS(world.asked_keepable, 1);
	/* Once in a tick of the clock. */
	world.keepable = MIB;
	IS(retain_heap_allowance(&retain), 6 * MIB);
	world.now++;
	IS(retain_heap_allowance(&retain), MIB);
	IS(world.asked_keepable, 2);
}

/* Resident memory that is not counted, or may not be asked for. */
static void what_is_resident(void)
{
	int64_t untold = 0;

	begin();
	world.uncounted = 30 * MIB;
	look(50 * MIB, 0);
	IS(retain_peak(&retain), 80 * MIB);
	begin();
	retain_heap(&retain, 7 * MIB, MIB);
	world.has_region = true;
	world.region = (struct retain_region){ 50 * MIB, 20 * MIB, 0 };
	world.resident = -1;
	retain_account(&retain, &untold, RETAIN_STEP);
	IS(retain_peak(&retain), 57 * MIB);
	/* More may be known to be free than is resident: it has not been touched. */
	begin();
	world.has_region = true;
	world.region = (struct retain_region){ 50 * MIB, 20 * MIB, 0 };
	world.resident = 5 * MIB;
	retain_account(&retain, &untold, RETAIN_STEP);
	IS(retain_peak(&retain), 0);
}

/* ---- when the region is looked at ------------------------------------------------------------------- */

static void account(void)
{
	int64_t untold = 0;

	begin();
	world.has_region = true;
	/* Not for little. */
	retain_account(&retain, &untold, RETAIN_STEP - 1);
	retain_account(&retain, &untold, -2 * (RETAIN_STEP - 1));
	IS(untold, -(RETAIN_STEP - 1));
	IS(world.asked_resident, 0);
	retain_account(&retain, &untold, -1);
	IS(untold, 0);
	IS(world.asked_resident, 1);
	/* Not so soon again, unless it is much: then it is told. */
	retain_account(&retain, &untold, RETAIN_STEP);
	IS(untold, RETAIN_STEP);
	IS(world.asked_resident, 1);
	world.now += RETAIN_INTERVAL - 1;
	retain_account(&retain, &untold, 1);
	IS(world.asked_resident, 1);
	world.now += 1;
	retain_account(&retain, &untold, 1);
	IS(untold, 0);
	IS(world.asked_resident, 2);
	retain_account(&retain, &untold, 2 * MIB - 1);
	IS(untold, 2 * MIB - 1);
	retain_account(&retain, &untold, 1);
	IS(untold, 0);
	IS(atomic_load(&retain.region_live), 2 * MIB);
	retain_account(&retain, &untold, -2 * MIB + 1);
	IS(untold, -2 * MIB + 1);
	retain_account(&retain, &untold, -1);
	IS(atomic_load(&retain.region_live), 0);
	IS(world.asked_resident, 2);
	/* At once if use has grown by a sixteenth and 2 MiB. */
	look(160 * MIB, 0);
	IS(world.asked_resident, 3);
	retain_account(&retain, &untold, 12 * MIB);
	IS(world.asked_resident, 3);
	retain_account(&retain, &untold, 2 * MIB);
	IS(world.asked_resident, 4);
}

/* What has been freed since the region was looked at is free, though nobody has looked. */
static void freed_since(void)
{
	int64_t untold = 0;

	begin();
	look(100 * MIB, 2 * MIB);
	retain_account(&retain, &untold, -60 * MIB);
	world.now += RETAIN_INTERVAL;
	/* No look, a purge. */
	IS(retain_excess(&retain, 0, KIB) > 0, false);
	IS(atomic_load(&retain.live), 40 * MIB);
}

/* One at a time: what a look leads to does not look again. */
static void give_back_that_accounts(int64_t keep)
{
	int64_t untold = 0;

	world.now += 100;
	retain_account(&retain, &untold, -90 * MIB);
	world.region_target = keep;
}

static void nobody_waits(void)
{
	struct retain_hooks nested = hooks;

	begin();
	nested.give_back_region = give_back_that_accounts;
	retain.hooks = &nested;
	look(100 * MIB, 90 * MIB);
	IS(world.asked_resident, 1);
	CHECK(world.region_target >= 0, "%" PRId64, world.region_target);
	/* In a child whose parent's other thread was looking. */
	CHECK(!atomic_flag_test_and_set(&retain.looking), "still looking");
	look(100 * MIB, 90 * MIB);
	IS(world.asked_resident, 1);
	retain_after_fork(&retain);
	look(100 * MIB, 90 * MIB);
	IS(world.asked_resident, 2);
}

/* ---- the heap ----------------------------------------------------------------------------------------- */

/* Heap and region share: each at least half, and what the other leaves. */
static void shares(void)
{
	begin();
	retain_heap(&retain, 50 * MIB, 20 * MIB);
	world.heap_left = 8 * MIB;
	world.has_region = true;
	world.region = (struct retain_region){ 150 * MIB, 15 * MIB, 0 };
	world.resident = 235 * MIB;
	retain_heap_shrinks(&retain);
	/* Use is 200 MiB, so 20 may stay: ten for each, as both have more. */
	NEAR(world.heap_target, 10 * MIB);
	/* The heap has kept 8 of its half, which leaves 12. */
	NEAR(world.region_target, 12 * MIB - 12 * MIB / 16);
	IS(atomic_load(&retain.region_retained), world.region_target);
	/* With little in the region the heap may have the rest. */
	begin();
	retain_heap(&retain, 50 * MIB, 17 * MIB);
	world.has_region = true;
	world.region = (struct retain_region){ 150 * MIB, 3 * MIB, 0 };
	world.resident = 220 * MIB;
	retain_heap_shrinks(&retain);
	IS(world.heap_target, -1);
	IS(world.region_target, -1);
	NEAR(retain_heap_allowance(&retain), 17 * MIB);
	retain_heap(&retain, 50 * MIB, 18 * MIB);
	world.resident = 221 * MIB;
	world.now += RETAIN_INTERVAL;
	retain_heap_shrinks(&retain);
	NEAR(world.heap_target, 17 * MIB);
}

/* Before a region is there the heap's own use says what it may keep. */
static void heap_alone(void)
{
	begin();
	world.resident = 60 * MIB;
	retain_heap(&retain, 50 * MIB, 0);
	retain_heap_shrinks(&retain);
	IS(world.asked_resident, 1);
	IS(world.heap_target, -1);
	retain_heap_shrinks(&retain);
	IS(world.asked_resident, 1);
	NEAR(retain_heap_allowance(&retain), 6 * MIB);
	/* What has just left the heap was in use until now, and halves in a second. */
	retain_heap(&retain, 10 * MIB, 40 * MIB);
	NEAR(retain_heap_allowance(&retain), 40 * MIB + 6 * MIB);
	world.now += 1000;
	NEAR(retain_heap_allowance(&retain), 20 * MIB + 4 * MIB);
	world.now += RETAIN_INTERVAL;
	retain_heap_shrinks(&retain);
	IS(world.asked_resident, 2);
}

/* What the region keeps makes room for a heap that grows, but only of what was in use lately. */
static void heap_grows(void)
{
	begin();
	look(100 * MIB, 0);
	look(20 * MIB, 80 * MIB);
	IS(world.region_target, -1);
	retain_heap(&retain, 30 * MIB, 0);
	world.region_target = -1;
	world.now += RETAIN_INTERVAL;
	world.resident = 100 * MIB;
	retain_heap_grew(&retain, 30 * MIB);
	/* 80 were in use lately and 10 may stay anyway; 30 of them are about to be used by the heap. */
	CHECK(world.region_target > 53 * MIB && world.region_target < 57 * MIB, "%" PRId64, world.region_target);
	/* However much it grows, a tenth may stay. */
	begin();
	look(100 * MIB, 0);
	look(20 * MIB, 80 * MIB);
	world.now += RETAIN_INTERVAL;
	retain_heap_grew(&retain, 500 * MIB);
	CHECK(world.region_target > 9 * MIB && world.region_target < 10 * MIB, "%" PRId64, world.region_target);
}

static void heap_grows_when(void)
{
	begin();
	/* Nothing to make room of. */
	look(100 * MIB, 0);
	world.now += RETAIN_INTERVAL;
	retain_heap_grew(&retain, 30 * MIB);
	IS(world.asked_resident, 1);
	look(100 * MIB, 5 * MIB);
	IS(world.asked_resident, 2);
	/* Too soon, and too little. */
	retain_heap(&retain, 2 * MIB, 0);
	retain_heap_grew(&retain, 2 * MIB);
	IS(world.asked_resident, 2);
	retain_heap(&retain, 2 * MIB + KIB, 0);
	retain_heap_grew(&retain, KIB);
	IS(world.asked_resident, 3);
	/* Counted from there. */
	retain_heap(&retain, 4 * MIB, 0);
	retain_heap_grew(&retain, KIB);
	IS(world.asked_resident, 3);
	world.now += RETAIN_INTERVAL;
	retain_heap_grew(&retain, KIB);
	IS(world.asked_resident, 4);
}

/* ---- purges ------------------------------------------------------------------------------------------- */

static void purges(void)
{
	begin();
	world.resident = 100 * MIB;
	/* The first asks; 100 MiB are in use, so 10 more may be. */
	IS(retain_excess(&retain, 0, MIB), -10 * MIB);
	IS(world.asked_resident, 1);
	/* Three more MiB are taken to change nothing. */
	world.resident = 115 * MIB;
	IS(retain_excess(&retain, 0, MIB), -10 * MIB);
	IS(retain_excess(&retain, 15 * MIB, MIB), -10 * MIB);
	IS(retain_excess(&retain, 15 * MIB, MIB), -10 * MIB);
	IS(world.asked_resident, 1);
	IS(retain_excess(&retain, 15 * MIB, MIB), 5 * MIB);
	IS(world.asked_resident, 2);
	/* What purges leave is not in use, so the peak is as it was. */
	IS(retain_peak(&retain), 100 * MIB);
	world.now += RETAIN_INTERVAL - 1;
	retain_excess(&retain, 15 * MIB, KIB);
	IS(world.asked_resident, 2);
	world.now += 1;
	retain_excess(&retain, 15 * MIB, KIB);
	IS(world.asked_resident, 3);
	/* It lets the peak decay. */
	world.now += 1000;
	world.resident = 55 * MIB;
	retain_excess(&retain, 15 * MIB, KIB);
	CHECK(llabs((long long)(retain_peak(&retain) - 70 * MIB)) < MIB, "peak=%" PRId64, retain_peak(&retain));
	/* And what is idle counts as kept. */
	begin();
	look(100 * MIB, 0);
	retain_excess(&retain, 8 * MIB, KIB);
	world.region = (struct retain_region){ 108 * MIB, 3 * MIB, 0 };
	world.resident = 111 * MIB;
	world.now += RETAIN_INTERVAL;
	retain_heap_shrinks(&retain);
	NEAR(world.region_target, 2 * MIB - 2 * MIB / 16);
}

/* Purges leave no more than limits do. */
static void purges_and_limits(void)
{
	begin();
	world.resident = 100 * MIB;
	world.keepable = 5 * MIB;
	/* Nobody has asked, as there is nothing. */
	IS(retain_excess(&retain, 0, MIB), -10 * MIB);
	world.now += RETAIN_INTERVAL;
	IS(retain_excess(&retain, 2 * MIB, MIB), 2 * MIB + MIB - 5 * MIB);
	IS(world.told_kept, 2 * MIB);
	IS(retain_excess(&retain, 5 * MIB, MIB), MIB);
}

/* ---- ticks -------------------------------------------------------------------------------------------- */

/* A tick, with so much in use and so much kept; what the region was told to keep, -1 for nothing. */
static int64_t tick(int64_t allocated, int64_t retained)
{
	world.has_region = true;
	world.region = (struct retain_region){ allocated, retained, 0 };
	world.resident = allocated + retained;
	world.heap_target = world.region_target = -1;
	world.now += RETAIN_TICK;
	retain_tick(&retain);
	return world.region_target;
}

/* What is kept through all of the last ticks goes, and no more. */
static void unused_goes(void)
{
	begin();
	look(100 * MIB, 5 * MIB);
	retain_begin_ticks(&retain);
	for (int i = 1; i < RETAIN_PARTS; i++)
		IS(tick(100 * MIB, 5 * MIB), -1);
	IS(tick(100 * MIB, 5 * MIB), 0);
	/* Three of eight MiB have been in use in between. */
	begin();
	look(100 * MIB, 8 * MIB);
	retain_begin_ticks(&retain);
	for (int i = 1; i < RETAIN_PARTS; i++)
		IS(tick(i == 3 ? 103 * MIB : 100 * MIB, i == 3 ? 5 * MIB : 8 * MIB), -1);
	IS(tick(100 * MIB, 8 * MIB), 3 * MIB - 3 * MIB / 16);
	/* Also between two ticks, as far as it is told. */
	begin();
	look(100 * MIB, 8 * MIB);
	retain_begin_ticks(&retain);
	for (int i = 1; i <= RETAIN_PARTS; i++) {
		int64_t untold = 0;

		IS(tick(100 * MIB, 8 * MIB), -1);
		retain_account(&retain, &untold, 8 * MIB);
		retain_account(&retain, &untold, -8 * MIB);
	}
}

/* A tick that comes a little early counts, and one that comes much too early does not. */
static void early_ticks(void)
{
	for (int64_t early = RETAIN_TICK / 4 - 2; early <= RETAIN_TICK / 4 + 8; early += 10) {
		begin();
		look(100 * MIB, 5 * MIB);
		retain_begin_ticks(&retain);
		for (int i = 1; i < RETAIN_PARTS; i++) {
			world.now -= early;
			IS(tick(100 * MIB, 5 * MIB), -1);
		}
		world.now -= early;
		IS(tick(100 * MIB, 5 * MIB), early < RETAIN_TICK / 4 ? 0 : -1);
	}
}

/* By the half-life: of an hour, nothing goes soon; of nothing, in as many ticks as there are parts. */
static void unused_by_half_life(void)
{
	begin();
	retain.half_life = 3600000;
	look(100 * MIB, 5 * MIB);
	retain_begin_ticks(&retain);
	for (int i = 0; i < 100; i++)
		IS(tick(100 * MIB, 5 * MIB), -1);
	world.now += 2 * 3600000;
	for (int i = 0; i < RETAIN_PARTS; i++)
		IS(tick(100 * MIB, 5 * MIB), -1);
	begin();
	retain.half_life = 0;
	look(100 * MIB, 2 * MIB);
	retain_begin_ticks(&retain);
	for (int i = 1; i < RETAIN_PARTS; i++)
		IS(tick(100 * MIB, 2 * MIB), -1);
	IS(tick(100 * MIB, 2 * MIB), 0);
}

/* The heap's is kept and unused, too, and a program without a region has only that. */
static void unused_heap_goes(void)
{
	begin();
	retain_heap(&retain, 50 * MIB, 4 * MIB);
	retain_begin_ticks(&retain);
	for (int i = 1; i < RETAIN_PARTS; i++) {
		world.now += RETAIN_TICK;
		IS(retain_tick(&retain), 4 * MIB);
		IS(world.heap_target, -1);
	}
	world.now += RETAIN_TICK;
	IS(retain_tick(&retain), 0);
	IS(world.heap_target, 0);
}

/* Use that ended long ago decays, though the program makes no call. */
static void silence_decays(void)
{
	begin();
	look(100 * MIB, 0);
	look(0, 100 * MIB);
	IS(world.region_target, -1);
	retain_begin_ticks(&retain);
	for (int i = 0; i < 3; i++)
		tick(0, 100 * MIB);
	CHECK(world.region_target > 50 * MIB && world.region_target < 90 * MIB, "%" PRId64, world.region_target);
}

/* At once, and no more than is asked for. */
static void reclaims(void)
{
	begin();
	look(100 * MIB, 9 * MIB);
	IS(world.region_target, -1);
	IS(retain_reclaim(&retain, 9 * MIB), true);
	IS(world.region_target, -1);
	IS(retain_reclaim(&retain, 4 * MIB), true);
	IS(world.region_target, 4 * MIB - 4 * MIB / 16);
	retain_heap(&retain, 50 * MIB, 3 * MIB);
	IS(retain_reclaim(&retain, 0), true);
	IS(world.region_target, 0);
	IS(world.heap_target, 0);
	CHECK(!atomic_flag_test_and_set(&retain.looking), "looking");
	IS(retain_reclaim(&retain, 0), false);
}

/* Somebody is to look from a mebibyte on. */
static void is_watched(void)
{
	int64_t untold = 0;

	begin();
	look(100 * MIB, 0);
	IS(world.watched, 0);
	retain_heap(&retain, 50 * MIB, RETAIN_UNASKED - 1);
	IS(world.watched, 0);
	retain_heap(&retain, 50 * MIB, RETAIN_UNASKED);
	IS(world.watched, 1);
	retain_heap(&retain, 50 * MIB, 0);
	world.region = (struct retain_region){ 97 * MIB, 3 * MIB, 0 };
	retain_account(&retain, &untold, -3 * MIB);
	IS(world.watched, 2);
	IS(retain_kept(&retain) >= RETAIN_UNASKED, true);
	/* Not by who holds everybody else off. */
	CHECK(!atomic_flag_test_and_set(&retain.looking), "looking");
	world.asked_resident = 0;
	world.now += RETAIN_TICK;
	retain_tick(&retain);
	IS(world.asked_resident, 0);
}

int main(void)
{
	beyond_the_peak();
	decay();
	no_memory_of_the_peak();
	rise();
	just_freed();
	limits();
	limits_at_once();
	region_grows();
	trims();
	heap_and_limits();
	what_is_resident();
	account();
	freed_since();
	nobody_waits();
	shares();
	heap_alone();
	heap_grows();
	heap_grows_when();
	purges();
	purges_and_limits();
	unused_goes();
	early_ticks();
	unused_by_half_life();
	unused_heap_goes();
	silence_decays();
	reclaims();
	is_watched();
	return 0;
}
