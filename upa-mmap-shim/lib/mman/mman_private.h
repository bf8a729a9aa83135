/* SPDX-License-Identifier: Apache-2.0 */
/* What the preloaded library needs of mman/ beyond upa/mman.h. */
#ifndef UPA_MMAN_PRIVATE_H
#define UPA_MMAN_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <upa/region.h>

/*
 * Makes the default region so; requests of more than `most` bytes are the kernel's.
 * 0 or -errno; on failure the kernel serves for good.
 */
int upa_mman_start(const struct upa_region_options *options, size_t most);

/* Is this memory as a region has it, if there is room, wherever it is to be? */
bool upa_mman_serves(int protection, int flags, off_t offset);

/*
 * What mmap() without an address gives if the region serves it, at a multiple of `alignment` where that is possible;
 * else NULL.
 */
void *upa_mman_map(size_t length, size_t alignment, int protection, int flags, off_t offset);

/* From now on the kernel serves every request; what lies in the region stays there until it is unmapped. */
void upa_mman_stop(void);

/*
 * mremap() of memory that was the region's, which the kernel refuses with EFAULT because it has several mappings there:
 * granted if to the program they are one. Address or -errno.
 */
long upa_mman_remap_pieces(void *old_address, size_t old_size, size_t new_size, int flags, void *to);

/* A call to the kernel on a range, with one more argument: 0 or -errno. */
typedef int upa_call_on_range(char *address, size_t length, long argument);

/*
 * Makes a call that ends at the first page that is not mapped, or one that goes on behind it; either way that is
 * ENOMEM. `sticks` if it leaves something on the pages. 0, or -1 with errno.
 */
int upa_mman_apply(void *address, size_t length, bool sticks, upa_call_on_range *call, long argument);
int upa_mman_apply_past_holes(void *address, size_t length, bool sticks, upa_call_on_range *call, long argument);

/*
 * Who is to know when pages leave the region by page tables, since they have to be in memory then. Set before the
 * region is made; NULL: nobody.
 */
struct upa_leaving {
	void (*begin)(void);
	void (*end)(void);
};

extern struct upa_leaving upa_leaving;

#endif
