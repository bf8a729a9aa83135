// SPDX-License-Identifier: GPL-2.0
/*
 * The page tables of the owner, and the shoot-down of TLB entries.
 *
 * Entries of the region are cleared by this module or by the process itself, which leaves
 * translations behind in TLBs. The kernel exports no function that only flushes.
 * zap_vma_ptes() flushes what it clears, as one span from the first to the last entry; a span
 * of more than tlb_single_page_flush_ceiling pages (33) is flushed by flushing the whole
 * address space on all CPUs that have it loaded. So the data mapping has a tail, the fence:
 * putting one entry at each end of it and zapping them flushes everything, at a cost that
 * depends on neither the number nor the place of the entries cleared.
 *
 * The fence spans 262 146 pages, with a GiB between its ends for which there is not even a PMD
 * table, so that walking it is short. Root can set the ceiling in debugfs; above that figure
 * the fence would no longer do.
 */
#include <linux/mmap_lock.h>

#include "region.h"

/* The GiB without tables: one page before it and one behind it make the fence. */
static unsigned long fence_gap(const struct upa_region *r)
{
	return round_up(r->data_start + upa_data_bytes(r) + PMD_SIZE, PUD_SIZE);
}

/* Finds and locks the page table (512 entries) of @address; false if there is none. */
bool upa_table_lock(struct mm_struct *mm, unsigned long address, struct upa_table *t)
{
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;

	if (pgd_none(*pgd))
		return false;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(*p4d))
		return false;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud) || pud_bad(*pud))
		return false;
	pmd = pmd_offset(pud, address);
	/*
	 * Made under the mmap_lock that the caller holds, or by another fault; never taken away
	 * while it is held.
	 */
	if (pmd_none(READ_ONCE(*pmd)) || pmd_bad(*pmd))
		return false;
	t->lock = pte_lockptr(mm, pmd);
	t->pte = pte_offset_kernel(pmd, address);
	spin_lock(t->lock);
	return true;
}

static int nothing(pte_t *pte, unsigned long address, void *data)
{
	return 0;
}

/* Makes the page table of @address if there is none. */
int upa_table_make(struct mm_struct *mm, unsigned long address)
{
	return apply_to_page_range(mm, address & PAGE_MASK, PAGE_SIZE, nothing, NULL);
}

static void fence_set(struct upa_region *r, unsigned long address)
{
	struct upa_table t;

	if (WARN_ON_ONCE(!upa_table_lock(r->mm, address, &t)))
		return;
	upa_set_entry(r->mm, address, t.pte, r->blank_entry);
	spin_unlock(t.lock);
}

/* Makes the two tables of the fence, so that a shoot-down can never fail for want of memory. */
int upa_fence_make(struct upa_region *r)
{
	unsigned long gap = fence_gap(r);
	int ret = upa_table_make(r->mm, gap - PAGE_SIZE);

	return ret ?: upa_table_make(r->mm, gap + PUD_SIZE);
}

/*
 * Returns after every CPU has dropped the translations of all entries that were cleared before
 * the call. A flush that began after this call serves it as well. Needs mmap_lock for reading;
 * the mutex is held because of it: a second caller whose fence entries the first one zapped
 * would return before that flush is done.
 */
void upa_flush(struct upa_region *r, struct vm_area_struct *vma)
{
	unsigned long gap = fence_gap(r);
	u64 begun;

	smp_mb(); /* the caller's clearing, then the reading of the counter */
	begun = READ_ONCE(r->flushes_begun);
	mutex_lock(&r->flush_lock);
	if (r->flushes_begun > begun) {
		mutex_unlock(&r->flush_lock);
		atomic64_inc(&r->count.shared_shootdowns);
		return;
	}
	WRITE_ONCE(r->flushes_begun, begun + 1);
	smp_mb(); /* the counter, then the flush */
	fence_set(r, gap - PAGE_SIZE);
	fence_set(r, gap + PUD_SIZE);
	zap_vma_ptes(vma, gap - PAGE_SIZE, PUD_SIZE + 2 * PAGE_SIZE);
	mutex_unlock(&r->flush_lock);
	atomic64_inc(&r->count.shootdowns);
}

/* The mapping of the region's data, or NULL. Needs mmap_lock. */
struct vm_area_struct *upa_data_vma(struct upa_region *r)
{
	struct vm_area_struct *vma;

	if (!r->data_start)
		return NULL;
	vma = find_vma(r->mm, r->data_start);
	if (!vma || vma->vm_start != r->data_start || !upa_is_data_vma(vma) ||
	    vma->vm_private_data != r)
		return NULL;
	return vma;
}
