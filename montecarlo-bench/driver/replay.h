/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.h - a program's trace (upa/trace.h) as operations on numbered blocks, which any contestant can do.
 *
 * A block is what one request got: private anonymous memory to read and write, at an address of the kernel's choice; or
 * what the heap grew by in one brk(). It is allocated and released where the program did so among all its requests,
 * whatever thread that was, and lives until its last page is gone: parts unmapped before stay. mremap() of a whole
 * block resizes it, and so does a heap that shrinks by a part of what it last grew by. Left out are all other mappings,
 * protections and purges.
 */
#ifndef UPA_DRIVER_REPLAY_H
#define UPA_DRIVER_REPLAY_H

#include <stdint.h>

enum operation_kind { ALLOCATE, RESIZE, RELEASE };

struct operation {
	uint32_t block; /* 0 .. blocks-1, each allocated once */
	uint32_t kind;
	uint64_t bytes; /* whole pages; the new size, or of RELEASE the last one */
};

struct replay {
	struct operation *operations;
	uint64_t count, capacity, blocks;
	uint64_t resizes, releases, peak_bytes;
	uint64_t heap_moves;     /* brk() */
	uint64_t parts;          /* unmapped before the rest of their block */
	uint64_t purges, others; /* left out */
};

/* All memory comes from the kernel directly. -1 after a message on stderr. */
int replay_read(struct replay *, const char *path);

#endif
