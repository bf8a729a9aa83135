/* SPDX-License-Identifier: Apache-2.0 */
/* purge.c - what of a purge is done without the kernel (policy/purge.h). */
#include <string.h>

#include "check.h"
#include "policy/purge.h"

#define MIB (1ll << 20)
#define UNIT HEAT_UNIT_BYTES
#define PART (UNIT / 32)

static struct {
	int64_t now, excess, peak;
	int64_t idle_told, bytes_told;
	int asked_in_use;
} world;

static int64_t now(void)
{
	return world.now;
}

static bool in_use(uintptr_t page)
{
	(void)page;
	world.asked_in_use++;
	return false;
}

static int64_t excess(int64_t idle, int64_t bytes)
{
	world.idle_told = idle;
	world.bytes_told = bytes;
	return world.excess;
}

static int64_t peak(void)
{
	return world.peak;
}

static const struct purge_hooks hooks = { now, in_use, excess, peak };

static struct purge purge;

static void begin(void)
{
	static const struct purge fresh = PURGE_START(&hooks);

	memset(&world, 0, sizeof(world));
	world.now = 1000000;
	world.excess = -1000 * MIB;
	world.peak = 1000 * MIB;
	purge = fresh;
}

#define A (1000 * UNIT)

static bool choose(struct purge_choice *c, uintptr_t from, uintptr_t to)
{
	world.now++;
	return purge_choose(&purge, c, from, to);
}

/* The stretches of a choice as text: h for hot, k for the kernel, and how many parts. */
static const char *stretches(const struct purge_choice *c, uintptr_t from, uintptr_t to)
{
	static char text[200];
	size_t length = 0;
	struct purge_stretch s;

	for (uintptr_t at = from; at < to; at = s.to) {
		s = purge_next(&purge, c, from, to, at);
		CHECK(s.from == at && s.to > at && s.to <= to, "at=%" PRIxPTR " to=%" PRIxPTR, at, s.to);
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%c%zu", length ? " " : "",
					   s.hot ? 'h' : 'k', (size_t)((s.to - s.from) / PART));
	}
	return text;
}

static void are(const char *found, const char *expected)
{
	CHECK(!strcmp(found, expected), "%s, not %s", found, expected);
}

/* The first time all is the kernel's; what comes again is not. */
static void again(void)
{
	struct purge_choice c;

	begin();
	CHECK(!choose(&c, A, A + 3 * UNIT), "the first time");
	are(stretches(&c, A, A + 3 * UNIT), "k96");
	CHECK(choose(&c, A, A + 3 * UNIT), "again");
	are(stretches(&c, A, A + 3 * UNIT), "h96");
	CHECK(heat_idle_bytes(&purge.heat) == 3 * (int64_t)UNIT, "%" PRId64, heat_idle_bytes(&purge.heat));
	/* It is told what purges have left, and how much this is. */
	CHECK(choose(&c, A + UNIT / 2, A + 4 * UNIT + UNIT / 4), "partly new");
	CHECK(world.idle_told == 3 * (int64_t)UNIT && world.bytes_told == (int64_t)(3 * UNIT + 3 * UNIT / 4),
	      "idle=%" PRId64, world.idle_told);
	are(stretches(&c, A + UNIT / 2, A + 4 * UNIT + UNIT / 4), "h80 k40");
	/* What goes to the kernel is not idle, what stays is. */
	CHECK(heat_idle_bytes(&purge.heat) == 3 * (int64_t)UNIT, "%" PRId64, heat_idle_bytes(&purge.heat));
	purge_decline(&purge, A, A + UNIT);
	CHECK(heat_idle_bytes(&purge.heat) == 2 * (int64_t)UNIT, "%" PRId64, heat_idle_bytes(&purge.heat));
	/* Not after more than a second. */
	world.now += HEAT_AGAIN + 1;
	CHECK(!choose(&c, A, A + 3 * UNIT), "too late");
}

