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
#include <linux/mmap_lock.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "region.h"

#define REFILLS 16U /* of one fault: each found the memory taken again before it was used */
#define HARVEST_PAGES 32768 /* per holding of mmap_lock: one page for each bit map */

/* Entries of 0 from @shadow on, at least 1; only a hint: what counts is read again, once. */
static unsigned long count_zeros(const u32 *shadow, const u32 *end)
{
	const u32 *next = shadow + 1;

	while (next + 4 <= end &&
	       !(READ_ONCE(*(const u64 *)next) | READ_ONCE(*(const u64 *)(next + 2))))
		next += 4;
	return next - shadow;
}

/*
 * Sets the entries of pages @page .. @page + @count - 1 of one locked table. Returns the
 * number of pages looked at before an entry out of range, @count if there was none. With
 * @replaced NULL (a fault) entries that are present stay as they are, and those out of range
 * are passed over: only the page that was touched has to be good.
 */
static noinline unsigned long install(struct upa_region *r, pte_t *table, u64 page,
				      unsigned long count, u64 *changed, bool *replaced)
{
	/* Pairs with the release in upa_pool_grow(). */
	unsigned long frames = smp_load_acquire(&r->frames), kept = 0;
	const u32 *first = r->shadow + page, *end = first + count, *shadow;
	const u64 *entries = r->entries - 1; /* shadow entries are frame + 1 */
	pte_t *pte = table;

	for (shadow = first; shadow < end; shadow++, pte++) {
		unsigned long frame = READ_ONCE(*shadow);
		u64 entry, old;

		if (unlikely(!frame)) {
			unsigned long zeros = count_zeros(shadow, end);

			kept += zeros;
			shadow += zeros - 1;
			pte += zeros - 1;
			continue;
		}
		if (unlikely(frame > frames)) {
			if (replaced)
				break;
			kept++;
			continue;
		}
		entry = entries[array_index_nospec(frame, frames + 1)];
		old = native_pte_val(*pte);
		if (unlikely(old)) {
			if (!replaced || !((old ^ entry) & PTE_PFN_MASK)) {
				kept++;
				continue;
			}
			*replaced = true;
		}
		upa_set_entry(r->mm, r->data_start + (page + (pte - table)) * PAGE_SIZE, pte, entry);
	}
	*changed += shadow - first - kept;
	return shadow - first;
}

static noinline u64 empty(struct upa_region *r, pte_t *table, u64 page, unsigned long count)
{
	unsigned long address = r->data_start + page * PAGE_SIZE;
	unsigned long i, absent = 0;

#pragma GCC unroll 8
	for (i = 0; i < count; i++) {
		if (likely(native_pte_val(table[i])))
			upa_clear_entry(r->mm, address + i * PAGE_SIZE, &table[i]);
		else
			absent++;
	}
	return count - absent;
}

/* A touch of a page that is not installed: fills the table around it. Needs mmap_lock. */
vm_fault_t upa_guarded_fault(struct upa_region *r, struct vm_fault *vmf)
{
	u64 page = (vmf->address - r->data_start) / PAGE_SIZE;
	u64 first = round_down(page, UPADEV_BLOCK_PAGES), changed = 0;
	unsigned long address = vmf->address & PMD_MASK;
	unsigned int attempts = 0;
	struct upa_table t;
	u32 frame;
	bool good;

again:
	frame = READ_ONCE(r->shadow[page]);
	if (!frame || frame > READ_ONCE(r->frames))
		goto bad;
	if (!upa_table_lock(r->mm, address, &t)) {
		if (upa_table_make(r->mm, address))
			return VM_FAULT_OOM;
		if (!upa_table_lock(r->mm, address, &t))
			return VM_FAULT_SIGBUS;
	}
	install(r, t.pte, first, UPADEV_BLOCK_PAGES, &changed, NULL);
	good = !pte_none(t.pte[page - first]);
	spin_unlock(t.lock);
	atomic64_add(changed, &r->count.fault_pages);
	if (!good) {
		/* Its block was taken back, or is about to be; else it went away since the first look. */
		if (r->gone && !upa_reclaim_refill(r, frame - 1) && attempts++ < REFILLS)
			goto again;
		goto bad;
	}
	atomic64_inc(&r->count.faults);
	return VM_FAULT_NOPAGE;
bad:
	atomic64_inc(&r->count.bad_faults);
	return VM_FAULT_SIGBUS;
}

static bool any_entry(const struct upa_region *r, u64 page, unsigned int count)
{
	while (count--)
		if (READ_ONCE(r->shadow[page++]))
			return true;
	return false;
}

