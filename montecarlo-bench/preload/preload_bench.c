/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upa-preload-bench: what the preloaded library is measured with; preload-bench.sh runs it with and without.
 *
 *   upa-preload-bench churn LEAST MOST LIVE COUNT    COUNT blocks of LEAST..MOST bytes from malloc, LIVE of them at a
 *   time; a byte
 *                                                    of each page is written. Prints nothing
 *   upa-preload-bench pairs BYTES COUNT THREADS HOW    mmap and munmap. HOW is untouched; touched: a byte written in
 *   each page; uncleared:
 *                                                    untouched, and whatever it holds will do; or memset: no request,
 *                                                    the base line of a processor that only clears so many bytes of
 *                                                    each thread's own. Prints "name value" lines: ns_per_pair of each
 *                                                    thread's own time, and pairs_per_s of all
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <upa/mman.h>

#define PAGE 4096u
#define MOST_THREADS 64u
#define MOST_LIVE 4096u

static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (*end || end == text || n < least || n > most) {
		fprintf(stderr, "upa-preload-bench: %s is not a number from %llu to %llu\n", text,
			(unsigned long long)least, (unsigned long long)most);
		exit(2);
	}
	return n;
}

static double seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void touch(char *block, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes; i += PAGE)
		((volatile char *)block)[i] = 1;
}

static int churn(uint64_t least, uint64_t most, uint64_t live, uint64_t count)
{
	static char *blocks[MOST_LIVE];
	uint64_t state = 1;

	for (uint64_t i = 0; i < count; i++) {
		char **block = &blocks[i % live];
		uint64_t bytes;

		/* Knuth's MMIX generator; its high bits are the good ones. */
		state = state * 6364136223846793005u + 1442695040888963407u;
		bytes = least + (state >> 24) % (most - least + 1);
		free(*block);
		*block = malloc(bytes);
		if (!*block) {
			fprintf(stderr, "upa-preload-bench: no memory for bytes=%llu\n", (unsigned long long)bytes);
			return 1;
		}
		touch(*block, bytes);
	}
	return 0;
}

static uint64_t pair_bytes, pair_count;
static enum { UNTOUCHED, TOUCHED, UNCLEARED, MEMSET } pair_how;
static pthread_barrier_t barrier;
static double thread_seconds[MOST_THREADS];

static char *map(int more_flags)
{
	char *block = mmap(NULL, pair_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | more_flags, -1, 0);

	if (block == MAP_FAILED) {
		perror("upa-preload-bench: mmap");
		exit(1);
	}
	return block;
}

static void pair(char *own)
{
	char *block;

	if (own) {
		memset(own, 0, pair_bytes);
		/* What nobody looks at, the compiler need not clear. */
		__asm__ volatile("" ::"r"(own) : "memory");
		return;
	}
	block = map(pair_how == UNCLEARED ? UPA_MAP_UNCLEARED : 0);
	if (pair_how == TOUCHED)
		touch(block, pair_bytes);
	munmap(block, pair_bytes);
}

static void *run(void *index)
{
	char *own = pair_how == MEMSET ? map(0) : NULL;
	double start;

	for (int i = 0; i < 1000; i++)
		pair(own);
	pthread_barrier_wait(&barrier);
	start = seconds(CLOCK_THREAD_CPUTIME_ID);
	for (uint64_t i = 0; i < pair_count; i++)
		pair(own);
	thread_seconds[(uintptr_t)index] = seconds(CLOCK_THREAD_CPUTIME_ID) - start;
	return NULL;
}

static int pairs(unsigned threads)
{
	pthread_t thread[MOST_THREADS];
	double start, wall, sum = 0;

	pthread_barrier_init(&barrier, NULL, threads + 1);
	for (uintptr_t i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, run, (void *)i))
			return 1;
	pthread_barrier_wait(&barrier);
	start = seconds(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	wall = seconds(CLOCK_MONOTONIC) - start;
	for (unsigned i = 0; i < threads; i++)
		sum += thread_seconds[i];
	printf("ns_per_pair %.1f\npairs_per_s %.0f\n", sum * 1e9 / (double)pair_count / threads,
	       (double)pair_count * threads / wall);
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const hows[] = {
		[UNTOUCHED] = "untouched", [TOUCHED] = "touched", [UNCLEARED] = "uncleared", [MEMSET] = "memset"
	};
	unsigned how = 0;

	if (argc == 6 && !strcmp(argv[1], "churn")) {
		uint64_t least = number(argv[2], 1, 1ull << 40);

		return churn(least, number(argv[3], least, 1ull << 40), number(argv[4], 1, MOST_LIVE),
			     number(argv[5], 1, 1ull << 40));
	}
	if (argc == 6 && !strcmp(argv[1], "pairs")) {
		pair_bytes = number(argv[2], 1, 1ull << 40);
		pair_count = number(argv[3], 1, 1ull << 40);
		while (how < 4 && strcmp(hows[how], argv[5]))
			how++;
		if (how < 4) {
			pair_how = how;
			return pairs((unsigned)number(argv[4], 1, MOST_THREADS));
		}
	}
	fputs("usage: upa-preload-bench churn LEAST MOST LIVE COUNT\n"
	      "       upa-preload-bench pairs BYTES COUNT THREADS untouched|touched|uncleared|memset\n",
	      stderr);
	return 2;
}
