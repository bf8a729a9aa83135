/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots.h - the slot of the calling thread in every region, and its counters there.
 *
 * Threads take slots in turn and keep them: a thread then finds the pages again that it has freed, which a slot per
 * processor would lose with every migration.
 */
#ifndef UPA_REGION_SLOTS_H
#define UPA_REGION_SLOTS_H

#include <stdatomic.h>
#include <stdint.h>

#include "region/layout.h"
#include "region/types.h"

/* The slot + 1, or 0 before the thread's first call. */
extern _Thread_local uint32_t upa_thread_slot __attribute__((tls_model("initial-exec")));

uint32_t upa_take_thread_slot(void);

static inline uint32_t this_slot(void)
{
	return (__builtin_expect(!upa_thread_slot, 0) ? upa_take_thread_slot() : upa_thread_slot) - 1;
}

/* How many slots a new region gets. */
uint32_t upa_default_slots(void);

/* Adds to a counter of the calling thread's. */
#define ADD(r, counter, n)                                                                                             \
	atomic_fetch_add_explicit(&(r)->counters[this_slot() % (r)->slots].counter, (n), memory_order_relaxed)

/* ---- runs that no caller asked for ------------------------------------------------------------ */

/* Takes exactly these pages to work on them: 0, -EBUSY. */
static inline int take_free(struct upa_region *r, uint64_t first, uint64_t pages)
{
	int holds = upa_llfree_get_at(&r->llfree, this_slot(), first, pages);

	if (holds < 0)
		return holds;
	ADD(r, internal_gets, 1);
	UPA_ASSERT(held(r, first, pages));
	return 0;
}

/* Frees pages that were taken so, or for a request that failed. */
static inline void put_back(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags)
{
	int error = upa_llfree_put_run(&r->llfree, this_slot(), first, pages, flags);

	UPA_ASSERT(!error);
	(void)error;
	ADD(r, internal_puts, 1);
}

/* Of a request whose pages have been put back, since there is no memory for them. */
static inline void count_shortage(struct upa_region *r)
{
	ADD(r, internal_gets, 1);
	ADD(r, shortages, 1);
}

#endif
