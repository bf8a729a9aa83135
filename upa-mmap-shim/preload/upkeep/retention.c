/* SPDX-License-Identifier: Apache-2.0 */
#include "upkeep/retention.h"

#include "upkeep/heap.h"
#include "gate.h"
#include "observe/view_writer.h"
#include "policy/retain.h"
#include "region/region_private.h"
#include "settings.h"
#include "clock.h"
#include "upkeep/facts.h"
#include "upkeep/trim_threshold.h"

/* ---- what the policy asks for ------------------------------------------------------------------- */

static bool region(struct retain_region *out)
{
	struct upa_region *r = gate_region();
	struct upa_region_kept is;

	if (!r || upa_region_get_kept(r, &is))
		return false;
	*out = (struct retain_region){ (int64_t)is.allocated_bytes, (int64_t)is.retained_bytes,
				       (int64_t)is.lazy_bytes };
	return true;
}

static int64_t uncounted(void)
{
	struct upa_region *r = gate_region();

	return r ? (int64_t)upa_region_uncounted_bytes(r) : 0;
}

static struct retain retain;

/* On another process's order. */
static bool ordered;

/* Of what is given back, who does it; the program's own calls do the rest. */
static void count(int64_t bytes)
{
	if (retain.ticking && bytes > 0) {
		view_add(&view.agent_given_back_bytes, (uint64_t)bytes);
		if (ordered || retain.bounded)
			view_add(&view.ordered_bytes, (uint64_t)bytes);
	}
}

static void give_back_heap(int64_t keep)
{
	count(heap_give_back(keep));
}

static void give_back_region(int64_t keep)
{
	struct upa_region *r = gate_region();

	if (r)
		count(upa_region_give_back(r, (uint64_t)keep));
}

static void mark_heap(int64_t unmarked)
{
	view_add(&view.marked_bytes, (uint64_t)heap_make_lazy(unmarked));
}

static void mark_region(int64_t unmarked, bool strictly)
{
	struct upa_region *r = gate_region();
	int64_t marked = r ? upa_region_make_lazy(r, (uint64_t)unmarked, strictly) : 0;

	if (marked > 0)
		view_add(&view.marked_bytes, (uint64_t)marked);
}

static void (*watcher)(void);

static void watch(void)
{
	if (watcher)
		watcher();
}

static int64_t bound(void)
{
	return (int64_t)(__atomic_load_n(&view.bound, __ATOMIC_RELAXED) & INT64_MAX);
}

static const struct retain_hooks hooks = {
	.now = clock_milliseconds,
	.resident = facts_resident,
	.keepable = facts_keepable,
	.region = region,
	.uncounted = uncounted,
	.give_back_heap = give_back_heap,
	.give_back_region = give_back_region,
	.bound = bound,
	.mark_heap = mark_heap,
	.mark_region = mark_region,
	.watch = watch,
};

static struct retain retain = { .hooks = &hooks, .looking = ATOMIC_FLAG_INIT };

/* ---- what the policy is told ---------------------------------------------------------------------- */

void retention_start(void)
{
	retain.percent = (int64_t)settings.retain_percent;
	retain.half_life = (int64_t)settings.decay_ms;
	retain_set_trim(&retain, trim_threshold_at_start());
}

void retention_watch(void (*function)(void))
{
	watcher = function;
}

void retention_begin_ticks(void)
{
	retain_begin_ticks(&retain);
}

int64_t retention_tick(void)
{
	return retain_tick(&retain);
}

void retention_glance(void)
{
	retain_glance(&retain);
}

bool retention_worth_a_glance(void)
{
	return retain_worth_a_glance(&retain);
}

void retention_find_taken(void)
{
	struct upa_region *r = gate_region();

	if (r && retain_lazy(&retain))
		upa_region_find_taken(r);
}

void retention_others(int64_t bytes)
{
	retain_others(&retain, bytes);
}

void retention_absent(int64_t bytes)
{
	retain_absent(&retain, bytes);
}

void retention_fork(void)
{
	retain_fork(&retain);
}

bool retention_reclaim(int64_t keep)
{
	bool done;

	ordered = true;
	done = retain_reclaim(&retain, keep);
	ordered = false;
	return done;
}

int64_t retention_live(void)
{
	return retain_region_live(&retain);
}

int64_t retention_kept(void)
{
	return retain_kept(&retain);
}

bool retention_trim(void)
{
	struct upa_region *r = gate_region();
	bool given = heap_give_back(0) > 0;

	given |= r && upa_region_give_back(r, 0) > 0;
	retain_trimmed(&retain);
	return given;
}

void retention_set_trim(int64_t bytes)
{
	retain_set_trim(&retain, bytes);
	if (bytes >= 0)
		heap_give_back(0);
}

void retention_account(int64_t bytes)
{
	static _Thread_local int64_t untold __attribute__((tls_model("initial-exec")));

	retain_account(&retain, &untold, bytes);
}

void retention_heap(int64_t live, int64_t kept)
{
	retain_heap(&retain, live, kept);
}

void retention_heap_grew(int64_t bytes)
{
	retain_heap_grew(&retain, bytes);
}

void retention_heap_shrinks(void)
{
	retain_heap_shrinks(&retain);
}

int64_t retention_heap_allowance(void)
{
	return retain_heap_allowance(&retain);
}

int64_t retention_heap_unmarked(void)
{
	return retain_heap_unmarked(&retain);
}

void retention_heap_lazy(int64_t lazy)
{
	retain_heap_lazy(&retain, lazy);
}

int64_t retention_excess(int64_t idle, int64_t bytes)
{
	return retain_excess(&retain, idle, bytes);
}

int64_t retention_peak(void)
{
	return retain_peak(&retain);
}

int64_t retention_spare(void)
{
	return retain_spare(&retain);
}

void retention_after_fork(void)
{
	retain_after_fork(&retain);
}
