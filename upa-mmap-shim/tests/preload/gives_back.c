/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gives_back.c - what a program is left with that has freed its memory, by what it says of it. Run under UPA:
 *
 *   gives_back trim SIZE       malloc_trim(0)
 *   gives_back mallopt SIZE    mallopt(M_TRIM_THRESHOLD, 128 KiB) before
 *   gives_back plain SIZE      nothing, but what the environment says
 *   gives_back idle SIZE       sleeps until hardly anything is left, a minute at most
 *   gives_back small SIZE      works on in small blocks, likewise
 *   gives_back waits SIZE      says "freed", and sleeps for three seconds
 *   gives_back limits SIZE     75 MiB of them, three times; then touches as much of memory that no call tells of
 *
 * 100 MiB in blocks of SIZE bytes, or of any from LEAST-MOST, written to and freed: the first first, or by a third
 * argument, last, random or, of limits alone, by four threads. Prints how many KiB are resident more than before all
 * that.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "units.h"

/* A compiler leaves out what is written and never read. */
static volatile char untold[75 * MIB];

static long resident_kib(void)
{
	char text[128] = "";
	FILE *file = fopen("/proc/self/statm", "r");
	char *end;

	if (!file || !fgets(text, sizeof(text), file))
		exit(1);
	fclose(file);
	strtol(text, &end, 10);
	return strtol(end, NULL, 10) * 4;
}

struct blocks {
	size_t least, most; /* bytes of each */
	char order; /* f, l or r: the first, the last or a random one is freed first; t: the first, by threads */
};

static size_t random_below(size_t n)
{
	static _Thread_local uint64_t state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % n;
}

static void release(char **blocks, size_t n, char order)
{
	for (size_t i = n; order == 'r' && i > 1; i--) {
		size_t other = random_below(i);
		char *block = blocks[other];

		blocks[other] = blocks[i - 1];
		blocks[i - 1] = block;
	}
	for (size_t i = 0; i < n; i++)
		free(blocks[order == 'l' ? n - 1 - i : i]);
}

static void use(size_t bytes, struct blocks of)
{
	char **blocks = malloc((bytes / of.least + 1) * sizeof(*blocks));
	size_t n = 0;

	for (size_t used = 0;; n++) {
		size_t size = of.least + random_below(of.most - of.least + 1);

		if (used + size > bytes)
			break;
		blocks[n] = malloc(size);
		memset(blocks[n], 1, size);
		used += size;
	}
	release(blocks, n, of.order);
	free(blocks);
}

#define THREADS 4

static void *use_a_part(void *argument)
{
	const struct blocks *of = argument;

	for (int i = 0; i < 3; i++)
		use(75 * MIB / THREADS, *of);
	return NULL;
}

static void use_by_threads(struct blocks of)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, use_a_part, &of))
			exit(1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

#define LITTLE_KIB 6144

/* So many seconds, or until no more than this is resident. */
static void pass(bool works, int seconds, long kib)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	do {
		struct timespec little = { .tv_nsec = 1000000 };

		for (int i = 0; works && i < 1000; i++)
			free(malloc(100));
		nanosleep(&little, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (resident_kib() > kib &&
		 (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec)));
}

int main(int count, char **arguments)
{
	const char *what = count > 2 ? arguments[1] : "";
	struct blocks of = { 0, 0, count > 3 ? *arguments[3] : 'f' };
	char *rest = NULL;
	long before;

	if (count > 2)
		of.least = of.most = strtoul(arguments[2], &rest, 10);
	if (rest && *rest == '-')
		of.most = strtoul(rest + 1, NULL, 10);
	if (!of.least || of.most < of.least)
		return 2;
	if (!strcmp(what, "mallopt") && !mallopt(M_TRIM_THRESHOLD, 128 << 10))
		return 1;
	before = resident_kib();
	if (!strcmp(what, "limits")) {
		if (of.order == 't')
			use_by_threads(of);
		for (int i = 0; i < 3 && of.order != 't'; i++)
			use(75 * MIB, of);
		for (size_t i = 0; i < sizeof(untold); i += 4096)
			untold[i] = 1;
		return 0;
	}
	use(100 * MIB, of);
	if (!strcmp(what, "trim"))
		malloc_trim(0);
	if (!strcmp(what, "idle") || !strcmp(what, "small"))
		pass(*what == 's', 60, before + LITTLE_KIB);
	if (!strcmp(what, "waits")) {
		puts("freed");
		fflush(stdout);
		pass(false, 3, 0);
	}
	printf("%ld\n", resident_kib() - before);
	return 0;
}
