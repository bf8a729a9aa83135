/* SPDX-License-Identifier: Apache-2.0 */
/*
 * maps.h - what the kernel says of the process's mappings, mostly in /proc/self/maps and smaps, read with bare system
 * calls and into no more than a page of memory, so that a signal handler may ask. Slow: for the rare case in which only
 * the kernel knows.
 */
#ifndef UPA_MAPS_H
#define UPA_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many mappings the process has; 0 if there is no telling. */
size_t maps_count(void);

/* Of a range of pages, how many bytes from its start on are one mapping to the kernel. By no file. */
size_t maps_one(const void *address, size_t bytes);

/* Of a segment of System V shared memory that was attached at `start`, a piece that is there still. */
struct maps_piece {
	const void *start;
	char *address;
	size_t bytes;
	uint64_t inode; /* the segment's; 0: any */
};

/* Finds the first one, and notes whose it is. False: there is none, or there is no telling. */
bool maps_attached(struct maps_piece *piece);

/* What is said of a range. Where there is no telling, as without a free descriptor: alike, not locked. */
struct maps_said {
	/*
	 * Mapped from end to end, private and anonymous, and treated alike: protection and its key, advice, locks,
	 * policy of nodes. A program has such a range as one mapping, even where the kernel cannot join the parts.
	 * Advice on huge pages is left out of it, which is about speed only.
	 */
	bool alike;
	bool locked_on_fault; /* any of it by mlock2(MLOCK_ONFAULT) */
};

struct maps_said maps_ask(const void *address, size_t bytes);

#endif
