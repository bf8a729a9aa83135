/*
 * What a page costs: allocate, first touch, free, touch again in place, and realloc to twice the size at another place,
 * for requests of 4 KiB to 1 GiB, through kernel mmap and through each mode of the module.
 *
 * Only the mapping is measured, not the bookkeeping of an allocator. Backends:
 *   kernel            mmap without huge pages, munmap; realloc is mremap to another place
 *   kernel-populate   the same with MAP_POPULATE
 *   kernel-thp        2 MiB-aligned with MADV_HUGEPAGE
 *   guarded-fault     shadow entries, installed by the faults of the touch; freed by one posix_fadvise()
 *   guarded-batch     shadow entries, installed by one posix_fadvise()
 *   guarded-blocks    shadow entries that name 512 frames, for entries of 2 MiB, installed by one posix_fadvise()
 *   guarded-blocks-fault   the same, installed by the faults of the touch
 *   raw-pte, raw-pmd  hardware entries; freed by storing 0 and one fsync()
 * Operations: allocate, touch (one store for each 4 KiB), touch-huge (fresh pages again, one store for each 2 MiB),
 * free, reuse (touch of pages still mapped), realloc; for the module's modes, free is also split into clear (stores to
 * the table) and flush (the call), and pool is what the kernel needs to make, clear and hand over the pool.
 */
#include "measure.h"

static const uint64_t sizes[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384, 65536, 262144 };
#define SIZES (sizeof(sizes) / sizeof(*sizes))
#define REALLOC_PAGES 65536

enum { ALLOCATE, TOUCH, TOUCH_HUGE, REUSE, FREE, CLEAR, FLUSH, REALLOC, OPERATIONS };
static const char *const names[] = { "allocate", "touch", "touch-huge", "reuse", "free", "clear", "flush", "realloc" };

static uint64_t results[OPERATIONS][MAX_ROUNDS];

static int rounds_for(uint64_t pages)
{
	if (!counting)
		return pages <= 4096 ? MAX_ROUNDS : 3;
	if (FULL)
		return pages <= 4096 ? MAX_ROUNDS : pages <= 65536 ? 3 : 1;
	return pages <= 512 ? 5 : 1;
}

/* Without FULL the larger sizes in steps of 8 and 16: the kernel's pages are what takes the time. */
static bool left_out(uint64_t pages)
{
	return !FULL && (pages == 1024 || pages == 65536);
}

static void report(const char *backend, uint64_t pages, uint64_t calls)
{
	for (int operation = 0; operation < OPERATIONS; operation++) {
		uint64_t *values = results[operation];
		int n = rounds_for(pages);

		if (values[0] != UINT64_MAX)
			record("page_cost", backend, names[operation], pages,
			       operation == FREE || operation == FLUSH ? calls : 0, typical(values, n));
	}
}

static void forget(void)
{
	for (int operation = 0; operation < OPERATIONS; operation++)
		results[operation][0] = UINT64_MAX;
}

static uint64_t touch_huge(unsigned char *data, uint64_t pages)
{
	uint64_t start = counter();

	for (volatile unsigned char *p = data, *end = data + pages * PAGE; p < end; p += 2 * MIB)
		*p = 1;
	return since(start);
}

static unsigned char *map_kernel(uint64_t pages, int kind, void *place)
{
	unsigned char *data =
		mmap(place, pages * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | (place ? MAP_FIXED : 0) | (kind == 1 ? MAP_POPULATE : 0), -1, 0);

	NEED(data != MAP_FAILED);
	return data;
}

static void kernel_rounds(const char *backend, int kind)
{
	allow_huge_pages(kind == 2);
	for (size_t s = 0; s < SIZES; s++) {
		uint64_t pages = sizes[s], start;
		int rounds = rounds_for(pages);
		/* Huge pages need the alignment: the hole is reserved before the measurement and mapped over. */
		uint64_t room = pages * PAGE * 2 + 2 * MIB;

		if ((kind == 2 && pages < 512) || left_out(pages))
			continue;
		forget();
		for (int round = rounds > 1 ? -1 : 0; round < rounds; round++) {
			int slot = round < 0 ? 0 : round;
			void *place = kind == 2 ? reserve(room, 2 * MIB) : NULL;
			unsigned char *data;

			start = counter();
			data = map_kernel(pages, kind, place);
			if (kind == 2)
				NEED(madvise(data, pages * PAGE, MADV_HUGEPAGE) == 0);
			results[ALLOCATE][slot] = since(start);
			start = counter();
			touch(data, pages);
			results[TOUCH][slot] = since(start);
			start = counter();
			touch(data, pages);
			results[REUSE][slot] = since(start);
			if (pages <= REALLOC_PAGES) {
				unsigned char *target = reserve(room, 2 * MIB);

				start = counter();
				data = mremap(data, pages * PAGE, 2 * pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
					      target);
				results[REALLOC][slot] = since(start);
				NEED(data != MAP_FAILED);
				munmap(data + pages * PAGE, pages * PAGE);
				start = counter();
				munmap(data, pages * PAGE);
				results[FREE][slot] = since(start);
				munmap(target, room);
			} else {
				start = counter();
				munmap(data, pages * PAGE);
				results[FREE][slot] = since(start);
			}
			if (place)
				munmap(place, room);
		}
		if (kind == 2) {
			unsigned char *place = reserve(room, 2 * MIB), *data = map_kernel(pages, kind, place);

			NEED(madvise(data, pages * PAGE, MADV_HUGEPAGE) == 0);
			results[TOUCH_HUGE][0] = touch_huge(data, pages);
			for (int round = 1; round < rounds; round++)
				results[TOUCH_HUGE][round] = results[TOUCH_HUGE][0];
			munmap(place, room);
		}
		report(backend, pages, 1);
	}
}

