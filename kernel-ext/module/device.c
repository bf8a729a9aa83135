// SPDX-License-Identifier: GPL-2.0
/*
 * The device /dev/upa: opening, creating a region, the calls, and the end of a region. See
 * upa.h for what each promises.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/miscdevice.h>
#include <linux/mmap_lock.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "region.h"

static bool raw;
module_param(raw, bool, 0444);
MODULE_PARM_DESC(
	raw,
	"Let processes with CAP_SYS_RAWIO write page tables, hence read and write all memory (default: no)");

static int upa_open(struct inode *inode, struct file *file)
{
	struct upa_region *r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);

	if (!r)
		return -ENOMEM;
	mutex_init(&r->create_lock);
	mutex_init(&r->flush_lock);
	mutex_init(&r->refill_lock);
	init_rwsem(&r->moves);
	file->private_data = r;
	return nonseekable_open(inode, file);
}

/* Undoes all that create() did, whatever it reached. */
static void dismantle(struct upa_region *r)
{
	upa_raw_release(r);
	if (r->entries)
		upa_pool_free(r, 0, r->frames);
	vfree(r->entries);
	vfree(r->shadow);
	vfree(r->state);
	bitmap_free(r->whole_blocks);
	bitmap_free(r->gone);
	bitmap_free(r->named);
	if (r->mm) {
		if (r->charged_pages)
			account_locked_vm(r->mm, r->charged_pages, false);
		mmdrop(r->mm);
	}
}

static int upa_release(struct inode *inode, struct file *file)
{
	struct upa_region *r = file->private_data;

	upa_reclaim_forget(r);
	dismantle(r);
	kfree(r);
	return 0;
}

static bool raw_allowed(void)
{
	/* The books of CONFIG_PAGE_TABLE_CHECK know nothing of entries that a process stores. */
	return raw && IS_ENABLED(CONFIG_MMU_NOTIFIER) && !IS_ENABLED(CONFIG_PAGE_TABLE_CHECK) && capable(CAP_SYS_RAWIO) &&
	       !security_locked_down(LOCKDOWN_DEV_MEM);
}

static int check_create(const struct upadev_create *c)
{
	u64 unit = c->mode == UPADEV_RAW_PMD ? UPADEV_BLOCK_PAGES * UPADEV_BLOCK_PAGES : UPADEV_BLOCK_PAGES;

	if (c->version != UPADEV_ABI_VERSION || c->mode > UPADEV_RAW_PMD ||
	    c->flags & ~(UPADEV_CREATE_TRACK | UPADEV_CREATE_RECLAIM) || c->pad ||
	    memchr_inv(c->reserved, 0, sizeof(c->reserved)))
		return -EINVAL;
	if (c->pages < unit || c->pages > UPADEV_MAX_PAGES || c->pages % unit)
		return -EINVAL;
	if (c->max_frames < UPADEV_BLOCK_PAGES || c->max_frames > UPADEV_MAX_PAGES ||
	    c->max_frames % UPADEV_BLOCK_PAGES || c->frames > c->max_frames ||
	    c->frames % UPADEV_BLOCK_PAGES)
		return -EINVAL;
	if (c->state_bytes > UPADEV_MAX_STATE_BYTES || c->state_bytes % PAGE_SIZE)
		return -EINVAL;
	/* Taking back empties all tables, with what was tracked in them. */
	if (c->flags & UPADEV_CREATE_RECLAIM && (c->mode != UPADEV_GUARDED || c->flags & UPADEV_CREATE_TRACK))
		return -EINVAL;
	if (c->mode != UPADEV_GUARDED && !raw_allowed())
		return -EPERM;
	return 0;
}

static int charge(struct upa_region *r, u64 pages)
{
	int ret = account_locked_vm(r->mm, pages, true);

	if (!ret)
		r->charged_pages += pages;
	return ret;
}

static void uncharge(struct upa_region *r, u64 pages)
{
	account_locked_vm(r->mm, pages, false);
	r->charged_pages -= pages;
}

