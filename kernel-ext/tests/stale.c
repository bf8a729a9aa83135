/*
 * Looks for stale translations: one thread keeps re-reading pages while another unmaps them and,
 * once the call has returned, puts their frames to another use. A reader that still sees the frame
 * at its old address has a translation that was not shot down. The checker itself is checked:
 * leaving the call out, it must find what it looks for.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "harness.h"

#define PAGES 64 /* more than 33, from where on the kernel flushes all; few enough for a TLB */
#define PLACES 2048

static struct region r;
static _Atomic uint64_t epoch; /* odd: the pages are there; even: they are gone */
static _Atomic bool stop;
static _Atomic uint64_t reads, stale;
static uint64_t base, stride;

static __thread sigjmp_buf *reader_return;
static void reader_fault(int number)
{
	siglongjmp(*reader_return, number);
}

/* What is written into the frames once they are gone from where the reader looks. */
#define REUSED 0xdeadULL

static void *reader(void *argument)
{
	sigjmp_buf back;

	(void)argument;
	reader_return = &back;
	while (!atomic_load(&stop)) {
		for (volatile uint64_t i = 0; i < PAGES; i++) {
			uint64_t before = atomic_load(&epoch);

			if (sigsetjmp(back, 0)) /* no system call: it might flush */
				continue;
			uint64_t value = *word(&r, base + i * stride);

			atomic_fetch_add_explicit(&reads, 1, memory_order_relaxed);
			/* Gone before the read began, and yet it found the frame in its new use. */
			if (value == REUSED && before % 2 == 0 && atomic_load(&epoch) == before)
				atomic_fetch_add(&stale, 1);
		}
	}
	return NULL;
}

static void put(uint64_t page, uint32_t word)
{
	if (r.shadow)
		r.shadow[page] = word;
	else
		r.tables[page] = word ? r.entries[word - 1] : 0;
}

static uint64_t run(uint32_t mode, bool shoot_down, uint64_t step, int rounds)
{
	struct sigaction action = { .sa_handler = reader_fault, .sa_flags = SA_NODEFER };
	pthread_t thread;
	struct upadev_range ranges[PAGES];
	struct upadev_batch b = { .ranges = (uintptr_t)ranges, .count = PAGES };
	uint64_t other = PLACES; /* where the frames go to */

	r = make_region(mode, 0, 2 * PLACES, 512, 512);
	base = 0;
	stride = step;
	atomic_store(&stop, false);
	atomic_store(&stale, 0);
	atomic_store(&reads, 0);
	atomic_store(&epoch, 0);
	sigaction(SIGBUS, &action, NULL);
	for (uint64_t i = 0; i < PAGES; i++) {
		ranges[i] = (struct upadev_range){ i * step, 1 };
		put(other + i, (uint32_t)i + 1);
	}
	if (mode == UPADEV_GUARDED)
		CHECK_EQUAL(map_pages(&r, other, PAGES), 0);
	CHECK_EQUAL(pthread_create(&thread, NULL, reader, NULL), 0);
	for (int round = 0; round < rounds; round++) {
		for (uint64_t i = 0; i < PAGES; i++) {
			*word(&r, other + i) = 1;
			put(i * step, (uint32_t)i + 1);
		}
		atomic_fetch_add(&epoch, 1);
		if (mode == UPADEV_GUARDED)
			CHECK_EQUAL(ioctl(r.fd, UPADEV_MAP, &b), 0);
		uint64_t seen = atomic_load(&reads);
		for (int i = 0; i < 1000 && atomic_load(&reads) < seen + PAGES; i++)
			sched_yield();
		for (uint64_t i = 0; i < PAGES; i++)
			put(i * step, 0);
		if (shoot_down)
			CHECK_EQUAL(mode == UPADEV_GUARDED ? ioctl(r.fd, UPADEV_UNMAP, &b) :
							     fsync(r.fd) - UPADEV_DONE,
				    0);
		/* From here on the frames are free for another use. */
		for (uint64_t i = 0; i < PAGES; i++)
			*word(&r, other + i) = REUSED;
		atomic_fetch_add(&epoch, 1);
		seen = atomic_load(&reads);
		for (int i = 0; i < 20 && atomic_load(&reads) < seen + PAGES; i++)
			sched_yield();
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	munmap(r.data, r.created.data_bytes);
	close(r.fd);
	return atomic_load(&stale);
}

static void finds_no_stale_translation(void)
{
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("needs two CPUs");
	int fd = open_device();
	struct upadev_info info;

	CHECK_EQUAL(ioctl(fd, UPADEV_INFO, &info), 0);
	for (uint32_t mode = UPADEV_GUARDED; mode <= UPADEV_RAW_PTE; mode++) {
		if (!(info.modes & 1U << mode))
			continue;
		uint64_t found = run(mode, false, 1, 1000);

		printf("# mode=%u without a shoot-down: %lu stale reads\n", mode,
		       (unsigned long)found);
		CHECK(found > 0);
		CHECK_EQUAL(run(mode, true, 1, 1500), 0);  /* contiguous */
		CHECK_EQUAL(run(mode, true, 20, 1500), 0); /* scattered in one to three tables */
	}
}

TESTS(CASE(finds_no_stale_translation))
