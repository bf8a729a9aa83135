/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/child.h"

/* Frees pages that this thread has just taken. */
static void undo(struct bitmap *b, uint64_t flip, uint32_t lo, uint32_t n)
{
	uint32_t undone = flip_bits(b, flip, lo, lo + n, true);

	UPA_ASSERT(undone == n);
	(void)undone;
}

/* Takes n tickets, fewer than all. Sets *flip to the polarity, which stays while they are held. */
static bool take(child_t *child, uint32_t n, uint64_t *flip)
{
	uint32_t w = load_relaxed(child);

	do {
		if (child_free(w) < n)
			return false;
	} while (!cas_weak_acq_rel(child, &w, w + n));
	*flip = polarity(w);
	return true;
}

static void give_back(child_t *child, uint32_t n)
{
	uint32_t w = load_relaxed(child);
	uint32_t next;

	do {
		UPA_ASSERT(child_used(w) >= n && child_used(w) <= UPA_CHILD_PAGES);
		next = w - n;
		if (!child_used(next))
			next &= ~CHILD_TAINTED;
	} while (!cas_weak_acq_rel(child, &w, next));
}

int64_t child_get(const struct upa_llfree *a, uint64_t c, uint32_t n, uint32_t align)
{
	struct bitmap *b = bitmap_at(a, c);
	uint64_t flip = polarity(load_relaxed(child_at(a, c)));
	int pos;

	/* Looks before it takes: to others, tickets taken in vain are pages less. */
	pos = find_free(b, flip, n, align);
	if (pos < 0 || !take(child_at(a, c), n, &flip))
		return -1;
	do {
		uint32_t lo = (uint32_t)pos;
		uint32_t done = flip_bits(b, flip, lo, lo + n, false);

		if (done == n) {
			UPA_ASSERT(polarity(load_relaxed(child_at(a, c))) == flip);
			return (int64_t)(c * UPA_CHILD_PAGES + lo);
		}
		if (done)
			undo(b, flip, lo, done);
		pos = find_free(b, flip, n, align);
	} while (pos >= 0);
	give_back(child_at(a, c), n);
	return -1;
}

bool child_get_part(const struct upa_llfree *a, uint64_t c, uint32_t lo, uint32_t hi)
{
	struct bitmap *b = bitmap_at(a, c);
	uint32_t n = hi - lo;
	uint64_t flip;
	uint32_t done;

	if (!take(child_at(a, c), n, &flip))
		return false;
	done = flip_bits(b, flip, lo, hi, false);
	if (done == n)
		return true;
	if (done)
		undo(b, flip, lo, done);
	give_back(child_at(a, c), n);
	return false;
}

void child_set_state(const struct upa_llfree *a, uint64_t c, uint32_t from, uint32_t state)
{
	child_t *child = child_at(a, c);
	uint32_t w = load_relaxed(child);

	while (is_in(from, child_state(w)) && !cas_weak_acq_rel(child, &w, with_state(w, state)))
		;
}

/* UPA_MIXED knows two kinds of free pages, so zeroed ones in part of a child count as stale. */
void child_record(const struct upa_llfree *a, uint64_t c, uint32_t lo, uint32_t hi, uint32_t state)
{
	struct bitmap *b = bitmap_at(a, c);
	uint32_t w = load_relaxed(child_at(a, c));
	uint32_t now = child_state(w);

	if (state == UPA_ABSENT) {
		if (w & CHILD_RESIDENT)
			fetch_and_relaxed(child_at(a, c), ~CHILD_RESIDENT);
		if (now == UPA_ABSENT)
			return;
		/*
		 * All bits are set before the state tells anybody to look at them, so a put that still sees
		 * STALE or ZEROED loses nothing by not setting its own.
		 */
		if (now != UPA_MIXED) {
			set_stale(b, 0, UPA_CHILD_PAGES);
			child_set_state(a, c, ONLY(UPA_STALE) | ONLY(UPA_ZEROED), UPA_MIXED);
		}
		clear_stale(b, lo, hi);
	} else if (now == UPA_ZEROED) {
		if (state == UPA_STALE)
			child_set_state(a, c, ONLY(UPA_ZEROED), UPA_STALE);
	} else if (now != UPA_STALE) {
		set_stale(b, lo, hi);
		child_set_state(a, c, ONLY(UPA_ABSENT), UPA_MIXED);
	}
}

uint32_t child_put_whole(const struct upa_llfree *a, uint64_t c, uint32_t state)
{
	child_t *child = child_at(a, c);
	uint32_t w = load_relaxed(child);
	uint32_t kept = CHILD_POLARITY | CHILD_STATE | CHILD_RESIDENT;
	uint32_t set = 0;

	if (state != UNCHANGED) {
		kept &= ~CHILD_STATE;
		set = with_state(0, state);
		if (state == UPA_ABSENT)
			kept &= ~CHILD_RESIDENT;
		else if (state == UPA_ZEROED)
			set |= CHILD_RESIDENT;
		if (state != UPA_STALE)
			clear_stale(bitmap_at(a, c), 0, UPA_CHILD_PAGES);
	}
	do {
		if (child_used(w) != UPA_CHILD_PAGES)
			return 0;
		UPA_ASSERT(count_allocated(bitmap_at(a, c), polarity(w)) == UPA_CHILD_PAGES);
	} while (!cas_weak_acq_rel(child, &w, ((w ^ CHILD_POLARITY) & kept) | set));
	return UPA_CHILD_PAGES;
}

uint32_t child_put_part(const struct upa_llfree *a, uint64_t c, uint32_t lo, uint32_t hi, uint32_t state)
{
	child_t *child = child_at(a, c);
	uint64_t flip = polarity(load_relaxed(child));
	uint32_t done;

	if (state != UNCHANGED)
		child_record(a, c, lo, hi, state);
	done = flip_bits(bitmap_at(a, c), flip, lo, hi, true);
	if (done) {
		UPA_ASSERT(polarity(load_relaxed(child)) == flip);
		give_back(child, done);
	}
	return done;
}
