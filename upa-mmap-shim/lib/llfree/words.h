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

#define CHILD_USED 0x3ffu
#define CHILD_POLARITY (1u << 10)
#define CHILD_TAINTED (1u << 11)
#define CHILD_STATE_SHIFT 12u
#define CHILD_STATE (3u << CHILD_STATE_SHIFT)
#define CHILD_RESIDENT (1u << 14)
#define CHILD_KNOWN (CHILD_USED | CHILD_POLARITY | CHILD_TAINTED | CHILD_STATE | CHILD_RESIDENT)

#define TREE_USED 0x7fffffffu
#define TREE_RESERVED (1u << 31)

#define SLOT_FREE 0xffffull
#define SLOT_CHILD_SHIFT 16u
#define SLOT_CHILD (0xffffffffffull << SLOT_CHILD_SHIFT)
#define SLOT_PRESENT (1ull << 63)

#define ROW_BITS 64u
#define ROWS (UPA_CHILD_PAGES / ROW_BITS)

typedef _Atomic uint32_t child_t;
typedef _Atomic uint32_t tree_t;
typedef _Atomic uint64_t row_t;

struct bitmap {
	row_t allocated[ROWS];            /* in the child's polarity */
	row_t stale[ROWS];
};

struct slot {
	_Atomic uint64_t reservation;
	_Atomic uint64_t run_hint;        /* child at which the last large run began */
	_Atomic uint64_t gets;
	_Atomic uint64_t got_pages;
	_Atomic uint64_t puts;
	_Atomic uint64_t put_pages;
	_Atomic uint64_t failures;
	_Atomic uint64_t searches;
};

_Static_assert(sizeof(struct bitmap) == 128, "layout");
_Static_assert(sizeof(struct slot) == LINE_BYTES, "layout");
_Static_assert(sizeof(struct upa_llfree_header) == 72, "layout");
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

static inline struct bitmap *bitmap_at(const struct upa_llfree *a, uint64_t c)
{
	return (struct bitmap *)a->bitmap + c;
}

static inline struct slot *slot_at(const struct upa_llfree *a, uint32_t s)
{
	return (struct slot *)a->slot + s % a->slots;
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

/* ---- child words --------------------------------------------------------------------------- */

/* Sets of child states. */
#define ONLY(state) (1u << (state))
#define ANY_STATE 15u

static inline bool is_in(uint32_t states, uint32_t state) { return states >> state & 1; }

static inline uint32_t child_used(uint32_t w) { return w & CHILD_USED; }
static inline uint32_t child_free(uint32_t w) { return UPA_CHILD_PAGES - child_used(w); }
static inline uint32_t child_state(uint32_t w) { return (w & CHILD_STATE) >> CHILD_STATE_SHIFT; }
static inline uint32_t with_state(uint32_t w, uint32_t s) { return (w & ~CHILD_STATE) | s << CHILD_STATE_SHIFT; }

/* Xored with a row, gives 1 for allocated. */
static inline uint64_t polarity(uint32_t w) { return w & CHILD_POLARITY ? ~0ull : 0; }

/* Pages that a child lacks: 0 but for the last one of a state, and those that only pad its tree. */
static inline uint32_t child_missing(const struct upa_llfree *a, uint64_t c)
{
	if (c >= a->children)
		return UPA_CHILD_PAGES;
	return c == a->children - 1 ? (uint32_t)(a->children * UPA_CHILD_PAGES - a->pages) : 0;
}

/* ---- tree and slot words --------------------------------------------------------------------- */

/* At most UPA_TREE_PAGES whatever the word, for it goes into the slot word beside the child. */
static inline uint32_t tree_free(uint32_t w)
{
	return (w & TREE_USED) < UPA_TREE_PAGES ? UPA_TREE_PAGES - (w & TREE_USED) : 0;
}

static inline uint32_t slot_free(uint64_t w) { return (uint32_t)(w & SLOT_FREE); }
static inline uint64_t slot_child(uint64_t w) { return (w & SLOT_CHILD) >> SLOT_CHILD_SHIFT; }
static inline uint64_t slot_tree(uint64_t w) { return slot_child(w) / UPA_TREE_CHILDREN; }
static inline uint64_t with_child(uint64_t w, uint64_t c) { return (w & ~SLOT_CHILD) | c << SLOT_CHILD_SHIFT; }
static inline bool slot_holds(uint64_t w, uint64_t tree) { return w & SLOT_PRESENT && slot_tree(w) == tree; }

/* A slot's word for a tree just reserved. */
static inline uint64_t reservation_of(uint64_t tree, uint32_t free)
{
	return SLOT_PRESENT | tree * UPA_TREE_CHILDREN << SLOT_CHILD_SHIFT | free;
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
