/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge.h - madvise(MADV_DONTNEED) without the kernel, for memory that is purged and used again all the time.
 *
 * mimalloc, glibc's arenas, and a jemalloc that cannot be told otherwise (jemalloc.c) give memory back this way; touching it again costs a fault a
 * page, twenty times as much as clearing it. The 2 MiB units that are purged most often are cleared in place and stay resident, as many as the bound of retain.h
 * lets; the others go to the kernel. What has been cleared cannot be taken back later, for the program may have written to it
 * since, so room for the hottest is made by not leaving the colder ones. (A simulation of jemalloc's churn: 16 % of all pages fault so,
 * 33 % with more memory if whatever still fits is left, and 14 % if the longest unused could be taken back.) Of those, what is purged and touched as
 * a whole gets huge pages, which fault more cheaply.
 */
#ifndef UPA_PURGE_H
#define UPA_PURGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <upa/region.h>

/* Until then nothing is purged without the kernel. For a process with one thread. */
void purge_begin(void);

/* True if the range now reads zero and the kernel need not be asked. `region` may be NULL. */
bool purge(const struct upa_region *region, void *address, size_t length);

/* The range is unmapped, or in use again: what has been left resident there is no longer idle. */
void purge_forget(void *address, size_t length);

/* In the child: another thread of the parent may have been looking. */
void purge_after_fork(void);

/* From now on never: pages are locked, or guarded within their mapping, or somebody waits for their faults. */
void purge_stop(void);

uint64_t purge_count(void);

#endif
