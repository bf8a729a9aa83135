/* SPDX-License-Identifier: Apache-2.0 */
#include "upkeep/retention.h"

#include "upkeep/heap.h"
#include "gate.h"
#include "observe/view.h"
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
	struct upa_region_stats st;

	if (!r || upa_region_get_stats(r, &st))
		return false;
	*out = (struct retain_region){ (int64_t)st.allocated_bytes, (int64_t)st.retained_bytes };
	return true;
}

static int64_t uncounted(void)
{
	struct upa_region *r = gate_region();

	return r ? (int64_t)upa_region_uncounted_bytes(r) : 0;
}

static struct retain retain;

/* Of what is given back, who does it; the program's own calls do the rest. */
static void count(int64_t bytes)
{
	if (retain.ticking && bytes > 0)
		view_add(&view.agent_given_back_bytes, (uint64_t)bytes);
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

static void (*watcher)(void);

static void watch(void)
{
	if (watcher)
		watcher();
}

static const struct retain_hooks hooks = {
	.now = clock_milliseconds,
	.resident = facts_resident,
	.keepable = facts_keepable,
	.region = region,
	.uncounted = uncounted,
	.give_back_heap = give_back_heap,
	.give_back_region = give_back_region,
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

bool retention_reclaim(int64_t keep)
{
	return retain_reclaim(&retain, keep);
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

int64_t retention_excess(int64_t idle, int64_t bytes)
{
	return retain_excess(&retain, idle, bytes);
}

int64_t retention_peak(void)
{
	return retain_peak(&retain);
}

void retention_after_fork(void)
{
	retain_after_fork(&retain);
}
