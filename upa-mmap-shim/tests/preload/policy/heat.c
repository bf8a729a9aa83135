/* SPDX-License-Identifier: Apache-2.0 */
/* heat.c - which memory is purged again and again (policy/heat.h). */
#include <string.h>

#include "check.h"
#include "policy/heat.h"
#include "units.h"

#define UNIT HEAT_UNIT_BYTES

static struct heat heat;

static void begin(void)
{
	memset(&heat, 0, sizeof(heat));
}

static uint32_t warmth(uint32_t number)
{
	return atomic_load(&heat_unit(&heat, number)->heat);
}

/* A unit, its neighbour that shares its entry, and time. */
static void again(void)
{
	begin();
	CHECK(!heat_up(&heat, 7, 5000, 0), "the first time");
	CHECK(heat_up(&heat, 7, 5000, 0), "again");
	CHECK(heat_up(&heat, 7, 6000, 0), "within a second");
	CHECK(!heat_up(&heat, 7, 7001, 0), "not within a second");
	CHECK(heat_up(&heat, 7, 7001, 0), "and again");
	CHECK(!heat_up(&heat, 7 + HEAT_UNITS, 7001, 0), "another");
	CHECK(!heat_up(&heat, 7, 7001, 0), "driven out");
	/* The clock may wrap around. */
	begin();
	heat_up(&heat, 7, UINT32_MAX - 10, 0);
	CHECK(heat_up(&heat, 7, 10, 0), "over the end of the clock");
}

/* Each purge counts half once HEAT_HALF_LIFE times the peak has been purged. */
static void cools(void)
{
	const int64_t peak = 10 * (int64_t)MIB;
	uint32_t was;

	begin();
	heat_up(&heat, 7, 0, peak);
	heat_up(&heat, 7, 0, peak);
	CHECK(warmth(7) == 2 * HEAT_ONE, "%u", warmth(7));
	heat_pass(&heat, (HEAT_HALF_LIFE * 10 + 1) * MIB);
	heat_up(&heat, 7, 0, peak);
	CHECK(warmth(7) == 2 * HEAT_ONE, "%u", warmth(7));
	/* Halfway to the next halving, a quarter is gone. */
	heat_pass(&heat, (HEAT_HALF_LIFE * 10 + 1) * MIB / 2);
	heat_up(&heat, 7, 0, peak);
	was = 2 * HEAT_ONE * 3 / 4 + HEAT_ONE;
	CHECK(warmth(7) > was - HEAT_ONE / 32 && warmth(7) < was + HEAT_ONE / 32, "%u", warmth(7));
	/* At last it is cold, and not one that has been purged before. */
	heat_pass(&heat, 60 * (HEAT_HALF_LIFE * 10 + 1) * MIB);
	CHECK(!heat_up(&heat, 7, 0, peak), "cold");
	CHECK(warmth(7) == HEAT_ONE, "%u", warmth(7));
	/* With a larger peak it lasts longer. */
	heat_pass(&heat, (HEAT_HALF_LIFE * 10 + 1) * MIB);
	heat_up(&heat, 7, 0, 1000 * peak);
	CHECK(warmth(7) > HEAT_ONE * 2 - HEAT_ONE / 100, "%u", warmth(7));
}

static void never_overflows(void)
{
	begin();
	for (int i = 0; i < 100000; i++)
		heat_up(&heat, 7, 0, (int64_t)MIB);
	CHECK(warmth(7) > UINT32_MAX / 2 - 1 && warmth(7) < UINT32_MAX / 2 + 2 * HEAT_ONE, "%u", warmth(7));
}

/* ---- what is idle ----------------------------------------------------------------------------------- */

static void idle_is(int64_t pages)
{
	CHECK(heat_idle_bytes(&heat) == pages * (int64_t)HEAT_PAGE_BYTES, "idle=%" PRId64 " expected=%" PRId64,
	      heat_idle_bytes(&heat), pages * (int64_t)HEAT_PAGE_BYTES);
}