/* What is purged elsewhere is the time in which a unit cools. */
static void cools(void)
{
	struct purge_choice c;

	begin();
	world.peak = MIB;
	choose(&c, A, A + UNIT);
	CHECK(choose(&c, A, A + UNIT), "again");
	choose(&c, A + 2 * UNIT, A + 2 * UNIT + PURGE_MOST_BYTES);
	CHECK(!choose(&c, A, A + UNIT), "a gibibyte later");
}

/* Less than a unit, and over the border of two. */
static void small(void)
{
	struct purge_choice c;
	uintptr_t from = A + UNIT - PART, to = A + UNIT + 2 * PART;

	begin();
	choose(&c, from, to);
	CHECK(choose(&c, from, to), "again");
	are(stretches(&c, from, to), "h3");
	choose(&c, A + UNIT, to);
	are(stretches(&c, A + UNIT, to), "h2");
	/* Each page counts, wherever the purge begins. */
	purge_decline(&purge, from, to);
	CHECK(!heat_idle_bytes(&purge.heat), "%" PRId64, heat_idle_bytes(&purge.heat));
	choose(&c, from + HEAT_PAGE_BYTES, to - HEAT_PAGE_BYTES);
	stretches(&c, from + HEAT_PAGE_BYTES, to - HEAT_PAGE_BYTES);
	CHECK(heat_idle_bytes(&purge.heat) == 46 * (int64_t)HEAT_PAGE_BYTES, "%" PRId64, heat_idle_bytes(&purge.heat));
}

/* As much as there may be: more units than a word has bits. */
static void large(void)
{
	struct purge_choice c;
	uintptr_t from = A + UNIT / 2, to = from + PURGE_MOST_BYTES;

	begin();
	choose(&c, from, to);
	CHECK(choose(&c, from, to), "again");
	are(stretches(&c, from, to), "h16384");
	world.excess = 3 * (int64_t)UNIT - 1;
	choose(&c, from, to);
	/* What exceeds the bound goes to the kernel, from the end on: half a unit counts as one. */
	are(stretches(&c, from, to), "h16304 k80");
}

static void bound(void)
{
	struct purge_choice c;

	begin();
	choose(&c, A, A + 4 * UNIT);
	world.excess = 1;
	CHECK(choose(&c, A, A + 4 * UNIT), "a byte too much");
	are(stretches(&c, A, A + 4 * UNIT), "h96 k32");
	world.excess = 4 * (int64_t)UNIT;
	CHECK(!choose(&c, A, A + 4 * UNIT), "all of it too much");
	world.excess = 0;
	CHECK(choose(&c, A, A + 4 * UNIT), "just not");
	/* It counts at once, for other threads that purge. */
	CHECK(heat_idle_bytes(&purge.heat) == 4 * (int64_t)UNIT, "%" PRId64, heat_idle_bytes(&purge.heat));
	are(stretches(&c, A, A + 4 * UNIT), "h128");
	/* What is cold goes to the kernel anyway, and makes room. */
	choose(&c, A, A + 2 * UNIT);
	world.excess = 2 * (int64_t)UNIT;
	choose(&c, A, A + 6 * UNIT);
	are(stretches(&c, A, A + 6 * UNIT), "h128 k64");
}

/*
 * How much is to be hot: a fifth less of what exceeds, up to a 200th more of what is purged; from half the peak to
 * twice.
 */
