/* Entries of 2 MiB beside other threads, which mark, map, touch and take away the same blocks. */
#include <pthread.h>
#include <stdatomic.h>

#include "blocks.h"

static struct region shared;
static _Atomic bool over;
static _Atomic uint64_t looked;
static int file;

static uint64_t random_of(uint64_t *state)
{
	*state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
	return *state >> 8;
}

/* Whatever stands at a page, it is a frame of the same place in its block. */
static void *look(void *argument)
{
	uint64_t state = (uintptr_t)argument;
	off_t place = (off_t)(state * 8); /* each thread its own */

	while (!over) {
		uint64_t page = random_of(&state) % shared.created.pages;
		uint64_t value = 0;

		/* System calls instead of a touch: no signal if there is nothing. */
		if (pwrite(file, (void *)word(&shared, page), 8, place) == 8 &&
		    pread(file, &value, 8, place) == 8)
			atomic_fetch_add(&looked, 1);
		if (value && (value - 1) % BLOCK != page % BLOCK)
			FAIL("page=%llu shows frame=%llu", (unsigned long long)page,
			     (unsigned long long)value - 1);
	}
	return NULL;
}

static void *change_block(void *argument)
{
	uint64_t state = (uintptr_t)argument, blocks = shared.created.pages / BLOCK;
	uint32_t frame_blocks = (uint32_t)(shared.created.frames / BLOCK);

	for (int n = 0; n < 3000; n++) {
		uint64_t first = random_of(&state) % blocks * BLOCK;
		uint32_t block = (uint32_t)(random_of(&state) % frame_blocks);

		switch (random_of(&state) % 6) {
		case 0:
		case 1:
			shared.shadow[first] = MARK | block;
			CHECK_EQUAL(map_pages(&shared, first, BLOCK), 0);
			break;
		case 2:
			for (uint32_t i = 1; i < BLOCK; i++)
				shared.shadow[first + i] = i % 3 ? block * 512 + i + 1 : 0;
			shared.shadow[first] = block * 512 + 1;
			CHECK_EQUAL(map_pages(&shared, first, BLOCK), 0);
			break;
		case 3:
			CHECK_EQUAL(unmap_pages(&shared, first + random_of(&state) % BLOCK, 1), 0);
			break;
		case 4:
			CHECK_EQUAL(unmap_pages(&shared, 0, shared.created.pages), 0);
			break;
		default:
			shared.shadow[first] = MARK | block;
		}
	}
	return NULL;
}