static void marks(void)
{
	uintptr_t a = 100 * UNIT;

	begin();
	/* Of what is not known nothing is kept. */
	heat_mark(&heat, a, a + 3 * UNIT, true);
	idle_is(0);
	heat_up(&heat, 100, 0, 0);
	heat_up(&heat, 102, 0, 0);
	heat_mark(&heat, a, a + 3 * UNIT, true);
	idle_is(2 * HEAT_PAGES);
	heat_mark(&heat, a, a + 3 * UNIT, true);
	idle_is(2 * HEAT_PAGES);
	/* Whole pages only. */
	heat_mark(&heat, a + 1, a + 3 * HEAT_PAGE_BYTES - 1, false);
	idle_is(2 * HEAT_PAGES - 1);
	heat_mark(&heat, a + HEAT_PAGE_BYTES, a + 2 * HEAT_PAGE_BYTES, false);
	idle_is(2 * HEAT_PAGES - 1);
	heat_mark(&heat, a, a + HEAT_PAGE_BYTES, false);
	idle_is(2 * HEAT_PAGES - 2);
	heat_mark(&heat, a + UNIT - HEAT_PAGE_BYTES, a + 2 * UNIT + HEAT_PAGE_BYTES, false);
	idle_is(2 * HEAT_PAGES - 4);
	/* Driven out by another unit, it is forgotten. */
	heat_up(&heat, 102 + HEAT_UNITS, 0, 0);
	idle_is(HEAT_PAGES - 3);
	/* From any page to any other. */
	begin();
	heat_up(&heat, 100, 0, 0);
	for (uintptr_t from = 0; from < HEAT_PAGES; from += 31)
		for (uintptr_t to = from + 1; to <= HEAT_PAGES; to += 33) {
			heat_mark(&heat, a + from * HEAT_PAGE_BYTES, a + to * HEAT_PAGE_BYTES, true);
			idle_is((int64_t)(to - from));
			heat_mark(&heat, a, a + UNIT, true);
			heat_mark(&heat, a + from * HEAT_PAGE_BYTES, a + to * HEAT_PAGE_BYTES, false);
			idle_is(HEAT_PAGES - (int64_t)(to - from));
			heat_mark(&heat, a, a + UNIT, false);
		}
}

static void forgets(void)
{
	uintptr_t a = 100 * UNIT;

	begin();
	heat_up(&heat, 100, 0, 0);
	heat_up(&heat, 101, 0, 0);
	heat_mark(&heat, a, a + 2 * UNIT, true);
	heat_forget(&heat, a, a);
	heat_forget(&heat, a + UNIT, a);
	idle_is(2 * HEAT_PAGES);
	heat_forget(&heat, a + HEAT_PAGE_BYTES, a + 2 * HEAT_PAGE_BYTES);
	idle_is(2 * HEAT_PAGES - 1);
	heat_forget(&heat, a, a + UNIT);
	idle_is(HEAT_PAGES);
	/* As long as all that can be told apart, and longer. */
	heat_forget(&heat, a + UNIT + HEAT_PAGE_BYTES, a + UNIT + (uintptr_t)HEAT_UNITS * UNIT);
	idle_is(1);
	heat_mark(&heat, a, a + 2 * UNIT, true);
	heat_forget(&heat, 0, a + UNIT);
	idle_is(HEAT_PAGES);
	heat_forget(&heat, a + UNIT + 3 * HEAT_PAGE_BYTES, UINTPTR_MAX);
	idle_is(3);
	heat_mark(&heat, a, a + 2 * UNIT, true);
	heat_forget(&heat, a + 2 * UNIT, UINTPTR_MAX);
	idle_is(2 * HEAT_PAGES);
	heat_forget(&heat, 0, UINTPTR_MAX);
	idle_is(0);
}

/* ---- looks -------------------------------------------------------------------------------------------- */

#define QUARTER (UNIT / 4)
#define ASKED (16 * HEAT_PAGE_BYTES)

/* What is in use, and what was asked for. */
static uintptr_t used_from, used_to, asked[128];
static size_t asked_count;

static bool in_use(uintptr_t page)
{
	asked[asked_count++] = page;
	return page >= used_from && page < used_to;
}

static void look(uint32_t now, uintptr_t from, uintptr_t to)
{
	used_from = from;
	used_to = to;
	asked_count = 0;
	heat_look(&heat, now, 0, 0, in_use);
}

