/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload_touch.c - blocks of one size at a time.
 *
 *   warm  `live` blocks exist; an operation releases the oldest, allocates another and (workload
 *         `touch`) writes to each of its pages. Recycled memory, in a steady state.
 *   cold  all free memory has been returned to the kernel; an operation allocates a block, writes to
 *         each page and releases it. Several blocks are held at once up to COLD_BYTES, the first
 *         of them right after the return.
 *
 * Fast operations are timed in batches, so that one sample lasts at least MIN_SAMPLE_NS.
 */
#include "workload.h"

#include <stdio.h>
#include <string.h>

#define MIN_SAMPLE_NS 4000u
#define MAX_BATCH 4096u
#define MAX_LIVE 512u
#define COLD_BYTES (256u << 10)
#define COLD_BLOCKS 64u

static void verify(const struct worker *w, void *block, uint64_t size)
{
	const struct allocator *a = w->options->contestant;

	if (a->flags & ALLOCATOR_NO_MEMORY)
		return;
	if (a->flags & ALLOCATOR_ZEROED && !all_bytes(block, 0, size))
		contestant_failed(w->options, "handed out a block that does not read zero", size);
	memset(block, 0xa5, size);
}

static int allocate_one(struct worker *w, struct recorder *r, void **slot, uint64_t size, int touching)
{
	void *block = w->options->contestant->allocate(size);

	*slot = block;
	if (!block) {
		r->failures++;
		return -1;
	}
	if (w->options->check)
		verify(w, block, size);
	else if (touching)
		touch(block, size);
	return 0;
}

static void measure_warm(struct worker *w, struct recorder *r, uint64_t size, int touching)
{
	const struct options *o = w->options;
	const struct allocator *a = o->contestant;
	const int memory = !(a->flags & ALLOCATOR_NO_MEMORY);
	void *ring[MAX_LIVE];
	uint64_t filled = 0, oldest = 0, start, faults, warm_up, deadline, operations = 0, batch;

	for (; filled < o->live; filled++)
		if (allocate_one(w, r, &ring[filled], size, memory))
			goto out;
	/* Untimed: as many as tell how long a sample must be. More than 64 MiB of faults need no warming. */
	warm_up = clock_ticks();
	batch = 1;
	if (a->chill || !touching || size <= 64u << 20) {
		uint64_t ns;

		do {
			a->release(ring[oldest], size);
			if (allocate_one(w, r, &ring[oldest], size, touching))
				goto emptied;
			oldest = (oldest + 1) % o->live;
			operations++;
			ns = clock_interval_ps(warm_up, clock_ticks()) / 1000;
		} while (ns < o->budget_ns / 16 && operations < 1024);
		while (batch < MAX_BATCH && (batch * ns < operations * MIN_SAMPLE_NS ||
					     batch * ns * MAX_SAMPLES < operations * o->budget_ns))
			batch *= 2;
	}
	r->batch = batch;
	faults = thread_faults();
	deadline = clock_ticks() + (uint64_t)((double)o->budget_ns * 1000 / clock_ps_per_tick);
	for (uint64_t samples = 0; samples < o->min_samples || clock_ticks() < deadline; samples++) {
		start = clock_ticks();
		for (uint64_t i = 0; i < batch; i++) {
			a->release(ring[oldest], size);
			if (allocate_one(w, r, &ring[oldest], size, touching))
				goto emptied;
			if (++oldest == o->live)
				oldest = 0;
		}
		record(r, clock_interval_ps(start, clock_ticks()), batch);
	}
	r->faults = thread_faults() - faults;
	for (uint64_t i = 0; i < filled; i++)
		a->release(ring[i], size);
	return;
emptied:
	ring[oldest] = ring[--filled];
out:
	for (uint64_t i = 0; i < filled; i++)
		a->release(ring[i], size);
}

static void measure_cold(struct worker *w, struct recorder *r, uint64_t size)
{
	const struct options *o = w->options;
	const struct allocator *a = o->contestant;
	void *blocks[COLD_BLOCKS];
	uint64_t count = COLD_BYTES / size, deadline;

	if (count > COLD_BLOCKS)
		count = COLD_BLOCKS;
	if (!count)
		count = 1;
	r->batch = count;
	deadline = clock_ticks() + (uint64_t)((double)o->budget_ns * 1000 / clock_ps_per_tick);
	for (uint64_t samples = 0; samples < o->min_samples || clock_ticks() < deadline; samples++) {
		uint64_t start, interval, faults, got = 0;

		if (a->chill)
			a->chill();
		faults = thread_faults();
		start = clock_ticks();
		while (got < count && !allocate_one(w, r, &blocks[got], size, 1))
			got++;
		for (uint64_t i = 0; i < got; i++)
			a->release(blocks[i], size);
		interval = clock_interval_ps(start, clock_ticks());
		r->faults += thread_faults() - faults;
		if (got < count)
			return;
		record(r, interval, count);
	}
}

static unsigned plan_phase(const struct options *o, const char *phase, struct point *points, unsigned count)
{
	if (strcmp(o->phase, phase) && strcmp(o->phase, "both"))
		return count;
	for (unsigned i = 0; i < o->size_count; i++)
		points[count++] = (struct point){ phase, o->sizes[i] };
	return count;
}

static unsigned plan_alloc(const struct options *o, struct point *points)
{
	unsigned count = plan_phase(o, "warm", points, 0);

	if (!count)
		fprintf(stderr,
			"upa-driver: workload alloc has no cold phase: a block that is not touched has no memory\n");
	return count;
}

static unsigned plan_touch(const struct options *o, struct point *points)
{
	unsigned count = 0;

	if (o->contestant->flags & ALLOCATOR_NO_MEMORY) {
		fprintf(stderr, "upa-driver: contestant %s has no memory to touch: use workload alloc\n",
			o->contestant->name);
		return 0;
	}
	/*
	 * Cold needs a way back to the first acquisition, and one thread: its return of memory would chill the others.
	 */
	if ((o->contestant->chill || o->contestant->flags & ALLOCATOR_PAGES) && o->threads == 1)
		count = plan_phase(o, "cold", points, count);
	count = plan_phase(o, "warm", points, count);
	if (!count)
		fprintf(stderr, "upa-driver: contestant %s with %u threads has no cold phase\n", o->contestant->name,
			o->threads);
	return count;
}

static void run(struct worker *w, int touching, unsigned (*plan)(const struct options *, struct point *))
{
	struct point points[MAX_POINTS];
	unsigned count = plan(w->options, points);

	for (unsigned i = 0; i < count; i++) {
		if (w->options->contestant->flags & ALLOCATOR_HUGE && w->options->huge_warm && !w->thread)
			warm_huge_pages(points[i].size < w->options->huge_warm ? points[i].size :
										 w->options->huge_warm);
		workload_barrier();
		if (!strcmp(points[i].phase, "cold"))
			measure_cold(w, &w->recorders[i], points[i].size);
		else
			measure_warm(w, &w->recorders[i], points[i].size, touching);
	}
}

static void run_touch(struct worker *w)
{
	run(w, 1, plan_touch);
}

static void run_alloc(struct worker *w)
{
	run(w, 0, plan_alloc);
}

const struct workload touch_workload = { "touch", "allocate, write to every page, release", plan_touch, run_touch,
					 NULL };
const struct workload alloc_workload = { "alloc", "allocate and release alone (the pages were written to before)",
					 plan_alloc, run_alloc, NULL };
