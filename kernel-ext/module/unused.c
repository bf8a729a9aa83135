// SPDX-License-Identifier: GPL-2.0
/*
 * Unused memory of a region whose process has declared its allocators (UPADEV_ALLOCATORS) goes back
 * to the kernel, frame by frame and without a call by the process: frames free in its allocator of
 * frames, and frames that stand at pages free in its allocator of pages. Their numbers stay valid:
 * what stands for them in the entries table is 0, which installs nothing, so that a touch faults,
 * and the fault takes a fresh zeroed page.
 *
 * What the process says decides only what it may lose itself. What decides about safety is the
 * module's own: a frame is freed only after its entry was set to 0 (so that it is installed no
 * more), then all page tables were searched for it, then all TLBs flushed. The search is exact:
 * pages in use lose nothing, not even their accessed bits.
 *
 * A frame that comes into use meanwhile is kept, with its contents: a frame is freed only if it is
 * found unused once more after the flush. At that instant its contents were nobody's, and whoever
 * takes it into use later finds nothing installed, faults, and waits for refill_lock. That a frame
 * stands at a free page is two reads, of the shadow and of the allocator: that it stood there when
 * the page was free is known if it stands there before and after, and no call that ends a move
 * (UPADEV_UNMAP) has returned in between.
 */
#include <linux/list.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "region.h"

#define UPA_BATCH_PAGES 16384U  /* hidden at once: one search of the page tables */
#define UPA_ROWS_AT_ONCE 1024U  /* looked at between two offers to yield */
#define UPA_TABLES_AT_ONCE 128U /* the same */
#define UPA_ROOM_PAGES 64U      /* taken at least, where a bound would not be kept */
#define UPA_LOCK_PATIENCE 5     /* jiffies that the shrinker waits for mmap_lock */

/**
 * struct upa_hunt - frames on their way out of a pool
 * @region: whose they are
 * @hidden: their pages; ->private is the frame + 1, ->index the page + 1 where it stood, or 0
 * @count: how many
 * @limit: no more than about this
 */
struct upa_hunt {
	struct upa_region *region;
	struct list_head hidden;
	unsigned long count;
	unsigned long limit;
};

static void upa_hide(struct upa_hunt *hunt, u64 frame, u64 at)
{
	struct page *page = upa_frame_hide(hunt->region, frame);

	if (!page)
		return;
	set_page_private(page, frame + 1);
	page->index = at;
	list_add_tail(&page->lru, &hunt->hidden);
	hunt->count++;
}

/* Hides frames that are free. */
static void upa_hunt_frames(struct upa_hunt *hunt)
{
	struct upa_unused *u = hunt->region->unused;
	u64 rows = READ_ONCE(hunt->region->frames) / 64, n;

	for (n = 0; n < rows && hunt->count < hunt->limit; n++) {
		u64 row = u->next_frame_row < rows ? u->next_frame_row : 0;
		u64 bits = upa_free_bits(&u->frames, row);

		for (; bits; bits &= bits - 1)
			upa_hide(hunt, row * 64 + __ffs64(bits), 0);
		u->next_frame_row = row + 1;
		if (n % UPA_ROWS_AT_ONCE == UPA_ROWS_AT_ONCE - 1)
			cond_resched();
	}
}

/* Hides frames that stand at free pages. */
static void upa_hunt_pages(struct upa_hunt *hunt)
{
	struct upa_region *r = hunt->region;
	struct upa_unused *u = r->unused;
	u64 rows = DIV_ROUND_UP(u->pages.units, 64), frames = READ_ONCE(r->frames), n;

	for (n = 0; n < rows && hunt->count < hunt->limit; n++) {
		u64 row = u->next_page_row < rows ? u->next_page_row : 0;
		u64 bits = upa_free_bits(&u->pages, row);

		for (; bits; bits &= bits - 1) {
			u64 page = row * 64 + __ffs64(bits);
			u32 word = upa_number(r, page);

			if (word && word <= frames)
				upa_hide(hunt, array_index_nospec(word - 1, frames), page + 1);
		}
		u->next_page_row = row + 1;
		if (n % UPA_ROWS_AT_ONCE == UPA_ROWS_AT_ONCE - 1)
			cond_resched();
	}
}

