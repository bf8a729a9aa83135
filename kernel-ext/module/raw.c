// SPDX-License-Identifier: GPL-2.0
/*
 * Raw modes: the process gets the page tables of its region mapped writable and stores
 * hardware entries itself.
 *
 * The process is trusted with all memory, but not to leave tidy tables behind. Before the kernel
 * takes the mapping apart, on munmap as well as on exit, the tables are unhooked from the level
 * above, and all CPUs flush: what the kernel then finds is an empty range, and what the process
 * stores from then on, also while munmap() is at work, is in pages that are no tables any more.
 *
 * The module holds a reference on each page of tables until the file is gone.
 *
 * Devices and guests that share the page tables (secondary MMUs) learn of changes from the kernel
 * alone, and no exported function tells them of entries that somebody else has changed. So a raw
 * region is not made beside one, and a flush beside one that came later is refused.
 */
#include <linux/mmu_notifier.h>
#include <linux/slab.h>
#include <asm/pgalloc.h>

#include "region.h"

/**
 * struct upa_raw - the page tables of a region that its process writes
 * @region: whose they are
 * @notifier: tells that the mapping goes
 * @notified: @notifier is registered
 * @link: in the list of all raw regions
 * @tables: one page for each 2 MiB, raw PMD: for each GiB; held by get_page()
 * @nr_tables: how many of them have been taken
 * @hooked: they are in the tree of the owner's page tables
 * @displaced: raw PMD: the table of 4 KiB entries that made the kernel make each of @tables
 */
struct upa_raw {
	struct upa_region *region;
	struct mmu_notifier notifier;
	bool notified;
	struct list_head link;
	struct page **tables;
	u64 nr_tables;
	bool hooked;
	u64 *displaced;
};

static LIST_HEAD(upa_raws);
static DEFINE_SPINLOCK(upa_raws_lock);

static u64 upa_raw_span(const struct upa_region *r)
{
	return r->mode == UPADEV_RAW_PMD ? PUD_SIZE : PMD_SIZE;
}

static u64 upa_raw_max_tables(const struct upa_region *r)
{
	return upa_data_bytes(r) / upa_raw_span(r);
}

u64 upa_raw_tables_bytes(const struct upa_region *r)
{
	return upa_raw_max_tables(r) * PAGE_SIZE;
}

static pud_t *upa_raw_pud(struct mm_struct *mm, unsigned long address)
{
	return pud_offset(p4d_offset(pgd_offset(mm, address), address), address);
}

/*
 * Takes the tables out of the tree. Runs once, before the first entry of the mapping is taken
 * apart: in munmap(), whose mapping nobody can find any more, or when the last thread is gone.
 */
static void upa_raw_unhook(struct upa_region *r)
{
	struct upa_raw *raw = r->raw;
	u64 i;

	if (!raw->hooked)
		return;
	raw->hooked = false;
	for (i = 0; i < raw->nr_tables; i++) {
		unsigned long address = r->data_start + i * upa_raw_span(r);
		pud_t *pud = upa_raw_pud(r->mm, address);
		spinlock_t *lock;

		if (r->mode == UPADEV_RAW_PMD) {
			lock = &r->mm->page_table_lock;
			spin_lock(lock);
			pud_clear(pud);
			spin_unlock(lock);
			mm_dec_nr_pmds(r->mm);
			mm_dec_nr_ptes(r->mm); /* of the displaced one */
		} else {
			pmd_t *pmd = pmd_offset(pud, address);

			lock = pmd_lock(r->mm, pmd);
			pmd_clear(pmd);
			spin_unlock(lock);
			mm_dec_nr_ptes(r->mm);
		}
	}
	/*
	 * Also what the process has taken away itself and not flushed. The kernel's walkers without
	 * locks run with interrupts off, so that none of them is in a table after this.
	 */
	upa_flush_everywhere();
}

static int upa_raw_on_invalidate(struct mmu_notifier *notifier,
				 const struct mmu_notifier_range *range)
{
	struct upa_region *r = container_of(notifier, struct upa_raw, notifier)->region;

	/* The mapping is only ever unmapped whole; mremap() is refused before it gets here. */
	if (range->event == MMU_NOTIFY_UNMAP && range->start <= r->data_start &&
	    range->end >= r->data_start + upa_data_bytes(r))
		upa_raw_unhook(r);
	return 0;
}

static void upa_raw_on_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	upa_raw_unhook(container_of(notifier, struct upa_raw, notifier)->region);
}

static const struct mmu_notifier_ops upa_raw_notifier_ops = {
	.invalidate_range_start = upa_raw_on_invalidate,
	.release = upa_raw_on_release,
};

static bool upa_raw_is_ours(const struct hlist_node *node)
{
	const struct upa_raw *raw;

	lockdep_assert_held(&upa_raws_lock);
	list_for_each_entry (raw, &upa_raws, link)
		if (&raw->notifier.hlist == node)
			return true;
	return false;
}

/*
 * Are the notifiers of raw regions the only ones of the mm? Others stand in its list next to one of
 * ours, if they are there at all; they are compared with, never looked into. (Interval notifiers
 * stand elsewhere: those who use them refuse mappings of this kind.)
 */
