/*
 * What the measurement programs of the module share: the counter, the CSV schema, and making a region.
 *
 * The counter is the time stamp counter. Under `run --icount` QEMU advances it by one for each guest instruction, in
 * kernel and user mode alike, so a difference is an exact number of instructions (checked at start: a loop of known
 * length). Otherwise it is time, and the unit column says so. An iteration of a `rep` string instruction counts as one
 * instruction. The backends that need no module also run on a host, to see how times compare with counts.
 *
 * CSV, one schema for all programs:
 *   program,backend,operation,bytes,pages,batch,unit,total,per_page
 *   bytes, pages  size of one request         batch  ranges given to the kernel in one call, 0 where there is no call
 *   unit          instructions | nanoseconds  total  for the whole request, of the rounds the median (of times, which
 *                                             others disturb, the least)        per_page  total / pages
 * Lines that begin with # are remarks. With UPA_FULL in the environment every size is measured, and with more rounds.
 */
#ifndef UPA_MEASURE_H
#define UPA_MEASURE_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "upa.h"

#define PAGE ((uint64_t)UPADEV_PAGE_BYTES)
#define MIB (1ULL << 20)

#define FULL (getenv("UPA_FULL") != NULL)

static bool counting; /* the counter counts instructions, else it ticks */
static double ticks_per_unit = 1;
static uint64_t counter_cost;

/* Says what failed and ends the program. */
#define NEED(condition)                                                                                                \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s failed: %s\n", __FILE__, __LINE__, #condition, strerror(errno));    \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

static inline uint64_t counter(void)
{
	uint64_t value;

	_mm_lfence();
	value = __rdtsc();
	_mm_lfence();
	return value;
}

static inline uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Finds the unit: three instructions a turn, a million turns. */
static inline void calibrate(void)
{
	uint64_t start, best = UINT64_MAX, spin = UINT64_MAX;

	for (int i = 0; i < 5; i++) {
		uint64_t turns = 1000000;

		start = counter();
		counter_cost = counter() - start;
		if (counter_cost < best)
			best = counter_cost;
		start = counter();
		__asm__ volatile("1: nop\n\tsub $1, %0\n\tjnz 1b" : "+r"(turns));
		start = counter() - start;
		if (start < spin)
			spin = start;
	}
	counter_cost = best;
	counting = spin >= 3000000 && spin < 3000100;
	if (!counting) {
		uint64_t time = nanoseconds();

		start = counter();
		while (nanoseconds() - time < 20000000)
			;
		ticks_per_unit = (double)(counter() - start) / (double)(nanoseconds() - time);
	}
}

/* Huge pages where a program asks for them, whatever the machine's policy, or nowhere; for this process only. */
static inline void allow_huge_pages(bool allowed)
{
	NEED(prctl(PR_SET_THP_DISABLE, !allowed, 0, 0, 0) == 0);
}

static inline void header(void)
{
	printf("program,backend,operation,bytes,pages,batch,unit,total,per_page\n");
	fflush(stdout);
}

static inline void record(const char *program, const char *backend, const char *operation, uint64_t pages,
			  uint64_t batch, uint64_t total)
{
	double units = (double)total / ticks_per_unit;

	printf("%s,%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s,%.0f,%.2f\n", program, backend, operation, pages * PAGE,
	       pages, batch, counting ? "instructions" : "nanoseconds", units, units / (double)pages);
	fflush(stdout);
}

#define MAX_ROUNDS 9

static inline int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static inline uint64_t typical(uint64_t *values, int n)
{
	qsort(values, (size_t)n, sizeof(*values), compare);
	return values[counting ? n / 2 : 0];
}

static inline uint64_t since(uint64_t start)
{
	uint64_t now = counter();

	return now - start > counter_cost ? now - start - counter_cost : 0;
}

struct region {
	int fd;
	struct upadev_create created;
	unsigned char *data;
	uint32_t *shadow;
	const uint64_t *entries;
	volatile uint64_t *tables;
};

static inline void *reserve(uint64_t bytes, uint64_t alignment)
{
	unsigned char *range =
		mmap(NULL, bytes + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	NEED(range != MAP_FAILED);
	return (void *)(((uintptr_t)range + alignment - 1) & ~(uintptr_t)(alignment - 1));
}

static inline void *map_part(int fd, uint64_t bytes, uint64_t offset, int protection)
{
	void *part = mmap(NULL, bytes, protection, MAP_SHARED, fd, (off_t)offset);

	NEED(part != MAP_FAILED);
	return part;
}

/* False if the module does not offer the mode. */
static inline bool make_region(struct region *r, uint32_t mode, uint32_t flags, uint64_t pages, uint64_t frames)
{
	struct upadev_info info;

	memset(r, 0, sizeof(*r));
	r->fd = open("/dev/upa", O_RDWR | O_CLOEXEC);
	NEED(r->fd >= 0);
	NEED(ioctl(r->fd, UPADEV_INFO, &info) == 0);
	if (!(info.modes & 1U << mode)) {
		close(r->fd);
		return false;
	}
	r->created = (struct upadev_create){ .version = UPADEV_ABI_VERSION,
					     .mode = mode,
					     .flags = flags,
					     .pages = pages,
					     .frames = frames,
					     .max_frames = frames };
	NEED(ioctl(r->fd, UPADEV_CREATE, &r->created) == 0);
	r->data = mmap(reserve(r->created.data_bytes, 1 << 30), r->created.data_bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_FIXED, r->fd, UPADEV_MAP_DATA);
	NEED(r->data != MAP_FAILED);
	if (mode == UPADEV_GUARDED) {
		r->shadow = map_part(r->fd, r->created.shadow_bytes, UPADEV_MAP_SHADOW, PROT_READ | PROT_WRITE);
		memset(r->shadow, 0, r->created.shadow_bytes);
	} else {
		r->entries = map_part(r->fd, r->created.entries_bytes, UPADEV_MAP_ENTRIES, PROT_READ);
		r->tables = map_part(r->fd, r->created.tables_bytes, UPADEV_MAP_TABLES, PROT_READ | PROT_WRITE);
		/* The views themselves are mapped by faults, once: not part of any figure. */
		for (uint64_t i = 0; i < r->created.entries_bytes; i += PAGE)
			(void)*((const volatile unsigned char *)r->entries + i);
	}
	return true;
}

static inline void destroy_region(struct region *r)
{
	munmap(r->data, r->created.data_bytes);
	if (r->shadow)
		munmap(r->shadow, r->created.shadow_bytes);
	if (r->entries)
		munmap((void *)(uintptr_t)r->entries, r->created.entries_bytes);
	if (r->tables)
		munmap((void *)(uintptr_t)r->tables, r->created.tables_bytes);
	close(r->fd);
}

/* @advice: POSIX_FADV_WILLNEED installs what the shadow table says, POSIX_FADV_DONTNEED takes it away. */
static inline void one_range(const struct region *r, int advice, uint64_t page, uint64_t count)
{
	NEED(posix_fadvise(r->fd, (off_t)(page * PAGE), (off_t)(count * PAGE), advice) == 0);
}

/* One store for each page. */
static inline void touch(unsigned char *data, uint64_t pages)
{
	for (volatile unsigned char *p = data, *end = data + pages * PAGE; p < end; p += PAGE)
		*p = 1;
}

#endif
