/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain.h - how much free memory stays populated, and when the rest goes back to the kernel.
 *
 * Follows use: what was in use lately and is not now may stay, since a program that had it is likely to want it again;
 * the memory of that halves every UPA_DECAY_MS. Beyond it stay UPA_RETAIN percent, but 2 MiB at least. What is in use the kernel says: what
 * is resident, less what is known to be free. So resident memory stays within that percentage of its peak without UPA. There is no thread: this runs on the
 * program's own calls, and an idle program keeps what it has.
 *
 * Under memory pressure (the system's PSI, the limits of the process's cgroup) nothing stays.
 */
#ifndef UPA_RETAIN_H
#define UPA_RETAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <upa/region.h>

/* Tells that the heap is about to shrink. */
void retain_heap_shrinks(void);

/* Tells that the heap has got so many bytes more from the kernel, which it is about to touch: what the region retains may have to make room. */
void retain_heap_grows(int64_t bytes);

/* Tells of the heap's size in bytes, and of bytes beyond that which are kept. */
void retain_heap(int64_t live, int64_t kept);

/* The bytes that the heap may keep now. */
int64_t retain_heap_allowance(void);

/* The most that was in use lately, in bytes. */
int64_t retain_peak(void);

/*
 * Before a purge: tells of the bytes that earlier ones have left resident and that are not in use again. By how many bytes resident
 * memory exceeds what may stay, the range itself included; negative if there is room.
 */
int64_t retain_excess(int64_t idle_bytes, int64_t about_to_purge);

/* Tells of bytes of the region handed out (positive) or freed (negative). May give memory back. */
void retain_account(struct upa_region *r, int64_t bytes);

/* In a forked child: nobody is giving back any more. */
void retain_after_fork(void);

/* A clock good to a few milliseconds, at a few nanoseconds a reading. */
int64_t milliseconds(void);

/* The process's resident memory in bytes, as the kernel counts it; negative if it may not be asked. */
int64_t resident_bytes(void);

/* No file of /proc may be read from now on. */
void retain_be_quiet(void);

#endif
