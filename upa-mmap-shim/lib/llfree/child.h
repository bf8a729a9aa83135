/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child.h - pages of one child, taken and freed: its tickets are the counter in its word, its pages the bits. A get
 * takes tickets, then bits; a put gives back bits, then tickets. `c` is the number of a child, lo .. hi-1 a range of
 * its pages, and tree_flip the polarity of its tree as a mask, which stays while the caller holds tickets or pages of
 * the tree.
 */
#ifndef UPA_LLFREE_CHILD_H
#define UPA_LLFREE_CHILD_H

#include "llfree/bits.h"

/* Beside the states of a child: what is known of the pages stays as it is. */
#define UNCHANGED 4u

/* Takes any n aligned pages, fewer than all, with `stale` only such whose stale bit is set: their first, or -1. */
int64_t child_get(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t n, uint32_t align, bool stale);

/* Takes exactly pages lo .. hi-1, fewer than all, or none. */
bool child_get_part(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t lo, uint32_t hi);

/* Takes a child that is wholly free: inverting its polarity turns 512 free bits into 512 allocated ones. */
static inline bool child_get_whole(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip)
{
	uint32_t w = load_relaxed(child_at(a, c));

	do {
		if (!child_is_free(w, tree_flip))
			return false;
	} while (!cas_weak_acq_rel(child_at(a, c), &w, w ^ CHILD_POLARITY));
	UPA_ASSERT(!count_allocated(bitmap_at(a, c), child_flip(w, tree_flip)));
	return true;
}

/*
 * Frees pages lo .. hi-1, fewer than all and all of them the caller's, which hold what `state` says, or UNCHANGED.
 * Returns how many: fewer than asked only if somebody else frees them too.
 */
uint32_t child_put_held(const struct upa_llfree *a, uint64_t c, uint64_t flip, uint32_t lo, uint32_t hi,
			uint32_t state);

static inline uint32_t child_put_part(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t lo,
				      uint32_t hi, uint32_t state)
{
	return child_put_held(a, c, child_flip(load_relaxed(child_at(a, c)), tree_flip), lo, hi, state);
}

/* The same if all of them are allocated; else none is freed. */
static inline uint32_t child_put_checked(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t lo,
					 uint32_t hi, uint32_t state)
{
	uint64_t flip = child_flip(load_relaxed(child_at(a, c)), tree_flip);

	return all_allocated(bitmap_at(a, c), flip, lo, hi) ? child_put_held(a, c, flip, lo, hi, state) : 0;
}

/*
 * Frees a child of which every page is the caller's: the inverse of taking it whole. Returns 512, or 0 if somebody else
 * has freed some of them.
 */
uint32_t child_put_changed(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t state);

static inline uint32_t child_put_whole(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t state)
{
	uint32_t w = load_relaxed(child_at(a, c));

	/* Mostly it is stale, and was before. */
	if (state == UPA_STALE && child_is_full_stale(w, tree_flip)) {
		UPA_ASSERT(count_allocated(bitmap_at(a, c), child_flip(w, tree_flip)) == UPA_CHILD_PAGES);
		if (cas_weak_acq_rel(child_at(a, c), &w, w ^ CHILD_POLARITY))
			return UPA_CHILD_PAGES;
	}
	return child_put_changed(a, c, tree_flip, state);
}

/* Changes the state of a child in which the caller holds pages, if it is one of `from`. */
void child_set_state(const struct upa_llfree *a, uint64_t c, uint32_t from, uint32_t state);

/*
 * Records what pages lo .. hi-1, which the caller holds, contain: before they are free, for whoever gets one next must
 * see it.
 */
void child_record(const struct upa_llfree *a, uint64_t c, uint32_t lo, uint32_t hi, uint32_t state);

/* Records it of a whole child that the caller holds, and takes away its taint. The word afterwards. */
uint32_t child_record_whole(const struct upa_llfree *a, uint64_t c, uint32_t state);

/* Sets marks, CHILD_TAINTED, _RESIDENT or _LAZY, of a child in which the caller holds pages. Lazy ends resident. */
void child_mark(const struct upa_llfree *a, uint64_t c, uint32_t marks);

/* Takes the mark CHILD_LAZY away from a child that the caller holds. */
void child_settle(const struct upa_llfree *a, uint64_t c);

/*
 * Says of a tree in which the caller holds pages, and of its group, that what is below differs: to be done before a
 * child's state or one of its marks changes.
 */
void summary_mix(const struct upa_llfree *a, uint64_t tree);

#endif
