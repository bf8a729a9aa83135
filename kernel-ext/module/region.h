/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a region is inside the module, and which file does what with it.
 *
 * A region lives as long as its struct file: mappings hold the file, so release() runs when
 * neither a descriptor nor a mapping is left, and no frame can then be reached through any
 * table or TLB entry. All safety of guarded mode rests on this: frames leave the pool only in
 * release(), and in upa_guarded_shrink() and reclaim.c, which empty and flush the tables first.
 *
 * Locks, in the order in which they are taken:
 *   create_lock    creating and resizing, the only writers of `frames` and of the entries table
 *   mmap_lock      of the owner, held for reading by every call that walks its page tables
 *   refill_lock    blocks that memory pressure takes and touches bring back
 *   moves          read by calls that end a move of frame numbers, written while the shadow is searched for numbers
 *   flush_lock     one shoot-down at a time
 *   page table     the kernel's own lock; shadow, `frames` and entry are read and written under it
 */
#ifndef UPA_REGION_H
#define UPA_REGION_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/version.h>

#include "upa.h"

#if defined(CONFIG_X86_64) == 0
#error "upa knows the page tables of x86-64 only"
#endif

struct upa_counters {
	atomic64_t faults, fault_pages, bad_faults;
	atomic64_t map_calls, map_pages, unmap_calls, unmap_pages;
	atomic64_t shootdowns, shared_shootdowns;
	atomic64_t reclaimed_pages;
};

struct upa_region {
	struct mutex create_lock;
	bool ready;			/* released once everything below is set */
	u32 mode;
	bool track;
	struct mm_struct *mm;		/* owner, held by mmgrab(); compared, and charged */
	u64 pages;
	u64 max_frames;
	u64 charged_pages;

	/* pool.c */
	u64 frames;			/* READ_ONCE() under the page table lock */
	u64 *entries;			/* page table entry of each frame; raw PMD: of each block */
	unsigned long *whole_blocks;	/* set: one allocation of 2 MiB, else 512 */

	/* reclaim.c; both bit maps are of blocks, and NULL if memory pressure leaves the region alone */
	struct mutex refill_lock;
	unsigned long *gone;		/* taken back by the kernel: entries are 0 */
	unsigned long *named;		/* by the shadow table, when last looked */
	struct rw_semaphore moves;
	unsigned long barren_until;	/* in jiffies */
	struct list_head reclaim_link;
	bool watched;

	u32 *shadow;			/* the process writes it: READ_ONCE(), then check */
	void *state;			/* never read here */
	u64 state_bytes;

	/* vma.c; changed with mmap_lock held for writing */
	unsigned long data_start;	/* 0: data not mapped */
	bool data_was_mapped;

	/* table.c */
	struct mutex flush_lock;
	u64 flushes_begun;

	/* raw.c */
	u64 blank_entry;		/* maps the zero page, read-only */
#ifdef CONFIG_MMU_NOTIFIER
	struct mmu_notifier notifier;
#endif
	bool notified;
	struct page **tables;		/* shown to the process, held by get_page() */
	u64 nr_tables;			/* how many of them are held */
	u64 *displaced;			/* raw PMD: entry that stood in slot 0 of each table */

	struct upa_counters count;
};

static inline u64 upa_data_bytes(const struct upa_region *r)
{
	return r->pages * UPADEV_PAGE_BYTES;
}

/* Entries of the hardware table that one page of it, or one frame block, stands for. */
static inline u64 upa_nr_entries(const struct upa_region *r)
{
	return r->mode == UPADEV_RAW_PMD ? r->max_frames / UPADEV_BLOCK_PAGES : r->max_frames;
}

static inline u64 upa_nr_tables(const struct upa_region *r)
{
	return r->pages / UPADEV_BLOCK_PAGES / (r->mode == UPADEV_RAW_PMD ? UPADEV_BLOCK_PAGES : 1);
}

/*
 * Entries are stored without the paravirtual hooks, which cost more than the rest of the loop;
 * upa_init() refuses the one hypervisor interface that needs them. A kernel that keeps its own
 * books of page tables has to see every change.
 */
static inline void upa_set_entry(struct mm_struct *mm, unsigned long address, pte_t *pte, u64 entry)
{
	if (IS_ENABLED(CONFIG_PAGE_TABLE_CHECK))
		set_pte_at(mm, address, pte, native_make_pte(entry));
	else
		native_set_pte(pte, native_make_pte(entry));
}

static inline void upa_clear_entry(struct mm_struct *mm, unsigned long address, pte_t *pte)
{
	if (IS_ENABLED(CONFIG_PAGE_TABLE_CHECK))
		ptep_get_and_clear(mm, address, pte);
	else
		native_set_pte(pte, native_make_pte(0));
}

/* pool.c: page frames */
int upa_pool_grow(struct upa_region *r, u64 frames);
void upa_pool_free(struct upa_region *r, u64 from, u64 to);
struct page *upa_pool_hide(struct upa_region *r, u64 block);
void upa_pool_show(struct upa_region *r, u64 block, struct page *first);
void upa_pool_discard(struct page *first);
int upa_pool_refill(struct upa_region *r, u64 block);

/* reclaim.c: memory pressure */
int upa_reclaim_init(void);
void upa_reclaim_exit(void);
void upa_reclaim_watch(struct upa_region *r);
void upa_reclaim_forget(struct upa_region *r);
int upa_reclaim_refill(struct upa_region *r, u64 frame);
int upa_reclaim_now(struct upa_region *r, struct upadev_reclaim *request);

/* table.c: page tables of the owner and their TLB entries */
struct upa_table {
	pte_t *pte;
	spinlock_t *lock;
};

bool upa_table_lock(struct mm_struct *mm, unsigned long address, struct upa_table *t);
int upa_table_make(struct mm_struct *mm, unsigned long address);
void upa_flush(struct upa_region *r);
void upa_flush_everywhere(void);
struct vm_area_struct *upa_data_vma(struct upa_region *r);

/* guarded.c: shadow table to page tables */
vm_fault_t upa_guarded_fault(struct upa_region *r, struct vm_fault *vmf);
int upa_guarded_batch(struct upa_region *r, struct upadev_batch *batch, bool map);
int upa_guarded_advise(struct upa_region *r, loff_t offset, loff_t bytes, int advice);
int upa_guarded_harvest(struct upa_region *r, struct upadev_harvest *harvest);
int upa_guarded_shrink(struct upa_region *r, u64 frames);

/* raw.c: page tables shown to the process */
#ifdef CONFIG_MMU_NOTIFIER
int upa_raw_prepare(struct upa_region *r);
int upa_raw_map_tables(struct upa_region *r, struct vm_area_struct *vma);
void upa_raw_release(struct upa_region *r);
#else /* Without it, raw tables could not be tidied in time: guarded mode only. */
static inline int upa_raw_prepare(struct upa_region *r)
{
	return -EOPNOTSUPP;
}

static inline int upa_raw_map_tables(struct upa_region *r, struct vm_area_struct *vma)
{
	return -EOPNOTSUPP;
}

static inline void upa_raw_release(struct upa_region *r)
{
}
#endif

/* vma.c */
int upa_mmap(struct file *file, struct vm_area_struct *vma);
extern const struct vm_operations_struct upa_data_ops;

#endif /* UPA_REGION_H */
