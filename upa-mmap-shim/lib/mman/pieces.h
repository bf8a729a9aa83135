/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pieces.h - memory is moved by page tables, with whatever state of the kernel's it carries: one mapping, or several
 * that are one to the program.
 */
#ifndef UPA_MMAN_PIECES_H
#define UPA_MMAN_PIECES_H

#include <stdbool.h>
#include <stddef.h>

#include "region/region_private.h"

/*
 * Moves memory that is one mapping, and leaves an empty one behind. The kernel then unlocks all of the mapping that it
 * was part of; so first it is made one of its own, unless that is just what the program has asked for. `r`: the region
 * that it lies in, or NULL. Address or -errno.
 */
long upa_move_mapping(struct upa_region *r, char *from, size_t length, bool asked, int flags, char *to);

/*
 * Moves memory that the kernel has in several mappings to `to`, which is reserved, one by one; empty ones stay behind.
 * The last one grows until all have new_size bytes. 0, or -errno with all as it was but for the target.
 */
long upa_move_pieces(struct upa_region *r, char *from, size_t length, size_t new_size, bool asked, char *to);

#endif
