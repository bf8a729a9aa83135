/* SPDX-License-Identifier: Apache-2.0 */
/*
 * both_sides.h - a sequence of calls, each made twice: through UPA on memory of the region, and through the kernel's
 * own calls on a twin of the same shape. Compiled twice, see mman_differential.c.
 */
#ifndef UPA_TESTS_BOTH_SIDES_H
#define UPA_TESTS_BOTH_SIDES_H

#include <stdbool.h>

#define INNER 1024l /* pages of the region: two children */
#define BORDER 8l
#define MAX_OPS 48
#define MAX_FORKS 2

enum { WRITE, UNMAP, MAP_AT, MAP_NEW, PROTECT, ADVISE, REMAP, REMAP_MOVE, LOCK, UNLOCK, SYNC, RESIDENT, FORK, KINDS };

/* One call: offsets and lengths in bytes, relative to the first page of the region. */
struct op {
	int kind;
	long at, bytes, to, new_bytes, flags, protection;
};

/* The window: the region, and the border on either side that there was room for. */
extern long first_page, end_page;

/* Says nothing of what differs; and whether what is not mapped must not be readable. */
extern bool quiet, strict;

/* In a process of its own. 0 if both sides agreed, else 1 + the number of the operation after which they did not. */
int both_sides_run(const struct op *ops, int count);

#endif
