/* SPDX-License-Identifier: Apache-2.0 */
/* Taking frames away from free pages, in batches with one TLB shoot-down each. */
#define _GNU_SOURCE
#include <errno.h>

#include "region/device/frame_words.h"

/* A batch is 3 KiB, on the stack of a signal handler even. */
#define MAX_RANGES 128u
#define MAX_RUNS 160u

/* Frames on their way from words to F, and the pages they came from, in the same order. */
struct batch {
	bool absent; /* frames without memory only */
	uint32_t ranges, runs;
	uint64_t frames;
	struct upadev_range range[MAX_RANGES];
	struct {
		struct upa_frame_id first;
		uint32_t count : 31;
		uint32_t zero : 1; /* all of them are */
	} run[MAX_RUNS];
};

static void batch_start(struct batch *b)
{
	b->ranges = b->runs = 0;
	b->frames = 0;
}

/* Adds consecutive frames to the last run, or to a new one. False if there is no room. */
static bool batch_add_frames(struct batch *b, struct upa_frame_id first, uint32_t count, bool zero)
{
	typeof(&b->run[0]) last = b->runs ? &b->run[b->runs - 1] : NULL;

	if (last && last->zero == zero && frame_plus(last->first, last->count).n == first.n) {
		last->count += count;
		return true;
	}
	if (b->runs == MAX_RUNS)
		return false;
	b->run[b->runs++] = (typeof(b->run[0])){ first, count, zero };
	return true;
}

/* Pages from `first` on, at most so many, whose frames are consecutive: at least 1. All have frames. */
static uint32_t consecutive(const struct device_region *d, struct upa_page_id first, uint64_t pages)
{
	uint32_t word = word_at(d, first);
	uint32_t n = 1;

	while (n < pages && word_at(d, page_plus(first, n)) == word + n)
		n++;
	return n;
}

/*
 * Empties the words of pages the caller holds, all of which have frames, as far as there is room. Zero if their
 * contents are. Returns how many.
 */
static uint64_t batch_add(struct device_region *d, struct batch *b, struct upa_page_id first, uint64_t pages, bool zero)
{
	uint64_t n = 0;

	if (b->ranges == MAX_RANGES)
		return 0;
	while (n < pages) {
		struct upa_page_id at = page_plus(first, n);
		uint32_t count = consecutive(d, at, pages - n);

		if (!batch_add_frames(b, frame_of(d, at), count, zero))
			break;
		clear_words(d, at, count);
		n += count;
	}
	if (n)
		b->range[b->ranges++] = (struct upadev_range){ first.n, n };
	b->frames += n;
	return n;
}

/* Puts the frames back where they were. */
static void batch_undo(struct device_region *d, const struct batch *b)
{
	uint32_t run = 0, used = 0;

	for (uint32_t i = 0; i < b->ranges; i++)
		for (uint64_t page = 0; page < b->range[i].count; page++) {
			set_frame(d, page_at(b->range[i].page + page), frame_plus(b->run[run].first, used));
			if (++used == b->run[run].count) {
				run++;
				used = 0;
			}
		}
}

/* Has every page that is to be shot down lost its word, and is held? */
static bool batch_ready(const struct upa_region *r, const struct batch *b)
{
	uint64_t pages = 0;

	for (uint32_t i = 0; i < b->ranges; i++) {
		struct upa_page_id first = page_at(b->range[i].page), end = page_plus(first, b->range[i].count);

		if (!held(r, first.n, b->range[i].count) || next_word(r->device, first, end, true).n < end.n)
			return false;
		pages += b->range[i].count;
	}
	return pages == b->frames;
}

/* Have its frames no memory still? */
static bool batch_still_absent(const struct upa_region *r, struct batch *b)
{
	for (uint32_t i = 0; i < b->runs; i++)
		for (uint32_t n = 0; n < b->run[i].count; n++)
			if (!upa_frame_absent(r, b->run[i].first.n + n))
				return false;
	return true;
}

