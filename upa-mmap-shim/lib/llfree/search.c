/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/search.h"

#include "llfree/bits.h"

/* Children of a tree, and of a group. */
#define GROUP_CHILDREN (UPA_GROUP_TREES * UPA_TREE_CHILDREN)

static uint64_t align_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) & ~(unit - 1);
}

/* Where n children start within from .. end-1: at a tree if it can be and they fill one; -1 if they do not fit. */
static int64_t fit(uint64_t from, uint64_t end, uint64_t n)
{
	uint64_t start = n >= UPA_TREE_CHILDREN ? align_up(from, UPA_TREE_CHILDREN) : from;

	if (start + n <= end)
		return (int64_t)start;
	return from + n <= end ? (int64_t)from : -1;
}

/* What is to be known of a tree in which wholly free children are looked for. */
struct sight {
	uint64_t end; /* up to which child it holds */
	bool each;    /* each child is to be asked; else all of them are free and hold `state`, or none is */
	bool free;
	uint32_t state;
	uint64_t flip;
};

static struct sight look(const struct upa_llfree *a, const struct slot *own, uint64_t c)
{
	uint64_t tree = c / UPA_TREE_CHILDREN;
	uint32_t w = load_relaxed(tree_at(a, tree));
	struct sight s = { .end = (tree + 1) * UPA_TREE_CHILDREN, .flip = node_flip(w) };

	if (w & TREE_OPEN) {
		uint32_t tickets = tree_free(w);

		if (w & NODE_WHOLE)
			return s;
		if (own) {
			uint64_t mine = w & TREE_RESERVED ? slot_load(a, own) : 0;

			if (w & TREE_RESERVED)
				tickets = slot_holds(mine, tree) ? tickets + slot_free(mine) : 0;
			if (tickets < UPA_CHILD_PAGES)
				return s;
		}
		s.free = !node_used(w) && node_state(w) != UPA_MIXED;
		s.each = !s.free;
		s.state = node_state(w);
	} else {
		uint32_t group = load_relaxed(group_at(a, tree / UPA_GROUP_TREES));

		w = tree_view(w, group);
		s.free = !node_used(w);
		s.state = node_state(w);
		s.each = s.free && s.state == UPA_MIXED;
		s.flip = node_flip(w);
		/* One word may say it of the whole group. */
		if (group & NODE_WHOLE || (!node_used(group) && node_state(group) != UPA_MIXED))
			s.end = align_up(c + 1, GROUP_CHILDREN);
	}
	return s;
}

/* ---- room for long runs ------------------------------------------------------------------------- */

/* May all below a tree or group be in a set of states? */
static bool may_hold(uint32_t word, uint32_t states)
{
	return node_state(word) == UPA_MIXED || is_in(states, node_state(word));
}

/*
 * Is every child of a tree free, and may be in a set of states? What the tree's tickets say may be less, if some are on
 * their way or have been lost with a killed thread.
 */
static bool is_idle(const struct upa_llfree *a, uint64_t tree, uint32_t states)
{
	uint32_t w = tree_load(a, tree);

	if (!may_hold(w, states))
		return false;
	if (!node_used(w))
		return true;
	if (!(w & TREE_OPEN) || w & NODE_WHOLE)
		return false;
	for (uint64_t c = tree * UPA_TREE_CHILDREN; c < (tree + 1) * UPA_TREE_CHILDREN; c++)
		if (!child_is_free(load_relaxed(child_at(a, c)), node_flip(w)))
			return false;
	return true;
}

/*
 * First of those wholly free trees, from that of page `from` on, that n consecutive free pages have to cover; the tree
 * of `from` if they need not cover any. a->trees if there are not so many side by side that may be in a set of states.
 * A place is looked at from its end: what is not free there rules out all places before, so that the longer the run,
 * the fewer trees are looked at.
 */
static uint64_t room_for(const struct upa_llfree *a, uint64_t from, uint64_t n, uint32_t states)
{
	const uint64_t wanted = n < UPA_TREE_PAGES ? 0 : (n - (UPA_TREE_PAGES - 1)) / UPA_TREE_PAGES;
	uint64_t first = from / UPA_TREE_PAGES;
	uint64_t known = first; /* those before it, from `first` on, are free */

	while (first + wanted <= a->trees) {
		const uint64_t end = first + wanted;
		uint64_t t = end;

		while (t > known) {
			const uint64_t start = (t - 1) / UPA_GROUP_TREES * UPA_GROUP_TREES;
			const uint32_t group = load_relaxed(group_at(a, start / UPA_GROUP_TREES));

			if (group & NODE_WHOLE || !may_hold(group, states)) {
				first = start + UPA_GROUP_TREES;
				break;
			}
			if (!node_used(group) && is_in(states, node_state(group))) {
				t = start;
			} else if (is_idle(a, t - 1, states)) {
				t--;
			} else {
				first = t;
				break;
			}
		}
		if (t <= known)
			return first;
		known = first > end ? first : end;
	}
	return a->trees;
}

