/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload_replay.c - the requests of a real program, from its trace (replay.h): in its order, with its sizes and
 * lifetimes.
 *
 * Each block is written to once in each page when it is allocated, and where a resize has added pages, since a trace
 * does not say what the program has touched. But a block that would make more than max_live bytes so touched is not:
 * programs reserve more than they use. Time passes only in the requests: what the program did between them is left out.
 *
 * A sample is what one block cost in all, from allocation to release or the end of the trace, recorded under its first
 * size rounded down to a power of two, and under size 0 for all together. A contestant that cannot resize allocates,
 * copies and releases.
 */
#include "workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "replay.h"

#define CLASSES 36u /* 4 KiB .. 128 TiB */

struct block {
	void *at; /* NULL: not there, or there was no memory for it */
	uint64_t bytes, first_bytes, cost_ps;
	int touched;
};

static struct replay replay;
static _Atomic uint64_t untouched;

static unsigned class_of(uint64_t bytes)
{
	unsigned log2 = 63u - (unsigned)__builtin_clzll(bytes);

	return 1 + (log2 - 12 < CLASSES - 1 ? log2 - 12 : CLASSES - 1);
}

static unsigned plan(const struct options *o, struct point *points)
{
	if (o->contestant->flags & ALLOCATOR_NO_MEMORY) {
		fprintf(stderr, "upa-driver: contestant %s has no memory to touch: use workload alloc\n",
			o->contestant->name);
		return 0;
	}
	if (replay_read(&replay, o->sampler + strlen(TRACE_PREFIX)))
		return 0;
	points[0] = (struct point){ "replay", 0 };
	for (unsigned i = 0; i < CLASSES; i++)
		points[1 + i] = (struct point){ "replay", (uint64_t)PAGE_BYTES << i };
	return 1 + CLASSES;
}

static unsigned char mark_of(uint32_t block)
{
	return (unsigned char)(block % 251 + 1);
}

/* Bytes from .. b->bytes-1 are new. */
static void use(const struct worker *w, struct block *b, uint32_t number, uint64_t from)
{
	char *at = b->at;

	if (!b->touched || from >= b->bytes)
		return;
	if (!w->options->check) {
		touch(at + from, b->bytes - from);
		return;
	}
	if (w->options->contestant->flags & ALLOCATOR_ZEROED && !all_bytes(at + from, 0, b->bytes - from))
		contestant_failed(w->options, "handed out memory that does not read zero", b->bytes);
	memset(at + from, mark_of(number), b->bytes - from);
}

static void verify(const struct worker *w, const struct block *b, uint32_t number, uint64_t bytes)
{
	if (w->options->check && b->touched && !all_bytes(b->at, mark_of(number), bytes))
		contestant_failed(w->options, "changed a live block", b->bytes);
}

static void *resize(const struct worker *w, struct block *b, uint64_t bytes)
{
	const struct allocator *a = w->options->contestant;
	void *to;

	if (a->resize)
		return a->resize(b->at, b->bytes, bytes);
	to = a->allocate(bytes);
	if (to) {
		if (b->touched)
			memcpy(to, b->at, b->bytes < bytes ? b->bytes : bytes);
		a->release(b->at, b->bytes);
	}
	return to;
}

static void finish(struct worker *w, struct block *b)
{
	record(&w->recorders[class_of(b->first_bytes)], b->cost_ps, 1);
	record(&w->recorders[0], b->cost_ps, 1);
	b->at = NULL;
}

static void run(struct worker *w)
{
	const struct allocator *a = w->options->contestant;
	size_t bytes = replay.blocks * sizeof(struct block);
	uint64_t faults, touched = 0;
	struct block *blocks =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (blocks == MAP_FAILED)
		contestant_failed(w->options, "left no memory for the list of blocks", bytes);
	for (unsigned i = 0; i <= CLASSES; i++)
		w->recorders[i].batch = 1;
	workload_barrier();
	faults = thread_faults();
	for (uint64_t i = 0; i < replay.count; i++) {
		const struct operation *op = &replay.operations[i];
		struct block *b = &blocks[op->block];
		uint64_t start, had;
		void *moved;

		if (op->kind == ALLOCATE) {
			b->bytes = b->first_bytes = op->bytes;
			b->touched = touched + op->bytes <= w->options->max_live;
			start = clock_ticks();
			b->at = a->allocate(op->bytes);
			if (b->at) {
				use(w, b, op->block, 0);
				b->cost_ps = clock_interval_ps(start, clock_ticks());
				touched += b->touched ? op->bytes : 0;
				untouched += !b->touched;
			} else {
				w->recorders[0].failures++;
				w->recorders[class_of(op->bytes)].failures++;
			}
			continue;
		}
		if (!b->at)
			continue;
		if (op->kind == RELEASE) {
			verify(w, b, op->block, b->bytes);
			touched -= b->touched ? b->bytes : 0;
			start = clock_ticks();
			a->release(b->at, b->bytes);
			b->cost_ps += clock_interval_ps(start, clock_ticks());
			finish(w, b);
			continue;
		}
		start = clock_ticks();
		moved = resize(w, b, op->bytes);
		had = b->bytes;
		if (!moved) {
			w->recorders[0].failures++;
			continue;
		}
		w->recorders[0].moved += moved != b->at;
		touched -= b->touched ? had : 0;
		b->at = moved;
		b->bytes = op->bytes;
		verify(w, b, op->block, had < op->bytes ? had : op->bytes);
		use(w, b, op->block, had);
		touched += b->touched ? op->bytes : 0;
		b->cost_ps += clock_interval_ps(start, clock_ticks());
	}
	w->recorders[0].faults = thread_faults() - faults;
	for (uint64_t i = 0; i < replay.blocks; i++)
		if (blocks[i].at) {
			void *at = blocks[i].at;

			verify(w, &blocks[i], (uint32_t)i, blocks[i].bytes);
			finish(w, &blocks[i]);
			a->release(at, blocks[i].bytes);
		}
	munmap(blocks, bytes);
}

static void facts(void)
{
	printf("fact trace_blocks %" PRIu64 "\nfact trace_resizes %" PRIu64 "\nfact trace_releases %" PRIu64 "\n",
	       replay.blocks, replay.resizes, replay.releases);
	printf("fact trace_peak_bytes %" PRIu64 "\nfact trace_heap_moves %" PRIu64
	       "\nfact trace_untouched_blocks %" PRIu64 "\n",
	       replay.peak_bytes, replay.heap_moves, (uint64_t)untouched);
	printf("fact trace_parts_left_out %" PRIu64 "\nfact trace_purges_left_out %" PRIu64
	       "\nfact trace_others_left_out %" PRIu64 "\n",
	       replay.parts, replay.purges, replay.others);
}

const struct workload replay_workload = { "replay", "a program's own requests, from its trace", plan, run, facts };
