// SPDX-License-Identifier: GPL-2.0
/*
 * Guarded mode: from the shadow table, which the process may fill with anything at any time,
 * to the page tables, which only the kernel writes. Reading the shadow entry, checking it and
 * setting the page table entry happen under one holding of the page table lock. Hence a call
 * that empties entries, made after the process cleared the shadow entries, cannot be overtaken
 * by a fault that still saw the old ones: whoever locks the table later sees the cleared
 * shadow.
 */
#include <linux/fadvise.h>
#include <linux/file.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/wait_bit.h>

#include "region.h"

#define UPA_REFILLS 16U       /* of one fault: each found the memory taken again */
#define UPA_PATIENCE (2 * HZ) /* that touches wait for room within a bound */

/* Pages under one holding of mmap_lock, beside which others may want to map and unmap. */
#define UPA_PAGES_AT_ONCE 65536U

/* As upa_install(), also where the shadow table names a block. */
static __always_inline unsigned long upa_fill(struct upa_region *r, const struct upa_table *t,
					      u64 page, unsigned long count, u64 *changed,
					      bool *replaced)
{
	u64 block;

	if (unlikely(r->blocks) && upa_block_named(r, page, &block))
		return upa_block_fill(r, t, page, count, changed, replaced);
	return upa_install(r, t, page, count, changed, replaced);
}

/*
 * Clears an entry, or counts that there is none: the rare case pays. Beside us only the CPU changes
 * it, and only bits of one that is present: so a plain read, which the compiler need not load.
 */
static __always_inline void upa_empty_one(struct upa_region *r, pte_t *pte, unsigned long address,
					  unsigned long *absent)
{
	if (likely(upa_maps(native_pte_val(*pte))))
		upa_clear_entry(r->mm, address, pte);
	else
		++*absent;
}

static __always_inline void upa_empty_four(struct upa_region *r, pte_t *pte, unsigned long address,
					   unsigned long *absent)
{
	upa_empty_one(r, pte, address, absent);
	upa_empty_one(r, pte + 1, address + PAGE_SIZE, absent);
	upa_empty_one(r, pte + 2, address + 2 * PAGE_SIZE, absent);
	upa_empty_one(r, pte + 3, address + 3 * PAGE_SIZE, absent);
}

/* Clears @count entries of a locked table. Returns how many there were. */
static noinline u64 upa_empty(struct upa_region *r, const struct upa_table *t, u64 page,
			      unsigned long count)
{
	unsigned long address = r->data_start + page * PAGE_SIZE;
	unsigned long i = 0, absent = 0;
	pte_t *table = t->pte;

	lockdep_assert_held(t->lock);
	for (; i + 8 <= count; i += 8, table += 8, address += 8 * PAGE_SIZE) {
		upa_empty_four(r, table, address, &absent);
		upa_empty_four(r, table + 4, address + 4 * PAGE_SIZE, &absent);
	}
	for (; i < count; i++, table++, address += PAGE_SIZE)
		upa_empty_one(r, table, address, &absent);
	return count - absent;
}

/* Has the frame memory at this moment? It is in the pool, or was a moment ago. */
static bool upa_has_memory(const struct upa_region *r, u64 frame)
{
	return READ_ONCE(r->entries[frame & r->entry_mask]);
}

/*
 * The bound is reached and nothing unused was found: what others are about to free makes room, if
 * they get on. So the touch waits, without mmap_lock, which they may need, and is repeated; but no
 * longer than until UPA_PATIENCE has passed in which no touch had any. 0: look again.
 */
