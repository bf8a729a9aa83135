// SPDX-License-Identifier: GPL-2.0
/*
 * Raw modes: the process gets the page tables of its region mapped writable and stores
 * hardware entries itself.
 *
 * The process is trusted with all memory, but not to leave tidy tables behind: before the
 * kernel unmaps the region, on munmap as well as on exit, tidy() replaces what the kernel
 * could not take apart, and puts an entry at each end of every table, so that the flush of
 * that unmapping spans also translations the process cleared without fsync().
 *
 * The module holds a reference on each page of tables until the file is gone. A page the
 * kernel has long freed from the mm is then an ordinary page of which only this process sees
 * the contents.
 */
#include <linux/mmap_lock.h>
#include <linux/vmalloc.h>

#include "region.h"

static void tidy_ptes(const struct upa_region *r, u64 *table)
{
	unsigned int i;

	for (i = 0; i < PTRS_PER_PTE; i++) {
		u64 entry = READ_ONCE(table[i]);
		bool fine = !entry || ((entry & _PAGE_PRESENT) && (entry & _PAGE_SPECIAL));

		if (!fine || (!entry && (i == 0 || i == PTRS_PER_PTE - 1)))
			WRITE_ONCE(table[i], r->blank_entry);
	}
}

static void tidy_pmds(struct upa_region *r, u64 *table, u64 displaced)
{
	unsigned int i;

	for (i = 1; i < PTRS_PER_PMD; i++) {
		u64 entry = READ_ONCE(table[i]);

		if ((entry & _PAGE_PRESENT) && (entry & _PAGE_PSE))
			continue;
		if (i == PTRS_PER_PMD - 1 && r->frames)
			WRITE_ONCE(table[i], r->entries[0]);
		else if (entry)
			WRITE_ONCE(table[i], 0);
	}
	/*
	 * The table of 4 KiB entries that made the kernel make this one: the kernel has to find and
	 * free it.
	 */
	tidy_ptes(r, (u64 *)pmd_page_vaddr(__pmd(displaced)));
	WRITE_ONCE(table[0], displaced);
}

static void tidy(struct upa_region *r)
{
	u64 i;

	for (i = 0; i < r->nr_tables; i++) {
		u64 *table = page_address(r->tables[i]);

		if (r->mode == UPADEV_RAW_PMD)
			tidy_pmds(r, table, r->displaced[i]);
		else
			tidy_ptes(r, table);
	}
}

static int on_invalidate(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	struct upa_region *r = container_of(notifier, struct upa_region, notifier);
	unsigned long start = READ_ONCE(r->data_start);

	if (range->event == MMU_NOTIFY_UNMAP && start && range->start < start + upa_data_bytes(r) &&
	    range->end > start)
		tidy(r);
	return 0;
}

static void on_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct upa_region *r = container_of(notifier, struct upa_region, notifier);

	if (READ_ONCE(r->data_start))
		tidy(r);
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start = on_invalidate,
	.release = on_release,
};

int upa_raw_prepare(struct upa_region *r)
{
	int ret;

	r->tables = kvcalloc(upa_nr_tables(r), sizeof(*r->tables), GFP_KERNEL_ACCOUNT);
	if (!r->tables)
		return -ENOMEM;
	if (r->mode == UPADEV_RAW_PMD) {
		r->displaced =
			kvcalloc(upa_nr_tables(r), sizeof(*r->displaced), GFP_KERNEL_ACCOUNT);
		if (!r->displaced)
			return -ENOMEM;
	}
	r->notifier.ops = &notifier_ops;
	ret = mmu_notifier_register(&r->notifier, r->mm);
	r->notified = !ret;
	return ret;
}

static int note_table(pte_t *pte, unsigned long address, void *data)
{
	struct page **page = data;

	*page = virt_to_page(pte);
	get_page(*page);
	return 0;
}

/* Has the kernel make one page of tables and holds it. */
static int take_table(struct upa_region *r, u64 i)
{
	unsigned long address = r->data_start + i * (r->mode == UPADEV_RAW_PMD ? PUD_SIZE : PMD_SIZE);
	spinlock_t *lock;
	pmd_t *pmd;
	int ret;

	if (r->mode == UPADEV_RAW_PTE)
		return apply_to_page_range(r->mm, address, PAGE_SIZE, note_table, &r->tables[i]);

	ret = upa_table_make(r->mm, address);
	if (ret)
		return ret;
	pmd = pmd_offset(pud_offset(p4d_offset(pgd_offset(r->mm, address), address), address),
			 address);
	lock = pmd_lock(r->mm, pmd);
	r->displaced[i] = pmd_val(*pmd);
	pmd_clear(pmd);
	spin_unlock(lock);
	r->tables[i] = virt_to_page(pmd);
	get_page(r->tables[i]);
	return 0;
}

/* mmap() of the tables: needs mmap_lock for writing. */
int upa_raw_map_tables(struct upa_region *r, struct vm_area_struct *vma)
{
	u64 i;
	int ret;

	if (!r->data_start)
		return -ENXIO;
	for (i = r->nr_tables; i < upa_nr_tables(r); i++) {
		ret = take_table(r, i);
		if (ret)
			return ret;
		r->nr_tables = i + 1;
		cond_resched();
	}
	for (i = 0; i < r->nr_tables; i++) {
		vm_fault_t fault = vmf_insert_pfn(vma, vma->vm_start + i * PAGE_SIZE,
						  page_to_pfn(r->tables[i]));

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
	u64 i;

	if (r->notified)
		mmu_notifier_unregister(&r->notifier, r->mm);
	for (i = 0; i < r->nr_tables; i++)
		put_page(r->tables[i]);
	kvfree(r->tables);
	kvfree(r->displaced);
}
