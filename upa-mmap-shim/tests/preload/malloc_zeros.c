/* SPDX-License-Identifier: Apache-2.0 */
/*
 * malloc_zeros.c - who is promised zeros gets them, though what malloc() gets is not cleared (uncleared.h): calloc() of
 * threads that also use the rest of the family, sbrk() of the program itself, and mmap() in a signal handler that
 * interrupts all of it.
 *
 *   malloc_zeros SEED STEPS            exit status 1 with a line for the first byte that is not zero
 *   malloc_zeros again                 prints what malloc() of 1 MiB by mmap() and of 20 MiB by brk() finds in a block
 *   just freed:
 *                                      "as freed", "zeros", or "something else"; then what is where the
 *                                      break was: "kept" or "nothing"
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"

#define THREADS 3
#define LIVE 24
#define PAGE 4096l
#define MIB (1ul << 20)

static bool is_all(const unsigned char *p, size_t bytes, unsigned char value)
{
	return !bytes || (p[0] == value && !memcmp(p, p + 1, bytes - 1));
}

/* ---- calloc() among the others ---------------------------------------------------------------------- */

struct player {
	uint64_t seed;
	long steps;
	pthread_t thread;
};

/*
 * Most are small; the others reach all sizes up to 8 MiB, so that mappings, the heap and arenas of threads all have
 * their turn.
 */
static size_t random_size(uint64_t *seed)
{
	size_t most = 16ul << random_below(seed, 20);

	return 1 + (size_t)random_below(seed, most);
}

static void *allocate(uint64_t *seed, size_t bytes)
{
	size_t alignment = 16ul << random_below(seed, 10);
	void *p = NULL;

	switch (random_below(seed, 6)) {
	case 0: return malloc(bytes);
	case 1: return memalign(alignment, bytes);
	case 2: return aligned_alloc(alignment, (bytes + alignment - 1) & -alignment);
	case 3: CHECK(!posix_memalign(&p, alignment, bytes), "alignment=%zu bytes=%zu", alignment, bytes); return p;
	default:
		p = calloc(1, bytes);
		CHECK(!p || is_all(p, bytes, 0), "calloc(1, %zu) is not zero", bytes);
		return p;
	}
}

static void *play(void *argument)
{
	struct player *p = argument;
	unsigned char *blocks[LIVE] = { 0 };
	size_t sizes[LIVE] = { 0 };

	for (long step = 0; step < p->steps; step++) {
		int i = (int)random_below(&p->seed, LIVE);
		size_t bytes = random_size(&p->seed);
		unsigned char mark = (unsigned char)(1 + random_below(&p->seed, 255));

		if (blocks[i] && random_below(&p->seed, 3)) {
			free(blocks[i]);
			blocks[i] = NULL;
			continue;
		}
		if (blocks[i]) {
			unsigned char was = blocks[i][0];

			blocks[i] = realloc(blocks[i], bytes);
			CHECK(blocks[i] && is_all(blocks[i], bytes < sizes[i] ? bytes : sizes[i], was),
			      "realloc of %zu to %zu", sizes[i], bytes);
		} else {
			blocks[i] = allocate(&p->seed, bytes);
			CHECK(blocks[i], "bytes=%zu", bytes);
		}
		sizes[i] = bytes;
		memset(blocks[i], mark, bytes);
	}
	for (int i = 0; i < LIVE; i++)
		free(blocks[i]);
	return NULL;
}

/* ---- who else asks for memory ------------------------------------------------------------------------ */

static volatile sig_atomic_t handled, stale;

/* Once: each handler asks for the next, so that the program gets on however long they take. */
static void arm(void)
{
	const struct itimerval soon = { { 0, 0 }, { 0, 500 } };

	setitimer(ITIMER_REAL, &soon, NULL);
}

static void map_in_handler(int signal)
{
	size_t bytes = ((size_t)handled % 8 + 1) * 16 * (size_t)PAGE;
	int saved = errno;
	unsigned char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)signal;
	if (p == MAP_FAILED || !is_all(p, bytes, 0))
		stale = 1;
	if (p != MAP_FAILED) {
		memset(p, 0xff, bytes);
		munmap(p, bytes);
	}
	handled++;
	arm();
	errno = saved;
}

