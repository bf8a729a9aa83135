/* SPDX-License-Identifier: Apache-2.0 */
/* bits.c - ranges of bits over several rows: a part of the first, all of those between, a part of the last. */
#include "llfree/bits.h"

#define ALL (~0ull)

static inline uint64_t head_of(uint32_t lo)
{
	return ALL << lo % ROW_BITS;
}

static inline uint64_t tail_of(uint32_t hi)
{
	return ALL >> (ROW_BITS - 1 - (hi - 1) % ROW_BITS);
}

/* Inverts those bits of a row that are in the mask, if all of them are as expected. */
static inline bool flip_row(row_t *at, uint64_t mask, uint64_t expected)
{
	uint64_t row = load_relaxed(at);

	do {
		if ((expected ^ row) & mask)
			return false;
	} while (!cas_weak_acq_rel(at, &row, row ^ mask));
	return true;
}

uint32_t flip_rows(struct bitmap *b, uint64_t flip, uint32_t lo, uint32_t hi, bool allocated)
{
	const uint64_t expected = allocated ? ~flip : flip;
	row_t *at = b->allocated + lo / ROW_BITS;
	row_t *const end = b->allocated + hi / ROW_BITS;

	UPA_ASSERT(lo < hi && hi <= UPA_CHILD_PAGES && !in_one_row(lo, hi));
	if (lo % ROW_BITS && !flip_row(at++, head_of(lo), expected))
		return 0;
	/* Of a whole row it is known what it must be. */
	for (; at < end; at++) {
		uint64_t row = expected;

		if (!cas_strong_acq_rel(at, &row, ~expected))
			break;
	}
	if (at == end && (!(hi % ROW_BITS) || flip_row(end, tail_of(hi), expected)))
		return hi - lo;
	return (uint32_t)(at - b->allocated) * ROW_BITS - lo;
}

bool rows_are(const row_t *rows, uint64_t expected, uint32_t lo, uint32_t hi)
{
	const row_t *at = rows + lo / ROW_BITS;
	const row_t *const end = rows + hi / ROW_BITS;

	UPA_ASSERT(lo < hi && hi <= UPA_CHILD_PAGES && !in_one_row(lo, hi));
	if (lo % ROW_BITS && (load_relaxed(at++) ^ expected) & head_of(lo))
		return false;
	for (; at < end; at++)
		if (load_relaxed(at) != expected)
			return false;
	return !(hi % ROW_BITS) || !((load_relaxed(end) ^ expected) & tail_of(hi));
}

static inline void set_bits(row_t *at, uint64_t mask)
{
	if (~load_relaxed(at) & mask)
		fetch_or_relaxed(at, mask);
}

void set_stale_rows(struct bitmap *b, uint32_t lo, uint32_t hi)
{
	row_t *at = b->stale + lo / ROW_BITS;
	row_t *last = b->stale + (hi - 1) / ROW_BITS;
	uint64_t mask = head_of(lo);

	UPA_ASSERT(at < last && hi <= UPA_CHILD_PAGES);
	for (; at < last; at++, mask = ALL)
		set_bits(at, mask);
	set_bits(last, tail_of(hi));
}

void clear_stale(struct bitmap *b, uint32_t lo, uint32_t hi)
{
	for (uint32_t i = lo / ROW_BITS; i <= (hi - 1) / ROW_BITS; i++) {
		uint64_t mask = i == lo / ROW_BITS ? head_of(lo) : ALL;

		if (i == (hi - 1) / ROW_BITS)
			mask &= tail_of(hi);
		if (load_relaxed(&b->stale[i]) & mask)
			fetch_and_relaxed(&b->stale[i], ~mask);
	}
}

uint32_t count_stale(const struct bitmap *b, uint32_t lo, uint32_t hi)
{
	uint32_t n = 0;

	for (uint32_t i = lo / ROW_BITS; i <= (hi - 1) / ROW_BITS; i++) {
		uint64_t mask = i == lo / ROW_BITS ? head_of(lo) : ALL;

		if (i == (hi - 1) / ROW_BITS)
			mask &= tail_of(hi);
		n += (uint32_t)__builtin_popcountll(load_relaxed(&b->stale[i]) & mask);
	}
	return n;
}

void close_bits(struct bitmap *b, uint32_t lo)
{
	store_relaxed(&b->allocated[lo / ROW_BITS], head_of(lo));
	for (uint32_t i = lo / ROW_BITS + 1; i < ROWS; i++)
		store_relaxed(&b->allocated[i], ALL);
}

/* First position in pos .. end-1 of a page that is free and stale, after xor with toggle; end if there is none. */
static inline uint32_t next_free_stale(const struct bitmap *b, uint64_t flip, uint64_t toggle, uint32_t pos,
				       uint32_t end)
{
	uint32_t i = pos / ROW_BITS;
	const uint32_t stop = (end + ROW_BITS - 1) / ROW_BITS;
	uint64_t mask = head_of(pos);

	for (; i < stop; i++, mask = ALL) {
		uint64_t row = (load_relaxed(&b->allocated[i]) ^ ~flip) & load_relaxed(&b->stale[i]);

		row = (row ^ toggle) & mask;
		if (row)
			return i * ROW_BITS + (uint32_t)__builtin_ctzll(row);
	}
	return end;
}

int find_stale_in_rows(const struct bitmap *b, uint64_t flip, uint32_t pos, uint32_t n, uint32_t align)
{
	for (;;) {
		uint32_t start = next_free_stale(b, flip, 0, pos, UPA_CHILD_PAGES);
		uint32_t end;

		start = (start + align - 1) & ~(align - 1);
		if (start + n > UPA_CHILD_PAGES)
			return -1;
		end = next_free_stale(b, flip, ALL, start, start + n);
		if (end >= start + n)
			return (int)start;
		pos = end + 1;
	}
}
