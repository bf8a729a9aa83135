/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stand_aside.h - what UPA stops doing once the program has done something under which it would be in the way. What
 * stops for which reason is one table, in stand_aside.c; what has been stopped stays so.
 *
 * For any thread and signal handler. To be called before the call that is the reason.
 */
#ifndef UPA_STAND_ASIDE_H
#define UPA_STAND_ASIDE_H

enum stand_aside_reason {
	ASIDE_OFF,           /* UPA_OFF=1 */
	ASIDE_PAGE_SIZE,     /* the kernel's pages have not 4096 bytes */
	ASIDE_SANITIZER,     /* the program looks at every mmap itself */
	ASIDE_ADDRESS_LIMIT, /* RLIMIT_AS, from the start */
	ASIDE_DATA_LIMIT,    /* RLIMIT_DATA, from the start */
	ASIDE_LIMITED,       /* the program sets one of these */
	ASIDE_REFUSED,       /* the kernel has refused memory, and there is a limit that was not there before */
	ASIDE_LOCKED_WHOLE,  /* mlockall() */
	ASIDE_FILTERED,      /* a filter over system calls is announced */
	ASIDE_INHERITED,     /* there is one from the start */
	ASIDE_ZEROCOPY,      /* SO_ZEROCOPY: pages are the network's until it says so */
	ASIDE_FAULTS,        /* userfaultfd: the program waits for page faults */
	ASIDE_SEALED,        /* mseal(): munmap() is to be refused */
	ASIDE_PINNED,        /* io_uring, Linux AIO, AF_XDP, RDMA, devices: pages are worked on after munmap() */
	ASIDE_EXECUTABLE,    /* personality(): memory that may be read may be run, or no longer */
	ASIDE_GROWING,       /* MAP_GROWSDOWN at an address: what grows below it is nobody else's */
	ASIDE_LOCKED,        /* mlock() */
	ASIDE_GUARDED,       /* MADV_GUARD_INSTALL: pages fault within a mapping that may be written to */
	ASIDE_KEYED,         /* pkey_mprotect(), likewise */
	ASIDE_SPLICED,       /* vmsplice(): pages sit in a pipe */
	ASIDE_NO_HUGE_PAGES, /* MADV_NOHUGEPAGE */
	ASIDE_REASONS
};

void stand_aside(enum stand_aside_reason reason);

#endif
