/* SPDX-License-Identifier: Apache-2.0 */
/* ahead.c - what is populated before it is touched (policy/ahead.h), on a kernel of the test's own. */
#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "policy/ahead.h"

#define FIRST 0x10000ul

/* The program uses pages from..to-1 of the last block of a class; the policy has populated the first few. */
struct use {
	uint32_t from, to, populated;
};

static struct {
	struct use of[AHEAD_CLASSES];
	struct use *last;
	int known; /* so many questions are answered */
	uint64_t spare;
	int asked, asked_spare;
	uint64_t asked_at[2];
	uint32_t asked_pages;
} world;

static struct ahead ahead;

static int resident(uint64_t page, uint32_t pages)
{
	const struct use *use = &world.of[page / FIRST - 1];
	uint32_t first = (uint32_t)(page % FIRST);
	int n = 0;

	CHECK(pages <= AHEAD_WINDOW && pages, "pages=%u", pages);
	CHECK(world.asked < 2, "asked=%d", world.asked);
	world.asked_at[world.asked++] = page % FIRST;
	world.asked_pages = pages;
	for (uint32_t i = first; i < first + pages; i++)
		n += (i >= use->from && i < use->to) || i < use->populated;
	return world.asked <= world.known ? n : -1;
}

static uint64_t spare(void)
{
	world.asked_spare++;
	return world.spare;
}

static const struct ahead_hooks hooks = { resident, spare };

static void begin(void)
{
	memset(&ahead, 0, sizeof(ahead));
	memset(&world, 0, sizeof(world));
	world.known = 2;
	world.spare = UINT64_MAX;
}

/* Of so many pages and up to twice as many. */
static int class_of(uint32_t pages)
{
	int c = 0;

	while (c < AHEAD_CLASSES - 1 && pages >= AHEAD_LEAST_PAGES << (c + 1))
		c++;
	return c;
}

/* The block before is judged by what was used of it; then this one is handed out, and used. */
static uint32_t block(uint32_t pages, uint32_t from, uint32_t to)
{
	int c = class_of(pages);
	uint32_t n;

	world.asked = world.asked_spare = 0;
	n = ahead_of(&ahead, &hooks, (uint64_t)(c + 1) * FIRST, pages);
	world.last = &world.of[c];
	*world.last = (struct use){ from, to, n };
	return n;
}

static uint64_t credit(uint32_t pages)
{
	return ahead.classes[class_of(pages)].credit;
}

static uint32_t used(uint32_t pages)
{
	return block(pages, 0, pages);
}

static void blocks(int n, uint32_t pages)
{
	for (int i = 0; i < n; i++)
		used(pages);
}

/* A twentieth of what was used, at least what is worth it, up to an eighth before the end. */
static void by_credit(void)
{
	begin();
	CHECK(!used(64), "nothing is known");
	CHECK(!world.asked, "nobody to be judged");
	CHECK(!used(64) && !used(64), "128 pages: 6");
	CHECK(used(64) == 9, "192 pages: 9, were %u", world.last->populated);
	CHECK(used(64) == 12, "256 pages: 12, were %u", world.last->populated);
	blocks(12, 64);
	CHECK(used(64) == 54, "17 of 64 pages: 54, were %u", world.last->populated);
	CHECK(used(64) == 56 && used(64) == 56, "all but an eighth, were %u", world.last->populated);
	/* Sizes of one class share it. */
	CHECK(used(100) == 64 && used(127) == 69, "were %u", world.last->populated);
	CHECK(!used(128) && !used(63), "other classes have none");
}

/* What was not used costs the credit of its class, and no other's. */
static void by_what_is_not_used(void)
{
	begin();
	blocks(30, 64);
	blocks(30, 256);
	CHECK(used(64) == 56 && used(256) == 224, "were %u", world.last->populated);
	block(64, 0, 1);
	CHECK(!used(64), "the credit is gone, were %u", world.last->populated);
	CHECK(used(256) == 224, "the other's is not, were %u", world.last->populated);
	CHECK(!used(64) && !used(64), "it is to be earned again");
	CHECK(used(64) == 9, "by as much as before, were %u", world.last->populated);
	/* An unused block of a class without credit changes nothing. */
	begin();
	block(64, 0, 0);
	CHECK(!block(64, 0, 0) && !block(64, 0, 0), "never used");
	CHECK(!credit(64), "credit=%" PRIu64, credit(64));
}

