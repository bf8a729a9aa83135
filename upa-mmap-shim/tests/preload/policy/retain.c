/* SPDX-License-Identifier: Apache-2.0 */
/* retain.c - how much free memory stays populated, and when the region is looked at (policy/retain.h). */
#include "retain_world.h"

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

/* What has been freed and has no memory is not kept, until the region is looked at, and then as it says. */
static void absent(void)
{
	int64_t untold = 0;

	begin();
	look(200 * MIB, 3 * MIB);
	retain_absent(&retain, 99 * MIB);
	retain_account(&retain, &untold, -100 * MIB);
	IS(untold, 0);
	IS(retain_kept(&retain), 4 * MIB);
	look(100 * MIB, 5 * MIB);
	IS(retain_kept(&retain), 5 * MIB);
	retain_absent(&retain, 50 * MIB);
	IS(retain_kept(&retain), 0);
}

/* A twentieth of what is in use, or was lately, if limits leave it. */
static void spare(void)
{
	begin();
	IS(retain_spare(&retain), 0);
	look(100 * MIB, 0);
	IS(retain_spare(&retain), 5 * MIB);
	/* The heap grows; the region shrinks. */
	retain_heap(&retain, 20 * MIB, 0);
	IS(retain_spare(&retain), 6 * MIB);
	retain_heap(&retain, 0, 0);
	world.now++;
	look(40 * MIB, 0);
	CHECK(retain_spare(&retain) > 2 * MIB && retain_spare(&retain) <= 5 * MIB, "%" PRId64, retain_spare(&retain));
	/* A limit that leaves less, and memory that is short. */
	begin();
	world.keepable = 3 * MIB;
	look(100 * MIB, 2 * MIB);
	IS(retain_spare(&retain), 3 * MIB);
	world.keepable = 0;
	look(100 * MIB, 2 * MIB);
	IS(retain_spare(&retain), 0);
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
	absent();
	spare();
	nobody_waits();
	return 0;
}
