/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload_resize.c - doubling a block. Each size is the size after the doubling. Modes:
 *
 *   natural   one block grows from half of the first size to the last, as realloc finds the room
 *   in-place  the addresses behind the block are free
 *   relocate  the page behind the block is taken, so the block has to move
 *   copy      allocate, memcpy, release: what a program without realloc does
 *
 * Phase `resize` is the call alone, `resize-touch` the call and a write to each page of the new half.
 */
#include "workload.h"

#include <stdio.h>
#include <string.h>

static const char *const modes[] = { "natural", "in-place", "relocate", "copy" };

static unsigned plan(const struct options *o, struct point *points)
{
	unsigned mode = 0, count = 0;

	while (mode < 4 && strcmp(o->mode, modes[mode]))
		mode++;
	if (mode == 4) {
		fprintf(stderr, "upa-driver: no mode '%s': choose natural, in-place, relocate or copy\n", o->mode);
		return 0;
	}
	if (mode != 3 && !o->contestant->resize) {
		fprintf(stderr, "upa-driver: contestant %s cannot resize\n", o->contestant->name);
		return 0;
	}
	if ((mode == 1 || mode == 2) && !(o->contestant->flags & ALLOCATOR_PAGES)) {
		fprintf(stderr, "upa-driver: mode %s needs a contestant of whole pages, not %s\n", o->mode,
			o->contestant->name);
		return 0;
	}
	for (unsigned i = 0; i < o->size_count; i++) {
		if (o->sizes[i] < 2 * PAGE_BYTES || o->sizes[i] % (2 * PAGE_BYTES)) {
			fprintf(stderr, "upa-driver: size=%llu: workload resize needs multiples of 8192\n",
				(unsigned long long)o->sizes[i]);
			return 0;
		}
		if (mode == 0 && i && o->sizes[i] != 2 * o->sizes[i - 1]) {
			fprintf(stderr,
				"upa-driver: size=%llu: mode natural needs each size to double the one before\n",
				(unsigned long long)o->sizes[i]);
			return 0;
		}
		points[count++] = (struct point){ "resize", o->sizes[i] };
		points[count++] = (struct point){ "resize-touch", o->sizes[i] };
	}
	return count;
}

static void mark(void *block, uint64_t bytes)
{
	((char *)block)[0] = 'a';
	((char *)block)[bytes - 1] = 'z';
}

/* Repetitions before any is recorded, so that what is measured has memory to recycle, if the contestant recycles. */
#define WARM_UP 3

/*
 * Doubles block to `size`, records if asked, and returns where it is now; NULL on shortage, with the block as it was.
 */
static void *double_it(struct worker *w, unsigned i, void *block, uint64_t size, int copy, int recorded)
{
	const struct allocator *a = w->options->contestant;
	struct recorder *alone = &w->recorders[2 * i], *touched = &w->recorders[2 * i + 1];
	uint64_t half = size / 2, start, middle, stop, faults = thread_faults();
	char *moved;

	mark(block, half);
	start = clock_ticks();
	if (copy) {
		moved = a->allocate(size);
		if (moved) {
			memcpy(moved, block, half);
			a->release(block, half);
		}
	} else {
		moved = a->resize(block, half, size);
	}
	middle = clock_ticks();
	if (!moved) {
		alone->failures++;
		touched->failures++;
		return NULL;
	}
	touch(moved + half, half);
	stop = clock_ticks();
	if (moved[0] != 'a' || moved[half - 1] != 'z')
		contestant_failed(w->options, "lost the contents of a block in resizing", size);
	if (!recorded)
		return moved;
	alone->batch = touched->batch = 1;
	record(alone, clock_interval_ps(start, middle), 1);
	record(touched, clock_interval_ps(start, stop), 1);
	touched->faults += thread_faults() - faults;
	alone->moved += moved != block;
	touched->moved += moved != block;
	return moved;
}

/* A block of size/2 with either free addresses or a taken page (returned in *blocker) behind it. */
static char *prepare(const struct allocator *a, uint64_t size, int blocked, char **blocker)
{
	uint64_t half = size / 2;
	char *block = a->allocate(size + PAGE_BYTES);

	*blocker = NULL;
	if (!block)
		return NULL;
	touch(block, size + PAGE_BYTES);
	if (blocked) {
		*blocker = block + half;
		a->release(block + half + PAGE_BYTES, half);
	} else {
		a->release(block + half, half + PAGE_BYTES);
	}
	return block;
}

static void run(struct worker *w)
{
	const struct options *o = w->options;
	const struct allocator *a = o->contestant;
	const int natural = !strcmp(o->mode, "natural"), copy = !strcmp(o->mode, "copy"),
		  blocked = !strcmp(o->mode, "relocate");

	workload_barrier();
	for (unsigned i = 0; i < o->size_count; i++) {
		uint64_t deadline = clock_ticks() + (uint64_t)((double)o->budget_ns * 1000 / clock_ps_per_tick);

		if (natural)
			deadline = clock_ticks() + (deadline - clock_ticks()) * o->size_count;
		for (uint64_t n = 0; n < WARM_UP + o->min_samples || clock_ticks() < deadline; n++) {
			int recorded = n >= WARM_UP;
			uint64_t size = o->sizes[i];
			char *blocker = NULL, *block, *moved;

			if (natural || copy) {
				block = a->allocate(size / 2);
				if (block)
					touch(block, size / 2);
			} else {
				block = prepare(a, size, blocked, &blocker);
			}
			if (!block) {
				w->recorders[2 * i].failures++;
				break;
			}
			if (natural) {
				unsigned last = 0;

				for (unsigned j = 0; j < o->size_count; j++, last = j) {
					moved = double_it(w, j, block, o->sizes[j], 0, recorded);
					if (!moved)
						break;
					block = moved;
				}
				a->release(block, last ? o->sizes[last - 1] : o->sizes[0] / 2);
				continue;
			}
			moved = double_it(w, i, block, size, copy, recorded);
			a->release(moved ? moved : block, moved ? size : size / 2);
			if (blocker)
				a->release(blocker, PAGE_BYTES);
			if (!moved)
				break;
		}
		if (natural)
			break;
	}
}

const struct workload resize_workload = { "resize", "double a block: natural, in-place, relocate or copy", plan, run,
					  NULL };
