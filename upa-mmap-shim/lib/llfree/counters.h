/* SPDX-License-Identifier: Apache-2.0 */
/* counters.h - the counters of one slot: exact while each thread has a slot of its own, else lower bounds. */
#ifndef UPA_LLFREE_COUNTERS_H
#define UPA_LLFREE_COUNTERS_H

#include <errno.h>

#include "llfree/words.h"

static inline void count(_Atomic uint64_t *counter, uint64_t n)
{
	store_relaxed(counter, load_relaxed(counter) + n);
}

/* Counts a get of n pages, or a shortage. Returns its result, for get functions to end with. */
static inline int64_t count_get(struct slot *s, int64_t result, uint64_t n)
{
	if (result >= 0) {
		count(&s->gets, 1);
		count(&s->got_pages, n);
	} else if (result == -ENOMEM) {
		count(&s->failures, 1);
	}
	return result;
}

static inline void count_put(struct slot *s, uint64_t freed, bool all)
{
	count(&s->puts, all);
	count(&s->put_pages, freed);
}

/*
 * All pages ever freed. Counted once they are free: if it is the same before and after a search, nothing became free
 * behind the search's back, but for puts still under way.
 */
static inline uint64_t freed_pages(const struct upa_llfree *a)
{
	uint64_t n = 0;

	fence_acquire();
	for (uint32_t i = 0; i < a->slots; i++)
		n += load_acquire(&slot_at(a, i)->put_pages);
	return n;
}

#endif
