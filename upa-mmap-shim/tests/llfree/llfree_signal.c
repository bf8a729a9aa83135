/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree_signal.c - a signal handler that takes and frees pages in the midst of the same thread's operation on the
 * same slot: nothing is held twice, nothing blocks, and nothing is lost.
 *
 *   llfree_signal [--full]
 */
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>

#include "check.h"

#define PAGES 9000u
#define BLOCKS 48
#define HANDLER_BLOCKS 8

static struct upa_llfree a;
static _Atomic unsigned char owner[PAGES]; /* 1: the thread, 2: its handler */
static volatile sig_atomic_t signals;
static uint64_t handler_seed = 99;
static struct block {
	uint64_t first, pages;
} handler_blocks[HANDLER_BLOCKS];

static void change(uint64_t first, uint64_t pages, unsigned char from, unsigned char to)
{
	for (uint64_t p = first; p < first + pages; p++) {
		unsigned char was = atomic_exchange(&owner[p], to);

		CHECK(was == from, "page=%" PRIu64 " was=%u from=%u to=%u signals=%d", p, was, from, to, (int)signals);
	}
}

static void step(struct block *b, uint64_t *seed, unsigned char me)
{
	if (b->pages) {
		change(b->first, b->pages, me, 0);
		CHECK(!upa_llfree_put_run(&a, 0, b->first, b->pages, (uint32_t)random_below(seed, 3)), "first=%" PRIu64,
		      b->first);
		b->pages = 0;
	} else {
		uint64_t pages = random_below(seed, 8) ? 1 + random_below(seed, 130) : 1 + random_below(seed, 2000);
		int64_t page = upa_llfree_get_run(&a, 0, pages, 0);

		if (page < 0)
			return;
		change((uint64_t)page, pages, 0, me);
		*b = (struct block){ (uint64_t)page, pages };
	}
}

static void handler(int number)
{
	(void)number;
	signals++;
	for (int i = 0; i < 3; i++)
		step(&handler_blocks[random_below(&handler_seed, HANDLER_BLOCKS)], &handler_seed, 2);
	if (signals % 16 == 0)
		upa_llfree_drain(&a);
}

int main(int argc, char **argv)
{
	int wanted = argc > 1 && !strcmp(argv[1], "--full") ? 200000 : 5000;
	struct itimerval every = { { 0, 50 }, { 0, 50 } };
	struct itimerval never = { 0 };
	struct sigaction action = { .sa_handler = handler };
	struct block blocks[BLOCKS] = { 0 };
	struct upa_llfree_stats st;
	size_t bytes = upa_llfree_state_size(PAGES, 1);
	uint64_t seed = 7;
	uint64_t n = 0;

	CHECK(!upa_llfree_init(&a, map_state(bytes, 0), bytes, PAGES, 1), "init");
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	for (; signals < wanted; n++)
		step(&blocks[random_below(&seed, BLOCKS)], &seed, 1);
	setitimer(ITIMER_REAL, &never, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGALRM, &action, NULL);

	check_valid(&a);
	for (int i = 0; i < BLOCKS; i++)
		if (blocks[i].pages)
			step(&blocks[i], &seed, 1);
	for (int i = 0; i < HANDLER_BLOCKS; i++)
		if (handler_blocks[i].pages)
			step(&handler_blocks[i], &seed, 2);
	check_valid(&a);
	upa_llfree_get_stats(&a, &st);
	CHECK(st.free_pages == PAGES, "free_pages=%" PRIu64, st.free_pages);
	CHECK(upa_llfree_get_run(&a, 0, PAGES, 0) == 0, "not all pages can be had");
	printf("%" PRIu64 " operations, %d signals\n", n, (int)signals);
	return 0;
}
