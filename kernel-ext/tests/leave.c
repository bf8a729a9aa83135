/*
 * Frames leave the pool while somebody may still reach them: munmap() is taking the mapping apart,
 * or another call has emptied tables and not flushed yet. Once the call has returned that takes the
 * frames, no touch may succeed any more, on any CPU.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "harness.h"

#define FRAMES 16384ULL

static struct region r;
#define ROUNDS 12

static _Atomic bool go, over, stop;
static _Atomic uint64_t reads;
static int inside; /* rounds in which the frames were taken while the other call was at work */

static sigjmp_buf back;
static void fault(int number)
{
	siglongjmp(back, number);
}

struct place {
	uint64_t first, pages;
};

/* Reads until nothing is left to read. */
static void *reach(void *argument)
{
	const struct place *place = argument;
	struct sigaction action = { .sa_handler = fault, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	if (!sigsetjmp(back, 0)) {
		while (!atomic_load(&stop))
			for (uint64_t i = 0; i < place->pages; i++) {
				(void)word(&r, place->first + i)[0];
				atomic_fetch_add(&reads, 1);
			}
	}
	return NULL;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK_EQUAL(sched_setaffinity(0, sizeof(set), &set), 0);
}

static pthread_t start_reader(const struct place *place)
{
	pthread_t reader;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("needs two CPUs");
	pin(1);
	CHECK_EQUAL(pthread_create(&reader, NULL, reach, (void *)(uintptr_t)place), 0);
	pin(0);
	while (atomic_load(&reads) < 2 * FRAMES)
		sched_yield();
	return reader;
}

/* Takes all frames out of the pool, then sees whether the reader still finds some. */
static void take_frames(bool reclaim, pthread_t reader)
{
	uint64_t before = atomic_load(&reads), after;
	bool early = !atomic_load(&over), alive;

	if (reclaim) {
		struct upadev_reclaim request = { .pages = FRAMES };

		CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &request), 0);
		CHECK_EQUAL(request.gone, FRAMES);
	} else {
		CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 0 }), 0);
	}
	after = atomic_load(&reads);
	alive = after > before;
	for (int i = 0; i < 100000 && atomic_load(&reads) < after + FRAMES; i++)
		stats(&r);
	/* One may have been under way. */
	if (atomic_load(&reads) > after + 1)
		FAIL("reads=%lu after the frames were gone",
		     (unsigned long)(atomic_load(&reads) - after));
	inside += early && alive;
	atomic_store(&stop, true);
	pthread_join(reader, NULL);
}

/* A round in which the other call was over too soon tells nothing: there must be one that does. */
static void rounds(void (*round)(bool reclaim), bool reclaim)
{
	int i;

	for (i = 0; i < ROUNDS && inside < 3; i++) {
		atomic_store(&go, false);
		atomic_store(&over, false);
		atomic_store(&stop, false);
		atomic_store(&reads, 0);
		round(reclaim);
		munmap(r.data, r.created.data_bytes);
		munmap((void *)(uintptr_t)r.shadow, r.created.shadow_bytes);
		munmap(r.state, r.created.state_bytes);
		close(r.fd);
	}
	printf("# rounds=%d, of which beside the other call and a reader: %d\n", i, inside);
	CHECK(inside > 0);
}

/* On the same CPU as the caller of the other call, who comes first. */
static void give_way(void)
{
	struct sched_param none = { 0 };

	CHECK_EQUAL(sched_setscheduler(0, SCHED_IDLE, &none), 0);
	atomic_store(&go, true);
}

static void *unmapper(void *argument)
{
	(void)argument;
	give_way();
	CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
	atomic_store(&over, true);
	return NULL;
}

/*
 * The mapping is out of the tree, and its last pages are still there: they are many, so that it
 * takes a second.
 */
static void while_unmapping(bool reclaim)
{
	const uint64_t pages = 4ULL << 20;
	static struct place tail;
	pthread_t reader, other;

	r = make_region(UPADEV_GUARDED, reclaim ? UPADEV_CREATE_RECLAIM : 0, pages, FRAMES, FRAMES);
	tail = (struct place){ pages - FRAMES, FRAMES };
	for (uint64_t page = 0; page < pages; page++)
		r.shadow[page] = page < tail.first ? 1 : (uint32_t)(page - tail.first) + 1;
	CHECK_EQUAL(map_pages(&r, 0, pages), 0);
	if (reclaim)
		memset((void *)(uintptr_t)r.shadow, 0, r.created.shadow_bytes);
	reader = start_reader(&tail);
	CHECK_EQUAL(pthread_create(&other, NULL, unmapper, NULL), 0);
	while (!map_pages(&r, 0, 1))
		usleep(200);
	CHECK_EQUAL(errno, ENXIO);
	take_frames(reclaim, reader);
	pthread_join(other, NULL);
}

static void resized_while_unmapping(void)
{
	rounds(while_unmapping, false);
}
static void reclaimed_while_unmapping(void)
{
	rounds(while_unmapping, true);
}

/*
 * Empties the pages that the reader looks at, then works through nothing for long, and flushes in
 * the end.
 */
static void *long_batch(void *argument)
{
	static struct upadev_range ranges[UPADEV_MAX_RANGES];
	struct upadev_batch b = { .ranges = (uintptr_t)ranges, .count = UPADEV_MAX_RANGES };

	(void)argument;
	ranges[0] = (struct upadev_range){ 0, 64 };
	for (uint32_t i = 1; i < UPADEV_MAX_RANGES; i++)
		ranges[i] = (struct upadev_range){ 512, r.created.pages - 512 };
	give_way();
	CHECK_EQUAL(ioctl(r.fd, UPADEV_UNMAP, &b), 0);
	atomic_store(&over, true);
	return NULL;
}

/*
 * Another CPU holds translations that have been cleared and not flushed: who takes the frames must
 * do it.
 */
static void between_clearing_and_flush(bool reclaim)
{
	static struct place head = { 0, 64 };
	pthread_t reader, other;

	r = make_region(UPADEV_GUARDED, reclaim ? UPADEV_CREATE_RECLAIM : 0, 1ULL << 21, FRAMES,
			FRAMES);
	for (uint32_t page = 0; page < 64; page++)
		r.shadow[page] = page + 1;
	CHECK_EQUAL(map_pages(&r, 0, 64), 0);
	for (uint32_t page = 0; page < 64; page++)
		r.shadow[page] = 0;
	reader = start_reader(&head);
	CHECK_EQUAL(pthread_create(&other, NULL, long_batch, NULL), 0);
	while (!atomic_load(&go))
		usleep(200);
	usleep(20000); /* the first range, of 4 095 that take seconds */
	take_frames(reclaim, reader);
	pthread_join(other, NULL);
}

static void resized_before_a_flush(void)
{
	rounds(between_clearing_and_flush, false);
}
static void reclaimed_before_a_flush(void)
{
	rounds(between_clearing_and_flush, true);
}

TESTS(CASE(resized_while_unmapping), CASE(reclaimed_while_unmapping), CASE(resized_before_a_flush),
      CASE(reclaimed_before_a_flush))
