/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlmalloc_stress.c - random calls of several threads on dlmalloc as built here, once per library. Every byte of a
 * block is a function of the block, and is checked whenever the block is touched; blocks go from thread to thread.
 * calloc must give zeros whatever the pages held before, which the library on uncleared pages has to see to itself.
 *
 *   dlmalloc_stress [STEPS [SEED]]
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include <upa/dlmalloc.h>
#if ON_UPA
#include <upa/mman.h>
#endif

#include "check.h"

#define THREADS 3
#define LIVE 150
#define PASSED_ON 64

#if __SANITIZE_THREAD__
/*
 * dlmalloc reads the size of a block unlocked while the block in front of it changes flags in the same word. Races
 * between two holders of a block have no frame of its library and are reported.
 */
const char *__tsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
	return "race:libdlmalloc_\n";
}
#endif

/*
 * A block knows its size and mark; the rest of it follows from them. Aligned ones are not resized, see upa/dlmalloc.h.
 */
struct block {
	size_t bytes;
	uint64_t mark;
	bool aligned;
};

static struct block *_Atomic passed_on[PASSED_ON];
static int steps = 20000;

static unsigned char byte_of(uint64_t mark, size_t i)
{
	return (unsigned char)(mark * 31 + i * 7 + (i >> 12));
}

/* Large blocks at their ends and once per 256 bytes. */
static size_t next(size_t i, size_t bytes)
{
	return bytes < 4096 || i < 64 || i + 64 >= bytes ? i + 1 : i + 256 < bytes - 64 ? i + 256 : bytes - 64;
}

static struct block *fill(void *at, size_t bytes, uint64_t mark, bool aligned)
{
	struct block *b = at;

	*b = (struct block){ bytes, mark, aligned };
	for (size_t i = sizeof(*b); i < bytes; i = next(i, bytes))
		((unsigned char *)at)[i] = byte_of(mark, i);
	return b;
}

static void check_block(const struct block *b, size_t upto, uint64_t bytes)
{
	const unsigned char *p = (const unsigned char *)b;

	CHECK(b->bytes == bytes, "bytes=%zu", b->bytes);
	for (size_t i = sizeof(*b); i < bytes; i = next(i, bytes))
		CHECK(i >= upto || p[i] == byte_of(b->mark, i), "bytes=%zu offset=%zu", b->bytes, i);
}

static void check_zero(const unsigned char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		CHECK(!p[i], "bytes=%zu offset=%zu", bytes, i);
}

static size_t random_bytes(uint64_t *seed)
{
	size_t most = random_below(seed, 300) ? (size_t)64 << random_below(seed, 12) : (size_t)4 << 20;

	return sizeof(struct block) + random_below(seed, most);
}

/* Frees a block, and before that makes its bytes such that nobody takes them for zeros. */
static void dispose(struct block *b)
{
	check_block(b, b->bytes, b->bytes);
	memset(b, 0xdd, b->bytes);
	dlfree(b);
}

static struct block *acquire(uint64_t *seed, uint64_t mark)
{
	size_t bytes = random_bytes(seed);
	bool aligned = false;
	void *p;

	switch (random_below(seed, 4)) {
	case 0:
		p = dlcalloc(1, bytes);
		CHECK(p, "bytes=%zu", bytes);
		check_zero(p, bytes);
		break;
	case 1: {
		size_t alignment = (size_t)16 << random_below(seed, 10);

		aligned = true;
		p = dlmemalign(alignment, bytes);
		CHECK(p && (uintptr_t)p % alignment == 0, "alignment=%zu p=%p", alignment, p);
		break;
	}
	default: p = dlmalloc(bytes);
	}
	CHECK(p && (uintptr_t)p % 16 == 0 && dlmalloc_usable_size(p) >= bytes, "bytes=%zu p=%p", bytes, p);
	return fill(p, bytes, mark, aligned);
}

static struct block *resize(struct block *b, uint64_t *seed)
{
	struct block old = *b;
	size_t bytes = random_below(seed, 3) ? random_bytes(seed) : old.bytes * 2 % (8 << 20) + sizeof(*b);
	bool in_place = !random_below(seed, 4);
	struct block *moved = in_place ? dlrealloc_in_place(b, bytes) : dlrealloc(b, bytes);

	if (in_place && !moved) {
		check_block(b, old.bytes, old.bytes);
		return b;
	}
	CHECK(moved && (!in_place || moved == b), "bytes=%zu", bytes);
	check_block(moved, bytes < old.bytes ? bytes : old.bytes, old.bytes);
	return fill(moved, bytes, old.mark, false);
}

static void *work(void *argument)
{
	uint64_t seed = (uintptr_t)argument;
	struct block *live[LIVE] = { 0 };

	for (int step = 0; step < steps; step++) {
		struct block **b = &live[random_below(&seed, LIVE)];

		if (!*b)
			*b = acquire(&seed, random_next(&seed));
		else if (!(*b)->aligned && !random_below(&seed, 3))
			*b = resize(*b, &seed);
		else if (!random_below(&seed, 3))
			*b = atomic_exchange(&passed_on[random_below(&seed, PASSED_ON)], *b);
		else {
			dispose(*b);
			*b = NULL;
		}
		if (!random_below(&seed, 500))
			dlmalloc_trim(random_below(&seed, 2) ? 0 : 1 << 20);
#if ON_UPA
		if (!random_below(&seed, 2000))
			CHECK(upa_region_give_back(upa_mman_region(), random_below(&seed, 16) << 20) >= 0, "give back");
#endif
	}
	for (int i = 0; i < LIVE; i++)
		if (live[i])
			dispose(live[i]);
	return NULL;
}

#if ON_UPA
/* Pages that every allocation to come will meet: full of old bytes. */
static void stale_the_region(void)
{
	size_t bytes = (size_t)64 << 20;
	void *p = upa_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED, "errno=%d", errno);
	memset(p, 0xdd, bytes);
	CHECK(!upa_munmap(p, bytes), "errno=%d", errno);
}
#endif

int main(int argc, char **argv)
{
	const char *full = getenv("UPA_FULL");
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	pthread_t threads[THREADS];
	size_t held;

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	steps /= 5;
#endif
	if (full && *full)
		steps *= 20;
	if (argc > 1)
		steps = atoi(argv[1]);
#if ON_UPA
	stale_the_region();
#endif
	/* dlmalloc initialises itself unsynchronised, as far as the C standard goes. */
	dlfree(dlmalloc(1));
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, work, (void *)(seed * THREADS + i)), "thread");
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_join(threads[i], NULL), "join");
	for (int i = 0; i < PASSED_ON; i++)
		if (passed_on[i])
			dispose(passed_on[i]);
	held = dlmalloc_footprint();
	dlmalloc_trim(0);
	CHECK(dlmalloc_footprint() < held || held < 1 << 20, "trimming left %zu of %zu", dlmalloc_footprint(), held);
#if ON_UPA
	{
		char message[200] = "";
		struct upa_region_stats st;

		CHECK(!upa_region_validate(upa_mman_region(), message, sizeof(message)), "%s", message);
		CHECK(!upa_region_get_stats(upa_mman_region(), &st) && st.allocated_bytes == dlmalloc_footprint(),
		      "allocated=%" PRIu64 " footprint=%zu", st.allocated_bytes, dlmalloc_footprint());
	}
#endif
	return 0;
}
