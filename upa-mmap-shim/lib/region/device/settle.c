/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the module has taken by itself, under memory pressure or for a manager: memory of free frames, and of frames at
 * free pages. It tells by marks (see upa.h of the module). Here they become what A and F record, in the order in which
 * the next requests choose: such a frame becomes one that is free and absent in F, the page it stood at absent in A.
 * That is all they are for. Until then, or if it never happens, a touch brings memory, and nothing else is different.
 *
 * A word that is cleared is shot down like any other, though a frame without memory is installed nowhere: a fault at a
 * neighbour may have read the word, or the mark of its block, before that, and install the frame once somebody else has
 * brought its memory back.
 */
#define _GNU_SOURCE
#include <errno.h>

#include "region/device/frame_words.h"

#define MARK_BITS 64u

/* Before the marks: how many frames were taken, and the bound. */
#define FIRST_MARK 2u
#define BOUND_WORD 1u

/* Children at most for one request, so that none pays for all. */
#define SETTLE_CHILDREN 16u

static uint64_t mark_words(uint64_t units)
{
	uint64_t children = (units + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;

	return (children + MARK_BITS - 1) / MARK_BITS;
}

size_t upa_marks_bytes(uint64_t pages, uint64_t frames)
{
	return (FIRST_MARK + mark_words(pages) + mark_words(frames) + frames / MARK_BITS) * sizeof(uint64_t);
}

struct upadev_allocator upa_device_describe(const struct upa_region *r, const struct upa_llfree *a)
{
	const char *state = (const char *)r->header;

	return (struct upadev_allocator){
		.units = a->pages,
		.group_offset = (uint64_t)((const char *)a->group - state),
		.tree_offset = (uint64_t)((const char *)a->tree - state),
		.child_offset = (uint64_t)((const char *)a->child - state),
		.bitmap_offset = (uint64_t)((const char *)a->bitmap - state),
	};
}

int upa_device_declare(struct upa_region *r)
{
	struct device_region *d = r->device;
	struct upadev_allocators a = { .pages = upa_device_describe(r, &r->llfree),
				       .frames = upa_device_describe(r, &d->frames) };
	int error;

	if (!d->reclaim)
		return 0;
	a.marks_offset = d->state_bytes - round_up(upa_marks_bytes(r->llfree.pages, d->max_frames), PAGE_BYTES);
	error = upa_device_call(d, UPADEV_ALLOCATORS, &a);
	/* What stands there before means nothing. */
	if (!error)
		d->marks = (_Atomic uint64_t *)((char *)r->header + a.marks_offset);
	return error;
}

uint64_t upa_device_bound(const struct device_region *d)
{
	return d->marks ? atomic_load_explicit(&d->marks[BOUND_WORD], memory_order_relaxed) : UPADEV_NO_BOUND;
}

bool upa_beyond_bound(const struct upa_region *r)
{
	const struct device_region *d = r->device;
	const uint64_t bound = upa_device_bound(d);
	int64_t used;

	if (bound == UPADEV_NO_BOUND)
		return false;
	/* Of two requests that together are too much, one sees what the other has counted. */
	atomic_thread_fence(memory_order_seq_cst);
	used = (int64_t)upa_pool_frames(r) - load(&d->free_frames) - load(&d->deferred);
	return used > 0 && (uint64_t)used > bound;
}

bool upa_frame_absent(const struct upa_region *r, uint64_t frame)
{
	const struct device_region *d = r->device;
	const _Atomic uint64_t *absent =
		d->marks + FIRST_MARK + mark_words(r->llfree.pages) + mark_words(d->max_frames);

	return atomic_load_explicit(&absent[frame / MARK_BITS], memory_order_acquire) >> frame % MARK_BITS & 1;
}

/* Records of free frames first .. end-1 that they are absent, if they still are both. */
static void settle_frames(struct upa_region *r, struct upa_frame_id first, uint64_t count)
{
	struct device_region *d = r->device;

	change(&d->free_frames, -(int64_t)count);
	/* They stand in no word: nothing can bring their memory back while they are held. */
	if (frames_get_at(d, first, count) >= 0) {
		bool absent = true;

		for (uint64_t i = 0; absent && i < count; i++)
			absent = upa_frame_absent(r, first.n + i);
		frames_put(d, first, count, absent ? UPA_PUT_ABSENT : UPA_PUT_UNTOUCHED);
	}
	change(&d->free_frames, (int64_t)count);
}

static void settle_child_of_frames(struct upa_region *r, uint64_t child)
{
	struct device_region *d = r->device;
	uint64_t at = child * UPA_CHILD_PAGES, end = at + UPA_CHILD_PAGES, length;
	int64_t free;

	if (upa_llfree_child_state(&d->frames, at) == (int)UPA_ABSENT)
		return;
	while (at < end && (free = upa_llfree_next(&d->frames, at, end - at, true, &length)) >= 0) {
		uint64_t stop = (uint64_t)free + length;

		for (at = (uint64_t)free; at < stop; at++) {
			uint64_t n = 0;

			while (at + n < stop && upa_frame_absent(r, at + n))
				n++;
			if (n)
				settle_frames(r, frame_at(at), n);
			at += n;
		}
	}
}

/* Children that are marked, up to *budget. What is marked meanwhile has its turn next time. */
static void settle_marked(struct upa_region *r, _Atomic uint64_t *marks, uint64_t words,
			  void (*settle)(struct upa_region *r, uint64_t child), unsigned *budget)
{
	for (uint64_t i = 0; *budget && i < words; i++) {
		uint64_t left = atomic_load_explicit(&marks[i], memory_order_relaxed);

		for (; *budget && left; left &= left - 1) {
			uint64_t bit = left & -left;

			if (!(atomic_fetch_and_explicit(&marks[i], ~bit, memory_order_acq_rel) & bit))
				continue;
			settle(r, i * MARK_BITS + (uint64_t)__builtin_ctzll(bit));
			--*budget;
		}
	}
}

void upa_device_settle_marks(struct upa_region *r, uint64_t taken)
{
	struct device_region *d = r->device;
	uint64_t page_words = mark_words(r->llfree.pages), frame_words = mark_words(d->max_frames);
	unsigned budget = SETTLE_CHILDREN;

	settle_marked(r, d->marks + FIRST_MARK, page_words, upa_device_settle_child, &budget);
	settle_marked(r, d->marks + FIRST_MARK + page_words, frame_words, settle_child_of_frames, &budget);
	if (budget)
		atomic_store_explicit(&d->settled, taken, memory_order_relaxed);
}
