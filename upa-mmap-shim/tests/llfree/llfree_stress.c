/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree_stress.c - threads that take, hand over and free all sorts of ranges of small states, beside threads that
 * reclaim, drain and look. A map with an atomic owner per page proves that no page is held twice; at the end
 * everything must be free again. In a second part each thread keeps to its share, so no get may fail.
 *
 *   llfree_stress [--full] [--seconds N] [--seed N]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "check.h"

#define MAX_BLOCKS 64
#define MAILBOXES 16
#define HANDED_OVER 0xffffffffu

struct block {
	uint64_t first;
	uint64_t pages;
};

struct scenario {
	const char *name;
	uint64_t pages;
	uint32_t slots;
	int mixed; /* threads that do everything */
	int reclaimers;
	uint64_t longest; /* run; 0: threads hold one block at a time, briefly */
};

static struct upa_llfree allocator;
static _Atomic uint32_t *owner;
static _Atomic unsigned char *old_bytes;
static _Atomic uint64_t mailbox[MAILBOXES]; /* pages << 40 | first + 1 */
static _Atomic bool stop;
static _Atomic uint64_t operations;
static _Atomic uint64_t failures;
static uint64_t base_seed = 1;
static const struct scenario *now;

static void took(uint32_t me, uint64_t first, uint64_t n)
{
	uint64_t p = first;

	CHECK(first < allocator.pages && n <= allocator.pages - first, "first=%" PRIu64 " n=%" PRIu64, first, n);
	for (uint64_t i = first; i < first + n; i++) {
		uint32_t other = atomic_exchange(&owner[i], me);

		CHECK(!other, "%s: page=%" PRIu64 " taken by %u is held by %u", now->name, i, me, other);
	}
	while (p < first + n) {
		uint64_t length = 0;
		int64_t stale = upa_llfree_next_stale(&allocator, p, first + n - p, &length);
		uint64_t from = stale < 0 ? first + n : (uint64_t)stale;

		for (; p < from; p++)
			CHECK(!atomic_load(&old_bytes[p]),
			      "%s: page=%" PRIu64 " has old bytes, first=%" PRIu64 " n=%" PRIu64, now->name, p, first,
			      n);
		p = from + length;
	}
}

static void give(uint32_t me, uint32_t slot, uint64_t first, uint64_t n, uint32_t flags)
{
	for (uint64_t p = first; p < first + n; p++) {
		if (flags == UPA_PUT_ABSENT || flags == UPA_PUT_ZEROED)
			atomic_store(&old_bytes[p], 0);
		else if (!flags)
			atomic_store(&old_bytes[p], 1);
		CHECK(atomic_exchange(&owner[p], 0) == me, "%s: page=%" PRIu64 " freed by %u", now->name, p, me);
	}
	CHECK(!upa_llfree_put_run(&allocator, slot, first, n, flags), "%s: first=%" PRIu64 " n=%" PRIu64, now->name,
	      first, n);
}

/* Leaves a block in a mailbox and takes out what was there. */
static void swap(uint32_t me, uint64_t *seed, struct block *b)
{
	uint64_t word = 0;

	if (b->pages) {
		for (uint64_t p = b->first; p < b->first + b->pages; p++)
			atomic_store(&owner[p], HANDED_OVER);
		word = b->pages << 40 | (b->first + 1);
	}
	word = atomic_exchange(&mailbox[random_below(seed, MAILBOXES)], word);
	b->pages = word >> 40;
	b->first = (word & ((1ull << 40) - 1)) - 1;
	for (uint64_t p = b->first; b->pages && p < b->first + b->pages; p++)
		CHECK(atomic_exchange(&owner[p], me) == HANDED_OVER, "%s: page=%" PRIu64, now->name, p);
}

static bool take(uint32_t me, uint64_t *seed, struct block *b)
{
	uint32_t flags = (uint32_t)random_below(seed, 4);
	uint64_t kind = random_below(seed, 8);
	int64_t page;

	/* Often just a tree or a group, which are taken in one step. */
	if (kind == 7 && now->longest >= UPA_TREE_PAGES && random_below(seed, 2)) {
		b->pages = now->longest >= UPA_GROUP_PAGES && random_below(seed, 3) == 0 ? UPA_GROUP_PAGES :
											   UPA_TREE_PAGES;
		page = upa_llfree_get_run(&allocator, me, b->pages, flags);
	} else if (kind < 4) {
		uint32_t order = (uint32_t)random_below(seed, kind ? 4 : 10);

		b->pages = 1ull << order;
		page = upa_llfree_get(&allocator, me, order, flags);
		CHECK(page < 0 || page % (int64_t)b->pages == 0, "page=%" PRId64 " order=%u", page, order);
	} else {
		b->pages = 1 + random_below(seed, kind < 7 ? 70 : now->longest);
		page = upa_llfree_get_run(&allocator, me, b->pages, flags);
	}
	if (page < 0) {
		CHECK(page == -12 /* ENOMEM */, "page=%" PRId64, page);
		atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
		b->pages = 0;
		return false;
	}
	b->first = (uint64_t)page;
	took(me, b->first, b->pages);
	return true;
}

