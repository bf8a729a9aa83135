/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observe.h - one look at each request of the program, for the trace and for the statistics. A branch on one word if
 * neither is wanted.
 */
#ifndef UPA_OBSERVE_H
#define UPA_OBSERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "observe/statistics.h"
#include "observe/trace_writer.h"

/* Set once, at the start. */
extern bool observing;

/* For a process with one thread. */
void observe_start(void);

/* In a forked child. */
void observe_after_fork(void);

/* Is this the process that is observed, and not its child by vfork(), which uses its memory? */
bool observed_here(void);

/* The process ends: prints, and closes the trace. */
void observe_end(void);

struct observation {
	struct upa_trace_record *record;
	uint64_t begun;
};

/*
 * Before the call; a request that frees pages takes its place in the trace now, `placed`, one that gets some
 * afterwards.
 */
static inline struct observation observe(bool placed)
{
	struct observation o = { NULL, 0 };

	if (__builtin_expect(observing, 0)) {
		o.record = placed ? trace_claim() : NULL;
		o.begun = statistics_clock();
	}
	return o;
}

/* After it: kind, flags and detail as in upa/trace.h. */
static inline void observed(struct observation o, bool placed, unsigned kind, unsigned flags, unsigned detail,
			    uintptr_t address, size_t bytes)
{
	if (__builtin_expect(observing, 0)) {
		statistics_count(kind, flags, bytes, o.begun);
		trace_fill(placed ? o.record : trace_claim(), kind, flags, detail, address, bytes);
	}
}

#endif
