/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uncleared.h - which requests of libc's malloc need no zeros. malloc() promises none, and hands out what was freed
 * as it is, once its threshold for mmap() has adapted; only calloc() clears, and relies on zeros from mmap() and on a
 * heap that never was larger. libc cannot say which of them is asking, so malloc() and its kin pass through here on
 * their way to libc's.
 *
 * Where another allocator's malloc() comes next in the program, calls go there, and nothing is noted.
 */
#ifndef UPA_UNCLEARED_H
#define UPA_UNCLEARED_H

#include <stdbool.h>
#include <stddef.h>

/* The request for memory that need not be zero in which this thread is, in bytes; else 0. */
extern _Thread_local size_t uncleared_request __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* May memory that libc's malloc gets now for so many bytes hold anything? To be asked in libc's own calls only. */
static inline bool uncleared(size_t bytes)
{
	return uncleared_request && bytes >= uncleared_request;
}

#endif
