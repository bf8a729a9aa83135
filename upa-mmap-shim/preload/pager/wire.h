/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire.h - what a process and its pager tell each other. The pager's half is upa.pager.live.Wire: side by side in names
 * and order.
 *
 * They share a file in memory, which the process makes, and a socket (SOCK_SEQPACKET) of the pager's. The first message
 * of the process is `struct pager_hello`, with descriptors: its userfaultfd, the file, and what it keeps for the pager.
 * All others, both ways, are `struct pager_message`. The pager gives one order at a time and waits for PAGER_DONE, but
 * for PAGER_UNSHARE and PAGER_GIVE_BACK, beside which it may give others. What the process says holds until it says
 * otherwise, and is said again to the next pager.
 *
 * A pager may die at any instant, and another go on from what the process keeps:
 *
 *   the file:   pages[]     4 bytes each, numbers of pages for an order
 *               results[]   4 bytes each, 0 or -errno
 *               present[]   1 byte each, for PAGER_SCAN
 *               kept        the pager's alone: what it has read of the userfaultfd and not yet heeded, the names under
 *                           which it uses stores, the policy
 *               staging[]   4096 bytes each: content of staged pages, until it is in a store
 *               words[]     8 bytes each: where each page of the region is (upa.pager.place.PlaceWord). The process
 *                           writes those of pages that it stages, all others the pager
 *   descriptors             of the memory and the files of its stores; of forked children that still have pages there:
 *                           their userfaultfd, and a file with the words of these pages
 */
#ifndef UPA_PAGER_WIRE_H
#define UPA_PAGER_WIRE_H

#include <stdint.h>

#define PAGER_MAGIC 0x5041475241504755ull
#define PAGER_VERSION 6u

#define PAGER_ORDER_PAGES 256u  /* most pages of an order */
#define PAGER_SCAN_PAGES 16384u /* most pages of a PAGER_SCAN */
#define PAGER_STAGING_SLOTS 1024u
#define PAGER_MOST_KEPT 32u /* descriptors: of stores, then two of each forked child */
#define PAGER_FIRST_CHILD 16u

#define PAGER_PAGES_OFFSET 0ul
#define PAGER_RESULTS_OFFSET 4096ul
#define PAGER_PRESENT_OFFSET 8192ul
#define PAGER_KEPT_OFFSET (PAGER_PRESENT_OFFSET + PAGER_SCAN_PAGES)
#define PAGER_KEPT_BYTES 8192ul
#define PAGER_STAGING_OFFSET (PAGER_KEPT_OFFSET + PAGER_KEPT_BYTES)
#define PAGER_WORDS_OFFSET (PAGER_STAGING_OFFSET + PAGER_STAGING_SLOTS * 4096ul)

/* The word of a page in a staging slot. */
#define PAGER_STAGED(slot) (15ull << 60 | (slot))

/* In place of a staging slot: the page is in a store as it is. It goes without a copy, and its word stays. */
#define PAGER_NO_SLOT 0xffffffffu

struct pager_hello {
	uint64_t magic;
	uint32_t version;
	uint32_t pid;
	uint64_t base;  /* address of page 0 */
	uint64_t bytes; /* of the region */
	uint32_t kept;  /* a bit for each descriptor that is kept: they follow in this order */
	uint32_t again; /* 1: a pager was there before */
	uint64_t known; /* address of a page that nobody has written to: of a forked child the pager fills it */
	char name[32];  /* of the program, ends with 0 */
};

enum pager_kind {
	/* The process says. */
	PAGER_DONE = 1, /* the order of this `ticket` has been carried out; `count` is its result */
	PAGER_ACTIVATE, /* memory in use comes near the bound */
	PAGER_FREEZE,   /* while `count`: bring all in and evict nothing; `ticket` comes back with PAGER_GRANTED */
	PAGER_LEAVE,    /* bring all in and go; answered by PAGER_LEFT */
	PAGER_HINT,     /* of `count` pages from `argument` on; `ticket` is upa_hint_kind, and the priority times 256 */
	/* The pager orders. */
	PAGER_WELCOME = 16, /* the first, and later if the bound changes; `argument` is the bound in bytes */
	PAGER_STAGE,        /* pages[] out of the region; page i to staging slot pages[ORDER_PAGES + i], or to none
			     * (PAGER_NO_SLOT); results[] */
	PAGER_UNSHARE,      /* pages[] are written to as they are, so that they are shared with no child */
	PAGER_SCAN,         /* which of `count` pages from `argument` on are present: present[] */
	PAGER_GIVE_BACK,    /* memory of free pages to the kernel, but for `argument` bytes */
	PAGER_EVICTED,      /* no order: from now on (argument 1) or no more (0) is there content outside of memory */
	PAGER_GRANTED,      /* no order: all is in memory, and stays there, for tickets up to `ticket` */
	PAGER_LEFT,         /* no order: nothing is the pager's any more */
	PAGER_KEEP,         /* no order: the descriptor with it, or none, is kept as number `count` */
	PAGER_BORN,         /* no order: member `count` of the family has forked child `ticket`, less 1, whose two
			     * descriptors come with it and are kept; or, 0, one that needs nothing (forks.h) */
	PAGER_UNBORN,       /* the child that member `count` has forked and that waits for PAGER_BORN: with PAGER_DONE
			     * comes a userfaultfd of it, unless the result is UNKNOWN or NONE */
};

enum pager_unborn {
	PAGER_UNBORN_UNKNOWN, /* there are no gates */
	PAGER_UNBORN_NONE,
	PAGER_UNBORN_ONE,  /* the pager may have been told of it, or not yet */
	PAGER_UNBORN_TOLD, /* a pager has been told of it */
};

struct pager_message {
	uint32_t kind;
	uint32_t count;
	uint32_t ticket;
	uint32_t padding;
	uint64_t argument;
};

_Static_assert(sizeof(struct pager_hello) == 80 && sizeof(struct pager_message) == 24, "as upa.pager.live.Wire");
_Static_assert(2 * PAGER_ORDER_PAGES * sizeof(uint32_t) <= PAGER_RESULTS_OFFSET, "pages and slots of an order");

#endif
