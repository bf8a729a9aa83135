/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout.h - how the metadata of a region are laid out, in anonymous memory or in the file of a shared region. Java has
 * the same in RegionDescriptor.
 *
 *   0              struct region_header, 4096 bytes
 *   4096           slots x 64 bytes, struct region_counters
 *   state_offset   the allocation state, see upa/llfree.h
 *   data_offset    the pages, 2 MiB-aligned (shared regions only)
 */
#ifndef UPA_REGION_LAYOUT_H
#define UPA_REGION_LAYOUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct region_header {
	uint64_t magic; /* UPA_REGION_MAGIC, written last */
	uint32_t abi;   /* UPA_REGION_ABI */
	uint32_t slots;
	uint64_t data_bytes;
	uint64_t state_offset;
	uint64_t state_bytes;
	uint64_t data_offset; /* 0 in a private region */
	uint64_t file_bytes;  /* 0 in a private region */
};

/*
 * Of one slot. What the calls did that threads of this slot made; not exact if two threads have one slot. The allocator
 * counts every run that is taken or freed; those that no caller asked for are counted here, to be taken off.
 */
struct region_counters {
	_Atomic uint64_t cleared_pages;
	_Atomic uint64_t moved_pages;
	_Atomic uint64_t given_back_pages;
	_Atomic uint64_t internal_gets; /* runs taken to work on free pages, or for a request that then failed */
	_Atomic uint64_t
		internal_puts; /* runs freed after that, and pieces of a run freed one by one but for the first */
	_Atomic uint64_t internal_failures; /* runs looked for in vain to swap page tables */
	_Atomic uint64_t shortages;         /* requests for which there were pages but no memory */
	_Atomic uint64_t taken_pages;       /* of free pages whose memory may vanish, those found without any */
};

_Static_assert(sizeof(struct region_header) == 56, "layout");
_Static_assert(sizeof(struct region_counters) == 64, "layout");

/* Fills in a header. False if the sizes are out of range. */
bool upa_region_lay_out(struct region_header *h, uint64_t bytes, uint32_t slots, bool shared);

/* Checks the header of a file of so many bytes, of which `got` could be read. 0, -EBADMSG, -EPROTO or -ERANGE. */
int upa_region_check_header(const struct region_header *h, size_t got, uint64_t file_bytes);

/* Header, counters and state, in whole pages. */
size_t upa_region_metadata_bytes(const struct region_header *h);

static inline struct region_counters *counters_in(void *metadata)
{
	return (struct region_counters *)((char *)metadata + 4096);
}

#endif
