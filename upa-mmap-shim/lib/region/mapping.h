/* SPDX-License-Identifier: Apache-2.0 */
/* mapping.h - mappings of the kernel's that hold a region: metadata, handle, and the pages. Results are 0 or -errno. */
#ifndef UPA_REGION_MAPPING_H
#define UPA_REGION_MAPPING_H

#include <stddef.h>
#include <stdint.h>

#include "os/os.h"

/* Anonymous memory that costs only what is touched of it. */
#define MAP_SPARSE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

int upa_map(void **out, void *address, size_t bytes, int protection, int flags, int fd, uint64_t offset);

static inline int upa_map_sparse(void **out, size_t bytes)
{
	return upa_map(out, NULL, bytes, PROT_READ | PROT_WRITE, MAP_SPARSE, -1, 0);
}

/* Readable and writable, at a multiple of 2 MiB. */
int upa_map_aligned(void **out, size_t bytes, int flags, int fd, uint64_t offset);

#endif
