/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame_words.h - the table that joins pages and page frames: one word per page, frame + 1, or 0 for none. A word is
 * written only by the holder of its page.
 *
 * With `blocks`, the word of the first page of a child whose frames are consecutive and aligned may have a mark
 * instead, for the module to map the child by one entry. The other words are kept all the same. Whoever writes one of
 * them takes the mark out first, though he may not hold the first page: what the word says of that page stays the same.
 *
 * Pages are numbers of the region's addresses, frames numbers of the pool; each has a type and an allocator of its own
 * here, so that the compiler refuses one in the place of the other.
 */
#ifndef UPA_REGION_DEVICE_FRAME_WORDS_H
#define UPA_REGION_DEVICE_FRAME_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "region/device/device.h"
#include "region/slots.h"

struct upa_page_id {
	uint64_t n;
};

struct upa_frame_id {
	uint32_t n;
};

static inline struct upa_page_id page_at(uint64_t n)
{
	return (struct upa_page_id){ n };
}

static inline struct upa_page_id page_plus(struct upa_page_id page, uint64_t n)
{
	return page_at(page.n + n);
}

static inline struct upa_frame_id frame_at(uint64_t n)
{
	return (struct upa_frame_id){ (uint32_t)n };
}

static inline struct upa_frame_id frame_plus(struct upa_frame_id frame, uint64_t n)
{
	return frame_at(frame.n + n);
}

/* ---- words ------------------------------------------------------------------------------------ */

/* frame + 1 of the first page of a marked child, or the word as it is. */
static inline uint32_t plain_word(uint32_t word)
{
	return word & UPADEV_SHADOW_BLOCK ? (word & ~UPADEV_SHADOW_BLOCK) * UPA_CHILD_PAGES + 1 : word;
}

static inline uint32_t word_at(const struct device_region *d, struct upa_page_id page)
{
	return plain_word(__atomic_load_n(&d->words[page.n], __ATOMIC_RELAXED));
}

/* Before the word of a page is written: its child is no block any more. */
static inline void break_block(struct device_region *d, struct upa_page_id page)
{
	uint32_t *first = &d->words[page.n - page.n % UPA_CHILD_PAGES];
	uint32_t word = d->blocks ? __atomic_load_n(first, __ATOMIC_RELAXED) : 0;

	if (word & UPADEV_SHADOW_BLOCK)
		__atomic_compare_exchange_n(first, &word, plain_word(word), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Marks children of a run whose frames are consecutive. The caller holds all pages; all have frames. */
void upa_mark_blocks(struct device_region *d, struct upa_page_id first, uint64_t pages);

/* Marked words are not 0 either. */
static inline bool has_frame(const struct device_region *d, struct upa_page_id page)
{
	return __atomic_load_n(&d->words[page.n], __ATOMIC_RELAXED) != 0;
}

/* Of a page that has one. */
static inline struct upa_frame_id frame_of(const struct device_region *d, struct upa_page_id page)
{
	return frame_at(word_at(d, page) - 1);
}

static inline void set_word(struct device_region *d, struct upa_page_id page, uint32_t word)
{
	break_block(d, page);
	__atomic_store_n(&d->words[page.n], word, __ATOMIC_RELAXED);
	if (d->tables)
		d->tables[page.n] = word ? d->entries[word - 1] : 0;
}

static inline void set_frame(struct device_region *d, struct upa_page_id page, struct upa_frame_id frame)
{
	set_word(d, page, frame.n + 1);
}

/* Puts consecutive frames behind consecutive pages. */
static inline void set_frames(struct device_region *d, struct upa_page_id page, struct upa_frame_id frame,
			      uint64_t count)
{
	break_block(d, page);
	for (uint64_t i = 0; i < count; i++)
		__atomic_store_n(&d->words[page.n + i], (uint32_t)(frame.n + i + 1), __ATOMIC_RELAXED);
	if (d->blocks && count >= UPA_CHILD_PAGES)
		upa_mark_blocks(d, page, count);
	for (uint64_t i = 0; d->tables && i < count; i++)
		d->tables[page.n + i] = d->entries[frame.n + i];
}

/* Takes the frames of consecutive pages away. */
static inline void clear_words(struct device_region *d, struct upa_page_id page, uint64_t count)
{
	break_block(d, page);
	for (uint64_t i = 0; i < count; i++)
		__atomic_store_n(&d->words[page.n + i], 0, __ATOMIC_RELAXED);
	for (uint64_t i = 0; d->tables && i < count; i++)
		d->tables[page.n + i] = 0;
}

/* The first page in at .. end-1 with a frame, or without; end if there is none. Sure only of pages the caller holds. */
static inline struct upa_page_id next_word(const struct device_region *d, struct upa_page_id at, struct upa_page_id end,
					   bool frame)
{
	while (at.n < end.n && has_frame(d, at) != frame)
		at.n++;
	return at;
}

/*
 * The same for pages that are free, or that the caller has just taken: of a whole child the allocator knows when there
 * are none. What it says of a part, or that there are some, the words must confirm.
 */
struct upa_page_id upa_next_free_word(const struct upa_region *r, struct upa_page_id at, struct upa_page_id end,
				      bool frame);

/* How many of the pages first .. end-1, which the caller has just taken, have no frame. */
uint64_t upa_count_empty(const struct upa_region *r, struct upa_page_id first, struct upa_page_id end);

/*
 * scavenge.c: frees up to so many frames of pages just taken, which stay the caller's, and which count as free pages
 * with frames. How many, or some more if the module refuses: what the words say counts.
 */
uint64_t upa_device_strip(struct upa_region *r, struct upa_page_id first, struct upa_page_id end, uint64_t most);

/* ---- the two allocators, for the calling thread's slot ---------------------------------------- */

/* The first of the pages, or -errno. */
static inline int64_t pages_get(struct upa_region *r, uint64_t count, uint32_t flags)
{
	return upa_llfree_get_run(&r->llfree, this_slot(), count, flags);
}

/* As take_free(). */
static inline int pages_take(struct upa_region *r, struct upa_page_id first, uint64_t count)
{
	return take_free(r, first.n, count);
}

static inline int pages_put(struct upa_region *r, struct upa_page_id first, uint64_t count, uint32_t flags)
{
	return upa_llfree_put_run(&r->llfree, this_slot(), first.n, count, flags);
}

/* The first of the frames, or -errno. */
static inline int64_t frames_get(struct device_region *d, uint64_t count, uint32_t flags)
{
	return upa_llfree_get_run(&d->frames, this_slot(), count, flags);
}

static inline int frames_get_at(struct device_region *d, struct upa_frame_id first, uint64_t count)
{
	int holds = upa_llfree_get_at(&d->frames, this_slot(), first.n, count);

	return holds < 0 ? holds : 0;
}

static inline int frames_put(struct device_region *d, struct upa_frame_id first, uint64_t count, uint32_t flags)
{
	int error = upa_llfree_put_run(&d->frames, this_slot(), first.n, count, flags);

	/* In the hands of this call, hence not free. */
	UPA_ASSERT(!error);
	return error;
}

/* The two allocators and words as one invariant, in a quiet region. See upa_region_validate(). */
int upa_device_validate(const struct upa_region *r, char *message, size_t message_bytes);

#endif
