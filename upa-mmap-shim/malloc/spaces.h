/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spaces.h - what dlmalloc's heaps stand on: locks and pages.
 *
 * fork() holds all locks, so that a child finds every heap at rest. libc takes locks of its own after that, under
 * which other threads allocate (stdio's, the name service's), so nobody may wait for a heap that fork() holds: such a
 * lock is refused, and whoever wanted it does without (family.c). Nothing here is called by a name that another
 * library could have as well: a function of somebody else's under a heap's lock might want that heap.
 *
 * For any thread; not in signal handlers.
 */
#ifndef UPA_SPACES_H
#define UPA_SPACES_H

#include <stdbool.h>
#include <stddef.h>

/* The least that a heap maps at once. */
#define SEGMENT_BYTES ((size_t)512 << 10)

/*
 * A new lock, free. Until space_exempt() is false again, fork() does not hold it: it may be held in a child by
 * nobody.
 */
int space_lock_start(int *lock);
void space_exempt(bool exempt);

/* The last lock that was started. */
int *space_last_lock(void);

/* 0; or not 0, with space_refused set and the lock not held. */
int space_lock(int *lock);
int space_try_lock(int *lock);
void space_unlock(int *lock);

enum space_refusal {
	SPACE_GRANTED,
	SPACE_FORKING, /* fork() has it */
	SPACE_DEAD,    /* it is the parent's, and was held there: whatever it guards is lost */
};

/* Why a lock has been refused to this thread since it last looked, and cleared this. */
extern _Thread_local int space_refused __attribute__((tls_model("initial-exec")));

/* A lock that this thread holds, which it may lock and unlock again to no effect; NULL: none. */
extern _Thread_local int *space_held __attribute__((tls_model("initial-exec")));

/* Holds, and lets go, every lock there is; a lock is refused meanwhile. One thread at a time, others wait. */
void space_lock_all(void);
void space_unlock_all(void);

/* In the child: the lock is nobody's any more. */
void space_abandon(int *lock);

/* The program has freed what malloc() has not given, or written over what it has. Does not return. */
void space_misused(void) __attribute__((noreturn));

/* Does this thread want zeros just now? */
extern _Thread_local int space_zeros __attribute__((tls_model("initial-exec")));

/*
 * As mmap(), munmap() and mremap() for anonymous pages, with zeros == 0 whatever they hold: UPA's where it is loaded.
 * space_map_block() makes a mapping for one block, if there may be another.
 */
void *space_map(size_t bytes, int zeros);
void *space_map_block(size_t bytes, int zeros);
int space_unmap(void *address, size_t bytes);
void *space_remap(void *address, size_t old_bytes, size_t new_bytes, int may_move);

/* Blocks that are mappings of their own: how many there are and were at most, and of how many bytes; may be. */
struct space_blocks {
	_Atomic size_t count, bytes, most_count, most_bytes, may_be;
};

extern struct space_blocks space_blocks;

#endif
