/* SPDX-License-Identifier: Apache-2.0 */
/* Taking frames away from free pages, in batches with one TLB shoot-down each. */
#define _GNU_SOURCE
#include <errno.h>

#include "region/device/words.h"

#define MAX_RANGES 128u
#define MAX_RUNS 256u

/*
 * Frames on their way from words to F, and the pages they came from, in the same order. 4 KiB, on the stack of a signal
 * handler even.
 */
struct batch {
	uint32_t ranges, runs;
	uint64_t total;
	struct upadev_range range[MAX_RANGES];
	struct {
		struct upa_frame_id first;
		uint32_t count;
	} run[MAX_RUNS];
};

static void batch_start(struct batch *b)
{
	b->ranges = b->runs = 0;
	b->total = 0;
}

/* Empties the words of pages the caller holds, all of which have frames, as far as there is room. Returns how many. */
static uint64_t batch_add(struct device_region *d, struct batch *b, struct upa_page_id first, uint64_t pages)
{
	uint64_t n;

	if (b->ranges == MAX_RANGES)
		return 0;
	for (n = 0; n < pages; n++) {
		struct upa_page_id page = page_plus(first, n);
		struct upa_frame_id frame = frame_of(d, page);

		if (b->runs && frame_plus(b->run[b->runs - 1].first, b->run[b->runs - 1].count).n == frame.n)
			b->run[b->runs - 1].count++;
		else if (b->runs == MAX_RUNS)
			break;
		else
			b->run[b->runs++] = (typeof(b->run[0])){ frame, 1 };
		set_word(d, page, 0);
	}
	if (n)
		b->range[b->ranges++] = (struct upadev_range){ first.n, n };
	b->total += n;
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

/*
 * Shoots down what has been taken away, then frees frames and pages. If the call fails, which it does when the program
 * has closed the descriptor, the pages get their frames back and are freed with them.
 */
static int batch_finish(struct upa_region *r, struct batch *b)
{
	struct device_region *d = r->device;
	int error = b->ranges ? upa_device_shoot_down(d, b->range, b->ranges) : 0;

	if (error)
		batch_undo(d, b);
	for (uint32_t i = 0; i < b->ranges; i++)
		pages_put(r, page_at(b->range[i].page), b->range[i].count, error ? 0 : UPA_PUT_ABSENT);
	for (uint32_t i = 0; !error && i < b->runs; i++)
		frames_put(d, b->run[i].first, b->run[i].count, 0);
	change(error ? &d->deferred : &d->free_frames, (int64_t)b->total);
	batch_start(b);
	return error;
}

/*
 * Frees pages the caller holds, without their frames: they go into b. On failure the pages are free as well, with their
 * frames.
 */
static int free_into(struct upa_region *r, struct batch *b, struct upa_page_id first, uint64_t pages)
{
	struct upa_page_id end = page_plus(first, pages);

	while (first.n < end.n) {
		struct upa_page_id stop = next_word(r->device, first, end, true);
		uint64_t n;
		int error;

		if (stop.n > first.n) {
			/* Counted as deferred by a caller who thought they had frames. */
			pages_put(r, first, stop.n - first.n, UPA_PUT_ABSENT);
			change(&r->device->deferred, (int64_t)(stop.n - first.n));
			first = stop;
			continue;
		}
		stop = next_word(r->device, first, end, false);
		n = batch_add(r->device, b, first, stop.n - first.n);
		first = page_plus(first, n);
		error = n ? 0 : batch_finish(r, b);
		if (error) {
			pages_put(r, first, end.n - first.n, 0);
			change(&r->device->deferred, (int64_t)(end.n - first.n));
			return error;
		}
	}
	return 0;
}

void upa_free_without_frames(struct upa_region *r, struct upa_page_id first, uint64_t pages)
{
	struct batch b;

	batch_start(&b);
	if (!free_into(r, &b, first, pages))
		batch_finish(r, &b);
}

/* Takes the frames of free pages of one child. Returns how many, or -errno. */
static int64_t scavenge_child(struct upa_region *r, struct batch *b, uint64_t child, uint64_t most)
{
	uint64_t at = child * UPA_CHILD_PAGES;
	uint64_t end = at + UPA_CHILD_PAGES < r->llfree.pages ? at + UPA_CHILD_PAGES : r->llfree.pages;
	uint64_t total = 0;
	uint64_t length;
	int64_t page;

	while (total < most && at < end && (page = upa_llfree_next(&r->llfree, at, end - at, true, &length)) >= 0) {
		struct upa_page_id first, stop, gap_end = page_at((uint64_t)page + length);

		at = gap_end.n;
		for (first = upa_next_free_word(r, page_at((uint64_t)page), gap_end, true);
		     first.n < gap_end.n && total < most; first = upa_next_free_word(r, stop, gap_end, true)) {
			int error;

			for (stop = page_plus(first, 1);
			     stop.n < gap_end.n && stop.n - first.n < most - total && has_frame(r->device, stop);)
				stop.n++;
			if (pages_get_at(r, first, stop.n - first.n))
				continue;
			ADD(r, internal_gets, 1);
			change(&r->device->deferred, -(int64_t)(stop.n - first.n));
			error = free_into(r, b, first, stop.n - first.n);
			if (error)
				return error;
			total += stop.n - first.n;
		}
	}
	return (int64_t)total;
}

/* A shoot-down costs what a hundred pages do: not for fewer than this. */
#define LEAST_SCAVENGE 512u

uint64_t upa_device_scavenge(struct upa_region *r, uint64_t want)
{
	struct batch b;
	uint64_t total = 0;

	batch_start(&b);
	if (want < LEAST_SCAVENGE)
		want = LEAST_SCAVENGE;
	for (uint64_t c = upa_llfree_touched_children(&r->llfree); c-- && total < want;) {
		bool empty = upa_llfree_child_state(&r->llfree, c * UPA_CHILD_PAGES) == (int)UPA_ABSENT;
		int64_t n = empty ? 0 : scavenge_child(r, &b, c, want - total);

		if (n < 0)
			return 0;
		total += (uint64_t)n;
	}
	return batch_finish(r, &b) ? 0 : total;
}
