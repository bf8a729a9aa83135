/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paging.c - upa-paging: memory larger than what a program may have of it. Fills it, touches pages in one of the
 * patterns of mmapbench, and looks at each touch whether the page is the one that was written. Whose memory it is, and
 * how much may be resident, is the caller's business.
 *
 *   upa-paging PATTERN MIB TOUCHES SECONDS THREADS SEED [FOLDER]
 *
 * Touches end after SECONDS, however few there were. PATTERN is sequential, random, zipf (exponent 1) or hot (nine of
 * ten touches to a tenth of the pages). With FOLDER the memory is a shared mapping of a file there, which has no name.
 * A third of the touches write. A page becomes about half as large when it is compressed. Prints one line, `touches N
 * wrong N ns_per_touch X fill_ns_per_page X`, and ends with 1 if anything was wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "paged.h"
#include "ticks.h"

#define PAGE 4096ul
#define WORDS (PAGE / sizeof(uint64_t))
#define MOST_THREADS 64
#define LOOK 64            /* touches between two looks at the clock */
#define SPREAD 2654435761u /* a prime above any number of pages: neighbours in rank are not neighbours in memory */

enum pattern { SEQUENTIAL, RANDOM, ZIPF, HOT, PATTERNS };

static const char *const names[PATTERNS] = { "sequential", "random", "zipf", "hot" };

struct worker {
	pthread_t thread;
	enum pattern pattern;
	uint64_t *memory;
	uint64_t pages, first, touches, random, wrong, deadline;
};

static uint64_t next_random(uint64_t *state)
{
	/* xorshift64*: Vigna, An experimental exploration of Marsaglia's xorshift generators (2016). */
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static double uniform(uint64_t *state)
{
	return (double)(next_random(state) >> 11) * 0x1p-53;
}

/* What the first word of a page holds, always. */
static uint64_t tag(uint64_t page)
{
	return (page + 1) * 0x9e3779b97f4a7c15ull;
}

static void fill(uint64_t *memory, uint64_t pages, uint64_t seed)
{
	uint64_t state = seed;

	for (uint64_t page = 0; page < pages; page++) {
		uint64_t *words = memory + page * WORDS;

		words[0] = tag(page);
		for (unsigned w = 1; w < WORDS; w++)
			words[w] = w % 2 ? next_random(&state) : 0;
	}
}

static uint64_t choose(struct worker *w, uint64_t i)
{
	uint64_t page;

	switch (w->pattern) {
	case RANDOM: return next_random(&w->random) % w->pages;
	case ZIPF:
		/* Of rank r with a probability of 1/r: the logarithm is uniform. */
		page = (uint64_t)pow((double)w->pages, uniform(&w->random)) - 1;
		return page * SPREAD % w->pages;
	case HOT:
		page = next_random(&w->random) % (next_random(&w->random) % 10 ? w->pages / 10 + 1 : w->pages);
		return page * SPREAD % w->pages;
	default: return (w->first + i) % w->pages;
	}
}

static void *work(void *argument)
{
	struct worker *w = argument;

	uint64_t i;

	for (i = 0; i < w->touches && (i % LOOK || monotonic_ns() < w->deadline); i++) {
		uint64_t page = choose(w, i);
		uint64_t *words = w->memory + page * WORDS;

		w->wrong += __atomic_load_n(words, __ATOMIC_RELAXED) != tag(page);
		if (i % 3 == 0)
			__atomic_store_n(words + 2 + 2 * (i % 8), i, __ATOMIC_RELAXED);
	}
	w->touches = i;
	return NULL;
}

static uint64_t number(const char *text, uint64_t least, uint64_t most, const char *what)
{
	return number_argument("upa-paging", text, least, most, what);
}

static void *map(size_t bytes, const char *folder)
{
	int fd = -1;
	void *memory;

	if (folder) {
		fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		if (fd < 0 || ftruncate(fd, (off_t)bytes)) {
			fprintf(stderr, "upa-paging: folder=%s: %s\n", folder, strerror(errno));
			exit(1);
		}
	}
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, folder ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
	if (memory == MAP_FAILED) {
		fprintf(stderr, "upa-paging: bytes=%zu: %s\n", bytes, strerror(errno));
		exit(1);
	}
	return memory;
}

int main(int argc, char **argv)
{
	static struct worker workers[MOST_THREADS];
	uint64_t pages, touches, seconds, threads, seed, begun, filled, ended, wrong = 0, done = 0;
	int pattern = 0;
	uint64_t *memory;

	if (argc < 7 || argc > 8) {
		fprintf(stderr, "usage: upa-paging PATTERN MIB TOUCHES SECONDS THREADS SEED [FOLDER]\n");
		return 2;
	}
	while (pattern < PATTERNS && strcmp(argv[1], names[pattern]))
		pattern++;
	if (pattern == PATTERNS) {
		fprintf(stderr, "upa-paging: pattern=%s: choose from sequential, random, zipf, hot\n", argv[1]);
		return 2;
	}
	pages = number(argv[2], 1, 1 << 20, "mib") << 8;
	touches = number(argv[3], 1, 1ull << 40, "touches");
	seconds = number(argv[4], 1, 3600, "seconds");
	threads = number(argv[5], 1, MOST_THREADS, "threads");
	seed = number(argv[6], 1, UINT32_MAX, "seed");
	memory = map(pages * PAGE, argc == 8 ? argv[7] : NULL);
	begun = monotonic_ns();
	fill(memory, pages, seed);
	filled = monotonic_ns();
	for (uint64_t t = 0; t < threads; t++) {
		workers[t] = (struct worker){ .pattern = (enum pattern)pattern,
					      .memory = memory,
					      .pages = pages,
					      .first = pages * t / threads,
					      .touches = touches / threads,
					      .deadline = filled + seconds * 1000000000u,
					      .random = seed * MOST_THREADS + t + 1 };
		if (pthread_create(&workers[t].thread, NULL, work, &workers[t])) {
			fprintf(stderr, "upa-paging: threads=%llu: no thread\n", (unsigned long long)threads);
			return 1;
		}
	}
	for (uint64_t t = 0; t < threads; t++) {
		pthread_join(workers[t].thread, NULL);
		wrong += workers[t].wrong;
		done += workers[t].touches;
	}
	ended = monotonic_ns();
	printf("touches %llu wrong %llu ns_per_touch %.1f fill_ns_per_page %.1f\n", (unsigned long long)done,
	       (unsigned long long)wrong, (double)(ended - filled) / (double)done,
	       (double)(filled - begun) / (double)pages);
	return wrong != 0;
}
