/* SPDX-License-Identifier: Apache-2.0 */
/*
 * once.h - something made once, by whoever comes first. Nobody waits, for the second to come may be a signal handler of
 * the first: until it is made, others do without. Zero bytes are a valid start.
 */
#ifndef UPA_OS_ONCE_H
#define UPA_OS_ONCE_H

#include <stdbool.h>

#include "os/atomic.h"

enum once_phase { ONCE_UNMADE, ONCE_IN_THE_MAKING, ONCE_MADE, ONCE_IMPOSSIBLE };

struct once {
	_Atomic int phase; /* enum once_phase */
};

/* True for the one caller that shall make it, and then call once_end(). */
static inline bool once_begin(struct once *o)
{
	int expected = ONCE_UNMADE;

	return load_relaxed(&o->phase) == ONCE_UNMADE && cas_strong_acq_rel(&o->phase, &expected, ONCE_IN_THE_MAKING);
}

/* Says whether it was made. What was written before is visible to whoever sees ONCE_MADE or ONCE_IMPOSSIBLE. */
static inline void once_end(struct once *o, bool made)
{
	store_release(&o->phase, made ? ONCE_MADE : ONCE_IMPOSSIBLE);
}

static inline enum once_phase once_phase(const struct once *o)
{
	return (enum once_phase)load_acquire(&o->phase);
}

static inline bool once_made(const struct once *o)
{
	return once_phase(o) == ONCE_MADE;
}

#endif
