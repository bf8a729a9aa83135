/* SPDX-License-Identifier: Apache-2.0 */
/* Frames for pages: put there when pages are taken, kept there when they are freed, as long as the bound allows it. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "os/clear.h"
#include "region/device/frame_words.h"

/* Where frames may come from, beside those that are free. */
enum source { NEW_FRAMES, NEW_OR_SCAVENGED_FRAMES };

/* Frames just taken: behind pages from *at on. */
static void attach_run(struct device_region *d, struct upa_page_id *at, struct upa_frame_id frame, uint64_t n)
{
	change(&d->free_frames, -(int64_t)n);
	set_frames(d, *at, frame, n);
	*at = page_plus(*at, n);
}

/* Free frames, however scattered they are, as far as there are any. */
static void attach_scattered(struct upa_region *r, struct upa_page_id *at, struct upa_page_id end)
{
	struct device_region *d = r->device;
	uint64_t pool = upa_pool_frames(r), from = 0, length;
	int64_t frame;

	while (at->n < end.n && from < pool &&
	       (frame = upa_llfree_next(&d->frames, from, pool - from, true, &length)) >= 0) {
		uint64_t n = length < end.n - at->n ? length : end.n - at->n;

		if (!frames_get_at(d, frame_at((uint64_t)frame), n))
			attach_run(d, at, frame_at((uint64_t)frame), n);
		from = (uint64_t)frame + n;
	}
}

/* Puts frames behind pages without any. On failure those from *at on are without. */
static bool attach(struct upa_region *r, struct upa_page_id *at, struct upa_page_id end, uint32_t flags,
		   enum source source)
{
	struct device_region *d = r->device;
	/* Frames fresh from the kernel are zero, and no dearer than others. */
	uint32_t preference = flags & UPA_MAP_ZEROS && !upa_module_has_taken(d) ? UPA_GET_ABSENT : 0;
	uint64_t most = end.n - at->n;

	/* Held, and all of them without: another frame there would be lost. */
	UPA_ASSERT(held(r, at->n, most) && next_word(d, *at, end, true).n == end.n);
	while (at->n < end.n) {
		uint64_t n = end.n - at->n < most ? end.n - at->n : most;
		/* A run is hardly to be had where so few are free, and the search for one goes through all there is. */
		bool few = load(&d->free_frames) < 2 * (int64_t)n;
		int64_t frame = few ? -ENOMEM : frames_get(d, n, preference);

		if (frame >= 0) {
			UPA_ASSERT((uint64_t)frame + n <= upa_pool_frames(r));
			attach_run(d, at, frame_at((uint64_t)frame), n);
		} else if (!few && n > UPA_CHILD_PAGES) {
			most = UPA_CHILD_PAGES;
		} else {
			attach_scattered(r, at, end);
			most = end.n - at->n;
			if (most && !upa_more_frames(r, most, source == NEW_OR_SCAVENGED_FRAMES))
				return false;
		}
	}
	return true;
}

uint64_t upa_put_mixed(struct upa_region *r, struct upa_page_id first, struct upa_page_id end, uint64_t *pieces)
{
	uint64_t total = 0;

	UPA_ASSERT(held(r, first.n, end.n - first.n));
	*pieces = 0;
	while (first.n < end.n) {
		bool frame = has_frame(r->device, first);
		struct upa_page_id stop = next_word(r->device, first, end, !frame);

		total += frame ? stop.n - first.n : 0;
		pages_put(r, first, stop.n - first.n, frame ? 0 : UPA_PUT_ABSENT);
		first = stop;
		++*pieces;
	}
	return total;
}

/* ---- zeros ------------------------------------------------------------------------------------- */

static uint64_t zero(const struct upa_region *r, struct upa_page_id first, uint64_t pages)
{
	upa_clear(address_of(r, first.n), pages * PAGE_BYTES);
	return pages;
}

/* Zeros those of a run of pages whose frames F had back before. */
static uint64_t zero_used_frames(const struct upa_region *r, struct upa_page_id first, struct upa_page_id end)
{
	const struct device_region *d = r->device;
	uint64_t zeroed = 0;

	while (first.n < end.n) {
		struct upa_frame_id frame = frame_of(d, first);
		uint64_t n = 1, length;
		int64_t stale;

		while (first.n + n < end.n && frame_of(d, page_plus(first, n)).n == frame_plus(frame, n).n)
			n++;
		for (uint64_t at = 0;
		     at < n && (stale = upa_llfree_next_stale(&d->frames, frame.n + at, n - at, &length)) >= 0;
		     at = (uint64_t)stale - frame.n + length)
			zeroed += zero(r, page_plus(first, (uint64_t)stale - frame.n), length);
		first = page_plus(first, n);
	}
	return zeroed;
}

/*
 * Zeros what is not zero of a run: pages that had frames and old bytes, and frames, if any are new, that had been
 * elsewhere.
 */
static void clear(const struct upa_region *r, struct upa_page_id first, struct upa_page_id end, bool new_frames)
{
	uint64_t zeroed = 0;

	while (first.n < end.n) {
		uint64_t length = 0;
		int64_t page = upa_llfree_next_stale(&r->llfree, first.n, end.n - first.n, &length);
		struct upa_page_id stale = page < 0 ? end : page_at((uint64_t)page);

		if (new_frames)
			zeroed += zero_used_frames(r, first, stale);
		if (stale.n < end.n)
			zeroed += zero(r, stale, length);
		first = page_plus(stale, length);
	}
	if (zeroed)
		ADD(r, cleared_pages, zeroed);
}

