/* SPDX-License-Identifier: GPL-2.0 */
/* table.c: page tables of the owner, and their TLB entries. A part of region.h. */
#ifndef UPA_TABLE_H
#define UPA_TABLE_H

#include <linux/mmu_notifier.h>

struct upa_table {
	pte_t *pte;
	spinlock_t *lock;
};

bool upa_table_lock(struct mm_struct *mm, unsigned long address, struct upa_table *t);
bool upa_table_populate(struct vm_fault *vmf);

static inline bool upa_is_table(pmd_t pmd)
{
	return (native_pmd_val(pmd) & (_PAGE_PRESENT | _PAGE_PSE)) == _PAGE_PRESENT;
}

/*
 * Locks the page table that @pmd names; false if it names none. A full barrier (x86: a locked
 * instruction): a table that is made and locked here was either seen by whoever empties tables, or
 * sees here what he wrote before he looked.
 */
static __always_inline bool upa_table_lock_at(struct mm_struct *mm, pmd_t *pmd,
					      unsigned long address, struct upa_table *t)
{
	pmd_t table = READ_ONCE(*pmd);

	if (!upa_is_table(table))
		return false;
	t->lock = pte_lockptr(mm, &table);
	t->pte = pte_offset_kernel(&table, address);
	spin_lock(t->lock);
	smp_mb__after_spinlock();
	return true;
}

pmd_t *upa_pmd(struct mm_struct *mm, unsigned long address);
int upa_table_make(struct mm_struct *mm, unsigned long address);
void upa_flush(struct upa_region *r);
void upa_flush_everywhere(void);
int upa_zap_data(struct upa_region *r, bool killable);

/*
 * Does a device or a guest share the owner's page tables? They have translations of their own, of
 * which only the kernel's notifiers tell them. Asked after entries were cleared: whoever comes
 * later finds these cleared.
 */
static inline bool upa_secondary_mmus(const struct upa_region *r)
{
	smp_mb(); /* the caller's clearing, then the list of notifiers */
	return mm_has_notifiers(r->mm);
}

#endif /* UPA_TABLE_H */
