/*
 * What it costs to give the memory of unused pages back to the kernel, and to use the pages again. Backends:
 *   upa             UPADEV_RECLAIM after UPADEV_ALLOCATORS: no call by the owner, if pressure or a manager asks for it
 *   dontneed        MADV_DONTNEED by the owner
 *   free-pageout    MADV_FREE by the owner, then the kernel's own reclaim of such pages (MADV_PAGEOUT)
 *   swap            the kernel's own reclaim of anonymous memory (MADV_PAGEOUT), if there is a place to swap to
 * Operations: reclaim, refault (one store each); -frames: of free frames, whole 2 MiB; -single: of each second frame,
 * the others in use; -deferred: of frames that stand at free pages, beside as many pages in use. Per page reclaimed.
 * Not a part of the report: run-counts -- reclaim_cost
 */
#include "measure.h"

#define STATE_BYTES (8 * MIB)

/* All is free that is not said to be in use: a bit of 1 means allocated, as in a child of polarity 0. */
struct words {
	uint64_t *pages, *frames;
};

static void declare(struct region *r, uint64_t pages, uint64_t frames, struct words *w)
{
	struct upadev_allocators a = { .pages.units = pages, .frames.units = frames };
	uint64_t at = 0;
	char *state = map_part(r->fd, STATE_BYTES, UPADEV_MAP_STATE, PROT_READ | PROT_WRITE);

	a.pages.group_offset = a.frames.group_offset = at, at += 4096;
	a.pages.tree_offset = a.frames.tree_offset = at, at += 4096;
	a.pages.child_offset = a.frames.child_offset = at, at += 16384;
	a.pages.bitmap_offset = at, at += pages / 512 * 128;
	a.frames.bitmap_offset = at, at += frames / 512 * 128;
	a.marks_offset = at;
	w->pages = (void *)(state + a.pages.bitmap_offset);
	w->frames = (void *)(state + a.frames.bitmap_offset);
	for (uint64_t i = 0; i < 4096 / 4; i++)
		((uint32_t *)(state + a.pages.tree_offset))[i] = UPADEV_TREE_OPEN;
	NEED(ioctl(r->fd, UPADEV_ALLOCATORS, &a) == 0);
}

static void use(uint64_t *bitmap, uint64_t unit, bool used)
{
	uint64_t *row = &bitmap[unit / 512 * 16 + unit % 512 / 64], bit = 1ULL << unit % 64;

	*row = used ? *row | bit : *row & ~bit;
}

static void refault(const struct region *r, const char *operation, uint64_t pages, uint64_t step, uint64_t from)
{
	char name[32];
	uint64_t start = counter();

	for (uint64_t page = from; page < pages; page += step)
		((volatile unsigned char *)r->data)[page * PAGE] = 1;
	start = since(start);
	snprintf(name, sizeof(name), "refault-%s", operation);
	record("reclaim_cost", "upa", name, (pages - from + step - 1) / step, 0, start);
}

static void with_module(uint64_t pages, const char *operation)
{
	bool deferred = !strcmp(operation, "deferred"), single = !strcmp(operation, "single");
	struct upadev_reclaim request = { .pages = UINT64_MAX };
	uint64_t start, expected = deferred || single ? pages / 2 : pages;
	struct region r = { 0 };
	struct words w;
	char name[32];

	r.fd = open("/dev/upa", O_RDWR | O_CLOEXEC);
	NEED(r.fd >= 0);
	r.created = (struct upadev_create){ .version = UPADEV_ABI_VERSION,
					    .pages = pages,
					    .frames = pages,
					    .max_frames = pages,
					    .state_bytes = STATE_BYTES };
	NEED(ioctl(r.fd, UPADEV_CREATE, &r.created) == 0);
	r.data = mmap(reserve(r.created.data_bytes, 2 * MIB), r.created.data_bytes, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_FIXED, r.fd, UPADEV_MAP_DATA);
	NEED(r.data != MAP_FAILED);
	r.shadow = map_part(r.fd, r.created.shadow_bytes, UPADEV_MAP_SHADOW, PROT_READ | PROT_WRITE);
	declare(&r, pages, pages, &w);
	/* Everything was in use; then what is measured is free. */
	for (uint64_t page = 0; page < pages; page++) {
		r.shadow[page] = (uint32_t)page + 1;
		use(w.pages, page, !deferred || page % 2);
		use(w.frames, page, deferred || (single && page % 2));
	}
	touch(r.data, pages);
	if (!deferred) {
		for (uint64_t page = 0; page < pages; page++)
			r.shadow[page] = single && page % 2 ? (uint32_t)page + 1 : 0;
		one_range(&r, POSIX_FADV_DONTNEED, 0, pages);
		for (uint64_t page = 1; single && page < pages; page += 2)
			((volatile unsigned char *)r.data)[page * PAGE] = 1;
	}
	start = counter();
	NEED(ioctl(r.fd, UPADEV_RECLAIM, &request) == 0);
	start = since(start);
	NEED(request.reclaimed == expected);
	snprintf(name, sizeof(name), "reclaim-%s", operation);
	record("reclaim_cost", "upa", name, expected, 1, start);
	for (uint64_t page = 0; page < pages; page++) {
		use(w.frames, page, true);
		use(w.pages, page, true);
		r.shadow[page] = (uint32_t)page + 1;
	}
	refault(&r, operation, pages, expected == pages ? 1 : 2, 0);
	destroy_region(&r);
}

static void with_advice(uint64_t pages, const char *backend, int advice, int then)
{
	unsigned char *data =
		mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	uint64_t start;
	unsigned char *resident = malloc(pages);
	uint64_t kept = 0;

	NEED(data != MAP_FAILED && resident);
	touch(data, pages);
	start = counter();
	NEED(madvise(data, pages * PAGE, advice) == 0);
	NEED(then < 0 || madvise(data, pages * PAGE, then) == 0);
	start = since(start);
	NEED(mincore(data, pages * PAGE, resident) == 0);
	for (uint64_t page = 0; page < pages; page++)
		kept += resident[page] & 1;
	if (kept > pages / 50) {
		fprintf(stderr, "# reclaim_cost: %s keeps %" PRIu64 " of %" PRIu64 " pages\n", backend, kept, pages);
	} else {
		record("reclaim_cost", backend, "reclaim", pages, 1, start);
		start = counter();
		touch(data, pages);
		record("reclaim_cost", backend, "refault", pages, 0, since(start));
	}
	free(resident);
	munmap(data, pages * PAGE);
}

int main(void)
{
	static const uint64_t sizes[] = { 512, 8192, 65536 };

	allow_huge_pages(false);
	calibrate();
	header();
	for (int s = 0; s < 3; s++) {
		with_module(sizes[s], "frames");
		with_module(sizes[s], "single");
		with_module(sizes[s], "deferred");
		with_advice(sizes[s], "dontneed", MADV_DONTNEED, -1);
		with_advice(sizes[s], "free-pageout", MADV_FREE, MADV_PAGEOUT);
		with_advice(sizes[s], "swap", MADV_PAGEOUT, -1);
	}
	return 0;
}
