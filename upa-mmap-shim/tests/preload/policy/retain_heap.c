/* SPDX-License-Identifier: Apache-2.0 */
/* retain_heap.c - how heap, region and purges share what may stay (policy/retain.h). */
#include "retain_world.h"

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
	/* What is purged at once counts as kept, though nothing has been so far. */
	IS(retain_excess(&retain, 0, 20 * MIB), 20 * MIB - 5 * MIB);
	IS(world.told_kept, 20 * MIB);
	world.now += RETAIN_INTERVAL;
	IS(retain_excess(&retain, 2 * MIB, MIB), 2 * MIB + MIB - 5 * MIB);
	IS(world.told_kept, 3 * MIB);
	IS(retain_excess(&retain, 5 * MIB, MIB), MIB);
}

int main(void)
{
	shares();
	heap_alone();
	heap_grows();
	heap_grows_when();
	purges();
	purges_and_limits();
	return 0;
}
