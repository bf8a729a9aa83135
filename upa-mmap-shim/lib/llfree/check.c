/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - looks at a state as a whole: sums its counters, rebuilds them from the bits, says where an invariant
 * fails.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "llfree/bits.h"

/* Bits of a child that are 1; those children that only pad a tree have no bits, and count as allocated. */
static uint32_t ones_of(const struct upa_llfree *a, uint64_t c)
{
	return c < a->children ? count_allocated(bitmap_at(a, c), 0) : UPA_CHILD_PAGES;
}

static bool is_padding(const struct upa_llfree *a, uint64_t t)
{
	return t >= a->trees;
}

/* ---- counters -------------------------------------------------------------------------------- */

static uint32_t retained_of(const struct upa_llfree *a, uint64_t c, uint32_t w, uint64_t flip)
{
	if (child_state(w) == UPA_MIXED)
		return count_stale_free(bitmap_at(a, c), flip);
	return child_state(w) == UPA_ABSENT ? 0 : child_free(w, flip);
}

/* Does this word of a group or tree tell of all below? `whole`: that all is in use. */
static bool tells_all(uint32_t w, bool whole)
{
	return whole || (!node_used(w) && node_state(w) != UPA_MIXED);
}

/*
 * Counts those children from c on that one word tells of: that of the group or the tree, if all below is in use, or
 * free and alike. How many those are; 0 if each is to be asked.
 */
static uint64_t count_at_once(const struct upa_llfree *a, uint64_t c, uint64_t end, struct upa_llfree_stats *st)
{
	const uint64_t group_children = UPA_GROUP_TREES * UPA_TREE_CHILDREN;
	uint64_t t = c / UPA_TREE_CHILDREN, n = group_children;
	uint32_t w = load_relaxed(group_at(a, t / UPA_GROUP_TREES));
	bool whole = w & NODE_WHOLE;

	if (c % n || end - c < n || !tells_all(w, whole)) {
		n = UPA_TREE_CHILDREN;
		w = tree_view(load_relaxed(tree_at(a, t)), w);
		whole = tree_is_whole(w);
	}
	if (c % n || end - c < n || !tells_all(w, whole))
		return 0;
	if (whole)
		st->free_pages -= n * UPA_CHILD_PAGES;
	else
		st->free_children += n;
	/* What all below has in common is that none is lazy. */
	if (!whole && node_state(w) != UPA_ABSENT)
		st->retained_pages += n * UPA_CHILD_PAGES;
	return n;
}

int upa_llfree_get_stats(const struct upa_llfree *a, struct upa_llfree_stats *out)
{
	uint64_t touched = touched_children(a);
	struct upa_llfree_stats st = { .pages = a->pages, .free_pages = a->pages };

	for (uint64_t c = 0, tree_end; c < touched; c = tree_end) {
		uint64_t t = c / UPA_TREE_CHILDREN;
		uint32_t view = tree_load(a, t);

		tree_end = c + count_at_once(a, c, touched, &st);
		if (tree_end > c)
			continue;
		tree_end = (t + 1) * UPA_TREE_CHILDREN < touched ? (t + 1) * UPA_TREE_CHILDREN : touched;
		for (; c < tree_end; c++) {
			uint32_t w = load_relaxed(child_at(a, c));
			uint64_t flip = child_flip(w, node_flip(view));
			uint32_t retained;

			/* A last child that is not whole counts its missing pages as used. */
			st.free_pages -= child_used(w, flip);
			retained = retained_of(a, c, w, flip);
			st.retained_pages += retained;
			st.lazy_pages += w & CHILD_LAZY ? retained : 0;
			st.free_children += !child_used(w, flip);
		}
	}
	if (touched == a->children)
		st.free_pages += child_missing(a, a->children - 1);
	else
		st.free_children += a->pages / UPA_CHILD_PAGES - touched;
	for (uint32_t i = 0; i < a->slots; i++) {
		const struct slot *s = slot_at(a, i);

		st.gets += load_relaxed(&s->gets);
		st.got_pages += load_relaxed(&s->got_pages);
		st.puts += load_relaxed(&s->puts);
		st.put_pages += load_relaxed(&s->put_pages);
		st.failures += load_relaxed(&s->failures);
		st.searches += load_relaxed(&s->searches);
	}
	*out = st;
	return 0;
}

/* ---- recovery -------------------------------------------------------------------------------- */

/* Words are written only if they must be: a state of terabytes is mostly untouched memory. */
static void correct(_Atomic uint32_t *word, uint32_t value)
{
	if (load_relaxed(word) != value)
		store_relaxed(word, value);
}

