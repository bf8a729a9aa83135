/* SPDX-License-Identifier: Apache-2.0 */
/*
 * get.h - takes pages: first where the slot is at home, then by ever wider searches. Flags are UPA_GET_*; results are
 * the first page, or -ENOMEM.
 */
#ifndef UPA_LLFREE_GET_H
#define UPA_LLFREE_GET_H

#include "llfree/words.h"

/* n <= 512 aligned pages of one child, or n < 512 at a border of two, wherever there are such. */
int64_t get_small(const struct upa_llfree *a, struct slot *s, uint32_t n, uint32_t align, uint32_t flags);

/* More than 512 pages: where they fit best, or whole children, the last of which may be taken in part. */
int64_t get_large(const struct upa_llfree *a, struct slot *s, uint64_t n, uint32_t flags);

/* Exactly these pages: 0, or -EBUSY. */
int get_at(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t pages);

#endif
