// SPDX-License-Identifier: GPL-2.0
/*
 * Memory pressure, and UPADEV_RECLAIM. Regions whose process has declared its allocators are the
 * work of unused.c. Frames of regions made with UPADEV_CREATE_RECLAIM go back to the kernel here,
 * block by block, when no shadow entry names a frame of the block. Their numbers stay valid: what
 * stands for them in the entries table is 0, which installs nothing, so that a touch faults, and
 * the fault takes a fresh zeroed block.
 *
 * What the process says (the shadow table) decides only what it may lose itself. What decides about
 * safety is the module's own: `gone` and `entries`, both under refill_lock, and that a block is
 * freed only after its entries were 0, then all tables empty, then the TLBs flushed.
 *
 * A block that the process begins to use meanwhile is kept: whoever stored one of its numbers and
 * touched the page before the tables were emptied is seen when the shadow is looked at again;
 * whoever touches it later faults and waits for refill_lock.
 *
 * It happens under memory pressure (pressure.c), and at once by UPADEV_RECLAIM. Reclaim may run in
 * any allocation, by a thread that holds locks of the same region. Hence it only tries locks, for a
 * bounded time, and holds none that is not the region's own: what one process does to its region
 * delays nobody else. An owner that is busy must not keep what is free, either: see
 * upa_hold_moves().
 */
#include <linux/bitmap.h>
#include <linux/jiffies.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>
#include <linux/wait_bit.h>

#include "region.h"

#define UPA_BLOCKS_AT_ONCE 32U
#define UPA_PATIENCE 20      /* jiffies that the shrinker waits for calls under way */
#define UPA_LOOK_PAGES 65536 /* shadow entries read between two offers to yield */

/* Notes which blocks the shadow table names. */
static void upa_look(struct upa_region *r, u64 frames)
{
	u64 page;

	lockdep_assert_held(&r->refill_lock);
	for (page = 0; page < r->pages; page++) {
		u32 entry = READ_ONCE(r->shadow[page]);

		if (entry && entry <= frames)
			__set_bit((entry - 1) / UPADEV_BLOCK_PAGES, r->named);
		if (page % UPA_LOOK_PAGES == 0)
			cond_resched();
	}
}

/*
 * Which blocks the shadow table names at this moment. One look may miss a number that is moved
 * past it meanwhile, but that happens once only: to be moved again takes a call, and that waits
 * for the second look to end.
 */
static void upa_look_twice(struct upa_region *r, u64 frames)
{
	lockdep_assert_held_write(&r->moves);
	bitmap_zero(r->named, r->max_frames / UPADEV_BLOCK_PAGES);
	upa_look(r, frames);
	smp_mb();
	upa_look(r, frames);
}

/*
 * Keeps calls that end a move from beginning, and waits until none is under way: until it comes by
 * itself (@wait) or a fatal signal does, else for a short time only. Those that would begin wait
 * meanwhile, without locks, so that however many threads make them, the ones under way end.
 */
static bool upa_hold_moves(struct upa_region *r, bool wait)
{
	unsigned int tries = 0;
	bool held;

	lockdep_assert_held(&r->refill_lock);
	if (wait)
		return !down_write_killable(&r->moves);
	WRITE_ONCE(r->looking, true);
	while (!(held = down_write_trylock(&r->moves)) && tries++ < UPA_PATIENCE)
		schedule_timeout_uninterruptible(1);
	return held;
}

static void upa_let_moves(struct upa_region *r, bool held)
{
	lockdep_assert_held(&r->refill_lock);
	if (held)
		up_write(&r->moves);
	if (r->looking) {
		WRITE_ONCE(r->looking, false);
		smp_mb(); /* the flag, then those who wait */
		wake_up_var(&r->looking);
	}
}

/* With moves held: gives up to @pages back to the kernel. Returns how many. */
static unsigned long upa_reclaim(struct upa_region *r, unsigned long pages)
{
	struct {
		unsigned long block;
		struct page *first;
	} taken[UPA_BLOCKS_AT_ONCE];
	u64 frames = READ_ONCE(r->frames);
	unsigned long blocks = frames / UPADEV_BLOCK_PAGES, block, freed = 0;
	unsigned int limit =
		min_t(unsigned long, DIV_ROUND_UP(pages, UPADEV_BLOCK_PAGES), UPA_BLOCKS_AT_ONCE);
	unsigned int n = 0, i;

	lockdep_assert_held(&r->refill_lock);
	lockdep_assert_held_write(&r->moves);
	bitmap_zero(r->named, r->max_frames / UPADEV_BLOCK_PAGES);
	upa_look(r, frames);
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
	/* Hidden, so none is installed any more; then no table has one, then no TLB. */
	upa_zap_data(r, false);
	upa_flush_everywhere();
	upa_look_twice(r, frames);
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

/* Else the kernel counts as progress what it frees itself, and calls the OOM killer beside us. */
static void upa_report_progress(unsigned long pages)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	mm_account_reclaimed_pages(pages);
#else
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
#endif
}

