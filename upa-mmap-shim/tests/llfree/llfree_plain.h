/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llfree_plain.h - the plain array that llfree_model.c holds beside the allocator, one byte per page, and what is to be
 * expected of a get by it.
 */
#ifndef UPA_TESTS_LLFREE_PLAIN_H
#define UPA_TESTS_LLFREE_PLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include <upa/llfree.h>

enum content { NO_MEMORY, ZERO, OLD };

static struct upa_llfree a;
static uint64_t pages;

static unsigned char *held; /* 1: allocated */
static unsigned char *content;
static unsigned char *written;    /* 1: its holder has written to it */
static unsigned char *populated;  /* 1: known to have memory: cleared by a holder, or declared resident */
static unsigned char *may_vanish; /* 1: free, and somebody has marked its memory */
static unsigned char *tainted;    /* by child */
static unsigned char *lazy;

/* Length of the run of pages like `from` that starts there. */
static uint64_t like(uint64_t from)
{
	uint64_t end = from + 1;

	while (end < pages && held[end] == held[from])
		end++;
	return end - from;
}

/* Is there room for n pages that starts at a multiple of align and, if inside, lies within one child? */
static bool room(uint64_t n, uint64_t align, bool inside)
{
	uint64_t run = 0;

	for (uint64_t p = pages; p-- > 0;) {
		run = held[p] ? 0 : run + 1;
		if (run >= n && p % align == 0 && !(inside && p % UPA_CHILD_PAGES + n > UPA_CHILD_PAGES))
			return true;
	}
	return false;
}

/* May a run begin anywhere? */
static bool fits(uint64_t n, uint32_t flags)
{
	return n > UPA_CHILD_PAGES && !(flags & (UPA_GET_ABSENT | UPA_GET_ALIGNED));
}

/* Of pages from `first` on, how many lack memory, as far as the allocator knows? */
static uint64_t absent_at(uint64_t first, uint64_t n)
{
	uint64_t absent = 0, length;

	for (uint64_t p = first; p < first + n; p++)
		absent += upa_llfree_child_state(&a, p) != (int)UPA_ZEROED &&
			  upa_llfree_next_stale(&a, p, 1, &length) < 0;
	return absent;
}

/* Is a run so long that it is to start at a child, for there is too little memory to start elsewhere for its sake? */
static bool lacks_most(uint64_t first, uint64_t n)
{
	return n >= UPA_TREE_PAGES && absent_at(first, n) > n - UPA_CHILD_PAGES;
}

/* Does a run that crosses a child take all that is free at its end? */
static bool is_at_border(uint64_t page, uint64_t n, uint32_t flags)
{
	return n < UPA_CHILD_PAGES && !(flags & (UPA_GET_ABSENT | UPA_GET_ALIGNED)) && page % UPA_CHILD_PAGES &&
	       held[page - 1];
}

#endif
