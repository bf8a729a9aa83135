// SPDX-License-Identifier: GPL-2.0
/*
 * Entries of 2 MiB in guarded mode (UPADEV_CREATE_BLOCKS): the shadow entry of the first page of a
 * block names a block of frames. It is mapped by one entry as long as its 512 frames lie together
 * and all are there; else by a page table, like single frames.
 *
 * As there, the shadow entry is read, checked and the entry set under one holding of a lock, here
 * that of the level above page tables. A frame on its way out of the pool (unused.c) first takes
 * the entry of its block out of ->blocks, so that it is set no more, then whoever searches the
 * tables locks each entry: he finds what was set before. So who empties entries locks them also
 * where there is nothing.
 *
 * An entry is taken away as a whole, whatever part of it somebody names: the rest comes back when
 * it is touched. What its accessed and dirty bits said is kept in ->blocks->seen until it is
 * harvested. So nothing need ever be split, and nothing is allocated to take something away.
 *
 * The place of an entry may hold a page table, from a time when it was used by single pages. Such
 * tables go, and come by other than a fault, with mmap_lock held for writing only, since the
 * kernel's own faults rely on a table that they have seen.
 */
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <asm/pgalloc.h>

#include "region.h"

#define UPA_BLOCK_COST 16     /* of an entry, in pages of a batch's budget */
#define UPA_BLOCKS_AROUND 32U /* looked at by a fault */
#define UPA_TABLE_CHANGES 32U /* under one holding of mmap_lock for writing */

/* Tables of entries of 2 MiB that the data reaches into, wherever it is. */
static u64 upa_blocks_tables(const struct upa_region *r)
{
	return DIV_ROUND_UP(upa_data_bytes(r), PUD_SIZE) + 1;
}

int upa_blocks_make(struct upa_region *r)
{
	u64 blocks = r->max_frames / UPADEV_BLOCK_PAGES;
	struct upa_blocks *b = kzalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);

	if (!b)
		return -ENOMEM;
	r->blocks = b;
	b->entries = kvcalloc(blocks, sizeof(*b->entries), GFP_KERNEL_ACCOUNT);
	b->absent = kvcalloc(blocks, sizeof(*b->absent), GFP_KERNEL_ACCOUNT);
	b->seen = kvcalloc(r->pages / UPADEV_BLOCK_PAGES, sizeof(*b->seen), GFP_KERNEL_ACCOUNT);
	b->tables = kvcalloc(upa_blocks_tables(r), sizeof(*b->tables), GFP_KERNEL_ACCOUNT);
	return b->entries && b->absent && b->seen && b->tables ? 0 : -ENOMEM;
}

void upa_blocks_free(struct upa_region *r)
{
	if (!r->blocks)
		return;
	kvfree(r->blocks->entries);
	kvfree(r->blocks->absent);
	kvfree(r->blocks->seen);
	kvfree(r->blocks->tables);
	kfree(r->blocks);
}

/*
 * As upa_pmd(). What has been found is remembered, for each GiB: it stays as long as the mapping is
 * in the tree, and is forgotten before there is another.
 */
static pmd_t *upa_blocks_pmd(struct upa_region *r, unsigned long address)
{
	pmd_t **known = &r->blocks->tables[(address >> PUD_SHIFT) - (r->data_start >> PUD_SHIFT)];
	pmd_t *table = READ_ONCE(*known), *pmd;

	if (likely(table))
		return table + pmd_index(address);
	pmd = upa_pmd(r->mm, address);
	if (pmd)
		WRITE_ONCE(*known, pmd - pmd_index(address));
	return pmd;
}

/* The data is mapped anew. */
void upa_blocks_forget(struct upa_region *r)
{
	lockdep_assert_held_write(&r->mm->mmap_lock);
	if (r->blocks)
		memset(r->blocks->tables, 0, upa_blocks_tables(r) * sizeof(*r->blocks->tables));
}

/* Does the block of pages that @page is in show a block of frames at this moment, and which? */
bool upa_block_named(const struct upa_region *r, u64 page, u64 *block)
{
	u32 word;

	if (!r->blocks)
		return false;
	word = READ_ONCE(r->shadow[round_down(page, UPADEV_BLOCK_PAGES)]);
	*block = word & ~UPADEV_SHADOW_BLOCK;
	return word & UPADEV_SHADOW_BLOCK;
}

/*
 * The entry of its own is read between two looks at the first one of the block: it means something
 * only while that has no mark, which the process may set or take out beside us.
 */
