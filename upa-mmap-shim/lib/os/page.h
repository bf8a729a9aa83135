/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - the units of memory: pages of 4 KiB, and blocks of 2 MiB, which are what one page-table page maps. */
#ifndef UPA_OS_PAGE_H
#define UPA_OS_PAGE_H

#include <stdint.h>

#define PAGE_BYTES 4096ull
#define BLOCK_PAGES 512ull
#define BLOCK_BYTES (BLOCK_PAGES * PAGE_BYTES)

/* No process has more, unless it asks for them by a hint. */
#define MOST_ADDRESSES (1ull << 47)

/* The next multiple of a unit from n on; the unit is any number above 0. */
static inline uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

static inline uint64_t pages_of(uint64_t bytes)
{
	return bytes / PAGE_BYTES + (bytes % PAGE_BYTES != 0);
}

#endif
