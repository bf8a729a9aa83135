/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prime.c - loaded before a test program: asks for memory, writes to it and frees it. Under UPA there is then a region,
 * and it holds old pages, before main() begins. Without that a test that passes says nothing, since many ask for less
 * than it takes to make a region.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE (4ul << 20)
#define SMALL (64ul << 10)
#define SMALL_BLOCKS 32

static void use_mapping(size_t bytes)
{
	char *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		return;
	memset(block, 0xa5, bytes);
	munmap(block, bytes);
}

static void use_malloc(size_t bytes)
{
	char *volatile block = malloc(bytes);

	if (block)
		memset(block, 0x5a, bytes);
	free(block);
}

__attribute__((constructor)) static void prime(void)
{
	use_mapping(LARGE);
	for (int i = 0; i < SMALL_BLOCKS; i++)
		use_mapping(SMALL);
	use_malloc(LARGE);
	use_malloc(SMALL);
}