/* Clears the entries of one locked table that map hidden frames. */
static void upa_expel(struct upa_region *r, pte_t *table, unsigned long address)
{
	unsigned int i;

	for (i = 0; i < PTRS_PER_PTE; i++) {
		u64 entry = native_pte_val(READ_ONCE(table[i]));

		if (upa_maps(entry) &&
		    page_private(pfn_to_page((entry & PTE_PFN_MASK) >> PAGE_SHIFT)))
			upa_clear_entry(r->mm, address + i * PAGE_SIZE, &table[i]);
	}
}

/* Searches all page tables for hidden frames. False if the mapping is not in the tree. */
static bool upa_expel_all(struct upa_region *r)
{
	unsigned long address, end;
	unsigned int tables = 0;

	if (!upa_data_vma(r))
		return false;
	end = r->data_start + upa_data_bytes(r);
	for (address = r->data_start; address < end; address += PMD_SIZE) {
		struct upa_table t;

		if (++tables % UPA_TABLES_AT_ONCE == 0)
			cond_resched();
		if (r->blocks && upa_blocks_expel(r, upa_pmd(r->mm, address), address))
			continue;
		if (!upa_table_lock(r->mm, address, &t))
			continue;
		upa_expel(r, t.pte, address);
		spin_unlock(t.lock);
	}
	return true;
}

/*
 * How hidden frames are taken out of the tables: without mmap_lock, by emptying all of them; or
 * with it, by a search, after which it is let go, or kept.
 */
enum upa_expulsion {
	UPA_EMPTY_ALL,
	UPA_SEARCH_AND_UNLOCK,
	UPA_SEARCH,
};

/* After this no table and no TLB holds a frame that was hidden before. */
static void upa_make_unreachable(struct upa_region *r, enum upa_expulsion how)
{
	bool done = false;

	smp_mb(); /* hidden, then the tables are looked at: see upa_table_lock() */
	if (how != UPA_EMPTY_ALL)
		done = upa_expel_all(r);
	if (how == UPA_SEARCH_AND_UNLOCK)
		mmap_read_unlock(r->mm);
	if (!done || upa_secondary_mmus(r))
		upa_zap_data(r, false);
	upa_flush_everywhere();
}

/* Is what is hidden still unused? See the top of this file. */
static bool upa_still_unused(struct upa_region *r, u64 frame, u64 at)
{
	struct upa_unused *u = r->unused;
	s64 calls;

	if (!at)
		return upa_is_free(&u->frames, frame);
	calls = atomic64_read(&r->count.unmap_calls);
	smp_rmb();
	if (upa_number(r, at - 1) != frame + 1)
		return false;
	smp_rmb();
	if (!upa_is_free(&u->pages, at - 1))
		return false;
	smp_rmb();
	if (upa_number(r, at - 1) != frame + 1)
		return false;
	smp_rmb();
	return atomic64_read(&r->count.unmap_calls) == calls;
}

/* Shows again what is used after all. */
static void upa_show_used(struct upa_hunt *hunt)
{
	struct page *page, *next;

	list_for_each_entry_safe (page, next, &hunt->hidden, lru) {
		u64 frame = page_private(page) - 1;

		if (upa_still_unused(hunt->region, frame, page->index))
			continue;
		list_del(&page->lru);
		page->index = 0;
		upa_frame_show(hunt->region, frame, page);
		hunt->count--;
	}
}

static void upa_drop(struct upa_hunt *hunt, struct page *page)
{
	upa_mark_absent(hunt->region->unused, page_private(page) - 1, page->index);
	list_del(&page->lru);
	set_page_private(page, 0);
	page->index = 0;
}

