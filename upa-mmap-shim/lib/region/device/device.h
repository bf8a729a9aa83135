/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - the region on /dev/upa: addresses and page frames are allocated apart, by two allocators side by side in
 * memory that the module shares (A, the region's own, over pages; F over frames), and joined by a table of one word per
 * page.
 *
 *   back end pte      the table is the module's shadow table: the module checks words and sets hardware entries, by
 *                     posix_fadvise() or when a page is touched
 *   back end pte-raw  the table is this process's own notes; the hardware entries beside it are stored here as well
 *
 * Invariants:
 *   - A word is written only by who holds its page in A. Handing a page on through A hands on its word.
 *   - A frame of the pool is free in F, or stands in exactly one word, or is in the hands of the one call that moves
 * it. While a block moves, a frame stands in two words, both of its holder's pages.
 *   - Every allocated page has a frame, but within the call that allocates or frees it.
 *   - A free page with a frame is "still mapped here": its unmapping is deferred. A records it as stale or zeroed; so
 * A's preference for populated pages is the preference for these. A free page that A records as absent has no frame.
 *     The reverse does not hold: of two threads that free parts of a child without their frames, one may record pages
 * of the other as stale. In a mixed child only the words tell. In a child of another state all free pages are alike.
 *   - A frame leaves its word, then all TLBs (UPADEV_UNMAP or fsync()), then goes back to F. So a page without a frame
 * is mapped nowhere, and putting one there needs no shoot-down.
 *   - With `reclaim` the module takes memory of frames that are free in F, and of frames at free pages, by itself. Such
 *     a frame has no memory until it is touched, and reads zero then. Nothing relies on what a free page holds but that
 *     it is zero if A or F says so, which stays true.
 *   - Frames enter the pool zeroed, absent in F. What F has had back is stale, unless it came from a child that was
 *     cleared ahead of need.
 *
 * Memory for a request comes from: pages of A that have frames; frames free in F; frames of free pages elsewhere
 * ("scavenge", one shoot-down for up to 128 ranges); a larger pool. Only growing and shrinking the pool take a lock,
 * since the module's call sets an absolute size; a signal handler that interrupts its holder does without.
 */
#ifndef UPA_REGION_DEVICE_H
#define UPA_REGION_DEVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "region/backend.h"
#include "region/types.h"

#include "../../../../kernel-ext/include/uapi/upa.h"

struct device_paging;

struct device_region {
	struct upa_llfree frames;  /* F */
	uint32_t *words;           /* frame + 1, or 0, of each page */
	volatile uint64_t *tables; /* pte-raw: hardware entries of pages */
	const uint64_t *entries;   /* pte-raw: hardware entries of frames */
	int fd;
	pid_t owner; /* process whose mappings these are */
	size_t data_bytes, words_bytes, tables_bytes, entries_bytes, state_bytes;
	uint64_t max_frames, max_deferred;
	bool blocks;           /* words may name blocks: see frame_words.h */
	bool reclaim;          /* the module may take what is unused: UPADEV_ALLOCATORS, see settle.c */
	_Atomic uint64_t pool; /* frames in the pool: 0 .. pool - 1 */
	_Atomic int resizer;   /* thread that resizes the pool, or 0 */

	/* Counted where they change; not exact in between. */
	_Atomic int64_t free_frames __attribute__((aligned(64)));
	_Atomic int64_t deferred __attribute__((aligned(64)));

	/* reclaim only: the marks of the module, in the state; how many frames it had taken when last looked at. */
	_Atomic uint64_t *marks;
	_Atomic uint64_t settled;

	struct device_paging *paging; /* paged only: see paged.h */

	/* Between the two handlers of a fork, see leave.c. */
	char *copy_of_data, *copy_of_state;
	size_t copy_bytes;
};

static inline int64_t load(const _Atomic int64_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static inline void change(_Atomic int64_t *n, int64_t by)
{
	atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

struct upa_page_id;

/* ---- device.c: calls of the module, and the mappings ------------------------------------------ */

/* An ioctl() of the device. */
int upa_device_call(const struct device_region *d, unsigned long request, const void *argument);

/*
 * Installs what the words of a range say, where nothing is installed. What this misses is installed when it is touched.
 */
void upa_device_install(struct device_region *d, struct upa_page_id first, uint64_t pages);

/* After it no thread reaches the frames that stood in words now changed. 0 or -errno. */
int upa_device_shoot_down(struct device_region *d, const struct upadev_range *ranges, uint32_t n);

/* As of a back end, see backend.h. */
int upa_device_open(struct upa_region *r, const struct region_header *h, const struct upa_region_options *options,
		    int fd);
void upa_device_close(struct upa_region *r);

/* Unmaps everything but data and state, closes the descriptor and frees d. */
void upa_device_let_go(struct device_region *d);

/* ---- frames.c: where frames come from and go to ------------------------------------------------ */

/* Makes more frames free, `wanted` in all if it can, by a scavenge only if it may. False if it cannot make any. */
bool upa_more_frames(struct upa_region *r, uint64_t wanted, bool scavenges);

/* Frames in the pool; those of them that are free or stand at free pages, and have memory. */
uint64_t upa_pool_frames(const struct upa_region *r);
uint64_t upa_retained_frames(const struct upa_region *r, uint64_t recorded);

int64_t upa_device_give_back(struct upa_region *r, uint64_t retain);
int64_t upa_raw_give_back(struct upa_region *r, uint64_t retain);

/* ---- scavenge.c: taking frames away from pages ------------------------------------------------- */

struct scavenge {
	uint64_t want;       /* so many frames, if there are so many */
	uint64_t from;       /* child to begin with; then downwards, then from the far end */
	uint64_t least;      /* frames of lower numbers stay where they are */
	uint64_t run, pages; /* pages to be looked at before any child, if there are any */
	bool absent;         /* only frames whose memory the module has taken */
};

/* Takes frames of free pages. Returns how many are free now that were not. */
uint64_t upa_device_scavenge(struct upa_region *r, const struct scavenge *s);

/* Frees pages without their frames. -EINVAL if one of them is free. */
int upa_device_unmap_now(struct upa_region *r, uint64_t first, uint64_t pages);

/* Moves frames that stand at free pages of one child, and whose memory the module has taken, to F, as absent. */
void upa_device_settle_child(struct upa_region *r, uint64_t child);

/* ---- settle.c: what the module has taken ------------------------------------------------------- */

/* Bytes of the marks that the module makes for so many pages and frames. */
size_t upa_marks_bytes(uint64_t pages, uint64_t frames);

/* Where in the state an allocator keeps its words. */
struct upadev_allocator upa_device_describe(const struct upa_region *r, const struct upa_llfree *a);

/* Tells the module where the allocators are: from then on it may take what is unused. */
int upa_device_declare(struct upa_region *r);

/*
 * How many frames may have memory: UPADEV_BOUND of a manager, else UPADEV_NO_BOUND. What is unused makes room by
 * itself, so what counts is the frames of allocated pages: are there more of these than may be?
 */
uint64_t upa_device_bound(const struct device_region *d);
bool upa_beyond_bound(const struct upa_region *r);

/* Has the module taken the memory of this frame? Sure of a frame that stands in no word. */
bool upa_frame_absent(const struct upa_region *r, uint64_t frame);

void upa_device_settle_marks(struct upa_region *r, uint64_t taken);

/* Records what the module has taken since, so that what still has memory is preferred. */
static inline void upa_device_settle(struct upa_region *r)
{
	struct device_region *d = r->device;
	uint64_t taken = d->marks ? atomic_load_explicit(d->marks, memory_order_acquire) : 0;

	if (__builtin_expect(taken != atomic_load_explicit(&d->settled, memory_order_relaxed), 0))
		upa_device_settle_marks(r, taken);
}

/* Has the module taken anything yet? Then absent frames are no longer those that are zero and have memory. */
static inline bool upa_module_has_taken(const struct device_region *d)
{
	return d->marks && atomic_load_explicit(d->marks, memory_order_relaxed);
}

/* From the far end: what stays is where searches begin. */
static inline uint64_t far_end(const struct upa_region *r)
{
	uint64_t touched = upa_llfree_touched_children(&r->llfree);

	return touched ? touched - 1 : 0;
}

/* ---- pages.c: frames for pages ----------------------------------------------------------------- */

int upa_device_prepare(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags, uint32_t holds);
int upa_device_unmap(struct upa_region *r, uint64_t first, uint64_t pages);
int upa_device_put(struct upa_region *r, uint64_t first, uint64_t pages, uint32_t flags);
int upa_device_claim(struct upa_region *r, uint64_t first, uint64_t pages);
int upa_device_renew(struct upa_region *r, uint64_t first, uint64_t pages);
void upa_device_clear(struct upa_region *r, uint64_t first, uint64_t pages);
int upa_device_populate(struct upa_region *r, uint64_t first);
bool upa_device_clear_child(struct upa_region *r, uint64_t first);

/* Frees a run of which some pages have frames, in *pieces calls. Returns how many have. */
uint64_t upa_put_mixed(struct upa_region *r, struct upa_page_id first, struct upa_page_id end, uint64_t *pieces);

/* ---- relocate.c, leave.c ----------------------------------------------------------------------- */

int64_t upa_device_relocate(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages,
			    uint32_t flags);

/* Turns the region into one of anonymous memory, if the process has one thread. 0 or -EOPNOTSUPP. */
int upa_device_leave(struct upa_region *r);

/* Whether forks copy the region; false if there are too many. */
bool upa_device_watch(struct upa_region *r);
void upa_device_unwatch(struct upa_region *r);

#endif
