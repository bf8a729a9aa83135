/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "mman/default_region.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <upa/mman.h>

#include "mman/mman_private.h"
#include "os/os.h"
#include "os/size.h"
#include "region/backend_name.h"
#include "region/region_private.h"

#define LEAST_BYTES (64ull << 20)

struct default_region upa_default_region = { .most_served = SIZE_MAX };

static int creation_error;

/* A size of the environment; 0 if absent or not a size. */
static uint64_t configured_bytes(const char *name)
{
	const char *text = getenv(name);
	uint64_t bytes = 0;

	if (text)
		size_parse(text, DEFAULT_REGION_MOST, &bytes);
	return bytes;
}

static uint64_t default_bytes(bool on_device)
{
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t bytes = default_region_bytes(memory, on_device);
	struct rlimit limit;

	/* The reservation counts against the limit at once: leave half of it to everything else. */
	if (!getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur / 2)
		bytes = limit.rlim_cur / 2;
	return bytes > LEAST_BYTES ? bytes : LEAST_BYTES;
}

static int create(struct upa_region_options *options)
{
	int error = upa_region_create_with(&upa_default_region.region, options);

	if (error && options->backend)
		upa_backend_refused(options->backend, error);
	return error;
}

static bool switched_on(const char *name)
{
	const char *value = getenv(name);

	return value && !strcmp(value, "1");
}

static int create_as_configured(void)
{
	uint64_t configured = configured_bytes("UPA_REGION_BYTES");
	const char *name = getenv("UPA_BACKEND");
	int backend = name && *name ? upa_backend_parse(name) : (int)UPA_BACKEND_LINEAR;
	struct upa_region_options options = {
		.bytes = configured ? configured : default_bytes(backend > (int)UPA_BACKEND_LINEAR),
		.backend = backend < 0 ? UPA_BACKEND_LINEAR : (uint32_t)backend,
		.max_pool_bytes = configured_bytes("UPA_POOL_BYTES"),
		.max_deferred_bytes =
			getenv("UPA_DEFERRED_BYTES") ? configured_bytes("UPA_DEFERRED_BYTES") : UINT64_MAX,
	};
	int error;

	if (backend == (int)UPA_BACKEND_PTE)
		options.flags = (switched_on("UPA_RECLAIM") ? UPA_REGION_RECLAIM : 0) |
				(switched_on("UPA_BLOCKS") ? UPA_REGION_BLOCKS : 0);
	do {
		error = create(&options);
		options.bytes /= 2;
	} while (error == -ENOMEM && !configured && !options.backend && options.bytes >= LEAST_BYTES);
	return error;
}

static void end(int error)
{
	creation_error = error;
	once_end(&upa_default_region.once, !error);
}

void upa_make_default_region(void)
{
	int saved = errno;

	if (!once_begin(&upa_default_region.once))
		return;
	end(create_as_configured());
	errno = saved; /* sysconf() may have tried what this machine has not */
}

struct upa_region *upa_mman_region(void)
{
	struct upa_region *r = default_region();

	if (!r)
		errno = once_phase(&upa_default_region.once) == ONCE_IMPOSSIBLE ? -creation_error : EAGAIN;
	return r;
}

int upa_mman_start(const struct upa_region_options *options, size_t most)
{
	struct upa_region_options copy = *options;

	if (!once_begin(&upa_default_region.once))
		return -EALREADY;
	upa_default_region.most_served = most;
	end(create(&copy));
	return creation_error;
}

void upa_mman_stop(void)
{
	atomic_store(&upa_default_region.stopped, true);
}