/* Frees what is hidden: by blocks of 2 MiB where a whole one is, else page by page. */
static void upa_free_hidden(struct upa_hunt *hunt)
{
	struct upa_region *r = hunt->region;
	unsigned long batch = 0;

	while (!list_empty(&hunt->hidden)) {
		struct page *page = list_first_entry(&hunt->hidden, struct page, lru);
		u64 frame = page_private(page) - 1;
		unsigned int n = 0;

		if (frame % UPADEV_BLOCK_PAGES == 0 && upa_frame_in_whole_block(r, frame))
			while (n < UPADEV_BLOCK_PAGES && page_private(page + n))
				n++;
		if (n == UPADEV_BLOCK_PAGES) {
			while (n--)
				upa_drop(hunt, page + n);
			upa_block_free(r, frame, page);
		} else {
			upa_drop(hunt, page);
			upa_frame_free(r, frame, page);
		}
		if (++batch % UPA_ROWS_AT_ONCE == 0)
			cond_resched();
	}
}

/*
 * Gives up to about @pages of unused memory back to the kernel. Returns how many.
 */
static unsigned long upa_take_unused(struct upa_region *r, unsigned long pages,
				     enum upa_expulsion how)
{
	struct upa_hunt hunt = {
		.region = r,
		.hidden = LIST_HEAD_INIT(hunt.hidden),
		.limit = min_t(unsigned long, pages, UPA_BATCH_PAGES),
	};

	lockdep_assert_held(&r->refill_lock);
	upa_hunt_frames(&hunt);
	upa_hunt_pages(&hunt);
	if (!hunt.count) {
		if (how == UPA_SEARCH_AND_UNLOCK)
			mmap_read_unlock(r->mm);
		return 0;
	}
	upa_make_unreachable(r, how);
	upa_show_used(&hunt);
	upa_free_hidden(&hunt);
	atomic64_add(hunt.count, &r->count.reclaimed_pages);
	atomic64_add(hunt.count, r->unused->taken); /* the marks, then their number */
	return hunt.count;
}

/*
 * For the shrinker, which may be called by whoever holds locks of the owner: so it waits for none
 * for long. An owner that keeps its mmap_lock busy must not keep what is free, either: then all
 * tables are emptied without the lock, unless that would lose what is tracked there. -EAGAIN if
 * nothing could be tried.
 */
long upa_unused_for_others(struct upa_region *r, unsigned long pages)
{
	bool alive = mmget_not_zero(r->mm), locked = false;
	long freed = -EAGAIN;
	int tries = 0;

	lockdep_assert_held(&r->refill_lock);
	while (alive && !(locked = mmap_read_trylock(r->mm)) && current->mm != r->mm &&
	       tries++ < UPA_LOCK_PATIENCE)
		schedule_timeout_uninterruptible(1);
	if (locked || !alive || !r->track)
		freed = upa_take_unused(r, pages, locked ? UPA_SEARCH_AND_UNLOCK : UPA_EMPTY_ALL);
	if (alive)
		mmput_async(r->mm);
	return freed;
}

/* Because a process asks for it, the owner or a manager that has the descriptor. -EINTR, or 0. */
int upa_unused_now(struct upa_region *r, struct upadev_reclaim *request)
{
	unsigned long freed = 1;

	request->reclaimed = 0;
	while (request->reclaimed < request->pages && freed) {
		bool alive;

		if (fatal_signal_pending(current))
			return -EINTR;
		alive = mmget_not_zero(r->mm);
		freed = 0;
		if (alive && mmap_read_lock_killable(r->mm)) {
			mmput(r->mm);
			return -EINTR;
		}
		if (mutex_lock_killable(&r->refill_lock)) {
			if (alive) {
				mmap_read_unlock(r->mm);
				mmput(r->mm);
			}
			return -EINTR;
		}
		freed = upa_take_unused(
			r, min_t(u64, request->pages - request->reclaimed, UPA_BATCH_PAGES),
			alive ? UPA_SEARCH_AND_UNLOCK : UPA_EMPTY_ALL);
		mutex_unlock(&r->refill_lock);
		if (alive)
			mmput(r->mm);
		request->reclaimed += freed;
		cond_resched();
	}
	return 0;
}