static void adapts(void)
{
	struct purge_choice c;

	begin();
	choose(&c, A, A + UNIT);
	CHECK(atomic_load(&purge.hot_bytes) == 2000 * MIB, "%" PRId64, atomic_load(&purge.hot_bytes));
	world.excess = 100 * MIB;
	choose(&c, A, A + UNIT);
	CHECK(atomic_load(&purge.hot_bytes) == 1980 * MIB, "%" PRId64, atomic_load(&purge.hot_bytes));
	world.excess = -100 * MIB;
	choose(&c, A, A + 20 * UNIT);
	CHECK(atomic_load(&purge.hot_bytes) == 1980 * MIB + 40 * MIB / 200, "%" PRId64, atomic_load(&purge.hot_bytes));
	world.excess = -20 * MIB;
	choose(&c, A, A + 20 * UNIT);
	CHECK(atomic_load(&purge.hot_bytes) == 1980 * MIB + 60 * MIB / 200, "%" PRId64, atomic_load(&purge.hot_bytes));
	world.excess = 100000 * MIB;
	choose(&c, A, A + UNIT);
	CHECK(atomic_load(&purge.hot_bytes) == 500 * MIB, "%" PRId64, atomic_load(&purge.hot_bytes));
}

/* Every 16 ms it looks what of that is in use, one thread at a time. */
static void looks(void)
{
	struct purge_choice c;

	begin();
	choose(&c, A, A + UNIT);
	choose(&c, A, A + UNIT);
	stretches(&c, A, A + UNIT);
	world.asked_in_use = 0;
	choose(&c, A, A + UNIT);
	CHECK(!world.asked_in_use, "too soon");
	world.now += HEAT_LOOK_INTERVAL;
	choose(&c, A, A + UNIT);
	CHECK(world.asked_in_use == 4, "asked=%d", world.asked_in_use);
	/* So few may be hot that this one is not: two others are hotter. */
	world.peak = MIB;
	world.excess = 0;
	for (int i = 0; i < 8; i++)
		choose(&c, A + UNIT, A + 3 * UNIT);
	world.now += HEAT_LOOK_INTERVAL;
	CHECK(!choose(&c, A, A + UNIT), "room for one");
	CHECK(choose(&c, A + UNIT, A + 2 * UNIT), "room for one");
	begin();
	choose(&c, A, A + UNIT);
	choose(&c, A, A + UNIT);
	stretches(&c, A, A + UNIT);
	world.now += HEAT_LOOK_INTERVAL;
	CHECK(!atomic_flag_test_and_set(&purge.looking), "still looking");
	world.asked_in_use = 0;
	choose(&c, A, A + UNIT);
	CHECK(!world.asked_in_use, "another looks");
	purge_after_fork(&purge);
	choose(&c, A, A + UNIT);
	CHECK(world.asked_in_use == 4, "asked=%d", world.asked_in_use);
}

/* Huge pages for what has been purged before, once; and none for a while when a trial was slow. */
static void huge(void)
{
	struct purge_choice c;
	const uint32_t number = (uint32_t)(A >> HEAT_UNIT_SHIFT);

	begin();
	CHECK(purge_huge_allowed(&purge, 5), "none has been tried");
	CHECK(!purge_huge_helps(&purge, number), "never purged");
	choose(&c, A, A + UNIT);
	CHECK(!purge_huge_helps(&purge, number), "purged once");
	choose(&c, A, A + UNIT);
	CHECK(purge_huge_helps(&purge, number), "purged again");
	CHECK(purge_huge_made(&purge, number), "the first is tried");
	CHECK(!purge_huge_helps(&purge, number), "it is one");
	for (uint32_t i = 1; i < 16; i++)
		CHECK(!purge_huge_made(&purge, number + i), "i=%u", i);
	CHECK(purge_huge_made(&purge, number + 16), "the 17th is tried");
	purge_huge_took(&purge, 5000, 350000);
	CHECK(purge_huge_allowed(&purge, 5000), "fast enough");
	purge_huge_took(&purge, 5000, 350001);
	CHECK(!purge_huge_allowed(&purge, 5999), "too slow");
	CHECK(purge_huge_allowed(&purge, 6000), "a second later");
}

int main(void)
{
	again();
	cools();
	small();
	large();
	bound();
	adapts();
	looks();
	huge();
	return 0;
}
