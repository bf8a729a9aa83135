/* SPDX-License-Identifier: Apache-2.0 */
/* test_backend.h - regions for tests, on the back end that UPA_BACKEND names; skipped where there is no device. */
#ifndef UPA_TESTS_TEST_BACKEND_H
#define UPA_TESTS_TEST_BACKEND_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <upa/region.h>

#include "check.h"

/* The back end that the environment asks for: linear without it. */
static inline uint32_t test_backend(void)
{
	const char *name = getenv("UPA_BACKEND");

	if (!name || !strcmp(name, "linear"))
		return UPA_BACKEND_LINEAR;
	CHECK(!strcmp(name, "pte") || !strcmp(name, "pte-raw"), "UPA_BACKEND=%s", name);
	return !strcmp(name, "pte") ? UPA_BACKEND_PTE : UPA_BACKEND_PTE_RAW;
}

static inline bool on_device(void)
{
	return test_backend() != UPA_BACKEND_LINEAR;
}

/* With UPA_BLOCKS=1, on pte: by entries of 2 MiB where there can be some. */
static inline uint32_t test_flags(uint32_t backend)
{
	const char *blocks = getenv("UPA_BLOCKS");

	return backend == UPA_BACKEND_PTE && blocks && !strcmp(blocks, "1") ? UPA_REGION_BLOCKS : 0;
}

/* Ends the test if there is no device. */
static inline int create_region_with(struct upa_region **out, const struct upa_region_options *wanted)
{
	struct upa_region_options with_flags = *wanted;
	const struct upa_region_options *options = &with_flags;
	int error;

	with_flags.flags |= test_flags(wanted->backend);
	error = upa_region_create_with(out, options);

	if (options->backend && (error == -ENOENT || error == -EPERM || error == -EACCES)) {
		printf("skipped: no back end %s: %s\n", getenv("UPA_BACKEND") ? getenv("UPA_BACKEND") : "pte",
		       strerror(-error));
		exit(EXIT_SKIPPED);
	}
	return error;
}

static inline int create_region(struct upa_region **out, uint64_t bytes, uint32_t flags)
{
	struct upa_region_options options = {
		.bytes = bytes, .flags = flags, .backend = test_backend(), .max_deferred_bytes = UINT64_MAX
	};

	return create_region_with(out, &options);
}

#endif