static int build(struct upa_region *r, const struct upadev_create *c)
{
	u64 entries_bytes, shadow_bytes;
	int ret;

	r->mode = c->mode;
	r->track = c->flags & UPADEV_CREATE_TRACK;
	r->pages = c->pages;
	r->max_frames = c->max_frames;
	r->state_bytes = c->state_bytes;
	r->mm = current->mm;
	mmgrab(r->mm);
	r->blank_entry = pte_val(pte_mkspecial(pfn_pte(PHYS_PFN(__pa_symbol(empty_zero_page)),
						       vm_get_page_prot(VM_READ | VM_SHARED))));
	entries_bytes = PAGE_ALIGN(upa_nr_entries(r) * sizeof(*r->entries));
	shadow_bytes = r->mode == UPADEV_GUARDED ? r->pages * sizeof(*r->shadow) : 0;
	ret = charge(
		r, c->frames + PHYS_PFN(entries_bytes + PAGE_ALIGN(shadow_bytes) + r->state_bytes));
	if (ret)
		return ret;

	r->whole_blocks = bitmap_zalloc(r->max_frames / UPADEV_BLOCK_PAGES, GFP_KERNEL_ACCOUNT);
	r->entries = vmalloc_user(entries_bytes);
	if (!r->whole_blocks || !r->entries)
		return -ENOMEM;
	if (c->flags & UPADEV_CREATE_RECLAIM) {
		r->gone = bitmap_zalloc(r->max_frames / UPADEV_BLOCK_PAGES, GFP_KERNEL_ACCOUNT);
		r->named = bitmap_zalloc(r->max_frames / UPADEV_BLOCK_PAGES, GFP_KERNEL_ACCOUNT);
		if (!r->gone || !r->named)
			return -ENOMEM;
	}
	if (shadow_bytes) {
		r->shadow = vmalloc_user(shadow_bytes);
		if (!r->shadow)
			return -ENOMEM;
	}
	if (r->state_bytes) {
		r->state = vmalloc_user(r->state_bytes);
		if (!r->state)
			return -ENOMEM;
	}
	if (r->mode != UPADEV_GUARDED) {
		ret = upa_raw_prepare(r);
		if (ret)
			return ret;
	}
	return upa_pool_grow(r, c->frames);
}

static long create(struct upa_region *r, struct upadev_create __user *user)
{
	struct upadev_create c;
	int ret;

	if (copy_from_user(&c, user, sizeof(c)))
		return -EFAULT;
	ret = check_create(&c);
	if (ret)
		return ret;
	c.data_bytes = c.pages * UPADEV_PAGE_BYTES;
	c.shadow_bytes = c.mode == UPADEV_GUARDED ? PAGE_ALIGN(c.pages * sizeof(u32)) : 0;
	c.entries_bytes = 0;
	c.tables_bytes = 0;

	mutex_lock(&r->create_lock);
	ret = -EBUSY;
	if (r->ready)
		goto out;
	ret = build(r, &c);
	if (!ret && c.mode != UPADEV_GUARDED) {
		c.entries_bytes = PAGE_ALIGN(upa_nr_entries(r) * sizeof(*r->entries));
		c.tables_bytes = upa_nr_tables(r) * PAGE_SIZE;
		pr_warn_ratelimited("process %d (%s) can write page tables, hence all memory\n",
				    task_tgid_nr(current), current->comm);
	}
	if (!ret && copy_to_user(user, &c, sizeof(c)))
		ret = -EFAULT;
	if (ret) {
		/* As if nothing had happened: another attempt is allowed. */
		dismantle(r);
		memset_after(r, 0, create_lock);
		mutex_init(&r->flush_lock);
		mutex_init(&r->refill_lock);
		init_rwsem(&r->moves);
		goto out;
	}
	/* Pairs with the acquire in upa_mmap() and upa_ioctl(). */
	smp_store_release(&r->ready, true);
	if (r->gone)
		upa_reclaim_watch(r);
out:
	mutex_unlock(&r->create_lock);
	return ret;
}

static long info(struct upadev_info __user *user)
{
	struct upadev_info i = { .version = UPADEV_ABI_VERSION, .modes = BIT(UPADEV_GUARDED) };

	if (raw_allowed())
		i.modes |= BIT(UPADEV_RAW_PTE) | BIT(UPADEV_RAW_PMD);
	return copy_to_user(user, &i, sizeof(i)) ? -EFAULT : 0;
}

static long stats(struct upa_region *r, struct upadev_stats __user *user)
{
	struct upadev_stats s = {
		.pages = r->pages,
		.frames = READ_ONCE(r->frames),
		.max_frames = r->max_frames,
		.mode = r->mode,
		.faults = atomic64_read(&r->count.faults),
		.fault_pages = atomic64_read(&r->count.fault_pages),
		.bad_faults = atomic64_read(&r->count.bad_faults),
		.map_calls = atomic64_read(&r->count.map_calls),
		.map_pages = atomic64_read(&r->count.map_pages),
		.unmap_calls = atomic64_read(&r->count.unmap_calls),
		.unmap_pages = atomic64_read(&r->count.unmap_pages),
		.shootdowns = atomic64_read(&r->count.shootdowns),
		.shared_shootdowns = atomic64_read(&r->count.shared_shootdowns),
		.charged_pages = READ_ONCE(r->charged_pages),
		.reclaimed_pages = atomic64_read(&r->count.reclaimed_pages),
	};

	return copy_to_user(user, &s, sizeof(s)) ? -EFAULT : 0;
}

static long batch(struct upa_region *r, struct upadev_batch __user *user, bool map)
{
	struct upadev_batch b;
	int ret;

	if (r->mode != UPADEV_GUARDED)
		return -EOPNOTSUPP;
	if (copy_from_user(&b, user, sizeof(b)))
		return -EFAULT;
	ret = upa_guarded_batch(r, &b, map);
	if ((!ret || ret == -EINVAL || ret == -EINTR) && copy_to_user(user, &b, sizeof(b)))
		return -EFAULT;
	return ret;
}