static void guarded_rounds(const char *backend, bool by_fault)
{
	for (size_t s = 0; s < SIZES; s++) {
		uint64_t pages = sizes[s], blocks = (pages + 511) / 512 * 512, start;
		bool moves = pages <= REALLOC_PAGES;
		uint64_t frames = moves ? (2 * pages + 511) / 512 * 512 : blocks;
		uint64_t begun = counter();
		struct region r;

		if (left_out(pages))
			continue;
		forget();
		/* A touch installs the table of 512 around it: let there be none but the pages asked for. */
		NEED(make_region(&r, UPADEV_GUARDED, 0, blocks + (moves ? 2 * blocks : 0), frames));
		if (!by_fault && pages >= 256) /* below, the pool is that of 256 pages */
			record("page_cost", backend, "pool", frames, 0, since(begun));
		for (int round = -1; round < rounds_for(pages); round++) {
			int slot = round < 0 ? 0 : round;

			start = counter();
			for (uint64_t i = 0; i < pages; i++)
				*(volatile uint32_t *)&r.shadow[i] = (uint32_t)i + 1;
			if (!by_fault)
				one_range(&r, POSIX_FADV_WILLNEED, 0, pages);
			results[ALLOCATE][slot] = since(start);
			start = counter();
			touch(r.data, pages);
			results[TOUCH][slot] = since(start);
			start = counter();
			touch(r.data, pages);
			results[REUSE][slot] = since(start);
			if (moves) {
				start = counter();
				for (uint64_t i = 0; i < pages; i++) {
					*(volatile uint32_t *)&r.shadow[blocks + i] = r.shadow[i];
					*(volatile uint32_t *)&r.shadow[i] = 0;
				}
				for (uint64_t i = pages; i < 2 * pages; i++)
					*(volatile uint32_t *)&r.shadow[blocks + i] = (uint32_t)i + 1;
				if (!by_fault)
					one_range(&r, POSIX_FADV_WILLNEED, blocks, 2 * pages);
				one_range(&r, POSIX_FADV_DONTNEED, 0, pages);
				results[REALLOC][slot] = since(start);
				memset(r.shadow + blocks, 0, 2 * pages * sizeof(*r.shadow));
				one_range(&r, POSIX_FADV_DONTNEED, blocks, 2 * blocks);
				for (uint64_t i = 0; i < pages; i++)
					r.shadow[i] = (uint32_t)i + 1;
				one_range(&r, POSIX_FADV_WILLNEED, 0, pages);
			}
			start = counter();
			for (uint64_t i = 0; i < pages; i++)
				*(volatile uint32_t *)&r.shadow[i] = 0;
			results[CLEAR][slot] = since(start);
			start = counter();
			one_range(&r, POSIX_FADV_DONTNEED, 0, pages);
			results[FLUSH][slot] = since(start);
			results[FREE][slot] = results[CLEAR][slot] + results[FLUSH][slot];
		}
		report(backend, pages, 1);
		destroy_region(&r);
	}
}

