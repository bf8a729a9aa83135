/* SPDX-License-Identifier: Apache-2.0 */
/*
 * userfaultfd.c - the doctor's probe: prints, as shell assignments, what userfaultfd and its neighbours can do here
 * for this user. Asks the kernel, not its version. Carries the feature bits itself: the installed headers may be older
 * than the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USER_MODE_ONLY 1 /* UFFD_USER_MODE_ONLY, Linux 5.11 */

static const struct {
	const char *name;
	int bit;
} features[] = {
	{ "wp", 0 }, { "sigbus", 7 }, { "poison", 14 }, { "wp_async", 15 }, { "move", 16 },
};

/* struct pm_scan_arg of linux/fs.h, Linux 6.7. */
struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

/* An empty scan: succeeds where PAGEMAP_SCAN exists. */
static int has_pagemap_scan(void)
{
	struct scan scan = { .size = sizeof(scan) };
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int ok = fd >= 0 && ioctl(fd, _IOWR('f', 16, struct scan), &scan) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

int main(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	const char *mode = "all";
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0) {
		mode = "user";
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | USER_MODE_ONLY);
	}
	printf("pagemap_scan=%d\n", has_pagemap_scan());
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) != 0) {
		printf("uffd=no\nuffd_error='%s'\n", strerror(errno));
		return 0;
	}
	printf("uffd=%s\n", mode);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		printf("uffd_%s=%d\n", features[i].name, (int)(api.features >> features[i].bit & 1));
	close(fd);
	return 0;
}
