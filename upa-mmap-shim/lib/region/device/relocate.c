/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that move: their frames do. */
#define _GNU_SOURCE
#include <errno.h>

#include "region/device/frame_words.h"

/*
 * Exchanges the frames of two runs. True if the second had any. A frame of the first stands in its new word before it
 * leaves its old one: the module takes what stands in none.
 */
static bool swap_words(struct device_region *d, struct upa_page_id a, struct upa_page_id b, uint64_t pages)
{
	uint32_t *from = &d->words[a.n], *to = &d->words[b.n];
	uint32_t any = 0;

	/* No frame in two words but those of the one call that moves it. */
	UPA_ASSERT(a.n + pages <= b.n || b.n + pages <= a.n);
	break_block(d, a);
	break_block(d, b);
	for (uint64_t i = 0; i < pages; i++) {
		uint32_t there = plain_word(__atomic_load_n(&to[i], __ATOMIC_RELAXED));

		__atomic_store_n(&to[i], plain_word(__atomic_load_n(&from[i], __ATOMIC_RELAXED)), __ATOMIC_RELAXED);
		__atomic_store_n(&from[i], there, __ATOMIC_RELEASE);
		any |= there;
	}
	if (d->blocks) {
		upa_mark_blocks(d, a, pages);
		upa_mark_blocks(d, b, pages);
	}
	return any != 0;
}

/* Hardware entries as the words say, or none. */
static void set_tables(struct device_region *d, struct upa_page_id first, uint64_t pages, bool empty)
{
	for (uint64_t i = 0; d->tables && i < pages; i++) {
		uint32_t word = empty ? 0 : word_at(d, page_plus(first, i));

		d->tables[first.n + i] = word ? d->entries[word - 1] : 0;
	}
}

/* Exchanges the frames behind two runs the caller holds. 0, or -errno with nothing done. */
static int swap(struct upa_region *r, struct upa_page_id from, struct upa_page_id to, uint64_t pages)
{
	struct device_region *d = r->device;
	struct upadev_range both[2] = { { .page = from.n, .count = pages }, { .page = to.n, .count = pages } };
	bool any;
	int error;

	UPA_ASSERT(held(r, from.n, pages) && held(r, to.n, pages));
	any = swap_words(d, from, to, pages);

	/* No page may have two frames, not even for an instant and to a thread that should not look. */
	set_tables(d, from, pages, true);
	set_tables(d, to, pages, true);
	error = upa_device_shoot_down(d, both, any ? 2 : 1);
	if (error)
		swap_words(d, to, from, pages);
	set_tables(d, from, pages, false);
	set_tables(d, to, pages, false);
	upa_device_install(d, to, pages);
	return error;
}

int64_t upa_device_relocate(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages,
			    uint32_t flags)
{
	/*
	 * The block brings its frames along; what it grows by needs some: rather those still at a free place than a
	 * scavenge of the same.
	 */
	int64_t free = load(&r->device->free_frames);
	bool spare = free >= (int64_t)(new_pages - old_pages);
	int64_t page = pages_get(r, new_pages, spare ? UPA_GET_ABSENT : 0);
	struct upa_page_id to = page_at((uint64_t)page), more = page_plus(to, old_pages);
	uint64_t pieces, empty;
	bool stripped;
	int error;

	if (page < 0)
		return page;
	/* Frames at the place where the block's own will be are the nearest: nobody need take them from elsewhere. */
	empty = upa_count_empty(r, more, page_plus(to, new_pages));
	free = load(&r->device->free_frames);
	stripped = (int64_t)empty > free && upa_device_strip(r, to, more, empty - (uint64_t)(free > 0 ? free : 0));
	error = upa_device_prepare(r, more.n, new_pages - old_pages, flags, 0);
	if (!error && swap(r, page_at(first), to, old_pages)) {
		upa_device_unmap(r, more.n, new_pages - old_pages);
		ADD(r, internal_puts, 1);
		error = -ENOMEM;
	}
	if (error && stripped) {
		upa_put_mixed(r, to, more, &pieces);
		ADD(r, internal_puts, pieces);
	} else if (error) {
		put_back(r, to.n, old_pages, UPA_PUT_UNTOUCHED);
	}
	if (error) {
		count_shortage(r);
		return error;
	}
	/* What frames the target had are here now, and count as deferred all the while. */
	upa_put_mixed(r, page_at(first), page_at(first + old_pages), &pieces);
	ADD(r, internal_puts, pieces - 1);
	ADD(r, moved_pages, old_pages);
	return page;
}
