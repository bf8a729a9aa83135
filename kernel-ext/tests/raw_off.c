/* Without the module parameter nobody, not even root, gets a raw region. */
#include "harness.h"

int main(void)
{
	struct upa_info info;
	char raw = 0;
	int fd = open("/sys/module/upa/parameters/raw", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(read(fd, &raw, 1), 1);
	if (raw == 'Y')
		skip("the module was loaded with raw=1");
	fd = open_device();
	CHECK_EQUAL(ioctl(fd, UPA_IOC_INFO, &info), 0);
	CHECK_EQUAL(info.modes, 1U << UPA_GUARDED);
	for (uint32_t mode = UPA_RAW_PTE; mode <= UPA_RAW_PMD; mode++)
		CHECK_ERRNO(ioctl(fd, UPA_IOC_CREATE, &(struct upa_create){ .version = UPA_ABI_VERSION, .mode = mode, .pages = 262144,
								   .max_frames = 512 }), EPERM);
	return 0;
}
