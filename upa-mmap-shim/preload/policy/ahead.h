/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ahead.h - how much of a block without memory is populated before the program touches it: arithmetic. What the kernel
 * says is hooks (upkeep/ahead.c has the real ones).
 *
 * A page that is touched first costs a fault; many at once cost a fraction of that each. But what the program then does
 * not touch is memory for nothing. So there is a credit, for each class of blocks, those of about one size. A block is
 * judged when the next of its class comes. Its last eighth is never populated ahead: if the first pages of that have
 * memory by then, the block has been used, and its pages are credited; if not, the credit is gone. Of a block a
 * twentieth of the credit is populated. So, as far as these pages tell, of what a class has used no more than a
 * twentieth is ever populated for nothing.
 *
 * As long as its middle is not populated either, that is looked at too, since a stack is used from its end on.
 *
 * Units: pages, and their numbers. Thread-safety: one thread at a time has a `struct ahead`; a signal handler over it
 * may spoil a judgement, no more.
 */
#ifndef UPA_AHEAD_H
#define UPA_AHEAD_H

#include <stdint.h>

/* A smaller block is not worth a system call, nor is a larger one the latency. */
#define AHEAD_LEAST_PAGES 16u
#define AHEAD_MOST_PAGES 8192u

/* Nor is it for fewer pages; and more are not populated at once. */
#define AHEAD_WORTH 8u
#define AHEAD_AT_ONCE 2048u

/* Of what was used, this part may be populated for nothing. */
#define AHEAD_SHARE 20u

/* The most pages that are looked at, at the end and in the middle. */
#define AHEAD_WINDOW 16u

struct ahead_hooks {
	/* How many of so many pages have memory; negative if that is not known. */
	int (*resident)(uint64_t first, uint32_t pages);
	/* So many pages may have memory now for nothing. Asked only if that much is of interest. */
	uint64_t (*spare)(void);
};

struct ahead_class {
	uint64_t first; /* of the last block */
	uint32_t pages; /* of it; 0: there has been none */
	uint32_t populated;
	uint64_t credit;
};

#define AHEAD_CLASSES 10

struct ahead {
	struct ahead_class classes[AHEAD_CLASSES];
};

/* A block without memory is handed out: how many pages, from its first on, are to be populated. */
uint32_t ahead_of(struct ahead *a, const struct ahead_hooks *hooks, uint64_t first, uint64_t pages);

/* They could not be. */
void ahead_refused(struct ahead *a, uint64_t pages);

#endif