/* Frames that have memory, those included that are about to. */
u64 upa_held_pages(const struct upa_region *r)
{
	const struct upa_unused *u = READ_ONCE(r->unused);
	u64 frames = READ_ONCE(r->frames);

	if (!u)
		return frames - min(frames, upa_gone_pages(r));
	return frames - min_t(u64, frames, atomic64_read(&u->gone)) + READ_ONCE(u->growing);
}

static bool upa_within_bound(const struct upa_region *r, u64 more)
{
	u64 bound = READ_ONCE(r->unused->bound);

	return bound == UPADEV_NO_BOUND || upa_held_pages(r) + more <= bound;
}

/* May so many more have memory? If need be, unused ones lose theirs. */
bool upa_hold_more(struct upa_region *r, u64 pages)
{
	lockdep_assert_held(&r->mm->mmap_lock);
	lockdep_assert_held(&r->refill_lock);
	if (!upa_within_bound(r, pages))
		upa_take_unused(r, max_t(u64, pages, UPA_ROOM_PAGES), UPA_SEARCH);
	return upa_within_bound(r, pages);
}

/* -EINTR, or 0: the bound holds from now on, whatever is above it. */
int upa_set_bound(struct upa_region *r, struct upadev_bound *request)
{
	struct upadev_reclaim above = {};
	int ret;

	if (mutex_lock_killable(&r->refill_lock))
		return -EINTR;
	upa_tell_bound(r->unused, request->pages);
	mutex_unlock(&r->refill_lock);
	if (!upa_within_bound(r, 0))
		above.pages = upa_held_pages(r) - request->pages;
	ret = above.pages ? upa_unused_now(r, &above) : 0;
	request->held = upa_held_pages(r);
	return ret;
}

/*
 * A touch found its frame without memory. New memory is asked for as for any page of anonymous
 * memory, and like there, if there is none left, it is the kernel's to decide who has to go;
 * without refill_lock, since what is asked for may be what the shrinker finds in this same region.
 * 0 once the frame may be installed again; -ENOMEM; -EDQUOT: the bound is reached; -EINTR of a
 * thread that is about to die.
 */
int upa_unused_refill(struct upa_region *r, u64 frame, bool block)
{
	struct upa_block_memory memory = {};
	struct page *page = NULL;
	int ret;

	lockdep_assert_held(&r->mm->mmap_lock);
	/* A whole block that is wanted as one, and gone: both are looked at again below. */
	if (block && upa_within_bound(r, UPADEV_BLOCK_PAGES) &&
	    READ_ONCE(r->blocks->absent[frame / UPADEV_BLOCK_PAGES]) == UPADEV_BLOCK_PAGES)
		upa_pool_alloc_whole(&memory);
	/* Gone, or hidden for a moment by whoever holds refill_lock: then in vain. */
	if (!memory.whole && !READ_ONCE(r->entries[frame])) {
		page = alloc_page(GFP_HIGHUSER | __GFP_ZERO | __GFP_ACCOUNT);
		if (!page)
			return -ENOMEM;
	}
	ret = mutex_lock_killable(&r->refill_lock);
	if (!ret) {
		/* Not if the pool was lowered meanwhile, or another touch was quicker. */
		if (frame < READ_ONCE(r->frames) && !READ_ONCE(r->entries[frame])) {
			if (page && !upa_hold_more(r, 1))
				ret = -EDQUOT;
			else if (page && upa_frame_put(r, frame, page))
				page = NULL;
			if (memory.whole && upa_within_bound(r, UPADEV_BLOCK_PAGES))
				upa_block_put(r, frame / UPADEV_BLOCK_PAGES, &memory);
		}
		mutex_unlock(&r->refill_lock);
	}
	if (page)
		__free_page(page);
	upa_pool_unalloc(&memory);
	return ret;
}
