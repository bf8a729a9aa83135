/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bits.h - the bits of one child: 512 that say which pages are allocated, in the child's polarity, and 512 that say
 * which free ones are stale. `flip` is the polarity as a mask (words.h); a range is lo .. hi-1.
 */
#ifndef UPA_LLFREE_BITS_H
#define UPA_LLFREE_BITS_H

#include "llfree/words.h"

/* First position in pos .. end-1 whose bit, after xor with flip, is 1; some position >= end if none. */
static inline uint32_t next_bit(const row_t *rows, uint64_t flip, uint32_t pos, uint32_t end)
{
	const row_t *at = rows + pos / ROW_BITS, *stop = rows + (end + ROW_BITS - 1) / ROW_BITS;
	uint64_t row;

	if (pos >= end)
		return end;
	row = (load_relaxed(at) ^ flip) & ~0ull << pos % ROW_BITS;
	while (!row) {
		if (++at == stop)
			return end;
		row = load_relaxed(at) ^ flip;
	}
	return (uint32_t)(at - rows) * ROW_BITS + (uint32_t)__builtin_ctzll(row);
}

/* First aligned position >= pos of n free pages, fewer than all, or -1. A snapshot. */
static inline int find_free(const struct bitmap *b, uint64_t flip, uint32_t pos, uint32_t n, uint32_t align)
{
	UPA_ASSERT(n && n < UPA_CHILD_PAGES && align && !(align & (align - 1)));
	for (;;) {
		uint32_t start = next_bit(b->allocated, ~flip, pos, UPA_CHILD_PAGES);
		uint32_t end;

		start = (start + align - 1) & ~(align - 1);
		if (start + n > UPA_CHILD_PAGES)
			return -1;
		if (n == 1)
			return (int)start;
		end = next_bit(b->allocated, flip, start, start + n);
		if (end >= start + n)
			return (int)start;
		pos = end + 1;
	}
}

/* As find_free(), of pages that are stale as well. */
int find_stale_in_rows(const struct bitmap *b, uint64_t flip, uint32_t pos, uint32_t n, uint32_t align);

/* Do bits lo .. hi-1 lie in one row? Mostly: a run of pages is short. */
static inline bool in_one_row(uint32_t lo, uint32_t hi)
{
	return lo / ROW_BITS == (hi - 1) / ROW_BITS;
}

static inline uint64_t one_row_mask(uint32_t lo, uint32_t hi)
{
	UPA_ASSERT(lo < hi && hi <= UPA_CHILD_PAGES);
	return ~0ull >> (ROW_BITS - (hi - lo)) << lo % ROW_BITS;
}

/*
 * Inverts bits lo .. hi-1, each of which must be allocated (or, with `allocated` false, free).
 * Returns how many were inverted before the first that was not.
 */
uint32_t flip_rows(struct bitmap *b, uint64_t flip, uint32_t lo, uint32_t hi, bool allocated);

static inline uint32_t flip_bits(struct bitmap *b, uint64_t flip, uint32_t lo, uint32_t hi, bool allocated)
{
	row_t *at = &b->allocated[lo / ROW_BITS];
	uint64_t mask, row;

	if (!in_one_row(lo, hi))
		return flip_rows(b, flip, lo, hi, allocated);
	mask = one_row_mask(lo, hi);
	row = load_relaxed(at);
	do {
		if (((allocated ? ~flip : flip) ^ row) & mask)
			return 0;
	} while (!cas_weak_acq_rel(at, &row, row ^ mask));
	return hi - lo;
}

/* Of a new child, whose bits are all free and 0: allocates those from lo on. */
void close_bits(struct bitmap *b, uint32_t lo);

/* Are bits lo .. hi-1, which lie in several rows, as those of `expected`: all 0 or all 1? */
bool rows_are(const row_t *rows, uint64_t expected, uint32_t lo, uint32_t hi);

/* Are bits lo .. hi-1 all allocated? */
static inline bool all_allocated(const struct bitmap *b, uint64_t flip, uint32_t lo, uint32_t hi)
{
	if (!in_one_row(lo, hi))
		return rows_are(b->allocated, ~flip, lo, hi);
	return !(~(load_relaxed(&b->allocated[lo / ROW_BITS]) ^ flip) & one_row_mask(lo, hi));
}

/* Are bits lo .. hi-1 all stale? */
static inline bool all_stale(const struct bitmap *b, uint32_t lo, uint32_t hi)
{
	if (!in_one_row(lo, hi))
		return rows_are(b->stale, ~0ull, lo, hi);
	return !(~load_relaxed(&b->stale[lo / ROW_BITS]) & one_row_mask(lo, hi));
}

/* The same from the start on: of few pages, mostly the first free ones are stale. */
static inline int find_stale(const struct bitmap *b, uint64_t flip, uint32_t n, uint32_t align)
{
	int pos;

	if (n > ROW_BITS)
		return find_stale_in_rows(b, flip, 0, n, align);
	pos = find_free(b, flip, 0, n, align);
	if (pos < 0 || all_stale(b, (uint32_t)pos, (uint32_t)pos + n))
		return pos;
	return find_stale_in_rows(b, flip, (uint32_t)pos, n, align);
}

void set_stale_rows(struct bitmap *b, uint32_t lo, uint32_t hi);

static inline void set_stale(struct bitmap *b, uint32_t lo, uint32_t hi)
{
	uint64_t mask;

	if (!in_one_row(lo, hi)) {
		set_stale_rows(b, lo, hi);
		return;
	}
	mask = one_row_mask(lo, hi);
	if (~load_relaxed(&b->stale[lo / ROW_BITS]) & mask)
		fetch_or_relaxed(&b->stale[lo / ROW_BITS], mask);
}

void clear_stale(struct bitmap *b, uint32_t lo, uint32_t hi);

/* How many of bits lo .. hi-1 are stale? */
uint32_t count_stale(const struct bitmap *b, uint32_t lo, uint32_t hi);

/* Behind the last allocated page; 0 if none is. */
static inline uint32_t end_of_allocated(const struct bitmap *b, uint64_t flip)
{
	for (uint32_t i = ROWS; i-- > 0;) {
		uint64_t row = load_relaxed(&b->allocated[i]) ^ flip;

		if (row)
			return (i + 1) * ROW_BITS - (uint32_t)__builtin_clzll(row);
	}
	return 0;
}

static inline uint32_t count_allocated(const struct bitmap *b, uint64_t flip)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ROWS; i++)
		n += (uint32_t)__builtin_popcountll(load_relaxed(&b->allocated[i]) ^ flip);
	return n;
}

static inline uint32_t count_stale_free(const struct bitmap *b, uint64_t flip)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ROWS; i++) {
		uint64_t free = load_relaxed(&b->allocated[i]) ^ ~flip;

		n += (uint32_t)__builtin_popcountll(free & load_relaxed(&b->stale[i]));
	}
	return n;
}

#endif
