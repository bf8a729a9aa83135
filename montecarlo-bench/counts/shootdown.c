/*
 * What taking mappings away costs against the number of pages in the batch: contiguous, and scattered (one page in 16).
 * Backends:
 *   batched      UPADEV_UNMAP: entries cleared one by one, one shoot-down for all (what the module does)
 *   per-range    UPADEV_UNMAP with UPADEV_BATCH_PER_RANGE: zap_vma_ptes() for each range, each with its shoot-down
 *   hull         the same with one range from the first to the last page, which also takes away what lies between
 *   raw-pte      entries cleared by the process, fsync()
 *   madvise      stock kernel: one MADV_DONTNEED for each range of anonymous memory
 *   munmap-like  stock kernel: one MADV_DONTNEED over everything from the first to the last page
 */
#include "measure.h"

#define STEP 16 /* of the scattered pages */
#define MAX_BATCH (FULL ? 4096 : 1024)
#define PAGES (MAX_BATCH * STEP)
#define ROUNDS 3

static struct upadev_range ranges[4096];

static uint64_t make_ranges(uint64_t pages, bool scattered)
{
	if (!scattered) {
		ranges[0] = (struct upadev_range){ 0, pages };
		return 1;
	}
	for (uint64_t i = 0; i < pages; i++)
		ranges[i] = (struct upadev_range){ i * STEP, 1 };
	return pages;
}

static void report(const char *backend, bool scattered, uint64_t pages, uint64_t calls, uint64_t *values)
{
	record("shootdown", backend, scattered ? "scattered" : "contiguous", pages, calls, typical(values, ROUNDS));
}

static void guarded(const struct region *r, const char *backend, uint64_t pages, bool scattered, uint32_t flags,
		    bool hull)
{
	uint64_t values[ROUNDS], count = make_ranges(pages, scattered);
	struct upadev_range whole = { 0, ranges[count - 1].page + ranges[count - 1].count };
	struct upadev_batch b;

	for (int round = -1; round < ROUNDS; round++) {
		uint64_t start;

		one_range(r, POSIX_FADV_WILLNEED, 0, whole.count);
		b = (struct upadev_batch){ .ranges = (uintptr_t)(hull ? &whole : ranges),
					   .count = hull ? 1 : (uint32_t)count,
					   .flags = flags };
		start = counter();
		NEED(ioctl(r->fd, UPADEV_UNMAP, &b) == 0);
		values[round < 0 ? 0 : round] = since(start);
	}
	report(backend, scattered, pages, b.count, values);
}

static void raw(const struct region *r, uint64_t pages, bool scattered)
{
	uint64_t values[ROUNDS], step = scattered ? STEP : 1;

	for (int round = -1; round < ROUNDS; round++) {
		uint64_t start;

		for (uint64_t i = 0; i < pages * step; i++)
			r->tables[i] = r->entries[i];
		start = counter();
		for (uint64_t i = 0; i < pages; i++)
			r->tables[i * step] = 0;
		NEED(fsync(r->fd) == UPADEV_DONE);
		values[round < 0 ? 0 : round] = since(start);
	}
	report("raw-pte", scattered, pages, 1, values);
}

static void stock(unsigned char *data, const char *backend, uint64_t pages, bool scattered, bool hull)
{
	uint64_t values[ROUNDS], count = make_ranges(pages, scattered);
	uint64_t span = ranges[count - 1].page + ranges[count - 1].count;

	for (int round = 0; round < ROUNDS; round++) {
		uint64_t start;

		touch(data, span);
		start = counter();
		if (hull)
			NEED(madvise(data, span * PAGE, MADV_DONTNEED) == 0);
		else
			for (uint64_t i = 0; i < count; i++)
				NEED(madvise(data + ranges[i].page * PAGE, ranges[i].count * PAGE, MADV_DONTNEED) == 0);
		values[round] = since(start);
	}
	report(backend, scattered, pages, hull ? 1 : count, values);
}

int main(void)
{
	struct region pool, tables;
	unsigned char *data;

	allow_huge_pages(false);
	calibrate();
	header();
	NEED(make_region(&pool, UPADEV_GUARDED, 0, PAGES, PAGES));
	for (uint64_t i = 0; i < PAGES; i++)
		pool.shadow[i] = (uint32_t)i + 1;
	data = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	NEED(data != MAP_FAILED);
	for (int scattered = 0; scattered < 2; scattered++)
		for (uint64_t pages = 1; pages <= MAX_BATCH; pages *= 4) {
			guarded(&pool, "batched", pages, scattered, 0, false);
			guarded(&pool, "per-range", pages, scattered, UPADEV_BATCH_PER_RANGE, false);
			if (scattered)
				guarded(&pool, "hull", pages, scattered, UPADEV_BATCH_PER_RANGE, true);
			stock(data, "madvise", pages, scattered, false);
			if (scattered)
				stock(data, "munmap-like", pages, scattered, true);
		}
	/* Last: raw modes leave a notifier in the address space, and guarded ones then tell it of each unmapping. */
	if (make_region(&tables, UPADEV_RAW_PTE, 0, PAGES, PAGES))
		for (int scattered = 0; scattered < 2; scattered++)
			for (uint64_t pages = 1; pages <= MAX_BATCH; pages *= 4)
				raw(&tables, pages, scattered);
	return 0;
}
