// SPDX-License-Identifier: GPL-2.0
/*
 * The device /dev/upa: opening, creating a region, the calls, and the end of a region. See
 * upa.h for what each promises.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "region.h"

static bool raw;
module_param(raw, bool, 0444);
MODULE_PARM_DESC(raw, "Processes with CAP_SYS_RAWIO may write page tables, hence all memory (no)");

static void upa_init_region(struct upa_region *r)
{
	mutex_init(&r->flush_lock);
	mutex_init(&r->refill_lock);
	init_rwsem(&r->moves);
}

static int upa_open(struct inode *inode, struct file *file)
{
	struct upa_region *r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);

	if (!r)
		return -ENOMEM;
	refcount_set(&r->users, 1);
	mutex_init(&r->create_lock);
	upa_init_region(r);
	/* Of this file alone: what finds mappings by it finds this region's. */
	address_space_init_once(&r->mapping);
	r->mapping.host = inode;
	file->f_mapping = &r->mapping;
	file->private_data = r;
	return nonseekable_open(inode, file);
}

/* Undoes all that upa_build() did, whatever it reached. */
static void upa_dismantle(struct upa_region *r)
{
	upa_raw_release(r);
	if (r->entries)
		upa_pool_free(r, 0, r->frames);
	kfree(r->unused);
	kfree(r->away);
	upa_blocks_free(r);
	vfree(r->entries);
	vfree(r->shadow);
	vfree(r->state);
	bitmap_free(r->whole_blocks);
	bitmap_free(r->gone);
	bitmap_free(r->named);
	if (r->user) {
		upa_uncharge(r, r->charged_pages);
		put_cred(r->cred);
		mmdrop(r->mm);
	}
}

/* The last one, the file or a call of a pager that outlives it, ends the region. */
void upa_put(struct upa_region *r)
{
	if (!refcount_dec_and_test(&r->users))
		return;
	upa_dismantle(r);
	kfree(r);
}

static int upa_release(struct inode *inode, struct file *file)
{
	struct upa_region *r = file->private_data;

	upa_pager_forget(r);
	upa_stats_remove(r);
	upa_watch_end(r);
	upa_put(r);
	return 0;
}

/* The books of CONFIG_PAGE_TABLE_CHECK know nothing of entries that a process stores. */
static bool upa_raw_offered(void)
{
	return raw && IS_ENABLED(CONFIG_MMU_NOTIFIER) && !IS_ENABLED(CONFIG_PAGE_TABLE_CHECK);
}

static bool upa_raw_allowed(void)
{
	return upa_raw_offered() && capable(CAP_SYS_RAWIO) &&
	       !security_locked_down(LOCKDOWN_DEV_MEM);
}

static int upa_check_create(const struct upadev_create *c)
{
	u64 unit = UPADEV_BLOCK_PAGES;

	if (c->mode == UPADEV_RAW_PMD)
		unit *= UPADEV_BLOCK_PAGES;
	if (c->version != UPADEV_ABI_VERSION || c->mode > UPADEV_RAW_PMD ||
	    c->flags & ~(UPADEV_CREATE_TRACK | UPADEV_CREATE_RECLAIM | UPADEV_CREATE_BLOCKS) ||
	    c->pad || memchr_inv(c->reserved, 0, sizeof(c->reserved)))
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
	if (c->flags & UPADEV_CREATE_RECLAIM &&
	    (c->mode != UPADEV_GUARDED || c->flags & UPADEV_CREATE_TRACK))
		return -EINVAL;
	if (c->flags & UPADEV_CREATE_BLOCKS) {
		if (c->mode != UPADEV_GUARDED || c->flags & UPADEV_CREATE_RECLAIM)
			return -EINVAL;
		if (!IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE) || !boot_cpu_has(X86_FEATURE_PSE))
			return -EOPNOTSUPP;
	}
	if (c->mode != UPADEV_GUARDED && !upa_raw_allowed())
		return -EPERM;
	return 0;
}

/* What the caller asks for, before anything is made. */
static void upa_set_sizes(struct upa_region *r, const struct upadev_create *c)
{
	r->mode = c->mode;
	r->track = c->flags & UPADEV_CREATE_TRACK;
	r->pages = c->pages;
	r->max_frames = c->max_frames;
	r->entry_mask = upa_nr_entries(r) - 1;
	r->state_bytes = c->state_bytes;
}