u32 upa_blocks_number(const struct upa_region *r, u64 page)
{
	u32 first = READ_ONCE(r->shadow[round_down(page, UPADEV_BLOCK_PAGES)]), word;
	u64 block = first & ~UPADEV_SHADOW_BLOCK;

	if (!(first & UPADEV_SHADOW_BLOCK)) {
		if (page % UPADEV_BLOCK_PAGES == 0)
			return first;
		word = READ_ONCE(r->shadow[page]);
		smp_rmb();
		if (!upa_block_named(r, page, &block))
			return word;
	}
	if (block >= UPADEV_MAX_PAGES / UPADEV_BLOCK_PAGES)
		return U32_MAX;
	return block * UPADEV_BLOCK_PAGES + page % UPADEV_BLOCK_PAGES + 1;
}

static void upa_set_pmd(struct mm_struct *mm, unsigned long address, pmd_t *pmd, u64 entry)
{
	if (IS_ENABLED(CONFIG_PAGE_TABLE_CHECK))
		set_pmd_at(mm, address, pmd, native_make_pmd(entry));
	else
		native_set_pmd(pmd, native_make_pmd(entry));
}

/* Takes an entry of 2 MiB away, and keeps what its bits say. */
static void upa_clear_block(struct upa_region *r, unsigned long address, pmd_t *pmd)
{
	u8 *seen = &r->blocks->seen[(address - r->data_start) / PMD_SIZE];
	u64 old;

	if (IS_ENABLED(CONFIG_PAGE_TABLE_CHECK))
		old = native_pmd_val(pmdp_huge_get_and_clear(r->mm, address, pmd));
	else
		old = xchg((u64 *)pmd, 0); /* the CPU may be setting bits */
	if (!r->track)
		return;
	*seen |= (old & _PAGE_ACCESSED ? UPA_SEEN_ACCESSED : 0) |
		 (old & _PAGE_DIRTY ? UPA_SEEN_DIRTY : 0);
}

/* The entry of 2 MiB of a named block; 0 if it can have none at the moment, or does not exist. */
static __always_inline u64 upa_block_entry(const struct upa_region *r, u64 block, u64 blocks)
{
	if (unlikely(block >= blocks))
		return 0;
	return READ_ONCE(r->blocks->entries[array_index_nospec(block, blocks)]);
}

/* Sets what is named and empty of @count entries from @page on, all in one table. Locked. */
static unsigned int upa_set_around(struct upa_region *r, u64 page, unsigned int count, pmd_t *pmd)
{
	u64 blocks = smp_load_acquire(&r->frames) / UPADEV_BLOCK_PAGES;
	unsigned int set = 0;

	for (; count--; pmd++, page += UPADEV_BLOCK_PAGES) {
		u64 block, entry;

		if (native_pmd_val(*pmd) || !upa_block_named(r, page, &block))
			continue;
		entry = upa_block_entry(r, block, blocks);
		if (!entry)
			continue;
		upa_set_pmd(r->mm, r->data_start + page * PAGE_SIZE, pmd, entry);
		set++;
	}
	return set;
}

/*
 * A touch of @page. True if an entry of 2 MiB serves it; else it is for a page table, which there
 * is, or which may be made.
 */
bool upa_block_fault(struct upa_region *r, struct vm_fault *vmf, u64 page, u64 *changed)
{
	/* As far as the region reaches; the table of such entries reaches farther. */
	unsigned long from = round_down(vmf->address, UPA_BLOCKS_AROUND * PMD_SIZE);
	unsigned long end =
		min_t(u64, from + UPA_BLOCKS_AROUND * PMD_SIZE, r->data_start + upa_data_bytes(r));
	unsigned int set;
	spinlock_t *lock;
	bool served;
	u64 block;

	if (!pmd_none(READ_ONCE(*vmf->pmd)) || !upa_block_named(r, page, &block) ||
	    !upa_block_entry(r, block, READ_ONCE(r->frames) / UPADEV_BLOCK_PAGES))
		return native_pmd_val(READ_ONCE(*vmf->pmd)) & _PAGE_PSE;
	from = max(from, r->data_start);
	lock = pmd_lock(r->mm, vmf->pmd);
	set = upa_set_around(r, (from - r->data_start) / PAGE_SIZE, (end - from) / PMD_SIZE,
			     vmf->pmd - (pmd_index(vmf->address) - pmd_index(from)));
	served = native_pmd_val(*vmf->pmd) & _PAGE_PSE;
	spin_unlock(lock);
	*changed += (u64)set * UPADEV_BLOCK_PAGES;
	atomic64_add(set, &r->count.block_entries);
	return served;
}