/* Where it is looked: at the first pages that are never populated, and in the middle if that is not either. */
static void looks(void)
{
	/* Pages of a block; which are looked at near its end, and how many. */
	static const uint32_t sizes[][3] = { { 16, 14, 1 }, { 31, 28, 1 },    { 33, 29, 2 },
					     { 64, 56, 4 }, { 256, 224, 16 }, { 8192, 7168, 16 } };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		begin();
		used(sizes[i][0]);
		used(sizes[i][0]);
		CHECK(world.asked == 2 && world.asked_pages == sizes[i][2], "pages=%u", sizes[i][0]);
		CHECK(world.asked_at[0] == sizes[i][1], "pages=%u", sizes[i][0]);
		CHECK(world.asked_at[1] == sizes[i][0] / 2, "pages=%u", sizes[i][0]);
	}
	/* One page of sixteen may be missing, of fewer none. */
	for (uint32_t missing = 0; missing < 3; missing++) {
		begin();
		block(256, 0, 240 - missing);
		used(256);
		CHECK(credit(256) == (missing < 2 ? 256 : 0), "missing=%u", missing);
	}
	begin();
	block(64, 0, 59);
	used(64);
	CHECK(!credit(64), "a page is missing of four");
	/* In use from its end on, as a stack is; and in use at both ends. */
	begin();
	for (int i = 0; i < 100; i++)
		CHECK(!block(64, 40, 64), "i=%d", i);
	/* The middle is populated: it says nothing, but neither does it deceive. */
	begin();
	blocks(30, 64);
	used(64);
	CHECK(world.asked == 1, "asked=%d", world.asked);
	block(64, 60, 64);
	CHECK(!used(64), "populated and not used, were %u", world.last->populated);
	/* A part of it is: the rest is looked at. */
	begin();
	blocks(9, 64);
	CHECK(used(64) == 28, "were %u", world.last->populated);
	block(64, 50, 64);
	used(64);
	CHECK(world.asked == 2 && !credit(64), "its middle is not used");
}

static void bounds(void)
{
	begin();
	blocks(100, 64);
	world.spare = 20;
	CHECK(used(64) == 20 && world.asked_spare == 1, "no more than is to spare, were %u", world.last->populated);
	world.spare = AHEAD_WORTH;
	CHECK(used(64) == AHEAD_WORTH, "just worth it");
	world.spare = AHEAD_WORTH - 1;
	CHECK(!used(64), "not worth it");
	world.spare = 0;
	CHECK(!used(64), "none");
	world.spare = UINT64_MAX;
	CHECK(used(64) == 56, "it was used all the same, were %u", world.last->populated);
	begin();
	used(64);
	CHECK(!used(64) && !world.asked_spare, "not asked for nothing");
	blocks(2000, 8192);
	CHECK(used(8192) == AHEAD_AT_ONCE, "not more at once, were %u", world.last->populated);
	begin();
	blocks(5, 32);
	CHECK(used(32) == AHEAD_WORTH, "of 160 pages a twentieth, were %u", world.last->populated);
	begin();
	blocks(5, 32);
	world.spare = 0;
	CHECK(!used(32), "of which nothing is to spare, were %u", world.last->populated);
	/* Sizes that are not looked at at all. */
	begin();
	for (uint32_t i = 0; i < 1000; i++)
		CHECK(!used(15) && !used(8193) && !used(1) && !used(0) && !world.asked, "i=%u", i);
	CHECK(!ahead_of(&ahead, &hooks, FIRST, UINT64_MAX), "too many");
	blocks(10000, 16);
	CHECK(used(16) == 14, "the smallest, were %u", world.last->populated);
}

/* What is not known changes nothing; what could not be populated is not judged. */
static void unknown(void)
{
	uint64_t was;

	begin();
	blocks(30, 64);
	was = credit(64);
	world.known = 0;
	CHECK(used(64) == 56 && credit(64) == was, "were %u", world.last->populated);
	world.known = 2;
	world.last->to = world.last->populated = 0;
	ahead_refused(&ahead, 64);
	CHECK(used(64) == 56 && !world.asked, "were %u", world.last->populated);
	used(64);
	CHECK(world.asked == 1 && credit(64) == was + 64, "it goes on");
	/* Of the end it is, of the middle not. */
	begin();
	used(64);
	world.known = 1;
	used(64);
	CHECK(world.asked == 2 && !credit(64), "credit=%" PRIu64, credit(64));
	ahead_refused(&ahead, 1);
	ahead_refused(&ahead, 8193);
}

/* Whatever a program does: what is populated for nothing is at most a twentieth of what it used. */
static void wastes_little(void)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		uint64_t state = seed, used_pages = 0, wasted = 0, odds = 1 + random_below(&state, 100);

		begin();
		for (int i = 0; i < 500; i++) {
			uint32_t pages = 64 + (uint32_t)random_below(&state, 64);
			uint32_t touched =
				random_below(&state, odds) ? pages : (uint32_t)random_below(&state, pages / 2);
			uint32_t n = block(pages, 0, touched);

			used_pages += touched;
			wasted += n > touched ? n - touched : 0;
			CHECK(wasted * AHEAD_SHARE <= used_pages, "seed=%" PRIu64 " wasted=%" PRIu64 " used=%" PRIu64,
			      seed, wasted, used_pages);
		}
	}
}

int main(void)
{
	by_credit();
	by_what_is_not_used();
	looks();
	bounds();
	unknown();
	wastes_little();
	return 0;
}
