/* SPDX-License-Identifier: Apache-2.0 */
/* What mman.c needs of a region beyond upa/region.h. */
#ifndef UPA_REGION_PRIVATE_H
#define UPA_REGION_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <upa/region.h>

/* A flag of create beside those of upa/region.h: free pages fault when they are touched. A system call for each map and unmap. */
#define UPA_REGION_GUARDED 0x100u

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

bool upa_region_tainted(const struct upa_region *r, const void *address, size_t bytes);

/* Frees pages whose memory the caller has moved elsewhere. */
int upa_region_unmap_moved(struct upa_region *r, const void *address, size_t bytes);

/* Frees pages that the caller has not used since he got them. */
int upa_region_unmap_untouched(struct upa_region *r, const void *address, size_t bytes);

/* Empties pages that the caller holds, and makes their mapping ordinary if they are tainted. */
int upa_region_renew(struct upa_region *r, void *address, size_t bytes);

/* Of a range in the region, how many bytes from its start on the kernel has in one mapping: all, or at least a page. */
size_t upa_region_one_mapping(const struct upa_region *r, char *address, size_t bytes);

#endif
