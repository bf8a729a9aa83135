/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words.h - the words of a state: where each is, what its bits mean, and how they are packed and unpacked. The layout
 * is specified in upa/llfree.h; nothing else knows a shift or a mask.
 */
#ifndef UPA_LLFREE_WORDS_H
#define UPA_LLFREE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include <upa/llfree.h>

#include "os/assert.h"
#include "os/atomic.h"

#define HEADER_BYTES 4096u
#define LINE_BYTES 64u

#define CHILD_ONES 0x3ffu
#define CHILD_POLARITY (1u << 10)
#define CHILD_TAINTED (1u << 11)
#define CHILD_STATE_SHIFT 12u
#define CHILD_STATE (3u << CHILD_STATE_SHIFT)
#define CHILD_RESIDENT (1u << 14)
#define CHILD_LAZY (1u << 15)
#define CHILD_KNOWN (CHILD_ONES | CHILD_POLARITY | CHILD_TAINTED | CHILD_STATE | CHILD_RESIDENT | CHILD_LAZY)

/* Of trees and groups alike. */
#define NODE_USED 0xffffu
#define NODE_POLARITY (1u << 16)
#define NODE_WHOLE (1u << 17)
#define NODE_STATE_SHIFT 24u
#define NODE_STATE (3u << NODE_STATE_SHIFT)
#define NODE_RESIDENT (1u << 26)

#define TREE_OPEN (1u << 18)
#define TREE_RESERVED (1u << 31)
#define TREE_KNOWN (NODE_USED | NODE_POLARITY | NODE_WHOLE | NODE_STATE | NODE_RESIDENT | TREE_OPEN | TREE_RESERVED)
#define GROUP_KNOWN (NODE_USED | NODE_POLARITY | NODE_WHOLE | NODE_STATE | NODE_RESIDENT)

#define SLOT_FREE 0xffffull
#define SLOT_CHILD_SHIFT 16u
#define SLOT_CHILD (0xffffffffffull << SLOT_CHILD_SHIFT)
#define SLOT_POLARITY (1ull << 62)
#define SLOT_PRESENT (1ull << 63)

#define ROW_BITS 64u
#define ROWS (UPA_CHILD_PAGES / ROW_BITS)

typedef _Atomic uint32_t child_t;
typedef _Atomic uint32_t tree_t;
typedef _Atomic uint32_t group_t;
typedef _Atomic uint64_t row_t;

struct bitmap {
	row_t allocated[ROWS]; /* in the child's polarity */
	row_t stale[ROWS];
};

struct slot {
	_Atomic uint64_t reservation;
	_Atomic uint64_t run_hint; /* page at which the last large run began */
	_Atomic uint64_t gets;
	_Atomic uint64_t got_pages;
	_Atomic uint64_t puts;
	_Atomic uint64_t put_pages;
	_Atomic uint64_t failures;
	_Atomic uint64_t searches;
};

_Static_assert(sizeof(struct bitmap) == 128, "layout");
_Static_assert(sizeof(struct slot) == LINE_BYTES, "layout");
_Static_assert(sizeof(struct upa_llfree_header) == 80, "layout");
_Static_assert(sizeof(_Atomic uint64_t) == 8 && sizeof(_Atomic uint32_t) == 4, "atomics are plain words");

/* ---- where they are ------------------------------------------------------------------------ */

static inline struct upa_llfree_header *header_of(const struct upa_llfree *a)
{
	return a->state;
}

static inline child_t *child_at(const struct upa_llfree *a, uint64_t c)
{
	return (child_t *)a->child + c;
}

static inline tree_t *tree_at(const struct upa_llfree *a, uint64_t t)
{
	return (tree_t *)a->tree + t;
}

static inline group_t *group_at(const struct upa_llfree *a, uint64_t g)
{
	return (group_t *)a->group + g;
}

static inline struct bitmap *bitmap_at(const struct upa_llfree *a, uint64_t c)
{
	return (struct bitmap *)a->bitmap + c;
}

static inline struct slot *slot_at(const struct upa_llfree *a, uint32_t s)
{
	/* Mostly it is one of them, and a division would cost more than all else here. */
	return (struct slot *)a->slot + (s < a->slots ? s : s % a->slots);
}

static inline bool in_range(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	return pages && first < a->pages && pages <= a->pages - first;
}

