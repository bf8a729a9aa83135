/* SPDX-License-Identifier: Apache-2.0 */
/* os_file.c - small files read whole, cut, empty and missing, without a descriptor left open or errno changed. */
#include "os/file.h"

#include <string.h>
#include <sys/resource.h>

#include "check.h"

static int lowest_descriptor(void)
{
	int fd = open("/dev/null", O_RDONLY);

	close(fd);
	return fd;
}

int main(void)
{
	struct rlimit all, few;
	char path[] = "/tmp/os_file.XXXXXX";
	char text[4000];
	int before = lowest_descriptor();
	int fd;

	errno = 0;
	memset(text, '?', sizeof(text));
	CHECK(!file_read("/no such file", text, sizeof(text)) && !text[0] && text[1] == '?', "missing");
	CHECK(!file_read("/proc/self", text, sizeof(text)) && !text[0], "a directory");
	CHECK(file_open("/no such file", O_RDONLY) == -ENOENT, "missing");
	CHECK(!errno, "errno=%d", errno);

	fd = mkstemp(path);
	CHECK(fd >= 0, "errno=%d", errno);
	CHECK(!file_read(path, text, sizeof(text)) && !text[0], "empty");
	CHECK(write(fd, "0123456789", 10) == 10, "errno=%d", errno);
	memset(text, '?', sizeof(text));
	CHECK(file_read(path, text, sizeof(text)) == 10 && !strcmp(text, "0123456789"), "text=%s", text);
	CHECK(text[11] == '?', "wrote beyond the end");
	CHECK(file_read(path, text, 11) == 10 && !strcmp(text, "0123456789"), "text=%s", text);
	memset(text, '?', sizeof(text));
	CHECK(file_read(path, text, 10) == 9 && !strcmp(text, "012345678") && text[10] == '?', "text=%s", text);
	CHECK(file_read(path, text, 1) == 0 && !text[0] && text[1] == '1', "room for the end only");
	unlink(path);
	close(fd);

	/* The kernel gives a file of /proc in pieces. */
	CHECK(file_read("/proc/self/smaps", text, sizeof(text)) == sizeof(text) - 1, "length=%zu", strlen(text));
	CHECK(file_read("/proc/self/status", text, sizeof(text)) > 100 && strstr(text, "VmHWM:"), "text=%s", text);

	CHECK(lowest_descriptor() == before, "a descriptor is left open");
	/* Nothing to open it with. */
	CHECK(!getrlimit(RLIMIT_NOFILE, &all), "errno=%d", errno);
	few = all;
	few.rlim_cur = (rlim_t)before;
	CHECK(!setrlimit(RLIMIT_NOFILE, &few), "errno=%d", errno);
	CHECK(file_open("/proc/self/statm", O_RDONLY) == -EMFILE, "no descriptor was to be had");
	CHECK(!file_read("/proc/self/statm", text, sizeof(text)), "no descriptor was to be had");
	CHECK(!setrlimit(RLIMIT_NOFILE, &all), "errno=%d", errno);
	return 0;
}