void upa_device_clear(struct upa_region *r, uint64_t first, uint64_t pages)
{
	clear(r, page_at(first), page_at(first + pages), false);
}

/* ---- map and unmap ----------------------------------------------------------------------------- */

static bool supply(struct upa_region *r, struct upa_page_id first, struct upa_page_id end, uint64_t empty,
		   uint32_t flags, enum source source)
{
	struct device_region *d = r->device;
	struct upa_page_id from = upa_next_free_word(r, first, end, false);
	struct upa_page_id at = from;
	int64_t deferred = source == NEW_OR_SCAVENGED_FRAMES ? load(&d->deferred) : 0;

	/* Nothing is scavenged in vain. */
	if ((int64_t)empty >
	    load(&d->free_frames) + (deferred > 0 ? deferred : 0) + (int64_t)(d->max_frames - upa_pool_frames(r)))
		return false;
	while (load(&d->free_frames) < (int64_t)empty)
		if (!upa_more_frames(r, empty, source == NEW_OR_SCAVENGED_FRAMES))
			return false;
	while (at.n < end.n) {
		if (!attach(r, &at, upa_next_free_word(r, at, end, true), flags, source))
			return false;
		at = upa_next_free_word(r, at, end, false);
	}
	upa_device_install(d, from, end.n - from.n);
	return true;
}

static int prepare(struct upa_region *r, struct upa_page_id first, uint64_t pages, uint32_t flags, enum source source)
{
	struct upa_page_id end = page_plus(first, pages);
	uint64_t empty = upa_count_empty(r, first, end);

	if (empty < pages)
		change(&r->device->deferred, -(int64_t)(pages - empty));
	/* Beyond it no touch would bring memory: better no page than one that cannot be used. */
	if ((empty && !supply(r, first, end, empty, flags, source)) || (r->device->marks && upa_beyond_bound(r))) {
		uint64_t pieces;

		change(&r->device->deferred, (int64_t)upa_put_mixed(r, first, end, &pieces));
		ADD(r, internal_puts, pieces);
		return -ENOMEM;
	}
	/* Every allocated page has a frame. */
	UPA_ASSERT(next_word(r->device, first, end, false).n == end.n);
	if (flags & UPA_MAP_ZEROS)
		clear(r, first, end, empty);
	return 0;
}

int upa_device_prepare(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags, uint32_t holds)
{
	(void)holds; /* the words of the table say it */
	upa_device_settle(r);
	return prepare(r, page_at(first), pages, flags, NEW_OR_SCAVENGED_FRAMES);
}

int upa_device_claim(struct upa_region *r, uint64_t first, uint64_t pages)
{
	return upa_device_prepare(r, first, pages, 0, 0);
}

/*
 * More free pages have frames than may: half as many as may keep theirs, so that the next call does not do the same.
 * Those just freed lose theirs first.
 */
static void trim(struct upa_region *r, uint64_t first, uint64_t pages)
{
	struct device_region *d = r->device;
	int64_t excess = load(&d->deferred) - (int64_t)(d->max_deferred / 2);
	struct scavenge s = { .want = (uint64_t)excess, .from = first / UPA_CHILD_PAGES, .run = first, .pages = pages };

	if (excess > 0)
		upa_device_scavenge(r, &s);
}

int upa_device_unmap(struct upa_region *r, uint64_t first, uint64_t pages)
{
	struct device_region *d = r->device;
	int error;

	upa_device_settle(r);
	if (!d->max_deferred)
		return upa_device_unmap_now(r, first, pages);
	error = pages_put(r, page_at(first), pages, 0);
	if (error)
		return error;
	change(&d->deferred, (int64_t)pages);
	if (load(&d->deferred) > (int64_t)d->max_deferred)
		trim(r, first, pages);
	return 0;
}

/* What frames still read zero is not kept: all count as used. */
int upa_device_put(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags)
{
	(void)flags;
	return upa_device_unmap(r, first, pages);
}

int upa_device_renew(struct upa_region *r, uint64_t first, uint64_t pages)
{
	memset(address_of(r, first), 0, pages * PAGE_BYTES);
	return 0;
}

/* Frames of other free pages stay where they are: to move them would populate nothing. */
int upa_device_populate(struct upa_region *r, uint64_t first)
{
	struct device_region *d = r->device;
	int error;

	if (load(&d->deferred) + UPA_CHILD_PAGES > (int64_t)d->max_deferred || upa_device_bound(d) != UPADEV_NO_BOUND) {
		put_back(r, first, UPA_CHILD_PAGES, UPA_PUT_UNTOUCHED);
		return -EDQUOT;
	}
	error = prepare(r, page_at(first), UPA_CHILD_PAGES, UPA_MAP_ZEROS, NEW_FRAMES);
	if (error)
		return error;
	put_back(r, first, UPA_CHILD_PAGES, UPA_PUT_ZEROED);
	change(&d->deferred, UPA_CHILD_PAGES);
	return 0;
}

bool upa_device_clear_child(struct upa_region *r, uint64_t first)
{
	struct upa_page_id end = page_at(first + UPA_CHILD_PAGES);

	/* Near a bound there may be no memory for what is only to be cleared. */
	if (upa_device_bound(r->device) != UPADEV_NO_BOUND ||
	    next_word(r->device, page_at(first), end, false).n < end.n)
		return false;
	clear(r, page_at(first), end, false);
	return true;
}