/* A program may use the heap's end itself, among calls of malloc() that grow and trim it. */
static void move_break(uint64_t *seed)
{
	for (int i = 0; i < 40; i++) {
		size_t bytes = (1 + random_below(seed, 64)) * 16 * (size_t)PAGE;
		void *block = malloc((size_t)random_below(seed, 3 * MIB));
		unsigned char *p = sbrk((intptr_t)bytes);

		CHECK(p != (void *)-1 && is_all(p, bytes, 0), "sbrk(%zu) is not zero", bytes);
		memset(p, 0xee, bytes);
		CHECK(sbrk(-(intptr_t)bytes) != (void *)-1, "errno=%d", errno);
		if (block)
			memset(block, 0xdd, malloc_usable_size(block));
		free(block);
		p = calloc(1, bytes);
		CHECK(p && is_all(p, bytes, 0), "calloc(1, %zu) is not zero after sbrk", bytes);
		memset(p, 0xcc, bytes);
		free(p);
	}
}

/* ---- what malloc() finds ----------------------------------------------------------------------------- */

static const char *found_again(size_t bytes)
{
	unsigned char *p = malloc(bytes);
	const char *found = "something else";

	CHECK(p, "bytes=%zu", bytes);
	memset(p, 0xa5, bytes);
	free(p);
	p = malloc(bytes);
	CHECK(p, "bytes=%zu", bytes);
	/* The allocator's own words are at the ends. */
	if (is_all(p + 64, bytes - 128, 0xa5))
		found = "as freed";
	else if (is_all(p + 64, bytes - 128, 0))
		found = "zeros";
	free(p);
	return found;
}

static const char *found_behind_break(void)
{
	char *was = sbrk(4 * MIB);
	const char *found;
	int fds[2];

	CHECK(was != (void *)-1 && !pipe(fds), "errno=%d", errno);
	memset(was, 1, 4 * MIB);
	CHECK(!brk(was), "errno=%d", errno);
	/* The kernel looks, and no call on memory. */
	found = write(fds[1], was + MIB, 1) == 1 ? "kept" : "nothing";
	CHECK(!close(fds[0]) && !close(fds[1]), "errno=%d", errno);
	return found;
}

static int again(void)
{
	/*
	 * The second is trimmed when it is freed, at a threshold that the program does not set; so much stays in use
	 * below that it may be retained.
	 */
	char *used = malloc(64 * MIB);

	CHECK(used, "errno=%d", errno);
	memset(used, 1, 64 * MIB);
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	printf("by mmap: %s\n", found_again(MIB));
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	printf("by brk: %s\n", found_again(20 * MIB));
	printf("behind the break: %s\n", found_behind_break());
	free(used);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = map_in_handler, .sa_flags = SA_RESTART };
	struct player players[THREADS];
	uint64_t seed;

	if (argc == 2 && !strcmp(argv[1], "again"))
		return again();
	CHECK(argc == 3, "arguments=%d", argc - 1);
	seed = strtoull(argv[1], NULL, 0);
	CHECK(!sigaction(SIGALRM, &action, NULL), "errno=%d", errno);
	arm();
	move_break(&seed);
	for (int i = 0; i < THREADS; i++) {
		players[i] = (struct player){ .seed = random_next(&seed), .steps = strtol(argv[2], NULL, 0) };
		CHECK(!pthread_create(&players[i].thread, NULL, play, &players[i]), "errno=%d", errno);
	}
	play(&(struct player){ .seed = seed, .steps = players[0].steps });
	for (int i = 0; i < THREADS; i++)
		pthread_join(players[i].thread, NULL);
	action.sa_handler = SIG_IGN;
	CHECK(!sigaction(SIGALRM, &action, NULL), "errno=%d", errno);
	CHECK(handled > 0, "no signal came");
	CHECK(!stale, "mmap() in a signal handler is not zero");
	return 0;
}
