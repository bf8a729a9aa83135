/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bits.h - the bits of one child: 512 that say which pages are allocated, in the child's polarity, and 512 that say
 * which free ones are stale. `flip` is the polarity as a mask (words.h); a range is lo .. hi-1.
 */
#ifndef UPA_LLFREE_BITS_H
#define UPA_LLFREE_BITS_H

#include "llfree/words.h"

#define FOR_ROWS(i, lo, hi) for (uint32_t i = (lo) / ROW_BITS; i <= ((hi) - 1) / ROW_BITS; i++)

/* Bits lo .. hi-1 of a child that lie in row i, as a mask. */
static inline uint64_t row_mask(uint32_t i, uint32_t lo, uint32_t hi)
{
	uint64_t mask = ~0ull;

	UPA_ASSERT(lo < hi && hi <= UPA_CHILD_PAGES && i >= lo / ROW_BITS && i <= (hi - 1) / ROW_BITS);
	if (i == lo / ROW_BITS)
		mask <<= lo % ROW_BITS;
	if (i == (hi - 1) / ROW_BITS)
		mask &= ~0ull >> (ROW_BITS - 1 - (hi - 1) % ROW_BITS);
	return mask;
}

/* First position >= pos whose bit, after xor with flip, is 1; UPA_CHILD_PAGES if none. */
static inline uint32_t next_bit(const row_t *rows, uint64_t flip, uint32_t pos)
{
	while (pos < UPA_CHILD_PAGES) {
		uint64_t row = (load_relaxed(&rows[pos / ROW_BITS]) ^ flip) >> pos % ROW_BITS;

		if (row)
			return pos + (uint32_t)__builtin_ctzll(row);
		pos = (pos / ROW_BITS + 1) * ROW_BITS;
	}
	return UPA_CHILD_PAGES;
}

/* First aligned position of n free pages, or -1. A snapshot. */
static inline int find_free(const struct bitmap *b, uint64_t flip, uint32_t n, uint32_t align)
{
	uint32_t pos = 0;

	UPA_ASSERT(n && n < UPA_CHILD_PAGES && align && !(align & (align - 1)));
	for (;;) {
		uint32_t start = next_bit(b->allocated, ~flip, pos);
		uint32_t end;

		start = (start + align - 1) & ~(align - 1);
		if (start + n > UPA_CHILD_PAGES)
			return -1;
		if (n == 1)
			return (int)start;
		end = next_bit(b->allocated, flip, start);
		if (end - start >= n)
			return (int)start;
		pos = end + 1;
	}
}

/*
 * Inverts bits lo .. hi-1, each of which must be allocated (or, with `allocated` false, free).
 * Returns how many were inverted before the first that was not.
 */
static inline uint32_t flip_bits(struct bitmap *b, uint64_t flip, uint32_t lo, uint32_t hi, bool allocated)
{
	FOR_ROWS(i, lo, hi) {
		uint64_t mask = row_mask(i, lo, hi);
		uint64_t expected_bits = (allocated ? ~flip : flip) & mask;
		uint64_t row = load_relaxed(&b->allocated[i]);

		do {
			if ((row & mask) != expected_bits)
				return i * ROW_BITS > lo ? i * ROW_BITS - lo : 0;
		} while (!cas_weak_acq_rel(&b->allocated[i], &row, row ^ mask));
	}
	return hi - lo;
}

static inline void set_stale(struct bitmap *b, uint32_t lo, uint32_t hi)
{
	FOR_ROWS(i, lo, hi) {
		uint64_t mask = row_mask(i, lo, hi);

		if ((load_relaxed(&b->stale[i]) & mask) != mask)
			fetch_or_relaxed(&b->stale[i], mask);
	}
}

static inline void clear_stale(struct bitmap *b, uint32_t lo, uint32_t hi)
{
	FOR_ROWS(i, lo, hi) {
		uint64_t mask = row_mask(i, lo, hi);

		if (load_relaxed(&b->stale[i]) & mask)
			fetch_and_relaxed(&b->stale[i], ~mask);
	}
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