static void looks(void)
{
	uintptr_t a = 100 * UNIT, second = a + QUARTER;

	begin();
	CHECK(heat_look_due(&heat, HEAT_LOOK_INTERVAL), "never looked");
	heat_up(&heat, 100, 0, 0);
	heat_mark(&heat, a, a + UNIT, true);
	heat_mark(&heat, second, second + 19 * HEAT_PAGE_BYTES, false);
	heat_mark(&heat, a + 2 * QUARTER, a + 3 * QUARTER, false);
	idle_is(HEAT_PAGES - 19 - 128);
	look(1000, a, a);
	/* The first idle page of each quarter that has one. */
	CHECK(asked_count == 3 && asked[0] == a && asked[1] == second + 19 * HEAT_PAGE_BYTES &&
		      asked[2] == a + 3 * QUARTER,
	      "asked=%zu", asked_count);
	idle_is(HEAT_PAGES - 19 - 128);
	/* Where that is in use it counts for 16 pages, and the next of them is asked. */
	look(1000, second, second + 33 * HEAT_PAGE_BYTES);
	CHECK(asked_count == 5 && asked[1] == second + 19 * HEAT_PAGE_BYTES && asked[2] == second + 2 * ASKED &&
		      asked[3] == second + 3 * ASKED,
	      "asked=%zu", asked_count);
	idle_is(HEAT_PAGES - 48 - 128);
	/* To the end of the quarter. */
	look(1000, second, second + QUARTER);
	CHECK(asked_count == 7 && asked[5] == second + 7 * ASKED, "asked=%zu", asked_count);
	idle_is(2 * 128);
	CHECK(!heat_look_due(&heat, 1000 + HEAT_LOOK_INTERVAL - 1), "just looked");
	CHECK(heat_look_due(&heat, 1000 + HEAT_LOOK_INTERVAL), "looked a while ago");
	/* A look that has asked for much is followed by a longer pause. */
	for (uint32_t number = 101; number < 101 + 2 * HEAT_ASKED_PER_MS; number++) {
		heat_up(&heat, number, 0, 0);
		heat_mark(&heat, number * UNIT, (number + 1) * UNIT, true);
	}
	look(2000, a, a);
	CHECK(asked_count == 8 * HEAT_ASKED_PER_MS + 2, "asked=%zu", asked_count);
	CHECK(!heat_look_due(&heat, 2000 + HEAT_LOOK_INTERVAL + 7), "just looked");
	CHECK(heat_look_due(&heat, 2000 + HEAT_LOOK_INTERVAL + 8), "looked a while ago");
	heat_forget(&heat, 0, 200 * UNIT);
	look(3000, 0, UINTPTR_MAX);
	CHECK(!asked_count, "asked=%zu", asked_count);
	CHECK(heat_look_due(&heat, 3000 + HEAT_LOOK_INTERVAL), "there was nothing to ask for");
}

/* Only so many units are hot, which are the hottest. */
static void the_hottest(void)
{
	begin();
	for (uint32_t number = 1; number <= 40; number++)
		for (uint32_t i = 0; i < number; i++)
			heat_up(&heat, number, 0, (int64_t)MIB);
	asked_count = 0;
	heat_look(&heat, 16, (int64_t)MIB, (int64_t)(100 * UNIT), in_use);
	CHECK(!atomic_load(&heat.least), "room for all");
	heat_look(&heat, 16, (int64_t)MIB, (int64_t)(40 * UNIT), in_use);
	CHECK(!atomic_load(&heat.least), "room for all, and no more");
	heat_look(&heat, 32, (int64_t)MIB, (int64_t)(10 * UNIT), in_use);
	CHECK(atomic_load(&heat.least) > 30 * HEAT_ONE && atomic_load(&heat.least) <= 31 * HEAT_ONE, "least=%u",
	      atomic_load(&heat.least));
	CHECK(!heat_up(&heat, 29, 32, (int64_t)MIB), "30 purges are too few");
	CHECK(heat_up(&heat, 30, 32, (int64_t)MIB), "31 purges will do");
	/* If there is room for none, only what becomes the hottest by this very purge. */
	heat_look(&heat, 48, (int64_t)MIB, 0, in_use);
	CHECK(!heat_up(&heat, 38, 48, (int64_t)MIB), "room for none");
	CHECK(heat_up(&heat, 40, 48, (int64_t)MIB), "the hottest");
	/* The least heat that is enough, is. */
	begin();
	atomic_store(&heat.least, 2 * HEAT_ONE);
	heat_up(&heat, 7, 0, (int64_t)MIB);
	CHECK(heat_up(&heat, 7, 0, (int64_t)MIB), "as hot as needed");
}

int main(void)
{
	again();
	cools();
	never_overflows();
	marks();
	forgets();
	looks();
	the_hottest();
	return 0;
}
