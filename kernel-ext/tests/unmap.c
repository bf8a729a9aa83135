/*
 * UPADEV_UNMAP: what is emptied cannot be touched any more, also by a fault, and everything else
 * stays.
 */
#include "harness.h"

static void fill(struct region *r, uint64_t pages)
{
	uint64_t page;

	for (page = 0; page < pages; page++)
		r->shadow[page] = (uint32_t)page + 1;
	CHECK_EQUAL(map_pages(r, 0, pages), 0);
	for (page = 0; page < pages; page++)
		*word(r, page) = page;
}

static void many_ranges(uint32_t flags)
{
	struct region r = guarded(2048, 2048);
	struct upadev_range ranges[100];
	struct upadev_batch b = { .ranges = (uintptr_t)ranges, .count = 100, .flags = flags };
	uint64_t page, before;

	fill(&r, 2048);
	for (page = 0; page < 100; page++) {
		ranges[page] = (struct upadev_range){ page * 20, 3 };
		for (uint64_t i = 0; i < 3; i++)
			r.shadow[page * 20 + i] = 0;
	}
	before = stats(&r).shootdowns;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_UNMAP, &b), 0);
	CHECK_EQUAL(stats(&r).shootdowns - before, flags ? 100 : 1);
	if (!flags)
		CHECK_EQUAL(b.changed, 300);
	for (page = 0; page < 2000; page++) {
		if (page % 20 < 3)
			CHECK_EQUAL(touch(r.data + page * PAGE, true), SIGBUS);
		else
			CHECK_EQUAL(*word(&r, page), page);
	}
}

static void entry_left_in_shadow(void)
{
	struct region r = guarded(512, 512);
	struct upadev_batch b;

	fill(&r, 512);
	CHECK_EQUAL(unmap_pages(&r, 7, 1), 0);
	r.shadow[8] = 0; /* cleared, but not unmapped: stays */
	CHECK_EQUAL(*word(&r, 8), 8);
	CHECK_EQUAL(*word(&r, 7), 7); /* unmapped, but not cleared: comes back */
	CHECK_EQUAL(stats(&r).faults, 1);
	CHECK_EQUAL(batch(&r, UPADEV_UNMAP, 8, 1, &b), 0);
	CHECK_EQUAL(b.changed, 1);
	CHECK_EQUAL(batch(&r, UPADEV_UNMAP, 8, 1, &b), 0);
	CHECK_EQUAL(b.changed, 0);
}

static void nothing_there(void)
{
	struct region r = guarded(1024, 512);
	struct upadev_batch b;

	CHECK_EQUAL(batch(&r, UPADEV_UNMAP, 0, 1024, &b), 0);
	CHECK_EQUAL(b.changed, 0);
	CHECK_EQUAL(stats(&r).shootdowns, 0);
}

/* Contents move with the frame: relocation without copying. */
static void relocate(void)
{
	struct region r = guarded(1024, 512);

	fill(&r, 512);
	for (uint64_t page = 0; page < 512; page++) {
		r.shadow[page + 512] = r.shadow[page];
		r.shadow[page] = 0;
	}
	CHECK_EQUAL(map_pages(&r, 512, 512), 0);
	CHECK_EQUAL(unmap_pages(&r, 0, 512), 0);
	for (uint64_t page = 0; page < 512; page++)
		CHECK_EQUAL(*word(&r, page + 512), page);
	CHECK_EQUAL(touch(r.data + 100 * PAGE, false), SIGBUS);
}

static void one_shootdown(void)
{
	many_ranges(0);
}
static void one_for_each_range(void)
{
	many_ranges(UPADEV_BATCH_PER_RANGE);
}

TESTS(CASE(one_shootdown), CASE(one_for_each_range), CASE(entry_left_in_shadow),
      CASE(nothing_there), CASE(relocate))
