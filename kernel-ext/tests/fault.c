/*
 * Touching pages of a guarded region: one fault fills a whole table; what has no good entry is a
 * SIGBUS.
 */
#include "harness.h"

static void fills_a_table(void)
{
	struct region r = guarded(2048, 1024);
	uint64_t page;
	int fds[2];

	CHECK_EQUAL(touch(r.data, false), SIGBUS);
	CHECK_EQUAL(touch(r.data + 2047 * PAGE, true), SIGBUS);
	CHECK_EQUAL(touch(r.data + r.created.data_bytes - 1, true), SIGBUS);
	CHECK_EQUAL(stats(&r).bad_faults, 3);

	/* One fault for 512 pages, and bad neighbours do not hurt. */
	for (page = 0; page < 1024; page++)
		r.shadow[page] = (uint32_t)page + 1;
	r.shadow[10] = 1025;
	r.shadow[11] = UINT32_MAX;
	r.shadow[12] = 0;
	for (page = 0; page < 512; page++)
		if (page < 10 || page > 12)
			*word(&r, page) = ~page;
	CHECK_EQUAL(stats(&r).faults, 1);
	CHECK_EQUAL(stats(&r).fault_pages, 509);
	for (page = 10; page < 13; page++)
		CHECK_EQUAL(touch(r.data + page * PAGE, true), SIGBUS);
	CHECK_EQUAL(*word(&r, 1023), 0);
	CHECK_EQUAL(stats(&r).faults, 2);

	/* The kernel's own accesses fault in the same way. */
	CHECK_EQUAL(pipe(fds), 0);
	CHECK_EQUAL(write(fds[1], "page", 4), 4);
	r.shadow[1536] = 1000;
	CHECK_EQUAL(read(fds[0], r.data + 1536 * PAGE, 4), 4);
	CHECK_EQUAL(memcmp(r.data + 1536 * PAGE, "page", 4), 0);
	CHECK_EQUAL(write(fds[1], "page", 4), 4);
	CHECK_ERRNO(read(fds[0], r.data + 1537 * PAGE, 4), EFAULT);
}

TESTS(CASE(fills_a_table))