/* As upa_install() in guarded.c, of pages whose block of pages shows a block of frames. */
unsigned long upa_block_fill(struct upa_region *r, const struct upa_table *t, u64 page,
			     unsigned long count, u64 *changed, bool *replaced)
{
	u64 frames = smp_load_acquire(&r->frames), block;
	unsigned long i;

	lockdep_assert_held(t->lock);
	/* Not any more: then it is as if nothing was named at this instant. */
	if (!upa_block_named(r, page, &block))
		return count;
	if (block >= frames / UPADEV_BLOCK_PAGES)
		return replaced ? 0 : count;
	for (i = 0; i < count; i++) {
		u64 frame = block * UPADEV_BLOCK_PAGES + (page + i) % UPADEV_BLOCK_PAGES;
		u64 entry = READ_ONCE(r->entries[array_index_nospec(frame, frames)]);
		u64 old = READ_ONCE(t->pte[i].pte);

		if (upa_maps(old) && (!replaced || !((old ^ entry) & PTE_PFN_MASK)))
			continue;
		if (upa_maps(old))
			*replaced = true;
		upa_set_entry(r->mm, r->data_start + (page + i) * PAGE_SIZE, &t->pte[i], entry);
		++*changed;
	}
	return count;
}

/*
 * As upa_empty_run(), four entries at a time, as long as all four map: nothing is to be kept of
 * them. A plain read, as in upa_empty_one().
 */
static __always_inline unsigned int upa_empty_fours(unsigned int count, pmd_t *pmd)
{
	unsigned int left;

	for (left = count; left >= 4; left -= 4, pmd += 4) {
		u64 all = native_pmd_val(pmd[0]) & native_pmd_val(pmd[1]) & native_pmd_val(pmd[2]) &
			  native_pmd_val(pmd[3]);

		if (unlikely(!(all & _PAGE_PSE)))
			break;
		native_set_pmd(&pmd[0], native_make_pmd(0));
		native_set_pmd(&pmd[1], native_make_pmd(0));
		native_set_pmd(&pmd[2], native_make_pmd(0));
		native_set_pmd(&pmd[3], native_make_pmd(0));
	}
	return count - left;
}

/* Takes entries of 2 MiB away, up to a page table. Returns how many blocks were looked at. */
static unsigned int upa_empty_run(struct upa_region *r, struct upa_walk *w, u64 page,
				  unsigned int count, pmd_t *pmd)
{
	bool plain = !r->track && !IS_ENABLED(CONFIG_PAGE_TABLE_CHECK);
	unsigned int absent = 0, i;
	u64 cleared;

	for (i = plain ? upa_empty_fours(count, pmd) : 0; i < count; i++) {
		u64 old = native_pmd_val(READ_ONCE(pmd[i]));

		if (unlikely(!(old & _PAGE_PSE))) {
			if (old)
				break;
			absent++;
		} else if (likely(plain)) {
			native_set_pmd(&pmd[i], native_make_pmd(0));
		} else {
			upa_clear_block(r, r->data_start + page * PAGE_SIZE + i * PMD_SIZE,
					&pmd[i]);
		}
	}
	cleared = i - absent;
	w->batch->changed += cleared * UPADEV_BLOCK_PAGES;
	w->flush |= cleared != 0;
	return i;
}

/* What upa_fill_run() is to set next: where it stands, and what it sets. */
struct upa_fill {
	const u32 *shadow;
	pmd_t *pmd;
	unsigned long address;
	const u64 *entries;
	u64 blocks;
};

static __always_inline void upa_fill_skip(struct upa_fill *f, unsigned int count)
{
	f->shadow += count * UPADEV_BLOCK_PAGES;
	f->pmd += count;
	f->address += count * PMD_SIZE;
}

/* The entry of 2 MiB of the block that is named @i blocks on; 0 if there is none. */
static __always_inline u64 upa_fill_entry(const struct upa_fill *f, unsigned int i)
{
	/* Without the mark it is more than there can be. */
	u64 block = READ_ONCE(f->shadow[i * UPADEV_BLOCK_PAGES]) ^ UPADEV_SHADOW_BLOCK;

	if (unlikely(block >= f->blocks))
		return 0;
	return READ_ONCE(f->entries[array_index_nospec(block, f->blocks)]);
}

