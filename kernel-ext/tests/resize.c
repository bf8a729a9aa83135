/*
 * UPADEV_RESIZE: frames that left the pool are out of reach, those that come are zero, and the
 * charge follows.
 */
#include "harness.h"

static int resize(const struct region *r, uint64_t frames)
{
	struct upadev_resize request = { .frames = frames };

	return ioctl(r->fd, UPADEV_RESIZE, &request);
}

static void frames_come_and_go(void)
{
	struct region r = make_region(UPADEV_GUARDED, 0, 2048, 0, 2048);
	uint64_t page, tables = stats(&r).charged_pages;
	long before;

	for (page = 0; page < 2048; page++)
		r.shadow[page] = (uint32_t)page + 1;
	CHECK_EQUAL(touch(r.data, false), SIGBUS);
	CHECK_EQUAL(resize(&r, 1024), 0);
	CHECK_EQUAL(stats(&r).frames, 1024);
	CHECK_EQUAL(stats(&r).charged_pages, tables + 1024);
	for (page = 0; page < 1024; page++)
		*word(&r, page) = page + 1;
	CHECK_EQUAL(touch(r.data + 1024 * PAGE, false), SIGBUS);

	CHECK_EQUAL(resize(&r, 512), 0);
	CHECK_EQUAL(stats(&r).charged_pages, tables + 512);
	for (page = 0; page < 512; page++)
		CHECK_EQUAL(*word(&r, page), page + 1);
	CHECK_EQUAL(touch(r.data + 512 * PAGE, true), SIGBUS);
	CHECK_ERRNO(map_pages(&r, 512, 1), EINVAL);

	CHECK_EQUAL(resize(&r, 2048), 0);
	for (page = 512; page < 2048; page++)
		CHECK_EQUAL(*word(&r, page), 0);

	CHECK_ERRNO(resize(&r, 2560), EINVAL);
	CHECK_ERRNO(resize(&r, 100), EINVAL);
	CHECK_ERRNO(resize(&r, UINT64_MAX - 511), EINVAL);
	for (int i = 0; i < 3; i++) {
		struct upadev_resize request = { .frames = 512 };

		request.reserved[i] = 1;
		CHECK_ERRNO(ioctl(r.fd, UPADEV_RESIZE, &request), EINVAL);
	}
	CHECK_ERRNO(ioctl(r.fd, UPADEV_RESIZE, NULL), EFAULT);
	CHECK_EQUAL(stats(&r).frames, 2048);

	/* With the data unmapped, too; and to nothing. */
	CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
	before = free_pages();
	CHECK_EQUAL(resize(&r, 0), 0);
	long back = free_pages() - before;
	if (back < 1500)
		FAIL("back=%ld pages, expected about 2048", back);
	map_data(&r);
	CHECK_EQUAL(touch(r.data, false), SIGBUS);
	CHECK_EQUAL(resize(&r, 512), 0);
	CHECK_EQUAL(*word(&r, 0), 0);

	/* More than there is: refused, and the pool stays. */
	r = make_region(UPADEV_GUARDED, 0, 512, 512, UPADEV_MAX_PAGES / 64);
	CHECK_ERRNO(resize(&r, UPADEV_MAX_PAGES / 64), ENOMEM);
	CHECK_EQUAL(stats(&r).frames, 512);
	r.shadow[0] = 512;
	*word(&r, 0) = 1;
}

TESTS(CASE(frames_come_and_go))
