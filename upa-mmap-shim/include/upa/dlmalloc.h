/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upa/dlmalloc.h - Doug Lea's malloc 2.8.6, unmodified, under its own prefix.
 *
 * Three libraries export these functions and differ in nothing but where they get pages from:
 *
 *   libdlmalloc_kernel.so         mmap(2), munmap(2), mremap(2)
 *   libdlmalloc_upa.so            upa_mmap(), upa_munmap(), upa_mremap(); new pages read zero
 *   libdlmalloc_upa_uncleared.so  the same with UPA_MAP_UNCLEARED; dlcalloc() clears what it returns
 *
 * A program links or loads one of them: each has its own heap, and a block goes back to the heap it came
 * from. Thread-safe. Not to be called from signal handlers.
 */
#ifndef UPA_DLMALLOC_H
#define UPA_DLMALLOC_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As malloc(3), calloc(3), realloc(3) and free(3): a shortage is NULL with ENOMEM. Alignment: 16 bytes. */
void *dlmalloc(size_t bytes);
void *dlcalloc(size_t count, size_t bytes);
void *dlrealloc(void *block, size_t bytes);
void dlfree(void *block);

/*
 * As memalign(3); `alignment` is rounded up to a power of two. Such a block must not go to dlrealloc() or
 * dlrealloc_in_place(): for one that was mapped by itself (from 256 KiB on), 2.8.6 forgets the bytes before the aligned
 * start and returns a block too small. That is so on the kernel's mmap as well.
 */
void *dlmemalign(size_t alignment, size_t bytes);

/* As realloc, but never moves the block: NULL, and the block as it was, if it cannot grow where it is. */
void *dlrealloc_in_place(void *block, size_t bytes);

/* Bytes that may be used of `block`: at least what was asked for. */
size_t dlmalloc_usable_size(void *block);

/* Gives unused memory back to where it came from, all but `pad` bytes. 1 if any was, else 0. */
int dlmalloc_trim(size_t pad);

/* Bytes the heap holds now, and at most ever held. */
size_t dlmalloc_footprint(void);
size_t dlmalloc_max_footprint(void);

#ifdef __cplusplus
}
#endif
#endif