static void storm(void)
{
	pthread_t lookers[2], changers[2];

	shared = with_blocks(0, 8 * BLOCK, 4 * BLOCK);
	number_frames(&shared);
	file = memfd_create("look", 0);
	CHECK(file >= 0);
	for (uintptr_t i = 0; i < 2; i++) {
		CHECK_EQUAL(pthread_create(&lookers[i], NULL, look, (void *)(i + 7)), 0);
		CHECK_EQUAL(pthread_create(&changers[i], NULL, change_block, (void *)(i + 77)), 0);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(changers[i], NULL);
	over = true;
	for (int i = 0; i < 2; i++)
		pthread_join(lookers[i], NULL);
	CHECK(looked > 100);
	CHECK(entries(&shared) > 100 || !tables_go());
	/* Every frame still has what was written. */
	CHECK_EQUAL(unmap_pages(&shared, 0, 8 * BLOCK), 0);
	for (uint64_t i = 0; i < 4; i++) {
		shared.shadow[i * BLOCK] = MARK | i;
		CHECK_EQUAL(map_pages(&shared, i * BLOCK, BLOCK), 0);
		check_shows(&shared, i * BLOCK, i * BLOCK);
	}
}

/* ---- a mark that comes and goes ---- */

/* The block shows the same frames with the mark and without it. */
static void *mark_and_unmark(void *argument)
{
	_Atomic uint32_t *first = &shared.shadow[BLOCK];

	while (!over)
		for (int i = 0; i < 8; i++) {
			atomic_store_explicit(first, MARK | 1, memory_order_relaxed);
			atomic_store_explicit(first, BLOCK + 1, memory_order_relaxed);
		}
	return argument;
}

static void start_marks(pthread_t *thread)
{
	shared = with_blocks(0, 2 * BLOCK, 2 * BLOCK);
	number_frames(&shared);
	for (uint32_t i = 0; i < BLOCK; i++)
		shared.shadow[BLOCK + i] = BLOCK + i + 1;
	CHECK_EQUAL(pthread_create(thread, NULL, mark_and_unmark, NULL), 0);
}

static void end_marks(pthread_t thread)
{
	over = true;
	CHECK_EQUAL(pthread_join(thread, NULL), 0);
}

/* Whatever the kernel meets, there is a frame: no call is refused. */
static void flickers_under_calls(void)
{
	pthread_t thread;

	start_marks(&thread);
	for (int n = 0; n < 3000; n++) {
		uint64_t first = n % 2 ? BLOCK : BLOCK + 3;

		CHECK_EQUAL(map_pages(&shared, first, 2 * BLOCK - first), 0);
		CHECK_EQUAL(unmap_pages(&shared, BLOCK, BLOCK), 0);
	}
	end_marks(thread);
}

/* Nor does a touch fail. */
static void flickers_under_touches(void)
{
	pthread_t thread;

	start_marks(&thread);
	for (uint64_t n = 0; n < 3000; n++) {
		uint64_t page = BLOCK + (n % 2 ? 0 : n % BLOCK);

		CHECK_EQUAL(touch(word(&shared, page), false), 0);
		CHECK_EQUAL(*word(&shared, page), page + 1);
		CHECK_EQUAL(unmap_pages(&shared, BLOCK, BLOCK), 0);
	}
	end_marks(thread);
}

/* ---- what was taken away ---- */

static _Atomic uint64_t stores, faults;
static __thread sigjmp_buf store_return;

static void store_failed(int signal_number)
{
	(void)signal_number;
	siglongjmp(store_return, 1);
}

static void *store_all_the_time(void *argument)
{
	volatile uint64_t *place = argument;

	if (sigsetjmp(store_return, 1))
		atomic_fetch_add(&faults, 1);
	while (!over) {
		(*place)++;
		atomic_fetch_add(&stores, 1);
	}
	return NULL;
}

/* After the call returned no other thread stores into the block. */
static void no_stale_translation(void)
{
	struct region r = with_blocks(0, 2 * BLOCK, 2 * BLOCK);
	struct sigaction action = { .sa_handler = store_failed };
	pthread_t thread;

	sigaction(SIGBUS, &action, NULL);
	r.shadow[BLOCK] = 9; /* frame 8, to look at it */
	CHECK_EQUAL(*word(&r, BLOCK), 0);
	CHECK_EQUAL(pthread_create(&thread, NULL, store_all_the_time, (void *)word(&r, 8)), 0);
	for (int n = 0; n < 200; n++) {
		uint64_t before = stores, value;

		r.shadow[0] = MARK | 0;
		if (n % 2)
			CHECK_EQUAL(map_pages(&r, 0, BLOCK), 0);
		while (stores < before + 100)
			sched_yield();
		if (n % 3) {
			r.shadow[0] = 0;
			CHECK_EQUAL(unmap_pages(&r, n % 2 ? 0 : 100, n % 2 ? BLOCK : 1), 0);
		} else {
			r.shadow[0] = MARK | 1;
			CHECK_EQUAL(map_pages(&r, 0, BLOCK), 0);
		}
		value = *word(&r, BLOCK);
		for (int i = 0; i < 2000; i++)
			CHECK_EQUAL(*word(&r, BLOCK), value);
	}
	over = true;
	r.shadow[0] = MARK | 0;
	pthread_join(thread, NULL);
	CHECK(faults > 0);
}

TESTS(CASE(storm), CASE(flickers_under_calls), CASE(flickers_under_touches),
      CASE(no_stale_translation))
