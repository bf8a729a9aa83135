/*
 * UPADEV_MAP: installs what the shadow table says, replaces, passes over 0, and stops at entries
 * out of range.
 */
#include "harness.h"

static void installs_and_replaces(void)
{
	struct region r = guarded(1024, 1024);
	struct upadev_batch b;
	uint64_t page;

	for (page = 0; page < 1024; page++)
		r.shadow[page] = (uint32_t)page + 1;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 0, 1024, &b), 0);
	CHECK_EQUAL(b.changed, 1024);
	CHECK_EQUAL(b.stopped_at, -1);
	for (page = 0; page < 1024; page++)
		*word(&r, page) = page + 1000;
	CHECK_EQUAL(stats(&r).faults, 0);

	/* Same entries: nothing to do, hence no shoot-down. */
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 0, 1024, &b), 0);
	CHECK_EQUAL(b.changed, 0);
	CHECK_EQUAL(stats(&r).shootdowns, 0);

	/* The pages in reverse order: contents follow the frames. */
	for (page = 0; page < 1024; page++)
		r.shadow[page] = 1024 - (uint32_t)page;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 0, 1024, &b), 0);
	CHECK_EQUAL(b.changed, 1024);
	CHECK_EQUAL(stats(&r).shootdowns, 1);
	for (page = 0; page < 1024; page++)
		CHECK_EQUAL(*word(&r, page), 1023 - page + 1000);
}

static void passes_over_zero(void)
{
	struct region r = guarded(512, 512);
	struct upadev_batch b;

	r.shadow[3] = 1;
	CHECK_EQUAL(map_pages(&r, 3, 1), 0);
	*word(&r, 3) = 7;
	r.shadow[3] = 0;
	r.shadow[4] = 2;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 0, 512, &b), 0);
	CHECK_EQUAL(b.changed, 1);
	CHECK_EQUAL(*word(&r, 3), 7); /* still installed: only UPADEV_UNMAP takes away */
	CHECK_EQUAL(touch(r.data + 5 * PAGE, false), SIGBUS);
}

static void stops_at_bad_entry(void)
{
	struct region r = guarded(1024, 512);
	struct upadev_batch b;

	r.shadow[510] = 1;
	r.shadow[511] = 2;
	r.shadow[512] = 513; /* frame 512 of 512 */
	r.shadow[513] = 3;
	errno = 0;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 510, 4, &b), -1);
	CHECK_EQUAL(errno, EINVAL);
	CHECK_EQUAL(b.stopped_at, 512);
	CHECK_EQUAL(b.changed, 2);
	CHECK_EQUAL(touch(r.data + 512 * PAGE, true), SIGBUS);
	CHECK_EQUAL(touch(r.data + 510 * PAGE, true), 0);
	CHECK_EQUAL(touch(r.data + 513 * PAGE, true), 0); /* by a fault */
	r.shadow[512] = UINT32_MAX;
	CHECK_ERRNO(map_pages(&r, 512, 1), EINVAL);
	CHECK_EQUAL(touch(r.data + 512 * PAGE, true), SIGBUS);
}

static void one_frame_at_two_pages(void)
{
	struct region r = guarded(1024, 512);

	r.shadow[0] = 9;
	r.shadow[1000] = 9;
	*word(&r, 0) = 42;
	CHECK_EQUAL(*word(&r, 1000), 42);
	*word(&r, 1000) = 43;
	CHECK_EQUAL(*word(&r, 0), 43);
	r.shadow[0] = 0;
	CHECK_EQUAL(unmap_pages(&r, 0, 1), 0);
	CHECK_EQUAL(touch(r.data, false), SIGBUS);
	CHECK_EQUAL(*word(&r, 1000), 43);
}

TESTS(CASE(installs_and_replaces), CASE(passes_over_zero), CASE(stops_at_bad_entry),
      CASE(one_frame_at_two_pages))
