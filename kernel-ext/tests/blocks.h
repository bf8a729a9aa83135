/*
 * What the tests of UPADEV_CREATE_BLOCKS share. Each frame's first word holds its number + 1, so
 * that whatever a page shows can be told.
 */
#ifndef UPA_TEST_BLOCKS_H
#define UPA_TEST_BLOCKS_H

#include "harness.h"

#define BLOCK UPADEV_BLOCK_PAGES
#define MARK UPADEV_SHADOW_BLOCK

static inline struct region with_blocks(uint32_t flags, uint64_t pages, uint64_t frames)
{
	return make_region_with(UPADEV_GUARDED, UPADEV_CREATE_BLOCKS | flags, pages, frames, frames,
				16 * PAGE);
}

/* Writes the number of each frame into it, by way of the last blocks of pages; singly. */
static inline void number_frames(const struct region *r)
{
	for (uint64_t frame = 0; frame < r->created.frames; frame++)
		r->shadow[frame] = (uint32_t)frame + 1;
	for (uint64_t frame = 0; frame < r->created.frames; frame++)
		*word(r, frame) = frame + 1;
	for (uint64_t frame = 0; frame < r->created.frames; frame++)
		r->shadow[frame] = 0;
	CHECK_EQUAL(unmap_pages(r, 0, r->created.pages), 0);
}

static inline void check_shows(const struct region *r, uint64_t page, uint64_t frame)
{
	for (uint64_t i = 0; i < BLOCK; i++)
		CHECK_EQUAL(*word(r, page + i), frame + i + 1);
}

/* Can this kernel's page tables be freed by a module? Else blocks stay 4 KiB where one was. */
static inline bool tables_go(void)
{
	return access("/proc/lockdep", F_OK) != 0;
}

/* Memory may be in pieces; what the tests want to see is that the machine at hand has some. */
static inline uint64_t entries(const struct region *r)
{
	return stats(r).block_entries;
}

#endif
