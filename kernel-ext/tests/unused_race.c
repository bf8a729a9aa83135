/*
 * Memory that is unused is taken, and nothing else, beside threads that take and free without rest,
 * and whatever the process's words say.
 */
#include <pthread.h>

#include "unused.h"

static _Atomic bool stop;
static _Atomic unsigned long rounds;

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
	return *state;
}

/* The frame of a page that is held goes back to its allocator. */
static void detach(uint64_t page)
{
	uint64_t frame = r.shadow[page] - 1;

	r.shadow[page] = 0;
	atomic_thread_fence(memory_order_seq_cst);
	if (!absent(frame)) /* else nothing was ever installed */
		CHECK_EQUAL(unmap_pages(&r, page, 1), 0);
	unit_put(&frames, frame);
}

/* Exchanges the frames of two pages that are held. */
static void exchange(uint64_t page, uint64_t other)
{
	uint32_t mine = r.shadow[page], theirs = r.shadow[other];
	struct upadev_range both[2] = { { page, 1 }, { other, 1 } };
	struct upadev_batch b = { .ranges = (uintptr_t)both, .count = 2 };

	r.shadow[other] = mine;
	atomic_thread_fence(memory_order_seq_cst);
	r.shadow[page] = theirs;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_UNMAP, &b), 0);
}

/* Takes and frees pages and frames in every way a library does, each thread in its own half. */
static void *user(void *argument)
{
	uint64_t self = (uintptr_t)argument, state = self * 2654435761U + 1, mark = self << 32;
	uint64_t first = self * (PAGES / 2), frame_first = self * (FRAMES / 2);
	static __thread uint8_t used[PAGES / 2];

	while (!atomic_load(&stop)) {
		uint64_t i = next(&state) % (PAGES / 2), page = first + i;
		uint64_t j = next(&state) % (PAGES / 2), other = first + j;

		atomic_fetch_add(&rounds, 1);
		if (used[i]) {
			check_tag(page, mark);
			switch (next(&state) % 8) {
			case 0: /* freed with its frame taken away */
				detach(page);
				break;
			case 1: /* moved to another page, without copying */
				if (used[j] || other == page || !unit_get(&pages, other))
					continue;
				exchange(page, other);
				CHECK_EQUAL(word(&r, other)[0], mark + page);
				tag(other, mark);
				used[j] = 1;
				break;
			case 2:
			case 3: /* freed, keeps its frame */
				break;
			default:
				continue;
			}
			used[i] = 0;
			unit_put(&pages, page);
			continue;
		}
		if (!unit_get(&pages, page))
			continue;
		if (r.shadow[page] && absent(r.shadow[page] - 1))
			detach(page);
		for (int tries = 0; !r.shadow[page] && tries < 64; tries++) {
			uint64_t frame = frame_first + next(&state) % (FRAMES / 2);

			if (unit_get(&frames, frame))
				r.shadow[page] = (uint32_t)frame + 1;
		}
		if (r.shadow[page]) {
			tag(page, mark);
			used[i] = 1;
		} else {
			unit_put(&pages, page);
		}
	}
	for (uint64_t i = 0; i < PAGES / 2; i++)
		if (used[i])
			check_tag(first + i, mark);
	return NULL;
}

static void beside_users(void)
{
	pthread_t threads[2];
	uint64_t state = 7919;

	make(0, PAGES, FRAMES);
	for (uintptr_t i = 0; i < 2; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, user, (void *)i), 0);
	for (int i = 0; i < 400 || atomic_load(&rounds) < 200000; i++) {
		reclaim(next(&state) % FRAMES);
		if (i % 16 == 0)
			press();
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	printf("# rounds=%lu taken=%lu\n", rounds, (unsigned long)stats(&r).reclaimed_pages);
	CHECK(stats(&r).reclaimed_pages > FRAMES);
}

/* Any words at all, changing all the while. */
static void *scribble(void *argument)
{
	uint64_t state = (uintptr_t)argument;

	while (!atomic_load(&stop)) {
		uint64_t random = next(&state);

		((volatile uint64_t *)r.state)[random % (STATE_BYTES / 8)] = next(&state);
		r.shadow[random % PAGES] = (uint32_t)(next(&state) % (FRAMES + 3));
		if (random % 8 == 0)
			frames.child[random % (FRAMES / 512)] = (uint32_t)next(&state);
		if (random % 64 == 0)
			frames.tree[random / 64 % (FRAMES / TREE)] = (uint32_t)next(&state);
	}
	return NULL;
}

