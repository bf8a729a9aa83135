/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge.h - madvise(MADV_DONTNEED) without the kernel, for memory that is purged and used again all the time.
 *
 * jemalloc, mimalloc and glibc's arenas give memory back this way; touching it again costs a fault a page, thirty times as
 * much as clearing it. What has been purged within the last second and is purged again is cleared in place and stays
 * resident; whatever is purged less often goes to the kernel. Once cleared it cannot be taken back later, for the program may
 * have written to it since: so this is done only while resident memory is within the bound of retain.h.
 */
#ifndef UPA_PURGE_H
#define UPA_PURGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <upa/region.h>

/* True if the range now reads zero and the kernel need not be asked. `region` may be NULL. */
bool purge(const struct upa_region *region, void *address, size_t length);

/* From now on never: pages are locked, or somebody waits for their faults. */
void purge_stop(void);

uint64_t purge_count(void);

#endif
