/* cgroup.h - files of cgroup v2, by their paths. */
#ifndef UPA_TEST_CGROUP_H
#define UPA_TEST_CGROUP_H

#include "harness.h"

static inline long cgroup_value(const char *path)
{
	long value = -1;
	FILE *f = fopen(path, "r");

	CHECK(f);
	CHECK_EQUAL(fscanf(f, "%ld", &value), 1);
	fclose(f);
	return value;
}

static inline void cgroup_put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

#endif
