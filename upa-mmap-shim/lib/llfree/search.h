/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search.h - looks for pages and takes none: what it finds is a snapshot, and may be somebody else's an instant later.
 */
#ifndef UPA_LLFREE_SEARCH_H
#define UPA_LLFREE_SEARCH_H

#include "llfree/words.h"

/*
 * First child >= from of n consecutive wholly free ones below end whose states are all in a set, or -1; where there is
 * room to choose, at the start of a group or tree, of which a run so long takes whole ones. With own == NULL in any
 * tree, else not in one that a slot other than that reserves.
 */
int64_t search_children(const struct upa_llfree *a, const struct slot *own, uint64_t from, uint64_t end, uint64_t n,
			uint32_t states);

/* The same of the children from .. from+n-1: are they such? */
bool search_children_at(const struct upa_llfree *a, const struct slot *own, uint64_t from, uint64_t n, uint32_t states);

/* Can there be n consecutive free pages? False is certain if none became free meanwhile. Quick if n is large. */
bool search_has_room(const struct upa_llfree *a, uint64_t n);

/* First page >= from of n consecutive free ones, aligned; -1 if none. May cross children unless `inside` one. */
int64_t search_pages(const struct upa_llfree *a, uint64_t from, uint64_t n, uint64_t align, bool inside);

/*
 * First of n < 512 free pages that begin with all that is free at the end of child c - 1, which is in use, and end in
 * child c, of the same tree; -1 if there are none, or their children are not in a set of states. With `stale` MIXED
 * stands for pages that are stale. tree_flip is the polarity of the tree.
 */
int64_t search_border(const struct upa_llfree *a, uint64_t c, uint64_t tree_flip, uint32_t n, uint32_t states,
		      bool stale);

/* First page in from .. end-1 that is free, or allocated; end if none. A child without tickets counts as allocated. */
uint64_t search_next(const struct upa_llfree *a, uint64_t from, uint64_t end, bool free);

/* Is every page in from .. end-1 allocated? Of pages in one tree, given its polarity; and of any. */
bool search_held_in_tree(const struct upa_llfree *a, uint64_t from, uint64_t end, uint64_t tree_flip);
bool search_held(const struct upa_llfree *a, uint64_t from, uint64_t end);

/* First page in from .. end-1 that may hold old bytes, or that does not; end if none. */
uint64_t search_content(const struct upa_llfree *a, uint64_t from, uint64_t end, bool stale);

/* What the pages from .. end-1 hold, as UPA_HOLDS_*. */
uint32_t search_contents(const struct upa_llfree *a, uint64_t from, uint64_t end);

/* First page in from .. end-1 whose child's state is in a set; end if none. */
uint64_t search_states(const struct upa_llfree *a, uint64_t from, uint64_t end, uint32_t states);

/* Of the pages from .. end-1: how many have no memory? */
uint64_t search_absent(const struct upa_llfree *a, uint64_t from, uint64_t end);

/* Has a child in which there are pages of from .. end-1 the mark CHILD_TAINTED? */
bool search_taint(const struct upa_llfree *a, uint64_t from, uint64_t end);

#endif
