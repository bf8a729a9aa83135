/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/retain.h"

#include "policy/ahead.h"

/* What a thread tells of when the region is not about to be looked at anyway. */
#define LARGE_STEP (2ll << 20)

/* Who touches more than is left will touch more by the next glance: room is made for so many times what was seen. */
#define GLANCE_MORE 16

/* Between purges of so much, resident memory is taken not to have changed. */
#define PURGE_STEP (4ll << 20)

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

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
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
	store(&r->untold, use - load(&r->region_live) - load(&r->heap_live));
	use += just_freed;
	while (was < use && !atomic_compare_exchange_weak(&r->peak, &was, use))
		;
}

/* Of what may be kept, what one of two may keep: what the other leaves, and at least half. */
static int64_t share(int64_t total, int64_t other)
{
	return total - (other < total / 2 ? other : total / 2);
}

/* ---- limits --------------------------------------------------------------------------------------- */

/* By another process's wish; INT64_MAX if there is none. */
static int64_t most_bound(const struct retain *r)
{
	int64_t bound = r->hooks->bound ? r->hooks->bound() : 0;

	return bound ? not_negative(bound - 1 - load(&r->live)) : INT64_MAX;
}

/* By what is known of limits, and the program's own wish. */
static int64_t most_kept(const struct retain *r)
{
	int64_t keepable = load(&r->keepable);
	int64_t trim = load(&r->trim);
	int64_t most = keepable ? keepable - 1 : RETAIN_UNASKED;

	return trim && trim - 1 < most ? trim - 1 : most;
}

int64_t retain_spare(const struct retain *r)
{
	int64_t use = load(&r->live) > load(&r->peak) ? load(&r->live) : load(&r->peak);
	int64_t keepable = load(&r->keepable);

	return least(use / AHEAD_SHARE, least(most_bound(r), keepable ? keepable - 1 : INT64_MAX));
}

static int64_t kept(const struct retain *r)
{
	return region_retained(r) + load(&r->heap_retained) + load(&r->idle);
}

int64_t retain_lazy(const struct retain *r)
{
	return least(load(&r->region_lazy), region_retained(r)) + least(load(&r->heap_lazy), load(&r->heap_retained));
}

/* What the kernel cannot take by itself. */
static int64_t unmarked(const struct retain *r)
{
	return kept(r) - retain_lazy(r);
}

/* May what a limit leaves no room for stay, marked? Not where memory is so short that tasks wait for it. */
static bool marks(const struct retain *r)
{
	return r->hooks->mark_region && load(&r->keepable) > 1 && !load(&r->trim);
}

/* To be called by who looks, so much being kept, or about to be. */
static void ask(struct retain *r, int64_t now, int64_t is)
{
	int64_t most;

	if (is <= RETAIN_UNASKED) {
		store(&r->keepable, 0);
		return;
	}
	most = r->hooks->keepable(now, is);
	store(&r->keepable, most == INT64_MAX ? most : most + 1);
	store(&r->asked_at, now);
}

/* ---- looking at the region ------------------------------------------------------------------------ */

/* What heap and region may keep together, if so much more is about to be used. */
static int64_t total_kept(struct retain *r, int64_t now, int64_t soon_used)
{
	int64_t total = allowance(r, now);
	int64_t lately = total - beyond_peak(r);
	int64_t most;

	total -= least(soon_used, lately);
	ask(r, now, kept(r));
	most = most_kept(r);
	r->bounded = most_bound(r) < total;
	total = least(total, most_bound(r));
	if (marks(r))
		return not_negative(total - load(&r->idle));
	/* If something has to go, then some more: it is no use to come again with each block. */
	if (kept(r) > most)
		most -= most / 4;
	return not_negative(least(total, most) - load(&r->idle));
}