/* One range, table by table. */
static int batch_range(struct upa_region *r, const struct upadev_range *range, struct upadev_batch *batch,
		       bool map, bool *flush)
{
	u64 page = range->page, end = page + range->count;

	while (page < end) {
		unsigned long address = r->data_start + page * PAGE_SIZE;
		unsigned int count =
			min(end, round_down(page, UPADEV_BLOCK_PAGES) + UPADEV_BLOCK_PAGES) - page;
		unsigned int done = count;
		struct upa_table t;

		if (!upa_table_lock(r->mm, address, &t)) {
			if (!map || !any_entry(r, page, count))
				goto next;
			if (upa_table_make(r->mm, address) || !upa_table_lock(r->mm, address, &t))
				return -ENOMEM;
		}
		if (map) {
			done = install(r, t.pte, page, count, &batch->changed, flush);
		} else {
			u64 cleared = empty(r, t.pte, page, count);

			batch->changed += cleared;
			*flush |= cleared != 0;
		}
		spin_unlock(t.lock);
		if (done < count) {
			batch->stopped_at = page + done;
			return -EINVAL;
		}
next:
		page += count;
		if (page == end)
			break;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Has the kernel itself clear and flush one range. */
static void zap_range(struct upa_region *r, struct vm_area_struct *vma,
		      const struct upadev_range *range)
{
	zap_vma_ptes(vma, r->data_start + range->page * PAGE_SIZE, range->count * PAGE_SIZE);
	atomic64_inc(&r->count.shootdowns);
}

static bool in_region(const struct upa_region *r, const struct upadev_range *range)
{
	return range->count && range->page < r->pages && range->count <= r->pages - range->page;
}

/* All ranges, checked, under one holding of mmap_lock and with one shoot-down. */
static int work(struct upa_region *r, const struct upadev_range *ranges, struct upadev_batch *batch,
		bool map)
{
	struct vm_area_struct *vma;
	bool flush = false;
	int ret = 0;
	u32 i;

	if (mmap_read_lock_killable(r->mm))
		return -EINTR;
	/* A number may be moved again after this call: not between two looks at the shadow. */
	if (r->gone && !map)
		down_read(&r->moves);
	vma = upa_data_vma(r);
	if (!vma) {
		ret = -ENXIO;
	} else {
		for (i = 0; i < batch->count && !ret; i++) {
			if (i && fatal_signal_pending(current))
				ret = -EINTR;
			else if (batch->flags & UPADEV_BATCH_PER_RANGE)
				zap_range(r, vma, &ranges[i]);
			else
				ret = batch_range(r, &ranges[i], batch, map, &flush);
			if (i)
				cond_resched();
		}
		if (flush)
			upa_flush(r);
	}
	if (r->gone && !map)
		up_read(&r->moves);
	mmap_read_unlock(r->mm);
	atomic64_inc(map ? &r->count.map_calls : &r->count.unmap_calls);
	atomic64_add(batch->changed, map ? &r->count.map_pages : &r->count.unmap_pages);
	return ret;
}

int upa_guarded_batch(struct upa_region *r, struct upadev_batch *batch, bool map)
{
	struct upadev_range few[8], *ranges = few;
	int ret = 0;
	u32 i;

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
		goto out;
	}
	for (i = 0; i < batch->count; i++) {
		if (!in_region(r, &ranges[i])) {
			ret = -EINVAL;
			goto out;
		}
	}
	ret = work(r, ranges, batch, map);
out:
	if (ranges != few)
		kvfree(ranges);
	return ret;
}

/* One range, named by the arguments of posix_fadvise(): no structure to copy. */
int upa_guarded_advise(struct upa_region *r, loff_t offset, loff_t bytes, int advice)
{
	struct upadev_range range = { .page = (u64)offset >> PAGE_SHIFT, .count = (u64)bytes >> PAGE_SHIFT };
	struct upadev_batch batch = { .count = 1 };

	if (advice != POSIX_FADV_WILLNEED && advice != POSIX_FADV_DONTNEED)
		return -EINVAL;
	if (offset < 0 || bytes <= 0 || (offset | bytes) & ~PAGE_MASK || !in_region(r, &range))
		return -EINVAL;
	return work(r, &range, &batch, advice == POSIX_FADV_WILLNEED);
}

/* Bits of @count pages from @page on, into the zeroed bit maps. Needs mmap_lock. */
static bool harvest_chunk(struct upa_region *r, u64 page, u64 count, struct upadev_harvest *h,
			  u64 *accessed, u64 *dirty)
{
	bool clear_accessed = h->flags & UPADEV_HARVEST_CLEAR_ACCESSED,
	     clear_dirty = h->flags & UPADEV_HARVEST_CLEAR_DIRTY;
	bool flush = false;
	u64 i = 0;

	while (i < count) {
		u64 here = min(count - i, UPADEV_BLOCK_PAGES - (page + i) % UPADEV_BLOCK_PAGES),
		    end = i + here;
		struct upa_table t;

		if (!upa_table_lock(r->mm, r->data_start + (page + i) * PAGE_SIZE, &t)) {
			i = end;
			continue;
		}
		for (; i < end; i++, t.pte++) {
			u64 entry = pte_val(*t.pte);

			if (!(entry & (_PAGE_ACCESSED | _PAGE_DIRTY)))
				continue;
			if (entry & _PAGE_ACCESSED) {
				accessed[i / 64] |= BIT_ULL(i % 64);
				h->accessed_pages++;
				if (clear_accessed) /* the CPU may be setting the other bit */
					clear_bit(_PAGE_BIT_ACCESSED, (unsigned long *)t.pte);
			}
			if (entry & _PAGE_DIRTY) {
				dirty[i / 64] |= BIT_ULL(i % 64);
				h->dirty_pages++;
				if (clear_dirty)
					clear_bit(_PAGE_BIT_DIRTY, (unsigned long *)t.pte);
			}
			flush |= clear_dirty && entry & _PAGE_DIRTY;
			flush |= clear_accessed && h->flags & UPADEV_HARVEST_FLUSH &&
				 entry & _PAGE_ACCESSED;
		}
		spin_unlock(t.lock);
		cond_resched();
	}
	return flush;
}

static bool put_bits(u64 user, u64 first, const u64 *bits, u64 words)
{
	return user && copy_to_user(u64_to_user_ptr(user) + first / 8, bits, words * sizeof(*bits));
}

int upa_guarded_harvest(struct upa_region *r, struct upadev_harvest *h)
{
	u64 done, *bits;
	int ret = 0;

	if (h->flags &
		    ~(UPADEV_HARVEST_CLEAR_ACCESSED | UPADEV_HARVEST_CLEAR_DIRTY | UPADEV_HARVEST_FLUSH) ||
	    h->pad || h->reserved[0] || h->reserved[1] || !h->count || h->page >= r->pages ||
	    h->count > r->pages - h->page)
		return -EINVAL;
	h->accessed_pages = 0;
	h->dirty_pages = 0;
	bits = kmalloc(2 * HARVEST_PAGES / 8, GFP_KERNEL_ACCOUNT);
	if (!bits)
		return -ENOMEM;
	for (done = 0; done < h->count && !ret; done += HARVEST_PAGES) {
		u64 count = min_t(u64, h->count - done, HARVEST_PAGES),
		    words = DIV_ROUND_UP(count, 64);
		struct vm_area_struct *vma;

		memset(bits, 0, 2 * words * sizeof(*bits));
		if (mmap_read_lock_killable(r->mm)) {
			ret = -EINTR;
			break;
		}
		vma = upa_data_vma(r);
		if (!vma)
			ret = -ENXIO;
		else if (harvest_chunk(r, h->page + done, count, h, bits, bits + words))
			upa_flush(r);
		mmap_read_unlock(r->mm);
		/* Not under mmap_lock: writing to the process may fault. */
		if (!ret && (put_bits(h->accessed, done, bits, words) ||
			     put_bits(h->dirty, done, bits + words, words)))
			ret = -EFAULT;
	}
	kfree(bits);
	return ret;
}

/*
 * Lowers the pool to @frames; needs create_lock. First no frame above can be installed any
 * more, then all tables are emptied, then everything is flushed, also what a concurrent call
 * has cleared but not flushed yet. Only then do they go.
 */
int upa_guarded_shrink(struct upa_region *r, u64 frames)
{
	u64 before = r->frames;
	struct vm_area_struct *vma;

	if (mmap_read_lock_killable(r->mm))
		return -EINTR;
	WRITE_ONCE(r->frames, frames);
	vma = upa_data_vma(r);
	if (vma)
		zap_vma_ptes(vma, r->data_start, upa_data_bytes(r));
	upa_flush_everywhere();
	mmap_read_unlock(r->mm);
	mutex_lock(&r->refill_lock);
	upa_pool_free(r, frames, before);
	mutex_unlock(&r->refill_lock);
	return 0;
}
