/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backend.h - how the pages of a region come by memory: all that differs between back ends. region.c checks arguments
 * and asks the allocator; behind this table pages get memory, lose it, are cleared, and move with what is in them.
 *
 *   linear/   linear.c  anonymous memory: the kernel puts memory behind a page when it is first touched
 *             shared.c  the same, of a file that several processes map
 *   fenced/             linear, and a free page faults when it is touched
 *   device/             page frames of /dev/upa, which are put behind pages here
 *             paged.c   the same, which a pager puts there
 *
 * All functions but open, close, recover and validate may be called from any thread or signal handler at any time.
 * "Held" pages are those that the caller has from the allocator and nobody else may use. Results: 0 or a count; -errno.
 */
#ifndef UPA_REGION_BACKEND_H
#define UPA_REGION_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "region/layout.h"
#include "region/slots.h"
#include "region/types.h"

struct region_backend {
	/* Flags that upa_region_create() may be given. */
	uint32_t flags;
	/* A run just taken is nothing yet until prepare() has been at it, whatever was asked for. */
	bool prepares;
	/* The kernel's calls do with its pages what they do with anonymous memory, or a file's. */
	bool ordinary;

	/*
	 * Makes the mappings of a region laid out as h says: fills in all of r, which is zero, but the back end and the
	 * allocator. fd is -1, or a file of h->file_bytes. On failure nothing is left.
	 */
	int (*open)(struct upa_region *r, const struct region_header *h, const struct upa_region_options *options,
		    int fd);

	/* Once the allocator is there as well. NULL if nothing is to be done then. */
	int (*start)(struct upa_region *r);

	/* Undoes open(), but for the handle. */
	void (*close)(struct upa_region *r);

	/*
	 * Maps at least so many bytes from the base on, which r->extent tells afterwards. NULL if all are from the
	 * start.
	 */
	int (*extend)(struct upa_region *r, uint64_t bytes);

	/*
	 * Makes pages just taken what UPA_MAP_* flags say; they hold what the allocator says, UPA_HOLDS_*. On failure
	 * they are free again, with nothing lost.
	 */
	int (*prepare)(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags, uint32_t holds);

	/*
	 * Frees pages as their holder leaves them, tainted or not. -EINVAL, and nothing freed, if one of them is free.
	 */
	int (*unmap)(struct upa_region *r, uint64_t first, uint64_t pages);

	/* Frees held pages, untainted, as upa_llfree_put_run() with these flags. */
	int (*put)(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags);

	/* Pages just taken are to have something mapped over them. On failure they are free again. */
	int (*claim)(struct upa_region *r, uint64_t first, uint64_t pages);

	/* Empties held pages, and makes their mapping ordinary again if they are tainted. */
	int (*renew)(struct upa_region *r, uint64_t first, uint64_t pages);

	/* Clears those of the held pages that may hold old bytes. */
	void (*clear)(struct upa_region *r, uint64_t first, uint64_t pages);

	/*
	 * Takes new_pages elsewhere, gives them the contents of old_pages, fewer, that are held and allocated, clears
	 * the rest if flags say so, and frees the old ones. The first new page, or -errno with all as it was.
	 */
	int64_t (*relocate)(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages,
			    uint32_t flags);

	/*
	 * Gives memory of free pages back to the kernel until at most so many pages of it stay. Pages given back, or
	 * -errno.
	 */
	int64_t (*give_back)(struct upa_region *r, uint64_t retain);

	/*
	 * Marks memory of free pages so that the kernel may take it at any instant, until at most so many pages are not
	 * marked; only whole free children, unless `strictly`: then what lies between pages in use is given back, if it
	 * is as much again. Pages marked or given back, or -errno. NULL if memory cannot be marked.
	 */
	int64_t (*make_lazy)(struct upa_region *r, uint64_t unmarked, bool strictly);

	/* Records as absent those free children whose memory the kernel has taken. How many pages. NULL as above. */
	int64_t (*find_taken)(struct upa_region *r);

	/*
	 * Puts zeroed memory behind a held absent child, and frees it. On failure it is free without: -ENOMEM; -EDQUOT
	 * if free pages may keep no more. NULL if free pages cannot be touched.
	 */
	int (*populate)(struct upa_region *r, uint64_t first);

	/* Clears a held child if all of it has memory; false if not. NULL if free pages cannot be touched. */
	bool (*clear_child)(struct upa_region *r, uint64_t first);

	/* See upa_region_make_ordinary(). -EINVAL if there are other processes' mappings of the region. */
	int (*make_ordinary)(struct upa_region *r);

	/* Free pages of memory that the region keeps, an upper bound; recorded: how many the allocator knows of. */
	uint64_t (*retained)(const struct upa_region *r, uint64_t recorded);

	/* Pages of memory that the kernel does not count as resident. */
	uint64_t (*uncounted)(const struct upa_region *r);

	int64_t (*recover)(struct upa_region *r);
	int (*validate)(const struct upa_region *r, char *message, size_t message_bytes);
};

extern const struct region_backend upa_linear, upa_shared, upa_fenced, upa_guarded, upa_raw, upa_paged;

static inline bool reached(const struct upa_region *r, uint64_t first, uint64_t pages)
{
	return (first + pages) * PAGE_BYTES <= atomic_load_explicit(&r->extent, memory_order_acquire);
}

/* To be called for pages that have just been taken, before their addresses are used. On failure they are free again. */
static inline int upa_region_reach(struct upa_region *r, uint64_t first, uint64_t pages)
{
	int error =
		__builtin_expect(reached(r, first, pages), 1) ? 0 : r->backend->extend(r, (first + pages) * PAGE_BYTES);

	UPA_ASSERT(error || reached(r, first, pages));
	if (error)
		put_back(r, first, pages, UPA_PUT_UNTOUCHED);
	return error;
}

/* The one for a new region of these options, in a file or not; NULL if there is no such combination. */
const struct region_backend *upa_choose_backend(const struct upa_region_options *options, bool shared);

#endif
