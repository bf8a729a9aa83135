// SPDX-License-Identifier: GPL-2.0
/*
 * The pool of page frames of a region: taken from the kernel zeroed and charged to the memory
 * cgroup, in blocks of 2 MiB where the kernel has such, else page by page. Frame n is
 * described by its ready-made page table entry alone.
 */
#include <linux/gfp.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "region.h"

#define UPA_BLOCK_ORDER 9
/*
 * What makes an entry one of 2 MiB. Kernels before 6.12 look up its pages without a look at the
 * mapping, for move_pages() for instance; of those of a device they take none that has no driver.
 * Later ones know special entries of 2 MiB as they know those of 4 KiB.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define UPA_BLOCK_BITS _PAGE_PSE
#else
#define UPA_BLOCK_BITS (_PAGE_PSE | _PAGE_DEVMAP)
#endif
/*
 * A pool too large for the machine or the memory cgroup is ENOMEM for the caller, never a reason
 * to kill anybody.
 */
#define UPA_POOL_GFP (GFP_HIGHUSER | __GFP_ZERO | __GFP_ACCOUNT | __GFP_NOWARN)

static u64 upa_frame_entry(const struct upa_region *r, struct page *page)
{
	pgprot_t prot = vm_get_page_prot(VM_READ | VM_WRITE | VM_SHARED);
	pte_t pte = pte_mkspecial(pfn_pte(page_to_pfn(page), prot));

	set_page_private(page, 0); /* else it is hidden, by unused.c */
	if (!r->track)
		pte = pte_mkyoung(pte_set_flags(pte, _PAGE_DIRTY));
	else
		pte = pte_clear_flags(pte, _PAGE_ACCESSED | _PAGE_DIRTY);
	if (r->mode == UPADEV_RAW_PMD)
		pte = pte_set_flags(pte, UPA_BLOCK_BITS);
	return pte_val(pte);
}

static struct page *upa_entry_page(u64 entry)
{
	return pfn_to_page(pte_pfn(__pte(entry)));
}

/*
 * A whole block that may be mapped as one is held without a reference: then the kernel's lockless
 * look-up of pages takes none of it, as it takes none of a special 4 KiB entry. Without that, the
 * first page could be pinned; the others have no reference anyway.
 */
static void upa_block_offer(struct upa_region *r, u64 block)
{
	struct page *first = upa_entry_page(READ_ONCE(r->entries[block * UPADEV_BLOCK_PAGES]));

	if (!page_count(first) || page_ref_freeze(first, 1))
		WRITE_ONCE(r->blocks->entries[block],
			   READ_ONCE(r->entries[block * UPADEV_BLOCK_PAGES]) | UPA_BLOCK_BITS);
}

/* Before it is freed or split. */
static void upa_block_withdraw(struct upa_region *r, u64 block, struct page *first)
{
	if (!r->blocks)
		return;
	WRITE_ONCE(r->blocks->entries[block], 0);
	if (!page_count(first))
		page_ref_unfreeze(first, 1);
}

static void upa_count_absent(struct upa_region *r, u64 frame)
{
	u64 block = frame / UPADEV_BLOCK_PAGES;

	if (!r->blocks)
		return;
	WRITE_ONCE(r->blocks->entries[block], 0);
	r->blocks->absent[block]++;
}

static void upa_count_present(struct upa_region *r, u64 frame)
{
	u64 block = frame / UPADEV_BLOCK_PAGES;

	if (r->blocks && !--r->blocks->absent[block] && test_bit(block, r->whole_blocks))
		upa_block_offer(r, block);
}

