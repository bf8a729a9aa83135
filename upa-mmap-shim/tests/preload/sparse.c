/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sparse.c - large blocks of which little is touched, in any pattern, by several threads: what is mapped reads zero,
 * what is written stays, and what was populated is so again without a fault. Run under UPA, by sparse_test.sh:
 *
 *   sparse contents SEED   random blocks
 *   sparse kept            what is kept of blocks is what was touched of them: see the test
 *   sparse expected        what is likely to be touched is served by the region, and the rest by the kernel: see there
 *
 * Exit status 77: this kernel does not say which pages are populated.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "units.h"

#define THREADS 3
#define ROUNDS 40

static char *map(size_t bytes)
{
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED, "errno=%d", errno);
	return p;
}

static void unmap(char *p, size_t bytes)
{
	CHECK(!munmap(p, bytes), "errno=%d", errno);
}

/* ---- contents ------------------------------------------------------------------------------------- */

static uint64_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static bool is_touched(size_t page, uint64_t pattern, size_t pages)
{
	switch (pattern % 6) {
	case 0: return page == 0;
	case 1: return page == pages - 1;
	case 2: return page % (pattern / 6 % 40 + 1) == 0;
	case 3: return page >= pages / 3 && page < pages / 3 + pattern % 3000;
	case 4: return page % 700 < 300;
	default: return page * pattern % 1000 == 0;
	}
}

static void use(char *p, size_t bytes, uint64_t mark)
{
	for (size_t at = 0; at < bytes; at += PAGE)
		CHECK(!*(uint64_t *)(p + at) && !*(uint64_t *)(p + at + PAGE - 8), "offset=%zu of %zu", at, bytes);
	for (size_t at = 0; at < bytes; at += PAGE)
		if (is_touched(at / PAGE, mark, bytes / PAGE))
			*(uint64_t *)(p + at) = *(uint64_t *)(p + at + PAGE - 8) = mark | 1;
	for (size_t at = 0; at < bytes; at += PAGE)
		if (is_touched(at / PAGE, mark, bytes / PAGE))
			CHECK(*(uint64_t *)(p + at) == (mark | 1), "offset=%zu of %zu", at, bytes);
}

/* Touches, without having read: what is not touched has no memory then. */
static void use_unread(char *p, size_t bytes, uint64_t mark)
{
	for (size_t at = 0; at < bytes; at += PAGE)
		if (is_touched(at / PAGE, mark, bytes / PAGE)) {
			CHECK(!*(uint64_t *)(p + at), "offset=%zu of %zu", at, bytes);
			*(uint64_t *)(p + at) = mark | 1;
		}
}

static void *use_blocks(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument;

	for (int i = 0; i < ROUNDS; i++) {
		size_t bytes = 24 * MIB + next(&state) % (20 * 256) * PAGE;
		uint64_t mark = next(&state);
		char *p = map(bytes);

		if (i % 4 == 3)
			use(p, bytes, mark);
		else
			use_unread(p, bytes, mark);
		if (next(&state) % 4 == 0) {
			/* In two parts, the second of which has a hole. */
			size_t first = bytes / 3 & ~(size_t)4095;

			unmap(p, first);
			unmap(p + bytes - 8 * PAGE, PAGE);
			unmap(p + first, bytes - first);
		} else {
			unmap(p, bytes - next(&state) % PAGE);
		}
	}
	return NULL;
}

static void contents(uint64_t seed)
{
	pthread_t threads[THREADS];

	for (uint64_t i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, use_blocks, (void *)(uintptr_t)(seed * THREADS + i)), "%lu",
		      i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* ---- what is kept ---------------------------------------------------------------------------------- */

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* 48 MiB of 64, and the last page. */
static void touch_most(char *p)
{
	memset(p, 1, 48 * MIB);
	p[64 * MIB - 1] = 1;
}

static void kept(void)
{
	char *blocks[16], *p = map(64 * MIB);
	long before;

	/* One page is not worth keeping, if it is all that a block has. */
	for (int i = 0; i < 16; i++) {
		blocks[i] = map(64 * MIB);
		blocks[i][20 * MIB] = 1;
	}
	touch_most(p);
	for (int i = 0; i < 16; i++)
		unmap(blocks[i], 64 * MIB);
	unmap(p, 64 * MIB);
	/* What has memory comes first. */
	before = faults();
	p = map(64 * MIB);
	touch_most(p);
	CHECK(faults() - before < 1000, "%ld", faults() - before);
	unmap(p, 64 * MIB);
}

/* ---- who serves ------------------------------------------------------------------------------------ */

static void come_and_go(int times, size_t touched)
{
	for (int i = 0; i < times; i++) {
		char *p = map(64 * MIB);

		memset(p, 1, touched);
		unmap(p, 64 * MIB);
	}
}

/* Of blocks one after another the region serves so many, and the kernel the others. */
static void expected(void)
{
	char *populated;

	come_and_go(1, 64 * MIB);  /* 1 */
	populated = map(64 * MIB); /* 1, which has memory already */
	come_and_go(16, PAGE);     /* 16: nothing is known */
	come_and_go(10, PAGE);     /* 1 of 16 is tried */
	come_and_go(20, 4 * MIB);  /* 14: the seventh is tried, and found to be touched */
	map(64 * MIB);             /* 1: this memory is in use again */
	come_and_go(17, PAGE);     /* 16 */
	unmap(populated, 64 * MIB);
	map(64 * MIB);           /* 1: so is this */
	come_and_go(15, PAGE);   /* 15: of what had memory nobody knows how much was touched */
	come_and_go(5, 4 * MIB); /* 5: 15 are not enough */
}

/* ---- */

struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t inverted, mask, anyof_mask, return_mask;
};

static bool kernel_says(void)
{
	struct scan scan = { .size = sizeof(scan), .end = PAGE };
	int fd = open("/proc/self/pagemap", O_RDONLY);
	bool says = fd >= 0 && !ioctl(fd, _IOWR('f', 16, struct scan), &scan);

	close(fd);
	return says;
}

int main(int count, char **arguments)
{
	if (!kernel_says())
		return 77;
	if (count > 2 && !strcmp(arguments[1], "contents"))
		contents(strtoul(arguments[2], NULL, 10));
	else if (count > 1 && !strcmp(arguments[1], "kept"))
		kept();
	else if (count > 1 && !strcmp(arguments[1], "expected"))
		expected();
	else
		return 2;
	return 0;
}
