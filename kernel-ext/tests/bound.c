/* UPADEV_BOUND: how many frames may have memory, by the owner and by a manager. */
#include <pthread.h>

#include "allocator.h"
#include "pager.h"

#define FRAMES 1024
#define NONE UPADEV_NO_BOUND

static struct allocator pages, frames;
static pid_t owner;
static uint64_t marks; /* where they are in the state; the second word is the bound */

static uint64_t told(const struct region *r)
{
	return ((_Atomic uint64_t *)((char *)r->state + marks))[1];
}

/* Page n shows frame n, all in use and written; of the frames those from `used` on are free. */
static struct region declared(uint32_t flags, uint64_t size, uint64_t used)
{
	struct region r = make_region_with(UPADEV_GUARDED, flags, FRAMES, size, FRAMES, 16 * PAGE);
	struct upadev_allocators a = { 0 };
	uint64_t end = allocator_place(&pages, &r, 0, FRAMES);

	marks = a.marks_offset = allocator_place(&frames, &r, end, FRAMES);
	a.pages = pages.where, a.frames = frames.where;
	for (uint64_t f = 0; f < FRAMES; f++) {
		if (f < used) {
			r.shadow[f] = (uint32_t)f + 1;
			*word(&r, f) = f * 3;
		} else {
			unit_put(&frames, f);
		}
	}
	CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
	CHECK_EQUAL(told(&r), NONE);
	owner = getpid();
	return r;
}

/* What is held then. */
static uint64_t bound(const struct region *r, uint64_t limit)
{
	struct upadev_bound b = { .pages = limit };

	CHECK_EQUAL(ioctl(r->fd, UPADEV_BOUND, &b), 0);
	CHECK_EQUAL(stats(r).bound, limit);
	/* A manager has no mapping of the state here. */
	if (getpid() == owner)
		CHECK_EQUAL(told(r), limit);
	return b.held;
}

static void check_used(const struct region *r, uint64_t used)
{
	for (uint64_t f = 0; f < used; f++)
		CHECK_EQUAL(*word(r, f), f * 3);
}

