/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dlmalloc-spaces.h - put in front of dlmalloc's source by the compiler's -include for libupa_malloc.so: its own
 * configuration macros. Many independent heaps ("mspaces"), each with a lock that fork() can hold; a block knows its
 * heap (FOOTERS); memory by mmap(), of which dlmalloc only needs zeros in calloc().
 */
#ifndef UPA_DLMALLOC_SPACES_H
#define UPA_DLMALLOC_SPACES_H

#include <stddef.h>
#include <sys/mman.h>

#include "spaces.h"

#define MSPACES 1
#define ONLY_MSPACES 1
#define FOOTERS 1
#define HAVE_MORECORE 0
#define NO_MALLOC_STATS 1
#define MALLOC_INSPECT_ALL 1
#define REALLOC_ZERO_BYTES_FREES 1 /* as glibc */
#define DLMALLOC_EXPORT extern

/*
 * Blocks of up to 2 MiB lie side by side in a heap. dlmalloc's own 256 KiB are of a time of less memory: programs
 * that come and go with larger ones then take and give back pages with each, where glibc raises its threshold at the
 * first of them that is freed. Above, pages can move (mremap).
 */
#define DEFAULT_MMAP_THRESHOLD ((size_t)2 << 20)
#define DEFAULT_GRANULARITY SEGMENT_BYTES

#define USE_LOCKS 2
#define MLOCK_T int
#define INITIAL_LOCK(lock) space_lock_start(lock)
#define DESTROY_LOCK(lock) (0)
#define ACQUIRE_LOCK(lock) space_lock(lock)
#define RELEASE_LOCK(lock) space_unlock(lock)
#define TRY_LOCK(lock) space_try_lock(lock)
static MLOCK_T malloc_global_mutex;

#define MMAP_CLEARS 1 /* what DIRECT_MMAP returns is zero when calloc() asks */
#define MMAP(bytes) space_map((bytes), 0)
#define DIRECT_MMAP(bytes) space_map_block((bytes), space_zeros)
#define MUNMAP(address, bytes) space_unmap((address), (bytes))
#define MREMAP(address, old, new, may_move) space_remap((address), (old), (new), (may_move))

/* What else dlmalloc would call under a lock by a name that another library may have. */
#define LACKS_TIME_H
#define malloc_getpagesize ((size_t)4096)
#define ABORT space_misused()

#endif
