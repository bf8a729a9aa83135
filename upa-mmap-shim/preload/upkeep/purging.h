/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purging.h - madvise(MADV_DONTNEED) without the kernel, for memory that is purged and used again all the time.
 *
 * mimalloc, glibc's arenas, and a jemalloc that cannot be told otherwise (policy/jemalloc.c) give memory back this
 * way; touching it again costs a fault a page, twenty times as much as clearing it. What is cleared in place instead,
 * policy/purge.h chooses.
 *
 * For any thread and signal handler.
 */
#ifndef UPA_PURGING_H
#define UPA_PURGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <upa/region.h>

/* Until then nothing is purged without the kernel. For a process with one thread. */
void purging_start(void);

/* True if the range now reads zero and the kernel need not be asked. `region` may be NULL. */
bool purging(const struct upa_region *region, void *address, size_t length);

/* The range is unmapped, or in use again: what has been left resident there is no longer idle. */
void purging_forget(const void *address, size_t length);

/* In the child: another thread of the parent may have been looking. */
void purging_after_fork(void);

/* From now on never. */
void purging_stop(void);

#endif
