// SPDX-License-Identifier: GPL-2.0
/*
 * The page tables of the owner, and the shoot-down of TLB entries.
 *
 * Entries of the region are cleared by this module or by the process itself, which leaves
 * translations behind in TLBs. The kernel exports no function that flushes those of one address
 * space; zap_vma_ptes() flushes what it clears itself. But it exports the flush of one CPU, and
 * says in its headers how CPUs and address spaces find each other (arch/x86/mm/tlb.c):
 *
 *   - A CPU that may use an address space has its bit in mm_cpumask(). It sets the bit, then
 *     reads the generation of the address space (context.tlb_gen), then loads the tables.
 *   - It keeps translations of an address space that it has left, if it has PCIDs, and uses
 *     them again only if the generation is that of its last flush.
 *
 * So a shoot-down steps the generation, then has all CPUs of the mask flush: whoever does not
 * see the new generation has been seen in the mask. The generation that a CPU believes to have
 * reached stays behind, which only makes the kernel's own next flush there a whole one.
 */
#include <linux/mmu_notifier.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <asm/pgalloc.h>
#include <asm/tlbflush.h>

#include "region.h"

/* Later kernels have address spaces whose generation CPUs need not look at (INVLPGB). */
#define UPA_KNOWN_GENERATIONS (LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0))

/* Of one unmap_mapping_range(), between two looks for a fatal signal. */
#define UPA_ZAP_BYTES (1ULL << 30)

/* The entry of 2 MiB, or of a page table, of @address; NULL if no table holds it. */
pmd_t *upa_pmd(struct mm_struct *mm, unsigned long address)
{
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;

	lockdep_assert_held(&mm->mmap_lock);
	if (pgd_none(*pgd))
		return NULL;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(*p4d))
		return NULL;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud))
		return NULL;
	return pmd_offset(pud, address);
}

/*
 * Finds and locks the page table (512 entries) of @address; false if there is none, or an entry of
 * 2 MiB in its place (blocks.c). A table is made under the mmap_lock that the caller holds, or by a
 * fault beside it, and never taken away while the lock is held and the mapping is in the tree.
 */
bool upa_table_lock(struct mm_struct *mm, unsigned long address, struct upa_table *t)
{
	pmd_t *pmd = upa_pmd(mm, address);

	return pmd && upa_table_lock_at(mm, pmd, address, t);
}

/*
 * Puts the page table that the kernel has brought for a fault, if there is nothing in its place.
 * False if it has brought none, since there was something a moment ago.
 */
bool upa_table_populate(struct vm_fault *vmf)
{
	struct mm_struct *mm = vmf->vma->vm_mm;
	spinlock_t *lock;

	if (!vmf->prealloc_pte)
		return false;
	lock = pmd_lock(mm, vmf->pmd);
	if (pmd_none(*vmf->pmd)) {
		mm_inc_nr_ptes(mm);
		smp_wmb(); /* the table is zero, then it is one */
		pmd_populate(mm, vmf->pmd, vmf->prealloc_pte);
		vmf->prealloc_pte = NULL;
	}
	spin_unlock(lock);
	return true;
}

static int upa_no_change(pte_t *pte, unsigned long address, void *data)
{
	return 0;
}

/*
 * Makes the page table of @address if there is none. It must not meet an entry of 2 MiB, not even
 * one that is set meanwhile: with ->blocks mmap_lock is held for writing.
 */
int upa_table_make(struct mm_struct *mm, unsigned long address)
{
	lockdep_assert_held(&mm->mmap_lock);
	return apply_to_page_range(mm, address & PAGE_MASK, PAGE_SIZE, upa_no_change, NULL);
}

/*
 * Empties the tables of the data, wherever it is mapped, also if munmap() is about to: see
 * region.h. -EINTR after a fatal signal, with a part of it done.
 */
int upa_zap_data(struct upa_region *r, bool killable)
{
	u64 bytes = upa_data_bytes(r), at;

	smp_mb(); /* what keeps entries from being installed, then the tables are looked at */
	for (at = 0; at < bytes; at += UPA_ZAP_BYTES) {
		if (killable && fatal_signal_pending(current))
			return -EINTR;
		unmap_mapping_range(&r->mapping, UPADEV_MAP_DATA + at,
				    min(UPA_ZAP_BYTES, bytes - at), 1);
		cond_resched();
	}
	return 0;
}

static void upa_flush_cpu(void *unused)
{
	__flush_tlb_all();
}

/*
 * For frames that leave the pool: every CPU drops everything, whatever the kernel's bookkeeping
 * of address spaces is.
 */
void upa_flush_everywhere(void)
{
	smp_mb(); /* the caller's clearing, then the flush */
	on_each_cpu(upa_flush_cpu, NULL, true);
}

/*
 * True if no other CPU uses the owner's tables, and this one has flushed. Others that come later
 * see the generation.
 */
static bool upa_flush_alone(struct mm_struct *mm)
{
	bool alone;

	preempt_disable();
	alone = cpumask_any_but(mm_cpumask(mm), smp_processor_id()) >= nr_cpu_ids;
	if (alone)
		__flush_tlb_all();
	preempt_enable();
	return alone;
}

/*
 * Returns after every CPU has dropped the translations of all entries that were cleared before
 * the call. A flush that began after this call serves it as well.
 */
void upa_flush(struct upa_region *r)
{
	u64 begun;

	/* A full barrier: the caller's clearing, then the mask, or the counter. */
	atomic64_inc_return(&r->mm->context.tlb_gen);
	if (UPA_KNOWN_GENERATIONS && upa_flush_alone(r->mm))
		goto done;
	begun = READ_ONCE(r->flushes_begun);
	mutex_lock(&r->flush_lock);
	if (r->flushes_begun > begun) {
		mutex_unlock(&r->flush_lock);
		atomic64_inc(&r->count.shared_shootdowns);
		return;
	}
	WRITE_ONCE(r->flushes_begun, begun + 1);
	smp_mb(); /* the counter, then the flush */
	if (UPA_KNOWN_GENERATIONS)
		on_each_cpu_mask(mm_cpumask(r->mm), upa_flush_cpu, NULL, true);
	else
		upa_flush_everywhere();
	mutex_unlock(&r->flush_lock);
done:
	atomic64_inc(&r->count.shootdowns);
}
