/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree_fuzz.c - hostile states: words of the shared state are overwritten between and (by a second thread) during
 * operations. Whatever they hold, no function may touch memory outside the state, which lies between guard pages,
 * return pages that do not exist, or fail to return.
 *
 * Built with -fsanitize=fuzzer this is a libFuzzer target (UPA_LIBFUZZER); by itself it runs random inputs:
 *   llfree_fuzz [--full] [--seed N]
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"

#define GUARD 65536u

static _Atomic uint64_t *scribble_at; /* words a second thread overwrites meanwhile */
static _Atomic size_t scribble_words;
static _Atomic bool stop;

struct input {
	const uint8_t *bytes;
	size_t left;
};

/* The next n bytes of the input as a number; zeroes behind its end. */
static uint64_t take(struct input *in, size_t n)
{
	uint64_t value = 0;

	if (n > in->left)
		n = in->left;
	memcpy(&value, in->bytes, n);
	in->bytes += n;
	in->left -= n;
	return value;
}

/* n pages exist from one on, which a search or a get has returned; the latter with UPA_GET_CONTENTS or without it. */
static void check_page(const struct upa_llfree *a, int64_t result, uint64_t n)
{
	int64_t page = result < 0 ? result : upa_llfree_page(result);

	if (page >= 0)
		CHECK((uint64_t)page < a->pages && n <= a->pages - (uint64_t)page, "page=%" PRId64 " n=%" PRIu64, page,
		      n);
	else
		CHECK(page == -ENOMEM || page == -EINVAL || page == -1, "result=%" PRId64, page);
}

/* Overwrites a word somewhere behind the header, more often a child or tree word than a bit. */
static void overwrite(const struct upa_llfree *a, char *state, size_t bytes, struct input *in)
{
	uint64_t value = take(in, 8);
	uint64_t where = take(in, 2);

	/* Free or full are the counts that lead furthest. */
	if (value >> 62)
		value = (value & ~0x3ffull) | (value >> 62 == 1 ? 0 : 512);
	switch (take(in, 1) % 4) {
	case 0: ((_Atomic uint32_t *)a->tree)[where % a->trees] = (uint32_t)value; break;
	case 1: ((_Atomic uint32_t *)a->child)[where % (a->trees * UPA_TREE_CHILDREN)] = (uint32_t)value; break;
	case 2: ((_Atomic uint64_t *)a->slot)[where % (a->slots * 8)] = value; break;
	default: ((_Atomic uint64_t *)(state + 64))[where % (bytes / 8 - 8)] = value; break;
	}
}

/*
 * Lets the pages that the last child lacks look free in its bits, its word and the tree's: only the number of pages
 * says otherwise. One row of the child may be in use, and a slot has taken its last run about there.
 */
static void free_the_end(const struct upa_llfree *a, uint32_t slot, struct input *in)
{
	uint64_t last = a->children - 1;
	_Atomic uint64_t *rows = (_Atomic uint64_t *)a->bitmap + last * 16;
	_Atomic uint32_t *tree = (_Atomic uint32_t *)a->tree + last / UPA_TREE_CHILDREN;
	uint64_t of_free = take(in, 1) & 1 ? ~0ull : 0; /* by the polarity of the tree */
	uint32_t used_row = (uint32_t)take(in, 1) % 16;
	uint32_t ones = of_free ? UPA_CHILD_PAGES : 0;

	for (uint32_t i = 0; i < 8; i++)
		rows[i] = i == used_row ? ~of_free : of_free;
	if (used_row < 8)
		ones = of_free ? ones - 64 : ones + 64;
	((_Atomic uint32_t *)a->child)[last] = ones | (uint32_t)(take(in, 1) & 3) << 12;
	*tree = (*tree & ~0xffffu) | (uint32_t)take(in, 1);
	((_Atomic uint64_t *)a->slot)[slot % a->slots * 8 + 1] = (last + take(in, 1) % 4 - 2) * UPA_CHILD_PAGES;
}

