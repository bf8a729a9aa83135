/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mman_harness.h - what the cases of the mmap emulation share: calls that must succeed, and a main program that runs
 * each case in a process of its own, since the region is made once per process.
 */
#ifndef UPA_TESTS_MMAN_HARNESS_H
#define UPA_TESTS_MMAN_HARNESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <upa/mman.h>

#include "test_backend.h"
#include "check.h"
#include "units.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static inline bool in_region(const void *p)
{
	struct upa_region *r = upa_mman_region();

	return r && (uintptr_t)p - (uintptr_t)upa_region_base(r) < upa_region_bytes(r);
}

static inline char *map(size_t bytes)
{
	char *p = upa_mmap(NULL, bytes, RW, ANON, -1, 0);

	CHECK(p != MAP_FAILED, "bytes=%zu errno=%d", bytes, errno);
	return p;
}

static inline void unmap(void *p, size_t bytes)
{
	CHECK(!upa_munmap(p, bytes), "bytes=%zu errno=%d", bytes, errno);
}

static inline void check_zero(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8)
		CHECK(!*(const uint64_t *)(p + i), "offset=%zu", i);
}

static inline uint64_t allocated(void)
{
	struct upa_region_stats st;

	CHECK(!upa_region_get_stats(upa_mman_region(), &st), "stats");
	return st.allocated_bytes;
}

static inline void check_region(void)
{
	char message[200] = "";

	CHECK(!upa_region_validate(upa_mman_region(), message, sizeof(message)), "%s", message);
}

struct test_case {
	const char *name;
	void (*run)(void);
};

#define CASE(name)                                                                                                     \
	{                                                                                                              \
#name, test_##name                                                                                     \
	}

/* Runs the cases, or the one of this name. 0 if all of them succeed. */
static inline int run_cases(const struct test_case *cases, size_t count, const char *only)
{
	int failed = 0;

	for (size_t i = 0; i < count; i++) {
		pid_t child;
		int status;

		if (only && strcmp(only, cases[i].name))
			continue;
		child = fork();
		CHECK(child >= 0, "errno=%d", errno);
		if (!child) {
			unsetenv("UPA_REGION_BYTES");
			cases[i].run();
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child, "errno=%d", errno);
		if (status) {
			fprintf(stderr, "case %s: status=%#x\n", cases[i].name, status);
			failed = 1;
		}
	}
	return failed;
}

#endif
