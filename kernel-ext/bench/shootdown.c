/*
 * What taking mappings away costs against the number of pages in the batch: contiguous, and scattered (one page in 16).
 * Backends:
 *   fence        UPA_IOC_UNMAP: entries cleared one by one, one shoot-down for all (what the module does)
 *   per-range    UPA_IOC_UNMAP with UPA_BATCH_PER_RANGE: zap_vma_ptes() for each range, each with its shoot-down
 *   hull         the same with one range from the first to the last page, which also takes away what lies between
 *   raw-pte      entries cleared by the process, UPA_IOC_FLUSH
 *   madvise      stock kernel: one MADV_DONTNEED for each range of anonymous memory
 *   munmap-like  stock kernel: one MADV_DONTNEED over everything from the first to the last page
 */
#include "measure.h"

#define PAGES 65536
#define MAX_BATCH 4096

static struct upa_range ranges[MAX_BATCH];

static uint64_t make_ranges(uint64_t pages, bool scattered)
{
	if (!scattered) {
		ranges[0] = (struct upa_range){ 0, pages };
		return 1;
	}
	for (uint64_t i = 0; i < pages; i++)
		ranges[i] = (struct upa_range){ i * 16, 1 };
	return pages;
}

static void guarded(const char *backend, uint64_t pages, bool scattered, uint32_t flags, bool hull)
{
	struct region r;
	uint64_t values[MAX_ROUNDS], count = make_ranges(pages, scattered);
	struct upa_range whole = { 0, ranges[count - 1].page + ranges[count - 1].count };
	struct upa_batch b;

	NEED(make_region(&r, UPA_GUARDED, 0, PAGES, PAGES));
	for (int round = -1; round < MAX_ROUNDS; round++) {
		uint64_t start;

		for (uint64_t i = 0; i < PAGES; i++)
			r.shadow[i] = (uint32_t)i + 1;
		one_range(&r, UPA_IOC_MAP, 0, PAGES);
		b = (struct upa_batch){ .ranges = (uintptr_t)(hull ? &whole : ranges), .count = hull ? 1 : (uint32_t)count, .flags = flags };
		start = counter();
		NEED(ioctl(r.fd, UPA_IOC_UNMAP, &b) == 0);
		values[round < 0 ? 0 : round] = since(start);
	}
	record("shootdown", backend, scattered ? "scattered" : "contiguous", pages, b.count, median(values, MAX_ROUNDS));
	destroy_region(&r);
}

static void raw(uint64_t pages, bool scattered)
{
	struct region r;
	uint64_t values[MAX_ROUNDS], step = scattered ? 16 : 1;

	if (!make_region(&r, UPA_RAW_PTE, 0, PAGES, PAGES))
		return;
	for (int round = -1; round < MAX_ROUNDS; round++) {
		uint64_t start;

		for (uint64_t i = 0; i < PAGES; i++)
			r.tables[i] = r.entries[i];
		start = counter();
		for (uint64_t i = 0; i < pages; i++)
			r.tables[i * step] = 0;
		NEED(ioctl(r.fd, UPA_IOC_FLUSH) == 0);
		values[round < 0 ? 0 : round] = since(start);
	}
	record("shootdown", "raw-pte", scattered ? "scattered" : "contiguous", pages, 1, median(values, MAX_ROUNDS));
	destroy_region(&r);
}

static void stock(const char *backend, uint64_t pages, bool scattered, bool hull)
{
	uint64_t values[3], count = make_ranges(pages, scattered);
	uint64_t span = ranges[count - 1].page + ranges[count - 1].count;
	unsigned char *data = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	NEED(data != MAP_FAILED);
	for (int round = 0; round < 3; round++) {
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
	record("shootdown", backend, scattered ? "scattered" : "contiguous", pages, hull ? 1 : count, median(values, 3));
	munmap(data, PAGES * PAGE);
}

int main(void)
{
	int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_WRONLY);

	if (fd >= 0) {
		NEED(write(fd, "never", 5) == 5);
		close(fd);
	}
	calibrate();
	header();
	for (int scattered = 0; scattered < 2; scattered++)
		for (uint64_t pages = 1; pages <= (QUICK ? 256 : MAX_BATCH); pages *= 4) {
			guarded("fence", pages, scattered, 0, false);
			guarded("per-range", pages, scattered, UPA_BATCH_PER_RANGE, false);
			if (scattered)
				guarded("hull", pages, scattered, UPA_BATCH_PER_RANGE, true);
			raw(pages, scattered);
			stock("madvise", pages, scattered, false);
			if (scattered)
				stock("munmap-like", pages, scattered, true);
		}
	return 0;
}
