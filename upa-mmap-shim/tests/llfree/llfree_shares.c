/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree_shares.c - threads each of which keeps to its share of a state, in blocks of one size, so that no get may fail
 * for want of room: however the others free here and take there while it looks. Who goes on is drawn before each access
 * to the state (yield.h), from a fixed seed, so a run that fails fails again.
 *
 *   llfree_shares [--full] [--seed N]
 */
#include <stdbool.h>
#include <string.h>
#include <ucontext.h>

#include "check.h"

#define MOST_THREADS 4
#define MOST_BLOCKS 16
#define STACK_BYTES (256u << 10)

struct scenario {
	uint32_t slots;
	uint32_t order;
	uint32_t threads;
	uint32_t blocks; /* a thread may hold */
	uint32_t stays;  /* accesses that a thread has before another goes on, on average */
};

extern void (*yield_hook)(void);

static const struct scenario *now;
static struct upa_llfree a;
static unsigned char *owner; /* of each block; 0, or thread + 1 */
static ucontext_t starter, contexts[MOST_THREADS];
static char stacks[MOST_THREADS][STACK_BYTES];
static bool finished[MOST_THREADS];
static uint32_t current;
static uint64_t seed;
static uint64_t operations, limit;

static void before_access(void)
{
	uint32_t me = current;

	if (random_below(&seed, now->stays))
		return;
	current = (uint32_t)random_below(&seed, now->threads);
	if (finished[current])
		current = me;
	if (current != me)
		swapcontext(&contexts[me], &contexts[current]);
}

static void change_owner(uint64_t page, uint32_t from, uint32_t to)
{
	unsigned char *o = &owner[page >> now->order];

	CHECK(*o == from, "page=%" PRIu64 " owner=%u expected=%u", page, *o, from);
	*o = (unsigned char)to;
}

static void give(uint32_t me, uint64_t page)
{
	change_owner(page, me + 1, 0);
	CHECK(!upa_llfree_put(&a, me, page, now->order), "page=%" PRIu64, page);
}

static void keep_to_share(void)
{
	uint32_t me = current;
	uint64_t held[MOST_BLOCKS];
	uint32_t count = 0;

	for (; operations < limit; operations++) {
		if (count < now->blocks && random_below(&seed, 3)) {
			int64_t page = upa_llfree_get(&a, me, now->order, 0);

			CHECK(page >= 0, "slots=%u order=%u threads=%u blocks=%u operation=%" PRIu64 ": get=%" PRId64,
			      now->slots, now->order, now->threads, now->blocks, operations, page);
			change_owner((uint64_t)page, 0, me + 1);
			held[count++] = (uint64_t)page;
		} else if (count) {
			uint64_t i = random_below(&seed, count);
			uint64_t page = held[i];

			held[i] = held[--count];
			give(me, page);
		}
	}
	while (count)
		give(me, held[--count]);
	finished[me] = true;
	/* uc_link leads back to the starter. */
}

static void run(const struct scenario *s, uint64_t n)
{
	uint64_t blocks = (uint64_t)s->threads * s->blocks;
	size_t bytes = upa_llfree_state_size(blocks << s->order, s->slots);

	now = s;
	operations = 0;
	limit = n;
	CHECK(!upa_llfree_init(&a, map_state(bytes, 0), bytes, blocks << s->order, s->slots), "slots=%u", s->slots);
	owner = calloc(blocks, 1);
	for (uint32_t t = 0; t < s->threads; t++) {
		getcontext(&contexts[t]);
		contexts[t].uc_stack.ss_sp = stacks[t];
		contexts[t].uc_stack.ss_size = STACK_BYTES;
		contexts[t].uc_link = &starter;
		makecontext(&contexts[t], keep_to_share, 0);
	}
	memset(finished, 0, sizeof(finished));
	yield_hook = before_access;
	for (uint32_t t = 0; t < s->threads; t++)
		while (!finished[t]) {
			current = t;
			swapcontext(&starter, &contexts[t]);
		}
	yield_hook = NULL;
	check_valid(&a);
	CHECK(upa_llfree_get_at(&a, 0, 0, a.pages) >= 0, "not all pages can be had");
	printf("slots=%u order=%u threads=%u blocks=%-2u %10" PRIu64 " operations\n", s->slots, s->order, s->threads,
	       s->blocks, operations);
	fflush(stdout);
	munmap(a.state, bytes);
	free(owner);
}

int main(int argc, char **argv)
{
	static const struct scenario scenarios[] = {
		{ 3, 9, 3, 4, 20 }, { 3, 9, 3, 8, 30 },  { 4, 9, 4, 8, 40 }, { 2, 8, 3, 4, 20 },
		{ 3, 8, 3, 8, 40 }, { 1, 8, 3, 8, 20 },  { 3, 7, 3, 8, 20 }, { 3, 8, 3, 16, 30 },
		{ 3, 3, 3, 8, 20 }, { 4, 0, 4, 16, 20 }, { 2, 0, 2, 1, 20 },
	};
	uint64_t n = 2000000;
	uint64_t base_seed = 1;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--full"))
			n = 50000000;
		else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
			base_seed = strtoull(argv[++i], NULL, 0);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
		seed = base_seed * 1000 + i;
		run(&scenarios[i], n);
	}
	return 0;
}