bool search_has_room(const struct upa_llfree *a, uint64_t n)
{
	return room_for(a, 0, n, ANY_STATE) < a->trees;
}

/* Where the pages before a run of free ones might begin that covers trees from `tree` on, but not before `from`. */
static uint64_t before_room(uint64_t tree, uint64_t from)
{
	uint64_t start = tree ? (tree - 1) * UPA_TREE_PAGES : 0;

	return start > from ? start : from;
}

/* ---- wholly free children ------------------------------------------------------------------------ */

/* search_children(); with `skips`, which is known when this is compiled, places too short are not looked at. */
static inline __attribute__((always_inline)) int64_t find_children(const struct upa_llfree *a, const struct slot *own,
								   uint64_t from, uint64_t end, uint64_t n,
								   uint32_t states, const bool skips)
{
	/* Runs that fill groups are best at the start of one, those that fill trees at that of a tree. */
	uint64_t unit = n >= GROUP_CHILDREN ? GROUP_CHILDREN : n >= UPA_TREE_CHILDREN ? UPA_TREE_CHILDREN : 1;
	const uint64_t least = (n - 1) * UPA_CHILD_PAGES + 1; /* pages */
	uint64_t start = from;                                /* of the free run found so far */
	uint64_t room = 0;                                    /* up to there nothing is known to be too short */

	for (uint64_t c = from; c < end;) {
		if (skips && c == start && c >= room) {
			room = room_for(a, c * UPA_CHILD_PAGES, least, states);
			start = c = before_room(room, c * UPA_CHILD_PAGES) / UPA_CHILD_PAGES;
			room = room * UPA_TREE_CHILDREN + 1;
			if (c >= end)
				return -1;
		}
		const struct sight s = look(a, own, c);
		const uint64_t stop = s.end < end ? s.end : end;

		if (s.each) {
			const uint64_t flip = s.flip;

			for (; c < stop; c++) {
				uint32_t w = load_relaxed(child_at(a, c));

				if (!child_is_free(w, flip) || !is_in(states, child_state(w))) {
					if (c - start >= n)
						return fit(start, c, n);
					start = c + 1;
				} else if (c - start + 1 >= n && c + 1 >= align_up(start, unit) + n) {
					return (int64_t)align_up(start, unit);
				}
			}
		} else if (s.free && is_in(states, s.state)) {
			c = stop;
			if (c >= align_up(start, unit) + n)
				return (int64_t)align_up(start, unit);
		} else {
			if (c - start >= n)
				return fit(start, c, n);
			start = c = stop;
		}
	}
	return fit(start, end, n);
}

bool search_children_at(const struct upa_llfree *a, const struct slot *own, uint64_t from, uint64_t n, uint32_t states)
{
	const uint64_t end = from + n;

	for (uint64_t c = from; c < end;) {
		const struct sight s = look(a, own, c);
		const uint64_t stop = s.end < end ? s.end : end;

		if (!s.each && !(s.free && is_in(states, s.state)))
			return false;
		for (; s.each && c < stop; c++) {
			uint32_t w = load_relaxed(child_at(a, c));

			if (!child_is_free(w, s.flip) || !is_in(states, child_state(w)))
				return false;
		}
		c = stop;
	}
	return true;
}

/* Apart, so that the other way needs few registers. */
static __attribute__((noinline)) int64_t find_long(const struct upa_llfree *a, const struct slot *own, uint64_t from,
						   uint64_t end, uint64_t n, uint32_t states)
{
	return find_children(a, own, from, end, n, states, true);
}

int64_t search_children(const struct upa_llfree *a, const struct slot *own, uint64_t from, uint64_t end, uint64_t n,
			uint32_t states)
{
	if (n > 2 * UPA_TREE_CHILDREN)
		return find_long(a, own, from, end, n, states);
	return find_children(a, own, from, end, n, states, false);
}

/* ---- pages ------------------------------------------------------------------------------------ */

