/*
 * What it costs to learn which pages were used: UPADEV_HARVEST against what a stock kernel offers for the same
 * question. Backends:
 *   harvest         UPADEV_HARVEST of accessed and dirty bits, clearing both, with the flush
 *   harvest-read    the same without clearing
 *   raw-pte         the process reads and clears the bits in its tables, and fsync()
 *   soft-dirty      /proc/self/pagemap, and 4 to /proc/self/clear_refs (written pages only; clears the whole process)
 *   referenced      1 to /proc/self/clear_refs, and the Referenced line of /proc/self/smaps (a sum, not which pages)
 * Operation N% is the share of pages written since the last time.
 */
#include "measure.h"

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	NEED(fd >= 0);
	NEED(write(fd, text, 1) == 1);
	close(fd);
}

static void use(unsigned char *data, uint64_t pages, uint64_t step)
{
	for (uint64_t page = 0; page < pages; page += step)
		((volatile unsigned char *)data)[page * PAGE] = 1;
}

static void with_module(uint64_t pages, uint64_t step, const char *operation, uint64_t *accessed, uint64_t *dirty)
{
	struct region r;
	uint64_t cleared[5], read[5], found = 0;

	NEED(make_region(&r, UPADEV_GUARDED, UPADEV_CREATE_TRACK, pages, pages));
	for (uint64_t page = 0; page < pages; page++)
		r.shadow[page] = (uint32_t)page + 1;
	one_range(&r, POSIX_FADV_WILLNEED, 0, pages);
	for (int round = 0; round < 5; round++) {
		struct upadev_harvest h = { .count = pages,
					    .accessed = (uintptr_t)accessed,
					    .dirty = (uintptr_t)dirty };
		uint64_t start;

		use(r.data, pages, step);
		start = counter();
		NEED(ioctl(r.fd, UPADEV_HARVEST, &h) == 0);
		read[round] = since(start);
		h.flags = UPADEV_HARVEST_CLEAR_ACCESSED | UPADEV_HARVEST_CLEAR_DIRTY | UPADEV_HARVEST_FLUSH;
		start = counter();
		NEED(ioctl(r.fd, UPADEV_HARVEST, &h) == 0);
		cleared[round] = since(start);
		found = h.dirty_pages;
	}
	NEED(found == (pages + step - 1) / step);
	record("harvest_cost", "harvest", operation, pages, 1, typical(cleared, 5));
	record("harvest_cost", "harvest-read", operation, pages, 1, typical(read, 5));
	destroy_region(&r);

	if (!make_region(&r, UPADEV_RAW_PTE, UPADEV_CREATE_TRACK, pages, pages))
		return;
	for (uint64_t page = 0; page < pages; page++)
		r.tables[page] = r.entries[page];
	for (int round = 0; round < 5; round++) {
		uint64_t start;

		use(r.data, pages, step);
		start = counter();
		found = 0;
		for (uint64_t page = 0; page < pages; page++)
			if (r.tables[page] & 0x60) {
				found += r.tables[page] >> 6 & 1;
				__atomic_fetch_and(&r.tables[page], ~0x60ULL, __ATOMIC_RELAXED);
			}
		NEED(fsync(r.fd) == UPADEV_DONE);
		cleared[round] = since(start);
	}
	NEED(found == (pages + step - 1) / step);
	record("harvest_cost", "raw-pte", operation, pages, 1, typical(cleared, 5));
	destroy_region(&r);
}

static void with_stock_kernel(uint64_t pages, uint64_t step, const char *operation, uint64_t *map)
{
	unsigned char *data =
		mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	uint64_t values[5], found = 0;
	long seen = 0;

	NEED(data != MAP_FAILED && pagemap >= 0);
	put("/proc/self/clear_refs", "4");
	for (int round = 0; round < 5; round++) {
		uint64_t start;

		use(data, pages, step);
		start = counter();
		NEED(pread(pagemap, map, pages * 8, (off_t)((uintptr_t)data / PAGE * 8)) == (ssize_t)(pages * 8));
		found = 0;
		for (uint64_t page = 0; page < pages; page++)
			found += map[page] >> 55 & 1;
		put("/proc/self/clear_refs", "4");
		values[round] = since(start);
	}
	if (found == (pages + step - 1) / step)
		record("harvest_cost", "soft-dirty", operation, pages, 1, typical(values, 5));
	else
		fprintf(stderr, "# harvest_cost: this kernel has no soft-dirty bits\n");
	/* The next write to each page pays for the tracking with a fault: measured as well. */
	{
		uint64_t start = counter();

		use(data, pages, step);
		record("harvest_cost", "soft-dirty-refault", operation, pages, 0, since(start));
	}
	for (int round = 0; round < 5; round++) {
		char line[256];
		uint64_t start = counter();
		FILE *smaps;
		long kib = 0, sum = 0;

		put("/proc/self/clear_refs", "1");
		use(data, pages, step);
		start = counter();
		smaps = fopen("/proc/self/smaps", "r");
		NEED(smaps);
		while (fgets(line, sizeof(line), smaps))
			if (sscanf(line, "Referenced: %ld", &kib) == 1)
				sum += kib;
		fclose(smaps);
		put("/proc/self/clear_refs", "1");
		values[round] = since(start);
		seen = sum;
	}
	/* The kernel does not flush after clearing accessed bits: what stays in the TLB looks idle. */
	if ((uint64_t)seen * 1024 < (pages + step - 1) / step * PAGE)
		fprintf(stderr, "# harvest_cost: referenced reports %ld KiB of %" PRIu64 " KiB used\n", seen,
			(pages + step - 1) / step * 4);
	record("harvest_cost", "referenced", operation, pages, 1, typical(values, 5));
	close(pagemap);
	munmap(data, pages * PAGE);
}

int main(void)
{
	static const uint64_t sizes[] = { 512, 8192, 65536 };

	allow_huge_pages(false);
	calibrate();
	header();
	for (int s = 0; s < (FULL ? 3 : 2); s++) {
		uint64_t *map = calloc(sizes[s], 8), *bits = calloc(sizes[s] / 64, 8);

		NEED(map && bits);
		memset(map, 1, sizes[s] * 8);
		memset(bits, 1, sizes[s] / 8);
		with_module(sizes[s], 100, "1%", map, bits);
		with_module(sizes[s], 1, "100%", map, bits);
		with_stock_kernel(sizes[s], 100, "1%", map);
		with_stock_kernel(sizes[s], 1, "100%", map);
		free(map);
		free(bits);
	}
	return 0;
}
