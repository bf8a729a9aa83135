/* SPDX-License-Identifier: Apache-2.0 */
/*
 * malloc_aligned.c - libupa_malloc.so: aligned blocks of any size are resized like others, contents and neighbours
 * intact.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"

static void check_bytes(const unsigned char *p, size_t bytes, unsigned char value)
{
	for (size_t i = 0; i < bytes; i++)
		CHECK(p[i] == value, "offset=%zu of %zu holds %d", i, bytes, p[i]);
}

int main(void)
{
	uint64_t seed = 1;

	for (int i = 0; i < 1000; i++) {
		size_t alignment = (size_t)16 << random_below(&seed, 12);
		/* From 2 MiB on a block is mapped by itself. */
		size_t bytes = 1 + random_below(&seed, i % 8 == 1 ? 6 << 20 : i % 2 ? 600 * 1024 : 3000);
		size_t wanted = 1 + random_below(&seed, i % 8 == 1 ? 8 << 20 : i % 3 ? 900 * 1024 : 3000);
		unsigned char *neighbour = malloc(wanted);
		void *block;

		CHECK(!posix_memalign(&block, alignment, bytes) && (uintptr_t)block % alignment == 0 && neighbour,
		      "bytes=%zu", bytes);
		memset(block, 1, bytes);
		memset(neighbour, 2, wanted);
		block = realloc(block, wanted);
		CHECK(block, "bytes=%zu wanted=%zu", bytes, wanted);
		check_bytes(block, bytes < wanted ? bytes : wanted, 1);
		memset(block, 3, wanted);
		check_bytes(neighbour, wanted, 2);
		free(neighbour);
		check_bytes(block, wanted, 3);
		free(block);
	}
	return 0;
}
