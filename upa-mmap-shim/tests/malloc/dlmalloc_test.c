/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlmalloc_test.c - dlmalloc as built here: built once per library. That it keeps the contract of malloc
 * when its blocks are recycled, grown and used by two threads, and that its pages come from the library's own source.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <upa/dlmalloc.h>
#if ON_UPA
#include <upa/mman.h>
#endif

#include "units.h"

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

#if __SANITIZE_THREAD__
/* dlmalloc's spin lock first looks with a plain volatile read. */
const char *__tsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
	return "race:spin_acquire_lock\n";
}
#endif

static void check_filled(const unsigned char *block, size_t bytes, unsigned char value)
{
	for (size_t i = 0; i < bytes; i++)
		CHECK(block[i] == value);
}

static void test_pages_come_from_the_right_place(void)
{
	static const size_t sizes[] = { 16, 100 * KIB, 8 * MIB };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		void *block = dlmalloc(sizes[i]);

		CHECK(block);
#if ON_UPA
		uintptr_t base = (uintptr_t)upa_region_base(upa_mman_region());

		CHECK((uintptr_t)block - base < upa_region_bytes(upa_mman_region()));
#endif
		dlfree(block);
	}
}

/* calloc of memory that has been dirtied and freed: what goes wrong when MMAP_CLEARS is not what the pages are. */
static void test_calloc_clears_recycled_memory(void)
{
	for (size_t bytes = 64; bytes <= 16 * MIB; bytes *= 4) {
		unsigned char *stale = dlmalloc(bytes);

		CHECK(stale);
		memset(stale, 0xa5, bytes);
		dlfree(stale);
		unsigned char *clean = dlcalloc(1, bytes);

		CHECK(clean);
		check_filled(clean, bytes, 0);
		dlfree(clean);
	}
}

static void test_realloc_keeps_the_contents(void)
{
	size_t bytes = 64;
	unsigned char *block = dlmalloc(bytes);

	CHECK(block);
	memset(block, 1, bytes);
	for (unsigned char value = 2; bytes < 32 * MIB; value++) {
		block = dlrealloc(block, 2 * bytes);
		CHECK(block && dlmalloc_usable_size(block) >= 2 * bytes);
		check_filled(block, bytes, (unsigned char)(value - 1));
		bytes *= 2;
		memset(block, value, bytes);
	}
	unsigned char last = block[0];

	block = dlrealloc(block, 300 * KIB);
	CHECK(block);
	check_filled(block, 300 * KIB, last);
	dlfree(block);
}

static void test_memalign(void)
{
	for (size_t alignment = 16; alignment <= 4 * MIB; alignment *= 4) {
		unsigned char *block = dlmemalign(alignment, 10 * KIB);

		CHECK(block && (uintptr_t)block % alignment == 0);
		memset(block, 7, 10 * KIB);
		dlfree(block);
	}
}

static void test_trim_gives_pages_back(void)
{
	void *blocks[64];

	/* Below the threshold of direct mappings, so that they fill segments; the last one keeps those in use. */
	for (size_t i = 0; i < 64; i++)
		CHECK((blocks[i] = dlmalloc(100 * KIB)));
	size_t held = dlmalloc_footprint();

	CHECK(held >= 64 * 100 * KIB);
	for (size_t i = 0; i < 64; i++)
		dlfree(blocks[i]);
	dlmalloc_trim(0);
	CHECK(dlmalloc_footprint() < held);
	CHECK(dlmalloc_max_footprint() >= held);
}

static void test_shortage_is_null(void)
{
	errno = 0;
	CHECK(!dlmalloc(SIZE_MAX / 2));
	CHECK(errno == ENOMEM);
	CHECK(!dlmalloc(SIZE_MAX - 1));
	CHECK(!dlcalloc(SIZE_MAX / 4, 8));
}

/* Each thread keeps blocks filled with a mark of its own; a block held twice would show the other's. */
static void *churn(void *argument)
{
	enum { LIVE = 64, STEPS = 20000 };
	unsigned char *live[LIVE] = { 0 };
	size_t sizes[LIVE] = { 0 };
	unsigned mark = *(const unsigned *)argument;
	uint64_t random = 88172645463325252ull + mark;

	for (int step = 0; step < STEPS; step++) {
		random ^= random << 13, random ^= random >> 7, random ^= random << 17;
		size_t slot = random % LIVE;
		size_t bytes = (size_t)1 << (random >> 32) % 19;

		if (live[slot]) {
			CHECK(live[slot][0] == mark && live[slot][sizes[slot] - 1] == mark);
			dlfree(live[slot]);
		}
		live[slot] = dlmalloc(bytes);
		CHECK(live[slot]);
		sizes[slot] = bytes;
		live[slot][0] = live[slot][bytes - 1] = (unsigned char)mark;
	}
	for (size_t slot = 0; slot < LIVE; slot++)
		dlfree(live[slot]);
	return NULL;
}

static void test_two_threads(void)
{
	pthread_t threads[2];
	unsigned marks[2] = { 0x11, 0x22 };

	for (int i = 0; i < 2; i++)
		CHECK(pthread_create(&threads[i], NULL, churn, &marks[i]) == 0);
	for (int i = 0; i < 2; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(void)
{
	test_pages_come_from_the_right_place();
	test_calloc_clears_recycled_memory();
	test_realloc_keeps_the_contents();
	test_memalign();
	test_trim_gives_pages_back();
	test_shortage_is_null();
	test_two_threads();
	return 0;
}
