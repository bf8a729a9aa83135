/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload_ring.c - Douglas's Monte-Carlo: a ring of live blocks. Each step releases the block of
 * `live` steps ago, allocates one of the size the sampler says, and writes to each of its pages. Where
 * max_live bytes would be exceeded, more of the oldest are released first.
 *
 * A sample is what one block cost from allocation to release, recorded under its size rounded down to a power of two,
 * and under size 0 for all together. Phase `cold` are the blocks until the ring is full for the first time, and `warm`
 * the `steps` blocks after its next turn, in which an allocator finds its steady state. The sequence depends on the
 * seed alone, so contestants can be compared step by step.
 */
#include "workload.h"

#include <stdio.h>
#include <string.h>

#define MAX_RING 4096u

enum phase { COLD, SETTLING, WARM };

struct entry {
	void *block;
	uint64_t size, cost_ps;
	enum phase phase;
};

struct ring {
	struct worker *worker;
	uint64_t oldest, count, live_bytes;
	struct entry entries[MAX_RING];
};

static unsigned log2_floor(uint64_t x)
{
	return 63u - (unsigned)__builtin_clzll(x);
}

/* Points: [cold, warm] x [all sizes, then one per power of two from smallest to largest]. */
static unsigned size_classes(const struct options *o)
{
	return 2 + log2_floor(o->largest) - log2_floor(o->smallest);
}

static struct recorder *recorder_of(const struct worker *w, enum phase phase, uint64_t size)
{
	const struct options *o = w->options;
	unsigned class = size ? 1 + log2_floor(size) - log2_floor(o->smallest) : 0;

	return &w->recorders[(phase == WARM ? size_classes(o) : 0) + class];
}

static unsigned plan(const struct options *o, struct point *points)
{
	static const char *const phases[] = { "cold", "warm" };
	unsigned count = 0;

	if (o->contestant->flags & ALLOCATOR_NO_MEMORY) {
		fprintf(stderr, "upa-driver: contestant %s has no memory to touch: use workload alloc\n",
			o->contestant->name);
		return 0;
	}
	for (unsigned p = 0; p < 2; p++)
		for (unsigned i = 0; i < size_classes(o); i++)
			points[count++] = (struct point){ phases[p], i ? o->smallest << (i - 1) : 0 };
	return count;
}

static unsigned char mark_of(const struct entry *e)
{
	return (unsigned char)((e->size >> 12 & 0x7f) + 1);
}

static void verify_and_mark(const struct worker *w, const struct entry *e)
{
	if (w->options->contestant->flags & ALLOCATOR_ZEROED && !all_bytes(e->block, 0, e->size))
		contestant_failed(w->options, "handed out a block that does not read zero", e->size);
	memset(e->block, mark_of(e), e->size);
}

static void verify_mark(const struct worker *w, const struct entry *e)
{
	if (!all_bytes(e->block, mark_of(e), e->size))
		contestant_failed(w->options, "changed a live block", e->size);
}

static void release_oldest(struct ring *ring)
{
	const struct worker *w = ring->worker;
	struct entry *e = &ring->entries[ring->oldest];
	uint64_t start, cost;

	if (w->options->check)
		verify_mark(w, e);
	start = clock_ticks();
	w->options->contestant->release(e->block, e->size);
	cost = e->cost_ps + clock_interval_ps(start, clock_ticks());
	if (e->phase != SETTLING) {
		record(recorder_of(w, e->phase, e->size), cost, 1);
		record(recorder_of(w, e->phase, 0), cost, 1);
	}
	ring->live_bytes -= e->size;
	ring->oldest = (ring->oldest + 1) % w->options->live;
	ring->count--;
}

static void run(struct worker *w)
{
	const struct options *o = w->options;
	static _Thread_local struct ring ring;
	struct sampler sampler;
	enum phase phase = COLD;
	uint64_t faults, full_at = 0, failures = 0;

	if (sampler_init(&sampler, o->sampler, o->seed + w->thread, o->smallest, o->largest))
		return;
	if (o->contestant->flags & ALLOCATOR_HUGE && o->huge_warm && !w->thread)
		warm_huge_pages(o->huge_warm);
	ring.worker = w;
	ring.oldest = 0;
	ring.count = 0;
	memset(ring.entries, 0, sizeof(ring.entries));
	for (unsigned i = 0; i < 2 * size_classes(o); i++)
		w->recorders[i].batch = 1;
	workload_barrier();
	faults = thread_faults();
	for (uint64_t step = 0, measured = 0; measured < o->steps && failures < o->steps; step++) {
		uint64_t size = sampler.next(&sampler), start;
		struct entry *e;

		while (ring.count == o->live || (ring.count && ring.live_bytes + size > o->max_live)) {
			if (phase == COLD) {
				phase = SETTLING;
				full_at = step;
				recorder_of(w, COLD, 0)->faults = thread_faults() - faults;
			}
			release_oldest(&ring);
		}
		if (phase == SETTLING && step >= 2 * full_at) {
			phase = WARM;
			faults = thread_faults();
		}
		e = &ring.entries[(ring.oldest + ring.count) % o->live];
		*e = (struct entry){ .size = size, .phase = phase };
		start = clock_ticks();
		e->block = o->contestant->allocate(size);
		if (!e->block) {
			recorder_of(w, phase, size)->failures++;
			recorder_of(w, phase, 0)->failures++;
			failures++;
			continue;
		}
		if (o->check)
			verify_and_mark(w, e);
		else
			touch(e->block, size);
		e->cost_ps = clock_interval_ps(start, clock_ticks());
		ring.count++;
		ring.live_bytes += size;
		measured += phase == WARM;
	}
	if (phase != SETTLING)
		recorder_of(w, phase, 0)->faults = thread_faults() - faults;
	while (ring.count)
		release_oldest(&ring);
}

const struct workload ring_workload = { "ring", "a ring of live blocks of sampled sizes", plan, run, NULL };
