// SPDX-License-Identifier: GPL-2.0
/*
 * Mappings of a region's parts, and what the other calls on mappings may do with them: nothing
 * but unmap them whole. Neither split, moved, grown, re-protected nor copied by fork, a
 * mapping always covers its part of the region exactly.
 */
#include <linux/vmalloc.h>

#include "region.h"

static void add_flags(struct vm_area_struct *vma, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

static void remove_flags(struct vm_area_struct *vma, unsigned long flags)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
	vm_flags_clear(vma, flags);
#else
	vma->vm_flags &= ~flags;
#endif
}

static int refuse_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static int refuse_move(struct vm_area_struct *vma)
{
	return -EINVAL;
}

static int refuse_protect(struct vm_area_struct *vma, unsigned long start, unsigned long end,
			  unsigned long flags)
{
	return -EACCES;
}

static vm_fault_t refuse_fault(struct vm_fault *vmf)
{
	return VM_FAULT_SIGBUS;
}

static const struct vm_operations_struct part_ops = {
	.may_split = refuse_split,
	.mremap = refuse_move,
	.mprotect = refuse_protect,
	.fault = refuse_fault,
};

static vm_fault_t data_fault(struct vm_fault *vmf)
{
	struct upa_region *r = vmf->vma->vm_private_data;

	if (r->mode == UPADEV_GUARDED)
		return upa_guarded_fault(r, vmf);
	atomic64_inc(&r->count.bad_faults);
	return VM_FAULT_SIGBUS;
}

/* Its presence lets the kernel take 2 MiB entries of the raw mode apart as what they are. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
static vm_fault_t data_huge_fault(struct vm_fault *vmf, unsigned int order)
#else
static vm_fault_t data_huge_fault(struct vm_fault *vmf, enum page_entry_size size)
#endif
{
	return VM_FAULT_FALLBACK;
}

static void data_close(struct vm_area_struct *vma)
{
	struct upa_region *r = vma->vm_private_data;

	/* A refused mremap closes the copy that it made. */
	if (vma->vm_start == r->data_start)
		WRITE_ONCE(r->data_start, 0);
}

const struct vm_operations_struct upa_data_ops = {
	.close = data_close,
	.may_split = refuse_split,
	.mremap = refuse_move,
	.mprotect = refuse_protect,
	.fault = data_fault,
	.huge_fault = data_huge_fault,
};

static int mmap_data(struct upa_region *r, struct vm_area_struct *vma)
{
	unsigned long alignment = r->mode == UPADEV_RAW_PMD ? PUD_SIZE : PMD_SIZE;

	if (vma->vm_end - vma->vm_start != upa_data_bytes(r) ||
	    !IS_ALIGNED(vma->vm_start, alignment) ||
	    (vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) != (VM_READ | VM_WRITE))
		return -EINVAL;
	if (r->data_start || (r->mode != UPADEV_GUARDED && r->data_was_mapped))
		return -EBUSY;
	/* VM_IO, too: without it MADV_DOFORK takes VM_DONTCOPY back. */
	add_flags(vma, VM_PFNMAP | VM_IO);
	remove_flags(vma, VM_MAYEXEC);
	vma->vm_ops = &upa_data_ops;
	r->data_start = vma->vm_start;
	r->data_was_mapped = true;
	return 0;
}

static int mmap_memory(struct vm_area_struct *vma, void *memory, u64 bytes)
{
	if (!memory || vma->vm_end - vma->vm_start != PAGE_ALIGN(bytes) || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	remove_flags(vma, VM_MAYEXEC);
	vma->vm_ops = &part_ops;
	return remap_vmalloc_range(vma, memory, 0);
}

static int mmap_tables(struct upa_region *r, struct vm_area_struct *vma)
{
	if (vma->vm_end - vma->vm_start != upa_nr_tables(r) * PAGE_SIZE || vma->vm_flags & VM_EXEC)
		return -EINVAL;
	add_flags(vma, VM_PFNMAP | VM_IO);
	remove_flags(vma, VM_MAYEXEC);
	vma->vm_ops = &part_ops;
	return upa_raw_map_tables(r, vma);
}

int upa_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct upa_region *r = file->private_data;
	u64 offset = (u64)vma->vm_pgoff << PAGE_SHIFT;

	/* Pairs with the release in create(). */
	if (!smp_load_acquire(&r->ready))
		return -ENXIO;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	add_flags(vma, VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = r;
	if (offset == UPADEV_MAP_STATE)
		return mmap_memory(vma, r->state, r->state_bytes);
	if (offset == UPADEV_MAP_SHADOW)
		return mmap_memory(vma, r->shadow, r->pages * sizeof(*r->shadow));
	if (current->mm != r->mm)
		return -EPERM;
	if (offset == UPADEV_MAP_DATA)
		return mmap_data(r, vma);
	if (r->mode == UPADEV_GUARDED)
		return -EINVAL;
	if (offset == UPADEV_MAP_ENTRIES) {
		if (vma->vm_flags & VM_WRITE)
			return -EINVAL;
		remove_flags(vma, VM_MAYWRITE);
		return mmap_memory(vma, r->entries, upa_nr_entries(r) * sizeof(*r->entries));
	}
	if (offset == UPADEV_MAP_TABLES)
		return mmap_tables(r, vma);
	return -EINVAL;
}
