/* SPDX-License-Identifier: Apache-2.0 */
/* clear.h - zeros to whole pages. Safe in signal handlers and before constructors. */
#ifndef UPA_OS_CLEAR_H
#define UPA_OS_CLEAR_H

#include <stddef.h>

/* Below so many pages clearing is cheaper than asking the kernel which of them have memory. */
#define ASK_PAGES 32u

/* Clears populated memory, past the cache where that is faster. */
void upa_clear(void *address, size_t bytes);

/* What upa_clear_resident() has found. */
struct cleared {
	size_t bytes;   /* that had memory, and were cleared */
	void *resident; /* from here to the end of the range every page has memory */
};

/*
 * Makes private anonymous memory read zero without putting memory behind pages that have none: those that the kernel
 * calls resident are cleared; the others are dropped, for they may be swapped out.
 */
struct cleared upa_clear_resident(void *address, size_t bytes);

/* How many bytes from the start on have no memory; 0 if the kernel will not say. */
size_t upa_absent(void *address, size_t bytes);

/* Writes a zero to the start of those pages that the kernel calls resident, whose contents are of no interest. */
void upa_touch_resident(void *address, size_t bytes);

#endif
