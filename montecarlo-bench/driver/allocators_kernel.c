/* SPDX-License-Identifier: Apache-2.0 */
/* allocators_kernel.c - the base lines: the kernel's own mmap, munmap and mremap. */
#include "contestant.h"

#include <sys/mman.h>

static void *map(size_t bytes, int flags)
{
	void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return block == MAP_FAILED ? NULL : block;
}

static void *kernel_allocate(size_t bytes)
{
	return map(bytes, 0);
}

static void *populate_allocate(size_t bytes)
{
	return map(bytes, MAP_POPULATE);
}

static void *huge_allocate(size_t bytes)
{
	void *block = map(bytes, 0);

	if (block)
		madvise(block, bytes, MADV_HUGEPAGE);
	return block;
}

static void kernel_release(void *block, size_t bytes)
{
	munmap(block, bytes);
}

static void *kernel_resize(void *block, size_t old_bytes, size_t new_bytes)
{
	void *moved = mremap(block, old_bytes, new_bytes, MREMAP_MAYMOVE);

	return moved == MAP_FAILED ? NULL : moved;
}

/* clang-format off */
const struct allocator kernel_allocators[] = {
	{ .name = "kernel", .summary = "mmap and munmap of the kernel",
	  .flags = ALLOCATOR_PAGES | ALLOCATOR_ZEROED,
	  .allocate = kernel_allocate, .release = kernel_release, .resize = kernel_resize },
	{ .name = "kernel-populate", .summary = "mmap with MAP_POPULATE: all pages faulted in by the call",
	  .flags = ALLOCATOR_PAGES | ALLOCATOR_ZEROED,
	  .allocate = populate_allocate, .release = kernel_release, .resize = kernel_resize },
	{ .name = "kernel-huge", .summary = "mmap with MADV_HUGEPAGE",
	  .flags = ALLOCATOR_PAGES | ALLOCATOR_ZEROED | ALLOCATOR_HUGE,
	  .allocate = huge_allocate, .release = kernel_release, .resize = kernel_resize },
	{ 0 }
};
/* clang-format on */
