/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every page names its owner, its number and its version; what is elsewhere than it should be, is older than it was, or
 * reads zero is a fault. Threads write and read at random, by themselves and by system calls, while the pager evicts.
 *
 * Usage: checker MIB THREADS SECONDS|until-input [fork] [remap] [drop] [reads] [gently]
 * With `reads` hardly any page is written to; with `gently` a thread sleeps between two pages.
 * Exit status 1 and a line if a page is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "units.h"

#define WORDS (PAGE / sizeof(uint64_t))

static size_t pages; /* of each thread */
static int seconds;
static bool with_fork, with_remap, with_drop, reads, gently;
static _Atomic bool stop;
static _Atomic long touches, wrong, calls, forks, remaps, drops;

struct owner {
	int number;
	uint64_t state;
	char *memory;
	uint32_t *version; /* 0: the page has no content */
};

static uint64_t next(struct owner *o)
{
	o->state ^= o->state << 13;
	o->state ^= o->state >> 7;
	o->state ^= o->state << 17;
	return o->state;
}

static uint64_t word(const struct owner *o, size_t page, uint32_t version, size_t i)
{
	uint64_t x = (uint64_t)o->number << 56 ^ (uint64_t)page << 24 ^ version ^ (i % 64) * 0x9e3779b97f4a7c15ull;

	return version ? x * 0xff51afd7ed558ccdull | 1 : 0;
}

static void fill(const struct owner *o, void *at, size_t page, uint32_t version)
{
	uint64_t *words = at;

	for (size_t i = 0; i < WORDS; i++)
		words[i] = word(o, page, version, i);
}

static void check(const struct owner *o, const void *at, size_t page, uint32_t version, const char *by)
{
	const uint64_t *words = at;

	for (size_t i = 0; i < WORDS; i++)
		if (words[i] != word(o, page, version, i)) {
			if (wrong++ < 10)
				fprintf(stderr, "wrong: by %s owner %d page %zu word %zu version %u: is %016lx\n", by,
					o->number, page, i, version, (long)words[i]);
			return;
		}
}

/* Random places, but runs and a hot part too, so that a policy has something to find. */
static size_t pick(struct owner *o)
{
	uint64_t r = next(o);

	return r % 4 == 0 ? (r >> 8) % (pages / 10 + 1) : (r >> 8) % pages;
}

static void through_a_pipe(struct owner *o, const int ends[2], size_t page)
{
	char copy[PAGE];
	char *at = o->memory + page * PAGE;
	ssize_t n = write(ends[1], at, PAGE);

	if (n != PAGE || read(ends[0], copy, PAGE) != PAGE) {
		if (wrong++ < 10)
			fprintf(stderr, "wrong: write() of a page: %zd %s\n", n, strerror(errno));
		return;
	}
	check(o, copy, page, o->version[page], "write()");
	fill(o, copy, page, ++o->version[page]);
	n = write(ends[1], copy, PAGE);
	if (n != PAGE || read(ends[0], at, PAGE) != PAGE) {
		if (wrong++ < 10)
			fprintf(stderr, "wrong: read() into a page: %s\n", strerror(errno));
		return;
	}
	check(o, at, page, o->version[page], "read()");
	calls++;
}

static void drop(struct owner *o, size_t page)
{
	size_t n = 1 + next(o) % 16;

	for (; n && page < pages; n--, page++) {
		if (madvise(o->memory + page * PAGE, PAGE, MADV_DONTNEED))
			wrong++;
		o->version[page] = 0;
		drops++;
	}
}

/* A run of pages moves to new addresses and back. */
static void remap(struct owner *o, size_t page)
{
	size_t n = 1 + next(o) % 32;
	char *at = o->memory + page * PAGE;
	char *away;

	if (page + n > pages)
		return;
	away = mremap(at, n * PAGE, n * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		      mmap(NULL, n * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	if (away == MAP_FAILED) {
		wrong++;
		fprintf(stderr, "wrong: mremap(): %s\n", strerror(errno));
		return;
	}
	for (size_t i = 0; i < n; i++)
		check(o, away + i * PAGE, page + i, o->version[page + i], "mremap()");
	if (mmap(at, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		wrong++;
	memcpy(at, away, n * PAGE);
	munmap(away, n * PAGE);
	remaps++;
}

/* The child looks at all pages of the thread that has forked. */
static void fork_and_look(const struct owner *o)
{
	pid_t child = fork();
	int status = 0;

	if (!child) {
		wrong = 0;
		for (size_t p = 0; p < pages; p++)
			check(o, o->memory + p * PAGE, p, o->version[p], "a child");
		_exit(wrong != 0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status) {
		wrong++;
		fprintf(stderr, "wrong: a child's memory, status %x\n", status);
	}
	forks++;
}

static void *work(void *argument)
{
	struct owner *o = argument;
	long mine = 0;
	int ends[2];

	if (pipe(ends))
		abort();
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		size_t page = pick(o);
		char *at = o->memory + page * PAGE;
		uint64_t r = next(o) % 1000;

		if (r < (reads ? 2 : 20)) {
			through_a_pipe(o, ends, page);
		} else if (with_drop && r < 30) {
			drop(o, page);
		} else if (with_remap && r < 35) {
			remap(o, page);
		} else if (with_fork && r == 999 && next(o) % 20 == 0) {
			fork_and_look(o);
		} else {
			check(o, at, page, o->version[page], "a touch");
			if (reads ? r % 64 == 1 : r % 2)
				fill(o, at, page, ++o->version[page]);
		}
		if (gently)
			nanosleep(&(struct timespec){ .tv_nsec = 300000 }, NULL);
		if (++mine % 256 == 0)
			touches += 256;
	}
	for (size_t p = 0; p < pages; p++)
		check(o, o->memory + p * PAGE, p, o->version[p], "the last look");
	return NULL;
}

int main(int argc, char **argv)
{
	ssize_t until_input = 0;
	char end;
	int count = argc > 3 ? atoi(argv[2]) : 0;
	struct owner *owners = calloc((size_t)count + 1, sizeof(*owners));
	pthread_t *threads = calloc((size_t)count + 1, sizeof(*threads));

	if (count < 1 || !owners || !threads)
		return 2;
	pages = strtoul(argv[1], NULL, 10) * 256 / (size_t)count;
	seconds = atoi(argv[3]);
	for (int i = 4; i < argc; i++) {
		with_fork |= !strcmp(argv[i], "fork");
		with_remap |= !strcmp(argv[i], "remap");
		with_drop |= !strcmp(argv[i], "drop");
		reads |= !strcmp(argv[i], "reads");
		gently |= !strcmp(argv[i], "gently");
	}
	for (int i = 0; i < count; i++) {
		owners[i].number = i + 1;
		owners[i].state = 88172645463325252ull + (uint64_t)i * 7919;
		owners[i].memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		owners[i].version = calloc(pages, sizeof(uint32_t));
		for (size_t p = 0; p < pages; p++)
			fill(&owners[i], owners[i].memory + p * PAGE, p, ++owners[i].version[p]);
	}
	for (int i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, work, &owners[i]);
	if (seconds)
		sleep((unsigned)seconds);
	else
		until_input = read(0, &end, 1);
	stop = true;
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("touches %ld calls %ld forks %ld remaps %ld drops %ld wrong %ld\n", (long)touches, (long)calls,
	       (long)forks, (long)remaps, (long)drops, (long)wrong);
	return wrong != 0 || until_input < 0;
}
