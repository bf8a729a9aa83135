/* SPDX-License-Identifier: Apache-2.0 */
/* Clearing of private memory: what is resident is cleared, what is not is dropped. */
#define _GNU_SOURCE
#include "os/clear.h"

#include "os/os.h"
#include "region/linear/linear.h"
#include "region/slots.h"

/*
 * Clears at most one child's worth of stale pages, but for those without memory: a block whose holder touched little of
 * it must not become resident because somebody needs zeros. Returns how many were cleared.
 */
static uint64_t clear_resident(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t cleared = upa_clear_resident(address_of(r, first), pages * PAGE_BYTES).bytes / PAGE_BYTES;

	UPA_ASSERT(cleared <= pages && pages <= UPA_CHILD_PAGES - first % UPA_CHILD_PAGES);
	if (cleared == pages)
		upa_llfree_set_resident(&r->llfree, first, pages);
	return cleared;
}

/*
 * Drops what has no memory, child by child from the first page on, in one call: of a large block whose holder touched
 * nothing the rest is as the kernel hands it out. How many pages that are.
 */
static uint64_t drop_absent(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t end = first + upa_absent(address_of(r, first), pages * PAGE_BYTES) / PAGE_BYTES;

	if (end < first + pages)
		end -= end % UPA_CHILD_PAGES;
	/* It may have been swapped out. */
	if (end <= first || os_madvise(address_of(r, first), (end - first) * PAGE_BYTES, MADV_DONTNEED))
		return 0;
	return end - first;
}

/* How many of these pages, from the first on, are in children known to be resident. */
static uint64_t known_resident(const struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t n = 0;

	while (n < pages && upa_llfree_resident(&r->llfree, first + n))
		n += UPA_CHILD_PAGES - (first + n) % UPA_CHILD_PAGES;
	return n < pages ? n : pages;
}

void upa_linear_clear(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t cleared = 0;
	uint64_t length;
	int64_t page;

	UPA_ASSERT(held(r, first, pages));
	for (; first < end && (page = upa_llfree_next_stale(&r->llfree, first, end - first, &length)) >= 0;
	     first += length) {
		uint64_t known;

		first = (uint64_t)page;
		known = length < ASK_PAGES ? length : known_resident(r, first, length);
		if (known) {
			upa_clear(address_of(r, first), known * PAGE_BYTES);
			cleared += known;
			length = known;
		} else {
			uint64_t dropped = length > UPA_CHILD_PAGES ? drop_absent(r, first, length) : 0;
			uint64_t in_child = UPA_CHILD_PAGES - first % UPA_CHILD_PAGES;

			length = dropped ? dropped : length < in_child ? length : in_child;
			cleared += dropped ? 0 : clear_resident(r, first, length);
		}
	}
	if (cleared)
		ADD(r, cleared_pages, cleared);
}

void upa_linear_clear_as(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t holds)
{
	bool all = !(holds & (UPA_HOLDS_ABSENT | UPA_HOLDS_ZEROED));

	if (all && (pages < ASK_PAGES || holds & UPA_HOLDS_RESIDENT)) {
		upa_clear(address_of(r, first), pages * PAGE_BYTES);
		ADD(r, cleared_pages, pages);
	} else {
		r->backend->clear(r, first, pages);
	}
}

/*
 * Writes to the stale ones of held pages. What is not resident is not in danger: it is gone, or swapped out. So a large
 * block that the kernel has taken does not become resident again as a whole.
 */
static void write_to(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t length;
	int64_t page;

	for (; first < end && (page = upa_llfree_next_stale(&r->llfree, first, end - first, &length)) >= 0;
	     first += length) {
		first = (uint64_t)page;
		if (length < ASK_PAGES)
			for (uint64_t i = 0; i < length; i++)
				*(volatile char *)address_of(r, first + i) = 0;
		else
			upa_touch_resident(address_of(r, first), length * PAGE_BYTES);
	}
}

static bool drop(struct upa_region *r, uint64_t first, uint64_t end)
{
	return first == end || !os_madvise(address_of(r, first), (end - first) * PAGE_BYTES, MADV_DONTNEED);
}

/*
 * Of child c the caller holds pages lo .. hi-1, fewer than all. If all others are free they are written to as well, so
 * that the next block in this child is none of lazy memory; or dropped, if nobody may touch free pages.
 */
static void settle_rest(struct upa_region *r, uint64_t c, uint64_t lo, uint64_t hi)
{
	uint64_t start = c * UPA_CHILD_PAGES, end = start + UPA_CHILD_PAGES;
	uint32_t left = UPA_PUT_UNTOUCHED;

	if (end > r->llfree.pages || upa_llfree_lazy(&r->llfree, start) <= 0)
		return;
	if (lo > start && take_free(r, start, lo - start))
		return;
	if (hi == end || !take_free(r, hi, end - hi)) {
		if (r->backend->populate)
			write_to(r, start, UPA_CHILD_PAGES);
		else if (drop(r, start, lo) && drop(r, hi, end))
			left = UPA_PUT_ABSENT;
		if (r->backend->populate || left == UPA_PUT_ABSENT)
			upa_llfree_settle(&r->llfree, start, UPA_CHILD_PAGES);
		if (hi < end)
			put_back(r, hi, end - hi, left);
	}
	if (lo > start)
		put_back(r, start, lo - start, left);
}

void upa_linear_settle(struct upa_region *r, uint64_t first, uint64_t pages)
{
	uint64_t end = first + pages;
	uint64_t last = (end - 1) / UPA_CHILD_PAGES;

	write_to(r, first, pages);
	upa_llfree_settle(&r->llfree, first, pages);
	if (first / UPA_CHILD_PAGES == last) {
		settle_rest(r, last, first, end);
		return;
	}
	settle_rest(r, first / UPA_CHILD_PAGES, first, (first / UPA_CHILD_PAGES + 1) * UPA_CHILD_PAGES);
	settle_rest(r, last, last * UPA_CHILD_PAGES, end);
}

bool upa_linear_clear_child(struct upa_region *r, uint64_t first)
{
	uint64_t length;

	if (upa_llfree_next_stale(&r->llfree, first, UPA_CHILD_PAGES, &length) != (int64_t)first ||
	    length != UPA_CHILD_PAGES)
		return false;
	r->backend->clear(r, first, UPA_CHILD_PAGES);
	return true;
}
