/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - looks at a state as a whole: sums its counters, rebuilds them from the bits, says where an invariant
 * fails.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "llfree/bits.h"

/* Pages of a child that are allocated by its bits; those that only pad a tree have none. */
static uint32_t allocated_of(const struct upa_llfree *a, uint64_t c, uint32_t w)
{
	return c < a->children ? count_allocated(bitmap_at(a, c), polarity(w)) : UPA_CHILD_PAGES;
}

/* ---- counters -------------------------------------------------------------------------------- */

static uint32_t retained_of(const struct upa_llfree *a, uint64_t c, uint32_t w)
{
	if (child_state(w) == UPA_MIXED)
		return count_stale_free(bitmap_at(a, c), polarity(w));
	return child_state(w) == UPA_ABSENT ? 0 : child_free(w);
}

int upa_llfree_get_stats(const struct upa_llfree *a, struct upa_llfree_stats *out)
{
	uint64_t touched = touched_children(a);
	struct upa_llfree_stats st = { .pages = a->pages, .free_pages = a->pages };

	for (uint64_t c = 0; c < touched; c++) {
		uint32_t w = load_relaxed(child_at(a, c));

		/* A last child that is not whole counts its missing pages as used. */
		st.free_pages -= child_used(w);
		st.retained_pages += retained_of(a, c, w);
		st.free_children += !child_used(w);
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

/* Rebuilds the word of a child from its bits, `used` of which are allocated. */
static void recover_child(const struct upa_llfree *a, uint64_t c, uint32_t w, uint32_t used)
{
	uint32_t next = ((used ? w : w & ~CHILD_TAINTED) & ~CHILD_USED) | used;

	if (next != w)
		store_relaxed(child_at(a, c), next);
	if (c >= a->children)
		return;
	/* A put killed before its state was changed. */
	if (child_state(w) < UPA_STALE)
		clear_stale(bitmap_at(a, c), 0, UPA_CHILD_PAGES);
	if (used != child_missing(a, c) || child_state(w) != UPA_ABSENT)
		touch_children(a, c + 1);
}

int64_t upa_llfree_recover(struct upa_llfree *a)
{
	int64_t wrong = 0;

	for (uint32_t s = 0; s < a->slots; s++)
		store_relaxed(&slot_at(a, s)->reservation, 0);
	for (uint64_t t = 0; t < a->trees; t++) {
		uint32_t tree_used = 0;

		for (uint64_t c = t * UPA_TREE_CHILDREN; c < (t + 1) * UPA_TREE_CHILDREN; c++) {
			uint32_t w = load_relaxed(child_at(a, c));
			uint32_t used = allocated_of(a, c, w);

			wrong += used > child_used(w) ? used - child_used(w) : child_used(w) - used;
			tree_used += used;
			recover_child(a, c, w, used);
		}
		/* Written only if it must be: a state of terabytes is mostly untouched memory. */
		if (load_relaxed(tree_at(a, t)) != tree_used)
			store_relaxed(tree_at(a, t), tree_used);
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

__attribute__((format(printf, 2, 3)))
static int fault(const struct report *r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (r->message && r->bytes)
		vsnprintf(r->message, r->bytes, format, arguments);
	va_end(arguments);
	return -EUCLEAN;
}

static int validate_child(const struct upa_llfree *a, uint64_t c, uint64_t touched, const struct report *r)
{
	uint32_t w = load_relaxed(child_at(a, c));
	uint32_t used = allocated_of(a, c, w);
	uint32_t missing = child_missing(a, c);
	const struct bitmap *b = bitmap_at(a, c);

	if (w & ~CHILD_KNOWN || child_used(w) != used)
		return fault(r, "child=%llu word=%#x allocated_bits=%u", (number)c, w, used);
	if (c >= a->children)
		return 0;
	if (missing && next_bit(b->allocated, ~polarity(w), UPA_CHILD_PAGES - missing) < UPA_CHILD_PAGES)
		return fault(r, "child=%llu: a page beyond the end is free", (number)c);
	if (child_state(w) < UPA_STALE && next_bit(b->stale, 0, 0) < UPA_CHILD_PAGES)
		return fault(r, "child=%llu word=%#x has stale bits", (number)c, w);
	if (c >= touched && (used != missing || child_state(w) != UPA_ABSENT))
		return fault(r, "child=%llu word=%#x touched_children=%llu", (number)c, w, (number)touched);
	return 0;
}

static int validate_tree(const struct upa_llfree *a, uint64_t t, uint64_t touched, const struct report *r)
{
	uint32_t w = load_relaxed(tree_at(a, t));
	int32_t promised = (int32_t)UPA_TREE_PAGES - (int32_t)(w & TREE_USED); /* less than none if overdrawn */
	uint32_t holders = 0;
	int32_t children_free = 0;

	for (uint32_t s = 0; s < a->slots; s++) {
		uint64_t reservation = load_relaxed(&slot_at(a, s)->reservation);

		if (reservation & SLOT_PRESENT && slot_child(reservation) >= a->children)
			return fault(r, "slot=%u child=%llu is out of range", s, (number)slot_child(reservation));
		if (slot_holds(reservation, t)) {
			holders++;
			promised += (int32_t)slot_free(reservation);
		}
	}
	if (holders != (w & TREE_RESERVED ? 1u : 0u))
		return fault(r, "tree=%llu word=%#x is reserved by %u slots", (number)t, w, holders);
	for (uint64_t c = t * UPA_TREE_CHILDREN; c < (t + 1) * UPA_TREE_CHILDREN; c++) {
		int error = validate_child(a, c, touched, r);

		if (error)
			return error;
		children_free += (int32_t)child_free(load_relaxed(child_at(a, c)));
	}
	if (promised != children_free)
		return fault(r, "tree=%llu word=%#x promised=%d children_free=%d", (number)t, w, promised,
			     children_free);
	return 0;
}

int upa_llfree_validate(const struct upa_llfree *a, char *message, size_t bytes)
{
	const struct upa_llfree_header *h = header_of(a);
	const struct report r = { message, bytes };
	uint64_t touched = touched_children(a);

	if (h->magic != UPA_LLFREE_MAGIC || h->pages != a->pages || h->slots != a->slots)
		return fault(&r, "header: magic=%#llx pages=%llu slots=%u", (number)h->magic, (number)h->pages,
			     h->slots);
	for (uint64_t t = 0; t < a->trees; t++) {
		int error = validate_tree(a, t, touched, &r);

		if (error)
			return error;
	}
	return 0;
}
