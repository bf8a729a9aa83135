/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain.h - how much free memory stays populated, and when the rest goes back to the kernel.
 *
 * Follows use: what was in use lately and is not now may stay, since a program that had it is likely to want it again;
 * the memory of that halves every UPA_DECAY_MS. Beyond it stay UPA_RETAIN percent of what is in use, and 4 MiB. So
 * resident memory never rises much above what it would have been at its peak. There is no thread: this runs on the
 * program's own calls, and an idle program keeps what it has.
 *
 * Under memory pressure (the system's PSI, the limits of the process's cgroup) nothing stays.
 */
#ifndef UPA_RETAIN_H
#define UPA_RETAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <upa/region.h>

/* Tells of the heap that grows by brk(): bytes in use, and bytes beyond them that are kept. */
void retain_heap(int64_t live, int64_t kept);

/* The bytes that the heap may keep now. */
int64_t retain_heap_allowance(void);

/* Tells of bytes of the region handed out (positive) or freed (negative). May give memory back. */
void retain_account(struct upa_region *r, int64_t bytes);

/* In a forked child: nobody is giving back any more. */
void retain_after_fork(void);

/* No file of /proc may be read from now on. */
void retain_be_quiet(void);

#endif
