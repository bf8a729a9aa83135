/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap.h - brk(2) for libc, without giving memory back at once: a heap that shrinks and grows again finds its pages
 * where they were, cleared, for which the kernel would have made it pay a fault each.
 *
 * The kernel's break stays above the program's by what may be retained (retain.h). As soon as the program treats
 * pages of the heap in a way of its own (protection, locking, a mapping over them), every call is the kernel's again.
 */
#ifndef UPA_HEAP_H
#define UPA_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `current` is libc's __curbrk. For a process with one thread. */
void heap_start(void **current);

/* As brk(): 0 or -1 with ENOMEM; sets __curbrk. What the heap grows by holds zeros, or anything if not `zeros`. */
int heap_set(void *address, bool zeros);

/* Where the program has the break, and the kernel: there, or above. */
struct heap_breaks {
	uintptr_t program, kernel;
};

struct heap_breaks heap_breaks(void); /* 0 and 0: the heap is not ours */

/*
 * The program is about to ask the kernel about a range, or for it: what is kept there beyond its break goes back, for
 * it is nothing to the program. The addresses are not const: newer compilers take that for a promise to read there,
 * which calls such as munlock() are declared not to do.
 */
void heap_uncover(void *address, size_t length);

/*
 * The same, and it is about to change how pages in a range are mapped; `only_contents` if it is no more than what they
 * hold that may go.
 */
void heap_disturb(void *address, size_t length, bool only_contents);

/* Keeps no more than this beyond the program's break, unless somebody is changing it just now. Bytes given back. */
int64_t heap_give_back(int64_t keep);

/* As the system call: the kernel's break, moved to `wanted` if it may be. */
long heap_by_number(uintptr_t wanted);

/*
 * Marks what is kept beyond so much so that the kernel may take it, unless somebody is changing the break just now.
 * Bytes marked.
 */
int64_t heap_make_lazy(int64_t unmarked);

/* In a forked child: nobody is changing the break. */
void heap_after_fork(void);

/*
 * Nothing is kept beyond the program's break, and from now on every call is the kernel's. That has been done when this
 * returns, but in a signal handler that has interrupted a change of the break, which ends with it.
 */
void heap_stop(void);

#endif
