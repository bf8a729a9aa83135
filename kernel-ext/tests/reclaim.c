/*
 * UPADEV_CREATE_RECLAIM: under memory pressure, and by UPADEV_RECLAIM, the kernel takes what no
 * shadow entry names, and nothing else, also while numbers are moved from entry to entry; it comes
 * back as zeros. Pressure is made by /proc/sys/vm/drop_caches, which asks all shrinkers.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "harness.h"

#define FRAMES 8192
#define HALF (FRAMES / 2)

static _Atomic bool stop;
static _Atomic unsigned long looks;

static void press(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(write(fd, "2", 1), 1);
	close(fd);
}

static void wrong_flags(void)
{
	struct upadev_create c = { .version = UPADEV_ABI_VERSION,
				   .flags = UPADEV_CREATE_RECLAIM | UPADEV_CREATE_TRACK,
				   .pages = 512,
				   .max_frames = 512 };
	int fd = open_device();

	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &c), EINVAL);
	c.flags = UPADEV_CREATE_RECLAIM;
	c.mode = UPADEV_RAW_PTE;
	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &c), EINVAL);
	close(fd);
}

static void fill(const struct region *r, uint64_t from, uint64_t to, uint64_t mark)
{
	for (uint64_t page = from; page < to; page++) {
		r->shadow[page] = (uint32_t)page + 1;
		word(r, page)[0] = mark + page;
		word(r, page)[511] = mark + page;
	}
}

static void check(const struct region *r, uint64_t from, uint64_t to, uint64_t mark)
{
	for (uint64_t page = from; page < to; page++) {
		CHECK_EQUAL(word(r, page)[0], mark + page);
		CHECK_EQUAL(word(r, page)[511], mark + page);
	}
}

static void forget(const struct region *r, uint64_t from, uint64_t to)
{
	for (uint64_t page = from; page < to; page++)
		r->shadow[page] = 0;
}

static int resize(const struct region *r, uint64_t frames)
{
	return ioctl(r->fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = frames });
}

static void destroy(const struct region *r)
{
	munmap(r->data, r->created.data_bytes);
	munmap((void *)(uintptr_t)r->shadow, r->created.shadow_bytes);
	munmap(r->state, r->created.state_bytes);
	close(r->fd);
}

static void what_is_named_stays(void)
{
	long before = free_pages(), held;
	struct region r =
		make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, FRAMES, FRAMES, FRAMES);
	uint64_t taken, zeros = 0;

	fill(&r, 0, FRAMES, 7);
	held = free_pages();
	press();
	CHECK_EQUAL(stats(&r).reclaimed_pages, 0);
	check(&r, 0, FRAMES, 7);

	/* Some still mapped, some not. */
	forget(&r, HALF, FRAMES);
	CHECK_EQUAL(unmap_pages(&r, HALF, HALF / 2), 0);
	sleep(2); /* a region in which nothing was found is left alone for a second */
	press();
	taken = stats(&r).reclaimed_pages;
	printf("# taken=%lu of %d pages\n", (unsigned long)taken, HALF);
	CHECK(taken >= HALF / 2 && taken <= HALF);
	if (free_pages() - held < (long)taken * 3 / 4)
		FAIL("back=%ld pages, expected about %lu", free_pages() - held,
		     (unsigned long)taken);
	check(&r, 0, HALF, 7);
	CHECK_EQUAL(touch(r.data + HALF * PAGE, false), SIGBUS);
	CHECK_EQUAL(touch(r.data + (FRAMES - 1) * PAGE, true), SIGBUS);

	/*
	 * By fault and by call; what was taken reads zero (blocks of single pages are not taken),
	 * and nothing else.
	 */
	for (uint64_t page = HALF; page < FRAMES; page++)
		r.shadow[page] = (uint32_t)page + 1;
	CHECK_EQUAL(map_pages(&r, HALF, HALF / 2), 0);
	for (uint64_t page = HALF; page < FRAMES; page++) {
		uint64_t seen = word(&r, page)[0];

		CHECK(seen == 0 || seen == 7 + page);
		CHECK_EQUAL(word(&r, page)[511], seen);
		zeros += seen == 0;
	}
	CHECK_EQUAL(zeros, taken);
	fill(&r, HALF, FRAMES, 9);
	check(&r, 0, HALF, 7);
	check(&r, HALF, FRAMES, 9);

	/* Gone blocks leave the pool, come back with it, and are gone at the end. */
	forget(&r, HALF, FRAMES);
	sleep(2);
	press();
	CHECK_EQUAL(resize(&r, HALF + 512), 0);
	CHECK_EQUAL(resize(&r, FRAMES), 0);
	for (uint64_t page = HALF + 512; page < FRAMES; page++) {
		r.shadow[page] = (uint32_t)page + 1;
		CHECK_EQUAL(word(&r, page)[0], 0);
	}
	check(&r, 0, HALF, 7);
	forget(&r, 0, FRAMES);
	sleep(2);
	press();
	destroy(&r);
	if (before - free_pages() > FRAMES / 8)
		FAIL("lost=%ld pages", before - free_pages());
}

