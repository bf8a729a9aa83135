// SPDX-License-Identifier: GPL-2.0
/*
 * Memory pressure: frames of regions made with UPADEV_CREATE_RECLAIM go back to the kernel, block by
 * block, when no shadow entry names a frame of the block. Their numbers stay valid: what stands
 * for them in the entries table is 0, which installs nothing, so that a touch faults, and the
 * fault takes a fresh zeroed block.
 *
 * What the process says (the shadow table) decides only what it may lose itself. What decides
 * about safety is the module's own: `gone` and `entries`, both under refill_lock, and that a
 * block is freed only after its entries were 0, then all tables empty, then the TLBs flushed.
 *
 * A block that the process begins to use meanwhile is kept: whoever stored one of its numbers
 * and touched the page before the tables were emptied is seen when the shadow is looked at again;
 * whoever touches it later faults and waits for refill_lock.
 *
 * It happens under memory pressure, and at once by UPADEV_RECLAIM. Reclaim may run inside any allocation, by a thread that holds locks of the same region.
 * Hence it only tries locks, except flush_lock and moves, under which nothing is allocated.
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mmap_lock.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/shrinker.h>

#include "region.h"

#define BLOCKS_AT_ONCE 32U
#define LOOK_PAGES 65536 /* shadow entries read between two offers to yield */

static LIST_HEAD(regions);
static DEFINE_MUTEX(regions_lock);

/* A region ready for use; until upa_reclaim_forget() it may be looked at any time. */
void upa_reclaim_watch(struct upa_region *r)
{
	mutex_lock(&regions_lock);
	list_add_tail(&r->reclaim_link, &regions);
	r->watched = true;
	mutex_unlock(&regions_lock);
}

void upa_reclaim_forget(struct upa_region *r)
{
	if (!r->watched)
		return;
	mutex_lock(&regions_lock);
	list_del(&r->reclaim_link);
	mutex_unlock(&regions_lock);
}

/* Notes which blocks the shadow table names. */
static void look(struct upa_region *r, u64 frames)
{
	u64 page;

	for (page = 0; page < r->pages; page++) {
		u32 entry = READ_ONCE(r->shadow[page]);

		if (entry && entry <= frames)
			__set_bit((entry - 1) / UPADEV_BLOCK_PAGES, r->named);
		if (page % LOOK_PAGES == 0)
			cond_resched();
	}
}

/*
 * Which blocks the shadow table names at this moment. One look may miss a number that is moved
 * past it meanwhile, but that happens once only: to be moved again takes a call, and that waits
 * for the second look to end.
 */
static void look_twice(struct upa_region *r, u64 frames)
{
	bitmap_zero(r->named, r->max_frames / UPADEV_BLOCK_PAGES);
	look(r, frames);
	smp_mb();
	look(r, frames);
}

/* Needs mmap_lock for reading and refill_lock. Returns pages freed. */
static unsigned long take_back(struct upa_region *r, unsigned long pages)
{
	struct {
		unsigned long block;
		struct page *first;
	} taken[BLOCKS_AT_ONCE];
	u64 frames = READ_ONCE(r->frames);
	unsigned long blocks = frames / UPADEV_BLOCK_PAGES, block, freed = 0;
	unsigned int limit = min_t(unsigned long, DIV_ROUND_UP(pages, UPADEV_BLOCK_PAGES),
				   BLOCKS_AT_ONCE);
	unsigned int n = 0, i;
	struct vm_area_struct *vma;

	bitmap_zero(r->named, r->max_frames / UPADEV_BLOCK_PAGES);
	look(r, frames);
	for (block = 0; block < blocks && n < limit; block++) {
		/* A block of single pages is not worth its 512 calls. */
		if (test_bit(block, r->named) || test_bit(block, r->gone) ||
		    !test_bit(block, r->whole_blocks))
			continue;
		taken[n].block = block;
		taken[n++].first = upa_pool_hide(r, block);
	}
	if (!n)
		return 0;
	smp_mb(); /* hidden, then the tables looked at: see upa_table_lock() */
	vma = upa_data_vma(r);
	if (vma)
		zap_vma_ptes(vma, r->data_start, upa_data_bytes(r));
	upa_flush_everywhere();
	down_write(&r->moves);
	look_twice(r, frames);
	up_write(&r->moves);
	for (i = 0; i < n; i++) {
		if (test_bit(taken[i].block, r->named)) {
			upa_pool_show(r, taken[i].block, taken[i].first);
		} else {
			set_bit(taken[i].block, r->gone);
			upa_pool_discard(taken[i].first);
			freed += UPADEV_BLOCK_PAGES;
		}
	}
	atomic64_add(freed, &r->count.reclaimed_pages);
	return freed;
}

