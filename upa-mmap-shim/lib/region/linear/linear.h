/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear.h - the region on a stock kernel: page i is always at base + i * 4096, and the kernel puts memory behind a
 * page when it is first touched. What the files of linear/ and fenced/ use of each other; see backend.h for what the
 * functions of the table do.
 */
#ifndef UPA_REGION_LINEAR_H
#define UPA_REGION_LINEAR_H

#include "region/backend.h"

/* linear.c */
int upa_linear_open(struct upa_region *r, const struct region_header *h, const struct upa_region_options *options,
		    int fd);
void upa_linear_close(struct upa_region *r);
int upa_linear_put(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags);
int upa_linear_claim(struct upa_region *r, uint64_t first, uint64_t pages);
int upa_linear_renew(struct upa_region *r, uint64_t first, uint64_t pages);
int upa_linear_populate(struct upa_region *r, uint64_t first);
int upa_linear_make_ordinary(struct upa_region *r);
uint64_t upa_linear_retained(const struct upa_region *r, uint64_t recorded);
uint64_t upa_linear_uncounted(const struct upa_region *r);
int64_t upa_linear_recover(struct upa_region *r);
int upa_linear_validate(const struct upa_region *r, char *message, size_t message_bytes);

/*
 * Populates and clears pages just taken, as UPA_MAP_* flags say; they hold what the allocator says, UPA_HOLDS_*. On
 * failure they are still held.
 */
int upa_linear_fill(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags, uint32_t holds);

/* Makes pages whose mapping has been changed absent pages of a private region again, with this protection. */
int upa_linear_restore(const struct upa_region *r, uint64_t first, uint64_t pages, int protection);

/*
 * The same for pages that are to be freed. Where a process has as many mappings as the kernel allows, none is made, not
 * even in the place of others: then they are unmapped, as the program has asked for, which may make room for one. If it
 * does not, their addresses are lost: they stay held.
 */
int upa_linear_restore_freed(const struct upa_region *r, uint64_t first, uint64_t pages, int protection, bool *lost);

/* extent.c: chooses the base of a region that grows and maps its first addresses; maps more, with this protection. */
int upa_linear_place(struct upa_region *r);
int upa_linear_extend(struct upa_region *r, uint64_t bytes);
int upa_linear_extend_as(struct upa_region *r, uint64_t bytes, int protection);

/* Names and advises addresses of the region that have been mapped. 0 or -errno. */
int upa_linear_mark(const struct upa_region *r, void *address, uint64_t bytes);

/* clear.c */
void upa_linear_clear(struct upa_region *r, uint64_t first, uint64_t pages);

/* The same by the region's back end, unless what the pages hold, UPA_HOLDS_*, says that all are to be cleared. */
void upa_linear_clear_as(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t holds);

/* Writes to those of the held pages whose memory may vanish, so that it stays. */
void upa_linear_settle(struct upa_region *r, uint64_t first, uint64_t pages);
bool upa_linear_clear_child(struct upa_region *r, uint64_t first);

/*
 * move.c: moves what the kernel has as one mapping to held pages that have no memory. MOVED: the source has none then;
 * MOVED_NOTHING: all is as it was; MOVED_AWAY: nothing is mapped at the source, which must stay held for good.
 */
enum moved { MOVED, MOVED_NOTHING, MOVED_AWAY };

enum moved upa_linear_move(struct upa_region *r, uint64_t to, uint64_t from, uint64_t pages);

int64_t upa_linear_relocate(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages,
			    uint32_t flags);

/* The same by copying the bytes. */
int64_t upa_linear_copy_elsewhere(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages,
				  uint32_t flags);

/*
 * scavenge.c: gives memory of free children to those children of a held run that have none. True if one has got some.
 */
bool upa_linear_scavenge(struct upa_region *r, uint64_t first, uint64_t pages);

/* give_back.c: the table's function, by this advice of madvise(2). */
int64_t upa_linear_give_back_by(struct upa_region *r, uint64_t retain, int advice);
int64_t upa_linear_give_back(struct upa_region *r, uint64_t retain);

/* Populated free runs of one child are dropped by this advice. Pages dropped, or -errno if none. */
int64_t upa_linear_give_back_parts(struct upa_region *r, uint64_t first, uint64_t pages, int advice);

/* Takes free pages to do something about their memory, and says how many count as retained; false if it cannot. */
bool upa_linear_take_populated(struct upa_region *r, uint64_t first, uint64_t pages, uint64_t *populated);

/* States of children that may have memory. */
#define UPA_POPULATED (1u << UPA_ZEROED | 1u << UPA_STALE | 1u << UPA_MIXED)

/* lazy.c: the table's functions. */
int64_t upa_linear_make_lazy(struct upa_region *r, uint64_t unmarked, bool strictly);
int64_t upa_linear_find_taken(struct upa_region *r);

#endif