/* Sets it where there is nothing. False if that is to be looked at more closely. */
static __always_inline bool upa_fill_empty(struct mm_struct *mm, const struct upa_fill *f,
					   unsigned int i)
{
	u64 entry = upa_fill_entry(f, i);

	if (unlikely(!entry || native_pmd_val(f->pmd[i])))
		return false;
	upa_set_pmd(mm, f->address + i * PMD_SIZE, &f->pmd[i], entry);
	return true;
}

/* The same four times. Returns how many were set before one that was not. */
static __always_inline unsigned int upa_fill_four(struct mm_struct *mm, const struct upa_fill *f)
{
	if (unlikely(!upa_fill_empty(mm, f, 0)))
		return 0;
	if (unlikely(!upa_fill_empty(mm, f, 1)))
		return 1;
	if (unlikely(!upa_fill_empty(mm, f, 2)))
		return 2;
	return likely(upa_fill_empty(mm, f, 3)) ? 4 : 3;
}

/* Sets entries of 2 MiB, as far as the shadow table names blocks that have one. As above. */
static unsigned int upa_fill_run(struct upa_region *r, struct upa_walk *w, u64 page,
				 unsigned int count, pmd_t *pmd)
{
	struct upa_fill f = {
		.shadow = r->shadow + page,
		.pmd = pmd,
		.address = r->data_start + page * PAGE_SIZE,
		.entries = r->blocks->entries,
		.blocks = smp_load_acquire(&r->frames) / UPADEV_BLOCK_PAGES,
	};
	unsigned int left = count, same = 0, set = 4;

	for (; set == 4 && left >= 4; left -= set) {
		set = upa_fill_four(r->mm, &f);
		upa_fill_skip(&f, set);
	}
	for (; left; left--, upa_fill_skip(&f, 1)) {
		u64 old = native_pmd_val(READ_ONCE(*f.pmd)), entry = upa_fill_entry(&f, 0);

		if (unlikely(!entry))
			break;
		if (unlikely(old)) {
			if (!(old & _PAGE_PSE))
				break;
			if (!((old ^ entry) & PTE_PFN_MASK)) {
				same++;
				continue;
			}
			upa_clear_block(r, f.address, f.pmd);
			w->flush = true;
		}
		upa_set_pmd(r->mm, f.address, f.pmd, entry);
	}
	count -= left;
	w->batch->changed += (u64)(count - same) * UPADEV_BLOCK_PAGES;
	atomic64_add(count - same, &r->count.block_entries);
	return count;
}

/*
 * Under one holding of the lock of a table of entries of 2 MiB. Returns the page at which it
 * stopped: @page, if there is anything else in the place of the first.
 */
static u64 upa_locked_run(struct upa_region *r, struct upa_walk *w, u64 page, u64 end, pmd_t *pmd)
{
	unsigned long room = PTRS_PER_PMD - pmd_index(r->data_start + page * PAGE_SIZE);
	u64 first = round_down(page, UPADEV_BLOCK_PAGES), count;
	spinlock_t *lock;

	count = min_t(u64, (end - first + UPADEV_BLOCK_PAGES - 1) / UPADEV_BLOCK_PAGES, room);
	lock = pmd_lock(r->mm, pmd);
	if (w->map)
		count = upa_fill_run(r, w, first, count, pmd);
	else
		count = upa_empty_run(r, w, first, count, pmd);
	spin_unlock(lock);
	w->budget -= (int)count * UPA_BLOCK_COST;
	return count ? min(end, first + count * UPADEV_BLOCK_PAGES) : page;
}

/* Takes the entry of 2 MiB that maps @page away, all of it. True if there was one. */
bool upa_blocks_empty_one(struct upa_region *r, u64 page)
{
	unsigned long address = (r->data_start + page * PAGE_SIZE) & PMD_MASK;
	pmd_t *pmd = upa_pmd(r->mm, address);
	spinlock_t *lock;
	bool there;

	if (!pmd)
		return false;
	lock = pmd_lock(r->mm, pmd);
	there = native_pmd_val(*pmd) & _PAGE_PSE;
	if (there)
		upa_clear_block(r, address, pmd);
	spin_unlock(lock);
	return there;
}

/* May the block of pages at @page, all of it before @end, have an entry of 2 MiB? */
static bool upa_may_have_entry(const struct upa_region *r, u64 page, u64 end)
{
	u64 block;

	return page % UPADEV_BLOCK_PAGES == 0 && end - page >= UPADEV_BLOCK_PAGES &&
	       upa_block_named(r, page, &block) &&
	       upa_block_entry(r, block, READ_ONCE(r->frames) / UPADEV_BLOCK_PAGES);
}

