/* SPDX-License-Identifier: Apache-2.0 */
/* retain_ticks.c - what goes while the program is silent (policy/retain.h). */
#include "retain_world.h"

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
	/* Once that is long ago, it no longer counts. */
	begin();
	look(100 * MIB, 8 * MIB);
	retain_begin_ticks(&retain);
	IS(tick(108 * MIB, 0), -1);
	for (int i = 0; i < RETAIN_PARTS; i++)
		IS(tick(100 * MIB, 8 * MIB), -1);
	IS(tick(100 * MIB, 8 * MIB), 0);
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
	IS(retain.ticking, false);
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
	unused_goes();
	early_ticks();
	unused_by_half_life();
	unused_heap_goes();
	silence_decays();
	reclaims();
	is_watched();
	return 0;
}
