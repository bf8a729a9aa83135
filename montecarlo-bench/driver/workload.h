/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload.h - what is done with a contestant, and where the samples go.
 *
 * A workload measures points: (phase, size) pairs, each with one recorder per thread. All recorders
 * are mapped and touched before the first measurement, outside of malloc, so that recording
 * disturbs neither the contestant nor the page tables it works on.
 */
#ifndef UPA_DRIVER_WORKLOAD_H
#define UPA_DRIVER_WORKLOAD_H

#include <stdint.h>
#include <string.h>

#include "contestant.h"
#include "ticks.h"
#include "sampler.h"

#define MAX_THREADS 64u
#define MAX_SIZES 64u
#define MAX_POINTS 160u
#define MAX_SAMPLES 4096u

struct options {
	const struct allocator *contestant;
	const char *label, *workload, *sampler, *mode, *phase;
	uint64_t sizes[MAX_SIZES];
	unsigned size_count;
	unsigned threads;
	int cpu; /* of the first thread; the others follow downwards */
	uint64_t seed, budget_ns, min_samples, steps, live, max_live;
	uint64_t smallest, largest; /* of the sampler */
	uint64_t huge_warm;         /* bytes of huge pages made host-warm before each point */
	int check;                  /* verify contents; the times then mean nothing */
};

struct recorder {
	uint32_t count;
	uint64_t batch; /* operations per sample */
	uint64_t operations, failures, faults, moved;
	uint64_t busy_ps;         /* sum of all measured time */
	uint64_t ps[MAX_SAMPLES]; /* per operation; once full, later ones only enter the sums */
};

struct point {
	const char *phase;
	uint64_t size; /* bytes; 0: all sizes together */
};

struct worker {
	const struct options *options;
	unsigned thread;
	struct recorder *recorders; /* one per point */
};

struct workload {
	const char *name;
	const char *summary;
	/* Fills in the points and returns their number, 0 after a message on stderr. */
	unsigned (*plan)(const struct options *, struct point *);
	void (*run)(struct worker *);
	/* Prints facts of its own; NULL if there are none. */
	void (*facts)(void);
};

/* What --sampler of workload replay begins with; the name of the file follows. */
#define TRACE_PREFIX "trace:"

extern const struct workload touch_workload, alloc_workload, ring_workload, resize_workload, replay_workload;

/* All threads of the run meet here. */
void workload_barrier(void);

/* Ends the process with a message: the contestant broke its contract. */
_Noreturn void contestant_failed(const struct options *, const char *what, uint64_t size);

/* Page faults of the calling thread so far. */
uint64_t thread_faults(void);

/* Touches `bytes` of huge pages and unmaps them, so that the hypervisor has real memory behind them. */
void warm_huge_pages(uint64_t bytes);

static inline void record(struct recorder *r, uint64_t interval_ps, uint64_t operations)
{
	r->busy_ps += interval_ps;
	r->operations += operations;
	if (r->count < MAX_SAMPLES)
		r->ps[r->count++] = interval_ps / operations;
}

/* Whether each of the bytes is `value`. */
static inline int all_bytes(const void *block, unsigned char value, uint64_t bytes)
{
	const unsigned char *p = block;

	return p[0] == value && !memcmp(p, p + 1, bytes - 1);
}

/* Writes one byte into every page, as Douglas's benchmark does. */
static inline void touch(void *block, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i += PAGE_BYTES)
		((volatile char *)block)[i] = 1;
}

#endif