/* A kernel whose page tables cannot be freed by a module keeps them, with entries of 4 KiB. */
#define UPA_TABLES_GO (!ALLOC_SPLIT_PTLOCKS)

/*
 * What is neither empty nor an entry of 2 MiB: pages of one page table, or one that is needed.
 * UPA_NEEDS_TABLE_CHANGE: something must be done to tables before.
 */
static int upa_walk_single(struct upa_region *r, struct upa_walk *w, u64 page, u64 end, pmd_t *pmd)
{
	unsigned int count =
		min(end, round_down(page, UPADEV_BLOCK_PAGES) + UPADEV_BLOCK_PAGES) - page;
	u64 block;
	int ret;

	if (w->map) {
		if (upa_block_named(r, page, &block) &&
		    block >= READ_ONCE(r->frames) / UPADEV_BLOCK_PAGES) {
			w->batch->stopped_at = page;
			return -EINVAL;
		}
		if ((UPA_TABLES_GO || !pmd || pmd_none(*pmd)) && upa_may_have_entry(r, page, end) &&
		    (!pmd || upa_is_table(READ_ONCE(*pmd))))
			return UPA_NEEDS_TABLE_CHANGE;
		if (pmd && READ_ONCE(*pmd).pmd & _PAGE_PSE) {
			/* If no page is named, what is there stays: 0 is passed over. */
			ret = upa_walk_table(r, w, page, count);
			if (ret != -ENOENT)
				return ret;
			w->flush |= upa_blocks_empty_one(r, page); /* it is in the way */
		}
	}
	ret = upa_walk_table(r, w, page, count);
	return ret == -ENOENT ? UPA_NEEDS_TABLE_CHANGE : ret;
}

/* As upa_walk_range() in guarded.c; besides UPA_NEEDS_TABLE_CHANGE, at *page. */
int upa_blocks_walk(struct upa_region *r, struct upa_walk *w, u64 *page, u64 end)
{
	while (*page < end) {
		unsigned long address = r->data_start + *page * PAGE_SIZE;
		pmd_t *pmd = upa_blocks_pmd(r, address);
		u64 before = *page;
		int ret;

		if (pmd) {
			*page = upa_locked_run(r, w, before, end, pmd);
		} else if (!w->map) {
			*page = min_t(u64, end,
				      before + (PUD_SIZE - address % PUD_SIZE) / PAGE_SIZE);
			w->budget -= UPA_BLOCK_COST;
		}
		if (*page == before) {
			ret = upa_walk_single(r, w, before, end, pmd);
			if (ret)
				return ret;
			*page = min(end,
				    round_down(before, UPADEV_BLOCK_PAGES) + UPADEV_BLOCK_PAGES);
			w->budget -= (int)UPADEV_BLOCK_PAGES;
		}
		if (*page < end && w->budget <= 0)
			return -EAGAIN;
	}
	return 0;
}

/* What the bits of a table's entries say, which is about to go. */
static void upa_note_table(struct upa_region *r, pmd_t *pmd, u64 page)
{
	pte_t *table = (pte_t *)pmd_page_vaddr(*pmd);
	unsigned int i;

	for (i = 0; r->track && i < PTRS_PER_PTE; i++) {
		u64 entry = READ_ONCE(table[i].pte);

		r->blocks->seen[page / UPADEV_BLOCK_PAGES] |=
			(entry & _PAGE_ACCESSED ? UPA_SEEN_ACCESSED : 0) |
			(entry & _PAGE_DIRTY ? UPA_SEEN_DIRTY : 0);
	}
}

/*
 * Page tables in the place of blocks that may have an entry of 2 MiB, from @page on: takes them
 * away. Nobody is in one: faults and batches hold mmap_lock, or the lock of the mapping, which we
 * hold for writing; unmap_mapping_range() holds i_mmap_rwsem; and the kernel's look-up without
 * locks runs with interrupts off, so that it is over when every CPU has flushed.
 */
static void upa_remove_tables(struct upa_region *r, u64 page, u64 end)
{
	pgtable_t tables[UPA_TABLE_CHANGES];
	unsigned int n = 0;

	i_mmap_lock_write(&r->mapping);
	for (; n < UPA_TABLE_CHANGES && upa_may_have_entry(r, page, end);
	     page += UPADEV_BLOCK_PAGES) {
		pmd_t *pmd = upa_pmd(r->mm, r->data_start + page * PAGE_SIZE);
		spinlock_t *lock;

		if (!pmd || !upa_is_table(READ_ONCE(*pmd)))
			break;
		lock = pmd_lock(r->mm, pmd);
		tables[n++] = pmd_pgtable(*pmd);
		upa_note_table(r, pmd, page);
		pmd_clear(pmd);
		mm_dec_nr_ptes(r->mm);
		spin_unlock(lock);
	}
	i_mmap_unlock_write(&r->mapping);
	upa_flush_everywhere();
	while (n--)
		pte_free(r->mm, tables[n]);
}