static vm_fault_t upa_await_room(struct upa_region *r, struct vm_fault *vmf)
{
	const unsigned int waits = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;
	struct file *file = vmf->vma->vm_file;
	struct upa_unused *u = r->unused;
	unsigned long now = jiffies;

	/* Nobody waits any more from before. */
	if (time_after(now, READ_ONCE(u->starved) + UPA_PATIENCE))
		WRITE_ONCE(u->starving_since, now);
	WRITE_ONCE(u->starved, now);
	if (time_after(now, READ_ONCE(u->starving_since) + UPA_PATIENCE)) {
		WRITE_ONCE(u->starving_since, now);
		return VM_FAULT_SIGBUS;
	}
	if ((vmf->flags & waits) != waits) {
		schedule_timeout_killable(1);
		return fatal_signal_pending(current) ? VM_FAULT_NOPAGE : 0;
	}
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;
	get_file(file); /* hence the region: without mmap_lock the mapping may go */
	mmap_read_unlock(r->mm);
	schedule_timeout_killable(1);
	fput(file);
	return VM_FAULT_RETRY;
}

/*
 * Brings the memory of @page, which has none at the moment, as far as it is to be had. 0: look
 * again; else what the fault comes to.
 */
static noinline vm_fault_t upa_bring(struct upa_region *r, struct vm_fault *vmf, u64 page,
				     u32 frame, unsigned int *attempts)
{
	u64 block;
	int ret = upa_refill(r, frame - 1, upa_block_named(r, page, &block));

	if (ret == -ENOMEM && READ_ONCE(r->unused))
		return VM_FAULT_OOM; /* as of anonymous memory */
	if (ret == -EINTR)
		return VM_FAULT_NOPAGE; /* about to die */
	if (ret == -EDQUOT)
		return upa_await_room(r, vmf);
	if (READ_ONCE(r->unused))
		WRITE_ONCE(r->unused->starving_since, jiffies);
	return ret || (*attempts)++ >= UPA_REFILLS ? VM_FAULT_SIGBUS : 0;
}

/*
 * A touch of a page that is not installed: in guarded mode fills the table around it. If memory had
 * to be brought for this one page, only its entry: its neighbours may want as much.
 */
vm_fault_t upa_data_fault(struct vm_fault *vmf)
{
	struct upa_region *r = vmf->vma->vm_private_data;
	u64 page = (vmf->address - r->data_start) / PAGE_SIZE;
	u64 first = round_down(page, UPADEV_BLOCK_PAGES), count = UPADEV_BLOCK_PAGES, changed = 0;
	unsigned int attempts = 0;
	struct upa_table t;
	vm_fault_t fault;
	bool good;
	u32 frame = 0;

	if (unlikely(r->mode != UPADEV_GUARDED))
		goto bad;
again:
	frame = upa_number(r, page);
	if (unlikely(frame - 1UL >= READ_ONCE(r->frames)))
		goto bad;
	if (unlikely(r->blocks) && upa_block_fault(r, vmf, page, &changed))
		goto done;
	good = upa_has_memory(r, frame - 1);
	if (likely(good)) {
		unsigned long start = r->data_start + first * PAGE_SIZE;

		if (!upa_table_lock_at(r->mm, vmf->pmd, start, &t)) {
			/* If none was brought, there was something else a moment ago. */
			if (!upa_table_populate(vmf) ||
			    !upa_table_lock_at(r->mm, vmf->pmd, start, &t))
				return VM_FAULT_NOPAGE;
		}
		upa_fill(r, &t, first, count, &changed, NULL);
		good = upa_maps(READ_ONCE(t.pte[page - first].pte));
		spin_unlock(t.lock);
	}
	/* It was taken back, or is about to be; else it went away since the first look. */
	if (unlikely(!good)) {
		/* It is there: a mark came or went meanwhile. It is touched again. */
		if (r->blocks && upa_has_memory(r, frame - 1))
			goto done;
		fault = upa_bring(r, vmf, page, frame, &attempts);
		if (fault == VM_FAULT_SIGBUS)
			goto bad;
		if (fault)
			return fault;
		if (READ_ONCE(r->unused)) {
			first = page;
			count = 1;
		}
		goto again;
	}
done:
	atomic64_add(changed, &r->count.fault_pages);
	atomic64_inc(&r->count.faults);
	return VM_FAULT_NOPAGE;
bad:
	atomic64_add(changed, &r->count.fault_pages);
	/* A pager has taken or brought the page meanwhile: it is touched again. */
	if (unlikely(READ_ONCE(r->away)) && upa_number(r, page) != frame)
		return VM_FAULT_NOPAGE;
	if (upa_is_away(frame)) {
		fault = upa_away_fault(r, vmf, page, frame);
		if (fault != VM_FAULT_SIGBUS)
			return fault;
	}
	atomic64_inc(&r->count.bad_faults);
	return VM_FAULT_SIGBUS;
}

