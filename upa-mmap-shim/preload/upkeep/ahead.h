/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ahead.h - populates memory before the program touches it, where policy/ahead.h says so: of blocks of the region, each
 * thread by what it has used itself, and of what the heap grows by.
 *
 * Not where the program wants to keep little, under --strict and with a pager. Nor on a machine of several NUMA nodes:
 * there the thread that touches a page first is to have it near.
 */
#ifndef UPA_UPKEEP_AHEAD_H
#define UPA_UPKEEP_AHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "os/page.h"
#include "policy/ahead.h"

/* By the settings. For a process with one thread. */
void ahead_start(void);

/* The rest of ahead_block(). */
void ahead_block_of_size(void *address, size_t length);

/* A block of the region has been handed out. errno stays. */
static inline void ahead_block(void *address, size_t length)
{
	if (length >= AHEAD_LEAST_PAGES * PAGE_BYTES && length <= AHEAD_MOST_PAGES * PAGE_BYTES)
		ahead_block_of_size(address, length);
}

/* The heap has grown by whole pages without memory. For who changes the break. */
void ahead_heap(uintptr_t from, uintptr_t to);

#endif
