/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree_lazy.c - free memory that the kernel may take at any instant (MADV_FREE), beside threads that get and free
 * pages all the time: who gets a page of which nobody says that it is lazy finds what its last holder wrote, and it
 * stays so; who gets a lazy one finds that or zeros, and what he then writes stays. First with memory that a thread
 * takes as soon as it is marked, then with memory of the real kernel, which takes what is marked when it is told to
 * page it out.
 *
 *   llfree_lazy [--full] [--seconds N] [--seed N]
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "units.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define BLOCKS 24
#define MARKED 1ull /* of a simulated page's word: the kernel may take it; above it what the page holds */

/* What the pages are: words that one thread may clear, or memory of the kernel's. */
struct memory {
	const char *name;
	uint64_t (*read)(uint64_t page);
	void (*write)(uint64_t page, uint64_t value);
	void (*mark)(uint64_t first, uint64_t n);
	void (*drop)(uint64_t first, uint64_t n);
	void (*take)(uint64_t *seed);
};

static struct upa_llfree a;
static const struct memory *memory;
static _Atomic uint64_t *words; /* simulated pages */
static char *base;              /* or real ones */
static _Atomic uint64_t *last;  /* what the last holder left in a page, 0 for zeros; guarded by holding it */
static _Atomic uint32_t *owner;
static _Atomic bool stop;
static _Atomic uint64_t gets, lazy_gets, taken, marked;
static uint64_t base_seed = 1;

/* ---- simulated ------------------------------------------------------------------------------- */

static uint64_t read_word(uint64_t page)
{
	return atomic_load(&words[page]) >> 1;
}

static void write_word(uint64_t page, uint64_t value)
{
	atomic_store(&words[page], value << 1);
}

static void mark_words(uint64_t first, uint64_t n)
{
	for (uint64_t p = first; p < first + n; p++)
		atomic_fetch_or(&words[p], MARKED);
}

static void drop_words(uint64_t first, uint64_t n)
{
	for (uint64_t p = first; p < first + n; p++)
		atomic_store(&words[p], 0);
}

static void take_words(uint64_t *seed)
{
	for (uint64_t n = 0, p = random_below(seed, a.pages); n < 512; n++, p = (p + 1) % a.pages) {
		uint64_t w = atomic_load(&words[p]);

		if (w & MARKED && random_below(seed, 2))
			atomic_compare_exchange_strong(&words[p], &w, 0);
	}
}

/* ---- real ------------------------------------------------------------------------------------ */

static uint64_t read_page(uint64_t page)
{
	return __atomic_load_n((uint64_t *)(base + page * PAGE), __ATOMIC_SEQ_CST);
}

static void write_page(uint64_t page, uint64_t value)
{
	__atomic_store_n((uint64_t *)(base + page * PAGE), value, __ATOMIC_SEQ_CST);
}

static void mark_pages(uint64_t first, uint64_t n)
{
	CHECK(!madvise(base + first * PAGE, n * PAGE, MADV_FREE), "errno=%d", errno);
}

static void drop_pages(uint64_t first, uint64_t n)
{
	CHECK(!madvise(base + first * PAGE, n * PAGE, MADV_DONTNEED), "errno=%d", errno);
}

static void take_pages(uint64_t *seed)
{
	uint64_t n = a.pages < 512 ? a.pages : 512;

	madvise(base + random_below(seed, a.pages - n + 1) * PAGE, n * PAGE, MADV_PAGEOUT);
}

static const struct memory simulated = { "simulated", read_word, write_word, mark_words, drop_words, take_words };
static const struct memory real = { "real", read_page, write_page, mark_pages, drop_pages, take_pages };

/* ---- threads --------------------------------------------------------------------------------- */

static void hold(uint32_t me, uint64_t first, uint64_t n)
{
	for (uint64_t p = first; p < first + n; p++) {
		uint32_t other = atomic_exchange(&owner[p], me);

		CHECK(!other, "page=%" PRIu64 " taken by %u is held by %u", p, me, other);
	}
}

static void release(uint32_t me, uint64_t first, uint64_t n, uint32_t flags)
{
	for (uint64_t p = first; p < first + n; p++)
		CHECK(atomic_exchange(&owner[p], 0) == me, "page=%" PRIu64 " freed by %u", p, me);
	CHECK(!upa_llfree_put_run(&a, me, first, n, flags), "first=%" PRIu64 " n=%" PRIu64, first, n);
}

/*
 * Of pages just taken: does each hold what it must? Zeroed pages may count as stale by now, since somebody has freed
 * stale ones beside them; but they have been said to be zero.
 */