static bool upa_any_entry(const struct upa_region *r, u64 page, unsigned int count)
{
	while (count--)
		if (upa_number(r, page++))
			return true;
	return false;
}

static __always_inline int upa_walk_one(struct upa_region *r, struct upa_walk *w, u64 page,
					unsigned int count)
{
	unsigned int done = count;
	struct upa_table t;

	if (!upa_table_lock(r->mm, r->data_start + page * PAGE_SIZE, &t))
		return w->map && upa_any_entry(r, page, count) ? -ENOENT : 0;
	if (w->map) {
		done = upa_fill(r, &t, page, count, &w->batch->changed, &w->flush);
	} else {
		u64 cleared = upa_empty(r, &t, page, count);

		w->batch->changed += cleared;
		w->flush |= cleared != 0;
	}
	spin_unlock(t.lock);
	if (done == count)
		return 0;
	/* A mark came or went meanwhile: what was read as a number was none, or was not meant. */
	if (r->blocks && upa_number(r, page + done) <= READ_ONCE(r->frames))
		return -EAGAIN;
	w->batch->stopped_at = page + done;
	return -EINVAL;
}

/*
 * What a batch does with @count pages of one page table. -ENOENT: there is no table, and one is
 * needed; -EINVAL: an entry out of range stopped it; -EAGAIN: it is to be looked at again.
 */
int upa_walk_table(struct upa_region *r, struct upa_walk *w, u64 page, unsigned int count)
{
	return upa_walk_one(r, w, page, count);
}

/*
 * One range, table by table, from *page on, which moves along; @end is behind it. -EAGAIN when the
 * locks have been held for long enough.
 */
static __always_inline int upa_walk_range(struct upa_region *r, struct upa_walk *w, u64 *page,
					  u64 end)
{
	while (*page < end) {
		unsigned int count =
			min(end, round_down(*page, UPADEV_BLOCK_PAGES) + UPADEV_BLOCK_PAGES) -
			*page;
		int ret = upa_walk_one(r, w, *page, count);

		if (unlikely(ret == -ENOENT)) {
			ret = upa_table_make(r->mm, r->data_start + *page * PAGE_SIZE) ?
				      -ENOMEM :
				      upa_walk_table(r, w, *page, count);
		}
		if (unlikely(ret))
			return ret == -ENOENT ? -ENOMEM : ret;
		*page += count;
		if (*page == end)
			break;
		w->budget -= count;
		if (w->budget <= 0)
			return -EAGAIN;
		cond_resched();
	}
	return 0;
}

/* Has the kernel itself clear and flush a part of a range; as upa_walk_range(). */
static int upa_zap_range(struct upa_region *r, struct upa_walk *w, u64 *page, u64 end)
{
	struct vm_area_struct *vma = upa_data_vma(r);
	u64 count = min_t(u64, end - *page, max(w->budget, 1));

	if (!vma)
		return -ENXIO;
	zap_vma_ptes(vma, r->data_start + *page * PAGE_SIZE, count * PAGE_SIZE);
	atomic64_inc(&r->count.shootdowns);
	*page += count;
	w->budget -= count;
	return *page < end ? -EAGAIN : 0;
}

/*
 * Is the data in the owner's tree? Only a user of the mm can be in munmap(). If the caller is the
 * only one, and in a call of ours, nobody has taken the mapping out without closing it, so it need
 * not be looked for. Who was another user has closed what he unmapped before he let go of the mm:
 * hence the acquire, and the order. Memory pressure must look: it may come in the midst of the
 * caller's own munmap().
 */
static __always_inline bool upa_mapped(struct upa_region *r)
{
	if (current->mm == r->mm && atomic_read_acquire(&r->mm->mm_users) == 1)
		return READ_ONCE(r->data_vma);
	return upa_data_vma(r);
}