/* Some page was touched by a program that had freed it: what its frame holds is not known. */
static void batch_not_zero(struct batch *b)
{
	for (uint32_t i = 0; i < b->runs; i++)
		b->run[i].zero = 0;
}

/*
 * Shoots down what has been taken away, then frees the frames, and the pages if that is asked for. If the call fails,
 * which it does when the program has closed the descriptor, the pages get their frames back.
 */
static int shoot_down(struct upa_region *r, struct batch *b, bool frees_pages)
{
	struct device_region *d = r->device;
	int error;

	UPA_ASSERT(batch_ready(r, b));
	error = b->ranges ? upa_device_shoot_down(d, b->range, b->ranges) : 0;
	if (b->absent && !batch_still_absent(r, b))
		batch_not_zero(b);
	if (error)
		batch_undo(d, b);
	for (uint32_t i = 0; frees_pages && i < b->ranges; i++)
		put_back(r, b->range[i].page, b->range[i].count, error ? 0 : UPA_PUT_ABSENT);
	for (uint32_t i = 0; !error && i < b->runs; i++)
		frames_put(d, b->run[i].first, b->run[i].count, b->run[i].zero ? UPA_PUT_ABSENT : 0);
	change(error ? &d->deferred : &d->free_frames, (int64_t)b->frames);
	batch_start(b);
	return error;
}

static int batch_finish(struct upa_region *r, struct batch *b)
{
	return shoot_down(r, b, true);
}

/*
 * Frees pages the caller holds, whose frames go into b; zero: as batch_add(). Counts as deferred again those that had
 * none after all. On failure the pages are free as well, with what frames they have.
 */
static int free_into(struct upa_region *r, struct batch *b, struct upa_page_id first, uint64_t pages, bool zero)
{
	struct device_region *d = r->device;
	struct upa_page_id end = page_plus(first, pages);

	while (first.n < end.n) {
		struct upa_page_id stop = next_word(d, first, end, true);
		uint64_t n, pieces;
		int error;

		if (stop.n > first.n) {
			put_back(r, first.n, stop.n - first.n, UPA_PUT_ABSENT);
			change(&d->deferred, (int64_t)(stop.n - first.n));
			first = stop;
			continue;
		}
		stop = next_word(d, first, end, false);
		n = batch_add(d, b, first, stop.n - first.n, zero);
		first = page_plus(first, n);
		error = n ? 0 : batch_finish(r, b);
		if (error) {
			upa_put_mixed(r, first, end, &pieces);
			ADD(r, internal_puts, pieces);
			change(&d->deferred, (int64_t)(end.n - first.n));
			return error;
		}
	}
	return 0;
}

/* Has this page a frame that is to go? Sure only of pages the caller holds. */
static bool wanted(const struct upa_region *r, const struct scavenge *s, struct upa_page_id page)
{
	uint64_t word = word_at(r->device, page);

	return word > s->least && (!s->absent || upa_frame_absent(r, word - 1));
}

/* Are pages just taken cleared ahead of need, and nobody's since? */
static bool all_zero(const struct upa_region *r, struct upa_page_id first, uint64_t pages)
{
	return pages == UPA_CHILD_PAGES && upa_llfree_child_state(&r->llfree, first.n) == (int)UPA_ZEROED;
}

/* Takes frames of free pages first .. end-1. Returns how many, or -errno. */
static int64_t scavenge_run(struct upa_region *r, struct batch *b, const struct scavenge *s, struct upa_page_id first,
			    struct upa_page_id end, uint64_t most)
{
	struct device_region *d = r->device;
	uint64_t total = 0;

	while (total < most && (first = upa_next_free_word(r, first, end, true)).n < end.n) {
		struct upa_page_id stop = first;
		int error;

		while (stop.n < end.n && stop.n - first.n < most - total && wanted(r, s, stop))
			stop.n++;
		if (stop.n == first.n) {
			first.n++;
			continue;
		}
		if (!pages_take(r, first, stop.n - first.n)) {
			change(&d->deferred, -(int64_t)(stop.n - first.n));
			error = free_into(r, b, first, stop.n - first.n,
					  s->absent || all_zero(r, first, stop.n - first.n));
			if (error)
				return error;
			total += stop.n - first.n;
		}
		first = stop;
	}
	return (int64_t)total;
}

