/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lazy.c - what is marked for the kernel to take, what glances and forks give back, and bounds from outside
 * (policy/retain.h), on a clock and a kernel that the test makes.
 */
#include "retain_world.h"

/* A process whose memory is only counted: what the policy has done to it since it was last asked is in `did`. */
static struct {
	int64_t bound;
	int64_t others; /* in use beside region and heap, without a word */
	int64_t heap, heap_kept, heap_lazy;
	struct {
		int marks;
		bool strictly;
		int64_t given;
		bool by_tick, for_bound; /* the last time that something was given back */
	} did;
} counted;

static int64_t counted_resident(void)
{
	return world.region.allocated + world.region.retained + counted.heap + counted.heap_kept + counted.others;
}

static int64_t bound(void)
{
	return counted.bound;
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static void leave_of_region(int64_t keep)
{
	CHECK(keep >= 0 && keep < world.region.retained, "keep=%" PRId64, keep);
	counted.did.given += world.region.retained - keep;
	counted.did.by_tick = retain.ticking;
	counted.did.for_bound = retain.bounded;
	world.region.retained = keep;
	world.region.lazy = least(world.region.lazy, keep);
}

static void leave_of_heap(int64_t keep)
{
	CHECK(keep >= 0 && keep < counted.heap_kept, "keep=%" PRId64, keep);
	counted.did.given += counted.heap_kept - keep;
	counted.heap_kept = keep;
	counted.heap_lazy = least(counted.heap_lazy, keep);
	retain_heap(&retain, counted.heap, counted.heap_kept);
	retain_heap_lazy(&retain, counted.heap_lazy);
}

static void mark_region(int64_t unmarked, bool strictly)
{
	CHECK(unmarked >= 0 && unmarked < world.region.retained - world.region.lazy, "unmarked=%" PRId64, unmarked);
	counted.did.marks++;
	counted.did.strictly = strictly;
	world.region.lazy = world.region.retained - unmarked;
}

static void mark_heap(int64_t unmarked)
{
	CHECK(unmarked >= 0 && unmarked < counted.heap_kept - counted.heap_lazy, "unmarked=%" PRId64, unmarked);
	counted.did.marks++;
	counted.heap_lazy = counted.heap_kept - unmarked;
	retain_heap_lazy(&retain, counted.heap_lazy);
}

static const struct retain_hooks counting_hooks = {
	.now = now,
	.resident = counted_resident,
	.keepable = keepable,
	.region = region,
	.uncounted = uncounted,
	.give_back_heap = leave_of_heap,
	.give_back_region = leave_of_region,
	.bound = bound,
	.mark_heap = mark_heap,
	.mark_region = mark_region,
};

static void begin_counting(void)
{
	begin();
	memset(&counted, 0, sizeof(counted));
	retain.hooks = &counting_hooks;
	world.has_region = true;
}

static void did_nothing(void)
{
	IS(counted.did.marks, 0);
	IS(counted.did.given, 0);
}

/* All is allocated; then so much of it is freed, and looked at at once. */
static void use_and_free(int64_t bytes)
{
	int64_t untold = 0;

	world.region.allocated += bytes;
	retain_account(&retain, &untold, bytes);
	world.region.allocated -= bytes;
	world.region.retained += bytes;
	memset(&counted.did, 0, sizeof(counted.did));
	world.now += RETAIN_INTERVAL;
	retain_account(&retain, &untold, -bytes);
}

/* What a limit leaves no room for stays, marked, and a quarter more. */
static void limit_marks(void)
{
	begin_counting();
	world.keepable = 16 * MIB;
	use_and_free(100 * MIB);
	IS(world.region.retained, 100 * MIB);
	IS(world.region.lazy, 88 * MIB);
	IS(counted.did.given, 0);
	CHECK(counted.did.strictly, "what cannot be marked stays");
	IS(retain_lazy(&retain), 88 * MIB);
	/* It is not marked again and again. */
	memset(&counted.did, 0, sizeof(counted.did));
	use_and_free(4 * MIB);
	did_nothing();
	/* Without a limit nothing is marked at once. */
	begin_counting();
	use_and_free(100 * MIB);
	did_nothing();
}

/* Where tasks wait for memory, and where the program has said what it wants, it goes. */
static void not_marked_but_gone(void)
{
	begin_counting();
	world.keepable = 0;
	use_and_free(100 * MIB);
	IS(world.region.retained, 0);
	IS(counted.did.marks, 0);
	begin_counting();
	retain_set_trim(&retain, 4 * MIB);
	world.keepable = 16 * MIB;
	use_and_free(100 * MIB);
	CHECK(world.region.retained <= 4 * MIB, "retained=%" PRId64, world.region.retained);
	IS(counted.did.marks, 0);
}

static void heap_shares(void)
{
	begin_counting();
	world.keepable = 16 * MIB;
	counted.heap_kept = 50 * MIB;
	counted.heap = 10 * MIB;
	retain_heap(&retain, counted.heap, counted.heap_kept);
	use_and_free(100 * MIB);
	IS(world.region.retained - world.region.lazy, 6 * MIB);
	IS(counted.heap_kept - counted.heap_lazy, 6 * MIB);
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

	begin_counting();
	use_and_free(100 * MIB);
	retain_begin_ticks(&retain);
	for (; !counted.did.marks && tick < 20; tick++) {
		world.now += RETAIN_TICK;
		retain_tick(&retain);
	}
	IS(tick, RETAIN_LAZY_PARTS);
	CHECK(!counted.did.strictly && world.region.lazy == world.region.retained && world.region.retained > 60 * MIB,
	      "lazy=%" PRId64 " retained=%" PRId64, world.region.lazy, world.region.retained);
	for (; tick < RETAIN_PARTS; tick++) {
		world.now += RETAIN_TICK;
		retain_tick(&retain);
	}
	IS(world.region.retained, 0);
}

static void tick(void)
{
	world.now += RETAIN_TICK;
	retain_tick(&retain);
}

/* What somebody has asked for in either of two parts stays as it is. */
static void both_parts_count(void)
{
	int64_t untold = 0, marked;

	begin_counting();
	use_and_free(100 * MIB);
	retain_begin_ticks(&retain);
	tick();
	world.region = (struct retain_region){ 60 * MIB, 40 * MIB, 0 };
	retain_account(&retain, &untold, 60 * MIB);
	world.region = (struct retain_region){ 0, 100 * MIB, 0 };
	retain_account(&retain, &untold, -60 * MIB);
	tick();
	marked = world.region.lazy;
	CHECK(marked > 0 && marked <= 40 * MIB, "marked=%" PRId64, marked);
	tick();
	IS(world.region.lazy, marked);
	/* Of heap and region, each has what the other leaves. */
	begin_counting();
	counted.heap = 110 * MIB;
	retain_heap(&retain, counted.heap, 0);
	use_and_free(10 * MIB);
	counted.heap = 10 * MIB;
	counted.heap_kept = 100 * MIB;
	retain_heap(&retain, counted.heap, counted.heap_kept);
	retain_begin_ticks(&retain);
	tick();
	retain_heap(&retain, 70 * MIB, 40 * MIB);
	retain_heap(&retain, counted.heap, counted.heap_kept);
	tick();
	IS(counted.heap_lazy, 50 * MIB);
	IS(world.region.lazy, 0);
}

/* What is asked for in between is not. */
static void ticks_let_be(void)
{
	begin_counting();
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
		IS(counted.did.marks, 0);
	}
}