static __always_inline int upa_batch_lock(struct upa_region *r, const struct upa_walk *w)
{
	/* Before any lock is taken: memory pressure does not wait for a busy owner. */
	if (r->gone && !w->map && READ_ONCE(r->looking) &&
	    wait_var_event_killable(&r->looking, !READ_ONCE(r->looking)))
		return -EINTR;
	if (mmap_read_lock_killable(r->mm))
		return -EINTR;
	if (unlikely(w->pager) && !upa_is_admitted(w->pager)) {
		mmap_read_unlock(r->mm);
		return -ESHUTDOWN;
	}
	/* A number may be moved again after this call: not between two looks at the shadow. */
	if (r->gone && !w->map && down_read_killable(&r->moves)) {
		mmap_read_unlock(r->mm);
		return -EINTR;
	}
	return 0;
}

static __always_inline void upa_batch_unlock(struct upa_region *r, const struct upa_walk *w)
{
	if (r->gone && !w->map)
		up_read(&r->moves);
	mmap_read_unlock(r->mm);
}

/* Devices and guests that share the page tables are told by the kernel, range by range. */
static int upa_tell_secondary_mmus(struct upa_region *r, const struct upadev_range *ranges, u32 n)
{
	struct vm_area_struct *vma;
	int ret = 0;
	u32 i;

	for (i = 0; i < n && !ret; i++) {
		if (fatal_signal_pending(current) || mmap_read_lock_killable(r->mm))
			return -EINTR;
		vma = upa_data_vma(r);
		if (vma)
			zap_vma_ptes(vma, r->data_start + ranges[i].page * PAGE_SIZE,
				     ranges[i].count * PAGE_SIZE);
		else
			ret = -ENXIO;
		mmap_read_unlock(r->mm);
		cond_resched();
	}
	return ret;
}

/*
 * All ranges, checked, and one shoot-down in the end. The locks are let go in between: what the
 * call has cleared by then is flushed by itself in the end, by munmap(), or before frames leave
 * the pool, whichever comes first, and until it returns nothing is promised.
 */
static __always_inline int upa_batch_work(struct upa_region *r, struct upa_pager *p,
					  const struct upadev_range *ranges,
					  struct upadev_batch *batch, bool map)
{
	struct upa_walk w = { .batch = batch, .pager = p, .map = map };
	u64 page = ranges[0].page;
	u32 i = 0;
	int ret;

	for (;;) {
		ret = fatal_signal_pending(current) ? -EINTR : upa_batch_lock(r, &w);
		if (ret)
			break;
		w.budget = UPA_PAGES_AT_ONCE;
		if (!upa_mapped(r))
			ret = -ENXIO;
		while (!ret) {
			u64 end = ranges[i].page + ranges[i].count;

			if (batch->flags & UPADEV_BATCH_PER_RANGE)
				ret = upa_zap_range(r, &w, &page, end);
			else if (unlikely(r->blocks))
				ret = upa_blocks_walk(r, &w, &page, end);
			else
				ret = upa_walk_range(r, &w, &page, end);
			if (ret || ++i == batch->count)
				break;
			page = ranges[i].page;
			/* A range counts as a table at least. */
			w.budget -= (int)UPADEV_BLOCK_PAGES;
			if (w.budget <= 0)
				ret = -EAGAIN;
		}
		if (w.flush && (likely(!ret) || (ret < 0 && ret != -EAGAIN)))
			upa_flush(r);
		upa_batch_unlock(r, &w);
		if (unlikely(ret == UPA_NEEDS_TABLE_CHANGE)) {
			w.flush = true;
			ret = upa_blocks_change_tables(r, page, ranges[i].page + ranges[i].count);
			if (ret != -EAGAIN && ret != -EINTR)
				upa_flush(r);
		}
		if (likely(ret != -EAGAIN))
			break;
		cond_resched();
	}
	if (w.flush && unlikely(ret) && (ret == -EINTR || ret == -ESHUTDOWN))
		upa_flush(r);
	/* Also of what was done before an entry was out of range. */
	else if (w.flush && (likely(!ret) || ret == -EINVAL || ret == -ENOMEM) &&
		 upa_secondary_mmus(r))
		ret = upa_tell_secondary_mmus(r, ranges, batch->count) ?: ret;
	if (unlikely(READ_ONCE(r->away)))
		upa_away_look(r);
	atomic64_inc(map ? &r->count.map_calls : &r->count.unmap_calls);
	atomic64_add(batch->changed, map ? &r->count.map_pages : &r->count.unmap_pages);
	return ret;
}

