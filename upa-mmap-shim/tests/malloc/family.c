/* SPDX-License-Identifier: Apache-2.0 */
/* family.c - libupa_malloc.so: each function of the family as malloc(3) and posix_memalign(3) have it. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define BYTES 5000u
#define BLOCKS 300

/* No compiler knows them. */
static volatile size_t zero = 0, huge = SIZE_MAX, half = SIZE_MAX / 2 + 1;

static void *filled(void *block, size_t bytes, int value)
{
	CHECK(block && malloc_usable_size(block) >= bytes, "block=%p bytes=%zu", block, bytes);
	return memset(block, value, bytes);
}

static void check_holds(const unsigned char *block, size_t bytes, unsigned char value)
{
	for (size_t i = 0; i < bytes; i++)
		CHECK(block[i] == value, "offset=%zu holds=%d expected=%d", i, block[i], value);
}

/* A call that must find no memory, and say so. */
#define REFUSED(call)                                                                                                  \
	do {                                                                                                           \
		errno = 0;                                                                                             \
		CHECK(!(call) && errno == ENOMEM, #call ": errno=%d", errno);                                          \
	} while (0)

static void too_much(void)
{
	void *block = filled(malloc(BYTES), BYTES, 7);

	REFUSED(malloc(huge));
	REFUSED(malloc(half));
	REFUSED(calloc(half, 2));
	REFUSED(calloc(huge / 3, 4));
	REFUSED(realloc(block, huge));
	REFUSED(realloc(block, half));
	REFUSED(reallocarray(block, half, 2));
	REFUSED(memalign(64, huge));
	REFUSED(aligned_alloc(64, half));
	REFUSED(valloc(huge));
	REFUSED(pvalloc(huge));
	REFUSED(pvalloc(huge - 4094));
	check_holds(block, BYTES, 7);
	free(block);
}

static void nothing(void)
{
	void *one = malloc(zero), *other = calloc(zero, 8);

	CHECK(one && other && one != other, "blocks of no bytes");
	CHECK(!malloc_usable_size(NULL), "usable");
	free(NULL);
	free(one);
	CHECK(!realloc(other, zero), "freed");
	one = filled(realloc(NULL, BYTES), BYTES, 3);
	free(one);
}

static void alignments(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *block = &block;

	errno = EDOM;
	CHECK(posix_memalign(&block, 0, 8) == EINVAL && posix_memalign(&block, 4, 8) == EINVAL &&
		      posix_memalign(&block, 24, 8) == EINVAL && errno == EDOM,
	      "errno=%d", errno);
	/* errno too, as glibc has it. */
	CHECK(posix_memalign(&block, 64, huge) == ENOMEM && errno == ENOMEM, "errno=%d", errno);
	CHECK(block == &block, "what is refused changes nothing");
	errno = EDOM;
	CHECK(!posix_memalign(&block, 8, 8) && errno == EDOM, "errno=%d", errno);
	free(block);
	errno = 0;
	CHECK(!memalign(half + 1, 8) && errno == EINVAL, "errno=%d", errno);
	for (size_t alignment = 8; alignment <= 1u << 20; alignment *= 2) {
		for (size_t bytes = 1; bytes <= 1u << 21; bytes *= 32) {
			CHECK(!posix_memalign(&block, alignment, bytes), "alignment=%zu bytes=%zu", alignment, bytes);
			CHECK((uintptr_t)block % alignment == 0, "alignment=%zu block=%p", alignment, block);
			free(filled(block, bytes, 9));
			block = aligned_alloc(alignment, bytes);
			CHECK((uintptr_t)block % alignment == 0, "alignment=%zu block=%p", alignment, block);
			free(filled(block, bytes, 9));
		}
	}
	for (size_t bytes = 1; bytes < 4 * page; bytes += 511) {
		block = valloc(bytes);
		CHECK((uintptr_t)block % page == 0, "valloc: block=%p", block);
		free(filled(block, bytes, 9));
		block = pvalloc(bytes);
		CHECK((uintptr_t)block % page == 0, "pvalloc: block=%p", block);
		free(filled(block, (bytes + page - 1) / page * page, 9));
	}
	CHECK(malloc_usable_size(block = pvalloc(2 * page)) < 3 * page, "no page more than is asked for");
	free(block);
}

/* Memory that has been used before, of every size, also of a mapping of its own. */
static void zeros(void)
{
	for (size_t bytes = 1; bytes <= 8u << 20; bytes = bytes * 3 + 1) {
		for (int i = 0; i < 3; i++) {
			void *block = calloc(bytes, 1);

			check_holds(block, bytes, 0);
			free(filled(block, bytes, 0xee));
		}
	}
}

static void resizes(void)
{
	uint64_t seed = 5;
	size_t bytes = 1;
	void *block = filled(malloc(1), 1, 0);

	for (int i = 1; i < 2000; i++) {
		size_t wanted = 1 + random_below(&seed, i % 50 ? 9000 : 4 << 20);

		block = reallocarray(block, wanted, 1);
		CHECK(block, "wanted=%zu", wanted);
		check_holds(block, bytes < wanted ? bytes : wanted, (unsigned char)(i - 1));
		filled(block, bytes = wanted, i & 255);
	}
	free(block);
}

/* What one thread has allocated, another resizes and frees. */
static void *take_over(void *argument)
{
	void **blocks = argument;

	for (int i = 0; i < BLOCKS; i++) {
		check_holds(blocks[i], 100, (unsigned char)i);
		blocks[i] = realloc(blocks[i], 40000);
		check_holds(blocks[i], 100, (unsigned char)i);
		free(filled(blocks[i], 40000, 1));
		blocks[i] = filled(malloc(200), 200, i & 255);
	}
	return NULL;
}

static void other_threads(void)
{
	void *blocks[BLOCKS];
	pthread_t thread;

	for (int i = 0; i < BLOCKS; i++)
		blocks[i] = filled(malloc(100 + (size_t)i * 50), 100, i & 255);
	for (int round = 0; round < 4; round++) {
		CHECK(!pthread_create(&thread, NULL, take_over, blocks), "thread");
		pthread_join(thread, NULL);
	}
	for (int i = 0; i < BLOCKS; i++) {
		check_holds(blocks[i], 200, (unsigned char)i);
		free(blocks[i]);
	}
}

/* What is freed in large blocks does not stay in the heap. */
static void figures(void)
{
	enum { MANY = 128 };
	struct mallinfo2 before = mallinfo2(), now;
	void *large[MANY], *mapped;

	for (int i = 0; i < MANY; i++)
		large[i] = filled(malloc(512 << 10), 512 << 10, 1);
	now = mallinfo2();
	CHECK(now.uordblks - before.uordblks >= 64u << 20 && now.arena >= 64u << 20, "uordblks=%zu arena=%zu",
	      now.uordblks, now.arena);
	for (int i = 0; i < MANY; i++)
		free(large[i]);
	now = mallinfo2();
	CHECK(now.arena < 16u << 20 && now.uordblks < before.uordblks + (1u << 20), "uordblks=%zu arena=%zu",
	      now.uordblks, now.arena);
	mapped = filled(malloc(8u << 20), 8u << 20, 2);
	now = mallinfo2();
	CHECK(now.hblkhd - before.hblkhd >= 8u << 20 && now.uordblks < before.uordblks + (1u << 20), "hblkhd=%zu",
	      now.hblkhd);
	free(mapped);
	CHECK(mallinfo2().hblkhd == before.hblkhd, "hblkhd=%zu", mallinfo2().hblkhd);
}

/* What malloc_stats() writes to standard error, line by line as glibc has it. */
static void said(void)
{
	static char text[65536];
	char line[64];
	int ends[2], error = dup(2);
	struct mallinfo2 m;
	ssize_t n;

	CHECK(!pipe(ends) && dup2(ends[1], 2) == 2, "errno=%d", errno);
	malloc_stats();
	m = mallinfo2();
	dup2(error, 2);
	close(error);
	close(ends[1]);
	n = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	CHECK(n > 0 && !strncmp(text, "Arena 0:\nsystem bytes     = ", 28), "text=%s", text);
	snprintf(line, sizeof(line), "max mmap bytes   = %10zu\n", m.hblkhd);
	CHECK(strlen(text) > strlen(line) && !strcmp(text + n - strlen(line), line), "text=%s", text);
	snprintf(line, sizeof(line), "Total (incl. mmap):\nsystem bytes     = %10zu\n", m.arena + m.hblkhd);
	CHECK(strstr(text, line), "text=%s", text);
}

int main(void)
{
	too_much();
	nothing();
	alignments();
	zeros();
	resizes();
	other_threads();
	figures();
	said();
	return 0;
}