/* The same within a tree whose polarity is `flip`. */
static uint64_t next_in_tree(const struct upa_llfree *a, uint64_t from, uint64_t end, uint64_t tree_flip, bool free)
{
	while (from < end) {
		uint64_t c = from / UPA_CHILD_PAGES;
		uint32_t w = load_relaxed(child_at(a, c));
		uint64_t flip = child_flip(w, tree_flip);
		uint32_t used = child_used(w, flip);

		if (used == 0 || used == UPA_CHILD_PAGES) {
			if (free == (used == 0))
				return from;
		} else {
			uint32_t at = next_bit(bitmap_at(a, c)->allocated, free ? ~flip : flip,
					       (uint32_t)(from % UPA_CHILD_PAGES), UPA_CHILD_PAGES);

			if (at < UPA_CHILD_PAGES) {
				from = c * UPA_CHILD_PAGES + at;
				return from < end ? from : end;
			}
		}
		from = (c + 1) * UPA_CHILD_PAGES;
	}
	return end;
}

uint64_t search_next(const struct upa_llfree *a, uint64_t from, uint64_t end, bool free)
{
	while (from < end) {
		uint64_t tree_end = end_in_tree(from, end);
		uint64_t page;
		uint32_t w = load_relaxed(tree_at(a, from / UPA_TREE_PAGES));

		if (w & TREE_OPEN && !(w & NODE_WHOLE)) {
			page = next_in_tree(a, from, tree_end, node_flip(w), free);
			if (page < tree_end)
				return page;
		} else {
			uint32_t group = load_relaxed(group_at(a, from / UPA_GROUP_PAGES));

			if (free == !node_used(tree_view(w, group)))
				return from;
			/* If one word says it of the whole group, that one does. */
			if (group & NODE_WHOLE || !node_used(group))
				tree_end = end_in_group(from, end);
		}
		from = tree_end;
	}
	return end;
}

/* Are pages lo .. hi-1 of a child allocated? */
static bool held_in_child(const struct upa_llfree *a, uint64_t c, uint32_t lo, uint32_t hi, uint64_t tree_flip)
{
	uint32_t w = load_relaxed(child_at(a, c));

	return child_is_full(w, tree_flip) || all_allocated(bitmap_at(a, c), child_flip(w, tree_flip), lo, hi);
}

bool search_held_in_tree(const struct upa_llfree *a, uint64_t from, uint64_t end, uint64_t tree_flip)
{
	uint64_t c = from / UPA_CHILD_PAGES;
	uint32_t lo = (uint32_t)(from % UPA_CHILD_PAGES);
	uint64_t left = end - from;

	if (lo) {
		uint32_t hi = left < UPA_CHILD_PAGES - lo ? lo + (uint32_t)left : UPA_CHILD_PAGES;

		if (!held_in_child(a, c++, lo, hi, tree_flip))
			return false;
		left -= hi - lo;
	}
	for (; left >= UPA_CHILD_PAGES; left -= UPA_CHILD_PAGES, c++)
		if (!child_is_full(load_relaxed(child_at(a, c)), tree_flip) &&
		    !held_in_child(a, c, 0, UPA_CHILD_PAGES, tree_flip))
			return false;
	return !left || held_in_child(a, c, 0, (uint32_t)left, tree_flip);
}

bool search_held(const struct upa_llfree *a, uint64_t from, uint64_t end)
{
	while (from < end) {
		uint64_t tree_end = end_in_tree(from, end);
		uint32_t w = load_relaxed(tree_at(a, from / UPA_TREE_PAGES));

		if (!(w & TREE_OPEN)) {
			uint32_t group = load_relaxed(group_at(a, from / UPA_GROUP_PAGES));

			if (!node_used(tree_view(w, group)))
				return false;
			if (group & NODE_WHOLE)
				tree_end = end_in_group(from, end);
		} else if (!(w & NODE_WHOLE) && !search_held_in_tree(a, from, tree_end, node_flip(w))) {
			return false;
		}
		from = tree_end;
	}
	return true;
}

/* First of n free aligned pages of child c, from page lo of it on, or -1. */
static int pages_in_child(const struct upa_llfree *a, uint64_t c, uint32_t lo, uint64_t tree_flip, uint32_t n,
			  uint32_t align)
{
	const struct bitmap *b = bitmap_at(a, c);
	uint32_t w = load_relaxed(child_at(a, c));
	uint64_t flip = child_flip(w, tree_flip);

	if (child_used(w, flip) == UPA_CHILD_PAGES)
		return -1;
	if (n == UPA_CHILD_PAGES)
		return lo || next_bit(b->allocated, flip, 0, UPA_CHILD_PAGES) < UPA_CHILD_PAGES ? -1 : 0;
	return find_free(b, flip, lo, n, align);
}

