/* SPDX-License-Identifier: Apache-2.0 */
#include "region/device/frame_words.h"

#include <errno.h>
#include <stdio.h>

#include "region/mapping.h"

/* Words side by side in one load. Each is as old or new as if it was loaded by itself. */
typedef uint32_t four_words __attribute__((vector_size(16), aligned(4), may_alias));

void upa_mark_blocks(struct device_region *d, struct upa_page_id first, uint64_t pages)
{
	uint64_t end = first.n + pages;

	for (uint64_t at = round_up(first.n, UPA_CHILD_PAGES); at + UPA_CHILD_PAGES <= end; at += UPA_CHILD_PAGES) {
		uint32_t word = word_at(d, page_at(at));
		uint64_t n = 1;

		if (word % UPA_CHILD_PAGES != 1)
			continue;
		while (n < UPA_CHILD_PAGES && word_at(d, page_at(at + n)) == word + n)
			n++;
		/* After the others, which count once the mark is out again. */
		if (n == UPA_CHILD_PAGES)
			__atomic_store_n(&d->words[at], UPADEV_SHADOW_BLOCK | (word - 1) / UPA_CHILD_PAGES,
					 __ATOMIC_RELEASE);
	}
}

/* Where the child of a page ends, or the range that ends at `end`. */
static struct upa_page_id end_in_child(struct upa_page_id at, struct upa_page_id end)
{
	uint64_t border = (at.n / UPA_CHILD_PAGES + 1) * UPA_CHILD_PAGES;

	return border < end.n ? page_at(border) : end;
}

struct upa_page_id upa_next_free_word(const struct upa_region *r, struct upa_page_id at, struct upa_page_id end,
				      bool frame)
{
	while (at.n < end.n) {
		struct upa_page_id stop = end_in_child(at, end);
		int state =
			stop.n - at.n == UPA_CHILD_PAGES ? upa_llfree_child_state(&r->llfree, at.n) : (int)UPA_MIXED;

		if (state == (int)UPA_MIXED || frame == (state != (int)UPA_ABSENT)) {
			at = next_word(r->device, at, stop, frame);
			if (at.n < stop.n)
				return at;
		}
		at = stop;
	}
	return end;
}

static inline four_words four_empty(const uint32_t *words)
{
	return (four_words)(*(const volatile four_words *)words == 0); /* -1 for each that is */
}

/* How many words of a run are 0. They are looked at by fours, four of these at a time: of a large block that counts. */
static uint64_t count_zeros(const struct device_region *d, struct upa_page_id first, struct upa_page_id end)
{
	uint64_t at = first.n, count;
	four_words zeros = { 0 };

	for (; at + 16 <= end.n; at += 16) {
		const uint32_t *words = &d->words[at];

		zeros -= four_empty(words) + four_empty(words + 4) + four_empty(words + 8) + four_empty(words + 12);
	}
	for (; at + 4 <= end.n; at += 4)
		zeros -= four_empty(&d->words[at]);
	count = (uint64_t)zeros[0] + zeros[1] + zeros[2] + zeros[3];
	for (; at < end.n; at++)
		count += !has_frame(d, page_at(at));
	return count;
}

/*
 * Only of a mixed child the words need be looked at: the other states say the same of all free pages, and one that is
 * not mixed now was not when the pages were taken, since only who holds all of a child takes it from mixed to another.
 */
uint64_t upa_count_empty(const struct upa_region *r, struct upa_page_id first, struct upa_page_id end)
{
	uint64_t empty = 0;

	for (struct upa_page_id at = first, stop; at.n < end.n; at = stop) {
		int state = upa_llfree_child_state(&r->llfree, at.n);

		stop = end_in_child(at, end);
		if (state == (int)UPA_MIXED)
			empty += count_zeros(r->device, at, stop);
		else if (state == (int)UPA_ABSENT)
			empty += stop.n - at.n;
	}
	UPA_ASSERT(empty == count_zeros(r->device, first, end));
	return empty;
}

#define FAULT(...) (snprintf(message, message_bytes, __VA_ARGS__), -EUCLEAN)

/* May this page have a frame, if it is free, by what is recorded? */
static bool recorded(const struct upa_region *r, struct upa_page_id page)
{
	uint64_t length;

	return upa_llfree_child_state(&r->llfree, page.n) == (int)UPA_ZEROED ||
	       upa_llfree_next_stale(&r->llfree, page.n, 1, &length) >= 0;
}

int upa_device_validate(const struct upa_region *r, char *message, size_t message_bytes)
{
	const struct device_region *d = r->device;
	uint64_t pool = upa_pool_frames(r), frames = 0, deferred = 0, length;
	int error = upa_llfree_validate(&r->llfree, message, message_bytes);
	struct upa_llfree_stats st;
	void *seen = NULL;

	if (!error)
		error = upa_llfree_validate(&d->frames, message, message_bytes);
	if (!error)
		error = upa_map_sparse(&seen, d->max_frames);
	for (struct upa_page_id page = page_at(0); !error && page.n < r->llfree.pages; page.n++) {
		bool free = upa_llfree_next(&r->llfree, page.n, 1, true, &length) >= 0;
		uint64_t word = word_at(d, page);
		unsigned long long number = page.n;

		if (!word && !free)
			error = FAULT("page=%llu is allocated and has no frame", number);
		else if (free && word && !recorded(r, page))
			error = FAULT("page=%llu is free and recorded as absent, word=%llu", number,
				      (unsigned long long)word);
		else if (word > pool)
			error = FAULT("page=%llu has frame=%llu of pool=%llu", number, (unsigned long long)word - 1,
				      (unsigned long long)pool);
		else if (word &&
			 (((char *)seen)[word - 1]++ || upa_llfree_next(&d->frames, word - 1, 1, true, &length) >= 0))
			error = FAULT("page=%llu has frame=%llu, which is free or elsewhere too", number,
				      (unsigned long long)word - 1);
		frames += word != 0;
		deferred += word && free;
	}
	if (seen)
		os_munmap(seen, d->max_frames);
	if (error)
		return error;
	upa_llfree_get_stats(&d->frames, &st);
	if (frames + st.free_pages != pool || (int64_t)st.free_pages != load(&d->free_frames) ||
	    (int64_t)deferred != load(&d->deferred))
		return FAULT("pool=%llu, in words=%llu, free=%llu counted=%lld, deferred=%llu counted=%lld",
			     (unsigned long long)pool, (unsigned long long)frames, (unsigned long long)st.free_pages,
			     (long long)load(&d->free_frames), (unsigned long long)deferred,
			     (long long)load(&d->deferred));
	return 0;
}
