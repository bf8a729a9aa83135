/* SPDX-License-Identifier: Apache-2.0 */
/*
 * allocators_upa.c - UPA's own ways in: the mmap emulation (upa_mmap), also on page tables edited through the
 * kernel module, a region used directly, with huge pages, or giving memory back, and the bare page-number
 * allocator (upa_llfree).
 */
#include "contestant.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <upa/llfree.h>
#include <upa/mman.h>
#include <upa/region.h>

/* Freed bytes between two calls of give_back in the contestant with a limit, and what it lets the region keep. */
#define GIVE_BACK_EVERY (256ull << 20)
#define GIVE_BACK_LIMIT (256ull << 20)

static struct upa_region *region;

/* upa_mmap */

static int mman_open(void)
{
	region = upa_mman_region();
	if (!region) {
		fprintf(stderr, "upa-driver: upa_mman_region: %s\n", strerror(errno));
		return -1;
	}
	return 0;
}

#define DEVICE "/dev/upa"

static int mman_open_on_device(const char *backend)
{
	if (access(DEVICE, R_OK | W_OK)) {
		fprintf(stderr, "upa-driver: back end %s needs the kernel module: " DEVICE ": %s\n", backend,
			strerror(errno));
		return -1;
	}
	setenv("UPA_BACKEND", backend, 1);
	return mman_open();
}

static int mman_open_pte(void)
{
	return mman_open_on_device("pte");
}

static int mman_open_pte_raw(void)
{
	return mman_open_on_device("pte-raw");
}

static void *mman_map(size_t bytes, int flags)
{
	void *block = upa_mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return block == MAP_FAILED ? NULL : block;
}

static void *mman_allocate(size_t bytes)
{
	return mman_map(bytes, 0);
}

static void *mman_uncleared_allocate(size_t bytes)
{
	return mman_map(bytes, UPA_MAP_UNCLEARED);
}

static void mman_release(void *block, size_t bytes)
{
	upa_munmap(block, bytes);
}

static void *mman_resize(void *block, size_t old_bytes, size_t new_bytes)
{
	void *moved = upa_mremap(block, old_bytes, new_bytes, MREMAP_MAYMOVE);

	return moved == MAP_FAILED ? NULL : moved;
}

/* upa_region */

static int region_open_with(uint32_t flags)
{
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	int error = upa_region_create(&region, 4 * memory, flags);

	if (error) {
		fprintf(stderr, "upa-driver: upa_region_create: %s\n", strerror(-error));
		return -1;
	}
	return 0;
}

static int region_open(void)
{
	return region_open_with(UPA_REGION_NOHUGEPAGE);
}

static int region_open_huge(void)
{
	return region_open_with(UPA_REGION_HUGEPAGE);
}

static void *region_allocate(size_t bytes)
{
	return upa_region_map(region, bytes, UPA_MAP_ZEROS);
}

static void *region_uncleared_allocate(size_t bytes)
{
	return upa_region_map(region, bytes, 0);
}

static void region_release(void *block, size_t bytes)
{
	upa_region_unmap(region, block, bytes);
}

static void region_chill(void)
{
	upa_region_give_back(region, 0);
}

static void *region_resize(void *block, size_t old_bytes, size_t new_bytes)
{
	return upa_region_resize(region, block, old_bytes, new_bytes, UPA_MAP_ZEROS);
}

static void *region_uncleared_resize(void *block, size_t old_bytes, size_t new_bytes)
{
	return upa_region_resize(region, block, old_bytes, new_bytes, 0);
}

static void release_and_give_back(void *block, size_t bytes)
{
	upa_region_unmap(region, block, bytes);
	upa_region_give_back(region, 0);
}

static void release_with_limit(void *block, size_t bytes)
{
	static _Thread_local uint64_t freed;

	upa_region_unmap(region, block, bytes);
	freed += bytes;
	if (freed >= GIVE_BACK_EVERY) {
		freed = 0;
		upa_region_give_back(region, GIVE_BACK_LIMIT);
	}
}

static void region_metadata(uint64_t *metadata_bytes, uint64_t *managed_bytes)
{
	struct upa_region_stats stats;

	upa_region_get_stats(region, &stats);
	*metadata_bytes = stats.metadata_bytes;
	*managed_bytes = stats.capacity_bytes;
}

/* upa_llfree: page numbers of a region's size, no memory behind them */

#define LLFREE_PAGES (4ull << 20) /* 16 GiB */
#define LLFREE_SLOTS 16u

static struct upa_llfree llfree;

static int llfree_open(void)
{
	size_t bytes = upa_llfree_state_size(LLFREE_PAGES, LLFREE_SLOTS);
	void *state = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	int error = state == MAP_FAILED ? -errno : upa_llfree_init(&llfree, state, bytes, LLFREE_PAGES, LLFREE_SLOTS);

	if (error) {
		fprintf(stderr, "upa-driver: upa_llfree_init: %s\n", strerror(-error));
		return -1;
	}
	return 0;
}

static uint32_t order_of(size_t bytes)
{
	uint64_t pages = round_to_pages(bytes) / PAGE_BYTES;

	return pages <= 1 ? 0 : 64u - (uint32_t)__builtin_clzll(pages - 1);
}