/* First page >= from of n <= 512 free aligned ones in one child; -1 if none. */
static int64_t search_inside(const struct upa_llfree *a, uint64_t from, uint32_t n, uint32_t align)
{
	for (uint64_t tree_end; from < a->pages; from = tree_end) {
		uint32_t view = tree_load(a, from / UPA_TREE_PAGES);

		tree_end = end_in_tree(from, a->pages);
		if (tree_is_whole(view))
			continue;
		for (; from < tree_end; from = end_in_child(from, tree_end)) {
			uint64_t c = from / UPA_CHILD_PAGES;
			int at = pages_in_child(a, c, (uint32_t)(from % UPA_CHILD_PAGES), node_flip(view), n, align);

			if (at >= 0 && c * UPA_CHILD_PAGES + (uint32_t)at + n <= a->pages)
				return (int64_t)(c * UPA_CHILD_PAGES + (uint32_t)at);
		}
	}
	return -1;
}

int64_t search_pages(const struct upa_llfree *a, uint64_t from, uint64_t n, uint64_t align, bool inside)
{
	if (inside)
		return search_inside(a, from, (uint32_t)n, (uint32_t)align);
	for (uint64_t room = 0; from < a->pages;) {
		uint64_t start;

		if (from >= room) {
			room = room_for(a, from, n, ANY_STATE);
			if (room >= a->trees)
				break;
			from = before_room(room, from);
			room = room * UPA_TREE_PAGES + 1;
		}
		start = align_up(search_next(a, from, a->pages, true), align);
		if (start >= a->pages || a->pages - start < n)
			break;
		from = search_next(a, start, start + n, false);
		if (from == start + n)
			return (int64_t)start;
	}
	return -1;
}

int64_t search_border(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t n, uint32_t states,
		      bool stale)
{
	const struct bitmap *before = bitmap_at(a, c - 1), *behind = bitmap_at(a, c);
	uint32_t w = load_relaxed(child_at(a, c));
	uint32_t v, free, lo, hi;

	/* Mostly the first page of a child is in use. */
	if ((load_relaxed(&behind->allocated[0]) ^ child_flip(w, tree_flip)) & 1)
		return -1;
	v = load_relaxed(child_at(a, c - 1));
	free = child_free(v, child_flip(v, tree_flip));
	if (!free || free + child_free(w, child_flip(w, tree_flip)) < n || !is_in(states, child_state(v)) ||
	    !is_in(states, child_state(w)))
		return -1;
	lo = end_of_allocated(before, child_flip(v, tree_flip));
	if (lo == UPA_CHILD_PAGES || UPA_CHILD_PAGES - lo >= n)
		return -1;
	hi = n - (UPA_CHILD_PAGES - lo);
	/* The pages that a last child lacks are allocated, unless somebody has overwritten them. */
	if (c * UPA_CHILD_PAGES + hi > a->pages || next_bit(behind->allocated, child_flip(w, tree_flip), 0, hi) < hi)
		return -1;
	if (stale && ((child_state(v) == UPA_MIXED && !all_stale(before, lo, UPA_CHILD_PAGES)) ||
		      (child_state(w) == UPA_MIXED && !all_stale(behind, 0, hi))))
		return -1;
	return (int64_t)((c - 1) * UPA_CHILD_PAGES + lo);
}

/* ---- what they hold --------------------------------------------------------------------------- */

/*
 * The word that says what page `from` holds, and up to which page below end it says so: that of the group or tree if
 * all below have it in common and there is as much to look at, else the child's. Sets *state. Acquire: who sees MIXED
 * must see what was written before it.
 */
static inline uint64_t content_at(const struct upa_llfree *a, uint64_t from, uint64_t end, uint32_t *state)
{
	if (end - from >= UPA_TREE_PAGES) {
		*state = node_state(load_acquire(group_at(a, from / UPA_GROUP_PAGES)));
		if (*state != UPA_MIXED)
			return end_in_group(from, end);
		*state = node_state(load_acquire(tree_at(a, from / UPA_TREE_PAGES)));
		if (*state != UPA_MIXED)
			return end_in_tree(from, end);
	}
	*state = child_state(load_acquire(child_at(a, from / UPA_CHILD_PAGES)));
	return end_in_child(from, end);
}