/* By whole blocks, all by one call; by_fault: by the touch. */
static void block_rounds(const char *backend, bool by_fault)
{
	struct region r;

	if (!make_region(&r, UPADEV_GUARDED, UPADEV_CREATE_BLOCKS, 262144, 262144))
		return;
	for (size_t s = 0; s < SIZES; s++) {
		uint64_t pages = sizes[s], n = (pages + 511) / 512, start;

		if (left_out(pages))
			continue;
		forget();
		pages = n * 512;
		for (int round = -1; round < rounds_for(pages); round++) {
			int slot = round < 0 ? 0 : round;

			for (int huge = 0; huge < 2; huge++) {
				start = counter();
				for (uint64_t i = 0; i < n; i++)
					*(volatile uint32_t *)&r.shadow[i * 512] = UPADEV_SHADOW_BLOCK | (uint32_t)i;
				if (!by_fault)
					one_range(&r, POSIX_FADV_WILLNEED, 0, pages);
				results[ALLOCATE][slot] = since(start);
				if (huge) {
					results[TOUCH_HUGE][slot] = touch_huge(r.data, pages);
				} else {
					start = counter();
					touch(r.data, pages);
					results[TOUCH][slot] = since(start);
					start = counter();
					touch(r.data, pages);
					results[REUSE][slot] = since(start);
				}
				start = counter();
				for (uint64_t i = 0; i < n; i++)
					*(volatile uint32_t *)&r.shadow[i * 512] = 0;
				results[CLEAR][slot] = since(start);
				start = counter();
				one_range(&r, POSIX_FADV_DONTNEED, 0, pages);
				results[FLUSH][slot] = since(start);
				results[FREE][slot] = results[CLEAR][slot] + results[FLUSH][slot];
			}
		}
		if (sizes[s] >= 512)
			report(backend, pages, 1);
	}
	destroy_region(&r);
}

static void raw_rounds(const char *backend, uint32_t mode)
{
	const uint64_t unit_pages = mode == UPADEV_RAW_PMD ? 512 : 1;
	struct region r;
	uint64_t begun = counter();

	if (!make_region(&r, mode, 0, 3 * 262144, 262144)) {
		fprintf(stderr, "# page_cost: no raw modes: load the module with raw=1\n");
		return;
	}
	record("page_cost", backend, "pool", 262144, 0, since(begun));
	for (size_t s = 0; s < SIZES; s++) {
		uint64_t pages = sizes[s], n = (pages + unit_pages - 1) / unit_pages, start;
		volatile uint64_t *tables = r.tables, *target = tables + 262144 / unit_pages;
		const uint64_t *entries = r.entries;

		if (left_out(pages))
			continue;
		forget();
		for (int round = -1; round < rounds_for(pages); round++) {
			int slot = round < 0 ? 0 : round;

			start = counter();
			for (uint64_t i = 0; i < n; i++)
				tables[i] = entries[i];
			results[ALLOCATE][slot] = since(start);
			start = counter();
			touch(r.data, pages);
			results[TOUCH][slot] = since(start);
			start = counter();
			touch(r.data, pages);
			results[REUSE][slot] = since(start);
			if (pages <= REALLOC_PAGES) {
				start = counter();
				for (uint64_t i = 0; i < n; i++) {
					target[i] = tables[i];
					tables[i] = 0;
				}
				for (uint64_t i = n; i < (2 * pages + unit_pages - 1) / unit_pages; i++)
					target[i] = entries[i];
				NEED(fsync(r.fd) == UPADEV_DONE);
				results[REALLOC][slot] = since(start);
				for (uint64_t i = 0; i < n; i++)
					tables[i] = target[i];
				for (uint64_t i = 0; i < 2 * n; i++)
					target[i] = 0;
				NEED(fsync(r.fd) == UPADEV_DONE);
			}
			if (mode == UPADEV_RAW_PMD) {
				NEED(fsync(r.fd) == UPADEV_DONE); /* nothing cached: the walk is done again */
				results[TOUCH_HUGE][slot] = touch_huge(r.data, pages);
			}
			start = counter();
			for (uint64_t i = 0; i < n; i++)
				tables[i] = 0;
			results[CLEAR][slot] = since(start);
			start = counter();
			NEED(fsync(r.fd) == UPADEV_DONE);
			results[FLUSH][slot] = since(start);
			results[FREE][slot] = results[CLEAR][slot] + results[FLUSH][slot];
		}
		report(backend, pages, 1);
	}
	destroy_region(&r);
}

static bool named(int argc, char **argv, const char *backend)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], backend))
			return true;
	return false;
}

/* Arguments: backends; without any, all. */
int main(int argc, char **argv)
{
	calibrate();
	header();
#define RUN(name, call)                                                                                                \
	do {                                                                                                           \
		if (argc == 1 || named(argc, argv, name))                                                              \
			call;                                                                                          \
	} while (0)
	RUN("raw-pte", raw_rounds("raw-pte", UPADEV_RAW_PTE));
	RUN("raw-pmd", raw_rounds("raw-pmd", UPADEV_RAW_PMD));
	RUN("guarded-batch", guarded_rounds("guarded-batch", false));
	RUN("guarded-fault", guarded_rounds("guarded-fault", true));
	RUN("guarded-blocks", block_rounds("guarded-blocks", false));
	RUN("guarded-blocks-fault", block_rounds("guarded-blocks-fault", true));
	RUN("kernel-thp", kernel_rounds("kernel-thp", 2));
	RUN("kernel-populate", kernel_rounds("kernel-populate", 1));
	RUN("kernel", kernel_rounds("kernel", 0));
	return 0;
}
