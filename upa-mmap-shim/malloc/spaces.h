/* SPDX-License-Identifier: Apache-2.0 */
/* spaces.h - what dlmalloc's heaps stand on: locks and pages. */
#ifndef UPA_SPACES_H
#define UPA_SPACES_H

#include <stddef.h>

/* A lock on which threads sleep. It is remembered, so that fork() can hold all of them: a child finds every heap at rest. */
int space_lock_start(int *lock);
int space_lock(int *lock);
int space_try_lock(int *lock);
void space_unlock(int *lock);

/* Holds, and lets go, every lock there is. */
void space_lock_all(void);
void space_unlock_all(void);

/* Does this thread want zeros just now? */
extern _Thread_local int space_zeros __attribute__((tls_model("initial-exec")));

/* Pages by mmap(); with zeros == 0 whatever they hold. MAP_FAILED if there are none. */
void *space_map(size_t bytes, int zeros);

#endif
