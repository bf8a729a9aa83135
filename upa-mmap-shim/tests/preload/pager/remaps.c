/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random mremap(MREMAP_FIXED) from and to places of one block, and what is there after each: whoever runs it paged and
 * without UPA compares the two. Usage: remaps SEED BLOCKS     prints a line for each. Paged, it exits with 1 if
 * hardly a page that moved was outside of memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "units.h"

#define PAGES 2048u
#define MOST 300u
#define WORDS (PAGE / sizeof(uint64_t))

static char *block;
static bool mapped[PAGES];
static uint64_t state;
static size_t away;

static uint32_t draw(uint32_t below)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 33) % below;
}

static void write_page(uint32_t p, uint64_t value)
{
	uint64_t *words = (uint64_t *)(void *)(block + p * PAGE);

	for (size_t i = 0; i < WORDS; i++)
		words[i] = value * (i + 1);
}

static uint64_t all(void)
{
	uint64_t sum = 14695981039346656037ull;

	for (uint32_t p = 0; p < PAGES; p++) {
		const uint64_t *words = (const uint64_t *)(const void *)(block + p * PAGE);

		for (size_t i = 0; mapped[p] && i < WORDS; i++)
			sum = (sum ^ words[i] ^ p) * 1099511628211ull;
	}
	return sum;
}

static void count_away(uint32_t first, uint32_t count)
{
	unsigned char resident;

	for (uint32_t p = first; p < first + count; p++)
		away += mapped[p] && !mincore(block + p * PAGE, PAGE, &resident) && !(resident & 1);
}

/* Of several mappings the kernel changes no size: only the first of a block does. */
static void operate(bool first)
{
	uint32_t from = draw(PAGES - MOST), to = draw(PAGES - MOST);
	uint32_t old = 1 + draw(MOST), now = first && draw(2) ? draw(MOST + 1) : old;
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (draw(4) ? 0 : MREMAP_DONTUNMAP);
	char *moved;

	/* Where nothing is to be moved, what there was at the target may stay. */
	for (uint32_t p = from; p < from + old; p++)
		if (!mapped[p])
			return;
	count_away(from, old);
	moved = mremap(block + from * PAGE, old * PAGE, now * PAGE, flags, block + to * PAGE);
	printf("%u+%u to %u+%u flags %d: %s", from, old, to, now, flags,
	       moved == MAP_FAILED        ? strerror(errno) :
	       moved == block + to * PAGE ? "moved" :
					    "elsewhere");
	if (moved != MAP_FAILED) {
		for (uint32_t i = 0; i < old && !(flags & MREMAP_DONTUNMAP); i++)
			mapped[from + i] = false;
		for (uint32_t i = 0; i < now; i++)
			mapped[to + i] = true;
	}
	printf(" %016llx\n", (unsigned long long)all());
}

/* A block, of which half the pages are written to; and by the last reading, paged, a part is outside of memory. */
static void make(void)
{
	block = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED)
		exit(2);
	for (uint32_t p = 0; p < PAGES; p++) {
		mapped[p] = true;
		if (draw(4))
			write_page(p, state);
	}
	all();
}

int main(int argc, char **argv)
{
	unsigned count = argc > 2 ? (unsigned)atoi(argv[2]) : 20;

	state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	for (unsigned i = 0; i < count; i++) {
		make();
		for (unsigned k = 0; k < 4; k++)
			operate(!k);
		for (uint32_t p = 0; p < PAGES; p += 3)
			if (mapped[p])
				write_page(p, state + p);
		printf("%016llx\n", (unsigned long long)all());
		munmap(block, PAGES * PAGE);
	}
	if (getenv("UPA_PAGER") && away < 10 * count) {
		fprintf(stderr, "of pages that move only away=%zu\n", away);
		return 1;
	}
	return 0;
}