static void give_back(struct retain *r, int64_t total)
{
	int64_t keep = load(&r->trim) ? 0 : share(total, load(&r->region_retained));

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

/* The region has been changed. */
static void take_note(struct retain *r)
{
	struct retain_region region;

	if (!r->hooks->region(&region))
		return;
	store(&r->region_live, region.allocated);
	store(&r->looked_live, region.allocated);
	store(&r->region_retained, region.retained);
	store(&r->region_lazy, region.lazy);
}

/* Marks until no more than so much is kept unmarked, heap and region together. */
static void mark(struct retain *r, int64_t total, bool strictly)
{
	int64_t heap = load(&r->heap_retained) - least(load(&r->heap_lazy), load(&r->heap_retained));
	int64_t region = unmarked(r) - load(&r->idle) - heap;
	int64_t keep = share(total, region);

	if (heap > keep) {
		r->hooks->mark_heap(keep);
		heap = keep;
	}
	keep = share(total, heap);
	if (region > keep) {
		r->hooks->mark_region(keep, strictly);
		take_note(r);
	}
}

/* What a limit has no room for is marked, and some more: it is no use to come again with each block. */
static void mark_beyond_limit(struct retain *r)
{
	int64_t most = most_kept(r);

	if (marks(r) && unmarked(r) > most)
		mark(r, not_negative(most - most / 4 - load(&r->idle)), true);
}

/* Asks the region what it has, then what is resident. False: there is no region. */
static bool observe(struct retain *r, int64_t now, int64_t just_freed)
{
	struct retain_region region;
	bool there;

	store(&r->looked_at, now);
	there = r->hooks->region(&region);
	if (there) {
		/* Exact, where the threads' own accounts lose what they had not told of when they ended. */
		store(&r->region_live, region.allocated);
		store(&r->looked_live, region.allocated);
		store(&r->looked_heap, load(&r->heap_live));
		store(&r->region_retained, region.retained);
		store(&r->region_lazy, region.lazy);
	}
	sample(r, now, just_freed);
	return there;
}

/* By who has set r->looking. `taken`: bytes of the region that are about to be touched, `more` others. */
static void look_closely(struct retain *r, int64_t now, int64_t just_freed, int64_t taken, int64_t more)
{
	int64_t retained = load(&r->region_retained);

	if (!observe(r, now, just_freed)) {
		ask(r, now, kept(r));
		return;
	}
	more += not_negative(taken - not_negative(retained - load(&r->region_retained)));
	give_back(r, total_kept(r, now, more));
	mark_beyond_limit(r);
}

static void look(struct retain *r, int64_t now, int64_t just_freed, int64_t taken, int64_t more)
{
	if (atomic_flag_test_and_set(&r->looking))
		return;
	look_closely(r, now, just_freed, taken, more);
	atomic_flag_clear(&r->looking);
}

/* ---- ticks ---------------------------------------------------------------------------------------- */

int64_t retain_region_live(const struct retain *r)
{
	return not_negative(load(&r->region_live));
}

int64_t retain_kept(const struct retain *r)
{
	return region_retained(r) + load(&r->heap_retained);
}

/* After every change. */
static void note(struct retain *r)
{
	int64_t is = retain_kept(r);

	/* If a rise is lost to another thread's, less is given back. */
	if (is < load(&r->low))
		store(&r->low, is);
	if (is >= RETAIN_UNASKED && r->hooks->watch)
		r->hooks->watch();
}

void retain_begin_ticks(struct retain *r)
{
	r->parts = 0;
	r->part_at = r->hooks->now();
	store(&r->low, retain_kept(r));
}

/* The least that has been kept through all parts; 0 if they have not been yet. */
static int64_t unused(struct retain *r, int64_t now)
{
	int64_t is = load(&r->low);

	/* A tick may come a little early. */
	if (now - r->part_at < r->half_life * 3 / 2 / RETAIN_PARTS - RETAIN_TICK / 4)
		return 0;
	r->part_at = now;
	r->lows[r->parts++ % RETAIN_PARTS] = is;
	store(&r->low, retain_kept(r));
	if (r->parts < RETAIN_PARTS)
		return 0;
	for (int i = 0; i < RETAIN_PARTS; i++)
		is = least(is, r->lows[i]);
	return is;
}

/* The least that has been kept through the last parts, after which it is marked. */
static int64_t unasked(const struct retain *r)
{
	int64_t is = load(&r->low);

	if (r->parts < RETAIN_LAZY_PARTS)
		return 0;
	for (int i = 1; i <= RETAIN_LAZY_PARTS; i++)
		is = least(is, r->lows[(r->parts - i) % RETAIN_PARTS]);
	return is;
}

int64_t retain_tick(struct retain *r)
{
	int64_t now = r->hooks->now();
	int64_t is, goes;

	if (atomic_flag_test_and_set(&r->looking))
		return retain_kept(r);
	r->ticking = true;
	look_closely(r, now, 0, 0, 0);
	r->bounded = false;
	is = retain_kept(r);
	if (is < load(&r->low))
		store(&r->low, is);
	goes = unused(r, now);
	if (goes > 0) {
		give_back(r, is - goes);
		is = retain_kept(r);
		store(&r->low, is);
	}
	goes = unasked(r);
	if (r->hooks->mark_region && goes > retain_lazy(r))
		mark(r, is - goes, false);
	r->ticking = false;
	atomic_flag_clear(&r->looking);
	return is;
}

bool retain_worth_a_glance(const struct retain *r)
{
	return retain_kept(r) > beyond_peak(r) + RETAIN_FLOOR;
}

/* By how much resident memory, when last asked for, exceeded what it may be. */
static int64_t excess(const struct retain *r)
{
	return load(&r->resident) - load(&r->peak) - beyond_peak(r);
}

void retain_glance(struct retain *r)
{
	int64_t is = r->hooks->resident();
	int64_t untold = load(&r->untold);
	int64_t now;

	if (is < 0 || is + r->hooks->uncounted() <= load(&r->peak) + beyond_peak(r) ||
	    atomic_flag_test_and_set(&r->looking))
		return;
	r->ticking = true;
	now = r->hooks->now();
	observe(r, now, 0);
	/* What calls tell of is looked at in those calls. */
	untold = load(&r->untold) - untold;
	if (excess(r) > 0 && untold > RETAIN_UNASKED / 4)
		give_back(r, total_kept(r, now, GLANCE_MORE * untold));
	r->bounded = false;
	r->ticking = false;
	atomic_flag_clear(&r->looking);
}

void retain_others(struct retain *r, int64_t bytes)
{
	if (bytes >= RETAIN_FLOOR && retain_kept(r) > RETAIN_FLOOR)
		look(r, r->hooks->now(), 0, 0, bytes);
}

void retain_absent(struct retain *r, int64_t bytes)
{
	add(&r->region_retained, -bytes);
}

void retain_fork(struct retain *r)
{
	if (retain_kept(r) <= RETAIN_FLOOR || atomic_flag_test_and_set(&r->looking))
		return;
	take_note(r);
	if (retain_kept(r) > RETAIN_FLOOR)
		give_back(r, RETAIN_FLOOR);
	atomic_flag_clear(&r->looking);
}

bool retain_reclaim(struct retain *r, int64_t keep)
{
	if (atomic_flag_test_and_set(&r->looking))
		return false;
	r->ticking = true;
	take_note(r);
	if (retain_kept(r) > keep)
		give_back(r, keep);
	r->ticking = false;
	atomic_flag_clear(&r->looking);
	return true;
}

/* What a thread tells of at once: where little may be kept, each must not keep much unseen. */
static int64_t step(const struct retain *r)
{
	int64_t eighth = load(&r->keepable) ? most_kept(r) / 8 : LARGE_STEP;

	return eighth > LARGE_STEP ? LARGE_STEP : eighth < RETAIN_STEP ? RETAIN_STEP : eighth;
}

void retain_tell(struct retain *r, int64_t *untold)
{
	int64_t now = r->hooks->now();
	bool is_due = due(&r->looked_at, now);
	int64_t told = *untold;
	int64_t last, use;

	if (!is_due && told < LARGE_STEP && told > -step(r))
		return;
	*untold = 0;
	use = add(&r->region_live, told);
	last = load(&r->looked_live);
	if (is_due || use > last + last / 16 + RETAIN_FLOOR || (told < 0 && unmarked(r) > most_kept(r)))
		look(r, now, not_negative(-told), not_negative(told), 0);
	note(r);
}

/* ---- the heap --------------------------------------------------------------------------------------- */

void retain_heap(struct retain *r, int64_t live, int64_t kept)
{
	add(&r->live, live - load(&r->heap_live));
	store(&r->heap_live, live);
	store(&r->heap_retained, kept);
	note(r);
}

void retain_heap_lazy(struct retain *r, int64_t lazy)
{
	store(&r->heap_lazy, lazy);
}

void retain_heap_grew(struct retain *r, int64_t bytes)
{
	int64_t now = r->hooks->now();

	if (region_retained(r) &&
	    (due(&r->looked_at, now) || load(&r->heap_live) > load(&r->looked_heap) + RETAIN_FLOOR))
		look(r, now, 0, 0, bytes);
}

void retain_heap_shrinks(struct retain *r)
{
	int64_t now = r->hooks->now();

	if (due(&r->looked_at, now))
		look(r, now, 0, 0, 0);
}

int64_t retain_heap_allowance(struct retain *r)
{
	int64_t now = r->hooks->now();
	int64_t share_of_it = share(least(allowance(r, now), most_bound(r)), region_retained(r));

	if (load(&r->trim))
		return 0;
	if (unmarked(r) > most_kept(r) && load(&r->asked_at) != now && !atomic_flag_test_and_set(&r->looking)) {
		ask(r, now, kept(r));
		atomic_flag_clear(&r->looking);
	}
	if (!load(&r->keepable) || marks(r))
		return share_of_it;
	return not_negative(least(share_of_it, most_kept(r) - region_retained(r) - load(&r->idle)));
}

int64_t retain_heap_unmarked(const struct retain *r)
{
	int64_t others = unmarked(r) - load(&r->heap_retained) + least(load(&r->heap_lazy), load(&r->heap_retained));

	return marks(r) ? not_negative(most_kept(r) - others) : INT64_MAX;
}

void retain_set_trim(struct retain *r, int64_t bytes)
{
	store(&r->trim, bytes < 0 ? 0 : bytes == INT64_MAX ? bytes : bytes + 1);
}

void retain_trimmed(struct retain *r)
{
	int64_t now = r->hooks->now();

	look(r, now, 0, 0, 0);
	store(&r->peak, load(&r->live));
}

/* ---- purges ----------------------------------------------------------------------------------------- */

int64_t retain_excess(struct retain *r, int64_t idle, int64_t bytes)
{
	int64_t now = r->hooks->now();
	int64_t beyond, limited;

	store(&r->idle, idle);
	if (add(&r->purged, bytes) >= PURGE_STEP || due(&r->sampled_at, now)) {
		store(&r->purged, 0);
		sample(r, now, 0);
		allowance(r, now);
		if (!atomic_flag_test_and_set(&r->looking)) {
			/* A large purge may leave much at once. */
			ask(r, now, kept(r) + bytes);
			atomic_flag_clear(&r->looking);
		}
	}
	beyond = excess(r);
	limited = unmarked(r) + bytes - most_kept(r);
	/* Nobody has asked for limits yet: there is little. */
	return load(&r->keepable) && limited > beyond ? limited : beyond;
}

int64_t retain_peak(const struct retain *r)
{
	return load(&r->peak);
}

void retain_after_fork(struct retain *r)
{
	r->ticking = false;
	r->bounded = false;
	atomic_flag_clear(&r->looking);
}