/* The same within a child, whose state is MIXED. */
static uint64_t content_in_child(const struct upa_llfree *a, uint64_t from, uint64_t end, bool stale)
{
	uint64_t c = from / UPA_CHILD_PAGES;
	uint32_t at = next_bit(bitmap_at(a, c)->stale, stale ? 0 : ~0ull, (uint32_t)(from % UPA_CHILD_PAGES),
			       UPA_CHILD_PAGES);

	return c * UPA_CHILD_PAGES + at < end ? c * UPA_CHILD_PAGES + at : end;
}

uint64_t search_content(const struct upa_llfree *a, uint64_t from, uint64_t end, bool stale)
{
	while (from < end) {
		uint32_t state;
		uint64_t next = content_at(a, from, end, &state);

		if (state == UPA_MIXED) {
			from = content_in_child(a, from, next, stale);
			if (from < next)
				return from;
		} else if (stale == (state == UPA_STALE)) {
			return from;
		}
		from = next;
	}
	return end;
}

/* UPA_HOLDS_* of pages of a child whose state is MIXED. */
static uint32_t mixed_contents(const struct upa_llfree *a, uint64_t from, uint64_t end)
{
	const struct bitmap *b = bitmap_at(a, from / UPA_CHILD_PAGES);
	uint32_t lo = (uint32_t)(from % UPA_CHILD_PAGES), hi = lo + (uint32_t)(end - from);

	return (next_bit(b->stale, 0, lo, hi) < hi ? UPA_HOLDS_STALE : 0) |
	       (all_stale(b, lo, hi) ? 0 : UPA_HOLDS_ABSENT);
}

uint32_t search_contents(const struct upa_llfree *a, uint64_t from, uint64_t end)
{
	uint32_t any = 0, all = UPA_HOLDS_RESIDENT;

	while (from < end) {
		uint64_t next = end_in_child(from, end);
		uint32_t holds = 0;

		/* Acquire, as content_at(). */
		if (end - from >= UPA_TREE_PAGES) {
			holds = node_holds(load_acquire(group_at(a, from / UPA_GROUP_PAGES)));
			next = end_in_group(from, end);
			if (holds & ONLY(UPA_MIXED)) {
				holds = node_holds(load_acquire(tree_at(a, from / UPA_TREE_PAGES)));
				next = end_in_tree(from, end);
			}
			if (holds & ONLY(UPA_MIXED))
				next = end_in_child(from, end);
		}
		if (!holds || holds & ONLY(UPA_MIXED)) {
			holds = child_holds(load_acquire(child_at(a, from / UPA_CHILD_PAGES)));
			if (holds & ONLY(UPA_MIXED))
				holds |= mixed_contents(a, from, next);
		}
		any |= holds;
		all &= holds;
		from = next;
	}
	return (any & ~(ONLY(UPA_MIXED) | UPA_HOLDS_RESIDENT)) | all;
}

uint64_t search_states(const struct upa_llfree *a, uint64_t from, uint64_t end, uint32_t states)
{
	while (from < end) {
		uint32_t state;
		uint64_t next = content_at(a, from, end, &state);

		if (is_in(states, state))
			break;
		from = next;
	}
	return from < end ? from : end;
}

uint64_t search_absent(const struct upa_llfree *a, uint64_t from, uint64_t end)
{
	uint64_t absent = 0;

	for (uint64_t next; from < end; from = next) {
		uint32_t lo = (uint32_t)(from % UPA_CHILD_PAGES), state;

		next = content_at(a, from, end, &state);
		if (state == UPA_ABSENT)
			absent += next - from;
		else if (state == UPA_MIXED)
			absent += next - from -
				  count_stale(bitmap_at(a, from / UPA_CHILD_PAGES), lo, lo + (uint32_t)(next - from));
	}
	return absent;
}

bool search_taint(const struct upa_llfree *a, uint64_t from, uint64_t end)
{
	/* What all of a tree or group have in common is that none is tainted. */
	while (end - from >= UPA_TREE_PAGES) {
		uint32_t state;
		uint64_t next = content_at(a, from, end, &state);

		if (next - from <= UPA_CHILD_PAGES && load_relaxed(child_at(a, from / UPA_CHILD_PAGES)) & CHILD_TAINTED)
			return true;
		from = next;
	}
	for (; from < end; from = end_in_child(from, end))
		if (load_relaxed(child_at(a, from / UPA_CHILD_PAGES)) & CHILD_TAINTED)
			return true;
	return false;
}
