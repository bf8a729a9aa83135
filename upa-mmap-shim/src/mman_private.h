/* SPDX-License-Identifier: Apache-2.0 */
/* What the preloaded library needs of mman.c beyond upa/mman.h. */
#ifndef UPA_MMAN_PRIVATE_H
#define UPA_MMAN_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Makes the default region with exactly this size; requests of more than `most` bytes are the kernel's.
 * 0 or -errno; on failure the kernel serves for good.
 */
int upa_mman_start(uint64_t region_bytes, size_t most);

/* From now on the kernel serves every request; what lies in the region stays there until it is unmapped. */
void upa_mman_stop(void);

/* Stops, and gives every free address of the region back to the kernel, for a process about to be limited or locked as a whole. */
void upa_mman_retire(void);

#endif