static void one_operation(struct upa_llfree *a, char *state, size_t bytes, struct input *in)
{
	uint64_t kind = take(in, 1) % 16;
	uint32_t slot = (uint32_t)take(in, 1);
	uint64_t n = take(in, 2) >> (take(in, 1) & 15);
	uint64_t first = take(in, 3) % (a->pages + a->pages / 8 + 1);
	uint64_t length = 0;
	struct upa_llfree_stats st;
	struct upa_llfree other;
	char message[100];

	switch (kind) {
	case 0:
	case 1: check_page(a, upa_llfree_get(a, slot, (uint32_t)n % 11, n >> 4 & 15), 1ull << n % 11); break;
	case 2:
	case 3: check_page(a, upa_llfree_get_run(a, slot, n, first & 15), n); break;
	case 4: upa_llfree_get_at(a, slot, first, n); break;
	case 5:
	case 6: upa_llfree_put_run(a, slot, first, n, slot >> 4 & 3); break;
	case 7: check_page(a, upa_llfree_next_stale(a, first, n, &length), length); break;
	case 8: check_page(a, upa_llfree_next(a, first, n, slot & 1, &length), length); break;
	case 9:
		check_page(a, upa_llfree_next_state(a, first, n, slot & 15, &length), length);
		upa_llfree_taint(a, first, n);
		upa_llfree_tainted(a, first, n);
		upa_llfree_set_stale(a, first, n);
		upa_llfree_set_resident(a, first, n);
		upa_llfree_resident(a, first);
		upa_llfree_set_lazy(a, first, n);
		upa_llfree_lazy(a, first);
		upa_llfree_settle(a, first, n);
		upa_llfree_contents(a, first, n);
		upa_llfree_child_state(a, first);
		break;
	case 10: upa_llfree_drain(a); break;
	case 11:
		upa_llfree_get_stats(a, &st);
		upa_llfree_validate(a, message, sizeof(message));
		break;
	case 12:
		if (!atomic_load(&scribble_words))
			upa_llfree_recover(a);
		break;
	case 13:
		if (!upa_llfree_attach(&other, state, bytes))
			CHECK(other.pages == a->pages && other.slots == a->slots, "pages=%" PRIu64, other.pages);
		break;
	case 14:
		free_the_end(a, slot, in);
		n = 1 + n % (3 * UPA_CHILD_PAGES);
		check_page(a, upa_llfree_get_run(a, slot, n, first & 15), n);
		break;
	default: overwrite(a, state, bytes, in); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint64_t pages = 1 + take(&in, 2) % 20000;
	uint32_t slots = 1 + (uint32_t)take(&in, 1) % 5;
	size_t bytes = upa_llfree_state_size(pages, slots);
	size_t mapped = (bytes + 4095) & ~(size_t)4095;
	char *memory = map_state(mapped + 2 * GUARD, 0);
	char *state = memory + GUARD + (mapped - bytes); /* ends where the guard begins; 64-byte aligned as bytes is */
	size_t words;
	struct upa_llfree a;

	CHECK(!mprotect(memory, GUARD, PROT_NONE) && !mprotect(memory + GUARD + mapped, GUARD, PROT_NONE), "errno=%d",
	      errno);
	CHECK(!upa_llfree_init(&a, state, bytes, pages, slots), "pages=%" PRIu64, pages);
	/* From an honest state that was used a little, or from noise. */
	for (size_t i = 4096; size & 2 && i + 8 <= bytes; i += 8)
		if (take(&in, 1) & 1)
			*(_Atomic uint64_t *)(state + i) = take(&in, 8);
	if (size & 1) {
		scribble_at = (_Atomic uint64_t *)(state + 64);
		atomic_store(&scribble_words, bytes / 8 - 8);
	}
	while (in.left)
		one_operation(&a, state, bytes, &in);
	do
		words = bytes / 8 - 8;
	while (size & 1 && !atomic_compare_exchange_weak(&scribble_words, &words, 0)); /* it may be writing just now */
	munmap(memory, mapped + 2 * GUARD);
	return 0;
}

#ifndef UPA_LIBFUZZER

static void *scribble(void *argument)
{
	uint64_t seed = (uintptr_t)argument;

	while (!atomic_load(&stop)) {
		size_t words = atomic_load(&scribble_words);

		/* Claimed while it writes, so that the state is not unmapped under it. */
		if (words && words != SIZE_MAX && atomic_compare_exchange_strong(&scribble_words, &words, SIZE_MAX)) {
			for (int i = 0; i < 16; i++)
				atomic_store_explicit(&scribble_at[random_below(&seed, words)], random_next(&seed),
						      memory_order_relaxed);
			atomic_store(&scribble_words, words);
		}
		usleep(20);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	uint64_t inputs = 1000;
	uint64_t seed = 1;
	static uint8_t data[6000];
	/* What takes so much processor time hangs, whatever else the machine does: SIGPROF ends the test. */
	const struct itimerval hang = { .it_value = { .tv_sec = 20 } };
	pthread_t thread;

	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--full"))
			inputs = 200000;
		else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
			seed = strtoull(argv[++i], NULL, 0);
	CHECK(!pthread_create(&thread, NULL, scribble, (void *)(uintptr_t)(seed + 1)), "thread");
	for (uint64_t n = 0; n < inputs; n++) {
		size_t size = 50 + random_below(&seed, sizeof(data) - 50);

		for (size_t i = 0; i < size; i++)
			data[i] = (uint8_t)random_next(&seed);
		CHECK(!setitimer(ITIMER_PROF, &hang, NULL), "errno=%d", errno);
		LLVMFuzzerTestOneInput(data, size);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	printf("%" PRIu64 " inputs\n", inputs);
	return 0;
}

#endif
