/* SPDX-License-Identifier: Apache-2.0 */
/*
 * allocators_malloc.c - malloc contestants: the process's own malloc, which LD_PRELOAD decides
 * (glibc, jemalloc, mimalloc, tcmalloc), and dlmalloc out of libdlmalloc_*.so, loaded at run time.
 */
#include "contestant.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *process_allocate(size_t bytes)
{
	return malloc(bytes);
}

static void process_release(void *block, size_t bytes)
{
	(void)bytes;
	free(block);
}

static void *process_resize(void *block, size_t old_bytes, size_t new_bytes)
{
	(void)old_bytes;
	return realloc(block, new_bytes);
}

static void *(*dl_malloc)(size_t);
static void *(*dl_realloc)(void *, size_t);
static void (*dl_free)(void *);

/* Found through the driver's run path, or LD_LIBRARY_PATH. */
static int dl_open(const char *library)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

	if (!handle) {
		fprintf(stderr, "upa-driver: %s\n", dlerror());
		return -1;
	}
	*(void **)&dl_malloc = dlsym(handle, "dlmalloc");
	*(void **)&dl_realloc = dlsym(handle, "dlrealloc");
	*(void **)&dl_free = dlsym(handle, "dlfree");
	if (!dl_malloc || !dl_realloc || !dl_free) {
		fprintf(stderr, "upa-driver: %s lacks dlmalloc, dlrealloc or dlfree\n", library);
		return -1;
	}
	return 0;
}

static int dl_open_kernel(void)
{
	return dl_open("libdlmalloc_kernel.so");
}

static int dl_open_upa(void)
{
	return dl_open("libdlmalloc_upa.so");
}

static int dl_open_upa_uncleared(void)
{
	return dl_open("libdlmalloc_upa_uncleared.so");
}

static void *dl_allocate(size_t bytes)
{
	return dl_malloc(bytes);
}

static void dl_release(void *block, size_t bytes)
{
	(void)bytes;
	dl_free(block);
}

static void *dl_resize(void *block, size_t old_bytes, size_t new_bytes)
{
	(void)old_bytes;
	return dl_realloc(block, new_bytes);
}

/* clang-format off */
const struct allocator malloc_allocators[] = {
	{ .name = "malloc", .summary = "the process's own malloc (LD_PRELOAD chooses another than glibc's)",
	  .allocate = process_allocate, .release = process_release, .resize = process_resize },
	{ .name = "dlmalloc-kernel", .summary = "dlmalloc 2.8.6 on the kernel's mmap",
	  .open = dl_open_kernel, .allocate = dl_allocate, .release = dl_release, .resize = dl_resize },
	{ .name = "dlmalloc-upa", .summary = "dlmalloc 2.8.6 on upa_mmap, cleared (MMAP_CLEARS=1)",
	  .open = dl_open_upa, .allocate = dl_allocate, .release = dl_release, .resize = dl_resize },
	{ .name = "dlmalloc-upa-uncleared", .summary = "dlmalloc 2.8.6 on upa_mmap, uncleared (MMAP_CLEARS=0)",
	  .open = dl_open_upa_uncleared, .allocate = dl_allocate, .release = dl_release, .resize = dl_resize },
	{ 0 }
};
/* clang-format on */