/* A range that starts at `first` and ends at `end`, cut at the end of the first one's child, or tree. */
static inline uint64_t end_in_child(uint64_t first, uint64_t end)
{
	uint64_t border = (first / UPA_CHILD_PAGES + 1) * UPA_CHILD_PAGES;

	return border < end ? border : end;
}

static inline uint64_t end_in_tree(uint64_t first, uint64_t end)
{
	uint64_t border = (first / UPA_TREE_PAGES + 1) * UPA_TREE_PAGES;

	return border < end ? border : end;
}

static inline uint64_t end_in_group(uint64_t first, uint64_t end)
{
	uint64_t border = (first / UPA_GROUP_PAGES + 1) * UPA_GROUP_PAGES;

	return border < end ? border : end;
}

/* ---- child words --------------------------------------------------------------------------- */

/* Sets of child states. */
#define ONLY(state) (1u << (state))
#define ANY_STATE 15u

static inline bool is_in(uint32_t states, uint32_t state)
{
	return states >> state & 1;
}

static inline uint32_t child_state(uint32_t w)
{
	return (w & CHILD_STATE) >> CHILD_STATE_SHIFT;
}
static inline uint32_t with_state(uint32_t w, uint32_t s)
{
	return (w & ~CHILD_STATE) | s << CHILD_STATE_SHIFT;
}

/* As UPA_HOLDS_*; 1 << UPA_MIXED is one of them here. */
static inline uint32_t child_holds(uint32_t w)
{
	_Static_assert(CHILD_LAZY >> 11 == UPA_HOLDS_LAZY && CHILD_RESIDENT >> 9 == UPA_HOLDS_RESIDENT, "shifts");
	return ONLY(child_state(w)) | (w & CHILD_LAZY) >> 11 | (w & CHILD_RESIDENT) >> 9;
}

/* The polarity of a child, given that of its tree, as masks: xored with a row it gives 1 for allocated. */
static inline uint64_t child_flip(uint32_t w, uint64_t tree_flip)
{
	return (w & CHILD_POLARITY ? ~0ull : 0) ^ tree_flip;
}

/* Pages allocated or promised: the ones, or what they leave of 512. */
static inline uint32_t child_used(uint32_t w, uint64_t flip)
{
	return ((w & CHILD_ONES) ^ (uint32_t)flip) + ((uint32_t)flip & (UPA_CHILD_PAGES + 1));
}

/* Are those parts of its word that `w` consists of the ones of a child that is wholly free? */
static inline bool only_free(uint32_t w, uint64_t tree_flip)
{
	uint32_t free = (uint32_t)tree_flip & UPA_CHILD_PAGES; /* if its own polarity is 0 */

	return (w == free) | (w == (CHILD_POLARITY | (UPA_CHILD_PAGES - free)));
}

/* Is it wholly free? As child_used() == 0, in fewer steps. */
static inline bool child_is_free(uint32_t w, uint64_t tree_flip)
{
	return only_free(w & (CHILD_ONES | CHILD_POLARITY), tree_flip);
}

/* Is it wholly allocated? */
static inline bool child_is_full(uint32_t w, uint64_t tree_flip)
{
	return child_is_free(w, ~tree_flip);
}

/* And stale, without a taint, and not lazy? */
static inline bool child_is_full_stale(uint32_t w, uint64_t tree_flip)
{
	return only_free((w & ~CHILD_RESIDENT) ^ (UPA_STALE << CHILD_STATE_SHIFT), ~tree_flip);
}

static inline uint32_t child_free(uint32_t w, uint64_t flip)
{
	return UPA_CHILD_PAGES - child_used(w, flip);
}

/* The word with n more pages used, or fewer. */
static inline uint32_t child_more(uint32_t w, uint64_t flip, uint32_t n)
{
	return w + ((n ^ (uint32_t)flip) - (uint32_t)flip);
}
static inline uint32_t child_less(uint32_t w, uint64_t flip, uint32_t n)
{
	return w - ((n ^ (uint32_t)flip) - (uint32_t)flip);
}

/* Pages that a child lacks: 0 but for the last one of a state, and those that only pad its tree. */
static inline uint32_t child_missing(const struct upa_llfree *a, uint64_t c)
{
	if (c >= a->children)
		return UPA_CHILD_PAGES;
	return c == a->children - 1 ? (uint32_t)(a->children * UPA_CHILD_PAGES - a->pages) : 0;
}

/* ---- tree and group words ---------------------------------------------------------------------- */

