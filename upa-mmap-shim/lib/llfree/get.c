/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/get.h"

#include <errno.h>
#include <sched.h>

#include "llfree/bits.h"
#include "llfree/child.h"
#include "llfree/counters.h"
#include "llfree/fit.h"
#include "llfree/populated.h"
#include "llfree/put.h"
#include "llfree/search.h"
#include "llfree/tickets.h"

/* Trees to try for a run that their counters promise but their fragments may not hold. */
#define RESERVE_TRIES 4

/*
 * Searches of the whole state before a get fails though there may have been room each time: it has seen some, and
 * others were quicker, or pages became free meanwhile, which may be where it had already been.
 */
#define SEARCH_TRIES 16

/* ---- exactly these pages --------------------------------------------------------------------- */

/* Frees what this thread has just taken. */
static void undo(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t end)
{
	uint64_t undone = put_range(a, s, first, end - first, UNCHANGED);

	UPA_ASSERT(undone == end - first);
	(void)undone;
}

/*
 * Takes exactly these pages of one tree, whose polarity is `flip`. Returns how many before the first that are not
 * free.
 */
static uint32_t get_pages(const struct upa_llfree *a, uint64_t first, uint64_t end, uint64_t flip)
{
	uint64_t c = first / UPA_CHILD_PAGES;
	uint32_t lo = (uint32_t)(first % UPA_CHILD_PAGES);
	uint32_t all = (uint32_t)(end - first);
	uint32_t left = all;

	if (lo) {
		uint32_t n = left < UPA_CHILD_PAGES - lo ? left : UPA_CHILD_PAGES - lo;

		if (!child_get_part(a, c++, flip, lo, lo + n))
			return 0;
		left -= n;
	}
	for (; left >= UPA_CHILD_PAGES; left -= UPA_CHILD_PAGES)
		if (!child_get_whole(a, c++, flip))
			return all - left;
	if (left && !child_get_part(a, c, flip, 0, left))
		return all - left;
	return all;
}

/* Of one tree. 0, -EBUSY if one of them is not free, -EAGAIN if their tickets are not to be found. */
static int get_in_one_tree(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t end, bool overdraw)
{
	uint64_t tree = first / UPA_TREE_PAGES;
	uint64_t flip;
	uint32_t got;

	if (!tickets_take(a, s, tree, (uint32_t)(end - first), overdraw, &flip))
		return -EAGAIN;
	got = get_pages(a, first, end, flip);
	if (got == end - first)
		return 0;
	/* The tickets of what has been taken so far go back with it. */
	tickets_give(a, s, tree, (uint32_t)(end - first) - got);
	undo(a, s, first, first + got);
	return -EBUSY;
}

