/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree_kill.c - processes that work on one shared state and are killed at any instant, hundreds of times over. What
 * they had noted as theirs is still allocated after recovery and never handed out again, and no more is lost than the
 * operation each thread was in. In every other round one process survives and must go on working beside the dead.
 *
 *   llfree_kill [--full] [--rounds N] [--seed N]
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

#define WORKERS 3 /* processes */
#define THREADS 2 /* of each */
#define BLOCKS 24 /* that a thread holds at most */

/* A range as one word, so that a note is never half written: pages << 40 | first page + 1. */
#define RANGE(first, pages) ((uint64_t)(pages) << 40 | ((first) + 1))
#define RANGE_FIRST(word) (((word) & ((1ull << 40) - 1)) - 1)
#define RANGE_PAGES(word) ((word) >> 40)

/* What a thread notes, in shared memory, before and after each operation. */
struct journal {
	_Atomic uint64_t held[BLOCKS];
	_Atomic uint64_t getting; /* pages it is asking for, 0 if none */
	_Atomic uint64_t putting; /* range it is giving back, 0 if none */
	_Atomic uint64_t operations;
};

struct shared {
	struct journal journal[WORKERS][THREADS];
	_Atomic bool stop;
};

static struct upa_llfree a;
static struct shared *shared;
static uint64_t seed = 1;
static uint64_t losses;

/* Defined by yield.h if the allocator was built with it. */
extern _Atomic int64_t yield_die_after __attribute__((weak));

struct worker {
	uint32_t process;
	uint32_t thread;
	uint64_t seed;
};

static void *work(void *argument)
{
	struct worker w = *(struct worker *)argument;
	struct journal *j = &shared->journal[w.process][w.thread];
	uint32_t slot = w.process * THREADS + w.thread;

	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		_Atomic uint64_t *entry = &j->held[random_below(&w.seed, BLOCKS)];
		uint64_t range = atomic_load(entry);

		if (!range) {
			uint32_t order = (uint32_t)random_below(&w.seed, 10);
			uint64_t pages = random_below(&w.seed, 2) ? 1ull << order : 1 + random_below(&w.seed, 1500);
			int64_t page;

			if (a.pages > UPA_TREE_PAGES && random_below(&w.seed, 8) == 0)
				pages = a.pages > UPA_GROUP_PAGES && random_below(&w.seed, 2) ? UPA_GROUP_PAGES :
												UPA_TREE_PAGES;

			atomic_store(&j->getting, pages);
			page = pages == 1ull << order ? upa_llfree_get(&a, slot, order, 0) :
							upa_llfree_get_run(&a, slot, pages, 0);
			if (page >= 0)
				atomic_store(entry, RANGE((uint64_t)page, pages));
			atomic_store(&j->getting, 0);
		} else {
			uint64_t first = RANGE_FIRST(range);
			uint64_t pages = RANGE_PAGES(range);
			uint64_t part = random_below(&w.seed, 2) ? pages : 1 + random_below(&w.seed, pages);

			atomic_store(&j->putting, RANGE(first, part));
			atomic_store(entry, part == pages ? 0 : RANGE(first + part, pages - part));
			CHECK(!upa_llfree_put_run(&a, slot, first, part, (uint32_t)random_below(&w.seed, 3)),
			      "first=%" PRIu64, first);
			atomic_store(&j->putting, 0);
		}
		atomic_fetch_add_explicit(&j->operations, 1, memory_order_relaxed);
		if (random_below(&w.seed, 64) == 0)
			upa_llfree_drain(&a);
	}
	return NULL;
}

static pid_t start(uint32_t process, int64_t die_after)
{
	struct worker workers[THREADS];
	pthread_t thread;
	pid_t pid;

	for (uint32_t t = 0; t < THREADS; t++)
		workers[t] = (struct worker){ process, t, random_next(&seed) };
	fflush(NULL);
	pid = fork();
	CHECK(pid >= 0, "errno=%d", errno);
	if (pid)
		return pid;
	if (&yield_die_after && die_after)
		atomic_store(&yield_die_after, die_after);
	CHECK(!pthread_create(&thread, NULL, work, &workers[1]), "thread");
	work(&workers[0]);
	pthread_join(thread, NULL);
	_exit(0);
}

static void end_worker(pid_t pid, bool killed)
{
	int status;

	CHECK(waitpid(pid, &status, 0) == pid, "errno=%d", errno);
	if (killed)
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status=%#x", status);
	else
		CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "status=%#x", status);
}

static void mark(unsigned char *map, uint64_t range, unsigned char value)
{
	for (uint64_t p = RANGE_FIRST(range); range && p < RANGE_FIRST(range) + RANGE_PAGES(range); p++) {
		CHECK(!map[p] || value == 2, "page=%" PRIu64 " is held twice", p);
		if (!map[p])
			map[p] = value;
	}
}

static bool is_allocated(uint64_t page)
{
	uint64_t length;

	return upa_llfree_next(&a, page, 1, 0, &length) == (int64_t)page;
}

/*
 * Beside the dead, before anybody recovers: all that is free can be had but for what their last operations have
 * claimed.
 */