static inline uint32_t node_used(uint32_t w)
{
	return w & NODE_USED;
}
static inline uint64_t node_flip(uint32_t w)
{
	return w & NODE_POLARITY ? ~0ull : 0;
}
static inline uint32_t node_state(uint32_t w)
{
	return (w & NODE_STATE) >> NODE_STATE_SHIFT;
}

/* As UPA_HOLDS_*, if all that is below has it in common; else 1 << UPA_MIXED. */
static inline uint32_t node_holds(uint32_t w)
{
	_Static_assert(NODE_RESIDENT >> 21 == UPA_HOLDS_RESIDENT, "shift");
	return ONLY(node_state(w)) | (w & NODE_RESIDENT) >> 21;
}

/* What all that is below has in common. */
static inline uint32_t with_summary(uint32_t w, uint32_t state, bool resident)
{
	return (w & ~(NODE_STATE | NODE_RESIDENT)) | state << NODE_STATE_SHIFT | (resident ? NODE_RESIDENT : 0);
}

/* A tree's word as it is to be read: one that is closed is relative to the polarity of its group. */
static inline uint32_t tree_view(uint32_t w, uint32_t group)
{
	if (w & TREE_OPEN || !(group & NODE_POLARITY))
		return w;
	return (w ^ NODE_POLARITY) + UPA_TREE_PAGES - 2 * node_used(w);
}

static inline uint32_t tree_load(const struct upa_llfree *a, uint64_t t)
{
	uint32_t w = load_relaxed(tree_at(a, t));

	return w & TREE_OPEN ? w : tree_view(w, load_relaxed(group_at(a, t / UPA_GROUP_TREES)));
}

/*
 * Of a word as it is to be read: at most UPA_TREE_PAGES whatever it is, for it goes into the slot word beside the
 * child.
 */
static inline uint32_t tree_free(uint32_t w)
{
	return node_used(w) < UPA_TREE_PAGES ? UPA_TREE_PAGES - node_used(w) : 0;
}

/* Is every page of the tree allocated, by one get, and none of it freed since? */
static inline bool tree_is_whole(uint32_t view)
{
	return view & TREE_OPEN ? view & NODE_WHOLE : node_used(view) == UPA_TREE_PAGES;
}

/* ---- slot words ------------------------------------------------------------------------------ */

static inline uint32_t slot_free(uint64_t w)
{
	return (uint32_t)(w & SLOT_FREE);
}
static inline uint64_t slot_child(uint64_t w)
{
	return (w & SLOT_CHILD) >> SLOT_CHILD_SHIFT;
}
static inline uint64_t slot_tree(uint64_t w)
{
	return slot_child(w) / UPA_TREE_CHILDREN;
}
static inline uint64_t slot_flip(uint64_t w)
{
	return w & SLOT_POLARITY ? ~0ull : 0;
}
static inline uint64_t with_child(uint64_t w, uint64_t c)
{
	return (w & ~SLOT_CHILD) | c << SLOT_CHILD_SHIFT;
}
static inline bool slot_holds(uint64_t w, uint64_t tree)
{
	return w & SLOT_PRESENT && slot_tree(w) == tree;
}

/* A slot's word for the tree of child c, just reserved, of which `word` is the tree's; gets begin at that child. */
static inline uint64_t reservation_of(uint64_t c, uint32_t word, uint32_t free)
{
	return SLOT_PRESENT | (word & NODE_POLARITY ? SLOT_POLARITY : 0) | c << SLOT_CHILD_SHIFT | free;
}

/* The reservation of a slot; one that points outside the state counts as none. */
static inline uint64_t slot_load(const struct upa_llfree *a, const struct slot *s)
{
	uint64_t w = load_relaxed(&s->reservation);

	return slot_child(w) < a->children ? w : 0;
}

/* ---- the header's one word that changes ------------------------------------------------------ */

static inline _Atomic uint64_t *touched_at(const struct upa_llfree *a)
{
	return (_Atomic uint64_t *)&header_of(a)->touched_children;
}

static inline uint64_t touched_children(const struct upa_llfree *a)
{
	uint64_t n = load_relaxed(touched_at(a));

	return n < a->children ? n : a->children;
}

/* Children below end have been handed out, or may be any moment. */
static inline void touch_children(const struct upa_llfree *a, uint64_t end)
{
	uint64_t n = load_relaxed(touched_at(a));

	if (end > a->children)
		end = a->children;
	while (n < end && !cas_weak_acq_rel(touched_at(a), &n, end))
		;
}

#endif