static noinline int upa_map_ranges(struct upa_region *r, struct upa_pager *p,
				   const struct upadev_range *ranges, struct upadev_batch *batch)
{
	return upa_batch_work(r, p, ranges, batch, true);
}

static noinline int upa_unmap_ranges(struct upa_region *r, struct upa_pager *p,
				     const struct upadev_range *ranges, struct upadev_batch *batch)
{
	return upa_batch_work(r, p, ranges, batch, false);
}

/* All is copied. Checks what depends on the region, and does it. */
static __always_inline int upa_batch_checked(struct upa_region *r, struct upa_pager *p,
					     const struct upadev_range *ranges,
					     struct upadev_batch *batch, bool map)
{
	u32 i;

	if (batch->flags & ~(map || r->blocks ? 0 : UPADEV_BATCH_PER_RANGE))
		return -EINVAL;
	for (i = 0; i < batch->count; i++)
		if (!upa_in_region(r, ranges[i].page, ranges[i].count))
			return -EINVAL;
	return map ? upa_map_ranges(r, p, ranges, batch) : upa_unmap_ranges(r, p, ranges, batch);
}

/* Of the owner, or of a pager, who has no region yet. */
int upa_guarded_batch(struct upa_region *r, struct upa_pager *p, struct upadev_batch *batch,
		      bool map)
{
	struct upadev_range few[8], *ranges = few;
	struct upa_visit visit;
	int ret = 0;

	batch->changed = 0;
	batch->stopped_at = ~0ULL;
	if (batch->count < 1 || batch->count > UPADEV_MAX_RANGES || batch->reserved[0] ||
	    batch->reserved[1] || batch->flags & ~(map ? 0 : UPADEV_BATCH_PER_RANGE))
		return -EINVAL;
	if (batch->count > ARRAY_SIZE(few)) {
		ranges = kvmalloc_array(batch->count, sizeof(*ranges), GFP_KERNEL_ACCOUNT);
		if (!ranges)
			return -ENOMEM;
	}
	if (copy_from_user(ranges, u64_to_user_ptr(batch->ranges),
			   batch->count * sizeof(*ranges))) {
		ret = -EFAULT;
	} else if (likely(!p)) {
		ret = upa_batch_checked(r, NULL, ranges, batch, map);
	} else {
		ret = upa_visit_begin(p, &visit);
		if (!ret) {
			ret = upa_batch_checked(visit.region, p, ranges, batch, map);
			upa_visit_end(&visit);
		}
	}
	if (ranges != few)
		kvfree(ranges);
	return ret;
}

/* One range, named by the arguments of posix_fadvise(): no structure to copy. */
int upa_guarded_advise(struct upa_region *r, loff_t offset, loff_t bytes, int advice)
{
	struct upadev_range range = {
		.page = (u64)offset >> PAGE_SHIFT,
		.count = (u64)bytes >> PAGE_SHIFT,
	};
	struct upadev_batch batch = { .count = 1 };

	if (advice != POSIX_FADV_WILLNEED && advice != POSIX_FADV_DONTNEED)
		return -EINVAL;
	if (offset < 0 || bytes <= 0 || (offset | bytes) & ~PAGE_MASK ||
	    !upa_in_region(r, range.page, range.count))
		return -EINVAL;
	return advice == POSIX_FADV_WILLNEED ? upa_map_ranges(r, NULL, &range, &batch) :
					       upa_unmap_ranges(r, NULL, &range, &batch);
}