/* Memory of which no call tells: what is kept makes room for it, before the peak is exceeded by much. */
static void glances(void)
{
	int64_t most = 0;

	begin_counting();
	use_and_free(100 * MIB);
	CHECK(retain_worth_a_glance(&retain), "nobody would glance");
	retain_glance(&retain);
	did_nothing();
	for (int i = 0; i < 50; i++) {
		counted.others += 2 * MIB;
		world.now += RETAIN_GLANCE;
		retain_glance(&retain);
		most = counted_resident() > most ? counted_resident() : most;
	}
	IS(counted.others, 100 * MIB);
	CHECK(most <= 116 * MIB, "most=%" PRId64, most);
	CHECK(counted.did.given > 80 * MIB, "given=%" PRId64, counted.did.given);
	CHECK(!retain_worth_a_glance(&retain), "there is nothing left to look after");
}

/* What calls have told of is use like any other. */
static void glances_at_use(void)
{
	begin_counting();
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
	int asked;

	begin_counting();
	use_and_free(100 * MIB);
	asked = world.asked_keepable;
	retain_others(&retain, RETAIN_FLOOR - 1);
	did_nothing();
	IS(world.asked_keepable, asked);
	retain_others(&retain, 100 * MIB);
	CHECK(world.region.retained <= 12 * MIB, "retained=%" PRId64, world.region.retained);
}