static unsigned long reclaim(struct upa_region *r, unsigned long pages)
{
	unsigned long freed = 0;

	if (!mmget_not_zero(r->mm))
		return 0;
	if (mmap_read_trylock(r->mm)) {
		if (mutex_trylock(&r->refill_lock)) {
			freed = take_back(r, pages);
			if (!freed) /* no second look soon: it reads the whole shadow */
				r->barren_until = jiffies + HZ;
			mutex_unlock(&r->refill_lock);
		}
		mmap_read_unlock(r->mm);
	}
	mmput_async(r->mm);
	return freed;
}

static u64 gone_pages(const struct upa_region *r)
{
	return bitmap_weight(r->gone, r->max_frames / UPADEV_BLOCK_PAGES) * UPADEV_BLOCK_PAGES;
}

/* Takes back at the process's own request. */
int upa_reclaim_now(struct upa_region *r, struct upadev_reclaim *request)
{
	int ret = 0;

	request->reclaimed = 0;
	while (request->reclaimed < request->pages) {
		unsigned long freed;

		if (fatal_signal_pending(current) || mmap_read_lock_killable(r->mm)) {
			ret = -EINTR;
			break;
		}
		mutex_lock(&r->refill_lock);
		freed = take_back(r, min_t(u64, request->pages - request->reclaimed, LONG_MAX));
		mutex_unlock(&r->refill_lock);
		mmap_read_unlock(r->mm);
		if (!freed)
			break;
		request->reclaimed += freed;
	}
	request->gone = gone_pages(r);
	return ret;
}

static bool barren(const struct upa_region *r)
{
	unsigned long until = READ_ONCE(r->barren_until);

	return until && time_before(jiffies, until);
}

static unsigned long count_pages(struct shrinker *shrinker, struct shrink_control *control)
{
	struct upa_region *r;
	unsigned long pages = 0;

	if (!mutex_trylock(&regions_lock))
		return 0;
	list_for_each_entry(r, &regions, reclaim_link)
		if (!barren(r))
			pages += READ_ONCE(r->frames) -
				 min_t(u64, READ_ONCE(r->frames), gone_pages(r));
	mutex_unlock(&regions_lock);
	return pages ?: SHRINK_EMPTY;
}

static unsigned long scan_pages(struct shrinker *shrinker, struct shrink_control *control)
{
	struct upa_region *r;
	unsigned long freed = 0;

	if (!mutex_trylock(&regions_lock))
		return SHRINK_STOP;
	list_for_each_entry(r, &regions, reclaim_link) {
		if (freed >= control->nr_to_scan)
			break;
		if (!barren(r))
			freed += reclaim(r, control->nr_to_scan - freed);
	}
	mutex_unlock(&regions_lock);
	return freed ?: SHRINK_STOP;
}

/*
 * A touch found its block gone. Needs mmap_lock. Returns once the frame may be installed again,
 * or an error.
 */
int upa_reclaim_refill(struct upa_region *r, u64 frame)
{
	u64 block = frame / UPADEV_BLOCK_PAGES;
	int ret = 0;

	mutex_lock(&r->refill_lock);
	/* Not if the pool was lowered meanwhile. */
	if (frame < READ_ONCE(r->frames) && test_bit(block, r->gone)) {
		ret = upa_pool_refill(r, block);
		if (!ret)
			clear_bit(block, r->gone);
	}
	mutex_unlock(&r->refill_lock);
	return ret;
}

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
static struct shrinker *shrinker;

int upa_reclaim_init(void)
{
	shrinker = shrinker_alloc(0, "upa");
	if (!shrinker)
		return -ENOMEM;
	shrinker->count_objects = count_pages;
	shrinker->scan_objects = scan_pages;
	shrinker->batch = BLOCKS_AT_ONCE * UPADEV_BLOCK_PAGES;
	shrinker_register(shrinker);
	return 0;
}

void upa_reclaim_exit(void)
{
	shrinker_free(shrinker);
}
#else
static struct shrinker shrinker = {
	.count_objects = count_pages,
	.scan_objects = scan_pages,
	.seeks = DEFAULT_SEEKS,
	.batch = BLOCKS_AT_ONCE * UPADEV_BLOCK_PAGES,
};

int upa_reclaim_init(void)
{
	return register_shrinker(&shrinker, "upa");
}

void upa_reclaim_exit(void)
{
	unregister_shrinker(&shrinker);
}
#endif