static void look(uint64_t first, uint64_t n, uint32_t holds)
{
	for (uint64_t p = first; p < first + n;) {
		uint64_t length = 0;
		int64_t stale = holds & UPA_HOLDS_STALE ? upa_llfree_next_stale(&a, p, first + n - p, &length) : -1;
		uint64_t from = stale < 0 ? first + n : (uint64_t)stale;

		CHECK(from == p || holds & (UPA_HOLDS_ABSENT | UPA_HOLDS_ZEROED),
		      "page=%" PRIu64 " is not, contents=%#x", p, holds);
		for (; p < from; p++)
			CHECK(!memory->read(p), "page=%" PRIu64 " is not zero, contents=%#x", p, holds);
		for (; p < from + length; p++) {
			uint64_t found = memory->read(p), left = atomic_load(&last[p]);

			CHECK(found == left || (!found && holds & UPA_HOLDS_LAZY),
			      "page=%" PRIu64 " holds %#" PRIx64 ", left=%#" PRIx64 " contents=%#x", p, found, left,
			      holds);
			if (found != left)
				atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
		}
	}
}

/* Writes to pages; each gets a value of its own, which nobody but its holder may change. */
static void fill(uint64_t first, uint64_t n, uint64_t *seed)
{
	for (uint64_t p = first; p < first + n; p++) {
		uint64_t value = random_next(seed) >> 2 | 1;

		memory->write(p, value);
		atomic_store(&last[p], value);
	}
}

static void check_filled(uint64_t first, uint64_t n)
{
	for (uint64_t p = first; p < first + n; p++) {
		uint64_t found = memory->read(p), left = atomic_load(&last[p]);

		CHECK(found == left, "page=%" PRIu64 " is held, and %#" PRIx64 " became %#" PRIx64, p, left, found);
	}
}

static void leave(uint32_t me, uint64_t first, uint64_t n, uint64_t *seed)
{
	uint32_t flags = (uint32_t)random_below(seed, 5);

	check_filled(first, n);
	if (flags == UPA_PUT_ABSENT)
		memory->drop(first, n);
	for (uint64_t p = first; p < first + n && (flags == UPA_PUT_ABSENT || flags == UPA_PUT_ZEROED); p++) {
		if (flags == UPA_PUT_ZEROED)
			memory->write(p, 0);
		atomic_store(&last[p], 0);
	}
	release(me, first, n, flags > UPA_PUT_ZEROED ? 0 : flags);
}

struct block {
	uint64_t first, n;
};

static uint64_t some_length(uint64_t *seed)
{
	static const uint64_t most[] = { 8, 70, UPA_CHILD_PAGES, 3 * UPA_CHILD_PAGES, UPA_TREE_PAGES };
	uint64_t n = 1 + random_below(seed, most[random_below(seed, 5)]);

	switch (random_below(seed, 12)) {
	case 0: n = UPA_CHILD_PAGES; break;
	case 1: n = random_below(seed, 8) ? UPA_CHILD_PAGES : UPA_TREE_PAGES; break;
	}
	return n < a.pages ? n : a.pages;
}

static void take(uint32_t me, struct block *b, uint64_t *seed)
{
	uint64_t n = some_length(seed);
	int64_t result = upa_llfree_get_run(&a, me, n, UPA_GET_CONTENTS | (uint32_t)random_below(seed, 2));
	uint64_t first;
	uint32_t holds;

	if (result < 0)
		return;
	first = (uint64_t)upa_llfree_page(result);
	holds = upa_llfree_holds(result);
	atomic_fetch_add_explicit(&gets, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&lazy_gets, !!(holds & UPA_HOLDS_LAZY), memory_order_relaxed);
	hold(me, first, n);
	look(first, n, holds);
	if (random_below(seed, 8) == 0) {
		release(me, first, n, UPA_PUT_UNTOUCHED);
		return;
	}
	fill(first, n, seed);
	if (random_below(seed, 2)) {
		CHECK(!upa_llfree_set_stale(&a, first, n), "first=%" PRIu64 " n=%" PRIu64, first, n);
		CHECK(n < UPA_CHILD_PAGES || first % UPA_CHILD_PAGES || !upa_llfree_lazy(&a, first), "page=%" PRIu64,
		      first);
	}
	*b = (struct block){ first, n };
}

static void *work(void *argument)
{
	uint32_t me = (uint32_t)(uintptr_t)argument;
	uint64_t seed = base_seed * 1000 + me;
	struct block blocks[BLOCKS] = { 0 };

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		struct block *b = &blocks[random_below(&seed, BLOCKS)];
		uint64_t part;

		if (!b->n) {
			take(me, b, &seed);
			continue;
		}
		part = random_below(&seed, 3) ? b->n : 1 + random_below(&seed, b->n);
		leave(me, b->first, part, &seed);
		*b = (struct block){ b->first + part, b->n - part };
	}
	for (int i = 0; i < BLOCKS; i++)
		if (blocks[i].n)
			leave(me, blocks[i].first, blocks[i].n, &seed);
	return NULL;
}