static long harvest(struct upa_region *r, struct upadev_harvest __user *user)
{
	struct upadev_harvest h;
	int ret;

	if (r->mode != UPADEV_GUARDED)
		return -EOPNOTSUPP;
	if (copy_from_user(&h, user, sizeof(h)))
		return -EFAULT;
	ret = upa_guarded_harvest(r, &h);
	if (!ret && copy_to_user(user, &h, sizeof(h)))
		return -EFAULT;
	return ret;
}

static long resize(struct upa_region *r, const struct upadev_resize __user *user)
{
	struct upadev_resize request;
	u64 before;
	int ret;

	if (copy_from_user(&request, user, sizeof(request)))
		return -EFAULT;
	if (memchr_inv(request.reserved, 0, sizeof(request.reserved)) ||
	    request.frames > r->max_frames || request.frames % UPADEV_BLOCK_PAGES)
		return -EINVAL;
	mutex_lock(&r->create_lock);
	before = r->frames;
	if (request.frames >= before) {
		ret = charge(r, request.frames - before);
		if (!ret) {
			ret = upa_pool_grow(r, request.frames);
			if (ret)
				uncharge(r, request.frames - before);
		}
	} else if (r->mode != UPADEV_GUARDED) {
		ret = -EOPNOTSUPP;
	} else {
		ret = upa_guarded_shrink(r, request.frames);
		if (!ret)
			uncharge(r, before - request.frames);
	}
	mutex_unlock(&r->create_lock);
	return ret;
}

static long reclaim(struct upa_region *r, struct upadev_reclaim __user *user)
{
	struct upadev_reclaim request;
	int ret;

	if (!r->gone)
		return -EOPNOTSUPP;
	if (copy_from_user(&request, user, sizeof(request)))
		return -EFAULT;
	if (request.reserved)
		return -EINVAL;
	ret = upa_reclaim_now(r, &request);
	if (copy_to_user(user, &request, sizeof(request)))
		return -EFAULT;
	return ret;
}

/* Table entries that the process has written take effect: no system call is cheaper. */
static int upa_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct upa_region *r = file->private_data;

	/* Pairs with the release in create(). */
	if (!smp_load_acquire(&r->ready))
		return -ENXIO;
	if (current->mm != r->mm)
		return -EPERM;
	/* No table is walked, so no lock: when it goes, the kernel flushes. */
	if (!READ_ONCE(r->data_start))
		return -ENXIO;
	upa_flush(r);
	return UPADEV_DONE;
}

static int upa_fadvise(struct file *file, loff_t offset, loff_t bytes, int advice)
{
	struct upa_region *r = file->private_data;

	/* Pairs with the release in create(). */
	if (!smp_load_acquire(&r->ready))
		return -ENXIO;
	if (current->mm != r->mm)
		return -EPERM;
	if (r->mode != UPADEV_GUARDED)
		return -EOPNOTSUPP;
	return upa_guarded_advise(r, offset, bytes, advice) ?: UPADEV_DONE;
}

static long upa_ioctl(struct file *file, unsigned int call, unsigned long argument)
{
	struct upa_region *r = file->private_data;
	void __user *user = (void __user *)argument;

	switch (call) {
	case UPADEV_INFO:
		return info(user);
	case UPADEV_CREATE:
		return create(r, user);
	case UPADEV_MAP:
	case UPADEV_UNMAP:
	case UPADEV_HARVEST:
	case UPADEV_RESIZE:
	case UPADEV_STATS:
	case UPADEV_RECLAIM:
		break;
	default:
		return -ENOTTY;
	}
	/* Pairs with the release in create(). */
	if (!smp_load_acquire(&r->ready))
		return -ENXIO;
	if (call == UPADEV_STATS)
		return stats(r, user);
	if (current->mm != r->mm)
		return -EPERM;
	switch (call) {
	case UPADEV_MAP:
		return batch(r, user, true);
	case UPADEV_UNMAP:
		return batch(r, user, false);
	case UPADEV_HARVEST:
		return harvest(r, user);
	case UPADEV_RECLAIM:
		return reclaim(r, user);
	default:
		return resize(r, user);
	}
}

static const struct file_operations upa_operations = {
	.owner = THIS_MODULE,
	.open = upa_open,
	.release = upa_release,
	.unlocked_ioctl = upa_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.fadvise = upa_fadvise,
	.fsync = upa_fsync,
	.mmap = upa_mmap,
};

static struct miscdevice upa_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "upa",
	.fops = &upa_operations,
	.mode = 0600,
};

static int __init upa_init(void)
{
	int ret;

	/* A Xen PV guest does not own its page tables: see upa_set_entry(). */
	if (boot_cpu_has(X86_FEATURE_XENPV))
		return -ENODEV;
	ret = upa_reclaim_init();
	if (ret)
		return ret;
	ret = misc_register(&upa_device);
	if (ret)
		upa_reclaim_exit();
	if (!ret && raw)
		pr_warn("raw=1: processes with CAP_SYS_RAWIO may write page tables, hence read and write all memory\n");
	return ret;
}

static void __exit upa_exit(void)
{
	misc_deregister(&upa_device);
	upa_reclaim_exit();
}

module_init(upa_init);
module_exit(upa_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("User-mode page allocation: a process edits the page mappings of a region");