/* Page number + 1 in place of an address, so that page 0 is not NULL. */
static void *llfree_allocate(size_t bytes)
{
	int64_t page = upa_llfree_get(&llfree, driver_thread, order_of(bytes), 0);

	return page < 0 ? NULL : (void *)((uintptr_t)page + 1);
}

static void llfree_release(void *block, size_t bytes)
{
	upa_llfree_put(&llfree, driver_thread, (uintptr_t)block - 1, order_of(bytes));
}

static void llfree_metadata(uint64_t *metadata_bytes, uint64_t *managed_bytes)
{
	*metadata_bytes = upa_llfree_state_size(LLFREE_PAGES, LLFREE_SLOTS);
	*managed_bytes = LLFREE_PAGES * PAGE_BYTES;
}

#define PAGES_ZEROED (ALLOCATOR_PAGES | ALLOCATOR_ZEROED)

/* clang-format off */
const struct allocator upa_allocators[] = {
	{ .name = "upa", .summary = "upa_mmap and upa_munmap: every block reads zero", .flags = PAGES_ZEROED,
	  .open = mman_open, .allocate = mman_allocate, .release = mman_release, .resize = mman_resize,
	  .chill = region_chill, .metadata = region_metadata },
	{ .name = "upa-uncleared", .summary = "upa_mmap with UPA_MAP_UNCLEARED: old bytes may show",
	  .flags = ALLOCATOR_PAGES,
	  .open = mman_open, .allocate = mman_uncleared_allocate, .release = mman_release, .resize = mman_resize,
	  .chill = region_chill, .metadata = region_metadata },
	{ .name = "upa-pte", .summary = "upa_mmap on the kernel module, guarded: every block reads zero",
	  .flags = PAGES_ZEROED,
	  .open = mman_open_pte, .allocate = mman_allocate, .release = mman_release, .resize = mman_resize,
	  .chill = region_chill, .metadata = region_metadata },
	{ .name = "upa-pte-uncleared", .summary = "the same, old bytes may show", .flags = ALLOCATOR_PAGES,
	  .open = mman_open_pte, .allocate = mman_uncleared_allocate, .release = mman_release, .resize = mman_resize,
	  .chill = region_chill, .metadata = region_metadata },
	{ .name = "upa-pte-raw", .summary = "upa_mmap writing hardware page tables: every block reads zero",
	  .flags = PAGES_ZEROED,
	  .open = mman_open_pte_raw, .allocate = mman_allocate, .release = mman_release, .resize = mman_resize,
	  .chill = region_chill, .metadata = region_metadata },
	{ .name = "upa-pte-raw-uncleared", .summary = "the same, old bytes may show", .flags = ALLOCATOR_PAGES,
	  .open = mman_open_pte_raw, .allocate = mman_uncleared_allocate, .release = mman_release,
	  .resize = mman_resize,
	  .chill = region_chill, .metadata = region_metadata },
	{ .name = "region", .summary = "upa_region_map, zeros asked for", .flags = PAGES_ZEROED,
	  .open = region_open, .allocate = region_allocate, .release = region_release, .resize = region_resize,
	  .chill = region_chill, .metadata = region_metadata },
	{ .name = "region-uncleared", .summary = "upa_region_map, old bytes may show", .flags = ALLOCATOR_PAGES,
	  .open = region_open, .allocate = region_uncleared_allocate, .release = region_release,
	  .resize = region_uncleared_resize, .chill = region_chill, .metadata = region_metadata },
	{ .name = "region-huge", .summary = "a region with huge pages, zeros asked for",
	  .flags = PAGES_ZEROED | ALLOCATOR_HUGE,
	  .open = region_open_huge, .allocate = region_allocate, .release = region_release, .resize = region_resize,
	  .chill = region_chill, .metadata = region_metadata },
	{ .name = "region-huge-uncleared", .summary = "a region with huge pages, old bytes may show",
	  .flags = ALLOCATOR_PAGES | ALLOCATOR_HUGE,
	  .open = region_open_huge, .allocate = region_uncleared_allocate, .release = region_release,
	  .resize = region_uncleared_resize, .chill = region_chill, .metadata = region_metadata },
	{ .name = "region-give-back", .summary = "a region that gives all memory back after every release",
	  .flags = PAGES_ZEROED,
	  .open = region_open, .allocate = region_allocate, .release = release_and_give_back, .resize = region_resize,
	  .chill = region_chill, .metadata = region_metadata },
	{ .name = "region-limit",
	  .summary = "a region that keeps at most 256 MiB of free memory, checked every 256 MiB freed",
	  .flags = PAGES_ZEROED,
	  .open = region_open, .allocate = region_allocate, .release = release_with_limit, .resize = region_resize,
	  .chill = region_chill, .metadata = region_metadata },
	{ .name = "llfree", .summary = "upa_llfree_get and _put: page numbers only", .flags = ALLOCATOR_NO_MEMORY,
	  .open = llfree_open, .allocate = llfree_allocate, .release = llfree_release, .metadata = llfree_metadata },
	{ 0 }
};
/* clang-format on */
