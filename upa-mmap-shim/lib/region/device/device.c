/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The region on /dev/upa: addresses and page frames are allocated apart, by two allocators side by side in memory that the module
 * shares (A, the region's own, over addresses; F over frames), and joined by a table with one word per page, frame + 1 or 0.
 *
 *   back end pte      the table is the module's shadow table: the module checks words and sets hardware entries, by
 *                     posix_fadvise() or when a page is touched
 *   back end pte-raw  the table is this process's own notes; the hardware entries beside it are stored here as well
 *
 * Invariants:
 *   - A word is written only by who holds its page in A. Handing a page on through A hands on its word.
 *   - A frame of the pool is free in F, or stands in exactly one word, or is in the hands of the one call that moves it.
 *   - Every allocated page has a frame, but within the call that allocates or frees it.
 *   - A free page with a frame is "still mapped here": its unmapping is deferred. A's record of old bytes is the record of that:
 *     stale or zeroed means a frame, absent means none; so A's preference for populated pages is the preference for these.
 *   - A frame leaves its word, then all TLBs (UPADEV_UNMAP or fsync()), then goes back to F.
 *   - Frames enter the pool zeroed, absent in F. What F has had back is stale.
 *
 * Memory for a request comes from: pages of A that have frames; frames free in F; frames of free pages elsewhere ("scavenge", one
 * shoot-down for up to 128 ranges); a larger pool. Only growing and shrinking the pool take a lock, since the module's
 * call sets an absolute size; a signal handler that interrupts its holder does without.
 */
#define _GNU_SOURCE
#include "region/device/device.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "os/clear.h"
#include "os/os.h"

#include "../../../../kernel-ext/include/uapi/upa.h"

#define DEVICE "/dev/upa"

struct device_region {
	struct upa_llfree frames;    /* F */
	uint32_t *words;             /* frame + 1, or 0, of each page */
	volatile uint64_t *tables;   /* pte-raw: hardware entries of pages */
	const uint64_t *entries;     /* pte-raw: hardware entries of frames */
	int fd;
	pid_t owner;                 /* process whose mappings these are */
	size_t data_bytes, words_bytes, tables_bytes, entries_bytes, state_bytes;
	uint64_t max_frames, max_deferred;
	bool reclaim;                /* the module may take frames that stand in no word: UPADEV_CREATE_RECLAIM */
	_Atomic uint64_t pool;       /* frames in the pool: 0 .. pool - 1 */
	_Atomic int resizer;         /* thread that resizes the pool, or 0 */

	/* Counted where they change; not exact in between. */
	_Atomic int64_t free_frames __attribute__((aligned(64)));
	_Atomic int64_t deferred __attribute__((aligned(64)));

	/* Between the two handlers of a fork, see there. */
	char *copy_of_data, *copy_of_state;
	size_t copy_bytes;
};

static uint32_t word(const struct device_region *p, uint64_t page)
{
	return __atomic_load_n(&p->words[page], __ATOMIC_RELAXED);
}

static void set_word(struct device_region *p, uint64_t page, uint32_t w)
{
	__atomic_store_n(&p->words[page], w, __ATOMIC_RELAXED);
	if (p->tables)
		p->tables[page] = w ? p->entries[w - 1] : 0;
}

static int64_t load(const _Atomic int64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void change(_Atomic int64_t *n, int64_t by)
{
	atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

/* The first page in at .. end-1 with a frame, or without; end if there is none. Sure only of pages the caller holds. */
static uint64_t next_word(const struct upa_region *r, uint64_t at, uint64_t end, bool frame)
{
	while (at < end && !word(r->pte, at) == frame)
		at++;
	return at;
}

/* The same for pages that are free, or that the caller has just taken: A knows of whole children. */
static uint64_t next_free_word(const struct upa_region *r, uint64_t at, uint64_t end, bool frame)
{
	while (at < end) {
		uint64_t stop = (at / UPA_CHILD_PAGES + 1) * UPA_CHILD_PAGES;
		int state = at % UPA_CHILD_PAGES || stop > end ? (int)UPA_MIXED : upa_llfree_child_state(&r->llfree, at);

		if (state == (int)UPA_MIXED || frame == (state != (int)UPA_ABSENT)) {
			at = next_word(r, at, stop < end ? stop : end, frame);
			if (at < stop)
				return at;
		} else {
			at = stop;
		}
	}
	return end;
}

/* ---- what the module does --------------------------------------------------------------------- */

static int call(const struct device_region *p, unsigned long request, const void *argument)
{
	return (int)os_call(SYS_ioctl, p->fd, (long)request, (long)argument, 0, 0, 0);
}

/* The device answers 1, so that another file that got its number is not taken for it. 0 or -errno. */
static int done(long result)
{
	return result == UPADEV_DONE ? 0 : result < 0 ? (int)result : -ENOTTY;
}

static int advise(const struct device_region *p, struct upadev_range range, int advice)
{
	return done(os_call(SYS_fadvise64, p->fd, (long)(range.page * PAGE_BYTES), (long)(range.count * PAGE_BYTES), advice, 0, 0));
}

/*
 * Installs what the words say, where nothing is installed. Should the call fail, each page will be installed when it is touched.
 * Raw entries are in place already: from absent to present needs no call, but the stores must be done before the pages are touched, since
 * a page walk does not look into the store buffer.
 */
static void install(struct device_region *p, uint64_t first, uint64_t pages)
{
	struct upadev_range range = { .page = first, .count = pages };

	if (p->tables)
		__sync_synchronize(); /* ThreadSanitizer knows no atomic_thread_fence() */
	else
		advise(p, range, POSIX_FADV_WILLNEED);
}

/* After it no thread reaches the frames that stood in words now changed. 0 or -errno. */
static int shoot_down(struct device_region *p, const struct upadev_range *ranges, uint32_t n)
{
	struct upadev_batch batch = { .ranges = (uintptr_t)ranges, .count = n };

	if (p->tables)
		return done(os_call(SYS_fsync, p->fd, 0, 0, 0, 0, 0));
	return n == 1 ? advise(p, ranges[0], POSIX_FADV_DONTNEED) : call(p, UPADEV_UNMAP, &batch);
}

/* ---- taking frames away from pages ------------------------------------------------------------ */

#define MAX_RANGES 128u
#define MAX_RUNS 256u

/* Frames on their way from words to F, and the pages they came from, in the same order. 4 KiB, on the stack of a signal handler even. */
struct detached {
	uint32_t ranges, runs;
	uint64_t total;
	struct upadev_range range[MAX_RANGES];
	struct {
		uint32_t first, count;
	} run[MAX_RUNS];
};

static void detached_start(struct detached *d)
{
	d->ranges = d->runs = 0;
	d->total = 0;
}

/* Empties the words of pages the caller holds, all of which have frames, as far as there is room. Returns how many. */
static uint64_t detach(struct device_region *p, struct detached *d, uint64_t first, uint64_t pages)
{
	uint64_t n;

	if (d->ranges == MAX_RANGES)
		return 0;
	for (n = 0; n < pages; n++) {
		uint32_t frame = word(p, first + n) - 1;

		if (d->runs && d->run[d->runs - 1].first + d->run[d->runs - 1].count == frame)
			d->run[d->runs - 1].count++;
		else if (d->runs == MAX_RUNS)
			break;
		else
			d->run[d->runs++] = (typeof(d->run[0])){ frame, 1 };
		set_word(p, first + n, 0);
	}
	if (n)
		d->range[d->ranges++] = (struct upadev_range){ first, n };
	d->total += n;
	return n;
}

/*
 * Shoots down what has been detached, then frees frames and pages. If the call fails, which it does when the program has closed the
 * descriptor, the pages get their frames back and are freed with them.
 */
static int detached_finish(struct upa_region *r, struct detached *d)
{
	struct device_region *p = r->pte;
	int error = d->ranges ? shoot_down(p, d->range, d->ranges) : 0;
	uint32_t run = 0, used = 0;

	for (uint32_t i = 0; i < d->ranges; i++) {
		for (uint64_t page = 0; error && page < d->range[i].count; page++) {
			set_word(p, d->range[i].page + page, d->run[run].first + used + 1);
			if (++used == d->run[run].count) {
				run++;
				used = 0;
			}
		}
		upa_llfree_put_run(&r->llfree, upa_region_slot(), d->range[i].page, d->range[i].count, error ? 0 : UPA_PUT_ABSENT);
	}
	for (uint32_t i = 0; !error && i < d->runs; i++)
		upa_llfree_put_run(&p->frames, upa_region_slot(), d->run[i].first, d->run[i].count, 0);
	change(error ? &p->deferred : &p->free_frames, (int64_t)d->total);
	detached_start(d);
	return error;
}

/* Frees pages the caller holds, without their frames: they go into d. On failure the pages are free as well, with their frames. */
static int detach_held(struct upa_region *r, struct detached *d, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;

	while (first < end) {
		uint64_t stop = next_word(r, first, end, true);
		uint64_t n;
		int error;

		if (stop > first) {
			/* Counted as deferred by a caller who thought they had frames. */
			upa_llfree_put_run(&r->llfree, upa_region_slot(), first, stop - first, UPA_PUT_ABSENT);
			change(&r->pte->deferred, (int64_t)(stop - first));
			first = stop;
			continue;
		}
		stop = next_word(r, first, end, false);
		n = detach(r->pte, d, first, stop - first);
		first += n;
		error = n ? 0 : detached_finish(r, d);
		if (error) {
			upa_llfree_put_run(&r->llfree, upa_region_slot(), first, end - first, 0);
			change(&r->pte->deferred, (int64_t)(end - first));
			return error;
		}
	}
	return 0;
}

/* Takes the frames of free pages of one child. Returns how many, or -errno. */
static int64_t scavenge_child(struct upa_region *r, struct detached *d, uint64_t child, uint64_t most)
{
	uint64_t at = child * UPA_CHILD_PAGES;
	uint64_t end = at + UPA_CHILD_PAGES < r->llfree.pages ? at + UPA_CHILD_PAGES : r->llfree.pages;
	uint64_t total = 0;
	uint64_t length;
	int64_t page;

	while (total < most && at < end && (page = upa_llfree_next(&r->llfree, at, end - at, true, &length)) >= 0) {
		at = (uint64_t)page + length;
		for (uint64_t first = next_free_word(r, (uint64_t)page, at, true), stop; first < at && total < most;
		     first = next_free_word(r, stop, at, true)) {
			int error;

			for (stop = first + 1; stop < at && stop - first < most - total && word(r->pte, stop);)
				stop++;
			if (upa_llfree_get_at(&r->llfree, upa_region_slot(), first, stop - first))
				continue;
			ADD(r, internal_gets, 1);
			change(&r->pte->deferred, -(int64_t)(stop - first));
			error = detach_held(r, d, first, stop - first);
			if (error)
				return error;
			total += stop - first;
		}
	}
	return (int64_t)total;
}

/* A shoot-down costs what a hundred pages do: not for fewer than this. */
#define LEAST_SCAVENGE 512u

/* Takes frames of free pages, from the far end: what stays is where searches begin. Returns how many are free now that were not. */
static uint64_t scavenge(struct upa_region *r, uint64_t want)
{
	struct detached d;
	uint64_t total = 0;

	detached_start(&d);
	if (want < LEAST_SCAVENGE)
		want = LEAST_SCAVENGE;
	for (uint64_t c = upa_llfree_touched_children(&r->llfree); c-- && total < want;) {
		int64_t n = upa_llfree_child_state(&r->llfree, c * UPA_CHILD_PAGES) == UPA_ABSENT ? 0 : scavenge_child(r, &d, c, want - total);

		if (n < 0)
			return 0;
		total += (uint64_t)n;
	}
	return detached_finish(r, &d) ? 0 : total;
}

/* ---- the pool --------------------------------------------------------------------------------- */

/* False only for a signal handler whose thread is at it already. Nobody holds it for longer than the module takes. */
static bool lock_pool(struct device_region *p)
{
	int self = (int)os_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
	int holder = 0;

	while (!atomic_compare_exchange_weak_explicit(&p->resizer, &holder, self, memory_order_acquire, memory_order_relaxed)) {
		struct timespec moment = { .tv_nsec = 20000 };

		if (holder == self)
			return false;
		if (holder)
			os_call(SYS_nanosleep, (long)&moment, 0, 0, 0, 0, 0);
		holder = 0;
	}
	return true;
}

static void unlock_pool(struct device_region *p)
{
	atomic_store_explicit(&p->resizer, 0, memory_order_release);
}

static bool resize_pool(struct device_region *p, uint64_t frames)
{
	struct upadev_resize request = { .frames = frames };

	if (call(p, UPADEV_RESIZE, &request))
		return false;
	atomic_store_explicit(&p->pool, frames, memory_order_relaxed);
	return true;
}

/* Until so many frames are free; by an eighth at least, to be asked less often. */
static bool grow(struct device_region *p, uint64_t wanted)
{
	uint64_t pool, room, more, need;
	bool done = false;

	if (!lock_pool(p))
		return false;
	if (load(&p->free_frames) >= (int64_t)wanted) {
		unlock_pool(p);
		return true;
	}
	need = wanted - (uint64_t)(load(&p->free_frames) > 0 ? load(&p->free_frames) : 0);
	pool = atomic_load_explicit(&p->pool, memory_order_relaxed);
	room = p->max_frames - pool;
	need = round_up(need, UPA_CHILD_PAGES);
	more = round_up(pool / 8 > need ? pool / 8 : need, UPA_CHILD_PAGES);
	if (more > room)
		more = room;
	if (need <= room && need) {
		done = resize_pool(p, pool + more);
		if (!done && more > need) {
			more = need;
			done = resize_pool(p, pool + more);
		}
	}
	if (done) {
		upa_llfree_put_run(&p->frames, upa_region_slot(), pool, more, UPA_PUT_ABSENT);
		change(&p->free_frames, (int64_t)more);
	}
	unlock_pool(p);
	return done;
}

/* Makes more frames free, `wanted` in all if it can. False if it cannot make any. */
static bool more_frames(struct upa_region *r, uint64_t wanted)
{
	int64_t free = load(&r->pte->free_frames);

	return (load(&r->pte->deferred) > 0 && scavenge(r, wanted - (uint64_t)(free > 0 && free < (int64_t)wanted ? free : 0))) ||
	       grow(r->pte, wanted);
}

/* Has the module take back what stands in no word, up to so many frames. Returns how many; *gone are without memory then. */
static int64_t reclaim(const struct device_region *p, uint64_t pages, int64_t *gone)
{
	struct upadev_reclaim request = { .pages = pages };

	if (!p->reclaim || call(p, UPADEV_RECLAIM, &request))
		request.reclaimed = request.gone = 0;
	*gone = (int64_t)request.gone;
	return (int64_t)request.reclaimed;
}

int64_t upa_pte_give_back(struct upa_region *r, uint64_t retain)
{
	struct device_region *p = r->pte;
	uint64_t before, pool;
	int64_t excess, gone, still, given;

	/* The module cannot know what raw tables still hold. */
	if (p->tables)
		return 0;
	reclaim(p, 0, &gone);
	excess = load(&p->free_frames) + load(&p->deferred) - gone - (int64_t)(retain > p->max_frames ? p->max_frames : retain);
	if (excess < (int64_t)UPA_CHILD_PAGES || !lock_pool(p))
		return 0;
	if (load(&p->free_frames) - gone < excess)
		scavenge(r, (uint64_t)(excess - load(&p->free_frames) + gone));
	before = pool = atomic_load_explicit(&p->pool, memory_order_relaxed);
	while (pool && before - pool + UPA_CHILD_PAGES <= (uint64_t)excess &&
	       !upa_llfree_get_at(&p->frames, upa_region_slot(), pool - UPA_CHILD_PAGES, UPA_CHILD_PAGES))
		pool -= UPA_CHILD_PAGES;
	if (pool < before && resize_pool(p, pool)) {
		change(&p->free_frames, (int64_t)pool - (int64_t)before);
	} else if (pool < before) {
		upa_llfree_put_run(&p->frames, upa_region_slot(), pool, before - pool, 0);
		pool = before;
	}
	unlock_pool(p);
	given = (int64_t)(before - pool);
	if (p->reclaim) {
		/* Of those some had no memory any more. */
		reclaim(p, 0, &still);
		given -= gone > still ? gone - still : 0;
		if (excess - given >= (int64_t)UPA_CHILD_PAGES)
			given += reclaim(p, (uint64_t)(excess - given), &still);
	}
	return given;
}

/* ---- map and unmap ---------------------------------------------------------------------------- */

/* Puts frames behind pages without any. On failure those from *at on are without. */
static bool attach(struct upa_region *r, uint64_t *at, uint64_t end, uint32_t flags)
{
	struct device_region *p = r->pte;
	uint64_t most = end - *at;

	while (*at < end) {
		uint64_t n = end - *at < most ? end - *at : most;
		/* Frames fresh from the kernel are zero, and no dearer than others. */
		int64_t frame = upa_llfree_get_run(&p->frames, upa_region_slot(), n, flags & UPA_MAP_ZEROS ? UPA_GET_ABSENT : 0);

		if (frame < 0 && n > 1) {
			most = n > UPA_CHILD_PAGES ? UPA_CHILD_PAGES : n / 2;
		} else if (frame < 0) {
			if (!more_frames(r, end - *at))
				return false;
			most = end - *at;
		} else {
			change(&p->free_frames, -(int64_t)n);
			for (uint64_t i = 0; i < n; i++)
				__atomic_store_n(&p->words[*at + i], (uint32_t)(frame + (int64_t)i + 1), __ATOMIC_RELAXED);
			for (uint64_t i = 0; p->tables && i < n; i++)
				p->tables[*at + i] = p->entries[frame + (int64_t)i];
			*at += n;
		}
	}
	return true;
}

/* Pages of a run just taken that have no frames. */
static uint64_t count_empty(const struct upa_region *r, uint64_t first, uint64_t end)
{
	uint64_t total = 0;

	while ((first = next_free_word(r, first, end, false)) < end) {
		uint64_t stop = next_free_word(r, first, end, true);

		total += stop - first;
		first = stop;
	}
	return total;
}

/* Frees a run of which some pages have frames. Returns how many. */
static uint64_t put_mixed(struct upa_region *r, uint64_t first, uint64_t end)
{
	uint64_t total = 0;

	while (first < end) {
		bool frame = word(r->pte, first);
		uint64_t stop = next_word(r, first, end, !frame);

		total += frame ? stop - first : 0;
		upa_llfree_put_run(&r->llfree, upa_region_slot(), first, stop - first, frame ? 0 : UPA_PUT_ABSENT);
		first = stop;
	}
	return total;
}

static uint64_t zero(const struct upa_region *r, uint64_t first, uint64_t pages)
{
	upa_clear(address_of(r, first), pages * PAGE_BYTES);
	return pages;
}

/* Zeros those of a run of pages whose frames F had back before. */
static uint64_t zero_used_frames(const struct upa_region *r, uint64_t first, uint64_t end)
{
	const struct device_region *p = r->pte;
	uint64_t zeroed = 0;

	while (first < end) {
		uint64_t frame = word(p, first) - 1;
		uint64_t n = 1, length;
		int64_t stale;

		while (first + n < end && word(p, first + n) == frame + n + 1)
			n++;
		for (uint64_t at = 0; at < n && (stale = upa_llfree_next_stale(&p->frames, frame + at, n - at, &length)) >= 0;
		     at = (uint64_t)stale - frame + length)
			zeroed += zero(r, first + (uint64_t)stale - frame, length);
		first += n;
	}
	return zeroed;
}

/* Zeros what is not zero of a run: pages that had frames and old bytes, and frames, if any are new, that had been elsewhere. */
static void clear(const struct upa_region *r, uint64_t first, uint64_t end, bool new_frames)
{
	uint64_t zeroed = 0;

	while (first < end) {
		uint64_t length = 0;
		int64_t page = upa_llfree_next_stale(&r->llfree, first, end - first, &length);
		uint64_t stale = page < 0 ? end : (uint64_t)page;

		if (new_frames)
			zeroed += zero_used_frames(r, first, stale);
		if (stale < end)
			zeroed += zero(r, stale, length);
		first = stale + length;
	}
	if (zeroed)
		ADD(r, cleared_pages, zeroed);
}

static bool supply_frames(struct upa_region *r, uint64_t first, uint64_t end, uint64_t empty, uint32_t flags)
{
	struct device_region *p = r->pte;
	uint64_t from = next_free_word(r, first, end, false);
	uint64_t at = from;

	/* Nothing is scavenged in vain. */
	if ((int64_t)empty > load(&p->free_frames) + (load(&p->deferred) > 0 ? load(&p->deferred) : 0) +
			    (int64_t)(p->max_frames - atomic_load_explicit(&p->pool, memory_order_relaxed)))
		return false;
	while (load(&p->free_frames) < (int64_t)empty)
		if (!more_frames(r, empty))
			return false;
	while (at < end) {
		if (!attach(r, &at, next_free_word(r, at, end, true), flags))
			return false;
		at = next_free_word(r, at, end, false);
	}
	install(p, from, end - from);
	return true;
}

int upa_pte_supply(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags)
{
	uint64_t end = first + pages;
	uint64_t empty = count_empty(r, first, end);

	if (empty < pages)
		change(&r->pte->deferred, -(int64_t)(pages - empty));
	if (empty && !supply_frames(r, first, end, empty, flags)) {
		change(&r->pte->deferred, (int64_t)put_mixed(r, first, end));
		return -ENOMEM;
	}
	if (flags & UPA_MAP_ZEROS)
		clear(r, first, end, empty);
	return 0;
}

/* More pages without a mapping than may keep one: these lose theirs. */
static int unmap_now(struct upa_region *r, uint64_t first, uint64_t pages)
{
	struct detached d;
	uint64_t length;

	if (upa_llfree_next(&r->llfree, first, pages, true, &length) >= 0)
		return -EINVAL;
	detached_start(&d);
	if (!detach_held(r, &d, first, pages))
		detached_finish(r, &d);
	return 0;
}

int upa_pte_unmap(struct upa_region *r, uint64_t first, uint64_t pages)
{
	struct device_region *p = r->pte;
	int error;

	if (load(&p->deferred) + (int64_t)pages > (int64_t)p->max_deferred)
		return unmap_now(r, first, pages);
	error = upa_llfree_put_run(&r->llfree, upa_region_slot(), first, pages, 0);
	if (!error)
		change(&p->deferred, (int64_t)pages);
	return error;
}

int upa_pte_populate(struct upa_region *r, uint64_t first)
{
	int error = upa_pte_supply(r, first, UPA_CHILD_PAGES, UPA_MAP_ZEROS);

	if (error)
		return error;
	change(&r->pte->deferred, UPA_CHILD_PAGES);
	return upa_llfree_put_run(&r->llfree, upa_region_slot(), first, UPA_CHILD_PAGES, UPA_PUT_ZEROED);
}

/* ---- relocating ------------------------------------------------------------------------------- */

/*
 * Exchanges the frames of two runs. True if the second had any. A frame of the first stands in its new word before it leaves its
 * old one: the module takes what stands in none.
 */
static bool swap_words(struct device_region *p, uint64_t a, uint64_t b, uint64_t pages)
{
	bool any = false;

	for (uint64_t i = 0; i < pages; i++) {
		uint32_t w = word(p, b + i);

		any |= w != 0;
		__atomic_store_n(&p->words[b + i], word(p, a + i), __ATOMIC_RELAXED);
		__atomic_store_n(&p->words[a + i], w, __ATOMIC_RELEASE);
	}
	return any;
}

static void set_tables(struct device_region *p, uint64_t first, uint64_t pages, bool empty)
{
	for (uint64_t i = first; p->tables && i < first + pages; i++) {
		uint32_t w = empty ? 0 : word(p, i);

		p->tables[i] = w ? p->entries[w - 1] : 0;
	}
}

/* Exchanges the frames behind two runs the caller holds. 0, or -errno with nothing done. */
static int swap(struct upa_region *r, uint64_t from, uint64_t to, uint64_t pages)
{
	struct device_region *p = r->pte;
	struct upadev_range both[2] = { { .page = from, .count = pages }, { .page = to, .count = pages } };
	bool any = swap_words(p, from, to, pages);
	int error;

	/* No page may have two frames, not even for an instant and to a thread that should not look. */
	set_tables(p, from, pages, true);
	set_tables(p, to, pages, true);
	error = shoot_down(p, both, any ? 2 : 1);
	if (error)
		swap_words(p, to, from, pages);
	set_tables(p, from, pages, false);
	set_tables(p, to, pages, false);
	install(p, to, pages);
	return error;
}

void *upa_pte_relocate(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages, uint32_t flags)
{
	/* The block brings its frames along; what it grows by needs some: rather those still at a free place than a scavenge of the same. */
	bool spare = load(&r->pte->free_frames) >= (int64_t)(new_pages - old_pages);
	int64_t page = upa_llfree_get_run(&r->llfree, upa_region_slot(), new_pages, spare ? UPA_GET_ABSENT : 0);
	uint64_t to = (uint64_t)page;
	int error = page < 0 ? (int)page : 0;

	if (!error) {
		error = upa_pte_supply(r, to + old_pages, new_pages - old_pages, flags);
		if (error)
			upa_llfree_put_run(&r->llfree, upa_region_slot(), to, old_pages, UPA_PUT_UNTOUCHED);
	}
	if (!error) {
		error = swap(r, first, to, old_pages);
		if (error) {
			upa_llfree_put_run(&r->llfree, upa_region_slot(), to, old_pages, UPA_PUT_UNTOUCHED);
			upa_pte_unmap(r, to + old_pages, new_pages - old_pages);
			error = -ENOMEM;
		}
	}
	if (error) {
		errno = -error;
		return NULL;
	}
	/* What frames the target had are here now, and count as deferred all the while. */
	put_mixed(r, first, first + old_pages);
	ADD(r, moved_pages, old_pages);
	return address_of(r, to);
}

/* ---- making and unmaking ---------------------------------------------------------------------- */

static int map_part(void **out, void *address, size_t bytes, int protection, int flags, int fd, uint64_t offset)
{
	long result = bytes ? os_mmap(address, bytes, protection, flags, fd, (off_t)offset) : 0;

	if (os_failed(result))
		return (int)result;
	*out = (void *)result;
	return 0;
}

#define ANONYMOUS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* The data, 2 MiB-aligned. */
static int map_data(struct upa_region *r)
{
	struct device_region *p = r->pte;
	void *wide, *data;
	char *base, *end;
	int error = map_part(&wide, NULL, p->data_bytes + CHILD_BYTES, PROT_NONE, ANONYMOUS, -1, 0);

	if (error)
		return error;
	base = (char *)round_up((uintptr_t)wide, CHILD_BYTES);
	end = (char *)wide + p->data_bytes + CHILD_BYTES;
	error = map_part(&data, base, p->data_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, p->fd, UPADEV_MAP_DATA);
	if (error) {
		os_munmap(wide, (size_t)(end - (char *)wide));
		return error;
	}
	if (base > (char *)wide)
		os_munmap(wide, (size_t)(base - (char *)wide));
	os_munmap(base + p->data_bytes, (size_t)(end - base) - p->data_bytes);
	r->base = data;
	return 0;
}

static int map_parts(struct upa_region *r, const struct upadev_create *made)
{
	struct device_region *p = r->pte;
	bool raw = made->mode != UPADEV_GUARDED;
	void *part = NULL;
	int error = map_data(r);

	if (error)
		return error;
	error = map_part(&part, NULL, p->state_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, UPADEV_MAP_STATE);
	if (error)
		return error;
	r->header = part;
	error = raw ? map_part(&part, NULL, p->words_bytes, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0) :
		      map_part(&part, NULL, p->words_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, UPADEV_MAP_SHADOW);
	if (error)
		return error;
	p->words = part;
	if (!raw)
		return 0;
	error = map_part(&part, NULL, p->entries_bytes, PROT_READ, MAP_SHARED, p->fd, UPADEV_MAP_ENTRIES);
	if (error)
		return error;
	p->entries = part;
	error = map_part(&part, NULL, p->tables_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, UPADEV_MAP_TABLES);
	if (!error)
		p->tables = part;
	return error;
}

static void unmap_parts(struct device_region *p)
{
	if (p->tables)
		os_munmap((void *)(uintptr_t)p->tables, p->tables_bytes);
	if (p->entries)
		os_munmap((void *)(uintptr_t)p->entries, p->entries_bytes);
	if (p->words)
		os_munmap(p->words, p->words_bytes);
	if (p->fd >= 0)
		os_call(SYS_close, p->fd, 0, 0, 0, 0, 0);
	os_munmap(p, PAGE_BYTES);
}

static int make(struct upa_region *r, const struct upa_region_options *options)
{
	uint64_t half = (uint64_t)sysconf(_SC_PHYS_PAGES) / 2;
	uint64_t pool = round_up(options->pool_bytes, CHILD_BYTES) / PAGE_BYTES;
	uint64_t most = round_up(options->max_pool_bytes ? options->max_pool_bytes : half * PAGE_BYTES, CHILD_BYTES) / PAGE_BYTES;
	size_t frames_bytes = upa_llfree_state_size(most, r->slots);
	struct upadev_info info;
	struct device_region *p = r->pte;
	int error;

	if (!frames_bytes || pool > most)
		return -EINVAL;
	p->fd = (int)os_call(SYS_openat, AT_FDCWD, (long)(options->device ? options->device : DEVICE), O_RDWR | O_CLOEXEC, 0, 0, 0);
	if (p->fd < 0)
		return p->fd;
	error = call(p, UPADEV_INFO, &info);
	if (error)
		return error == -ENOTTY ? -ENODEV : error;
	if (info.version != UPADEV_ABI_VERSION)
		return -EPROTO;

	r->metadata_bytes = round_up(r->metadata_bytes, PAGE_BYTES);
	p->state_bytes = r->metadata_bytes + round_up(frames_bytes, PAGE_BYTES);
	struct upadev_create made = {
		.version = UPADEV_ABI_VERSION,
		.mode = options->backend == UPA_BACKEND_PTE_RAW ? UPADEV_RAW_PTE : UPADEV_GUARDED,
		.flags = options->flags & UPA_REGION_RECLAIM ? UPADEV_CREATE_RECLAIM : 0,
		.pages = r->bytes / PAGE_BYTES,
		.frames = pool,
		.max_frames = most,
		.state_bytes = p->state_bytes,
	};
	/* Raw: a signal that comes meanwhile. */
	do
		error = call(p, UPADEV_CREATE, &made);
	while (error == -EINTR);
	if (error)
		return error;
	p->data_bytes = made.data_bytes;
	p->words_bytes = made.shadow_bytes ? made.shadow_bytes : round_up(made.pages * sizeof(*p->words), PAGE_BYTES);
	p->entries_bytes = made.entries_bytes;
	p->tables_bytes = made.tables_bytes;
	p->max_frames = most;
	p->reclaim = made.flags & UPADEV_CREATE_RECLAIM;
	p->max_deferred = options->max_deferred_bytes / PAGE_BYTES;
	p->pool = pool;
	p->free_frames = (int64_t)pool;
	error = map_parts(r, &made);
	if (!error)
		error = upa_llfree_init(&p->frames, (char *)r->header + r->metadata_bytes, p->state_bytes - r->metadata_bytes, most, r->slots);
	/* Frames that are not in the pool count as taken. */
	if (!error && pool < most)
		error = upa_llfree_get_at(&p->frames, 0, pool, most - pool);
	r->metadata_bytes = p->state_bytes;
	return error;
}

/* Regions whose pages a fork has to copy. */
#define MOST_REGIONS 64

static struct upa_region *_Atomic watched[MOST_REGIONS];

static bool watch(struct upa_region *r)
{
	for (int i = 0; i < MOST_REGIONS; i++) {
		struct upa_region *none = NULL;

		if (atomic_compare_exchange_strong(&watched[i], &none, r))
			return true;
	}
	return false;
}

static void unwatch(struct upa_region *r)
{
	for (int i = 0; i < MOST_REGIONS; i++) {
		struct upa_region *it = r;

		atomic_compare_exchange_strong(&watched[i], &it, NULL);
	}
}

int upa_pte_open(struct upa_region *r, const struct upa_region_options *options)
{
	void *handle = NULL;
	int error = upa_pte_watch_forks();

	_Static_assert(sizeof(struct device_region) <= PAGE_BYTES, "one page");
	if (!error)
		error = map_part(&handle, NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0);
	if (error)
		return error;
	r->pte = handle;
	r->pte->fd = -1;
	r->pte->owner = getpid();
	r->kind = REGION_PTE;
	error = make(r, options);
	if (!error && !watch(r))
		error = -EMFILE;
	if (error)
		upa_pte_close(r);
	return error;
}

void upa_pte_close(struct upa_region *r)
{
	struct device_region *p = r->pte;

	unwatch(r);
	if (r->base)
		os_munmap(r->base, p->data_bytes);
	if (r->header)
		os_munmap(r->header, p->state_bytes);
	unmap_parts(p);
	r->pte = NULL;
}

/* ---- leaving the device, and fork -------------------------------------------------------------- */

/*
 * A forked child has no mapping of the device. So the parent copies the allocator's state, then all pages in use according to that, to
 * anonymous memory, before it forks; the child moves its copy to where the originals were, and has an ordinary private region from then on.
 * Other threads stay at work meanwhile: what they write between the copy and the fork is not in the child, which may not rely
 * on it anyway.
 *
 * In the same way a process with one thread turns its region into anonymous memory when it asks for what the device cannot do.
 */

static int count_threads(void)
{
	struct stat st;

	/* Two links, and one for each thread. */
	return os_stat("/proc/self/task", &st) ? 0 : (int)st.st_nlink - 2;
}

/* By way of the kernel, which stops where another thread has just taken the frame away, while we would get a SIGBUS. */
static void copy_carefully(long memory, char *to, const char *from, size_t bytes)
{
	while (bytes) {
		long n = os_call(SYS_pwrite64, memory, (long)from, (long)bytes, (long)to, 0, 0);

		n = n > 0 ? n : (long)PAGE_BYTES;
		n = n < (long)bytes ? n : (long)bytes;
		to += n;
		from += n;
		bytes -= (size_t)n;
	}
}

static struct upa_llfree moved_view(const struct upa_llfree *a, ptrdiff_t by)
{
	struct upa_llfree copy = *a;

	copy.state = (char *)a->state + by;
	copy.slot = (char *)a->slot + by;
	copy.tree = (char *)a->tree + by;
	copy.child = (char *)a->child + by;
	copy.bitmap = (char *)a->bitmap + by;
	return copy;
}

static int copy_out(struct upa_region *r, size_t bytes, bool threads)
{
	struct device_region *p = r->pte;
	void *data = NULL, *state = NULL;
	struct upa_llfree copy;
	long memory = threads ? os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/mem", O_RDWR | O_CLOEXEC, 0, 0, 0) : -1;
	uint64_t length;
	int64_t page;
	int error = threads && os_failed(memory) ? (int)memory : map_part(&data, NULL, bytes, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0);

	if (!error)
		error = map_part(&state, NULL, p->state_bytes, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0);
	if (error) {
		if (data)
			os_munmap(data, bytes);
		goto out;
	}
	memcpy(state, r->header, r->metadata_bytes);
	copy = moved_view(&r->llfree, (char *)state - (char *)r->header);
	/* Threads may have been in the middle of something, word by word. */
	if (threads)
		upa_llfree_recover(&copy);
	for (uint64_t at = 0; at < copy.pages && (page = upa_llfree_next(&copy, at, copy.pages - at, false, &length)) >= 0;
	     at = (uint64_t)page + length) {
		char *to = (char *)data + (uint64_t)page * PAGE_BYTES;

		if (threads)
			copy_carefully(memory, to, address_of(r, (uint64_t)page), length * PAGE_BYTES);
		else
			memcpy(to, address_of(r, (uint64_t)page), length * PAGE_BYTES);
	}
	p->copy_of_data = data;
	p->copy_of_state = state;
	p->copy_bytes = bytes;
out:
	if (threads && !os_failed(memory))
		os_call(SYS_close, memory, 0, 0, 0, 0, 0);
	return error;
}

static void drop_copy(struct device_region *p)
{
	if (p->copy_of_data) {
		os_munmap(p->copy_of_data, p->copy_bytes);
		os_munmap(p->copy_of_state, p->state_bytes);
	}
	p->copy_of_data = p->copy_of_state = NULL;
}

/* Moves the copy to where the region is, whose addresses and pointers stay as they are. */
static int move_in(struct upa_region *r)
{
	struct device_region *p = r->pte;
	long data = os_mremap(p->copy_of_data, p->copy_bytes, p->copy_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, r->base);
	long state;

	if (os_failed(data))
		return (int)data;
	state = os_mremap(p->copy_of_state, p->state_bytes, p->state_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, r->header);
	if (os_failed(state))
		return (int)state;
	if (p->copy_bytes > r->bytes)
		os_munmap(r->base + r->bytes, p->copy_bytes - r->bytes);
	os_name(r->base, r->bytes, "upa region");
	r->kind = REGION_PRIVATE;
	r->prepares = 0;
	r->pte = NULL;
	return 0;
}

int upa_pte_leave(struct upa_region *r)
{
	struct device_region *p = r->pte;
	int error;

	/* Others would lose what they write meanwhile. A child of vfork() uses memory that is not its own. */
	if (count_threads() != 1 || getpid() != p->owner)
		return -EOPNOTSUPP;
	error = copy_out(r, p->data_bytes, false);
	if (!error)
		error = move_in(r);
	if (error) {
		drop_copy(p);
		return -EOPNOTSUPP;
	}
	unwatch(r);
	unmap_parts(p);
	return 0;
}

static void before_fork(void)
{
	for (int i = 0; i < MOST_REGIONS; i++) {
		struct upa_region *r = atomic_load(&watched[i]);

		if (r)
			copy_out(r, r->bytes, count_threads() != 1);
	}
}

static void after_fork(void)
{
	for (int i = 0; i < MOST_REGIONS; i++) {
		struct upa_region *r = atomic_load(&watched[i]);

		if (r)
			drop_copy(r->pte);
	}
}

/* Without a copy, for want of memory, a touch of the region is a SIGSEGV. */
static void in_child(void)
{
	for (int i = 0; i < MOST_REGIONS; i++) {
		struct upa_region *r = atomic_exchange(&watched[i], NULL);
		struct device_region *p = r ? r->pte : NULL;

		if (!p || !p->copy_of_data || move_in(r))
			continue;
		p->tables = NULL;
		p->entries = NULL;
		p->words = NULL;
		unmap_parts(p);
	}
}

int upa_pte_watch_forks(void)
{
	static _Atomic bool done;

	return atomic_exchange(&done, true) ? 0 : -pthread_atfork(before_fork, after_fork, in_child);
}

/* ---- questions -------------------------------------------------------------------------------- */

uint64_t upa_pte_free_frames(const struct upa_region *r)
{
	int64_t n = load(&r->pte->free_frames), gone;

	reclaim(r->pte, 0, &gone);
	return n > gone ? (uint64_t)(n - gone) : 0;
}

uint64_t upa_pte_pool(const struct upa_region *r)
{
	return atomic_load_explicit(&r->pte->pool, memory_order_relaxed);
}

int64_t upa_pte_recover(struct upa_region *r)
{
	int64_t pages = upa_llfree_recover(&r->llfree);
	int64_t frames = upa_llfree_recover(&r->pte->frames);

	return pages < 0 ? pages : frames < 0 ? frames : pages + frames;
}

#define FAULT(...) (snprintf(message, message_bytes, __VA_ARGS__), -EUCLEAN)

/* Is this page recorded as having a frame, if it is free? */
static bool recorded(const struct upa_region *r, uint64_t page)
{
	uint64_t length;

	return upa_llfree_child_state(&r->llfree, page) == UPA_ZEROED || upa_llfree_next_stale(&r->llfree, page, 1, &length) >= 0;
}

int upa_pte_validate(const struct upa_region *r, char *message, size_t message_bytes)
{
	const struct device_region *p = r->pte;
	uint64_t pool = upa_pte_pool(r), frames = 0, deferred = 0, length;
	int error = upa_llfree_validate(&r->llfree, message, message_bytes);
	struct upa_llfree_stats st;
	void *seen = NULL;

	if (!error)
		error = upa_llfree_validate(&p->frames, message, message_bytes);
	if (!error)
		error = map_part(&seen, NULL, p->max_frames, PROT_READ | PROT_WRITE, ANONYMOUS, -1, 0);
	for (uint64_t page = 0; !error && page < r->llfree.pages; page++) {
		bool free = upa_llfree_next(&r->llfree, page, 1, true, &length) >= 0;
		uint64_t frame = word(p, page);

		if (!frame && !free)
			error = FAULT("page=%llu is allocated and has no frame", (unsigned long long)page);
		else if (free && recorded(r, page) != (frame != 0))
			error = FAULT("page=%llu is free, word=%llu, recorded=%d", (unsigned long long)page, (unsigned long long)frame,
				      recorded(r, page));
		else if (frame > pool)
			error = FAULT("page=%llu has frame=%llu of pool=%llu", (unsigned long long)page, (unsigned long long)frame - 1,
				      (unsigned long long)pool);
		else if (frame && (((char *)seen)[frame - 1]++ || upa_llfree_next(&p->frames, frame - 1, 1, true, &length) >= 0))
			error = FAULT("page=%llu has frame=%llu, which is free or elsewhere too", (unsigned long long)page,
				      (unsigned long long)frame - 1);
		frames += frame != 0;
		deferred += frame && free;
	}
	if (seen)
		os_munmap(seen, p->max_frames);
	if (error)
		return error;
	upa_llfree_get_stats(&p->frames, &st);
	if (frames + st.free_pages != pool || (int64_t)st.free_pages != load(&p->free_frames) || (int64_t)deferred != load(&p->deferred))
		return FAULT("pool=%llu, in words=%llu, free=%llu counted=%lld, deferred=%llu counted=%lld", (unsigned long long)pool,
			     (unsigned long long)frames, (unsigned long long)st.free_pages, (long long)load(&p->free_frames),
			     (unsigned long long)deferred, (long long)load(&p->deferred));
	return 0;
}
