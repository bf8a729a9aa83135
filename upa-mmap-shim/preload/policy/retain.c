/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/retain.h"

/* What a thread tells of when the region is not about to be looked at anyway. */
#define LARGE_STEP (2ll << 20)

/* Between purges of so much, resident memory is taken not to have changed. */
#define PURGE_STEP (4ll << 20)

/* Below this, asking for pressure costs more than it could bring. */
#define WORTH_ASKING (32ll << 20)

static int64_t load(const _Atomic int64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static void store(_Atomic int64_t *p, int64_t n)
{
	atomic_store_explicit(p, n, memory_order_relaxed);
}

static int64_t add(_Atomic int64_t *p, int64_t n)
{
	return atomic_fetch_add_explicit(p, n, memory_order_relaxed) + n;
}

static int64_t not_negative(int64_t n)
{
	return n > 0 ? n : 0;
}

static bool due(const _Atomic int64_t *last, int64_t now)
{
	return now - load(last) >= RETAIN_INTERVAL;
}

/* ---- the bound ---------------------------------------------------------------------------------- */

/* What may be resident beyond the peak. */
static int64_t beyond_peak(const struct retain *r)
{
	int64_t share = load(&r->peak) / 100 * r->percent;

	return share > RETAIN_FLOOR ? share : RETAIN_FLOOR;
}

/* What is left after so long of so much. */
static int64_t decayed(int64_t bytes, int64_t passed, int64_t half_life)
{
	int64_t halves = half_life ? passed / half_life : 64;

	bytes = halves > 40 ? 0 : bytes >> halves;
	if (!half_life)
		return bytes;
	/* Between two halvings a straight line will do. */
	return bytes - (int64_t)((double)bytes * (double)(passed % half_life) / (double)(2 * half_life));
}

/* Lets the peak decay up to now: the bytes that may be kept. */
static int64_t allowance(struct retain *r, int64_t now)
{
	int64_t then = load(&r->decayed_at);
	int64_t was = load(&r->peak);
	int64_t use = load(&r->live);
	int64_t excess = not_negative(was - use);

	if (now > then && atomic_compare_exchange_strong(&r->decayed_at, &then, now) && excess && then) {
		excess = decayed(excess, now - then, r->half_life);
		/* If this is lost to a rise, the peak decays next time. */
		atomic_compare_exchange_strong(&r->peak, &was, use + excess);
	}
	return excess + beyond_peak(r);
}

/*
 * Free and populated of the region: what has been freed since the last look counts, though nobody has looked at it.
 */
static int64_t region_retained(const struct retain *r)
{
	return not_negative(load(&r->region_retained) + load(&r->looked_live) - load(&r->region_live));
}

/*
 * Asks what is resident; before that, `just_freed` bytes more were in use. If it may not be asked, addresses have to
 * do.
 */
static void sample(struct retain *r, int64_t now, int64_t just_freed)
{
	int64_t retained = region_retained(r) + load(&r->heap_retained) + load(&r->idle);
	int64_t is = r->hooks->resident();
	int64_t was = load(&r->peak);
	int64_t use;

	store(&r->sampled_at, now);
	is = is < 0 ? load(&r->region_live) + load(&r->heap_live) + retained : is + r->hooks->uncounted();
	store(&r->resident, is);
	use = not_negative(is - retained);
	store(&r->live, use);
	use += just_freed;
	while (was < use && !atomic_compare_exchange_weak(&r->peak, &was, use))
		;
}

/* Of what may be kept, what one of two may keep: what the other leaves, and at least half. */
static int64_t share(int64_t total, int64_t other)
{
	return total - (other < total / 2 ? other : total / 2);
}

/* ---- looking at the region ------------------------------------------------------------------------ */

/* What heap and region may keep together, if the heap is about to use so much more. */
static int64_t total_kept(struct retain *r, int64_t now, int64_t soon_used)
{
	int64_t total = allowance(r, now);
	int64_t lately = total - beyond_peak(r);

	total -= (soon_used < lately ? soon_used : lately) + load(&r->idle);
	if (load(&r->region_retained) + load(&r->heap_retained) > WORTH_ASKING && r->hooks->pressed(now))
		return 0;
	return not_negative(total);
}

static void give_back(struct retain *r, int64_t total)
{
	int64_t keep = share(total, load(&r->region_retained));

	if (load(&r->heap_retained) > keep)
		r->hooks->give_back_heap(keep);
	keep = share(total, load(&r->heap_retained));
	if (load(&r->region_retained) > keep) {
		/* If some, then some more: each batch is a flush of every processor's TLB. */
		keep -= keep / 16;
		r->hooks->give_back_region(keep);
		store(&r->region_retained, keep);
	}
}

static void look(struct retain *r, int64_t now, int64_t just_freed, int64_t soon_used)
{
	struct retain_region region;
	bool there;

	if (atomic_flag_test_and_set(&r->looking))
		return;
	store(&r->looked_at, now);
	there = r->hooks->region(&region);
	if (there) {
		/* Exact, where the threads' own accounts lose what they had not told of when they ended. */
		store(&r->region_live, region.allocated);
		store(&r->looked_live, region.allocated);
		store(&r->looked_heap, load(&r->heap_live));
		store(&r->region_retained, region.retained);
	}
	sample(r, now, just_freed);
	if (there)
		give_back(r, total_kept(r, now, soon_used));
	atomic_flag_clear(&r->looking);
}

void retain_tell(struct retain *r, int64_t *untold)
{
	int64_t now = r->hooks->now();
	bool is_due = due(&r->looked_at, now);
	int64_t told = *untold;
	int64_t last, use;

	if (!is_due && told < LARGE_STEP && told > -LARGE_STEP)
		return;
	*untold = 0;
	use = add(&r->region_live, told);
	last = load(&r->looked_live);
	if (is_due || use > last + last / 16 + RETAIN_FLOOR)
		look(r, now, not_negative(-told), 0);
}

/* ---- the heap --------------------------------------------------------------------------------------- */

void retain_heap(struct retain *r, int64_t live, int64_t kept)
{
	add(&r->live, live - load(&r->heap_live));
	store(&r->heap_live, live);
	store(&r->heap_retained, kept);
}

void retain_heap_grew(struct retain *r, int64_t bytes)
{
	int64_t now = r->hooks->now();

	if (region_retained(r) &&
	    (due(&r->looked_at, now) || load(&r->heap_live) > load(&r->looked_heap) + RETAIN_FLOOR))
		look(r, now, 0, bytes);
}

void retain_heap_shrinks(struct retain *r)
{
	int64_t now = r->hooks->now();

	if (due(&r->looked_at, now))
		look(r, now, 0, 0);
}

int64_t retain_heap_allowance(struct retain *r)
{
	return share(allowance(r, r->hooks->now()), region_retained(r));
}

/* ---- purges ----------------------------------------------------------------------------------------- */

int64_t retain_excess(struct retain *r, int64_t idle, int64_t bytes)
{
	int64_t now = r->hooks->now();

	store(&r->idle, idle);
	if (add(&r->purged, bytes) >= PURGE_STEP || due(&r->sampled_at, now)) {
		store(&r->purged, 0);
		sample(r, now, 0);
		allowance(r, now);
	}
	return load(&r->resident) - load(&r->peak) - beyond_peak(r);
}

int64_t retain_peak(const struct retain *r)
{
	return load(&r->peak);
}

void retain_after_fork(struct retain *r)
{
	atomic_flag_clear(&r->looking);
}