static void refuses_wrong_requests(void)
{
	struct region r = guarded(512, 512);
	struct upadev_bound good = { .pages = 5 }, b;
	int empty = open_device();
	pid_t child;

	CHECK_ERRNO(ioctl(empty, UPADEV_BOUND, &good), ENXIO);
	CHECK_ERRNO(ioctl(r.fd, UPADEV_BOUND, &good), EOPNOTSUPP);
	child = fork();
	if (!child) {
		CHECK_ERRNO(ioctl(r.fd, UPADEV_BOUND, &good), EPERM);
		exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
	CHECK_EQUAL(stats(&r).bound, NONE);
	CHECK_EQUAL(stats(&r).held, 512);
	r = declared(0, FRAMES, 100);
	CHECK_EQUAL(stats(&r).bound, NONE);
	CHECK_EQUAL(stats(&r).held, FRAMES);
	CHECK_ERRNO(ioctl(r.fd, UPADEV_BOUND, NULL), EFAULT);
	for (int i = 0; i < 2; i++) {
		b = good, b.reserved[i] = 1ULL << 50;
		CHECK_ERRNO(ioctl(r.fd, UPADEV_BOUND, &b), EINVAL);
	}
	CHECK_EQUAL(stats(&r).bound, NONE);
	CHECK_EQUAL(stats(&r).held, FRAMES);
}

/* What is unused goes at once, what is in use stays; a touch beyond fails, until it is raised. */
static void lowered_and_raised(void)
{
	struct region r = declared(0, FRAMES, 300);
	uint64_t held = bound(&r, 400), faults;

	CHECK(held <= 400 && held > 300);
	check_used(&r, 300);
	CHECK_EQUAL(bound(&r, 200), 300);
	check_used(&r, 300);
	/* Frame 700 has lost its memory: none for it. */
	CHECK(unit_get(&frames, 700));
	r.shadow[700] = 701;
	faults = stats(&r).bad_faults;
	CHECK_EQUAL(touch(r.data + 700 * PAGE, true), SIGBUS);
	CHECK_EQUAL(stats(&r).bad_faults, faults + 1);
	CHECK_EQUAL(stats(&r).held, 300);
	CHECK_EQUAL(bound(&r, 300), 300);
	CHECK_EQUAL(touch(r.data + 700 * PAGE, true), SIGBUS);
	CHECK_EQUAL(bound(&r, 301), 300);
	CHECK_EQUAL(touch(r.data + 700 * PAGE, true), 0);
	CHECK_EQUAL(stats(&r).held, 301);
	CHECK(unit_get(&frames, 701));
	r.shadow[701] = 702;
	CHECK_EQUAL(touch(r.data + 701 * PAGE, true), SIGBUS);
	CHECK_EQUAL(bound(&r, NONE), 301);
	CHECK_EQUAL(touch(r.data + 701 * PAGE, true), 0);
	check_used(&r, 300);
	/* None at all. */
	CHECK_EQUAL(bound(&r, 0), 302);
}

/* At the bound a frame gets memory from one that has become unused. */
static void unused_ones_make_room(void)
{
	struct region r = declared(UPADEV_CREATE_TRACK, FRAMES, 300);

	CHECK_EQUAL(bound(&r, 300), 300);
	for (uint64_t i = 0; i < 200; i++) {
		uint64_t page = 500 + i;

		/* Page i is free, and its frame stands there; another comes elsewhere. */
		unit_put(&pages, i);
		CHECK(unit_get(&frames, page));
		r.shadow[page] = (uint32_t)page + 1;
		CHECK_EQUAL(touch(r.data + page * PAGE, true), 0);
		CHECK(stats(&r).held <= 300);
	}
	for (uint64_t f = 200; f < 300; f++)
		CHECK_EQUAL(*word(&r, f), f * 3);
	CHECK(stats(&r).reclaimed_pages >= FRAMES - 300 + 200);
}

/* Whom the bound keeps from memory waits for what others free, and keeps no lock from them. */
static void waits_for_room(void)
{
	struct region r = declared(0, FRAMES, 300);
	struct toucher t[2];

	CHECK_EQUAL(bound(&r, 300), 300);
	for (int i = 0; i < 2; i++) {
		CHECK(unit_get(&frames, 700 + i));
		r.shadow[700 + i] = 701 + i;
	}
	start_touch(&t[0], &r, 700, true);
	usleep(100000);
	/* Needs the lock of the mappings for writing. */
	munmap(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE);
	CHECK_EQUAL(atomic_load(&t[0].outcome), -1);
	unit_put(&pages, 5);
	CHECK_EQUAL(end_touch(&t[0]), 0);
	/* Each waits as long as any other: what the one has waited is not the next one's. */
	for (int i = 0; i < 2; i++) {
		start_touch(&t[1], &r, 701, true);
		CHECK_EQUAL(end_touch(&t[1]), SIGBUS);
	}
	start_touch(&t[1], &r, 701, true);
	usleep(100000);
	CHECK_EQUAL(bound(&r, 301), 300);
	CHECK_EQUAL(end_touch(&t[1]), 0);
	CHECK_EQUAL(stats(&r).held, 301);
}

static void by_a_manager(void)
{
	struct region r = declared(0, FRAMES, 100);
	pid_t child = fork();

	if (!child) {
		CHECK_EQUAL(bound(&r, 100), 100);
		exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
	CHECK_EQUAL(stats(&r).held, 100);
	CHECK_EQUAL(stats(&r).bound, 100);
	CHECK_EQUAL(told(&r), 100);
	check_used(&r, 100);
	CHECK_EQUAL(bound(&r, NONE), 100);
}

static void pools_grow_within_it(void)
{
	struct region r = declared(0, 512, 200);
	struct upadev_resize whole = { .frames = FRAMES };
	uint64_t held;

	/* Of the frames above the pool nothing is there to take. */
	CHECK_EQUAL(bound(&r, 700), 512);
	CHECK_ERRNO(ioctl(r.fd, UPADEV_RESIZE, &whole), ENOMEM);
	CHECK_EQUAL(stats(&r).frames, 512);
	check_used(&r, 200);
	held = stats(&r).held;
	CHECK(held <= 512 && held >= 200);
	CHECK_EQUAL(bound(&r, 800), held);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &whole), 0);
	CHECK(stats(&r).held <= 800);
	CHECK_EQUAL(stats(&r).frames, FRAMES);
	check_used(&r, 200);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 512 }), 0);
	CHECK(stats(&r).held <= 512);
	check_used(&r, 200);
}

