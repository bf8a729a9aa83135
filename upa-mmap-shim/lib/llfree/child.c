/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/child.h"

/* ---- what the pages hold --------------------------------------------------------------------- */

static void mix(_Atomic uint32_t *node)
{
	uint32_t w = load_relaxed(node);

	while (node_state(w) != UPA_MIXED && !cas_weak_acq_rel(node, &w, with_summary(w, UPA_MIXED, false)))
		;
}

void summary_mix(const struct upa_llfree *a, uint64_t tree)
{
	mix(group_at(a, tree / UPA_GROUP_TREES));
	mix(tree_at(a, tree));
}

void child_set_state(const struct upa_llfree *a, uint64_t c, uint32_t from, uint32_t state)
{
	child_t *child = child_at(a, c);
	uint32_t w = load_relaxed(child);

	if (!is_in(from, child_state(w)))
		return;
	summary_mix(a, c / UPA_TREE_CHILDREN);
	while (is_in(from, child_state(w)) && !cas_weak_acq_rel(child, &w, with_state(w, state)))
		;
}

void child_mark(const struct upa_llfree *a, uint64_t c, uint32_t marks)
{
	uint32_t ended = marks & CHILD_LAZY ? CHILD_RESIDENT : 0;
	uint32_t w = load_relaxed(child_at(a, c));

	if ((w & (marks | ended)) == marks)
		return;
	summary_mix(a, c / UPA_TREE_CHILDREN);
	while (!cas_weak_acq_rel(child_at(a, c), &w, (w & ~ended) | marks))
		;
}

/* The tree and the group need not be told: of lazy children they say UPA_MIXED. */
void child_settle(const struct upa_llfree *a, uint64_t c)
{
	UPA_ASSERT((load_relaxed(child_at(a, c)) & CHILD_ONES) % UPA_CHILD_PAGES == 0);
	if (load_relaxed(child_at(a, c)) & CHILD_LAZY)
		fetch_and_relaxed(child_at(a, c), ~CHILD_LAZY);
}

/* UPA_MIXED knows two kinds of free pages, so zeroed ones in part of a child count as stale. */
void child_record(const struct upa_llfree *a, uint64_t c, uint32_t lo, uint32_t hi, uint32_t state)
{
	struct bitmap *b = bitmap_at(a, c);
	uint32_t w = load_relaxed(child_at(a, c));
	uint32_t now = child_state(w);

	if (state == UPA_ABSENT) {
		if (w & CHILD_RESIDENT) {
			summary_mix(a, c / UPA_TREE_CHILDREN);
			fetch_and_relaxed(child_at(a, c), ~CHILD_RESIDENT);
		}
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
		if (now == UPA_ABSENT)
			child_set_state(a, c, ONLY(UPA_ABSENT), UPA_MIXED);
	}
}

/*
 * What becomes of a child's word once all of it holds what a state says: its taint goes, and the mark that pages may
 * vanish, since the holder has seen to all of them; the rest is kept or set.
 */
struct change {
	uint32_t kept, set;
};

static const struct change changes[] = {
	[UPA_ABSENT] = { ~(CHILD_TAINTED | CHILD_STATE | CHILD_RESIDENT | CHILD_LAZY),
			 UPA_ABSENT << CHILD_STATE_SHIFT },
	[UPA_ZEROED] = { ~(CHILD_TAINTED | CHILD_STATE | CHILD_LAZY),
			 UPA_ZEROED << CHILD_STATE_SHIFT | CHILD_RESIDENT },
	[UPA_STALE] = { ~(CHILD_TAINTED | CHILD_STATE | CHILD_LAZY), UPA_STALE << CHILD_STATE_SHIFT },
	[UNCHANGED] = { ~CHILD_TAINTED, 0 },
};

static inline uint32_t changed(uint32_t w, struct change ch)
{
	return (w & ch.kept) | ch.set;
}

/* Before the word of a whole child becomes other than it is, and the bits below say what it does not. */
static inline void prepare_whole(const struct upa_llfree *a, uint64_t c, uint32_t w, uint32_t state, struct change ch)
{
	if (changed(w, ch) != w)
		summary_mix(a, c / UPA_TREE_CHILDREN);
	if (state == UPA_ABSENT || state == UPA_ZEROED)
		clear_stale(bitmap_at(a, c), 0, UPA_CHILD_PAGES);
}