static int upa_build(struct upa_region *r, const struct upadev_create *c)
{
	u64 blocks = c->max_frames / UPADEV_BLOCK_PAGES, pages;
	int ret;

	lockdep_assert_held(&r->create_lock);
	upa_set_sizes(r, c);
	r->mm = current->mm;
	mmgrab(r->mm);
	r->cred = get_current_cred();
	r->user = r->cred->user;
	pages = c->frames + PHYS_PFN(upa_entries_bytes(r) + upa_shadow_bytes(r) + r->state_bytes);
	if (!upa_can_spare(pages))
		return -ENOMEM;
	ret = upa_charge(r, pages);
	if (ret)
		return ret;

	r->whole_blocks = bitmap_zalloc(blocks, GFP_KERNEL_ACCOUNT);
	r->entries = upa_alloc_shared(upa_entries_bytes(r));
	if (!r->whole_blocks || !r->entries)
		return -ENOMEM;
	if (c->flags & UPADEV_CREATE_RECLAIM) {
		r->gone = bitmap_zalloc(blocks, GFP_KERNEL_ACCOUNT);
		r->named = bitmap_zalloc(blocks, GFP_KERNEL_ACCOUNT);
		if (!r->gone || !r->named)
			return -ENOMEM;
	}
	if (c->flags & UPADEV_CREATE_BLOCKS) {
		ret = upa_blocks_make(r);
		if (ret)
			return ret;
	}
	if (r->mode == UPADEV_GUARDED) {
		r->shadow = upa_alloc_shared(upa_shadow_bytes(r));
		if (!r->shadow)
			return -ENOMEM;
	}
	if (r->state_bytes) {
		r->state = upa_alloc_shared(r->state_bytes);
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

static long upa_create(struct upa_region *r, struct upadev_create __user *user)
{
	struct upa_region sizes = {};
	struct upa_watch *watch = NULL;
	struct upadev_create c;
	int ret;

	if (copy_from_user(&c, user, sizeof(c)))
		return -EFAULT;
	ret = upa_check_create(&c);
	if (ret)
		return ret;
	/* Told before anything is made: then nothing need be undone that others may have seen. */
	upa_set_sizes(&sizes, &c);
	c.data_bytes = upa_data_bytes(&sizes);
	c.shadow_bytes = upa_shadow_bytes(&sizes);
	c.entries_bytes = 0;
	c.tables_bytes = 0;
	if (c.mode != UPADEV_GUARDED) {
		c.entries_bytes = upa_entries_bytes(&sizes);
		c.tables_bytes = upa_raw_tables_bytes(&sizes);
	}
	if (copy_to_user(user, &c, sizeof(c)))
		return -EFAULT;

	if (mutex_lock_killable(&r->create_lock))
		return -EINTR;
	ret = -EBUSY;
	if (r->ready)
		goto out;
	ret = upa_build(r, &c);
	if (!ret && r->gone) {
		watch = upa_watch_make(r);
		ret = watch ? 0 : -ENOMEM;
	}
	if (ret) {
		/* As if nothing had happened: another attempt is allowed. */
		upa_dismantle(r);
		memset_after(r, 0, create_lock);
		upa_init_region(r);
		goto out;
	}
	if (c.mode != UPADEV_GUARDED)
		pr_warn_ratelimited("process %d (%s) can write page tables, hence all memory\n",
				    task_tgid_nr(current), current->comm);
	r->owner = task_tgid_nr(current);
	/* Pairs with the acquire in upa_mmap() and upa_ioctl(). */
	smp_store_release(&r->ready, true);
	upa_stats_add(r);
	if (watch)
		upa_watch_begin(r, watch);
out:
	mutex_unlock(&r->create_lock);
	return ret;
}

static long upa_info(struct upadev_info __user *user)
{
	struct upadev_info i = { .version = UPADEV_ABI_VERSION, .modes = BIT(UPADEV_GUARDED) };

	/* Only a question: neither audited nor counted as a use of the capability. */
	if (upa_raw_offered() && ns_capable_noaudit(&init_user_ns, CAP_SYS_RAWIO) &&
	    !security_locked_down(LOCKDOWN_DEV_MEM))
		i.modes |= BIT(UPADEV_RAW_PTE) | BIT(UPADEV_RAW_PMD);
	return copy_to_user(user, &i, sizeof(i)) ? -EFAULT : 0;
}

static long upa_stats(struct upa_region *r, struct upadev_stats __user *user)
{
	const struct upa_unused *u = READ_ONCE(r->unused);
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
		.block_entries = atomic64_read(&r->count.block_entries),
		.away_faults = atomic64_read(&r->count.away_faults),
		.paged_in = atomic64_read(&r->count.paged_in),
		.paged_out = atomic64_read(&r->count.paged_out),
		.held = upa_held_pages(r),
		.bound = u ? READ_ONCE(u->bound) : UPADEV_NO_BOUND,
	};

	return copy_to_user(user, &s, sizeof(s)) ? -EFAULT : 0;
}

long upa_batch_call(struct upa_region *r, struct upa_pager *p, struct upadev_batch __user *user,
		    bool map)
{
	struct upadev_batch b;
	int ret;

	if (!p && r->mode != UPADEV_GUARDED)
		return -EOPNOTSUPP;
	if (copy_from_user(&b, user, sizeof(b)))
		return -EFAULT;
	ret = upa_guarded_batch(r, p, &b, map);
	if ((!ret || ret == -EINVAL || ret == -EINTR) && copy_to_user(user, &b, sizeof(b)))
		return -EFAULT;
	return ret;
}

long upa_harvest_call(struct upa_region *r, struct upa_pager *p, struct upadev_harvest __user *user)
{
	struct upadev_harvest h;
	int ret;

	if (!p && r->mode != UPADEV_GUARDED)
		return -EOPNOTSUPP;
	if (copy_from_user(&h, user, sizeof(h)))
		return -EFAULT;
	ret = upa_harvest(r, p, &h);
	if (!ret && copy_to_user(user, &h, sizeof(h)))
		return -EFAULT;
	return ret;
}

static long upa_resize(struct upa_region *r, const struct upadev_resize __user *user)
{
	struct upadev_resize request;
	u64 before;
	int ret;

	if (copy_from_user(&request, user, sizeof(request)))
		return -EFAULT;
	if (memchr_inv(request.reserved, 0, sizeof(request.reserved)) ||
	    request.frames > r->max_frames || request.frames % UPADEV_BLOCK_PAGES)
		return -EINVAL;
	if (mutex_lock_killable(&r->create_lock))
		return -EINTR;
	before = r->frames;
	if (request.frames >= before) {
		ret = upa_charge(r, request.frames - before);
		if (!ret) {
			ret = upa_pool_grow(r, request.frames);
			if (ret)
				upa_uncharge(r, request.frames - before);
		}
	} else if (r->mode != UPADEV_GUARDED) {
		ret = -EOPNOTSUPP;
	} else {
		ret = upa_pool_shrink(r, request.frames);
		if (!ret)
			upa_uncharge(r, before - request.frames);
	}
	mutex_unlock(&r->create_lock);
	return ret;
}

static long upa_allocators_call(struct upa_region *r, const struct upadev_allocators __user *user)
{
	struct upadev_allocators a;
	int ret;

	if (r->mode != UPADEV_GUARDED)
		return -EOPNOTSUPP;
	if (copy_from_user(&a, user, sizeof(a)))
		return -EFAULT;
	if (mutex_lock_killable(&r->create_lock))
		return -EINTR;
	ret = upa_declare_allocators(r, &a);
	mutex_unlock(&r->create_lock);
	return ret;
}

static long upa_reclaim_call(struct upa_region *r, struct upadev_reclaim __user *user)
{
	struct upadev_reclaim request;
	int ret;

	/* A manager may take only what the owner has declared unused. */
	if (!READ_ONCE(r->unused)) {
		if (current->mm != r->mm)
			return -EPERM;
		if (!r->gone)
			return -EOPNOTSUPP;
	}
	if (copy_from_user(&request, user, sizeof(request)))
		return -EFAULT;
	if (request.reserved)
		return -EINVAL;
	ret = upa_reclaim_now(r, &request);
	if (copy_to_user(user, &request, sizeof(request)))
		return -EFAULT;
	return ret;
}

static long upa_bound_call(struct upa_region *r, struct upadev_bound __user *user)
{
	struct upadev_bound request;
	int ret;

	/* As of UPADEV_RECLAIM. */
	if (!READ_ONCE(r->unused))
		return current->mm == r->mm ? -EOPNOTSUPP : -EPERM;
	if (copy_from_user(&request, user, sizeof(request)))
		return -EFAULT;
	if (request.reserved[0] || request.reserved[1])
		return -EINVAL;
	ret = upa_set_bound(r, &request);
	if (copy_to_user(user, &request, sizeof(request)))
		return -EFAULT;
	return ret;
}

/*
 * Table entries that the process has written take effect: no system call is cheaper. fsync()
 * alone is answered with UPADEV_DONE, not what reaches this by msync() or fdatasync().
 */
static int upa_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct upa_region *r = file->private_data;

	/* Pairs with the release in upa_create(). */
	if (!smp_load_acquire(&r->ready))
		return -ENXIO;
	if (current->mm != r->mm)
		return -EPERM;
	/* No table is walked, so no lock: when it goes, the kernel flushes. */
	if (!READ_ONCE(r->data_vma))
		return -ENXIO;
	upa_flush(r);
	if (r->mode != UPADEV_GUARDED && upa_raw_shared(r))
		return -EOPNOTSUPP;
	return start == 0 && end == LLONG_MAX && !datasync ? UPADEV_DONE : 0;
}

