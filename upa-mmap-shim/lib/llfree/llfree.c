/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock-free page allocator. Layout, protocol and invariants are in upa/llfree.h; this file reads
 * from the bottom up: bits of a child, child words, trees and slots, searches, the public functions.
 *
 * Naming: child_* work on one child and its tickets, tree_* and slot_* on the tickets above it,
 * search_* look for room and take nothing themselves. Loads are relaxed unless what they read is
 * then relied on; every successful compare-and-swap is acquire and release.
 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <upa/llfree.h>

#define ROW_BITS 64u
#define ROWS (UPA_CHILD_PAGES / ROW_BITS)
#define HEADER_BYTES 4096u
#define LINE_BYTES 64u

#define CHILD_USED 0x3ffu
#define CHILD_POLARITY (1u << 10)
#define CHILD_TAINTED (1u << 11)
#define CHILD_STATE_SHIFT 12u
#define CHILD_STATE (3u << CHILD_STATE_SHIFT)
#define CHILD_RESIDENT (1u << 14)
#define CHILD_KNOWN (CHILD_USED | CHILD_POLARITY | CHILD_TAINTED | CHILD_STATE | CHILD_RESIDENT)

/* Sets of child states. */
#define ONLY(state) (1u << (state))
#define ANY_STATE 15u

#define TREE_USED 0x7fffffffu
#define TREE_RESERVED (1u << 31)

#define SLOT_FREE 0xffffull
#define SLOT_CHILD_SHIFT 16u
#define SLOT_CHILD (0xffffffffffull << SLOT_CHILD_SHIFT)
#define SLOT_PRESENT (1ull << 63)

/* Beside the states of a child: what is known of the pages stays as it is. */
#define UNCHANGED 4u

/* Trees to try for a run that their counters promise but their fragments may not hold. */
#define RESERVE_TRIES 4

/* Searches of the whole state before a get fails though it has seen room: others may be quicker every time. */
#define SEARCH_TRIES 16

/* A get must not spin for ever on words that a hostile or broken process keeps changing. */
#define TICKET_TRIES 1024