static void *mixed(void *argument)
{
	uint32_t me = (uint32_t)(uintptr_t)argument;
	struct block blocks[MAX_BLOCKS] = { 0 };
	uint64_t seed = base_seed * 1000 + me;
	uint64_t n = 0;

	for (; !atomic_load_explicit(&stop, memory_order_relaxed); n++) {
		struct block *b = &blocks[random_below(&seed, MAX_BLOCKS)];
		uint64_t kind = random_below(&seed, 8);

		if (!b->pages) {
			if (kind == 0)
				swap(me, &seed, b);
			else
				take(me, &seed, b);
		} else if (kind == 0) {
			swap(me, &seed, b);
		} else if (kind < 5 || b->pages == 1) {
			give(me, me, b->first, b->pages, (uint32_t)random_below(&seed, 3));
			b->pages = 0;
		} else {
			/* A part from either end, or from the middle where there is an entry for the rest. */
			uint64_t from = kind == 5 ? 0 : random_below(&seed, b->pages);
			uint64_t part = 1 + random_below(&seed, b->pages - from);
			uint64_t rest = b->pages - from - part;
			struct block *other = &blocks[random_below(&seed, MAX_BLOCKS)];

			if (from && rest && other->pages)
				continue;
			give(me, me, b->first + from, part, (uint32_t)random_below(&seed, 3));
			if (from && rest)
				*other = (struct block){ b->first + from + part, rest };
			*b = from ? (struct block){ b->first, from } : (struct block){ b->first + part, rest };
		}
	}
	for (int i = 0; i < MAX_BLOCKS; i++)
		if (blocks[i].pages)
			give(me, me, blocks[i].first, blocks[i].pages, 0);
	atomic_fetch_add(&operations, n);
	return NULL;
}

/* Holds one block at a time and briefly, so that the child becomes whole and its state changes all the time. */
static void *brief(void *argument)
{
	uint32_t me = (uint32_t)(uintptr_t)argument;
	uint64_t seed = base_seed * 1000 + me;
	uint64_t n = 0;

	for (; !atomic_load_explicit(&stop, memory_order_relaxed); n++) {
		uint32_t order = random_below(&seed, 3) ? (uint32_t)random_below(&seed, 3) : UPA_MAX_ORDER;
		int64_t page = upa_llfree_get(&allocator, me, order, 0);

		if (page < 0)
			continue;
		took(me, (uint64_t)page, 1ull << order);
		give(me, me, (uint64_t)page, 1ull << order,
		     order == UPA_MAX_ORDER ? 0 : (uint32_t)random_below(&seed, 3));
	}
	atomic_fetch_add(&operations, n);
	return NULL;
}

/* Takes free memory away from under the others: whole children, and whatever free run it sees. */
static void *reclaimer(void *argument)
{
	uint32_t me = (uint32_t)(uintptr_t)argument;
	uint64_t seed = base_seed * 1000 + me;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint64_t first = random_below(&seed, allocator.pages);
		uint64_t length = 0;
		struct upa_llfree view;
		struct upa_llfree_stats st;

		switch (random_below(&seed, 8)) {
		case 0: upa_llfree_drain(&allocator); break;
		case 1:
			CHECK(!upa_llfree_attach(&view, allocator.state,
						 upa_llfree_state_size(allocator.pages, allocator.slots)),
			      "attach");
			CHECK(view.pages == allocator.pages && view.bitmap == allocator.bitmap, "pages=%" PRIu64,
			      view.pages);
			break;
		case 2:
			upa_llfree_get_stats(&allocator, &st);
			CHECK(st.free_pages <= st.pages, "free_pages=%" PRIu64, st.free_pages);
			break;
		case 3:
		case 4:
			length = random_below(&seed, 3) ? UPA_CHILD_PAGES : UPA_TREE_PAGES;
			first -= first % length;
			length = allocator.pages - first < length ? allocator.pages - first : length;
			break;
		default:
			if (upa_llfree_next(&allocator, first, allocator.pages - first, 1, &length) < 0)
				length = 0;
			else
				first = (uint64_t)upa_llfree_next(&allocator, first, allocator.pages - first, 1,
								  &length);
			if ((int64_t)first < 0)
				length = 0;
			break;
		}
		if (length && upa_llfree_get_at(&allocator, me, first, length) >= 0) {
			took(me, first, length);
			give(me, me, first, length, random_below(&seed, 3) ? UPA_PUT_ABSENT : UPA_PUT_UNTOUCHED);
		}
	}
	return NULL;
}

static void begin(const struct scenario *s)
{
	size_t bytes = upa_llfree_state_size(s->pages, s->slots);

	now = s;
	CHECK(!upa_llfree_init(&allocator, map_state(bytes, 0), bytes, s->pages, s->slots), "%s", s->name);
	owner = calloc(s->pages, sizeof(*owner));
	old_bytes = calloc(s->pages, 1);
	atomic_store(&stop, false);
	atomic_store(&operations, 0);
	atomic_store(&failures, 0);
}

