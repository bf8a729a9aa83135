/* SPDX-License-Identifier: Apache-2.0 */
/* What mman.c needs of a region beyond upa/region.h. */
#ifndef UPA_REGION_PRIVATE_H
#define UPA_REGION_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include <upa/region.h>

struct range {
	char *address;
	size_t bytes;
};

/* The first stretch of free, or of allocated, pages in a part of the region. False if there is none. */
bool upa_region_next(const struct upa_region *r, const void *address, size_t bytes, bool free, struct range *out);

bool upa_region_tainted(const struct upa_region *r, const void *address, size_t bytes);

/* Frees pages whose memory the caller has moved elsewhere. */
int upa_region_unmap_moved(struct upa_region *r, const void *address, size_t bytes);

#endif