struct bitmap {
	_Atomic uint64_t allocated[ROWS]; /* in the child's polarity */
	_Atomic uint64_t stale[ROWS];
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

typedef _Atomic uint32_t child_t;
typedef _Atomic uint32_t tree_t;

static inline uint32_t load32(const _Atomic uint32_t *p) { return atomic_load_explicit(p, memory_order_relaxed); }
static inline uint64_t load64(const _Atomic uint64_t *p) { return atomic_load_explicit(p, memory_order_relaxed); }

static inline bool cas32(_Atomic uint32_t *p, uint32_t *expected, uint32_t desired)
{
	return atomic_compare_exchange_weak_explicit(p, expected, desired, memory_order_acq_rel, memory_order_relaxed);
}

static inline bool cas64(_Atomic uint64_t *p, uint64_t *expected, uint64_t desired)
{
	return atomic_compare_exchange_weak_explicit(p, expected, desired, memory_order_acq_rel, memory_order_relaxed);
}

static inline child_t *child_at(const struct upa_llfree *a, uint64_t c) { return (child_t *)a->child + c; }
static inline tree_t *tree_at(const struct upa_llfree *a, uint64_t t) { return (tree_t *)a->tree + t; }
static inline struct bitmap *bitmap_at(const struct upa_llfree *a, uint64_t c) { return (struct bitmap *)a->bitmap + c; }
static inline struct slot *slot_at(const struct upa_llfree *a, uint32_t s) { return (struct slot *)a->slot + s % a->slots; }

static inline uint32_t child_used(uint32_t w) { return w & CHILD_USED; }
static inline uint32_t child_free(uint32_t w) { return UPA_CHILD_PAGES - child_used(w); }
static inline uint32_t child_state(uint32_t w) { return (w & CHILD_STATE) >> CHILD_STATE_SHIFT; }
static inline uint32_t with_state(uint32_t w, uint32_t s) { return (w & ~CHILD_STATE) | s << CHILD_STATE_SHIFT; }
/* Xored with a row, gives 1 for allocated. */
static inline uint64_t polarity(uint32_t w) { return w & CHILD_POLARITY ? ~0ull : 0; }

/* At most UPA_TREE_PAGES whatever the word, for it goes into the slot word beside the child. */
static inline uint32_t tree_free(uint32_t w) { return (w & TREE_USED) < UPA_TREE_PAGES ? UPA_TREE_PAGES - (w & TREE_USED) : 0; }
static inline uint32_t slot_free(uint64_t w) { return (uint32_t)(w & SLOT_FREE); }
static inline uint64_t slot_child(uint64_t w) { return (w & SLOT_CHILD) >> SLOT_CHILD_SHIFT; }
static inline uint64_t slot_tree(uint64_t w) { return slot_child(w) / UPA_TREE_CHILDREN; }

/* The reservation of a slot; one that points outside the state counts as none. */
static inline uint64_t slot_load(const struct upa_llfree *a, const struct slot *s)
{
	uint64_t w = load64(&s->reservation);

	return slot_child(w) < a->children ? w : 0;
}

static inline bool slot_holds(uint64_t w, uint64_t tree) { return w & SLOT_PRESENT && slot_tree(w) == tree; }

/* A counter of one slot: exact while each thread has a slot of its own, else a lower bound. */
static inline void count(_Atomic uint64_t *p, uint64_t n)
{
	atomic_store_explicit(p, load64(p) + n, memory_order_relaxed);
}

/* ---- bits of one child -------------------------------------------------------------------- */

/* Bits lo .. hi-1 of a child that lie in row i, as a mask. */
static inline uint64_t row_mask(uint32_t i, uint32_t lo, uint32_t hi)
{
	uint32_t from = lo > i * ROW_BITS ? lo - i * ROW_BITS : 0;
	uint32_t to = hi < (i + 1) * ROW_BITS ? hi - i * ROW_BITS : ROW_BITS;

	return (to - from == ROW_BITS ? ~0ull : (1ull << (to - from)) - 1) << from;
}

#define FOR_ROWS(i, lo, hi) for (uint32_t i = (lo) / ROW_BITS; i <= ((hi) - 1) / ROW_BITS; i++)

/* First position >= pos whose bit, after xor with flip, is 1; UPA_CHILD_PAGES if none. */
static uint32_t next_bit(const _Atomic uint64_t *rows, uint64_t flip, uint32_t pos)
{
	while (pos < UPA_CHILD_PAGES) {
		uint64_t row = (load64(&rows[pos / ROW_BITS]) ^ flip) >> pos % ROW_BITS;

		if (row)
			return pos + (uint32_t)__builtin_ctzll(row);
		pos = (pos / ROW_BITS + 1) * ROW_BITS;
	}
	return UPA_CHILD_PAGES;
}

/* First aligned position of n free pages, or -1. A snapshot. */
static int find_free(const struct bitmap *b, uint64_t flip, uint32_t n, uint32_t align)
{
	uint32_t pos = 0;

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
static uint32_t flip_bits(struct bitmap *b, uint64_t flip, uint32_t lo, uint32_t hi, bool allocated)
{
	FOR_ROWS(i, lo, hi) {
		uint64_t mask = row_mask(i, lo, hi);
		uint64_t expected_bits = (allocated ? ~flip : flip) & mask;
		uint64_t row = load64(&b->allocated[i]);

		do {
			if ((row & mask) != expected_bits)
				return i * ROW_BITS > lo ? i * ROW_BITS - lo : 0;
		} while (!cas64(&b->allocated[i], &row, row ^ mask));
	}
	return hi - lo;
}

static void set_stale(struct bitmap *b, uint32_t lo, uint32_t hi)
{
	FOR_ROWS(i, lo, hi) {
		uint64_t mask = row_mask(i, lo, hi);

		if ((load64(&b->stale[i]) & mask) != mask)
			atomic_fetch_or_explicit(&b->stale[i], mask, memory_order_relaxed);
	}
}

static void clear_stale(struct bitmap *b, uint32_t lo, uint32_t hi)
{
	FOR_ROWS(i, lo, hi) {
		uint64_t mask = row_mask(i, lo, hi);

		if (load64(&b->stale[i]) & mask)
			atomic_fetch_and_explicit(&b->stale[i], ~mask, memory_order_relaxed);
	}
}

/* ---- child words -------------------------------------------------------------------------- */

/* Takes n tickets of a child. On success *word is what the polarity is to be read from. */
static bool child_take(child_t *child, uint32_t n, uint32_t *word)
{
	uint32_t w = load32(child);

	do {
		if (child_free(w) < n)
			return false;
		/* All at once: inverting the polarity turns 512 free bits into 512 allocated ones. */
		*word = n == UPA_CHILD_PAGES ? (w ^ CHILD_POLARITY) + n : w + n;
	} while (!cas32(child, &w, *word));
	return true;
}

static void child_return(child_t *child, uint32_t n)
{
	uint32_t w = load32(child);
	uint32_t next;

	do {
		next = w - n;
		if (!child_used(next))
			next &= ~CHILD_TAINTED;
	} while (!cas32(child, &w, next));
}

/* Takes any n aligned pages of a child, n <= 512: their first, or -1. */
static int64_t child_get(const struct upa_llfree *a, uint64_t c, uint32_t n, uint32_t align)
{
	struct bitmap *b = bitmap_at(a, c);
	uint32_t w = load32(child_at(a, c));
	uint64_t flip;
	int pos;

	if (n == UPA_CHILD_PAGES)
		return child_take(child_at(a, c), n, &w) ? (int64_t)(c * UPA_CHILD_PAGES) : -1;
	/* Looks before it takes: to others, tickets taken in vain are pages less. */
	pos = find_free(b, polarity(w), n, align);
	if (pos < 0 || !child_take(child_at(a, c), n, &w))
		return -1;
	flip = polarity(w);
	do {
		uint32_t lo = (uint32_t)pos;
		uint32_t done = flip_bits(b, flip, lo, lo + n, false);

		if (done == n)
			return (int64_t)(c * UPA_CHILD_PAGES + lo);
		if (done)
			flip_bits(b, flip, lo, lo + done, true);
		pos = find_free(b, flip, n, align);
	} while (pos >= 0);
	child_return(child_at(a, c), n);
	return -1;
}

/* Takes exactly pages lo .. hi-1 of a child. */
static bool child_get_at(const struct upa_llfree *a, uint64_t c, uint32_t lo, uint32_t hi)
{
	struct bitmap *b = bitmap_at(a, c);
	uint32_t n = hi - lo;
	uint32_t done;
	uint32_t w;

	if (!child_take(child_at(a, c), n, &w))
		return false;
	if (n == UPA_CHILD_PAGES)
		return true;
	done = flip_bits(b, polarity(w), lo, hi, false);
	if (done == n)
		return true;
	if (done)
		flip_bits(b, polarity(w), lo, lo + done, true);
	child_return(child_at(a, c), n);
	return false;
}

/* Changes the state of a child in which the caller holds pages, if it is one of `from`. */
static void child_set_state(child_t *child, uint32_t from, uint32_t state)
{
	uint32_t w = load32(child);

	while (from >> child_state(w) & 1 && !cas32(child, &w, with_state(w, state)))
		;
}

/* Frees a child the caller holds wholly: the inverse of the whole take. */
static uint32_t child_put_whole(const struct upa_llfree *a, uint64_t c, uint32_t state)
{
	child_t *child = child_at(a, c);
	uint32_t w = load32(child);
	uint32_t next;

	if (state == UPA_ABSENT || state == UPA_ZEROED)
		clear_stale(bitmap_at(a, c), 0, UPA_CHILD_PAGES);
	do {
		if (child_used(w) != UPA_CHILD_PAGES)
			return 0;
		next = (w ^ CHILD_POLARITY) & ~(CHILD_USED | CHILD_TAINTED);
		if (state != UNCHANGED)
			next = with_state(next, state);
		if (state == UPA_ABSENT)
			next &= ~CHILD_RESIDENT;
		if (state == UPA_ZEROED)
			next |= CHILD_RESIDENT;
	} while (!cas32(child, &w, next));
	return UPA_CHILD_PAGES;
}

/*
 * Records what pages lo .. hi-1 hold, before they are free: whoever gets one next must see it.
 * UPA_MIXED knows two kinds of free pages, so zeroed ones in part of a child count as stale.
 */
static void child_record(child_t *child, struct bitmap *b, uint32_t lo, uint32_t hi, uint32_t state)
{
	uint32_t now = child_state(load32(child));

	if (state == UPA_ABSENT) {
		if (load32(child) & CHILD_RESIDENT)
			atomic_fetch_and_explicit(child, ~CHILD_RESIDENT, memory_order_relaxed);
		if (now == UPA_ABSENT)
			return;
		/*
		 * All bits are set before the state tells anybody to look at them, so a put that still sees
		 * STALE or ZEROED loses nothing by not setting its own.
		 */
		if (now != UPA_MIXED) {
			set_stale(b, 0, UPA_CHILD_PAGES);
			child_set_state(child, ONLY(UPA_STALE) | ONLY(UPA_ZEROED), UPA_MIXED);
		}
		clear_stale(b, lo, hi);
	} else if (now == UPA_ZEROED) {
		if (state == UPA_STALE)
			child_set_state(child, ONLY(UPA_ZEROED), UPA_STALE);
	} else if (now != UPA_STALE) {
		set_stale(b, lo, hi);
		child_set_state(child, ONLY(UPA_ABSENT), UPA_MIXED);
	}
}

/* Frees pages lo .. hi-1 of a child. Returns how many: fewer than asked only if somebody else frees them too. */
static uint32_t child_put(const struct upa_llfree *a, uint64_t c, uint32_t lo, uint32_t hi, uint32_t state)
{
	child_t *child = child_at(a, c);
	uint32_t done;

	if (hi - lo == UPA_CHILD_PAGES)
		return child_put_whole(a, c, state);
	if (state != UNCHANGED)
		child_record(child, bitmap_at(a, c), lo, hi, state);
	done = flip_bits(bitmap_at(a, c), polarity(load32(child)), lo, hi, true);
	if (done)
		child_return(child, done);
	return done;
}

/* ---- tickets of trees and slots ----------------------------------------------------------- */

static void tree_give(const struct upa_llfree *a, uint64_t tree, uint32_t n)
{
	atomic_fetch_sub_explicit(tree_at(a, tree), n, memory_order_acq_rel);
}

/* Gives n tickets back, to the caller's slot if it holds the tree; what has been overdrawn has no room there. */
static void tickets_give(const struct upa_llfree *a, struct slot *s, uint64_t tree, uint32_t n)
{
	uint64_t w = slot_load(a, s);

	while (slot_holds(w, tree) && slot_free(w) + n <= UPA_TREE_PAGES)
		if (cas64(&s->reservation, &w, w + n))
			return;
	tree_give(a, tree, n);
}

static bool tree_take(const struct upa_llfree *a, uint64_t tree, uint32_t n)
{
	uint32_t w = load32(tree_at(a, tree));

	do {
		if (tree_free(w) < n)
			return false;
	} while (!cas32(tree_at(a, tree), &w, w + n));
	return true;
}

/* Ends a reservation whose word has just been taken out of its slot. */
static void tree_release(const struct upa_llfree *a, uint64_t word)
{
	tree_t *tree = tree_at(a, slot_tree(word));
	uint32_t w = load32(tree);

	while (!cas32(tree, &w, (w - slot_free(word)) & ~TREE_RESERVED))
		;
}

/*
 * Takes n tickets of a given tree wherever they are: own slot, the tree, the slot of somebody else. They may
 * be nowhere, on their way between a tree and a slot, or gone with a killed thread: then it may overdraw the tree.
 */
static bool tickets_take(const struct upa_llfree *a, struct slot *own, uint64_t tree, uint32_t n, bool overdraw)
{
	uint64_t w = slot_load(a, own);

	while (slot_holds(w, tree) && slot_free(w) >= n)
		if (cas64(&own->reservation, &w, w - n))
			return true;

	for (int i = 0; i < TICKET_TRIES; i++) {
		bool moved = false;

		if (tree_take(a, tree, n))
			return true;
		if (!(load32(tree_at(a, tree)) & TREE_RESERVED))
			break;
		/* What the holder has left becomes the tree's; he keeps the reservation and fetches more as he needs. */
		for (uint32_t s = 0; s < a->slots; s++) {
			struct slot *other = slot_at(a, s);

			w = slot_load(a, other);
			if (slot_holds(w, tree) && slot_free(w) && cas64(&other->reservation, &w, w & ~SLOT_FREE)) {
				tree_give(a, tree, slot_free(w));
				moved = true;
			}
		}
		if (!moved)
			break;
	}
	if (tree_take(a, tree, n))
		return true;
	if (overdraw)
		atomic_fetch_add_explicit(tree_at(a, tree), n, memory_order_acq_rel);
	return overdraw;
}

static uint64_t touched_children(const struct upa_llfree *a)
{
	uint64_t n = load64((_Atomic uint64_t *)&((struct upa_llfree_header *)a->state)->touched_children);

	return n < a->children ? n : a->children;
}

static void touch_children(const struct upa_llfree *a, uint64_t end)
{
	_Atomic uint64_t *touched = (_Atomic uint64_t *)&((struct upa_llfree_header *)a->state)->touched_children;
	uint64_t n = load64(touched);

	if (end > a->children)
		end = a->children;
	while (n < end && !cas64(touched, &n, end))
		;
}

/*
 * Puts a new tree with at least n free pages into the slot, looking from *from on, and sets *from
 * behind it. Partly used trees first: they keep the rest whole for large runs. False if there is none;
 * true also when another thread has changed the slot meanwhile, which is as good.
 */
static bool slot_reserve(const struct upa_llfree *a, struct slot *s, uint64_t old, uint32_t n, uint64_t *from)
{
	uint64_t used_trees = (touched_children(a) + UPA_TREE_CHILDREN - 1) / UPA_TREE_CHILDREN;
	uint32_t roomy = n * 8 < UPA_TREE_PAGES / 2 ? n * 8 : UPA_TREE_PAGES / 2;

	for (int pass = 0; pass < 2; pass++) {
		uint32_t least = pass == 0 && roomy > n ? roomy : n;
		uint64_t end = pass == 0 ? used_trees : a->trees;

		for (uint64_t t = *from; t < end; t++) {
			uint32_t w = load32(tree_at(a, t));
			uint64_t word;

			if (w & TREE_RESERVED || tree_free(w) < least || (pass == 0 && !(w & TREE_USED)))
				continue;
			if (!cas32(tree_at(a, t), &w, TREE_RESERVED | UPA_TREE_PAGES))
				continue;
			touch_children(a, (t + 1) * UPA_TREE_CHILDREN);
			*from = t + 1;
			word = SLOT_PRESENT | t * UPA_TREE_CHILDREN << SLOT_CHILD_SHIFT | tree_free(w);
			if (!atomic_compare_exchange_strong_explicit(&s->reservation, &old, word,
								     memory_order_acq_rel, memory_order_relaxed))
				tree_release(a, word);
			else if (old & SLOT_PRESENT)
				tree_release(a, old);
			return true;
		}
	}
	return false;
}

void upa_llfree_drain(const struct upa_llfree *a)
{
	for (uint32_t i = 0; i < a->slots; i++) {
		struct slot *s = slot_at(a, i);
		uint64_t w;

		while ((w = slot_load(a, s)) & SLOT_PRESENT)
			if (cas64(&s->reservation, &w, 0)) {
				tree_release(a, w);
				break;
			}
	}
}

/* ---- searches ----------------------------------------------------------------------------- */

/* How well a child suits a request, 0 best: what saves a fault first, then what saves or wastes clearing. */
static uint32_t rank(uint32_t state, uint32_t flags)
{
	if (flags & UPA_GET_ABSENT)
		return state == UPA_ABSENT ? 0 : 2;
	if (state == UPA_ABSENT)
		return 2;
	return (state == UPA_ZEROED) != (flags & UPA_GET_ZEROS);
}

/* Takes n pages of the tree for which the caller has tickets, from the child hint on. */
static int64_t tree_get(const struct upa_llfree *a, uint64_t hint, uint32_t n, uint32_t align, uint32_t flags)
{
	uint64_t base = hint - hint % UPA_TREE_CHILDREN;
	uint32_t ranks = 0;

	for (uint32_t want = 0; want < 3; want++) {
		if (want && !(ranks >> want & 1))
			continue;
		for (uint32_t i = 0; i < UPA_TREE_CHILDREN; i++) {
			uint64_t c = base + (hint + i) % UPA_TREE_CHILDREN;
			uint32_t w = load32(child_at(a, c));
			uint32_t r = rank(child_state(w), flags);
			int64_t page;

			/* The last tree may be short of children and pages. Its words say so, unless somebody has overwritten them. */
			if (child_free(w) < n || c >= a->children)
				continue;
			ranks |= 1u << r;
			if (r != want)
				continue;
			page = child_get(a, c, n, align);
			if (page >= 0 && (uint64_t)page + n <= a->pages)
				return page;
		}
	}
	return -1;
}

/* Is this tree out of bounds for a search that leaves the reservations of others alone? */
static bool tree_barred(const struct upa_llfree *a, const struct slot *own, uint64_t tree)
{
	uint32_t w = load32(tree_at(a, tree));
	uint64_t mine = slot_load(a, own);

	if (slot_holds(mine, tree))
		return tree_free(w) + slot_free(mine) < UPA_CHILD_PAGES;
	return w & TREE_RESERVED || tree_free(w) < UPA_CHILD_PAGES;
}

/* First child >= from of n consecutive wholly free ones below end, or -1. own == NULL: in any tree. */
static int64_t search_children(const struct upa_llfree *a, const struct slot *own, uint64_t from, uint64_t end,
			       uint64_t n, uint32_t states)
{
	uint64_t run = 0;

	for (uint64_t c = from; c < end; c++) {
		uint32_t w;

		if ((c % UPA_TREE_CHILDREN == 0 || c == from) && own && tree_barred(a, own, c / UPA_TREE_CHILDREN)) {
			c |= UPA_TREE_CHILDREN - 1;
			run = 0;
			continue;
		}
		w = load32(child_at(a, c));
		if (child_used(w) || !(states >> child_state(w) & 1))
			run = 0;
		else if (++run == n)
			return (int64_t)(c + 1 - n);
	}
	return -1;
}

/* First page in from .. end-1 that is free, or allocated; end if none. A child without tickets counts as allocated. */
static uint64_t next_page(const struct upa_llfree *a, uint64_t from, uint64_t end, bool free)
{
	while (from < end) {
		uint64_t c = from / UPA_CHILD_PAGES;
		uint32_t w = load32(child_at(a, c));

		if (child_used(w) == 0 || child_used(w) == UPA_CHILD_PAGES) {
			if (free == (child_used(w) == 0))
				return from;
		} else {
			uint64_t flip = free ? ~polarity(w) : polarity(w);
			uint32_t at = next_bit(bitmap_at(a, c)->allocated, flip, (uint32_t)(from % UPA_CHILD_PAGES));

			if (at < UPA_CHILD_PAGES) {
				from = c * UPA_CHILD_PAGES + at;
				return from < end ? from : end;
			}
		}
		from = (c + 1) * UPA_CHILD_PAGES;
	}
	return end;
}

/* First page >= from of n consecutive free ones, aligned; -1 if none. May cross children unless `inside` one. */
static int64_t search_pages(const struct upa_llfree *a, uint64_t from, uint64_t n, uint64_t align, bool inside)
{
	while ((from = next_page(a, from, a->pages, true)) < a->pages) {
		uint64_t start = (from + align - 1) & ~(align - 1);

		if (inside && start % UPA_CHILD_PAGES + n > UPA_CHILD_PAGES) {
			from = (start / UPA_CHILD_PAGES + 1) * UPA_CHILD_PAGES;
			continue;
		}
		if (start >= a->pages || a->pages - start < n)
			break;
		from = next_page(a, start, start + n, false);
		if (from == start + n)
			return (int64_t)start;
	}
	return -1;
}

/* ---- ranges over many children ------------------------------------------------------------ */

/* Frees a range of which every page is the caller's. Returns how many were freed. */
static uint64_t range_put(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t pages, uint32_t state)
{
	uint64_t end = first + pages;
	uint64_t freed = 0;

	while (first < end) {
		uint64_t tree = first / UPA_TREE_PAGES;
		uint64_t tree_end = (tree + 1) * UPA_TREE_PAGES < end ? (tree + 1) * UPA_TREE_PAGES : end;
		uint32_t tickets = 0;

		while (first < tree_end) {
			uint64_t c = first / UPA_CHILD_PAGES;
			uint64_t child_end = (c + 1) * UPA_CHILD_PAGES < tree_end ? (c + 1) * UPA_CHILD_PAGES : tree_end;
			uint32_t lo = (uint32_t)(first % UPA_CHILD_PAGES);

			tickets += child_put(a, c, lo, lo + (uint32_t)(child_end - first), state);
			first = child_end;
		}
		if (tickets)
			tickets_give(a, s, tree, tickets);
		freed += tickets;
	}
	return freed;
}

/* Takes exactly these pages: 0, -EBUSY if one of them is not free, -EAGAIN if their tickets are not to be found. */
static int range_get(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t pages, bool overdraw)
{
	uint64_t end = first + pages;
	uint64_t at = first;
	int error = -EAGAIN;

	while (at < end) {
		uint64_t tree = at / UPA_TREE_PAGES;
		uint64_t tree_end = (tree + 1) * UPA_TREE_PAGES < end ? (tree + 1) * UPA_TREE_PAGES : end;

		if (!tickets_take(a, s, tree, (uint32_t)(tree_end - at), overdraw))
			goto undo;
		while (at < tree_end) {
			uint64_t c = at / UPA_CHILD_PAGES;
			uint64_t child_end = (c + 1) * UPA_CHILD_PAGES < tree_end ? (c + 1) * UPA_CHILD_PAGES : tree_end;
			uint32_t lo = (uint32_t)(at % UPA_CHILD_PAGES);

			if (!child_get_at(a, c, lo, lo + (uint32_t)(child_end - at))) {
				tickets_give(a, s, tree, (uint32_t)(tree_end - at));
				error = -EBUSY;
				goto undo;
			}
			at = child_end;
		}
	}
	touch_children(a, (end + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES);
	return 0;
undo:
	range_put(a, s, first, at - first, UNCHANGED);
	return error;
}

/* ---- get ---------------------------------------------------------------------------------- */

static int64_t got(struct slot *s, int64_t page, uint64_t n)
{
	if (page >= 0) {
		count(&s->gets, 1);
		count(&s->got_pages, n);
	} else if (page == -ENOMEM) {
		count(&s->failures, 1);
	}
	return page;
}

/* Takes the first n free aligned pages there are, whoever has reserved their trees. Sets *missed if some could not be had. */
static int64_t get_first(const struct upa_llfree *a, struct slot *s, uint64_t n, uint64_t align, bool inside, bool overdraw,
			 bool *missed)
{
	uint64_t from = 0;
	int64_t page;

	while ((page = search_pages(a, from, n, align, inside)) >= 0) {
		uint64_t first = (uint64_t)page;
		int error = range_get(a, s, first, n, overdraw);

		if (!error)
			return page;
		*missed = true;
		/* A tree without tickets has none for its next page either. */
		if (error == -EAGAIN && first / UPA_TREE_PAGES == (first + n - 1) / UPA_TREE_PAGES)
			from = (first / UPA_TREE_PAGES + 1) * UPA_TREE_PAGES;
		else
			from = first + align;
	}
	return -ENOMEM;
}

/* The last resort, page by page: where a run should lie (in one child, or from the start of one), then anywhere. */
static int64_t get_anywhere(const struct upa_llfree *a, struct slot *s, uint64_t n, uint64_t align)
{
	bool small = n <= UPA_CHILD_PAGES;

	count(&s->searches, 1);
	for (int tries = 0; tries < SEARCH_TRIES; tries++) {
		bool missed = false;
		int64_t page = get_first(a, s, n, small ? align : UPA_CHILD_PAGES, small, tries > 0, &missed);

		if (page < 0 && align == 1 && n > 1)
			page = get_first(a, s, n, 1, false, tries > 0, &missed);
		if (page >= 0)
			return page;
		if (!tries)
			upa_llfree_drain(a);
		else if (!missed)
			break;
		else
			sched_yield();
	}
	return -ENOMEM;
}

/* Fetches what others have freed in the slot's tree. False if that does not make n. */
static bool slot_fetch(const struct upa_llfree *a, struct slot *s, uint64_t word, uint32_t n)
{
	tree_t *tree = tree_at(a, slot_tree(word));
	uint32_t w = load32(tree);
	uint32_t found;

	do {
		found = tree_free(w);
		if (!found || found + slot_free(word) < n)
			return false;
	} while (!cas32(tree, &w, w + found));
	tickets_give(a, s, slot_tree(word), found);
	return true;
}

/* n <= 512 pages of one child. */
static int64_t get_small(const struct upa_llfree *a, struct slot *s, uint32_t n, uint32_t align, uint32_t flags)
{
	uint64_t from = 0;

	for (int tries = 0; tries < RESERVE_TRIES;) {
		uint64_t w = slot_load(a, s);

		if (w & SLOT_PRESENT) {
			uint64_t hint = slot_child(w);
			int64_t page;

			if (slot_free(w) < n) {
				if (slot_fetch(a, s, w, n))
					continue;
			} else {
				if (!cas64(&s->reservation, &w, w - n))
					continue;
				page = tree_get(a, hint, n, align, flags);
				if (page >= 0) {
					uint64_t c = (uint64_t)page / UPA_CHILD_PAGES;

					w -= n;
					if (c != hint)
						cas64(&s->reservation, &w, (w & ~SLOT_CHILD) | c << SLOT_CHILD_SHIFT);
					return page;
				}
				tickets_give(a, s, hint / UPA_TREE_CHILDREN, n);
			}
		}
		tries++;
		if (!slot_reserve(a, s, w, n, &from))
			break;
	}
	return get_anywhere(a, s, n, align);
}

/* More than 512 pages: whole children, the last of which may be taken in part. */
static int64_t get_large(const struct upa_llfree *a, struct slot *s, uint64_t n, uint32_t flags)
{
	uint32_t preferred = flags & UPA_GET_ABSENT ? ONLY(UPA_ABSENT) : ANY_STATE & ~ONLY(UPA_ABSENT);
	uint64_t children = (n + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;
	uint64_t hint = load64(&s->run_hint);

	/* Where this slot freed or took its last run; then any preferred memory; then any; then what others have reserved. */
	for (int pass = 0; pass < 4; pass++) {
		uint64_t from = pass == 0 ? hint : 0;
		uint64_t end = pass == 0 ? hint + children : pass == 1 && !(flags & UPA_GET_ABSENT) ? touched_children(a) : a->children;
		int64_t c;

		if (end > a->children)
			continue;
		while ((c = search_children(a, pass < 3 ? s : NULL, from, end, children, pass < 2 ? preferred : ANY_STATE)) >= 0) {
			if ((uint64_t)c * UPA_CHILD_PAGES + n <= a->pages &&
			    !range_get(a, s, (uint64_t)c * UPA_CHILD_PAGES, n, false)) {
				atomic_store_explicit(&s->run_hint, (uint64_t)c, memory_order_relaxed);
				return c * UPA_CHILD_PAGES;
			}
			from = (uint64_t)c + 1;
		}
	}
	return get_anywhere(a, s, n, 1);
}

int64_t upa_llfree_get(const struct upa_llfree *a, uint32_t slot, uint32_t order, uint32_t flags)
{
	struct slot *s = slot_at(a, slot);

	if (order > UPA_MAX_ORDER || flags & ~(UPA_GET_ZEROS | UPA_GET_ABSENT))
		return -EINVAL;
	return got(s, get_small(a, s, 1u << order, 1u << order, flags), 1u << order);
}

int64_t upa_llfree_get_run(const struct upa_llfree *a, uint32_t slot, uint64_t pages, uint32_t flags)
{
	struct slot *s = slot_at(a, slot);

	if (!pages || flags & ~(UPA_GET_ZEROS | UPA_GET_ABSENT))
		return -EINVAL;
	if (pages > a->pages)
		return got(s, -ENOMEM, 0);
	return got(s, pages <= UPA_CHILD_PAGES ? get_small(a, s, (uint32_t)pages, 1, flags) : get_large(a, s, pages, flags), pages);
}

static bool in_range(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	return pages && first < a->pages && pages <= a->pages - first;
}

int upa_llfree_get_at(const struct upa_llfree *a, uint32_t slot, uint64_t first, uint64_t pages)
{
	struct slot *s = slot_at(a, slot);

	if (!in_range(a, first, pages))
		return -EINVAL;
	for (int tries = 0; tries < SEARCH_TRIES; tries++) {
		if (next_page(a, first, first + pages, false) != first + pages)
			return -EBUSY;
		if (!range_get(a, s, first, pages, true)) {
			got(s, 0, pages);
			return 0;
		}
		sched_yield();
	}
	return -EBUSY;
}

/* ---- put and questions -------------------------------------------------------------------- */

int upa_llfree_put_run(const struct upa_llfree *a, uint32_t slot, uint64_t first, uint64_t pages, uint32_t flags)
{
	struct slot *s = slot_at(a, slot);
	static const uint32_t states[] = { UPA_STALE, [UPA_PUT_ABSENT] = UPA_ABSENT, [UPA_PUT_ZEROED] = UPA_ZEROED,
					   [UPA_PUT_UNTOUCHED] = UNCHANGED };
	uint64_t freed;

	if (!in_range(a, first, pages) || flags > UPA_PUT_UNTOUCHED)
		return -EINVAL;
	if (next_page(a, first, first + pages, true) != first + pages)
		return -EINVAL;
	freed = range_put(a, s, first, pages, states[flags]);
	if (pages > UPA_CHILD_PAGES)
		atomic_store_explicit(&s->run_hint, first / UPA_CHILD_PAGES, memory_order_relaxed);
	count(&s->puts, freed == pages);
	count(&s->put_pages, freed);
	return freed == pages ? 0 : -EINVAL;
}

int upa_llfree_put(const struct upa_llfree *a, uint32_t slot, uint64_t page, uint32_t order)
{
	if (order > UPA_MAX_ORDER || page & ((1u << order) - 1))
		return -EINVAL;
	return upa_llfree_put_run(a, slot, page, 1u << order, 0);
}

/* First page in from .. end-1 that may hold old bytes, or that does not; end if none. */
static uint64_t next_content(const struct upa_llfree *a, uint64_t from, uint64_t end, bool stale)
{
	while (from < end) {
		uint64_t c = from / UPA_CHILD_PAGES;
		/* Acquire: who sees MIXED must see the stale bits that were set before it. */
		uint32_t state = child_state(atomic_load_explicit(child_at(a, c), memory_order_acquire));

		if (state != UPA_MIXED) {
			if (stale == (state == UPA_STALE))
				return from;
		} else {
			uint32_t at = next_bit(bitmap_at(a, c)->stale, stale ? 0 : ~0ull, (uint32_t)(from % UPA_CHILD_PAGES));

			if (at < UPA_CHILD_PAGES) {
				from = c * UPA_CHILD_PAGES + at;
				return from < end ? from : end;
			}
		}
		from = (c + 1) * UPA_CHILD_PAGES;
	}
	return end;
}

int64_t upa_llfree_next_stale(const struct upa_llfree *a, uint64_t first, uint64_t pages, uint64_t *length)
{
	uint64_t end = first + pages;
	uint64_t page;

	if (!in_range(a, first, pages))
		return -EINVAL;
	page = next_content(a, first, end, true);
	if (page == end)
		return -1;
	*length = next_content(a, page, end, false) - page;
	return (int64_t)page;
}

int64_t upa_llfree_next(const struct upa_llfree *a, uint64_t first, uint64_t pages, int free, uint64_t *length)
{
	uint64_t end = first + pages;
	uint64_t page;

	if (!in_range(a, first, pages))
		return -EINVAL;
	page = next_page(a, first, end, free);
	if (page == end)
		return -1;
	*length = next_page(a, page, end, !free) - page;
	return (int64_t)page;
}

int upa_llfree_taint(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	if (!in_range(a, first, pages))
		return -EINVAL;
	for (uint64_t c = first / UPA_CHILD_PAGES; c <= (first + pages - 1) / UPA_CHILD_PAGES; c++)
		atomic_fetch_or_explicit(child_at(a, c), CHILD_TAINTED, memory_order_acq_rel);
	return 0;
}

int upa_llfree_tainted(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	if (!in_range(a, first, pages))
		return -EINVAL;
	for (uint64_t c = first / UPA_CHILD_PAGES; c <= (first + pages - 1) / UPA_CHILD_PAGES; c++)
		if (load32(child_at(a, c)) & CHILD_TAINTED)
			return 1;
	return 0;
}

int upa_llfree_set_stale(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	if (!in_range(a, first, pages))
		return -EINVAL;
	for (uint64_t page = first, end; page < first + pages; page = end) {
		uint64_t c = page / UPA_CHILD_PAGES;

		end = (c + 1) * UPA_CHILD_PAGES < first + pages ? (c + 1) * UPA_CHILD_PAGES : first + pages;
		if (end - page == UPA_CHILD_PAGES)
			child_set_state(child_at(a, c), ONLY(UPA_ABSENT) | ONLY(UPA_ZEROED), UPA_STALE);
		child_record(child_at(a, c), bitmap_at(a, c), (uint32_t)(page % UPA_CHILD_PAGES), (uint32_t)((end - 1) % UPA_CHILD_PAGES + 1), UPA_STALE);
	}
	return 0;
}

int upa_llfree_set_resident(const struct upa_llfree *a, uint64_t first, uint64_t pages)
{
	if (!in_range(a, first, pages))
		return -EINVAL;
	for (uint64_t c = (first + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES; (c + 1) * UPA_CHILD_PAGES <= first + pages; c++)
		atomic_fetch_or_explicit(child_at(a, c), CHILD_RESIDENT, memory_order_relaxed);
	return 0;
}

int upa_llfree_resident(const struct upa_llfree *a, uint64_t page)
{
	return page < a->pages ? !!(load32(child_at(a, page / UPA_CHILD_PAGES)) & CHILD_RESIDENT) : -EINVAL;
}

int upa_llfree_child_state(const struct upa_llfree *a, uint64_t page)
{
	return page < a->pages ? (int)child_state(load32(child_at(a, page / UPA_CHILD_PAGES))) : -EINVAL;
}

uint64_t upa_llfree_touched_children(const struct upa_llfree *a)
{
	return touched_children(a);
}

static uint32_t retained(const struct bitmap *b, uint32_t w)
{
	uint32_t n = 0;

	if (child_state(w) != UPA_MIXED)
		return child_state(w) == UPA_ABSENT ? 0 : child_free(w);
	for (uint32_t i = 0; i < ROWS; i++)
		n += (uint32_t)__builtin_popcountll(~(load64(&b->allocated[i]) ^ polarity(w)) & load64(&b->stale[i]));
	return n;
}

int upa_llfree_get_stats(const struct upa_llfree *a, struct upa_llfree_stats *out)
{
	uint64_t touched = touched_children(a);
	struct upa_llfree_stats st = { .pages = a->pages, .free_pages = a->pages };

	for (uint64_t c = 0; c < touched; c++) {
		uint32_t w = load32(child_at(a, c));

		/* A last child that is not whole counts its missing pages as used. */
		st.free_pages -= child_used(w);
		st.retained_pages += retained(bitmap_at(a, c), w);
		st.free_children += !child_used(w);
	}
	if (touched == a->children)
		st.free_pages += a->children * UPA_CHILD_PAGES - a->pages;
	else
		st.free_children += a->pages / UPA_CHILD_PAGES - touched;
	for (uint32_t i = 0; i < a->slots; i++) {
		const struct slot *s = slot_at(a, i);

		st.gets += load64(&s->gets);
		st.got_pages += load64(&s->got_pages);
		st.puts += load64(&s->puts);
		st.put_pages += load64(&s->put_pages);
		st.failures += load64(&s->failures);
		st.searches += load64(&s->searches);
	}
	*out = st;
	return 0;
}

/* ---- making, attaching, recovering, checking ------------------------------------------------ */

static size_t line_up(size_t n)
{
	return (n + LINE_BYTES - 1) & ~(size_t)(LINE_BYTES - 1);
}

/* The one place that knows how a state is laid out. False if pages or slots are out of range. */
static bool lay_out(struct upa_llfree_header *h, uint64_t pages, uint32_t slots)
{
	uint64_t children = (pages + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;
	uint64_t trees = (children + UPA_TREE_CHILDREN - 1) / UPA_TREE_CHILDREN;

	if (!pages || pages > UPA_MAX_PAGES || !slots || slots > UPA_MAX_SLOTS)
		return false;
	*h = (struct upa_llfree_header){ .magic = UPA_LLFREE_MAGIC, .abi = UPA_LLFREE_ABI, .slots = slots, .pages = pages };
	h->slot_offset = HEADER_BYTES;
	h->tree_offset = h->slot_offset + slots * sizeof(struct slot);
	h->child_offset = h->tree_offset + line_up(trees * sizeof(tree_t));
	h->bitmap_offset = h->child_offset + trees * UPA_TREE_CHILDREN * sizeof(child_t);
	h->state_bytes = h->bitmap_offset + children * sizeof(struct bitmap);
	return true;
}

static void bind(struct upa_llfree *a, void *state, const struct upa_llfree_header *h)
{
	char *base = state;
	uint64_t children = (h->pages + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;

	*a = (struct upa_llfree){
		.state = state,
		.slot = base + h->slot_offset,
		.tree = base + h->tree_offset,
		.child = base + h->child_offset,
		.bitmap = base + h->bitmap_offset,
		.pages = h->pages,
		.children = children,
		.trees = (children + UPA_TREE_CHILDREN - 1) / UPA_TREE_CHILDREN,
		.slots = h->slots,
	};
}

size_t upa_llfree_state_size(uint64_t pages, uint32_t slots)
{
	struct upa_llfree_header h;

	return lay_out(&h, pages, slots) ? h.state_bytes : 0;
}

/* Marks what the last child and tree lack as used for good. */
static void close_end(const struct upa_llfree *a)
{
	uint64_t missing = a->children * UPA_CHILD_PAGES - a->pages;
	uint64_t tree_missing = a->trees * UPA_TREE_PAGES - a->pages;

	if (missing) {
		uint32_t lo = UPA_CHILD_PAGES - (uint32_t)missing;

		FOR_ROWS(i, lo, UPA_CHILD_PAGES)
			bitmap_at(a, a->children - 1)->allocated[i] = row_mask(i, lo, UPA_CHILD_PAGES);
		*child_at(a, a->children - 1) = (uint32_t)missing;
	}
	for (uint64_t c = a->children; c < a->trees * UPA_TREE_CHILDREN; c++)
		*child_at(a, c) = CHILD_POLARITY | UPA_CHILD_PAGES;
	*tree_at(a, a->trees - 1) = (uint32_t)tree_missing;
}

int upa_llfree_init(struct upa_llfree *a, void *state, size_t bytes, uint64_t pages, uint32_t slots)
{
	struct upa_llfree_header h;
	struct upa_llfree_header *shared = state;
	uint64_t magic = UPA_LLFREE_MAGIC;

	if (!lay_out(&h, pages, slots) || bytes < h.state_bytes || !state || (uintptr_t)state % LINE_BYTES)
		return -EINVAL;
	bind(a, state, &h);
	h.magic = 0;
	*shared = h;
	close_end(a);
	__atomic_store(&shared->magic, &magic, __ATOMIC_RELEASE);
	return 0;
}

int upa_llfree_attach(struct upa_llfree *a, void *state, size_t bytes)
{
	struct upa_llfree_header h;
	struct upa_llfree_header expected;

	if (!state || (uintptr_t)state % LINE_BYTES)
		return -EINVAL;
	if (bytes < HEADER_BYTES)
		return -ERANGE;
	__atomic_load(&((struct upa_llfree_header *)state)->magic, &h.magic, __ATOMIC_ACQUIRE);
	if (h.magic != UPA_LLFREE_MAGIC)
		return -EBADMSG;
	/* One copy, for the words may change; not of touched_children, which does. */
	memcpy(&h, state, offsetof(struct upa_llfree_header, touched_children));
	atomic_signal_fence(memory_order_seq_cst);
	if (h.abi != UPA_LLFREE_ABI)
		return -EPROTO;
	if (!lay_out(&expected, h.pages, h.slots))
		return -ERANGE;
	if (memcmp(&h, &expected, offsetof(struct upa_llfree_header, touched_children)) || bytes < expected.state_bytes)
		return -ERANGE;
	bind(a, state, &expected);
	return 0;
}

static uint32_t count_allocated(const struct upa_llfree *a, uint64_t c, uint32_t w)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ROWS; i++)
		n += (uint32_t)__builtin_popcountll(load64(&bitmap_at(a, c)->allocated[i]) ^ polarity(w));
	return n;
}

int64_t upa_llfree_recover(struct upa_llfree *a)
{
	int64_t wrong = 0;

	for (uint32_t s = 0; s < a->slots; s++)
		slot_at(a, s)->reservation = 0;
	for (uint64_t t = 0; t < a->trees; t++) {
		uint32_t tree_used = 0;

		for (uint64_t c = t * UPA_TREE_CHILDREN; c < (t + 1) * UPA_TREE_CHILDREN; c++) {
			uint32_t w = load32(child_at(a, c));
			uint32_t used = c < a->children ? count_allocated(a, c, w) : UPA_CHILD_PAGES;
			uint32_t missing = c == a->children - 1 ? (uint32_t)(a->children * UPA_CHILD_PAGES - a->pages) : 0;
			uint32_t next;

			wrong += used > child_used(w) ? used - child_used(w) : child_used(w) - used;
			next = ((used ? w : w & ~CHILD_TAINTED) & ~CHILD_USED) | used;
			if (next != w)
				*child_at(a, c) = next;
			tree_used += used;
			/* A put killed before its state was changed. */
			if (c < a->children && child_state(w) < UPA_STALE)
				clear_stale(bitmap_at(a, c), 0, UPA_CHILD_PAGES);
			if (c < a->children && (used != missing || child_state(w) != UPA_ABSENT))
				touch_children(a, c + 1);
		}
		if (*tree_at(a, t) != tree_used)
			*tree_at(a, t) = tree_used;
	}
	return wrong;
}

__attribute__((format(printf, 3, 4)))
static int fault(char *message, size_t bytes, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (message && bytes)
		vsnprintf(message, bytes, format, arguments);
	va_end(arguments);
	return -EUCLEAN;
}

int upa_llfree_validate(const struct upa_llfree *a, char *message, size_t bytes)
{
	const struct upa_llfree_header *h = a->state;
	uint64_t touched = touched_children(a);

	if (h->magic != UPA_LLFREE_MAGIC || h->pages != a->pages || h->slots != a->slots)
		return fault(message, bytes, "header: magic=%#llx pages=%llu slots=%u", (unsigned long long)h->magic,
			     (unsigned long long)h->pages, h->slots);
	for (uint64_t t = 0; t < a->trees; t++) {
		uint32_t w = load32(tree_at(a, t));
		int32_t promised = (int32_t)UPA_TREE_PAGES - (int32_t)(w & TREE_USED); /* less than none if overdrawn */
		uint32_t holders = 0;
		int32_t children_free = 0;

		for (uint32_t s = 0; s < a->slots; s++) {
			uint64_t r = load64(&slot_at(a, s)->reservation);

			if (r & SLOT_PRESENT && slot_child(r) >= a->children)
				return fault(message, bytes, "slot=%u child=%llu is out of range", s,
					     (unsigned long long)slot_child(r));
			if (slot_holds(r, t)) {
				holders++;
				promised += (int32_t)slot_free(r);
			}
		}
		if (holders != (w & TREE_RESERVED ? 1u : 0u))
			return fault(message, bytes, "tree=%llu word=%#x is reserved by %u slots", (unsigned long long)t, w, holders);
		for (uint64_t c = t * UPA_TREE_CHILDREN; c < (t + 1) * UPA_TREE_CHILDREN; c++) {
			uint32_t cw = load32(child_at(a, c));
			uint32_t used = c < a->children ? count_allocated(a, c, cw) : UPA_CHILD_PAGES;
			uint32_t missing = c == a->children - 1 ? (uint32_t)(a->children * UPA_CHILD_PAGES - a->pages) : 0;

			if (cw & ~CHILD_KNOWN || child_used(cw) != used)
				return fault(message, bytes, "child=%llu word=%#x allocated_bits=%u", (unsigned long long)c, cw, used);
			if (c >= a->children)
				continue;
			children_free += (int32_t)child_free(cw);
			if (missing && next_bit(bitmap_at(a, c)->allocated, ~polarity(cw), UPA_CHILD_PAGES - missing) < UPA_CHILD_PAGES)
				return fault(message, bytes, "child=%llu: a page beyond the end is free", (unsigned long long)c);
			if (child_state(cw) < UPA_STALE && next_bit(bitmap_at(a, c)->stale, 0, 0) < UPA_CHILD_PAGES)
				return fault(message, bytes, "child=%llu word=%#x has stale bits", (unsigned long long)c, cw);
			if (c >= touched && (used != missing || child_state(cw) != UPA_ABSENT))
				return fault(message, bytes, "child=%llu word=%#x touched_children=%llu", (unsigned long long)c, cw,
					     (unsigned long long)touched);
		}
		if (promised != children_free)
			return fault(message, bytes, "tree=%llu word=%#x promised=%d children_free=%d", (unsigned long long)t, w,
				     promised, children_free);
	}
	return 0;
}
