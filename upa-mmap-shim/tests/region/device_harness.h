/* SPDX-License-Identifier: Apache-2.0 */
/* device_harness.h - what the tests of regions on /dev/upa share: calls that must succeed, and patterns. */
#ifndef UPA_TESTS_DEVICE_HARNESS_H
#define UPA_TESTS_DEVICE_HARNESS_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

#include <upa/region.h>

#include "test_backend.h"
#include "check.h"
#include "units.h"

static uint32_t backend = UPA_BACKEND_PTE;

static inline struct upa_region *create(uint64_t bytes, uint64_t max_pool, uint64_t max_deferred)
{
	struct upa_region_options options = {
		.bytes = bytes, .backend = backend, .max_pool_bytes = max_pool, .max_deferred_bytes = max_deferred
	};
	struct upa_region *r;
	int error = create_region_with(&r, &options);

	CHECK(!error, "error=%d", error);
	return r;
}

/* One of whose pool the module may take memory. */
static inline struct upa_region *create_reclaimed(uint64_t bytes, uint64_t pool, uint64_t max_deferred)
{
	struct upa_region_options options = { .bytes = bytes,
					      .backend = backend,
					      .flags = UPA_REGION_RECLAIM,
					      .pool_bytes = pool,
					      .max_pool_bytes = pool,
					      .max_deferred_bytes = max_deferred };
	struct upa_region *r;
	int error = create_region_with(&r, &options);

	CHECK(!error, "error=%d", error);
	return r;
}

static inline void check_region(const struct upa_region *r)
{
	char message[200] = "";
	int error = upa_region_validate(r, message, sizeof(message));

	CHECK(!error, "error=%d %s", error, message);
}

static inline void finish(struct upa_region *r)
{
	check_region(r);
	CHECK(!upa_region_destroy(r), "destroy");
}

static inline char *map(struct upa_region *r, size_t bytes, uint32_t flags)
{
	char *p = upa_region_map(r, bytes, flags);

	CHECK(p, "bytes=%zu errno=%d", bytes, errno);
	return p;
}

static inline void unmap(struct upa_region *r, void *p, size_t bytes)
{
	CHECK(!upa_region_unmap(r, p, bytes), "bytes=%zu", bytes);
}

static inline struct upa_region_stats stats(const struct upa_region *r)
{
	struct upa_region_stats st;

	CHECK(!upa_region_get_stats(r, &st), "stats");
	return st;
}

static inline void fill(char *p, size_t bytes, uint64_t mark)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		*(uint64_t *)(p + i) = mark ^ i;
}

static inline void check_filled(const char *p, size_t bytes, uint64_t mark)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		CHECK(*(const uint64_t *)(p + i) == (mark ^ i), "page=%zu", i / PAGE);
}

static inline void check_zero(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8)
		CHECK(!*(const uint64_t *)(p + i), "offset=%zu", i);
}

/* Of a block filled from its start, a part. */
static inline void check_marks(const char *p, size_t from, size_t to, uint64_t mark)
{
	for (size_t i = from; i < to; i += PAGE)
		CHECK(*(const uint64_t *)(p + i) == (mark ^ i), "page=%zu", i / PAGE);
}

static sigjmp_buf back;
static inline void faulted(int number)
{
	siglongjmp(back, number);
}

/* The signal that reading there raises, or 0. */
static inline int touch(const char *p)
{
	struct sigaction action = { .sa_handler = faulted, .sa_flags = SA_NODEFER };
	int number;

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	number = sigsetjmp(back, 1);
	if (!number)
		(void)*(const volatile char *)p;
	signal(SIGBUS, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	return number;
}

#endif