static void upa_free_block(struct upa_region *r, u64 block)
{
	u64 frame = block * UPADEV_BLOCK_PAGES, i;

	if (r->mode == UPADEV_RAW_PMD) {
		__free_pages(upa_entry_page(READ_ONCE(r->entries[block])), UPA_BLOCK_ORDER);
	} else if (test_bit(block, r->whole_blocks)) {
		struct page *first = upa_entry_page(READ_ONCE(r->entries[frame]));

		upa_block_withdraw(r, block, first);
		__free_pages(first, UPA_BLOCK_ORDER);
	} else {
		for (i = 0; i < UPADEV_BLOCK_PAGES; i++) {
			u64 entry = READ_ONCE(r->entries[frame + i]);

			if (entry) {
				__free_page(upa_entry_page(entry));
			} else { /* taken by unused.c */
				upa_mark_present(r->unused, frame + i);
				atomic64_dec(&r->unused->gone);
			}
		}
	}
}

/* The frame is installed no more. What is behind it, or NULL if nothing is. */
struct page *upa_frame_hide(struct upa_region *r, u64 frame)
{
	u64 entry = READ_ONCE(r->entries[frame]);

	lockdep_assert_held(&r->refill_lock);
	if (!entry)
		return NULL;
	WRITE_ONCE(r->entries[frame], 0);
	upa_count_absent(r, frame);
	return upa_entry_page(entry);
}

void upa_frame_show(struct upa_region *r, u64 frame, struct page *page)
{
	lockdep_assert_held(&r->refill_lock);
	WRITE_ONCE(r->entries[frame], upa_frame_entry(r, page));
	upa_count_present(r, frame);
}

/* Memory for a frame without any. False if it has some. */
bool upa_frame_put(struct upa_region *r, u64 frame, struct page *page)
{
	lockdep_assert_held(&r->refill_lock);
	if (READ_ONCE(r->entries[frame]))
		return false;
	/* First the mark: who finds it afterwards knows that nothing was installed before. */
	upa_mark_present(r->unused, frame);
	smp_mb__after_atomic();
	upa_frame_show(r, frame, page);
	atomic64_dec(&r->unused->gone);
	return true;
}

/* Where the contents of a frame are; NULL: it has no memory, or is not in the pool. */
void *upa_frame_memory(const struct upa_region *r, u64 frame)
{
	u64 frames = READ_ONCE(r->frames), entry;

	lockdep_assert_held(&r->refill_lock); /* else it may leave the pool meanwhile */
	if (frame >= frames)
		return NULL;
	entry = READ_ONCE(r->entries[array_index_nospec(frame, frames)]);
	return entry ? page_address(upa_entry_page(entry)) : NULL;
}

bool upa_frame_in_whole_block(const struct upa_region *r, u64 frame)
{
	return test_bit(frame / UPADEV_BLOCK_PAGES, r->whole_blocks);
}

/* Gives a hidden frame back to the kernel. No table or TLB may hold it. */
void upa_frame_free(struct upa_region *r, u64 frame, struct page *page)
{
	u64 block = frame / UPADEV_BLOCK_PAGES;

	lockdep_assert_held(&r->refill_lock);
	if (test_bit(block, r->whole_blocks)) {
		struct page *first = page - frame % UPADEV_BLOCK_PAGES;

		upa_block_withdraw(r, block, first);
		split_page(first, UPA_BLOCK_ORDER);
		clear_bit(block, r->whole_blocks);
	}
	__free_page(page);
	atomic64_inc(&r->unused->gone);
}

/* The same of a whole block, all of it hidden, by its first frame. */
void upa_block_free(struct upa_region *r, u64 frame, struct page *page)
{
	lockdep_assert_held(&r->refill_lock);
	upa_block_withdraw(r, frame / UPADEV_BLOCK_PAGES, page);
	clear_bit(frame / UPADEV_BLOCK_PAGES, r->whole_blocks);
	__free_pages(page, UPA_BLOCK_ORDER);
	atomic64_add(UPADEV_BLOCK_PAGES, &r->unused->gone);
}