/* The same, of any trees. */
static inline __attribute__((always_inline)) int get_range(const struct upa_llfree *a, struct slot *s, uint64_t first,
							   uint64_t pages, bool overdraw)
{
	uint64_t end = first + pages;
	uint64_t at = first;

	touch_children(a, (end + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES);
	if (pages < UPA_TREE_PAGES && end_in_tree(first, end) == end)
		return get_in_one_tree(a, s, first, end, overdraw);
	while (at < end) {
		uint64_t tree_end = end_in_tree(at, end);
		int error;

		if (tree_end - at == UPA_TREE_PAGES) {
			if (at % UPA_GROUP_PAGES == 0 && end - at >= UPA_GROUP_PAGES &&
			    group_get_whole(a, at / UPA_GROUP_PAGES)) {
				at += UPA_GROUP_PAGES;
				continue;
			}
			if (tree_get_whole(a, at / UPA_TREE_PAGES)) {
				at = tree_end;
				continue;
			}
		}
		error = get_in_one_tree(a, s, at, tree_end, overdraw);
		if (error) {
			undo(a, s, first, at);
			return error;
		}
		at = tree_end;
	}
	return 0;
}

int get_at(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t pages)
{
	for (int tries = 0; tries < SEARCH_TRIES; tries++) {
		if (search_next(a, first, first + pages, false) != first + pages)
			return -EBUSY;
		if (!get_range(a, s, first, pages, true))
			return 0;
		sched_yield();
	}
	return -EBUSY;
}

/* ---- anywhere -------------------------------------------------------------------------------- */

/*
 * Takes the first n free aligned pages there are, whoever has reserved their trees. Sets *missed if some could not
 * be had.
 */
static int64_t get_first(const struct upa_llfree *a, struct slot *s, uint64_t n, uint64_t align, bool inside,
			 bool overdraw, bool *missed)
{
	uint64_t from = 0;
	int64_t page;

	while ((page = search_pages(a, from, n, align, inside)) >= 0) {
		uint64_t first = (uint64_t)page;
		int error = get_range(a, s, first, n, overdraw);

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
		uint64_t freed = freed_pages(a);
		bool missed = false;
		int64_t page = -1;

		if (small)
			page = get_first(a, s, n, align, true, tries > 0, &missed);
		/* What is nowhere page by page need not be looked for at the start of children. */
		if (page < 0 && align == 1 && n > 1 && search_pages(a, 0, n, 1, false) >= 0) {
			if (!small)
				page = get_first(a, s, n, UPA_CHILD_PAGES, false, tries > 0, &missed);
			if (page < 0)
				page = get_first(a, s, n, 1, false, tries > 0, &missed);
		}
		if (page >= 0)
			return page;
		if (!tries)
			tickets_drain(a);
		else if (!missed && freed_pages(a) == freed)
			break;
		else
			sched_yield();
	}
	return -ENOMEM;
}

/* ---- up to a child --------------------------------------------------------------------------- */

/*
 * Words looked at, for pages that have memory, before a child without any is begun: so many for each page that may save
 * a fault, and no fewer than these.
 */
#define LOOKS_A_PAGE 2u
#define LEAST_LOOKS 64u

static uint32_t fresh_looks(uint32_t n)
{
	return n < LEAST_LOOKS / LOOKS_A_PAGE ? LEAST_LOOKS : n * LOOKS_A_PAGE;
}

/* Below so many pages, what is left of a child that has been begun is taken without looking elsewhere. */
#define FEW_PAGES 8u

/*
 * The states of the children that suit a request, best first: what saves a fault, then what saves or wastes clearing.
 * In the first two passes MIXED stands for pages that are stale.
 */
#define PASSES 4u

/* Trees to change to for the sake of memory that is there; others may be quicker. */
#define MOVE_TRIES 2

static const uint8_t suits[][PASSES] = {
	[0] = { ONLY(UPA_STALE) | ONLY(UPA_MIXED), ONLY(UPA_ZEROED), ONLY(UPA_MIXED), ONLY(UPA_ABSENT) },
	[UPA_GET_ZEROS] = { ONLY(UPA_ZEROED), ONLY(UPA_STALE) | ONLY(UPA_MIXED), ONLY(UPA_MIXED), ONLY(UPA_ABSENT) },
	[UPA_GET_ABSENT] = { ONLY(UPA_ABSENT), 0, ANY_STATE & ~ONLY(UPA_ABSENT), 0 },
	[UPA_GET_ABSENT | UPA_GET_ZEROS] = { ONLY(UPA_ABSENT), 0, ANY_STATE & ~ONLY(UPA_ABSENT), 0 },
};

/* Takes n pages of a child, of whose word it is w; with `stale` only such whose stale bit is set. */
static inline int64_t get_in_child(const struct upa_llfree *a, uint64_t c, uint64_t flip, uint32_t n, uint32_t align,
				   bool stale)
{
	if (n < UPA_CHILD_PAGES)
		return child_get(a, c, flip, n, align, stale);
	if (stale && !all_stale(bitmap_at(a, c), 0, UPA_CHILD_PAGES))
		return -1;
	return child_get_whole(a, c, flip) ? (int64_t)(c * UPA_CHILD_PAGES) : -1;
}

/* Takes n pages from the free end of child c - 1 on that reach into child c, as search_border() finds them; else -1. */
static int64_t get_across(const struct upa_llfree *a, uint64_t c, uint64_t flip, uint32_t n, uint32_t states,
			  bool stale)
{
	int64_t page = search_border(a, c, flip, n, states, stale);
	uint32_t lo = (uint32_t)(page % UPA_CHILD_PAGES);

	if (page < 0 || !child_get_part(a, c - 1, flip, lo, UPA_CHILD_PAGES))
		return -1;
	if (child_get_part(a, c, flip, 0, n - (UPA_CHILD_PAGES - lo)))
		return page;
	child_put_part(a, c - 1, flip, lo, UPA_CHILD_PAGES, UNCHANGED);
	return -1;
}

/*
 * The same at some border of the tree that begins with child `base`, from `from` on, between children that are in use.
 * So blocks of one size lie side by side, no end of a child is left over, and who frees some of them finds one place
 * for each.
 */
static int64_t get_at_border(const struct upa_llfree *a, uint64_t base, uint64_t from, uint64_t flip, uint32_t n,
			     uint32_t states, bool stale)
{
	for (uint32_t i = 0; i < UPA_TREE_CHILDREN; i++) {
		uint64_t c = base + (from + i) % UPA_TREE_CHILDREN;
		int64_t page = -1;

		if (c > base && c < a->children && !child_is_free(load_relaxed(child_at(a, c)), flip))
			page = get_across(a, c, flip, n, states, stale);
		if (page >= 0)
			return page;
	}
	return -1;
}

/*
 * Takes n pages of child c right before the first in use, where free ones go on into the end of child c - 1: so what is
 * left of them lies in one piece. Else -1.
 */
static int64_t get_before(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t n, bool stale)
{
	const struct bitmap *before = bitmap_at(a, c - 1), *b = bitmap_at(a, c);
	uint64_t flip = child_flip(load_relaxed(child_at(a, c)), tree_flip);
	uint64_t flip_before = child_flip(load_relaxed(child_at(a, c - 1)), tree_flip);
	uint32_t end = next_bit(b->allocated, flip, 0, UPA_CHILD_PAGES);

	if (end < n || end == UPA_CHILD_PAGES || end_of_allocated(before, flip_before) == UPA_CHILD_PAGES ||
	    (stale && !all_stale(b, end - n, end)) || !child_get_part(a, c, tree_flip, end - n, end))
		return -1;
	return (int64_t)(c * UPA_CHILD_PAGES + end - n);
}

/*
 * Takes n pages of the tree for which the caller has tickets of a slot's word, from the child where that begins, in
 * passes from `pass` on; -1 if it has none. If `crosses`, they may lie in two children, at the end of one and the start
 * of the next, before another child is begun.
 */
static int64_t get_in_tree(const struct upa_llfree *a, uint64_t word, uint32_t n, uint32_t align, const uint8_t *sets,
			   uint32_t pass, bool crosses)
{
	uint64_t hint = slot_child(word);
	uint64_t flip = slot_flip(word);
	uint64_t base = hint - hint % UPA_TREE_CHILDREN;
	uint32_t seen = ANY_STATE; /* states of those with n free pages */

	for (uint32_t end = pass + PASSES / 2; pass < end; pass++) {
		const bool stale = pass < PASSES / 2;
		const uint32_t states = stale ? sets[pass] : ANY_STATE; /* of both sides of a border */

		if (!(seen & sets[pass]))
			continue;
		seen = 0;
		/* Twice round: those that are partly used come first, so that others stay whole for large runs. */
		for (uint32_t i = 0; i < 2 * UPA_TREE_CHILDREN; i++) {
			uint64_t c = base + (hint + i) % UPA_TREE_CHILDREN;
			uint32_t w = load_relaxed(child_at(a, c));
			uint32_t state = child_state(w);
			int64_t page = -1;

			if (crosses && i == UPA_TREE_CHILDREN)
				page = get_at_border(a, base, hint, flip, n, states, stale);
			if (page >= 0)
				return page;
			/*
			 * A last tree may be short of children and pages. Its words say so, unless somebody has
			 * overwritten them.
			 */
			if (child_free(w, child_flip(w, flip)) < n || c >= a->children)
				continue;
			seen |= ONLY(state);
			if (!is_in(sets[pass], state) ||
			    (state == UPA_ABSENT || child_is_free(w, flip)) != (i >= UPA_TREE_CHILDREN))
				continue;
			/* What begins with a child had better begin where the one before ends. */
			if (crosses && c > base)
				page = get_across(a, c, flip, n, states, stale);
			if (page < 0 && crosses && c > base)
				page = get_before(a, c, flip, n, state == UPA_MIXED && stale);
			if (page < 0)
				page = get_in_child(a, c, flip, n, align, state == UPA_MIXED && stale);
			if (page >= 0 && (uint64_t)page + n <= a->pages)
				return page;
		}
	}
	return -1;
}

/* How many words to look at, for pages that have memory, if the slot's tree has none such. */
static uint32_t looks_for(const struct upa_llfree *a, uint64_t word, uint32_t n)
{
	uint32_t w = load_relaxed(child_at(a, slot_child(word)));
	uint32_t free = child_free(w, child_flip(w, slot_flip(word)));

	if (free < n || free >= UPA_CHILD_PAGES || !is_in(ONLY(UPA_ABSENT) | ONLY(UPA_MIXED), child_state(w)))
		return fresh_looks(n);
	return n < FEW_PAGES ? 0 : n;
}

/* The rest of get_small(): the child where the slot's last get ended has not been enough. */
static __attribute__((noinline)) int64_t get_beyond(const struct upa_llfree *a, struct slot *s, uint32_t n,
						    uint32_t align, uint32_t flags)
{
	const uint8_t *sets = suits[flags & (UPA_GET_ZEROS | UPA_GET_ABSENT)];
	int moves = flags & UPA_GET_ABSENT ? 0 : MOVE_TRIES;
	bool crosses = align == 1 && n > 1 && n < UPA_CHILD_PAGES && !(flags & (UPA_GET_ABSENT | UPA_GET_ALIGNED));
	uint64_t from = 0;

	for (int tries = 0; tries < RESERVE_TRIES;) {
		uint64_t w = slot_load(a, s);
		int64_t better = -1;

		if (w & SLOT_PRESENT) {
			uint64_t hint = slot_child(w);
			int64_t page;

			if (slot_free(w) < n) {
				if (tickets_fetch(a, s, w, n))
					continue;
			} else {
				if (!cas_weak_acq_rel(&s->reservation, &w, w - n))
					continue;
				page = get_in_tree(a, w, n, align, sets, 0, crosses);
				if (page < 0 && moves)
					better = search_populated(a, n, align, crosses, looks_for(a, w, n));
				if (page < 0 && better < 0)
					page = get_in_tree(a, w, n, align, sets, PASSES / 2, crosses);
				if (page >= 0) {
					uint64_t c = ((uint64_t)page + n - 1) / UPA_CHILD_PAGES;

					w -= n;
					if (c != hint)
						cas_weak_acq_rel(&s->reservation, &w, with_child(w, c));
					return page;
				}
				tickets_give(a, s, hint / UPA_TREE_CHILDREN, n);
			}
		}
		if (moves) {
			bool room = better >= 0; /* in the slot's tree too, if need be */

			moves--;
			if (!room)
				better = search_populated(a, n, align, crosses, fresh_looks(n));
			w = slot_load(a, s);
			if (better >= 0 && (tickets_reserve_at(a, s, w, (uint64_t)better, n) || room))
				continue;
		}
		tries++;
		if (!tickets_reserve(a, s, w, n, &from))
			break;
	}
	return get_anywhere(a, s, n, align);
}

/* Has another child of the tree of c, in one of these states, n free pages? */
static inline bool is_around(const struct upa_llfree *a, uint64_t c, uint64_t flip, uint32_t n, uint32_t states)
{
	uint64_t base = c - c % UPA_TREE_CHILDREN;

	for (uint64_t other = base; other < base + UPA_TREE_CHILDREN; other++) {
		uint32_t w = load_relaxed(child_at(a, other));

		if (is_in(states, child_state(w)) && other != c && child_free(w, child_flip(w, flip)) >= n)
			return true;
	}
	return false;
}

/*
 * Takes n pages of child c, where the slot's last get ended, if nothing of its tree is better: what get_beyond() would
 * take, in one look. Else -1.
 */
static inline int64_t get_near(const struct upa_llfree *a, uint64_t c, uint64_t flip, uint32_t n, uint32_t align,
			       uint32_t flags)
{
	const uint8_t *sets = suits[flags & (UPA_GET_ZEROS | UPA_GET_ABSENT)];
	uint32_t w = load_relaxed(child_at(a, c));
	uint32_t state = child_state(w), free = child_free(w, child_flip(w, flip));
	int64_t page = -1;

	if (free < n)
		return -1;
	if (is_in(sets[0], state) || (is_in(sets[1], state) && !is_around(a, c, flip, n, sets[0])))
		page = get_in_child(a, c, flip, n, align, state == UPA_MIXED);
	/* The rest of a child that has been begun. */
	if (page < 0 && n < FEW_PAGES && free < UPA_CHILD_PAGES && !(flags & UPA_GET_ABSENT) &&
	    is_in(ONLY(UPA_ABSENT) | ONLY(UPA_MIXED), state) &&
	    !is_around(a, c, flip, n, ANY_STATE & ~ONLY(UPA_ABSENT)))
		page = get_in_child(a, c, flip, n, align, false);
	return page;
}

int64_t get_small(const struct upa_llfree *a, struct slot *s, uint32_t n, uint32_t align, uint32_t flags)
{
	uint64_t w = slot_load(a, s);

	/* Mostly the child where the slot's last get ended has what is wanted. */
	if (w & SLOT_PRESENT && slot_free(w) >= n && cas_weak_acq_rel(&s->reservation, &w, w - n)) {
		uint64_t c = slot_child(w);
		int64_t page = get_near(a, c, slot_flip(w), n, align, flags);

		if (page >= 0 && (uint64_t)page + n <= a->pages)
			return page;
		tickets_give(a, s, c / UPA_TREE_CHILDREN, n);
	}
	return get_beyond(a, s, n, align, flags);
}

/* ---- more than a child ----------------------------------------------------------------------- */

/* Times that others may be quicker at the best place for a run. */
#define FIT_TRIES 4

/* May pages from .. end-1 of one child be free, and are in one of the states? `flip` is the polarity of its tree. */
static inline bool suit_again(const struct upa_llfree *a, uint64_t from, uint64_t end, uint64_t flip, uint32_t states)
{
	uint64_t c = from / UPA_CHILD_PAGES;
	uint32_t lo = (uint32_t)(from % UPA_CHILD_PAGES), n = (uint32_t)(end - from);
	uint32_t w = load_relaxed(child_at(a, c));

	if (!child_is_free(w, flip) && child_free(w, child_flip(w, flip)) < n)
		return false;
	return is_in(states, child_state(w)) && (child_state(w) != UPA_MIXED || all_stale(bitmap_at(a, c), lo, lo + n));
}

/* Is a page free and has memory, in a tree whose polarity is `flip`? */
static inline bool is_populated(const struct upa_llfree *a, uint64_t page, uint64_t flip)
{
	uint64_t c = page / UPA_CHILD_PAGES;
	uint32_t lo = (uint32_t)(page % UPA_CHILD_PAGES);
	uint32_t w = load_relaxed(child_at(a, c));

	return child_state(w) != UPA_ABSENT && !all_allocated(bitmap_at(a, c), child_flip(w, flip), lo, lo + 1) &&
	       (child_state(w) != UPA_MIXED || all_stale(bitmap_at(a, c), lo, lo + 1));
}

/*
 * Takes n pages from `first` on again, if all lie in one open tree of which the slot or nobody has all the tickets, are
 * free, and in one of the states; else -1. MIXED stands for pages that are stale.
 */
static int64_t get_again(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t n, uint32_t states)
{
	uint64_t tree = first / UPA_TREE_PAGES;
	uint64_t end = first + n;
	uint64_t mine = slot_load(a, s);
	uint64_t flip;

	if (first >= a->pages || n > a->pages - first || end_in_tree(first, end) != end)
		return -1;
	if (slot_holds(mine, tree)) {
		if (slot_free(mine) < n)
			return -1;
		flip = slot_flip(mine);
	} else {
		uint32_t w = load_relaxed(tree_at(a, tree));

		if ((w & (TREE_OPEN | TREE_RESERVED)) != TREE_OPEN || tree_free(w) < n)
			return -1;
		flip = node_flip(w);
	}
	for (uint64_t at = first, stop; at < end; at = stop) {
		stop = end_in_child(at, end);
		if (!suit_again(a, at, stop, flip, states))
			return -1;
	}
	/* Of a longer stretch that has memory a longer run makes more. */
	if (end < a->pages && end % UPA_TREE_PAGES && !is_in(states, UPA_ABSENT) && is_populated(a, end, flip))
		return -1;
	touch_children(a, (end + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES);
	return get_in_one_tree(a, s, first, end, false) ? -1 : (int64_t)first;
}

/* Takes n pages at the best place that is found, or -1. */
static int64_t get_fit(const struct upa_llfree *a, struct slot *s, uint64_t n)
{
	for (int tries = 0; tries < FIT_TRIES; tries++) {
		int64_t page = search_fit(a, s, n);
		uint64_t first = (uint64_t)page;

		if (page < 0 || first >= a->pages || n > a->pages - first)
			break;
		if (!get_range(a, s, first, n, false)) {
			store_relaxed(&s->run_hint, first);
			return page;
		}
	}
	return -1;
}

/* Are there, for certain, no n consecutive free pages? Seen once they may have become free behind the search. */
static bool lacks_room(const struct upa_llfree *a, uint64_t n)
{
	uint64_t freed;

	if (search_has_room(a, n))
		return false;
	freed = freed_pages(a);
	return !search_has_room(a, n) && freed_pages(a) == freed;
}

/*
 * The rest of get_large(): for a run that may begin anywhere the best fit; any preferred memory; then any; then what
 * others have reserved.
 */
static __attribute__((noinline)) int64_t get_large_beyond(const struct upa_llfree *a, struct slot *s, uint64_t n,
							  uint32_t flags, uint32_t preferred)
{
	const uint64_t children = (n + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;
	const bool fits = !(flags & (UPA_GET_ABSENT | UPA_GET_ALIGNED));
	int64_t page;

	/* What follows looks at all there is, and a region that is full costs no more than it must. */
	if (lacks_room(a, n))
		return -ENOMEM;
	if (fits && (page = get_fit(a, s, n)) >= 0)
		return page;
	for (int pass = 1; pass < 4; pass++) {
		const struct slot *own = pass < 3 ? s : NULL;
		uint32_t states = pass < 2 ? preferred : ANY_STATE;
		uint64_t end = pass == 1 && !(flags & UPA_GET_ABSENT) ? touched_children(a) : a->children;
		uint64_t from = 0;
		int64_t c;

		while ((c = search_children(a, own, from, end, children, states)) >= 0) {
			uint64_t first = (uint64_t)c * UPA_CHILD_PAGES;

			if (first + n <= a->pages && !get_range(a, s, first, n, false)) {
				store_relaxed(&s->run_hint, first);
				return (int64_t)first;
			}
			from = (uint64_t)c + 1;
		}
	}
	return get_anywhere(a, s, n, 1);
}

int64_t get_large(const struct upa_llfree *a, struct slot *s, uint64_t n, uint32_t flags)
{
	uint32_t preferred = flags & UPA_GET_ABSENT ? ONLY(UPA_ABSENT) : ANY_STATE & ~ONLY(UPA_ABSENT);
	uint64_t children = (n + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;
	bool anywhere = n < UPA_TREE_PAGES && !(flags & (UPA_GET_ABSENT | UPA_GET_ALIGNED));
	uint64_t first = load_relaxed(&s->run_hint); /* where this slot freed or took its last run */
	uint64_t hint = first / UPA_CHILD_PAGES;
	int64_t page;

	UPA_ASSERT(first < a->pages);
	if (n >= UPA_TREE_PAGES)
		tickets_leave_idle(a, s);
	else if ((anywhere || first % UPA_CHILD_PAGES == 0) && (page = get_again(a, s, first, n, preferred)) >= 0)
		return page;
	if (!anywhere && first % UPA_CHILD_PAGES == 0 && hint < a->children && children <= a->children - hint &&
	    first + n <= a->pages && search_children_at(a, s, hint, children, preferred) &&
	    !get_range(a, s, first, n, false))
		return (int64_t)first;
	return get_large_beyond(a, s, n, flags, preferred);
}
