// SPDX-License-Identifier: GPL-2.0
/*
 * What a pager does to the pages of the region that it was admitted to; see pager.c.
 *
 * It moves contents between its own memory and frames of the pool, and changes shadow entries from
 * one value to another, as the owner could. A frame is written and read under refill_lock: it
 * cannot leave the pool then. Contents go through pages of the kernel's, since user memory is
 * copied under no lock.
 *
 * A page that goes: first its shadow entry is changed, then its page table entry is taken away,
 * under the lock of the table, then the TLBs are flushed, then the contents are read. A touch that
 * still saw the old entry has set the other before, under the same lock.
 */
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "region.h"

#define UPA_TRANSFERS_AT_ONCE 16U /* under one holding of the locks */
#define UPA_REFILLS 16U           /* as of a fault */

/**
 * struct upa_transfers - a few of a call
 * @pager: whose call it is
 * @out: pages go, else they come
 * @count: how many
 * @items: as the pager gave them, and with results
 * @contents: UPA_TRANSFERS_AT_ONCE pages
 */
struct upa_transfers {
	struct upa_pager *pager;
	bool out;
	unsigned int count;
	struct upadev_transfer items[UPA_TRANSFERS_AT_ONCE];
	void *contents;
};

static void *upa_contents(const struct upa_transfers *t, unsigned int i)
{
	return t->contents + i * PAGE_SIZE;
}

static int upa_check_transfer(const struct upa_region *r, const struct upadev_transfer *item,
			      bool out)
{
	bool any = out && item->frame == UPADEV_ANY_FRAME;

	if (item->page >= r->pages || (!any && item->frame >= READ_ONCE(r->frames)) ||
	    !upa_is_away(item->away) || item->flags)
		return -EINVAL;
	return item->result;
}

/* ---- pages that come ---- */

/* Memory for a frame without any. */
static int upa_bring_memory(struct upa_region *r, u64 frame)
{
	unsigned int attempts = 0;
	int ret = 0;

	frame = array_index_nospec(frame, r->max_frames);
	while (READ_ONCE(r->unused) && !READ_ONCE(r->entries[frame]) && !ret)
		ret = attempts++ < UPA_REFILLS ? upa_refill(r, frame, false) : -ENOMEM;
	return ret;
}

/* Before refill_lock is taken. -EINTR, or 0. */
static int upa_bring_memories(struct upa_region *r, struct upa_transfers *t)
{
	unsigned int i;

	for (i = 0; i < t->count; i++) {
		struct upadev_transfer *item = &t->items[i];

		if (!item->result)
			item->result = upa_bring_memory(r, item->frame);
		if (item->result == -EINTR)
			return -EINTR;
	}
	return 0;
}

static int upa_page_in(struct upa_region *r, const struct upadev_transfer *item,
		       const void *contents)
{
	u64 page = array_index_nospec(item->page, r->pages), block;
	void *memory = upa_frame_memory(r, item->frame);

	if (upa_block_named(r, page, &block) || READ_ONCE(r->shadow[page]) != item->away)
		return -EAGAIN;
	if (!memory) /* it was taken again just now, or the pool has become smaller */
		return -EAGAIN;
	if (item->buffer)
		memcpy(memory, contents, PAGE_SIZE);
	/* A full barrier: the contents, then the entry. */
	return cmpxchg(&r->shadow[page], item->away, item->frame + 1) == item->away ? 0 : -EAGAIN;
}

/* ---- pages that go ---- */

/* Takes away what maps a page. UPADEV_TRANSFER_CLEAN if it was the frame, and not written. */
static u32 upa_take_entry(struct upa_region *r, u64 page, u64 frame, bool *flush)
{
	unsigned long address = r->data_start + page * PAGE_SIZE;
	u64 entry = READ_ONCE(r->entries[array_index_nospec(frame, r->max_frames)]), old;
	struct upa_table t;

	if (r->blocks)
		*flush |= upa_blocks_empty_one(r, page);
	if (!upa_table_lock(r->mm, address, &t))
		return 0;
	/* In one step with the CPUs, which may be setting bits. */
	old = pte_val(ptep_get_and_clear(r->mm, address, t.pte));
	spin_unlock(t.lock);
	if (!upa_maps(old))
		return 0;
	*flush = true;
	return (old ^ entry) & PTE_PFN_MASK || old & _PAGE_DIRTY ? 0 : UPADEV_TRANSFER_CLEAN;
}

static int upa_page_out(struct upa_region *r, struct upadev_transfer *item, bool *flush)
{
	u64 page = array_index_nospec(item->page, r->pages), block;
	u32 word = READ_ONCE(r->shadow[page]);

	if (upa_block_named(r, page, &block) || !word || word > READ_ONCE(r->frames))
		return -EAGAIN;
	if (item->frame != UPADEV_ANY_FRAME && item->frame != word - 1)
		return -EAGAIN;
	/* A full barrier: the shadow entry, then the table; see upa_table_lock(). */
	if (cmpxchg(&r->shadow[page], word, item->away) != word)
		return -EAGAIN;
	item->frame = word - 1;
	item->flags = upa_take_entry(r, page, item->frame, flush);
	return 0;
}