/* Rebuilds the word of a child from its bits. Returns how many pages are used. */
static uint32_t recover_child(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, int64_t *wrong)
{
	uint32_t w = load_relaxed(child_at(a, c));
	uint32_t ones = ones_of(a, c);
	uint32_t next = (w & ~CHILD_ONES) | ones;
	uint32_t used = child_used(next, child_flip(next, tree_flip));

	*wrong += ones > (w & CHILD_ONES) ? ones - (w & CHILD_ONES) : (w & CHILD_ONES) - ones;
	correct(child_at(a, c), used ? next : next & ~CHILD_TAINTED);
	if (c >= a->children)
		return used;
	/* A put killed before its state was changed. */
	if (child_state(w) < UPA_STALE)
		clear_stale(bitmap_at(a, c), 0, UPA_CHILD_PAGES);
	if (used != child_missing(a, c) || child_state(w) != UPA_ABSENT)
		touch_children(a, c + 1);
	return used;
}

/* Rebuilds the word of a tree, and those of its children. True if it is closed and wholly free. */
static bool recover_tree(const struct upa_llfree *a, uint64_t t, uint32_t group, int64_t *wrong)
{
	uint32_t w = load_relaxed(tree_at(a, t));
	uint32_t view = tree_view(w, group);
	uint32_t used = 0;

	for (uint64_t c = t * UPA_TREE_CHILDREN; c < (t + 1) * UPA_TREE_CHILDREN; c++)
		used += recover_child(a, c, node_flip(view), wrong);
	if (!(w & TREE_OPEN) && used == node_used(view))
		return !used;
	view &= ~(NODE_USED | TREE_RESERVED);
	if (used != UPA_TREE_PAGES)
		view &= ~NODE_WHOLE;
	correct(tree_at(a, t), view | TREE_OPEN | used);
	return false;
}

int64_t upa_llfree_recover(struct upa_llfree *a)
{
	int64_t wrong = 0;

	for (uint32_t s = 0; s < a->slots; s++)
		store_relaxed(&slot_at(a, s)->reservation, 0);
	for (uint64_t g = 0; g < a->groups; g++) {
		uint32_t w = load_relaxed(group_at(a, g));
		uint32_t used = 0;
		bool whole = true;

		for (uint64_t t = g * UPA_GROUP_TREES; t < (g + 1) * UPA_GROUP_TREES; t++) {
			used += is_padding(a, t) || !recover_tree(a, t, w, &wrong);
			whole = whole && !(load_relaxed(tree_at(a, t)) & TREE_OPEN);
		}
		/* The polarity is what closed trees are read by, and stays. */
		w &= whole && used == UPA_GROUP_TREES ? ~NODE_USED : ~(NODE_USED | NODE_WHOLE);
		correct(group_at(a, g), w | used);
	}
	return wrong;
}

/* ---- validation ------------------------------------------------------------------------------ */

typedef unsigned long long number;

/* Where a validation writes what it finds; message may be NULL. */
struct report {
	char *message;
	size_t bytes;
};

__attribute__((format(printf, 2, 3))) static int fault(const struct report *r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (r->message && r->bytes)
		vsnprintf(r->message, r->bytes, format, arguments);
	va_end(arguments);
	return -EUCLEAN;
}

/* Of a tree whose word is to be read as `view`. */
static int validate_child(const struct upa_llfree *a, uint64_t c, uint32_t view, const struct report *r)
{
	uint64_t touched = touched_children(a);
	uint32_t w = load_relaxed(child_at(a, c));
	uint64_t flip = child_flip(w, node_flip(view));
	uint32_t ones = ones_of(a, c);
	uint32_t missing = child_missing(a, c);
	const struct bitmap *b = bitmap_at(a, c);

	if (w & ~CHILD_KNOWN || (w & CHILD_ONES) != ones || (w & CHILD_LAZY && c >= a->children))
		return fault(r, "child=%llu word=%#x bits_that_are_1=%u", (number)c, w, ones);
	if (c >= a->children)
		return 0;
	if (missing && next_bit(b->allocated, ~flip, UPA_CHILD_PAGES - missing, UPA_CHILD_PAGES) < UPA_CHILD_PAGES)
		return fault(r, "child=%llu: a page beyond the end is free", (number)c);
	if (child_state(w) < UPA_STALE && next_bit(b->stale, 0, 0, UPA_CHILD_PAGES) < UPA_CHILD_PAGES)
		return fault(r, "child=%llu word=%#x has stale bits", (number)c, w);
	if (c >= touched && (child_used(w, flip) != missing || child_state(w) != UPA_ABSENT || w & CHILD_LAZY))
		return fault(r, "child=%llu word=%#x touched_children=%llu", (number)c, w, (number)touched);
	if (node_state(view) != UPA_MIXED && (child_state(w) != node_state(view) || w & (CHILD_TAINTED | CHILD_LAZY) ||
					      !(w & CHILD_RESIDENT) != !(view & NODE_RESIDENT)))
		return fault(r, "child=%llu word=%#x is not as tree_word=%#x says of all", (number)c, w, view);
	return 0;
}