static void without_the_flag_nothing_goes(void)
{
	struct region r = guarded(FRAMES, FRAMES);

	fill(&r, 0, FRAMES, 3);
	forget(&r, 0, FRAMES);
	CHECK_EQUAL(unmap_pages(&r, 0, FRAMES), 0);
	press();
	CHECK_EQUAL(stats(&r).reclaimed_pages, 0);
	for (uint64_t page = 0; page < FRAMES; page++)
		r.shadow[page] = (uint32_t)page + 1;
	check(&r, 0, FRAMES, 3);
}

/* UPADEV_RECLAIM: 0 or -1 with errno. */
static int reclaim(const struct region *r, struct upadev_reclaim *request)
{
	return ioctl(r->fd, UPADEV_RECLAIM, request);
}

static void by_call(void)
{
	struct region r = guarded(1024, 1024);
	struct upadev_reclaim request = { .pages = 1024 };
	long held;

	CHECK_ERRNO(reclaim(&r, &request), EOPNOTSUPP);
	destroy(&r);
	r = make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, FRAMES, FRAMES, FRAMES);
	request = (struct upadev_reclaim){ .pages = 512, .reserved = 1 };
	CHECK_ERRNO(reclaim(&r, &request), EINVAL);
	CHECK_ERRNO(ioctl(r.fd, UPADEV_RECLAIM, 8), EFAULT);
	fill(&r, 0, FRAMES, 5);
	request = (struct upadev_reclaim){ .pages = FRAMES };
	CHECK_EQUAL(reclaim(&r, &request), 0);
	CHECK_EQUAL(request.reclaimed + request.gone, 0);

	/*
	 * In the middle, while the first and the last are in use: at once, no more than asked for,
	 * and only once.
	 */
	held = free_pages();
	forget(&r, 512, FRAMES - 512);
	request.pages = 1000;
	CHECK_EQUAL(reclaim(&r, &request), 0);
	CHECK_EQUAL(request.reclaimed, 1024);
	CHECK_EQUAL(request.gone, 1024);
	request.pages = UINT64_MAX;
	CHECK_EQUAL(reclaim(&r, &request), 0);
	printf("# gone=%lu of %d pages\n", (unsigned long)request.gone, FRAMES - 1024);
	CHECK(request.gone == 1024 + request.reclaimed && request.gone > HALF &&
	      request.gone <= FRAMES - 1024);
	if (free_pages() - held < (long)request.gone * 3 / 4)
		FAIL("back=%ld pages, expected about %lu", free_pages() - held,
		     (unsigned long)request.gone);
	CHECK_EQUAL(reclaim(&r, &request), 0);
	CHECK_EQUAL(request.reclaimed, 0);
	check(&r, 0, 512, 5);
	check(&r, FRAMES - 512, FRAMES, 5);
	fill(&r, 0, FRAMES, 6);
	check(&r, 0, FRAMES, 6);
	request.pages = 0;
	CHECK_EQUAL(reclaim(&r, &request), 0);
	CHECK_EQUAL(request.gone, 0);
	destroy(&r);
}

#define FAR (1ULL << 16)

static void *keep_reclaiming(void *argument)
{
	const struct region *r = argument;

	while (!atomic_load(&stop)) {
		struct upadev_reclaim request = { .pages = 512 };

		CHECK_EQUAL(reclaim(r, &request), 0);
		atomic_fetch_add(&looks, 1);
	}
	return NULL;
}

/*
 * One frame of a block is in use and goes to and fro between the ends of a long shadow table:
 * whoever looks must not miss it.
 */