/* Nobody else is concerned, all calls end, and all memory comes back. */
static void hostile_words(void)
{
	struct sigaction action = { .sa_handler = touch_failed };
	struct region other = guarded(FRAMES, FRAMES);
	long before = free_pages();
	pthread_t thread;
	uint64_t state = 1;

	for (uint64_t i = 0; i < FRAMES; i++) {
		other.shadow[i] = (uint32_t)i + 1;
		*word(&other, i) = ~i;
	}
	make(0, PAGES, FRAMES);
	sigaction(SIGBUS, &action, NULL);
	CHECK_EQUAL(pthread_create(&thread, NULL, scribble, (void *)88172645463325252ULL), 0);
	for (int i = 0; i < 3000; i++) {
		uint64_t page = next(&state) % PAGES;

		if (i % 4 == 0)
			reclaim(next(&state) % FRAMES);
		if (i % 64 == 0)
			press();
		if (!touch(r.data + page * PAGE, true))
			CHECK(word(&r, page)[1] != ~page);
		if (i % 16 == 0)
			CHECK(unmap_pages(&r, page, 1) == 0);
		if (i % 100 == 0)
			ioctl(r.fd, UPADEV_RESIZE,
			      &(struct upadev_resize){ .frames = next(&state) % (FRAMES / 512 + 1) *
								 512 });
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	CHECK(gone() <= stats(&r).frames);
	for (uint64_t i = 0; i < FRAMES; i++)
		CHECK_EQUAL(*word(&other, i), ~i);
	munmap(r.data, r.created.data_bytes);
	munmap((void *)(uintptr_t)r.shadow, r.created.shadow_bytes);
	munmap(r.state, r.created.state_bytes);
	close(r.fd);
	if (before - free_pages() > (long)FRAMES / 16)
		FAIL("lost=%ld pages", before - free_pages());
}

static void *keep_mapping(void *argument)
{
	(void)argument;
	while (!atomic_load(&stop)) {
		void *memory = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(memory != MAP_FAILED);
		munmap(memory, PAGE);
		unmap_pages(&r, 0, PAGES);
	}
	return NULL;
}

/* An owner that never rests keeps nothing that is free from the others. */
static void busy_owner(void)
{
	pthread_t threads[4];
	uint64_t got;

	make(0, PAGES, FRAMES);
	for (uint64_t i = 0; i < FRAMES / 2; i++)
		take(i, i);
	for (int i = 0; i < 4; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, keep_mapping, NULL), 0);
	for (int i = 0; i < 3; i++)
		press();
	got = stats(&r).reclaimed_pages;
	atomic_store(&stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("# taken=%lu of %llu pages\n", (unsigned long)got, FRAMES / 2);
	CHECK(got >= FRAMES / 4 && got <= FRAMES / 2);
	for (uint64_t i = 0; i < FRAMES / 2; i++)
		check_tag(i, 100);
}

/* Nearly always has mmap_lock for writing, or waits for it. */
static void *keep_protecting(void *argument)
{
	size_t bytes = 8192 * PAGE;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	(void)argument;
	CHECK(memory != MAP_FAILED);
	while (!atomic_load(&stop)) {
		CHECK_EQUAL(mprotect(memory, bytes, PROT_READ), 0);
		CHECK_EQUAL(mprotect(memory, bytes, PROT_READ | PROT_WRITE), 0);
		atomic_fetch_add(&rounds, 1);
	}
	return NULL;
}

/*
 * To empty all tables of such an owner would lose what is tracked in them. Each time there is
 * something else to take, since the lock may be free just then.
 */
static void busy_tracked_owner(void)
{
	static uint64_t dirty[FRAMES / 2 / 64];
	struct upadev_harvest h = { .count = FRAMES / 2, .dirty = (uintptr_t)dirty };
	uint64_t page = FRAMES / 2;
	pthread_t threads[2];

	make(UPADEV_CREATE_TRACK, PAGES, FRAMES);
	for (uint64_t i = 0; i < FRAMES; i++)
		take(i, i);
	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, keep_protecting, NULL), 0);
	while (atomic_load(&rounds) < 8)
		usleep(1000);
	while (page < FRAMES) {
		for (int i = 0; i < (int)FRAMES / 8; i++)
			unit_put(&pages, page++);
		press();
		usleep(1100000); /* a region with nothing left is passed over for a second */
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	printf("# taken=%lu\n", (unsigned long)stats(&r).reclaimed_pages);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_HARVEST, &h), 0);
	CHECK_EQUAL(h.dirty_pages, FRAMES / 2);
	for (uint64_t i = 0; i < FRAMES / 2; i++)
		check_tag(i, 100);
}

TESTS(CASE(beside_users), CASE(hostile_words), CASE(busy_owner), CASE(busy_tracked_owner))