/* Everything has been given back: is it there again? */
static void end(void)
{
	struct upa_llfree_stats st;

	check_valid(&allocator);
	upa_llfree_get_stats(&allocator, &st);
	CHECK(st.free_pages == allocator.pages, "%s: free_pages=%" PRIu64, now->name, st.free_pages);
	CHECK(upa_llfree_get_run(&allocator, 0, allocator.pages, 0) == 0, "%s: not all pages can be had", now->name);
	check_valid(&allocator);
	munmap(allocator.state, upa_llfree_state_size(allocator.pages, allocator.slots));
	free((void *)owner);
	free((void *)old_bytes);
}

static void run_mixed(const struct scenario *s, double seconds)
{
	pthread_t threads[32];
	struct timespec time = { (time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9) };
	int n = s->mixed + s->reclaimers;

	begin(s);
	for (int i = 0; i < n; i++)
		CHECK(!pthread_create(&threads[i], NULL,
				      i >= s->mixed ? reclaimer :
				      s->longest    ? mixed :
						      brief,
				      (void *)(uintptr_t)(i + 1)),
		      "thread %d", i);
	nanosleep(&time, NULL);
	atomic_store(&stop, true);
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < MAILBOXES; i++) {
		struct block b = { 0 };
		uint64_t word = atomic_exchange(&mailbox[i], 0);

		b.pages = word >> 40;
		b.first = (word & ((1ull << 40) - 1)) - 1;
		if (b.pages)
			give(HANDED_OVER, 0, b.first, b.pages, 0);
	}
	end();
	printf("%-28s %10" PRIu64 " operations, %8" PRIu64 " without room\n", s->name, operations, failures);
}

/* ---- each thread keeps to its share --------------------------------------------------------- */

struct share {
	uint32_t me;
	uint32_t order;
	uint64_t most; /* blocks it may hold */
};

static void *keep_to_share(void *argument)
{
	const struct share *share = argument;
	uint64_t *held = calloc(share->most, sizeof(*held));
	uint64_t seed = base_seed * 77 + share->me;
	uint64_t count = 0;
	uint64_t n = 0;

	for (; !atomic_load_explicit(&stop, memory_order_relaxed); n++) {
		if (count < share->most && random_below(&seed, 3)) {
			int64_t page = upa_llfree_get(&allocator, share->me, share->order, 0);

			if (page < 0) {
				atomic_fetch_add(&failures, 1);
				continue;
			}
			took(share->me, (uint64_t)page, 1ull << share->order);
			held[count++] = (uint64_t)page;
		} else if (count) {
			uint64_t i = random_below(&seed, count);

			give(share->me, share->me, held[i], 1ull << share->order, 0);
			held[i] = held[--count];
		}
	}
	while (count)
		give(share->me, share->me, held[--count], 1ull << share->order, 0);
	free(held);
	atomic_fetch_add(&operations, n);
	return NULL;
}

static void run_shares(uint32_t slots, uint32_t order, uint32_t threads, uint64_t blocks, double seconds)
{
	char name[80];
	struct scenario s = { name, threads * blocks << order, slots, 0, 0, 0 };
	struct timespec time = { (time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9) };
	struct share shares[32];
	pthread_t ids[32];

	snprintf(name, sizeof(name), "shares o%u t%u s%u b%" PRIu64, order, threads, slots, blocks);
	begin(&s);
	for (uint32_t i = 0; i < threads; i++) {
		shares[i] = (struct share){ i + 1, order, blocks };
		CHECK(!pthread_create(&ids[i], NULL, keep_to_share, &shares[i]), "thread %u", i);
	}
	nanosleep(&time, NULL);
	atomic_store(&stop, true);
	for (uint32_t i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	end();
	printf("%-28s %10" PRIu64 " operations, %8" PRIu64 " failed\n", name, operations, failures);
	CHECK(!failures, "%s: %" PRIu64 " gets failed although there was room", name, failures);
}

int main(int argc, char **argv)
{
	static const struct scenario scenarios[] = {
		{ "70 pages", 70, 2, 4, 1, 70 },
		{ "a child", 512, 2, 4, 2, 512 },
		{ "a tree", 8192, 3, 4, 2, 5000 },
		{ "two trees and a part", 2 * 8192 + 3000, 4, 4, 2, 6000 },
		{ "a child, briefly held", 512, 4, 4, 0, 0 },
		{ "eight threads, one slot", 8192, 1, 8, 1, 1500 },
		{ "trees, whole and in parts", 4 * 8192, 4, 4, 1, 2 * 8192 },
		{ "two groups and a part", 2 * 131072 + 9000, 4, 3, 2, 140000 },
	};
	double seconds = 5;
	double each;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--full"))
			seconds = 120;
		else if (!strcmp(argv[i], "--seconds") && i + 1 < argc)
			seconds = atof(argv[++i]);
		else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
			base_seed = strtoull(argv[++i], NULL, 0);
	each = seconds / 13;
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		run_mixed(&scenarios[i], each);
	run_shares(2, 0, 2, 1, each);
	run_shares(4, 0, 4, 16, each);
	run_shares(4, 2, 4, 32, each);
	run_shares(3, 9, 3, 8, each);
	run_shares(4, 9, 4, 16, each);
	return 0;
}