static void moves(void)
{
	struct region r = make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, FAR, 512, 512);
	uint64_t pages[2] = { 0, FAR - 1 }, rounds = 0;
	time_t end = time(NULL) + 4;
	pthread_t thread;

	atomic_store(&stop, false);
	r.shadow[0] = 1;
	word(&r, 0)[0] = 4711;
	CHECK_EQUAL(pthread_create(&thread, NULL, keep_reclaiming, &r), 0);
	for (; time(NULL) < end; rounds++) {
		uint64_t from = pages[rounds % 2], to = pages[1 - rounds % 2];

		__atomic_store_n(&r.shadow[to], 1, __ATOMIC_RELEASE);
		__atomic_store_n(&r.shadow[from], 0, __ATOMIC_RELEASE);
		CHECK_EQUAL(unmap_pages(&r, from, 1), 0);
		/* Seldom: a touch of what is about to be taken waits. */
		if (rounds % 256 == 0)
			CHECK_EQUAL(word(&r, to)[0], 4711);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	CHECK_EQUAL(word(&r, pages[rounds % 2])[0], 4711);
	printf("# moves=%lu looks=%lu\n", (unsigned long)rounds, atomic_load(&looks));
	CHECK_EQUAL(stats(&r).reclaimed_pages, 0);
	destroy(&r);
}

static void *keep_pressing(void *argument)
{
	(void)argument;
	while (!atomic_load(&stop))
		press();
	return NULL;
}

/*
 * Blocks come into use and go out of it under constant pressure: while named, they keep what was
 * written.
 */
static void races(void)
{
	struct region r =
		make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, FRAMES, FRAMES, FRAMES);
	uint64_t state = 88172645463325252ULL, rounds = 0;
	time_t end = time(NULL) + 5;
	pthread_t thread;

	atomic_store(&stop, false);
	CHECK_EQUAL(pthread_create(&thread, NULL, keep_pressing, NULL), 0);
	while (time(NULL) < end) {
		uint64_t from, to;

		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		from = state % FRAMES;
		to = from + (state >> 32) % (FRAMES - from) % 700 + 1;
		fill(&r, from, to, state);
		if (rounds % 2)
			CHECK_EQUAL(map_pages(&r, from, to - from), 0);
		check(&r, from, to, state);
		sched_yield();
		check(&r, from, to, state);
		forget(&r, from, to);
		if (rounds % 3)
			CHECK_EQUAL(unmap_pages(&r, from, to - from), 0);
		rounds++;
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	printf("# rounds=%lu reclaimed=%lu pages\n", (unsigned long)rounds,
	       (unsigned long)stats(&r).reclaimed_pages);
	CHECK(stats(&r).reclaimed_pages > 0);
}

static void *keep_unmapping(void *argument)
{
	const struct region *r = argument;

	while (!atomic_load(&stop))
		CHECK_EQUAL(unmap_pages(r, 0, r->created.pages), 0);
	return NULL;
}

/* An owner that never rests keeps nothing that is free from the others. */
static void busy_owner(void)
{
	struct region r =
		make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, FRAMES, FRAMES, FRAMES);
	pthread_t threads[4];
	uint64_t taken;

	fill(&r, 0, FRAMES, 5);
	forget(&r, HALF, FRAMES);
	atomic_store(&stop, false);
	for (int i = 0; i < 4; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, keep_unmapping, &r), 0);
	for (int i = 0; i < 3; i++)
		press();
	taken = stats(&r).reclaimed_pages;
	atomic_store(&stop, true);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	printf("# taken=%lu of %d pages\n", (unsigned long)taken, HALF);
	CHECK(taken >= HALF / 2 && taken <= HALF);
	check(&r, 0, HALF, 5);
	destroy(&r);
}

/* One that has nothing to give is first in line: the next gets its turn. */
static void each_in_turn(void)
{
	struct region used = make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, 512, 512, 512),
		      unused = make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, 512, 512, 512);

	fill(&used, 0, 512, 5);
	press();
	CHECK_EQUAL(stats(&used).reclaimed_pages, 0);
	CHECK_EQUAL(stats(&unused).reclaimed_pages, 512);
	check(&used, 0, 512, 5);
	destroy(&used);
	destroy(&unused);
}

TESTS(CASE(wrong_flags), CASE(what_is_named_stays), CASE(without_the_flag_nothing_goes),
      CASE(by_call), CASE(moves), CASE(races), CASE(busy_owner), CASE(each_in_turn))
