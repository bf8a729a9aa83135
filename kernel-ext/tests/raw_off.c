/* Without the module parameter nobody, not even root, gets a raw region. */
#include "harness.h"

static void offers_no_raw_mode(void)
{
	struct upadev_info info;
	char raw = 0;
	int fd = open("/sys/module/upa/parameters/raw", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(read(fd, &raw, 1), 1);
	if (raw == 'Y')
		skip("the module was loaded with raw=1");
	fd = open_device();
	CHECK_EQUAL(ioctl(fd, UPADEV_INFO, &info), 0);
	CHECK_EQUAL(info.modes, 1U << UPADEV_GUARDED);
	for (uint32_t mode = UPADEV_RAW_PTE; mode <= UPADEV_RAW_PMD; mode++)
		CHECK_ERRNO(ioctl(fd, UPADEV_CREATE,
				  &(struct upadev_create){ .version = UPADEV_ABI_VERSION,
							   .mode = mode,
							   .pages = 262144,
							   .max_frames = 512 }),
			    EPERM);
}

TESTS(CASE(offers_no_raw_mode))
