/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core.h - what a paged program needs before the kernel writes its core file. Whoever dumps core has no page brought
 * in: pages that are outside of memory would be zeros in the file. So a signal that would end the program with one has
 * a handler of ours in the place of the default. It has the other threads stand still, brings all in, puts the default
 * back and has the same signal delivered again: the file shows the thread where the first one hit it.
 *
 * The program sees the default where it asks libc (entry/signals.c). A handler that it sets by a system call of its own
 * takes the place of ours; so does SA_RESETHAND. Then, and where the kernel asks no handler (no stack left for one, or
 * the signal is blocked), the pager does what it can while the file is being written, and says so.
 */
#ifndef UPA_PAGER_CORE_H
#define UPA_PAGER_CORE_H

#include <stdbool.h>

/* Of all signals that have the default. For a process with one thread. */
void core_start(void);

/* The program has set what this signal does: the default becomes ours again. */
void core_watch(int signal);

/* Is this the address of our handler? */
bool core_is_ours(const void *handler);

#endif
