/* SPDX-License-Identifier: Apache-2.0 */
/*
 * brk.h - brk(2) for libc, without giving memory back at once: a heap that shrinks and grows again
 * finds its pages where they were, cleared, for which the kernel would have made it pay a fault each.
 *
 * The kernel's break stays above the program's by what may be retained (retain.h). As soon as the program treats pages
 * of the heap in a way of its own (protection, locking, a mapping over them), every call is the kernel's again.
 */
#ifndef UPA_BRK_H
#define UPA_BRK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `current` is libc's __curbrk. For a process with one thread. */
void brk_start(void **current);

/* As libc's brk(): 0 or -1 with ENOMEM; sets __curbrk. What the heap grows by holds zeros, or anything if not `zeros`. */
int brk_set(void *address, bool zeros);

/* Where the kernel has the break: at the program's, or above. */
const void *brk_kernel(void);

/* The program is about to change how pages in a range are mapped; `gone` if it is only their contents that may go. */
void brk_disturb(const void *address, size_t length, bool only_contents);

/* Keeps no more than this beyond the program's break, unless somebody is changing it just now. */
void brk_give_back(int64_t keep);

/* In a forked child: nobody is changing the break. */
void brk_after_fork(void);

/* From now on every call is the kernel's. */
void brk_stop(void);

/* Bytes given out again without a fault, and bytes given back to the kernel. */
void brk_counts(uint64_t *reused, uint64_t *given_back);

#endif
