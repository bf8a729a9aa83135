/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_private.h - what the library itself needs of a region beyond upa/region.h: calls on ranges that are only
 * partly allocated, and on pages that the program treats in ways of its own.
 */
#ifndef UPA_REGION_PRIVATE_H
#define UPA_REGION_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <upa/region.h>

/*
 * A flag of create beside those of upa/region.h: free pages fault when they are touched. A system call for each map and
 * unmap.
 */
#define UPA_REGION_FENCED 0x100u

/*
 * Another: addresses are mapped as far as they are used, and not all at once. Who looks at the process from outside, or
 * limits its addresses, then sees little more than what it uses. Where the addresses behind have become somebody
 * else's, or may not be had, a request finds no room.
 */
#define UPA_REGION_GROWS 0x200u

struct range {
	char *address;
	size_t bytes;
};

/* The first stretch of free, or of allocated, pages in a part of the region. False if there is none. */
bool upa_region_next(const struct upa_region *r, const void *address, size_t bytes, bool free, struct range *out);

/* Takes exactly this range, if all of it is free, for something that is to be mapped over it. 0, -EBUSY, -EINVAL. */
int upa_region_claim(struct upa_region *r, void *address, size_t bytes);

/*
 * As upa_region_map(), at a multiple of an alignment that is a power of two from 2 MiB on. NULL if there is no such
 * place, errno unchanged.
 */
void *upa_region_map_aligned(struct upa_region *r, size_t bytes, size_t alignment, uint32_t flags);

bool upa_region_tainted(const struct upa_region *r, const void *address, size_t bytes);

/*
 * Of pages that the caller holds, how many bytes had no memory when he got them, by what is recorded; counts no further
 * than `enough`.
 */
size_t upa_region_absent(const struct upa_region *r, const void *address, size_t bytes, size_t enough);

/* Frees pages whose memory the caller has moved elsewhere, or that have none. */
int upa_region_unmap_moved(struct upa_region *r, const void *address, size_t bytes);

/* Frees pages that the caller has not used since he got them. */
int upa_region_unmap_untouched(struct upa_region *r, const void *address, size_t bytes);

/* Empties pages that the caller holds, and makes their mapping ordinary if they are tainted. */
int upa_region_renew(struct upa_region *r, void *address, size_t bytes);

/* Of a range in the region, how many bytes from its start on the kernel has in one mapping: all, or at least a page. */
size_t upa_region_one_mapping(const struct upa_region *r, char *address, size_t bytes);

/*
 * May the kernel's calls do with pages of the region what they do with anonymous memory? A region on /dev/upa is turned
 * into one of anonymous memory for that, once and for all, if the process has only one thread. 0, or -EOPNOTSUPP;
 * -EINVAL if other processes have mappings of it.
 */
int upa_region_make_ordinary(struct upa_region *r);

/* Is it one of anonymous memory, or of a file? */
bool upa_region_ordinary(const struct upa_region *r);

/* How many bytes from the base on are mapped as the region's: all, but where it grows. Never shrinks. */
const _Atomic uint64_t *upa_region_extent(const struct upa_region *r);

/* Bytes of pages that have been freed so far, at least: for comparison with what it was before. */
uint64_t upa_region_freed_bytes(const struct upa_region *r);

/* Start of the metadata, laid out as layout.h says. */
const void *upa_region_metadata(const struct upa_region *r);

/* What a region is asked for again and again: see struct upa_region_stats. */
struct upa_region_kept {
	uint64_t allocated_bytes;
	uint64_t retained_bytes;
	uint64_t lazy_bytes; /* of these, what the kernel may take at any instant (upper bound) */
};

int upa_region_get_kept(const struct upa_region *r, struct upa_region_kept *out);

/*
 * Marks memory of free pages so that the kernel may take it under memory pressure, MADV_FREE, until at most so many
 * bytes are kept unmarked. Only where 2 MiB are free as a whole; with `strictly` what cannot be marked is given back,
 * if it is as much again: memory between blocks in use. In regions that are shared or on the device nothing can be
 * marked, and with `strictly` all beyond so many bytes is given back. Who gets marked memory writes to it first, so for
 * callers nothing changes. Bytes marked or given back, or -errno.
 */
int64_t upa_region_make_lazy(struct upa_region *r, uint64_t unmarked_bytes, bool strictly);

/* Finds out what the kernel has taken of it, so that memory that is there is preferred. Bytes. */
int64_t upa_region_find_taken(struct upa_region *r);

/* Bytes that have been found so. */
uint64_t upa_region_taken_bytes(const struct upa_region *r);

/* Bytes of memory behind the region that the kernel does not count as resident. */
uint64_t upa_region_uncounted_bytes(const struct upa_region *r);

/*
 * Registers, once per process, what a fork does for regions on /dev/upa; handlers registered later run before and after
 * it. 0 or -errno.
 */
int upa_region_watch_forks(void);

#endif