static void check_unrecovered(void)
{
	uint64_t *got = calloc(a.pages, sizeof(*got));
	uint64_t claimed = 0;
	uint64_t free_pages = 0;
	uint64_t n = 0;
	uint64_t length = 0;
	int64_t page;

	for (uint32_t w = 0; w < WORKERS; w++)
		for (uint32_t t = 0; t < THREADS; t++)
			claimed += atomic_load(&shared->journal[w][t].getting) +
				   RANGE_PAGES(atomic_load(&shared->journal[w][t].putting));
	for (uint64_t p = 0; p < a.pages && (page = upa_llfree_next(&a, p, a.pages - p, 1, &length)) >= 0;
	     p = (uint64_t)page + length)
		free_pages += length;
	while ((page = upa_llfree_get(&a, 1, 0, 0)) >= 0)
		got[n++] = (uint64_t)page;
	CHECK(n + claimed >= free_pages, "got=%" PRIu64 " claimed=%" PRIu64 " free=%" PRIu64, n, claimed, free_pages);
	while (n)
		CHECK(!upa_llfree_put(&a, 1, got[--n], 0), "page=%" PRIu64, got[n]);
	free(got);
}

/* All are dead. */
static void check_recovered(void)
{
	unsigned char *map = calloc(a.pages, 1); /* 1: noted as held, 2: was being freed */
	uint64_t may_be_lost = 0;
	uint64_t lost = 0;
	int64_t page;

	check_unrecovered();
	CHECK(upa_llfree_recover(&a) >= 0, "recover");
	check_valid(&a);
	for (uint32_t w = 0; w < WORKERS; w++)
		for (uint32_t t = 0; t < THREADS; t++) {
			struct journal *j = &shared->journal[w][t];

			for (int i = 0; i < BLOCKS; i++)
				mark(map, atomic_load(&j->held[i]), 1);
		}
	for (uint32_t w = 0; w < WORKERS; w++)
		for (uint32_t t = 0; t < THREADS; t++) {
			struct journal *j = &shared->journal[w][t];

			/* Of a range that was being freed a part may be free, and somebody's again. */
			mark(map, atomic_load(&j->putting), 2);
			may_be_lost += atomic_load(&j->getting);
		}
	for (uint64_t p = 0; p < a.pages; p++) {
		if (map[p] == 1)
			CHECK(is_allocated(p), "page=%" PRIu64 " was held and is free", p);
		else if (is_allocated(p))
			lost += !map[p];
	}
	CHECK(lost <= may_be_lost, "lost=%" PRIu64 " may_be_lost=%" PRIu64, lost, may_be_lost);
	losses += lost;

	/* Nobody gets what is held. */
	while ((page = upa_llfree_get(&a, 0, 0, 0)) >= 0) {
		CHECK(map[page] != 1, "page=%" PRId64 " is held and was handed out again", page);
		map[page] |= 4;
	}
	for (uint64_t p = 0; p < a.pages; p++) {
		CHECK(is_allocated(p), "page=%" PRIu64 " is free and was not handed out", p);
		/* All but what is noted as held goes back: what was lost, too. */
		if (map[p] != 1)
			CHECK(!upa_llfree_put_run(&a, 0, p, 1, 0), "page=%" PRIu64, p);
	}
	check_valid(&a);
	for (uint32_t w = 0; w < WORKERS; w++)
		for (uint32_t t = 0; t < THREADS; t++) {
			atomic_store(&shared->journal[w][t].getting, 0);
			atomic_store(&shared->journal[w][t].putting, 0);
		}
	free(map);
}

static void pause_us(uint64_t us)
{
	struct timespec time = { (time_t)(us / 1000000), (long)(us % 1000000) * 1000 };

	nanosleep(&time, NULL);
}

static uint64_t operations_of(uint32_t process)
{
	return atomic_load(&shared->journal[process][0].operations) +
	       atomic_load(&shared->journal[process][1].operations);
}

static void one_round(bool survivor)
{
	pid_t pids[WORKERS];

	atomic_store(&shared->stop, false);
	/* Built with yield.h they die by themselves, before one of their next atomic operations. */
	for (uint32_t i = 0; i < WORKERS; i++)
		pids[i] = start(i, survivor && i == 0 ? 0 : 1 + (int64_t)random_below(&seed, 4000));
	if (!&yield_die_after) {
		pause_us(random_below(&seed, 4000));
		for (uint32_t i = survivor; i < WORKERS; i++)
			kill(pids[i], SIGKILL);
	}
	for (uint32_t i = survivor; i < WORKERS; i++)
		end_worker(pids[i], true);
	if (survivor) {
		uint64_t before = operations_of(0);

		for (int i = 0; operations_of(0) < before + 100; i++) {
			CHECK(i < 60000, "the survivor is blocked after %" PRIu64 " operations",
			      operations_of(0) - before);
			pause_us(1000);
		}
		atomic_store(&shared->stop, true);
		end_worker(pids[0], false);
	}
	check_recovered();
}

int main(int argc, char **argv)
{
	static const uint64_t sizes[] = { 700, 8192, 20000, 131072 + 20000 };
	uint64_t rounds = 400;
	uint64_t operations = 0;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--full"))
			rounds = 10000;
		else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
			rounds = strtoull(argv[++i], NULL, 0);
		else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 0);
	shared = map_state(sizeof(*shared), 1);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
		size_t bytes = upa_llfree_state_size(sizes[k], 4);

		memset(shared, 0, sizeof(*shared));
		CHECK(!upa_llfree_init(&a, map_state(bytes, 1), bytes, sizes[k], 4), "pages=%" PRIu64, sizes[k]);
		for (uint64_t i = 0; i < rounds / 4; i++)
			one_round(i % 2);
		for (uint32_t w = 0; w < WORKERS; w++)
			operations += operations_of(w);
		munmap(a.state, bytes);
	}
	printf("%" PRIu64 " rounds, %" PRIu64 " operations, %" PRIu64 " pages lost and found\n", rounds / 4 * 4,
	       operations, losses);
	return 0;
}