/* Memory for a whole block of which no frame has any. False if one has. */
bool upa_block_put(struct upa_region *r, u64 block, struct upa_block_memory *m)
{
	u64 frame = block * UPADEV_BLOCK_PAGES, i;

	lockdep_assert_held(&r->refill_lock);
	/* None is hidden either: that is so only while refill_lock is held. */
	if (r->blocks->absent[block] != UPADEV_BLOCK_PAGES)
		return false;
	for (i = 0; i < UPADEV_BLOCK_PAGES; i++)
		upa_mark_present(r->unused, frame + i);
	smp_mb__after_atomic();
	upa_pool_put(r, block, m);
	atomic64_sub(UPADEV_BLOCK_PAGES, &r->unused->gone);
	return true;
}

/* Nothing of a whole block can be installed any more: its first page, for show or discard. */
struct page *upa_pool_hide(struct upa_region *r, u64 block)
{
	u64 frame = block * UPADEV_BLOCK_PAGES, i;
	struct page *first = upa_entry_page(READ_ONCE(r->entries[frame]));

	lockdep_assert_held(&r->refill_lock);
	for (i = 0; i < UPADEV_BLOCK_PAGES; i++)
		WRITE_ONCE(r->entries[frame + i], 0);
	return first;
}

void upa_pool_show(struct upa_region *r, u64 block, struct page *first)
{
	u64 frame = block * UPADEV_BLOCK_PAGES, i;

	for (i = 0; i < UPADEV_BLOCK_PAGES; i++)
		WRITE_ONCE(r->entries[frame + i], upa_frame_entry(r, first + i));
}

void upa_pool_discard(struct page *first)
{
	__free_pages(first, UPA_BLOCK_ORDER);
}

/* Memory for one block of frames, if the kernel has 2 MiB that lie together. */
void upa_pool_alloc_whole(struct upa_block_memory *m)
{
	m->pages = NULL;
	m->whole = alloc_pages(UPA_POOL_GFP | __GFP_NORETRY, UPA_BLOCK_ORDER);
}

/*
 * Memory for one block of frames: 2 MiB where the kernel has such, else 512 pages, of which all are
 * there before any is shown, since what a table has been given cannot be freed again.
 */
int upa_pool_alloc(struct upa_block_memory *m)
{
	u64 i;

	upa_pool_alloc_whole(m);
	if (m->whole)
		return 0;
	m->pages = kcalloc(UPADEV_BLOCK_PAGES, sizeof(*m->pages), GFP_KERNEL_ACCOUNT);
	if (!m->pages)
		return -ENOMEM;
	for (i = 0; i < UPADEV_BLOCK_PAGES; i++) {
		m->pages[i] = alloc_page(UPA_POOL_GFP | __GFP_RETRY_MAYFAIL);
		if (!m->pages[i]) {
			upa_pool_unalloc(m);
			return -ENOMEM;
		}
	}
	return 0;
}

/* Frees what has not been put into a pool. */
void upa_pool_unalloc(struct upa_block_memory *m)
{
	u64 i;

	if (m->whole)
		__free_pages(m->whole, UPA_BLOCK_ORDER);
	for (i = 0; m->pages && i < UPADEV_BLOCK_PAGES && m->pages[i]; i++)
		__free_page(m->pages[i]);
	kfree(m->pages);
	*m = (struct upa_block_memory){};
}

/* Shows it as the frames of a block, and takes it. */
void upa_pool_put(struct upa_region *r, u64 block, struct upa_block_memory *m)
{
	u64 frame = block * UPADEV_BLOCK_PAGES, i;

	if (r->blocks)
		r->blocks->absent[block] = 0;
	if (m->whole) {
		set_bit(block, r->whole_blocks);
		upa_pool_show(r, block, m->whole);
		if (r->blocks)
			upa_block_offer(r, block);
	} else {
		clear_bit(block, r->whole_blocks);
		for (i = 0; i < UPADEV_BLOCK_PAGES; i++)
			WRITE_ONCE(r->entries[frame + i], upa_frame_entry(r, m->pages[i]));
	}
	kfree(m->pages);
	*m = (struct upa_block_memory){};
}