static void pagers_keep_it(void)
{
	struct region r = declared(0, FRAMES, 50);
	int pager = admit(&r, 0);

	CHECK(pager >= 0);
	CHECK_EQUAL(bound(&r, 50), 50);
	CHECK(unit_get(&frames, 900));
	r.shadow[60] = AWAY(1);
	CHECK_EQUAL(page_in(pager, 60, AWAY(1), 900, NULL), EDQUOT);
	CHECK_EQUAL(r.shadow[60], AWAY(1));
	CHECK_EQUAL(bound(&r, 51), 50);
	CHECK_EQUAL(page_in(pager, 60, AWAY(1), 900, NULL), 0);
	CHECK_EQUAL(stats(&r).held, 51);
}

/* A block of which all is gone comes as a whole only if that keeps it. */
static void blocks_keep_it(void)
{
	struct region r = declared(UPADEV_CREATE_BLOCKS, FRAMES, 0);

	CHECK_EQUAL(bound(&r, 0), 0);
	for (uint64_t f = 0; f < FRAMES; f++)
		CHECK(unit_get(&frames, f));
	r.shadow[0] = UPADEV_SHADOW_BLOCK | 0;
	r.shadow[512] = UPADEV_SHADOW_BLOCK | 1;
	CHECK_EQUAL(touch(r.data, true), SIGBUS);
	CHECK_EQUAL(bound(&r, 100), 0);
	for (uint64_t page = 0; page < 100; page++)
		CHECK_EQUAL(touch(r.data + page * PAGE, true), 0);
	CHECK_EQUAL(touch(r.data + 100 * PAGE, true), SIGBUS);
	CHECK_EQUAL(stats(&r).held, 100);
	CHECK_EQUAL(bound(&r, 612), 100);
	CHECK_EQUAL(touch(r.data + 512 * PAGE, true), 0);
	CHECK(stats(&r).held <= 612);
	CHECK_EQUAL(touch(r.data + 100 * PAGE, true), stats(&r).held < 612 ? 0 : SIGBUS);
}

/* ---- by many threads ---- */

static struct region shared_region;
static _Atomic bool over;

static void *touch_many(void *argument)
{
	volatile uint64_t first = (uintptr_t)argument, served = 0, page;
	sigjmp_buf *back = &toucher_back;

	while (!atomic_load(&over)) {
		for (page = first; page < first + 200; page = page + 1) {
			if (sigsetjmp(*back, 1))
				continue;
			*word(&shared_region, page) = page;
			served = served + 1;
		}
	}
	return (void *)(uintptr_t)(served == 0);
}

/* More want memory than may have it, a manager lowers and raises it: it is never exceeded. */
static void kept_beside_threads(void)
{
	struct sigaction action = { .sa_handler = toucher_failed, .sa_flags = SA_NODEFER };
	pthread_t threads[3];

	shared_region = declared(0, FRAMES, 0);
	sigaction(SIGBUS, &action, NULL);
	CHECK_EQUAL(bound(&shared_region, 0), 0);
	for (uint64_t f = 0; f < FRAMES; f++) {
		CHECK(unit_get(&frames, f));
		shared_region.shadow[f] = (uint32_t)f + 1;
	}
	for (uintptr_t i = 0; i < 3; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, touch_many, (void *)(i * 200)), 0);
	for (uint64_t limit = 0; limit < 600; limit += 3) {
		CHECK(bound(&shared_region, limit) <= limit);
		for (int i = 0; i < 5; i++) {
			uint64_t held = stats(&shared_region).held;

			if (held > limit)
				FAIL("held=%" PRIu64 ", bound=%" PRIu64, held, limit);
		}
	}
	bound(&shared_region, NONE);
	for (int i = 0; i < 30000 && stats(&shared_region).held < 600; i++)
		usleep(1000);
	CHECK_EQUAL(stats(&shared_region).held, 600);
	atomic_store(&over, true);
	for (int i = 0; i < 3; i++) {
		void *failed;

		CHECK_EQUAL(pthread_join(threads[i], &failed), 0);
		CHECK_EQUAL((long)failed, 0);
	}
}

TESTS(CASE(refuses_wrong_requests), CASE(lowered_and_raised), CASE(unused_ones_make_room),
      CASE(waits_for_room), CASE(by_a_manager), CASE(pools_grow_within_it), CASE(pagers_keep_it),
      CASE(blocks_keep_it), CASE(kept_beside_threads))