/* Takes free pages, marks those that have memory, and frees them as they were: a scavenger, without haste. */
static void *mark(void *argument)
{
	uint32_t me = (uint32_t)(uintptr_t)argument;
	uint64_t seed = base_seed * 1000 + me;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint64_t from = random_below(&seed, a.pages), length = 0;
		int64_t first;
		bool before = random_below(&seed, 2);
		int contents;

		if (random_below(&seed, 2))
			from -= from % UPA_CHILD_PAGES;
		first = upa_llfree_next(&a, from, a.pages - from, 1, &length);
		if (first < 0)
			continue;
		from = (uint64_t)first;
		length = length < 2 * UPA_CHILD_PAGES ? length : UPA_CHILD_PAGES;
		contents = upa_llfree_get_at(&a, me, from, length);
		if (contents < 0)
			continue;
		hold(me, from, length);
		CHECK(contents > 0, "contents=%d", contents);
		look(from, length, (uint32_t)contents);
		if (contents & UPA_HOLDS_STALE) {
			if (before)
				CHECK(!upa_llfree_set_lazy(&a, from, length), "page=%" PRIu64, from);
			memory->mark(from, length);
			if (!before)
				CHECK(!upa_llfree_set_lazy(&a, from, length), "page=%" PRIu64, from);
			CHECK(upa_llfree_contents(&a, from, length) & UPA_HOLDS_LAZY, "page=%" PRIu64, from);
			atomic_fetch_add_explicit(&marked, length, memory_order_relaxed);
		}
		release(me, from, length, UPA_PUT_UNTOUCHED);
	}
	return NULL;
}

static void *kernel(void *argument)
{
	uint64_t seed = base_seed * 1000;

	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		memory->take(&seed);
	return argument;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static void run(uint64_t pages, uint32_t slots, double seconds)
{
	struct timespec time = { (time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9) };
	size_t bytes = upa_llfree_state_size(pages, slots);
	pthread_t threads[5];
	struct upa_llfree_stats st;

	CHECK(!upa_llfree_init(&a, map_state(bytes, 0), bytes, pages, slots), "pages=%" PRIu64, pages);
	words = calloc(pages, sizeof(*words));
	last = calloc(pages, sizeof(*last));
	owner = calloc(pages, sizeof(*owner));
	atomic_store(&stop, false);
	atomic_store(&gets, 0);
	atomic_store(&lazy_gets, 0);
	atomic_store(&taken, 0);
	atomic_store(&marked, 0);
	for (uint32_t i = 0; i < 5; i++)
		CHECK(!pthread_create(&threads[i], NULL,
				      i < 3  ? work :
				      i == 3 ? mark :
					       kernel,
				      (void *)(uintptr_t)(i + 1)),
		      "thread %u", i);
	nanosleep(&time, NULL);
	/* Where others want the processors, it takes longer. */
	for (int i = 0; i < 100 && !(atomic_load(&lazy_gets) && atomic_load(&taken)); i++)
		nanosleep(&time, NULL);
	atomic_store(&stop, true);
	for (int i = 0; i < 5; i++)
		pthread_join(threads[i], NULL);
	check_valid(&a);
	upa_llfree_get_stats(&a, &st);
	CHECK(st.free_pages == pages && st.lazy_pages <= st.retained_pages,
	      "free_pages=%" PRIu64 " lazy_pages=%" PRIu64, st.free_pages, st.lazy_pages);
	for (uint64_t p = 0; p < pages; p++)
		CHECK(!(atomic_load(&words[p]) & MARKED) || upa_llfree_lazy(&a, p), "page=%" PRIu64 " may vanish", p);
	printf("%-10s %8" PRIu64 " pages: %9" PRIu64 " gets, %8" PRIu64 " of lazy pages; %9" PRIu64
	       " pages marked, %8" PRIu64 " found taken\n",
	       memory->name, pages, gets, lazy_gets, marked, taken);
	CHECK(lazy_gets, "pages=%" PRIu64 ": nobody has got a lazy page", pages);
	CHECK(taken, "%s: pages=%" PRIu64 " marked=%" PRIu64 ": none has been taken", memory->name, pages, marked);
	munmap(a.state, bytes);
	free((void *)words);
	free((void *)last);
	free((void *)owner);
}

/* Does this kernel take marked memory when it is told to? */
static bool kernel_takes(void)
{
	write_page(0, 1);
	mark_pages(0, 1);
	return !madvise(base, PAGE, MADV_PAGEOUT) && !read_page(0);
}

static void run_real(uint64_t pages, double seconds)
{
	base = map_state(pages * PAGE, 0);
	madvise(base, pages * PAGE, MADV_NOHUGEPAGE);
	if (kernel_takes()) {
		memory = &real;
		drop_pages(0, pages);
		run(pages, 3, seconds);
	} else {
		printf("real: this kernel takes nothing when told to\n");
	}
	munmap(base, pages * PAGE);
}

int main(int argc, char **argv)
{
	double seconds = 4;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--full"))
			seconds = 120;
		else if (!strcmp(argv[i], "--seconds") && i + 1 < argc)
			seconds = atof(argv[++i]);
		else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
			base_seed = strtoull(argv[++i], NULL, 0);
	memory = &simulated;
	run(UPA_CHILD_PAGES, 2, seconds / 4);
	run(3 * UPA_TREE_PAGES + 700, 4, seconds / 4);
	run(UPA_GROUP_PAGES + 3000, 4, seconds / 4);
	run_real(UPA_TREE_PAGES + 1000, seconds / 4);
	return 0;
}
