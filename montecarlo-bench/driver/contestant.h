/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contestant.h - the one seam between the benchmark and what it measures: a contestant is a row of
 * functions. Everything else in the driver knows contestants only through it.
 */
#ifndef UPA_DRIVER_CONTESTANT_H
#define UPA_DRIVER_CONTESTANT_H

#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096u

/* Properties of a contestant. */
#define ALLOCATOR_PAGES 1u     /* hands out whole pages, page-aligned; any page-aligned part may be freed */
#define ALLOCATOR_ZEROED 2u    /* every block reads zero */
#define ALLOCATOR_NO_MEMORY 4u /* hands out page numbers only: blocks must not be touched */
#define ALLOCATOR_HUGE 8u      /* asks for transparent huge pages */

struct allocator {
	const char *name;
	const char *summary;
	unsigned flags;
	/* Prepares the contestant. 0, or -1 after a message on stderr. */
	int (*open)(void);
	/* NULL on shortage. */
	void *(*allocate)(size_t bytes);
	void (*release)(void *block, size_t bytes);
	/* As realloc(3), the contents up to the smaller size kept; NULL where the contestant has no such call. */
	void *(*resize)(void *block, size_t old_bytes, size_t new_bytes);
	/*
	 * Returns all free memory to the kernel, so that the next block is a first acquisition; NULL if it keeps none.
	 */
	void (*chill)(void);
	/* Bytes of metadata and of memory managed; NULL if unknown. */
	void (*metadata)(uint64_t *metadata_bytes, uint64_t *managed_bytes);
};

/* Index of the calling thread among the measuring ones, for contestants that keep state per thread. */
extern _Thread_local unsigned driver_thread;

extern const struct allocator kernel_allocators[]; /* each array ends in a row without a name */
extern const struct allocator cache_allocators[];
extern const struct allocator upa_allocators[];
extern const struct allocator malloc_allocators[];

static inline size_t round_to_pages(size_t bytes)
{
	return (bytes + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1);
}

#endif
