/* SPDX-License-Identifier: Apache-2.0 */
/* region_harness.h - what tests of a private region share: calls that must succeed, patterns, what is resident. */
#ifndef UPA_TESTS_REGION_HARNESS_H
#define UPA_TESTS_REGION_HARNESS_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include <upa/region.h>

#include "test_backend.h"
#include "check.h"
#include "units.h"

static inline struct upa_region *create(uint64_t bytes)
{
	struct upa_region *r;
	int error = create_region(&r, bytes, 0);

	CHECK(!error, "error=%d", error);
	return r;
}

/* Validates and destroys. */
static inline void finish(struct upa_region *r)
{
	char message[200] = "";
	int error = upa_region_validate(r, message, sizeof(message));

	CHECK(!error, "%s", message);
	CHECK(!upa_region_destroy(r), "destroy");
}

static inline struct upa_region_stats stats(const struct upa_region *r)
{
	struct upa_region_stats st;

	CHECK(!upa_region_get_stats(r, &st), "stats");
	return st;
}

static inline char *map(struct upa_region *r, size_t bytes, uint32_t flags)
{
	char *p = upa_region_map(r, bytes, flags);

	CHECK(p, "bytes=%zu errno=%d", bytes, errno);
	return p;
}

static inline void unmap(struct upa_region *r, void *p, size_t bytes)
{
	int error = upa_region_unmap(r, p, bytes);

	CHECK(!error, "bytes=%zu error=%d", bytes, error);
}

static inline size_t resident(const void *start, size_t bytes)
{
	static unsigned char pages[1 << 20];
	size_t n = 0;

	CHECK(bytes / PAGE <= sizeof(pages) && !mincore((void *)start, bytes, pages), "errno=%d", errno);
	for (size_t i = 0; i < bytes / PAGE; i++)
		n += (pages[i] & 1) * PAGE;
	return n;
}

static inline size_t region_resident(const struct upa_region *r)
{
	return resident(upa_region_base(r), upa_region_bytes(r));
}

static inline void fill(char *p, size_t bytes, uint64_t mark)
{
	for (size_t i = 0; i < bytes; i += 512)
		*(uint64_t *)(p + i) = mark + i;
}

static inline void check_filled(const char *p, size_t bytes, uint64_t mark)
{
	for (size_t i = 0; i < bytes; i += 512)
		CHECK(*(const uint64_t *)(p + i) == mark + i, "offset=%zu", i);
}

static inline void check_zero(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8)
		CHECK(!*(const uint64_t *)(p + i), "offset=%zu", i);
}

#endif