/* Takes frames of free pages of one child. Returns how many, or -errno. */
static int64_t scavenge_child(struct upa_region *r, struct batch *b, const struct scavenge *s, uint64_t child,
			      uint64_t most)
{
	uint64_t at = child * UPA_CHILD_PAGES;
	uint64_t end = at + UPA_CHILD_PAGES < r->llfree.pages ? at + UPA_CHILD_PAGES : r->llfree.pages;
	uint64_t total = 0;
	uint64_t length;
	int64_t page;

	while (total < most && at < end && (page = upa_llfree_next(&r->llfree, at, end - at, true, &length)) >= 0) {
		int64_t n;

		at = (uint64_t)page + length;
		n = scavenge_run(r, b, s, page_at((uint64_t)page), page_at(at), most - total);
		if (n < 0)
			return n;
		total += (uint64_t)n;
	}
	return (int64_t)total;
}

static int64_t scavenge_all(struct upa_region *r, struct batch *b, const struct scavenge *s)
{
	uint64_t children = upa_llfree_touched_children(&r->llfree);
	int64_t n = scavenge_run(r, b, s, page_at(s->run), page_at(s->run + s->pages), s->want);
	uint64_t total = (uint64_t)n;

	for (uint64_t i = 0; n >= 0 && i < children && total < s->want; i++) {
		uint64_t c = s->from >= i ? s->from - i : children + s->from - i;
		bool empty = upa_llfree_child_state(&r->llfree, c * UPA_CHILD_PAGES) == (int)UPA_ABSENT;

		n = empty ? 0 : scavenge_child(r, b, s, c, s->want - total);
		total += (uint64_t)n;
	}
	return n < 0 ? n : (int64_t)total;
}

void upa_device_settle_child(struct upa_region *r, uint64_t child)
{
	const struct scavenge s = { .want = UPA_CHILD_PAGES, .absent = true };
	struct batch b = { .absent = true };

	if (upa_llfree_child_state(&r->llfree, child * UPA_CHILD_PAGES) != (int)UPA_ABSENT &&
	    scavenge_child(r, &b, &s, child, s.want) >= 0)
		batch_finish(r, &b);
}

uint64_t upa_device_scavenge(struct upa_region *r, const struct scavenge *s)
{
	struct batch b;
	int64_t total;

	b.absent = false;
	batch_start(&b);
	total = scavenge_all(r, &b, s);
	return batch_finish(r, &b) || total < 0 ? 0 : (uint64_t)total;
}

uint64_t upa_device_strip(struct upa_region *r, struct upa_page_id first, struct upa_page_id end, uint64_t most)
{
	struct device_region *d = r->device;
	uint64_t total = 0;
	struct batch b;
	int error = 0;

	b.absent = false;
	batch_start(&b);
	while (!error && total < most && (first = next_word(d, first, end, true)).n < end.n) {
		struct upa_page_id stop = next_word(d, first, end, false);
		uint64_t n = stop.n - first.n < most - total ? stop.n - first.n : most - total;

		n = batch_add(d, &b, first, n, false);
		/* They counted as free pages with frames. */
		change(&d->deferred, -(int64_t)n);
		total += n;
		first = page_plus(first, n);
		if (!n)
			error = shoot_down(r, &b, false);
	}
	shoot_down(r, &b, false);
	return total;
}

int upa_device_unmap_now(struct upa_region *r, uint64_t first, uint64_t pages)
{
	struct batch b;
	uint64_t length;

	if (upa_llfree_next(&r->llfree, first, pages, true, &length) >= 0)
		return -EINVAL;
	b.absent = false;
	batch_start(&b);
	if (!free_into(r, &b, page_at(first), pages, false))
		batch_finish(r, &b);
	/* One of the puts is what the caller asked for. */
	atomic_fetch_sub_explicit(&r->counters[this_slot() % r->slots].internal_puts, 1, memory_order_relaxed);
	return 0;
}
