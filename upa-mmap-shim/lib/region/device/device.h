/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_pte.h - the region on /dev/upa (kernel-ext): what region.c asks of it. All functions that take a region need one of
 * kind REGION_PTE.
 */
#ifndef UPA_REGION_PTE_H
#define UPA_REGION_PTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "region/region_private.h"

/*
 * Opens the device and maps data of r->bytes and zeroed metadata of r->metadata_bytes, which it sets in r, then makes the
 * allocator of page frames. Errors of open(2) and of the module's calls; -ENOTSUP: another version, or no such mode.
 */
int upa_pte_open(struct upa_region *r, const struct upa_region_options *options);
void upa_pte_close(struct upa_region *r);

/* Registers handlers of fork(), once per process. */
int upa_pte_watch_forks(void);

/*
 * Puts a page frame behind every page of a run that has just been taken, and zeros if asked. On failure (-ENOMEM) the run has
 * been freed, with nothing lost.
 */
int upa_pte_supply(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags);

/* Frees pages; what exceeds the bound on deferred unmapping loses its frames at once. */
int upa_pte_unmap(struct upa_region *r, uint64_t first, uint64_t pages);

/* Moves a block by moving frames. New address or NULL with errno. */
void *upa_pte_relocate(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages, uint32_t flags);

/* Frees frames of unmapped pages and gives them back, from the pool's end or, if so made, from anywhere. Frames given back, or -errno. */
int64_t upa_pte_give_back(struct upa_region *r, uint64_t retain);

/* Puts zeroed frames behind a free child without any, whose caller holds it, and frees it. 0 or -ENOMEM. */
int upa_pte_populate(struct upa_region *r, uint64_t first);

/* Frames free in the pool, with memory; frames in the pool. */
uint64_t upa_pte_free_frames(const struct upa_region *r);
uint64_t upa_pte_pool(const struct upa_region *r);

int64_t upa_pte_recover(struct upa_region *r);
int upa_pte_validate(const struct upa_region *r, char *message, size_t message_bytes);

/* See upa_region_make_ordinary(). */
int upa_pte_leave(struct upa_region *r);

#endif