/*
 * A batch cannot go on at @page with mmap_lock held for reading. -EAGAIN: now it may try again;
 * -EINTR, -ENOMEM.
 */
int upa_blocks_change_tables(struct upa_region *r, u64 page, u64 end)
{
	unsigned long address = r->data_start + page * PAGE_SIZE;
	struct vm_area_struct *vma;
	int ret = -EAGAIN;
	pmd_t *pmd;

	if (fatal_signal_pending(current) || mmap_write_lock_killable(r->mm))
		return -EINTR;
	vma = upa_data_vma(r);
	if (!vma) {
		ret = -ENXIO;
		goto out;
	}
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	vma_start_write(vma); /* faults that hold no more than the lock of the mapping */
#endif
	pmd = upa_pmd(r->mm, address);
	if ((!pmd || pmd_none(*pmd)) && upa_table_make(r->mm, address))
		ret = -ENOMEM;
	else if (UPA_TABLES_GO && upa_may_have_entry(r, page, end))
		upa_remove_tables(r, page, end);
out:
	mmap_write_unlock(r->mm);
	return ret;
}

/*
 * Takes the entry away if a frame of it is hidden. False if there may be a page table in its place.
 * The lock is taken even if there is nothing: see the top of this file.
 */
bool upa_blocks_expel(struct upa_region *r, pmd_t *pmd, unsigned long address)
{
	unsigned int i;
	spinlock_t *lock;
	pmd_t old;

	if (!pmd)
		return true;
	lock = pmd_lock(r->mm, pmd);
	old = *pmd;
	if (native_pmd_val(old) & _PAGE_PSE) {
		struct page *first =
			pfn_to_page((native_pmd_val(old) & PTE_PFN_MASK) >> PAGE_SHIFT);

		for (i = 0; i < UPADEV_BLOCK_PAGES && !page_private(first + i); i++)
			;
		if (i < UPADEV_BLOCK_PAGES)
			upa_clear_block(r, address, pmd);
	}
	spin_unlock(lock);
	return !upa_is_table(old);
}

/*
 * UPA_SEEN_* of the block of pages that @page is in, beside what a page table says. They are
 * cleared as @h says only if the call covers the @whole block. True if a flush is due.
 */
bool upa_blocks_harvest(struct upa_region *r, u64 page, bool whole, const struct upadev_harvest *h,
			unsigned int *seen)
{
	unsigned long address = (r->data_start + page * PAGE_SIZE) & PMD_MASK;
	u8 *kept = &r->blocks->seen[page / UPADEV_BLOCK_PAGES];
	pmd_t *pmd = upa_pmd(r->mm, address);
	unsigned int clear = 0, now = 0;
	spinlock_t *lock;

	*seen = 0;
	if (!pmd)
		return false;
	if (whole)
		clear = (h->flags & UPADEV_HARVEST_CLEAR_ACCESSED ? UPA_SEEN_ACCESSED : 0) |
			(h->flags & UPADEV_HARVEST_CLEAR_DIRTY ? UPA_SEEN_DIRTY : 0);
	lock = pmd_lock(r->mm, pmd);
	if (native_pmd_val(READ_ONCE(*pmd)) & _PAGE_PSE) {
		u64 entry = native_pmd_val(READ_ONCE(*pmd));

		now = (entry & _PAGE_ACCESSED ? UPA_SEEN_ACCESSED : 0) |
		      (entry & _PAGE_DIRTY ? UPA_SEEN_DIRTY : 0);
		if (now & clear & UPA_SEEN_ACCESSED)
			clear_bit(_PAGE_BIT_ACCESSED, (unsigned long *)pmd);
		if (now & clear & UPA_SEEN_DIRTY)
			clear_bit(_PAGE_BIT_DIRTY, (unsigned long *)pmd);
	}
	*seen = now | *kept;
	*kept &= ~clear;
	spin_unlock(lock);
	now &= clear;
	return now & UPA_SEEN_DIRTY || (now && h->flags & UPADEV_HARVEST_FLUSH);
}