/* After this nothing reaches the frames at the pages that have gone. */
static void upa_flush_out(struct upa_region *r, const struct upa_transfers *t)
{
	struct vm_area_struct *vma = upa_data_vma(r);
	unsigned int i;

	upa_flush(r);
	for (i = 0; i < t->count && vma && upa_secondary_mmus(r); i++)
		if (!t->items[i].result)
			zap_vma_ptes(vma, r->data_start + t->items[i].page * PAGE_SIZE, PAGE_SIZE);
}

static void upa_pages_out(struct upa_region *r, struct upa_transfers *t)
{
	bool flush = false;
	unsigned int i;

	for (i = 0; i < t->count; i++)
		if (!t->items[i].result)
			t->items[i].result = upa_page_out(r, &t->items[i], &flush);
	if (flush)
		upa_flush_out(r, t);
	for (i = 0; i < t->count; i++) {
		const void *memory;

		if (t->items[i].result || !t->items[i].buffer)
			continue;
		memory = upa_frame_memory(r, t->items[i].frame);
		if (memory)
			memcpy(upa_contents(t, i), memory, PAGE_SIZE);
		else /* it was unused, and has been taken */
			memset(upa_contents(t, i), 0, PAGE_SIZE);
	}
}

/* Those that have gone and of which the pager could not be told come back, the others stay. */
static void upa_undo(struct upa_transfers *t, unsigned int i)
{
	struct upadev_transfer *item = &t->items[i];

	if (!t->out || item->result)
		return;
	upa_pager_undo(t->pager, item->page, item->away, item->frame + 1);
	item->result = -EFAULT;
}

/* ---- both ---- */

/* All that is done to the region by a few transfers. */
static int upa_transfer_locked(struct upa_region *r, struct upa_transfers *t)
{
	unsigned int i;
	int ret;

	for (i = 0; i < t->count; i++)
		t->items[i].result = upa_check_transfer(r, &t->items[i], t->out);
	ret = upa_visit_lock(t->pager, r);
	if (ret)
		return ret;
	if (!t->out)
		ret = upa_bring_memories(r, t);
	if (!ret && mutex_lock_killable(&r->refill_lock))
		ret = -EINTR;
	if (ret)
		goto out;
	if (t->out)
		upa_pages_out(r, t);
	for (i = 0; i < t->count && !t->out; i++)
		if (!t->items[i].result)
			t->items[i].result = upa_page_in(r, &t->items[i], upa_contents(t, i));
	mutex_unlock(&r->refill_lock);
	for (i = 0; i < t->count; i++)
		if (!t->items[i].result)
			atomic64_inc(t->out ? &r->count.paged_out : &r->count.paged_in);
out:
	mmap_read_unlock(r->mm);
	if (!t->out)
		upa_away_look(r);
	return ret;
}

static void upa_copy_in(struct upa_transfers *t)
{
	unsigned int i;

	for (i = 0; i < t->count; i++) {
		struct upadev_transfer *item = &t->items[i];

		item->result = 0;
		if (!t->out && item->buffer &&
		    copy_from_user(upa_contents(t, i), u64_to_user_ptr(item->buffer), PAGE_SIZE))
			item->result = -EFAULT;
	}
}

static void upa_copy_out(struct upa_transfers *t)
{
	unsigned int i;

	for (i = 0; i < t->count && t->out; i++) {
		struct upadev_transfer *item = &t->items[i];

		if (!item->result && item->buffer &&
		    copy_to_user(u64_to_user_ptr(item->buffer), upa_contents(t, i), PAGE_SIZE))
			upa_undo(t, i);
	}
}

static int upa_transfer_few(struct upa_transfers *t, struct upadev_transfer __user *user, u64 *done)
{
	struct upa_visit visit;
	unsigned int i;
	int ret;

	if (copy_from_user(t->items, user, t->count * sizeof(*t->items)))
		return -EFAULT;
	upa_copy_in(t);
	ret = upa_visit_begin(t->pager, &visit);
	if (ret)
		return ret;
	ret = upa_transfer_locked(visit.region, t);
	upa_visit_end(&visit);
	if (ret)
		return ret;
	upa_copy_out(t);
	if (copy_to_user(user, t->items, t->count * sizeof(*t->items))) {
		for (i = 0; i < t->count; i++)
			upa_undo(t, i);
		ret = -EFAULT;
	}
	for (i = 0; i < t->count; i++)
		*done += !t->items[i].result;
	return ret;
}

long upa_paging(struct upa_pager *p, struct upadev_paging __user *user, bool out)
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
	t->out = out;
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
