// SPDX-License-Identifier: GPL-2.0
/*
 * What a pager does to the pages of the region that it was admitted to; see pager.c.
 *
 * It moves contents between its own memory and frames of the pool, and changes shadow entries from
 * one value to another, as the owner could. A frame is written and read under refill_lock: it
 * cannot leave the pool then. Contents go through pages of the kernel's, since user memory is
 * copied under no lock.
 */
#include <linux/nospec.h>
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "region.h"

#define UPA_TRANSFERS_AT_ONCE 16U /* under one holding of the locks */
#define UPA_REFILLS 16U           /* as of a fault */

/**
 * struct upa_transfers - a few of a call
 * @pager: whose call it is
 * @count: how many
 * @items: as the pager gave them, and with results
 * @contents: UPA_TRANSFERS_AT_ONCE pages
 */
struct upa_transfers {
	struct upa_pager *pager;
	unsigned int count;
	struct upadev_transfer items[UPA_TRANSFERS_AT_ONCE];
	void *contents;
};

static void *upa_contents(const struct upa_transfers *t, unsigned int i)
{
	return t->contents + i * PAGE_SIZE;
}

static int upa_check_transfer(const struct upa_region *r, const struct upadev_transfer *item)
{
	if (item->page >= r->pages || item->frame >= READ_ONCE(r->frames) ||
	    !upa_is_away(item->away) || item->pad)
		return -EINVAL;
	return item->result;
}

/* Memory for a frame without any, charged to the owner as if it had touched the page itself. */
static int upa_bring_memory(struct upa_region *r, u64 frame)
{
	unsigned int attempts = 0;
	int ret = 0;

	frame = array_index_nospec(frame, r->max_frames);
	while (READ_ONCE(r->unused) && !READ_ONCE(r->entries[frame]) && !ret)
		ret = attempts++ < UPA_REFILLS ? upa_refill(r, frame, false) : -ENOMEM;
	return ret;
}

/* The page's entry of its own counts, and says that it is away as the pager thinks. */
static bool upa_is_awaited(const struct upa_region *r, const struct upadev_transfer *item)
{
	u64 block, page = array_index_nospec(item->page, r->pages);

	return !upa_block_named(r, page, &block) && READ_ONCE(r->shadow[page]) == item->away;
}

static int upa_page_in_one(struct upa_region *r, const struct upadev_transfer *item,
			   const void *contents)
{
	u64 page = array_index_nospec(item->page, r->pages);
	void *memory = upa_frame_memory(r, item->frame);

	if (!upa_is_awaited(r, item) || !memory) /* or it was taken again just now */
		return -EAGAIN;
	if (item->buffer)
		memcpy(memory, contents, PAGE_SIZE);
	/* A full barrier: the contents, then the entry. */
	return cmpxchg(&r->shadow[page], item->away, item->frame + 1) == item->away ? 0 : -EAGAIN;
}

/* With mmap_lock held. 0, or -EINTR. */
static int upa_page_in(struct upa_region *r, struct upa_transfers *t, u64 *done)
{
	struct mem_cgroup *group = get_mem_cgroup_from_mm(r->mm), *before = set_active_memcg(group);
	unsigned int i;
	int ret = 0;

	for (i = 0; i < t->count && !ret; i++) {
		struct upadev_transfer *item = &t->items[i];

		if (!item->result)
			item->result = upa_bring_memory(r, item->frame);
		if (item->result == -EINTR)
			ret = -EINTR;
	}
	set_active_memcg(before);
	mem_cgroup_put(group);
	if (!ret)
		ret = mutex_lock_killable(&r->refill_lock);
	if (ret)
		return -EINTR;
	for (i = 0; i < t->count; i++) {
		struct upadev_transfer *item = &t->items[i];

		if (!item->result)
			item->result = upa_page_in_one(r, item, upa_contents(t, i));
		*done += !item->result;
	}
	mutex_unlock(&r->refill_lock);
	return 0;
}

/* All that is done to the region by a few transfers. */
static int upa_transfer_locked(struct upa_region *r, struct upa_transfers *t, u64 *done)
{
	u64 before = *done;
	unsigned int i;
	int ret;

	for (i = 0; i < t->count; i++)
		t->items[i].result = upa_check_transfer(r, &t->items[i]);
	ret = upa_pager_lock(t->pager, r);
	if (ret)
		return ret;
	ret = upa_page_in(r, t, done);
	upa_pager_unlock(r);
	upa_away_look(r);
	atomic64_add(*done - before, &r->count.paged_in);
	return ret;
}

static int upa_transfer_few(struct upa_transfers *t, struct upadev_transfer __user *user, u64 *done)
{
	struct upa_region *r;
	unsigned int i;
	int ret;

	if (copy_from_user(t->items, user, t->count * sizeof(*t->items)))
		return -EFAULT;
	for (i = 0; i < t->count; i++) {
		struct upadev_transfer *item = &t->items[i];

		item->result = 0;
		if (item->buffer &&
		    copy_from_user(upa_contents(t, i), u64_to_user_ptr(item->buffer), PAGE_SIZE))
			item->result = -EFAULT;
	}
	r = upa_pager_enter(t->pager);
	if (!r)
		return -ESHUTDOWN;
	ret = upa_transfer_locked(r, t, done);
	upa_put(r);
	if (ret)
		return ret;
	return copy_to_user(user, t->items, t->count * sizeof(*t->items)) ? -EFAULT : 0;
}

long upa_paging(struct upa_pager *p, struct upadev_paging __user *user)
{
	struct upadev_transfer __user *transfers;
	struct upadev_paging call;
	struct upa_transfers *t;
	int ret = 0;
	u32 i;

	if (copy_from_user(&call, user, sizeof(call)))
		return -EFAULT;
	if (call.count < 1 || call.count > UPADEV_MAX_RANGES || call.flags || call.reserved[0] ||
	    call.reserved[1])
		return -EINVAL;
	t = kmalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	if (!t)
		return -ENOMEM;
	t->contents = kvmalloc(UPA_TRANSFERS_AT_ONCE * PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!t->contents)
		ret = -ENOMEM;
	t->pager = p;
	transfers = u64_to_user_ptr(call.transfers);
	call.done = 0;
	for (i = 0; i < call.count && !ret; i += t->count) {
		t->count = min(call.count - i, UPA_TRANSFERS_AT_ONCE);
		ret = upa_transfer_few(t, transfers + i, &call.done);
		cond_resched();
	}
	kvfree(t->contents);
	kfree(t);
	return copy_to_user(user, &call, sizeof(call)) ? -EFAULT : ret;
}