static int upa_fadvise(struct file *file, loff_t offset, loff_t bytes, int advice)
{
	struct upa_region *r = file->private_data;

	/* Pairs with the release in upa_create(). */
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
		return upa_info(user);
	case UPADEV_CREATE:
		/* A region is written to. */
		if ((file->f_mode & (FMODE_READ | FMODE_WRITE)) != (FMODE_READ | FMODE_WRITE))
			return -EACCES;
		return upa_create(r, user);
	case UPADEV_MAP:
	case UPADEV_UNMAP:
	case UPADEV_HARVEST:
	case UPADEV_RESIZE:
	case UPADEV_STATS:
	case UPADEV_RECLAIM:
	case UPADEV_ALLOCATORS:
	case UPADEV_ADMIT:
	case UPADEV_REVOKE:
	case UPADEV_BOUND:
		break;
	default:
		return -ENOTTY;
	}
	/* Pairs with the release in upa_create(). */
	if (!smp_load_acquire(&r->ready))
		return -ENXIO;
	if (call == UPADEV_STATS)
		return upa_stats(r, user);
	if (call == UPADEV_RECLAIM)
		return upa_reclaim_call(r, user);
	if (call == UPADEV_BOUND)
		return upa_bound_call(r, user);
	if (current->mm != r->mm)
		return -EPERM;
	switch (call) {
	case UPADEV_MAP:
		return upa_batch_call(r, NULL, user, true);
	case UPADEV_UNMAP:
		return upa_batch_call(r, NULL, user, false);
	case UPADEV_HARVEST:
		return upa_harvest_call(r, NULL, user);
	case UPADEV_ALLOCATORS:
		return upa_allocators_call(r, user);
	case UPADEV_ADMIT:
		return upa_admit(r, user);
	case UPADEV_REVOKE:
		return upa_revoke(r, user);
	default:
		return upa_resize(r, user);
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
	.get_unmapped_area = upa_get_unmapped_area,
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
	ret = upa_pressure_init();
	if (ret)
		return ret;
	upa_stats_init();
	ret = misc_register(&upa_device);
	if (ret) {
		upa_stats_exit();
		upa_pressure_exit();
	}
	if (!ret && raw)
		pr_warn("raw=1: CAP_SYS_RAWIO may write page tables, hence all memory\n");
	return ret;
}

static void __exit upa_exit(void)
{
	misc_deregister(&upa_device);
	upa_stats_exit();
	upa_pressure_exit();
}

module_init(upa_init);
module_exit(upa_exit);
MODULE_LICENSE("GPL");
MODULE_VERSION("1.0.0"); /* the project's; version_test.sh compares */
MODULE_DESCRIPTION("User-mode page allocation: a process edits the page mappings of a region");
