/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments.c - what libupa_malloc.so's heaps hold on to when all blocks have been freed, whatever their sizes and the
 * order: of each heap its beginning, and its top.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define MIB (1ul << 20)
#define USED (32 * MIB)
#define LEAST 1000ul
#define MOST (2 * MIB)

/* Of one heap; blocks of more than 2 MiB lie in none. */
#define LEFT (4 * MIB)

enum order { FIRST_FIRST, LAST_FIRST, RANDOM, EVERY_SECOND, ORDERS };

static const char *const names[ORDERS] = { "first first", "last first", "random", "every second" };

/* Two of 262 080 bytes leave 16 of 512 KiB, where dlmalloc has no room for the record of a segment. */
static const size_t sizes[] = { LEAST, 4096, 5000, 15000, 20000, 30000, 100000, 262080, 300000, 700000, 1000000, MOST };

static void *blocks[USED / LEAST + 1];

static uint64_t seed = 1;

static void release(size_t i)
{
	free(blocks[i]);
	blocks[i] = NULL;
}

static void release_all(size_t n, enum order order)
{
	for (size_t i = n; order == RANDOM && i > 1; i--) {
		size_t other = random_below(&seed, i);
		void *block = blocks[other];

		blocks[other] = blocks[i - 1];
		blocks[i - 1] = block;
	}
	for (size_t i = 0; order == EVERY_SECOND && i < n; i += 2)
		release(i);
	for (size_t i = 0; i < n; i++)
		release(order == LAST_FIRST ? n - 1 - i : i);
}

/* All of one size, or, if that is 0, of any. */
static void use(size_t size, enum order order)
{
	size_t n = 0;

	for (size_t used = 0; used < USED; n++) {
		size_t bytes = size ? size : LEAST << random_below(&seed, 11);

		blocks[n] = malloc(bytes);
		CHECK(blocks[n], "bytes=%zu", bytes);
		memset(blocks[n], 1, 16);
		used += bytes;
	}
	release_all(n, order);
}

static int failures;

/* `heaps` have been in use. */
static void look(size_t size, enum order order, size_t heaps)
{
	size_t left = mallinfo2().arena;

	if (left <= heaps * LEFT)
		return;
	fprintf(stderr, "blocks of %zu bytes, freed %s: %zu KiB are left in heaps=%zu\n", size, names[order],
		left >> 10, heaps);
	failures++;
}

static void use_all(size_t heaps)
{
	for (unsigned order = 0; order < ORDERS; order++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			use(sizes[i], order);
			use(sizes[i], order);
			look(sizes[i], order, heaps);
		}
		use(0, order);
		look(0, order, heaps);
	}
}

/* The first heap was made before the program began. */
static void *in_a_thread(void *nothing)
{
	use_all(2);
	return nothing;
}

/* The figure that is looked at says what is in use. */
static void check_fill(void)
{
	static void *kept[USED / 100000];
	size_t n = sizeof(kept) / sizeof(*kept);

	for (size_t i = 0; i < n; i++)
		kept[i] = malloc(100000);
	CHECK(mallinfo2().arena >= USED, "arena=%zu", mallinfo2().arena);
	for (size_t i = 0; i < n; i++)
		free(kept[i]);
	look(100000, FIRST_FIRST, 1);
}

int main(void)
{
	pthread_t thread;

	check_fill();
	use_all(1);
	CHECK(!pthread_create(&thread, NULL, in_a_thread, NULL), "no thread");
	pthread_join(thread, NULL);
	return failures > 0;
}
