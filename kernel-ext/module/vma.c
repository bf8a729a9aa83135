// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of a region's parts, and what the other calls on mappings may do with them: nothing
 * but unmap them whole. Neither split, moved, grown nor re-protected, a mapping always covers its
 * part of the region exactly.
 */
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

#include "region.h"

/* Pages of shadow or state that one touch of them maps: those of a table. */
#define UPA_MAP_AROUND 512UL

static void upa_add_flags(struct vm_area_struct *vma, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

static void upa_remove_flags(struct vm_area_struct *vma, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

static int upa_refuse_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static int upa_refuse_move(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static int upa_refuse_protect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			      unsigned long flags)
{
	return -EACCES;
}

/* The memory behind a mapping of shadow, state or entries, and how much it is. */
static void *upa_part_memory(const struct upa_region *r, u64 offset, u64 *bytes)
{
	switch (offset) {
	case UPADEV_MAP_STATE:
		*bytes = r->state_bytes;
		return r->state;
	case UPADEV_MAP_SHADOW:
		*bytes = upa_shadow_bytes(r);
		return r->shadow;
	default:
		*bytes = upa_entries_bytes(r);
		return r->entries;
	}
}

/*
 * A first touch, or one after MADV_DONTNEED or in a child after MADV_DOFORK: maps what is around.
 */
static vm_fault_t upa_part_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long at = max(vma->vm_start, vmf->address & PMD_MASK);
	unsigned long end =
		min(vma->vm_end, (vmf->address & PMD_MASK) + UPA_MAP_AROUND * PAGE_SIZE);
	u64 bytes;
	char *memory =
		upa_part_memory(vma->vm_private_data, (u64)vma->vm_pgoff << PAGE_SHIFT, &bytes);
	int ret;

	if (WARN_ON_ONCE(!memory || vma->vm_end - vma->vm_start != bytes))
		return VM_FAULT_SIGBUS;
	for (; at < end; at += PAGE_SIZE) {
		ret = vm_insert_page(vma, at, vmalloc_to_page(memory + (at - vma->vm_start)));
		if (ret && ret != -EBUSY && at == (vmf->address & PAGE_MASK))
			return vmf_error(ret);
	}
	return VM_FAULT_NOPAGE;
}

static const struct vm_operations_struct upa_part_ops = {
	.may_split = upa_refuse_split,
	.mremap = upa_refuse_move,
	.mprotect = upa_refuse_protect,
	.fault = upa_part_fault,
};

/* Of the page tables nothing is mapped later: a touch that faults comes after their end. */
static vm_fault_t upa_refuse_fault(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct upa_tables_ops = {
	.may_split = upa_refuse_split,
	.mremap = upa_refuse_move,
	.mprotect = upa_refuse_protect,
	.fault = upa_refuse_fault,
};

/* Its presence lets the kernel take 2 MiB entries of the raw mode apart as what they are. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
static vm_fault_t upa_data_huge_fault(struct vm_fault *vmf, unsigned int order)
#else
static vm_fault_t upa_data_huge_fault(struct vm_fault *vmf, enum page_entry_size size)
#endif
{
	return VM_FAULT_FALLBACK;
}

/* Its tables are empty, and the TLBs flushed. */
static void upa_data_close(struct vm_area_struct *vma)
{
	struct upa_region *r = vma->vm_private_data;

	if (vma != r->data_vma)
		return;
	WRITE_ONCE(r->data_vma, NULL);
	upa_away_unmapped(r);
}

static const struct vm_operations_struct upa_data_ops = {
	.close = upa_data_close,
	.may_split = upa_refuse_split,
	.mremap = upa_refuse_move,
	.mprotect = upa_refuse_protect,
	.fault = upa_data_fault,
	.huge_fault = upa_data_huge_fault,
};

/*
 * The mapping of the region's data, if it is in the owner's tree. NULL does not mean that nothing
 * is mapped: see region.h.
 */
struct vm_area_struct *upa_data_vma(struct upa_region *r)
{
	struct vm_area_struct *vma = READ_ONCE(r->data_vma);

	lockdep_assert_held(&r->mm->mmap_lock);
	return vma && vma_lookup(r->mm, r->data_start) == vma ? vma : NULL;
}

static bool upa_may_map_data(const struct upa_region *r)
{
	return !r->data_vma && (r->mode == UPADEV_GUARDED || !r->data_was_mapped);
}

static int upa_mmap_data(struct upa_region *r, struct vm_area_struct *vma)
{
	unsigned long alignment = r->mode == UPADEV_RAW_PMD ? PUD_SIZE : PMD_SIZE;

	lockdep_assert_held_write(&r->mm->mmap_lock);
	if (vma->vm_end - vma->vm_start != upa_data_bytes(r) ||
	    !IS_ALIGNED(vma->vm_start, alignment) ||
	    (vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) != (VM_READ | VM_WRITE))
		return -EINVAL;
	if (!upa_may_map_data(r))
		return -EBUSY;
	/* VM_IO, too: without it MADV_DOFORK takes VM_DONTCOPY back. */
	upa_add_flags(vma, VM_PFNMAP | VM_IO);
	upa_remove_flags(vma, VM_MAYEXEC);
	vma->vm_ops = &upa_data_ops;
	r->data_start = vma->vm_start;
	upa_blocks_forget(r);
	r->data_was_mapped = true;
	WRITE_ONCE(r->data_vma, vma);
	return 0;
}

static int upa_mmap_memory(struct upa_region *r, struct vm_area_struct *vma, u64 offset)
{
	u64 bytes;
	void *memory = upa_part_memory(r, offset, &bytes);

	if (!memory || vma->vm_end - vma->vm_start != bytes || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	upa_add_flags(vma, VM_MIXEDMAP);
	upa_remove_flags(vma, VM_MAYEXEC);
	vma->vm_ops = &upa_part_ops;
	return 0;
}

static int upa_mmap_tables(struct upa_region *r, struct vm_area_struct *vma)
{
	if (vma->vm_end - vma->vm_start != upa_raw_tables_bytes(r) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	upa_add_flags(vma, VM_PFNMAP | VM_IO);
	upa_remove_flags(vma, VM_MAYEXEC);
	vma->vm_ops = &upa_tables_ops;
	return upa_raw_map_tables(r, vma);
}

int upa_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct upa_region *r = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;

	/* Pairs with the release in upa_create(). */
	if (!smp_load_acquire(&r->ready))
		return -ENXIO;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	upa_add_flags(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = r;
	if (offset == UPADEV_MAP_STATE || offset == UPADEV_MAP_SHADOW)
		return upa_mmap_memory(r, vma, offset);
	if (current->mm != r->mm)
		return -EPERM;
	if (offset == UPADEV_MAP_DATA)
		return upa_mmap_data(r, vma);
	if (r->mode == UPADEV_GUARDED)
		return -EINVAL;
	if (offset == UPADEV_MAP_ENTRIES) {
		if (vma->vm_flags & VM_WRITE)
			return -EINVAL;
		upa_remove_flags(vma, VM_MAYWRITE);
		return upa_mmap_memory(r, vma, offset);
	}
	if (offset == UPADEV_MAP_TABLES)
		return upa_mmap_tables(r, vma);
	return -EINVAL;
}

/*
 * Asked by mmap() and by mremap() before anything changes. mremap() moves page tables first and
 * asks ->mremap afterwards, which would be too late for tables that a process has in its hands.
 */
unsigned long upa_get_unmapped_area(struct file *file, unsigned long address, unsigned long bytes,
				    unsigned long pgoff, unsigned long flags)
{
	struct upa_region *r = file->private_data;

	/* Pairs with the release in upa_create(). */
	if (smp_load_acquire(&r->ready) && current->mm == r->mm &&
	    pgoff == UPADEV_MAP_DATA >> PAGE_SHIFT && !upa_may_map_data(r))
		return -EBUSY;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
	return mm_get_unmapped_area(current->mm, file, address, bytes, pgoff, flags);
#else
	return current->mm->get_unmapped_area(file, address, bytes, pgoff, flags);
#endif
}
