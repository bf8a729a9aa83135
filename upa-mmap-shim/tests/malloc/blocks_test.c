/* SPDX-License-Identifier: Apache-2.0 */
/*
 * malloc's family as the program finds it, around the sizes and alignments at which libupa_blocks.so takes over. Runs
 * under any malloc; blocks_test.sh runs it under that library, on glibc and on musl. An argument "blocks" also asks for
 * what only that library does.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* musl's headers lack it, its library has it from 1.2.2 on. */
extern void *reallocarray(void *block, size_t count, size_t bytes);

#define CHECK(condition, ...)                                                                                          \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                                \
			fprintf(stderr, __VA_ARGS__);                                                                  \
			fputc('\n', stderr);                                                                           \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

#define LARGE (128ul << 10)
#define NO_SIZE ((size_t)PTRDIFF_MAX - 100)

static _Thread_local uint64_t seed = 88172645463325252;

static size_t below(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed % n);
}

static unsigned char pattern(size_t i, unsigned char tag)
{
	return (unsigned char)(tag + i * 131 + (i >> 12));
}

static void fill(unsigned char *block, size_t bytes, unsigned char tag)
{
	for (size_t i = 0; i < bytes; i++)
		block[i] = pattern(i, tag);
}

static void check(const unsigned char *block, size_t bytes, unsigned char tag, const char *when)
{
	for (size_t i = 0; i < bytes; i++)
		CHECK(block[i] == pattern(i, tag), "%s: at=%zu of %zu", when, i, bytes);
}

/*
 * Does libupa_blocks.so have it? Its blocks begin a power of two from 16 to 2048 into a page, and one from libc seldom
 * does.
 */
static bool large(const void *block, size_t alignment)
{
	return ((uintptr_t)block & 4095) == (alignment < 16 ? 16 : alignment);
}

static void thresholds(bool ours)
{
	for (size_t bytes = LARGE - 40; bytes < LARGE + 40; bytes++) {
		volatile uintptr_t where;
		unsigned char *block = malloc(bytes);

		CHECK(block && (uintptr_t)block % 16 == 0 && malloc_usable_size(block) >= bytes, "bytes=%zu", bytes);
		CHECK(!ours || large(block, 1) == (bytes >= LARGE) || bytes < LARGE, "bytes=%zu block=%p", bytes,
		      (void *)block);
		fill(block, malloc_usable_size(block), 1);
		check(block, malloc_usable_size(block), 1, "all that is usable");
		where = (uintptr_t)block;
		free(block);
		/* Memory that may be used again carries no mark. */
		CHECK(!ours || bytes < LARGE || !((volatile uint64_t *)where)[-1], "bytes=%zu", bytes);
	}
}

static void alignments(bool ours)
{
	for (size_t alignment = 8; alignment <= 65536; alignment *= 2)
		for (size_t bytes = LARGE / 2; bytes <= 4 * LARGE; bytes *= 2) {
			unsigned char *blocks[3] = { NULL };

			CHECK(!posix_memalign((void **)&blocks[0], alignment, bytes), "alignment=%zu", alignment);
			blocks[1] = aligned_alloc(alignment, bytes);
			blocks[2] = memalign(alignment, bytes);
			for (int i = 0; i < 3; i++) {
				CHECK(blocks[i] && (uintptr_t)blocks[i] % alignment == 0 &&
					      malloc_usable_size(blocks[i]) >= bytes,
				      "i=%d alignment=%zu bytes=%zu", i, alignment, bytes);
				CHECK(!ours || bytes < LARGE || large(blocks[i], alignment) == (alignment <= 2048),
				      "i=%d alignment=%zu", i, alignment);
				fill(blocks[i], malloc_usable_size(blocks[i]), (unsigned char)i);
			}
			for (int i = 0; i < 3; i++) {
				check(blocks[i], bytes, (unsigned char)i, "aligned");
				blocks[i] = realloc(blocks[i], 2 * bytes);
				CHECK(blocks[i], "bytes=%zu", bytes);
				check(blocks[i], bytes, (unsigned char)i, "aligned, then resized");
				free(blocks[i]);
			}
		}
}