static void forks(void)
{
	begin_counting();
	use_and_free(100 * MIB);
	retain_fork(&retain);
	CHECK(world.region.retained <= RETAIN_FLOOR && world.region.retained > 0, "retained=%" PRId64,
	      world.region.retained);
	memset(&counted.did, 0, sizeof(counted.did));
	retain_fork(&retain);
	did_nothing();
	/* Some of what was kept has been taken since the last look. */
	begin_counting();
	use_and_free(100 * MIB);
	world.region.allocated += 10 * MIB;
	world.region.retained -= 10 * MIB;
	atomic_fetch_add(&retain.region_live, 10 * MIB);
	retain_fork(&retain);
	IS(retain_kept(&retain), world.region.retained);
	IS(retain_reclaim(&retain, 0), true);
}

/* By another process's wish no more stays than fits beside what is in use; that is not touched. */
static void bounds(void)
{
	begin_counting();
	counted.bound = 1 + 70 * MIB;
	counted.others = 30 * MIB;
	use_and_free(100 * MIB);
	CHECK(retain.bounded, "the bound is why");
	CHECK(counted_resident() <= 70 * MIB && world.region.retained > 30 * MIB, "retained=%" PRId64,
	      world.region.retained);
	counted.bound = 1 + atomic_load(&retain.live) + MIB;
	IS(retain_spare(&retain), MIB);
	counted.bound = 1;
	IS(retain_spare(&retain), 0);
	use_and_free(4 * MIB);
	IS(world.region.retained, 0);
	counted.bound = 0;
	use_and_free(100 * MIB);
	CHECK(!retain.bounded, "there is no bound");
	IS(world.region.retained, 100 * MIB);
}

/* Who gives back, and whether for another process's bound, is known while it happens and forgotten afterwards. */
static void gives_back_in_whose_name(void)
{
	begin_counting();
	counted.bound = 1 + 70 * MIB;
	use_and_free(100 * MIB);
	IS(counted.did.by_tick, false);
	IS(counted.did.for_bound, true);
	counted.bound = 1 + 50 * MIB;
	world.now += RETAIN_TICK;
	retain_tick(&retain);
	IS(counted.did.by_tick, true);
	IS(counted.did.for_bound, true);
	IS(retain.ticking, false);
	IS(retain.bounded, false);
	counted.did.given = 0;
	counted.bound = 1 + 20 * MIB;
	world.region.allocated += 4 * MIB;
	counted.others += 300 * MIB;
	world.now += RETAIN_GLANCE;
	retain_glance(&retain);
	CHECK(counted.did.given > 0, "the glance has given nothing back");
	IS(counted.did.by_tick, true);
	IS(counted.did.for_bound, true);
	IS(retain.ticking, false);
	IS(retain.bounded, false);
	/* What is unused goes for no bound. */
	begin_counting();
	counted.bound = 1 + 200 * MIB;
	use_and_free(100 * MIB);
	retain_begin_ticks(&retain);
	counted.did.for_bound = true;
	for (int i = 0; i < RETAIN_PARTS; i++) {
		world.now += RETAIN_TICK;
		retain_tick(&retain);
	}
	CHECK(counted.did.given > 0, "nothing unused has gone");
	IS(counted.did.by_tick, true);
	IS(counted.did.for_bound, false);
	/* An order is the agent's, too. */
	begin_counting();
	use_and_free(100 * MIB);
	IS(retain_reclaim(&retain, 0), true);
	IS(counted.did.given, 100 * MIB);
	IS(counted.did.by_tick, true);
	/* What a thread was at when another forked is nothing to the child. */
	retain.ticking = retain.bounded = true;
	CHECK(!atomic_flag_test_and_set(&retain.looking), "looking");
	retain_after_fork(&retain);
	IS(retain.ticking, false);
	IS(retain.bounded, false);
	CHECK(!atomic_flag_test_and_set(&retain.looking), "looking");
}

/* What has been taken again since the last look is not there to give. */
static void orders_look_first(void)
{
	begin_counting();
	use_and_free(100 * MIB);
	world.region = (struct retain_region){ 100 * MIB, 0, 0 };
	IS(retain_reclaim(&retain, 0), true);
	did_nothing();
	IS(retain_kept(&retain), 0);
}

int main(void)
{
	limit_marks();
	not_marked_but_gone();
	heap_shares();
	ticks_mark();
	both_parts_count();
	ticks_let_be();
	glances();
	glances_at_use();
	others_are_mapped();
	forks();
	bounds();
	gives_back_in_whose_name();
	orders_look_first();
	return 0;
}
