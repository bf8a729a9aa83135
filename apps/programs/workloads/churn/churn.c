/* SPDX-License-Identifier: Apache-2.0 */
/*
 * churn.c - upa-churn: blocks of random sizes allocated, written, read back and freed in random order.
 *
 *   upa-churn LEAST MOST LIVE COUNT THREADS SEED
 *
 * Each of THREADS threads, the first of which is the main one, keeps up to LIVE blocks of LEAST to MOST bytes and COUNT
 * times replaces one by a new one. It writes all of that, one word in each 64 bytes, as programs fill a buffer from a
 * file; what a block holds is checked when it is freed. Prints a sum over all blocks, the same for the same arguments.
 * Exit status 1 if a block was not what was written.
 */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 64
#define LINE_WORDS (64 / sizeof(uint64_t))

static size_t least, most, live, count;
static uint64_t seed;

struct work {
	pthread_t thread;
	uint64_t random, sum;
};

struct block {
	uint64_t *words;
	size_t lines;
	uint64_t value;
};

/* splitmix64, Steele, Lea and Flood, OOPSLA 2014 */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void *allocate(size_t size)
{
	void *memory = malloc(size);

	if (!memory) {
		fprintf(stderr, "upa-churn: no memory for size=%zu\n", size);
		exit(1);
	}
	return memory;
}

static void check_and_free(struct block *block)
{
	for (size_t i = 0; i < block->lines; i += 64) /* once in each page */
		if (block->words[i * LINE_WORDS] != block->value + i) {
			fprintf(stderr, "upa-churn: line=%zu of lines=%zu is not what was written\n", i, block->lines);
			exit(1);
		}
	free(block->words);
	block->words = NULL;
}

static void *churn(void *argument)
{
	struct work *work = argument;
	struct block *blocks = allocate(live * sizeof(*blocks));

	memset(blocks, 0, live * sizeof(*blocks));
	for (size_t round = 0; round < count; round++) {
		struct block *block = &blocks[next_random(&work->random) % live];
		size_t size = least + next_random(&work->random) % (most - least + 1);

		if (block->words)
			check_and_free(block);
		block->words = allocate(size);
		block->lines = size / 64;
		block->value = next_random(&work->random);
		for (size_t i = 0; i < block->lines; i++)
			block->words[i * LINE_WORDS] = block->value + i;
		work->sum += size ^ block->value;
	}
	for (size_t i = 0; i < live; i++)
		if (blocks[i].words)
			check_and_free(&blocks[i]);
	free(blocks);
	return NULL;
}

static uint64_t number(const char *name, const char *text, uint64_t from, uint64_t to)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end || errno || value < from || value > to) {
		fprintf(stderr, "upa-churn: %s=%s is not a number from %llu to %llu\n", name, text,
			(unsigned long long)from, (unsigned long long)to);
		exit(2);
	}
	return value;
}

int main(int argument_count, char **arguments)
{
	struct work works[THREADS_MAX];
	size_t threads;
	uint64_t sum = 0;

	if (argument_count != 7) {
		fputs("usage: upa-churn LEAST MOST LIVE COUNT THREADS SEED\n", stderr);
		return 2;
	}
	least = number("LEAST", arguments[1], 64, 1u << 30);
	most = number("MOST", arguments[2], least, 1u << 30);
	live = number("LIVE", arguments[3], 1, 1u << 20);
	count = number("COUNT", arguments[4], 1, 1u << 30);
	threads = number("THREADS", arguments[5], 1, THREADS_MAX);
	seed = number("SEED", arguments[6], 0, UINT32_MAX);
	for (size_t i = 0; i < threads; i++) {
		works[i] = (struct work){ .random = seed * 1000003 + i };
		if (i && pthread_create(&works[i].thread, NULL, churn, &works[i])) {
			fputs("upa-churn: cannot make a thread\n", stderr);
			return 1;
		}
	}
	churn(&works[0]);
	for (size_t i = 0; i < threads; i++) {
		if (i)
			pthread_join(works[i].thread, NULL);
		sum += works[i].sum;
	}
	printf("%016llx\n", (unsigned long long)sum);
	return fflush(stdout) || ferror(stdout);
}