static void mistakes(void)
{
	void *block = (void *)1;
	volatile size_t half = SIZE_MAX / 2, none = 0;

	errno = 0;
	CHECK(!malloc(NO_SIZE) && errno == ENOMEM, "errno=%d", errno);
	errno = 0;
	CHECK(!calloc(half, 3) && errno == ENOMEM, "errno=%d", errno);
	errno = 0;
	CHECK(!calloc(NO_SIZE, 1) && errno == ENOMEM, "errno=%d", errno);
	CHECK(posix_memalign(&block, 3, LARGE) == EINVAL && block == (void *)1, "alignment=3");
	CHECK(posix_memalign(&block, 4, LARGE) == EINVAL && block == (void *)1, "alignment=4");
	CHECK(posix_memalign(&block, none, LARGE) == EINVAL && block == (void *)1, "alignment=0");
	CHECK(posix_memalign(&block, 64, NO_SIZE) == ENOMEM, "bytes=%zu", NO_SIZE);
	free(NULL);
	block = malloc(2 * LARGE);
	fill(block, 2 * LARGE, 9);
	errno = 0;
	CHECK(!realloc(block, NO_SIZE) && errno == ENOMEM, "errno=%d", errno);
	check(block, 2 * LARGE, 9, "after a resize that failed");
	errno = 0;
	CHECK(!reallocarray(block, half, 3) && errno == ENOMEM, "errno=%d", errno);
	check(block, 2 * LARGE, 9, "after another");
	errno = 77;
	free(block);
	CHECK(errno == 77, "errno=%d", errno);
	block = realloc(NULL, LARGE);
	CHECK(block && malloc_usable_size(block) >= LARGE && !malloc_usable_size(NULL), "realloc of nothing");
	block = reallocarray(block, 3, LARGE);
	CHECK(block && malloc_usable_size(block) >= 3 * LARGE, "reallocarray");
	free(block);
}

/* A block is gone, so the malloc that had it does not have more and more. */
static void to_nothing(bool ours)
{
	for (int i = 0; ours && i < 100000; i++) {
		volatile size_t none = 0;
		void *block = malloc(16 * LARGE);

		CHECK(block && !realloc(block, none), "i=%d", i);
	}
}

struct live {
	unsigned char *block;
	size_t bytes;
	unsigned char tag;
};

/* Random calls, each block checked as it goes. */
static void *churn(void *argument)
{
	struct live live[32] = { { 0 } };
	int rounds = *(const int *)argument;

	for (int i = 0; i < rounds; i++) {
		struct live *l = &live[below(32)];
		size_t bytes = below(3) ? below(2 * LARGE) : below(24 * LARGE);

		if (l->block && below(2)) {
			unsigned char *moved = realloc(l->block, bytes + 1);

			CHECK(moved, "bytes=%zu", bytes);
			check(moved, l->bytes < bytes ? l->bytes : bytes, l->tag, "resized");
			l->block = moved;
		} else {
			if (l->block)
				check(l->block, l->bytes, l->tag, "freed");
			free(l->block);
			if (below(3)) {
				l->block = malloc(bytes + 1);
			} else {
				l->block = calloc(bytes + 1, 1);
				for (size_t k = 0; k < bytes; k++)
					CHECK(!l->block[k], "calloc: bytes=%zu at=%zu", bytes, k);
			}
			CHECK(l->block, "bytes=%zu", bytes);
		}
		l->bytes = bytes;
		l->tag = (unsigned char)below(256);
		fill(l->block, bytes, l->tag);
	}
	for (int i = 0; i < 32; i++)
		free(live[i].block);
	return NULL;
}

int main(int argc, char **argv)
{
	bool ours = argc > 1 && !strcmp(argv[1], "blocks");
	int rounds = 400;
	pthread_t threads[4];

	/* From here on what is freed stays mapped. */
	free(malloc(32 * LARGE));
	thresholds(ours);
	alignments(ours);
	mistakes();
	to_nothing(ours);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, churn, &rounds), "i=%d", i);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL), "i=%d", i);
	return 0;
}