static int upa_take_block(struct upa_region *r, u64 block)
{
	struct upa_block_memory memory;
	struct page *page;
	int ret;

	lockdep_assert_held(&r->create_lock);
	if (r->mode == UPADEV_RAW_PMD) {
		page = alloc_pages(UPA_POOL_GFP | __GFP_NORETRY, UPA_BLOCK_ORDER);
		if (!page)
			return -ENOMEM;
		WRITE_ONCE(r->entries[block], upa_frame_entry(r, page));
		return 0;
	}
	ret = upa_pool_alloc(&memory);
	if (!ret)
		upa_pool_put(r, block, &memory);
	return ret;
}

/* Gives the frames @from .. @to - 1 back to the kernel. No table or TLB may hold any of them. */
void upa_pool_free(struct upa_region *r, u64 from, u64 to)
{
	u64 block = to / UPADEV_BLOCK_PAGES;

	while (block-- > from / UPADEV_BLOCK_PAGES) {
		if (!r->gone || !test_and_clear_bit(block, r->gone))
			upa_free_block(r, block);
		cond_resched();
	}
}

/*
 * Announces that the pool will grow by so many frames, none of them if 0. -ENOMEM: there is a
 * bound, and it would not be kept.
 */
static int upa_pool_announce(struct upa_region *r, u64 frames)
{
	int ret = 0;

	if (!r->unused)
		return 0;
	if (mmap_read_lock_killable(r->mm))
		return -EINTR;
	if (mutex_lock_killable(&r->refill_lock)) {
		mmap_read_unlock(r->mm);
		return -EINTR;
	}
	if (upa_hold_more(r, frames))
		r->unused->growing = frames;
	else
		ret = -ENOMEM;
	mutex_unlock(&r->refill_lock);
	mmap_read_unlock(r->mm);
	return ret;
}

/* The pool is that large; what was announced has come, or will not. */
static void upa_pool_settle(struct upa_region *r, u64 frames)
{
	if (r->unused)
		mutex_lock(&r->refill_lock); /* else frames would count twice, or not at all */
	/*
	 * Pairs with the acquire of those who check a frame number: the entry is there before the
	 * number is valid.
	 */
	smp_store_release(&r->frames, frames);
	if (r->unused) {
		r->unused->growing = 0;
		mutex_unlock(&r->refill_lock);
	}
}

/* Either grows the pool to @frames or leaves it as it was. */
int upa_pool_grow(struct upa_region *r, u64 frames)
{
	u64 before = r->frames / UPADEV_BLOCK_PAGES, block;
	int ret;

	lockdep_assert_held(&r->create_lock);
	if (!upa_can_spare(frames - r->frames))
		return -ENOMEM;
	ret = upa_pool_announce(r, frames - r->frames);
	if (ret)
		return ret;
	for (block = before; block < frames / UPADEV_BLOCK_PAGES; block++) {
		ret = fatal_signal_pending(current) ? -EINTR : upa_take_block(r, block);
		if (ret)
			break;
		cond_resched();
	}
	if (ret) {
		while (block-- > before)
			upa_free_block(r, block);
		frames = r->frames;
	}
	upa_pool_settle(r, frames);
	return ret;
}

/* Lowers the pool to @frames, or, after a fatal signal, leaves it as it was. */
int upa_pool_shrink(struct upa_region *r, u64 frames)
{
	u64 before = r->frames;
	int ret;

	lockdep_assert_held(&r->create_lock);
	/* None above can be installed any more, then none is, then no TLB has one. */
	WRITE_ONCE(r->frames, frames);
	ret = upa_zap_data(r, true);
	if (ret)
		goto undo;
	upa_flush_everywhere();
	/* A touch that brings a block back, and the shrinker that takes one, look at the bound. */
	ret = mutex_lock_killable(&r->refill_lock);
	if (ret)
		goto undo;
	upa_pool_free(r, frames, before);
	mutex_unlock(&r->refill_lock);
	return 0;
undo:
	smp_store_release(&r->frames, before);
	return ret;
}