/*
 * Another task may be taking memory of this region just now. What it frees serves us, but to find
 * nothing would look like the end of all memory: so it is waited for. Not for long, whatever
 * number of regions is kept busy: @patience is in jiffies, and of the whole scan.
 */
static bool upa_try_refill_lock(struct upa_region *r, unsigned int *patience)
{
	bool held;

	while (!(held = mutex_trylock(&r->refill_lock)) && *patience) {
		--*patience;
		schedule_timeout_uninterruptible(1);
	}
	return held;
}

/* Under memory pressure: up to about @pages, within @patience jiffies of waiting for locks. */
unsigned long upa_reclaim_for_others(struct upa_region *r, unsigned long pages,
				     unsigned int *patience)
{
	unsigned long freed = 0;
	bool held;

	if (!upa_try_refill_lock(r, patience))
		return 0;
	if (READ_ONCE(r->unused)) {
		long taken = upa_unused_for_others(r, pages);

		held = taken >= 0;
		freed = held ? taken : 0;
	} else {
		held = upa_hold_moves(r, false);
		if (held)
			freed = upa_reclaim(r, pages);
		upa_let_moves(r, held);
	}
	if (held && !freed) /* no second look soon: it reads the whole shadow, or state */
		r->barren_until = jiffies + HZ;
	mutex_unlock(&r->refill_lock);
	upa_report_progress(freed);
	return freed;
}

/* Pages of the pool without memory. */
u64 upa_gone_pages(const struct upa_region *r)
{
	const struct upa_unused *u = READ_ONCE(r->unused);

	if (u)
		return atomic64_read(&u->gone);
	return !r->gone ? 0 :
			  bitmap_weight(r->gone, r->max_frames / UPADEV_BLOCK_PAGES) *
				  UPADEV_BLOCK_PAGES;
}

static int upa_blocks_now(struct upa_region *r, struct upadev_reclaim *request)
{
	unsigned long freed;
	int ret = 0;

	request->reclaimed = 0;
	while (request->reclaimed < request->pages) {
		ret = -EINTR;
		if (fatal_signal_pending(current) || mutex_lock_killable(&r->refill_lock))
			break;
		if (!upa_hold_moves(r, true)) {
			mutex_unlock(&r->refill_lock);
			break;
		}
		freed = upa_reclaim(r, min_t(u64, request->pages - request->reclaimed, LONG_MAX));
		upa_let_moves(r, true);
		mutex_unlock(&r->refill_lock);
		ret = 0;
		if (!freed)
			break;
		request->reclaimed += freed;
		cond_resched();
	}
	return ret;
}

/* Takes back because a process asks for it. */
int upa_reclaim_now(struct upa_region *r, struct upadev_reclaim *request)
{
	int ret = READ_ONCE(r->unused) ? upa_unused_now(r, request) : upa_blocks_now(r, request);

	request->gone = upa_gone_pages(r);
	return ret;
}

/* Looking into it soon again is in vain. */
bool upa_barren(const struct upa_region *r)
{
	unsigned long until = READ_ONCE(r->barren_until);

	return until && time_before(jiffies, until);
}

/*
 * A touch found its block gone. 0 once the frame may be installed again, else the touch is in
 * vain; -EINTR: of a thread that is about to die. Memory is asked for without refill_lock: what is
 * asked for here may be what the shrinker finds in this same region.
 */
static int upa_refill_block(struct upa_region *r, u64 frame)
{
	u64 block = frame / UPADEV_BLOCK_PAGES;
	struct upa_block_memory memory;
	int ret;

	lockdep_assert_held(&r->mm->mmap_lock);
	/* Hidden for a moment by whoever holds refill_lock, or gone. */
	if (test_bit(block, r->gone)) {
		ret = upa_pool_alloc(&memory);
		if (ret)
			return ret;
	} else {
		memory = (struct upa_block_memory){};
	}
	ret = mutex_lock_killable(&r->refill_lock);
	if (!ret) {
		/* Not if the pool was lowered meanwhile, or another touch was quicker. */
		if (upa_block_there(&memory) && frame < READ_ONCE(r->frames) &&
		    test_bit(block, r->gone)) {
			upa_pool_put(r, block, &memory);
			clear_bit(block, r->gone);
		}
		mutex_unlock(&r->refill_lock);
	}
	upa_pool_unalloc(&memory);
	return ret;
}

/*
 * A touch found nothing to install, of a block if @block. 0: it may try again; else an error, as of
 * those two.
 */
int upa_refill(struct upa_region *r, u64 frame, bool block)
{
	if (READ_ONCE(r->unused))
		return upa_unused_refill(r, frame, block);
	return r->gone ? upa_refill_block(r, frame) : -EFAULT;
}
