/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a region is inside the library, and what mman.c needs of it beyond upa/region.h. region.c is the region on a stock
 * kernel and the way into both back ends; region_pte.c is the one on /dev/upa.
 */
#ifndef UPA_REGION_PRIVATE_H
#define UPA_REGION_PRIVATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <upa/llfree.h>
#include <upa/region.h>

/* A flag of create beside those of upa/region.h: free pages fault when they are touched. A system call for each map and unmap. */
#define UPA_REGION_FENCED 0x100u

#define PAGE_BYTES (1ull << UPA_PAGE_SHIFT)
#define CHILD_BYTES (UPA_CHILD_PAGES * PAGE_BYTES)

struct region_header;
struct device_region;

struct region_counters {
	_Atomic uint64_t cleared_pages;
	_Atomic uint64_t moved_pages;
	_Atomic uint64_t given_back_pages;
	_Atomic uint64_t internal_gets; /* and puts: runs taken and freed again to give them back or to swap page tables */
	uint64_t unused[4];
};

_Static_assert(sizeof(struct region_counters) == 64, "layout");

enum region_kind { REGION_PRIVATE, REGION_SHARED, REGION_PTE };

struct upa_region {
	struct upa_llfree llfree;
	char *base;
	uint64_t bytes;
	struct region_header *header;
	size_t metadata_bytes;
	struct region_counters *counters;
	uint32_t slots;
	enum region_kind kind;
	uint32_t prepares;           /* not 0: a run is nothing yet until prepare() has been at it, whatever was asked for */
	uint32_t flags;
	_Atomic uint32_t table_moves;
	struct device_region *pte;         /* kind REGION_PTE only */
};

static inline char *address_of(const struct upa_region *r, uint64_t page)
{
	return r->base + page * PAGE_BYTES;
}

static inline uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

/* The calling thread's slot. */
uint32_t upa_region_slot(void);

/* Adds to a counter of the calling thread's. */
void upa_region_add(const struct upa_region *r, size_t counter, uint64_t pages);

#define ADD(r, counter, pages) upa_region_add(r, offsetof(struct region_counters, counter), pages)

struct range {
	char *address;
	size_t bytes;
};

/* The first stretch of free, or of allocated, pages in a part of the region. False if there is none. */
bool upa_region_next(const struct upa_region *r, const void *address, size_t bytes, bool free, struct range *out);

/* Takes exactly this range, if all of it is free, for something that is to be mapped over it. 0, -EBUSY, -EINVAL. */
int upa_region_claim(struct upa_region *r, void *address, size_t bytes);

/* Start of the metadata, laid out as region.c says. */
const void *upa_region_metadata(const struct upa_region *r);

/* As upa_region_map(), at a multiple of an alignment that is a power of two from 2 MiB on. NULL if there is no such place, errno unchanged. */
void *upa_region_map_aligned(struct upa_region *r, size_t bytes, size_t alignment, uint32_t flags);

bool upa_region_tainted(const struct upa_region *r, const void *address, size_t bytes);

/* Frees pages whose memory the caller has moved elsewhere. */
int upa_region_unmap_moved(struct upa_region *r, const void *address, size_t bytes);

/* Frees pages that the caller has not used since he got them. */
int upa_region_unmap_untouched(struct upa_region *r, const void *address, size_t bytes);

/* Empties pages that the caller holds, and makes their mapping ordinary if they are tainted. */
int upa_region_renew(struct upa_region *r, void *address, size_t bytes);

/* Of a range in the region, how many bytes from its start on the kernel has in one mapping: all, or at least a page. */
size_t upa_region_one_mapping(const struct upa_region *r, char *address, size_t bytes);

/*
 * May the kernel's calls do with pages of the region what they do with anonymous memory? A region on /dev/upa is turned into
 * one of anonymous memory for that, once and for all, if the process has only one thread. 0, or -EOPNOTSUPP.
 */
int upa_region_make_ordinary(struct upa_region *r);

/* Is it one of anonymous memory, or of a file? */
static inline bool upa_region_ordinary(const struct upa_region *r)
{
	return r->kind != REGION_PTE;
}

/* Bytes of memory behind the region that the kernel does not count as resident. */
uint64_t upa_region_uncounted_bytes(const struct upa_region *r);

#endif
