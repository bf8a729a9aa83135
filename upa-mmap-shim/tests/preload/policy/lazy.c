/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lazy.c - what is marked for the kernel to take, what glances and forks give back, and bounds from outside
 * (policy/retain.h), on a clock and a kernel that the test makes.
 */
#include <string.h>

#include "check.h"
#include "policy/retain.h"

#define KIB 1024ll
#define MIB (1ll << 20)

/* A process whose memory is only counted: what the policy has done to it since it was last asked is in `did`. */
static struct {
	int64_t now, keepable, bound;
	int64_t others; /* in use beside region and heap, without a word */
	struct retain_region region;
	int64_t heap, heap_kept, heap_lazy;
	struct {
		int marks;
		bool strictly;
		int64_t given;
	} did;
} world;

static struct retain retain;

static int64_t now(void)
{
	return world.now;
}

static int64_t resident(void)
{
	return world.region.allocated + world.region.retained + world.heap + world.heap_kept + world.others;
}

static int64_t keepable(int64_t at, int64_t kept)
{
	(void)at, (void)kept;
	return world.keepable;
}

static bool region(struct retain_region *out)
{
	*out = world.region;
	return true;
}

static int64_t uncounted(void)
{
	return 0;
}

static int64_t bound(void)
{
	return world.bound;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void give_back_region(int64_t keep)
{
	CHECK(keep >= 0 && keep < world.region.retained, "keep=%" PRId64, keep);
	world.did.given += world.region.retained - keep;
	world.region.retained = keep;
	world.region.lazy = least(world.region.lazy, keep);
}

static void give_back_heap(int64_t keep)
{
	CHECK(keep >= 0 && keep < world.heap_kept, "keep=%" PRId64, keep);
	world.did.given += world.heap_kept - keep;
	world.heap_kept = keep;
	world.heap_lazy = least(world.heap_lazy, keep);
	retain_heap(&retain, world.heap, world.heap_kept);
	retain_heap_lazy(&retain, world.heap_lazy);
}

static void mark_region(int64_t unmarked, bool strictly)
{
	CHECK(unmarked >= 0 && unmarked < world.region.retained - world.region.lazy, "unmarked=%" PRId64, unmarked);
	world.did.marks++;
	world.did.strictly = strictly;
	world.region.lazy = world.region.retained - unmarked;
}

static void mark_heap(int64_t unmarked)
{
	CHECK(unmarked >= 0 && unmarked < world.heap_kept - world.heap_lazy, "unmarked=%" PRId64, unmarked);
	world.did.marks++;
	world.heap_lazy = world.heap_kept - unmarked;
	retain_heap_lazy(&retain, world.heap_lazy);
}

static const struct retain_hooks hooks = {
	.now = now,
	.resident = resident,
	.keepable = keepable,
	.region = region,
	.uncounted = uncounted,
	.give_back_heap = give_back_heap,
	.give_back_region = give_back_region,
	.bound = bound,
	.mark_heap = mark_heap,
	.mark_region = mark_region,
};

static void begin(void)
{
	memset(&world, 0, sizeof(world));
	memset(&retain, 0, sizeof(retain));
	retain.hooks = &hooks;
	retain.percent = 10;
	retain.half_life = 1000;
	world.now = 1000000;
	world.keepable = INT64_MAX;
}

#define IS(actual, expected)                                                                                           \
	CHECK((actual) == (expected), "%" PRId64 " is not %" PRId64, (int64_t)(actual), (int64_t)(expected))

static void did_nothing(void)
{
	IS(world.did.marks, 0);
	IS(world.did.given, 0);
}

/* All is allocated; then so much of it is freed, and looked at at once. */
static void use_and_free(int64_t bytes)
{
	int64_t untold = 0;

	world.region.allocated += bytes;
	retain_account(&retain, &untold, bytes);
	world.region.allocated -= bytes;
	world.region.retained += bytes;
	memset(&world.did, 0, sizeof(world.did));
	world.now += RETAIN_INTERVAL;
	retain_account(&retain, &untold, -bytes);
}

/* What a limit leaves no room for stays, marked, and a quarter more. */
static void limit_marks(void)
{
	begin();
	world.keepable = 16 * MIB;
	use_and_free(100 * MIB);
	IS(world.region.retained, 100 * MIB);
	IS(world.region.lazy, 88 * MIB);
	IS(world.did.given, 0);
	CHECK(world.did.strictly, "what cannot be marked stays");
	IS(retain_lazy(&retain), 88 * MIB);
	/* It is not marked again and again. */
	memset(&world.did, 0, sizeof(world.did));
	use_and_free(4 * MIB);
	did_nothing();
	/* Without a limit nothing is marked at once. */
	begin();
	use_and_free(100 * MIB);
	did_nothing();
}

/* Where tasks wait for memory, and where the program has said what it wants, it goes. */
static void not_marked_but_gone(void)
{
	begin();
	world.keepable = 0;
	use_and_free(100 * MIB);
	IS(world.region.retained, 0);
	IS(world.did.marks, 0);
	begin();
	retain_set_trim(&retain, 4 * MIB);
	world.keepable = 16 * MIB;
	use_and_free(100 * MIB);
	CHECK(world.region.retained <= 4 * MIB, "retained=%" PRId64, world.region.retained);
	IS(world.did.marks, 0);
}

static void heap_shares(void)
{
	begin();
	world.keepable = 16 * MIB;
	world.heap_kept = 50 * MIB;
	world.heap = 10 * MIB;
	retain_heap(&retain, world.heap, world.heap_kept);
	use_and_free(100 * MIB);
	IS(world.region.retained - world.region.lazy, 6 * MIB);
	IS(world.heap_kept - world.heap_lazy, 6 * MIB);
	/* To the heap is left what the region leaves of it. */
	IS(retain_heap_unmarked(&retain), 10 * MIB);
	world.keepable = INT64_MAX;
	use_and_free(4 * MIB);
	CHECK(retain_heap_unmarked(&retain) > 100 * MIB, "without a limit");
}

/* What nobody has asked for through two parts is marked, and through all of them goes. */
static void ticks_mark(void)
{
	int tick = 0;

	begin();
	use_and_free(100 * MIB);
	retain_begin_ticks(&retain);
	for (; !world.did.marks && tick < 20; tick++) {
		world.now += RETAIN_TICK;
		retain_tick(&retain);
	}
	IS(tick, RETAIN_LAZY_PARTS);
	CHECK(!world.did.strictly && world.region.lazy == world.region.retained && world.region.retained > 60 * MIB,
	      "lazy=%" PRId64 " retained=%" PRId64, world.region.lazy, world.region.retained);
	for (; tick < RETAIN_PARTS; tick++) {
		world.now += RETAIN_TICK;
		retain_tick(&retain);
	}
	IS(world.region.retained, 0);
}

/* What is asked for in between is not. */
static void ticks_let_be(void)
{
	begin();
	use_and_free(100 * MIB);
	retain_begin_ticks(&retain);
	for (int tick = 0; tick < 5; tick++) {
		int64_t untold = 0, all = world.region.retained;

		world.region.retained = 0;
		world.region.allocated += all;
		retain_account(&retain, &untold, all);
		use_and_free(0);
		world.region.allocated -= all;
		world.region.retained = all;
		world.now += RETAIN_INTERVAL;
		retain_account(&retain, &untold, -all);
		world.now += RETAIN_TICK;
		retain_tick(&retain);
		IS(world.did.marks, 0);
	}
}

/* Memory of which no call tells: what is kept makes room for it, before the peak is exceeded by much. */
static void glances(void)
{
	int64_t most = 0;

	begin();
	use_and_free(100 * MIB);
	CHECK(retain_worth_a_glance(&retain), "nobody would glance");
	retain_glance(&retain);
	did_nothing();
	for (int i = 0; i < 50; i++) {
		world.others += 2 * MIB;
		world.now += RETAIN_GLANCE;
		retain_glance(&retain);
		most = resident() > most ? resident() : most;
	}
	IS(world.others, 100 * MIB);
	CHECK(most <= 116 * MIB, "most=%" PRId64, most);
	CHECK(world.did.given > 80 * MIB, "given=%" PRId64, world.did.given);
	CHECK(!retain_worth_a_glance(&retain), "there is nothing left to look after");
}

/* What calls have told of is use like any other. */
static void glances_at_use(void)
{
	begin();
	use_and_free(100 * MIB);
	world.region.allocated += 40 * MIB;
	atomic_fetch_add(&retain.region_live, 40 * MIB);
	atomic_fetch_add(&retain.looked_live, 40 * MIB);
	world.now += RETAIN_GLANCE;
	retain_glance(&retain);
	did_nothing();
}

static void others_are_mapped(void)
{
	begin();
	use_and_free(100 * MIB);
	retain_others(&retain, RETAIN_FLOOR - 1);
	did_nothing();
	retain_others(&retain, 100 * MIB);
	CHECK(world.region.retained <= 12 * MIB, "retained=%" PRId64, world.region.retained);
}

static void forks(void)
{
	begin();
	use_and_free(100 * MIB);
	retain_fork(&retain);
	CHECK(world.region.retained <= RETAIN_FLOOR && world.region.retained > 0, "retained=%" PRId64,
	      world.region.retained);
	memset(&world.did, 0, sizeof(world.did));
	retain_fork(&retain);
	did_nothing();
}

/* By another process's wish no more stays than fits beside what is in use; that is not touched. */
static void bounds(void)
{
	begin();
	world.bound = 1 + 70 * MIB;
	world.others = 30 * MIB;
	use_and_free(100 * MIB);
	CHECK(resident() <= 70 * MIB && world.region.retained > 30 * MIB, "retained=%" PRId64, world.region.retained);
	world.bound = 1;
	use_and_free(4 * MIB);
	IS(world.region.retained, 0);
	world.bound = 0;
	use_and_free(100 * MIB);
	IS(world.region.retained, 100 * MIB);
}

int main(void)
{
	limit_marks();
	not_marked_but_gone();
	heap_shares();
	ticks_mark();
	ticks_let_be();
	glances();
	glances_at_use();
	others_are_mapped();
	forks();
	bounds();
	return 0;
}