static bool upa_raw_alone(const struct mm_struct *mm)
{
	const struct upa_raw *raw;
	bool alone = true;

	lockdep_assert_held(&upa_raws_lock);
	list_for_each_entry (raw, &upa_raws, link) {
		struct hlist_node *next = READ_ONCE(raw->notifier.hlist.next);
		struct hlist_node **back = READ_ONCE(raw->notifier.hlist.pprev);

		if (raw->region->mm != mm || !back) /* NULL: on its way out */
			continue;
		alone &= !next || upa_raw_is_ours(next);
		alone &= back == raw->region->notifier_head ||
			 upa_raw_is_ours(container_of(back, struct hlist_node, next));
	}
	return alone;
}

bool upa_raw_shared_by_others(const struct upa_region *r)
{
	bool alone;

	spin_lock(&upa_raws_lock);
	alone = upa_raw_alone(r->mm);
	spin_unlock(&upa_raws_lock);
	return !alone;
}

int upa_raw_prepare(struct upa_region *r)
{
	struct upa_raw *raw = kzalloc(sizeof(*raw), GFP_KERNEL_ACCOUNT);
	u64 n = upa_raw_max_tables(r);
	bool alone;
	int ret;

	if (!raw)
		return -ENOMEM;
	r->raw = raw;
	raw->region = r;
	INIT_LIST_HEAD(&raw->link);
	raw->tables = kvcalloc(n, sizeof(*raw->tables), GFP_KERNEL_ACCOUNT);
	if (!raw->tables)
		return -ENOMEM;
	if (r->mode == UPADEV_RAW_PMD) {
		raw->displaced = kvcalloc(n, sizeof(*raw->displaced), GFP_KERNEL_ACCOUNT);
		if (!raw->displaced)
			return -ENOMEM;
	}
	raw->notifier.ops = &upa_raw_notifier_ops;
	if (mmap_write_lock_killable(r->mm))
		return -EINTR;
	ret = __mmu_notifier_register(&raw->notifier, r->mm);
	if (!ret) {
		raw->notified = true;
		/* Under mmap_lock nobody else can have come before us since. */
		r->notifier = &raw->notifier.hlist;
		r->notifier_head = raw->notifier.hlist.pprev;
		spin_lock(&upa_raws_lock);
		list_add(&raw->link, &upa_raws);
		alone = upa_raw_alone(r->mm);
		spin_unlock(&upa_raws_lock);
		if (!alone)
			ret = -EOPNOTSUPP;
	}
	mmap_write_unlock(r->mm);
	return ret;
}

static int upa_raw_note_table(pte_t *pte, unsigned long address, void *data)
{
	struct page **page = data;

	*page = virt_to_page(pte);
	get_page(*page);
	return 0;
}

/* Has the kernel make one page of tables and holds it. */
static int upa_raw_take_table(struct upa_region *r, u64 i)
{
	unsigned long address = r->data_start + i * upa_raw_span(r);
	struct upa_raw *raw = r->raw;
	spinlock_t *lock;
	pmd_t *pmd;
	int ret;

	if (r->mode == UPADEV_RAW_PTE)
		return apply_to_page_range(r->mm, address, PAGE_SIZE, upa_raw_note_table,
					   &raw->tables[i]);

	ret = upa_table_make(r->mm, address);
	if (ret)
		return ret;
	pmd = pmd_offset(upa_raw_pud(r->mm, address), address);
	lock = pmd_lock(r->mm, pmd);
	raw->displaced[i] = pmd_val(*pmd);
	pmd_clear(pmd);
	spin_unlock(lock);
	raw->tables[i] = virt_to_page(pmd);
	get_page(raw->tables[i]);
	return 0;
}

int upa_raw_map_tables(struct upa_region *r, struct vm_area_struct *vma)
{
	struct upa_raw *raw = r->raw;
	u64 i;
	int ret;

	lockdep_assert_held_write(&r->mm->mmap_lock);
	if (!r->data_vma)
		return -ENXIO;
	raw->hooked = true;
	for (i = raw->nr_tables; i < upa_raw_max_tables(r); i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		ret = upa_raw_take_table(r, i);
		if (ret)
			return ret;
		raw->nr_tables = i + 1;
		cond_resched();
	}
	for (i = 0; i < raw->nr_tables; i++) {
		vm_fault_t fault = vmf_insert_pfn(vma, vma->vm_start + i * PAGE_SIZE,
						  page_to_pfn(raw->tables[i]));

		if (fault != VM_FAULT_NOPAGE)
			return -ENOMEM;
		cond_resched();
	}
	/* The displaced tables may be in the paging-structure caches. */
	if (r->mode == UPADEV_RAW_PMD)
		upa_flush(r);
	return 0;
}

void upa_raw_release(struct upa_region *r)
{
	struct upa_raw *raw = r->raw;
	u64 i;

	if (!raw)
		return;
	if (raw->notified)
		mmu_notifier_unregister(&raw->notifier, r->mm);
	spin_lock(&upa_raws_lock);
	list_del(&raw->link);
	spin_unlock(&upa_raws_lock);
	for (i = 0; i < raw->nr_tables; i++) {
		/* Twice: the kernel's reference, which went with the unhooking, and ours. */
		if (r->mode == UPADEV_RAW_PMD) {
			pte_free(r->mm, pmd_pgtable(__pmd(raw->displaced[i])));
			pmd_free(r->mm, page_address(raw->tables[i]));
		} else {
			pte_free(r->mm, raw->tables[i]);
		}
		put_page(raw->tables[i]);
	}
	kvfree(raw->tables);
	kvfree(raw->displaced);
	kfree(raw);
}
