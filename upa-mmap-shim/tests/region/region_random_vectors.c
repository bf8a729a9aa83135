/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_random_vectors.c - prints random vectors of the region (see vectors/region/README.md), with the answers of a
 * model that knows what each page of each block must hold.
 *
 *   region_random_vectors SEED
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"

#define MODEL_BLOCKS 12
#define MODEL_PAGES 1200u      /* of a block */
#define MODEL_LIVE_PAGES 4096u /* of all, a quarter of the region */
#define ZERO 0u
#define UNKNOWN 1u /* seeds are larger */

struct model {
	uint64_t seed;
	uint64_t live, maps;
	uint32_t next_seed;
	struct {
		uint32_t pages;
		uint32_t holds[MODEL_PAGES];
	} block[MODEL_BLOCKS];
};

static uint32_t below(struct model *m, uint32_t n)
{
	return (uint32_t)random_below(&m->seed, n);
}

/* Mostly what programs ask for; at times more than a child. */
static uint32_t random_pages(struct model *m)
{
	switch (below(m, 5)) {
	case 0: return below(m, MODEL_PAGES) + 1;
	case 1: return 512 + below(m, 3) - 1;
	case 2: return below(m, 100) + 1;
	default: return below(m, 20) + 1;
	}
}

static void set_holds(struct model *m, int b, uint32_t from, uint32_t end, uint32_t what)
{
	for (uint32_t i = from; i < end; i++)
		m->block[b].holds[i] = what;
}

static void print_fill(struct model *m, int b)
{
	uint32_t pages = m->block[b].pages;
	uint32_t from = below(m, pages), n = below(m, pages - from) + 1;

	m->next_seed += 2;
	set_holds(m, b, from, from + n, m->next_seed);
	printf("fill b%d %uK %uK %#x\n", b, from * 4, n * 4, m->next_seed);
}

/* All that is known of a block. */
static void print_checks(const struct model *m, int b)
{
	const uint32_t *holds = m->block[b].holds;

	for (uint32_t i = 0, end; i < m->block[b].pages; i = end) {
		for (end = i + 1; end < m->block[b].pages && holds[end] == holds[i];)
			end++;
		if (holds[i] == ZERO)
			printf("zero b%d %uK %uK\n", b, i * 4, (end - i) * 4);
		else if (holds[i] != UNKNOWN)
			printf("check b%d %uK %uK %#x\n", b, i * 4, (end - i) * 4, holds[i]);
	}
}

static void print_map(struct model *m, int b)
{
	static const char *const flags[] = { "", " zeros", " faulted", " zeros faulted" };
	uint32_t pages = random_pages(m), f = below(m, 4);

	if (m->live + pages > MODEL_LIVE_PAGES)
		return;
	printf("map b%d %u%s\n", b, pages * 4096 - below(m, 2) * below(m, 4096), flags[f]);
	m->block[b].pages = pages;
	set_holds(m, b, 0, pages, f & 1 ? ZERO : UNKNOWN);
	m->live += pages;
	m->maps++;
	if (below(m, 4))
		print_fill(m, b);
}

static void print_resize(struct model *m, int b)
{
	uint32_t old = m->block[b].pages, pages = random_pages(m);
	bool zeros = below(m, 2);

	if (m->live - old + pages > MODEL_LIVE_PAGES)
		return;
	printf("resize b%d %uK%s\n", b, pages * 4, zeros ? " zeros" : "");
	if (pages > old)
		set_holds(m, b, old, pages, zeros ? ZERO : UNKNOWN);
	m->maps += pages > old;
	m->live += pages - old;
	m->block[b].pages = pages;
	print_checks(m, b);
}

static void print_unmap(struct model *m, int b)
{
	uint32_t pages = m->block[b].pages;

	print_checks(m, b);
	if (pages > 2 && below(m, 2)) {
		/* A hole, taken again at once, or refused. */
		uint32_t from = below(m, pages - 1) + 1, n = below(m, pages - from) + 1;

		printf("map_at hole b%d+%uK %uK = EBUSY\n", b, from * 4, n * 4);
		printf("unmap b%d %uK %uK\n", b, from * 4, n * 4);
		printf("unmap_at b%d+%uK %uK = EINVAL\n", b, (from - 1) * 4, (n + 1) * 4);
		printf("map_at hole b%d+%uK %uK zeros\nzero hole 0 %uK\nunmap hole\n", b, from * 4, n * 4, n * 4);
		m->maps++;
		printf("unmap b%d 0 %uK\n", b, from * 4);
		if (from + n < pages)
			printf("unmap b%d %uK %uK\n", b, (from + n) * 4, (pages - from - n) * 4);
	} else {
		printf("unmap b%d\nunmap_at b%d+0 4K = EINVAL\n", b, b);
	}
	m->live -= pages;
	m->block[b].pages = 0;
}

static void print_random(uint64_t seed)
{
	static const char *const deferred[] = { "", " deferred 0", " deferred 1M", " deferred 6M" };
	struct model *m = calloc(1, sizeof(*m));
	/* Every page may have a frame, or fewer: then nothing can be populated ahead for sure. */
	bool few = seed % 2;

	CHECK(m, "memory");
	m->seed = seed;
	m->next_seed = 0x10001;
	printf("# region_random_vectors %" PRIu64 "\n", seed);
	printf("region 64M%s%s\n", few ? " pool 20M" : "", deferred[seed / 2 % 4]);
	for (int step = 0; step < 250; step++) {
		int b = (int)below(m, MODEL_BLOCKS);

		switch (below(m, 12)) {
		case 0: printf("give_back %uM = >= 0\n", below(m, 32)); break;
		case 1: printf("clear %uM = >= 0\n", below(m, 16)); break;
		case 2: printf("%spopulate %uM = >= 0\n", few ? "linear: " : "", below(m, 16)); break;
		case 3:
			printf("stat allocated_bytes = %uK\nstat maps = %u\n", (unsigned)m->live * 4,
			       (unsigned)m->maps);
			break;
		case 4: printf("validate\n"); break;
		case 5:
		case 6:
			if (m->block[b].pages)
				print_resize(m, b);
			break;
		default: (m->block[b].pages ? print_unmap : print_map)(m, b);
		}
	}
	for (int b = 0; b < MODEL_BLOCKS; b++)
		print_checks(m, b);
	printf("stat allocated_bytes = %uK\nstat maps = %u\nstat failures = 0\n", (unsigned)m->live * 4,
	       (unsigned)m->maps);
	free(m);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: region_random_vectors SEED\n");
		return 2;
	}
	print_random(strtoull(argv[1], NULL, 0));
	return 0;
}