uint32_t child_record_whole(const struct upa_llfree *a, uint64_t c, uint32_t state)
{
	child_t *child = child_at(a, c);
	struct change ch = changes[state];
	uint32_t w = load_relaxed(child);

	prepare_whole(a, c, w, state, ch);
	while (changed(w, ch) != w)
		if (cas_weak_acq_rel(child, &w, changed(w, ch)))
			return changed(w, ch);
	return w;
}

/* ---- get ------------------------------------------------------------------------------------- */

/* Frees pages that this thread has just taken. */
static void undo(struct bitmap *b, uint64_t flip, uint32_t lo, uint32_t n)
{
	uint32_t undone = flip_bits(b, flip, lo, lo + n, true);

	UPA_ASSERT(undone == n);
	(void)undone;
}

/* Takes n tickets, fewer than all, if w is the word. Sets *flip to the polarity, which stays while they are held. */
static bool take(child_t *child, uint32_t w, uint64_t tree_flip, uint32_t n, uint64_t *flip)
{
	do {
		*flip = child_flip(w, tree_flip);
		if (child_free(w, *flip) < n)
			return false;
	} while (!cas_weak_acq_rel(child, &w, child_more(w, *flip, n)));
	return true;
}

static void give_back(child_t *child, uint64_t flip, uint32_t n)
{
	uint32_t w = load_relaxed(child);
	uint32_t next;

	do {
		UPA_ASSERT(child_used(w, flip) >= n && child_used(w, flip) <= UPA_CHILD_PAGES);
		next = child_less(w, flip, n);
		if (!child_used(next, flip))
			next &= ~CHILD_TAINTED;
	} while (!cas_weak_acq_rel(child, &w, next));
}

static inline int find(const struct bitmap *b, uint64_t flip, uint32_t n, uint32_t align, bool stale)
{
	return stale ? find_stale(b, flip, n, align) : find_free(b, flip, 0, n, align);
}

int64_t child_get(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t n, uint32_t align, bool stale)
{
	struct bitmap *b = bitmap_at(a, c);
	uint32_t w = load_relaxed(child_at(a, c));
	uint64_t flip = child_flip(w, tree_flip);
	int pos;

	/* Looks before it takes: to others, tickets taken in vain are pages less. */
	pos = find(b, flip, n, align, stale);
	if (pos < 0 || !take(child_at(a, c), w, tree_flip, n, &flip))
		return -1;
	do {
		uint32_t lo = (uint32_t)pos;
		uint32_t done = flip_bits(b, flip, lo, lo + n, false);

		if (done == n) {
			UPA_ASSERT(child_flip(load_relaxed(child_at(a, c)), tree_flip) == flip);
			return (int64_t)(c * UPA_CHILD_PAGES + lo);
		}
		if (done)
			undo(b, flip, lo, done);
		pos = find(b, flip, n, align, stale);
	} while (pos >= 0);
	give_back(child_at(a, c), flip, n);
	return -1;
}

bool child_get_part(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t lo, uint32_t hi)
{
	struct bitmap *b = bitmap_at(a, c);
	uint32_t n = hi - lo;
	uint64_t flip;
	uint32_t done;

	if (!take(child_at(a, c), load_relaxed(child_at(a, c)), tree_flip, n, &flip))
		return false;
	done = flip_bits(b, flip, lo, hi, false);
	if (done == n)
		return true;
	if (done)
		undo(b, flip, lo, done);
	give_back(child_at(a, c), flip, n);
	return false;
}

/* ---- put ------------------------------------------------------------------------------------- */

uint32_t child_put_changed(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t state)
{
	child_t *child = child_at(a, c);
	struct change ch = changes[state];
	uint32_t w = load_relaxed(child);

	if (!child_is_full(w, tree_flip))
		return 0;
	prepare_whole(a, c, w, state, ch);
	do {
		if (!child_is_full(w, tree_flip))
			return 0;
		UPA_ASSERT(count_allocated(bitmap_at(a, c), child_flip(w, tree_flip)) == UPA_CHILD_PAGES);
	} while (!cas_weak_acq_rel(child, &w, changed(w, ch) ^ CHILD_POLARITY));
	return UPA_CHILD_PAGES;
}

uint32_t child_put_held(const struct upa_llfree *a, uint64_t c, uint64_t flip, uint32_t lo, uint32_t hi, uint32_t state)
{
	child_t *child = child_at(a, c);
	uint32_t done;

	if (state != UNCHANGED)
		child_record(a, c, lo, hi, state);
	done = flip_bits(bitmap_at(a, c), flip, lo, hi, true);
	if (done)
		give_back(child, flip, done);
	return done;
}