/* Sums what the slots have of a tree, and counts them. */
static int validate_slots(const struct upa_llfree *a, uint64_t t, uint32_t view, int32_t *promised,
			  const struct report *r)
{
	uint32_t holders = 0;

	for (uint32_t s = 0; s < a->slots; s++) {
		uint64_t w = load_relaxed(&slot_at(a, s)->reservation);

		if (w & SLOT_PRESENT && slot_child(w) >= a->children)
			return fault(r, "slot=%u child=%llu is out of range", s, (number)slot_child(w));
		if (!slot_holds(w, t))
			continue;
		if (slot_flip(w) != node_flip(view))
			return fault(r, "slot=%u word=%#llx has the polarity that tree_word=%#x has not", s, (number)w,
				     view);
		holders++;
		*promised += (int32_t)slot_free(w);
	}
	if (holders != (view & TREE_RESERVED ? 1u : 0u))
		return fault(r, "tree=%llu word=%#x is reserved by %u slots", (number)t, view, holders);
	return 0;
}

static int validate_tree(const struct upa_llfree *a, uint64_t t, uint32_t group, const struct report *r)
{
	uint32_t view = tree_view(load_relaxed(tree_at(a, t)), group);
	int32_t promised = (int32_t)UPA_TREE_PAGES - (int32_t)node_used(view); /* less than none if overdrawn */
	int32_t children_free = 0;
	int error;

	if (view & ~TREE_KNOWN ||
	    (!(view & TREE_OPEN) && (view & (NODE_WHOLE | TREE_RESERVED) || node_used(view) % UPA_TREE_PAGES)))
		return fault(r, "tree=%llu word=%#x cannot be", (number)t, view);
	if (view & NODE_WHOLE && (view & TREE_RESERVED || node_used(view) != UPA_TREE_PAGES))
		return fault(r, "tree=%llu word=%#x is not whole", (number)t, view);
	if (node_state(group) != UPA_MIXED && (node_state(view) != node_state(group) || (view ^ group) & NODE_RESIDENT))
		return fault(r, "tree=%llu word=%#x is not as group_word=%#x says of all", (number)t, view, group);
	error = validate_slots(a, t, view, &promised, r);
	for (uint64_t c = t * UPA_TREE_CHILDREN; !error && c < (t + 1) * UPA_TREE_CHILDREN; c++) {
		uint32_t w = load_relaxed(child_at(a, c));

		error = validate_child(a, c, view, r);
		children_free += (int32_t)child_free(w, child_flip(w, node_flip(view)));
	}
	if (!error && promised != children_free)
		return fault(r, "tree=%llu word=%#x promised=%d children_free=%d", (number)t, view, promised,
			     children_free);
	return error;
}

static int validate_group(const struct upa_llfree *a, uint64_t g, const struct report *r)
{
	uint32_t w = load_relaxed(group_at(a, g));
	uint32_t used = 0, allocated = 0;

	for (uint64_t t = g * UPA_GROUP_TREES; t < (g + 1) * UPA_GROUP_TREES; t++) {
		uint32_t view = tree_view(load_relaxed(tree_at(a, t)), w);
		int error = is_padding(a, t) ? 0 : validate_tree(a, t, w, r);

		if (error)
			return error;
		if (is_padding(a, t) && view != (TREE_OPEN | UPA_TREE_PAGES))
			return fault(r, "tree=%llu word=%#x is beyond the end", (number)t, view);
		used += view & TREE_OPEN || node_used(view);
		allocated += !(view & TREE_OPEN) && node_used(view);
	}
	if (w & ~GROUP_KNOWN || node_used(w) != used || (w & NODE_WHOLE && allocated != UPA_GROUP_TREES))
		return fault(r, "group=%llu word=%#x trees_not_closed_and_free=%u", (number)g, w, used);
	return 0;
}

int upa_llfree_validate(const struct upa_llfree *a, char *message, size_t bytes)
{
	const struct upa_llfree_header *h = header_of(a);
	const struct report r = { message, bytes };
	int error = 0;

	if (h->magic != UPA_LLFREE_MAGIC || h->pages != a->pages || h->slots != a->slots)
		return fault(&r, "header: magic=%#llx pages=%llu slots=%u", (number)h->magic, (number)h->pages,
			     h->slots);
	for (uint64_t g = 0; !error && g < a->groups; g++)
		error = validate_group(a, g, &r);
	return error;
}
