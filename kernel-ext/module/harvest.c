// SPDX-License-Identifier: GPL-2.0
/*
 * The accessed and dirty bits of a guarded region: which pages were used, and which written, since
 * somebody last asked.
 */
#include <linux/bitmap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "region.h"

#define UPA_HARVEST_PAGES 32768 /* per holding of mmap_lock: one page for each bit map */

/*
 * What an entry of 2 MiB says of all pages of a block, of which @from .. @end - 1 are asked for.
 * Cleared with the last of them. True if a flush is due.
 */
static bool upa_harvest_block(struct upa_region *r, u64 page, u64 from, u64 end,
			      struct upadev_harvest *h, u64 *accessed, u64 *dirty)
{
	u64 block = round_down(page + from, UPADEV_BLOCK_PAGES);
	bool last = page + end == block + UPADEV_BLOCK_PAGES;
	unsigned int seen;
	bool flush = upa_blocks_harvest(r, block, last && h->page <= block, h, &seen);

	if (seen & UPA_SEEN_ACCESSED)
		bitmap_set((unsigned long *)accessed, from, end - from);
	if (seen & UPA_SEEN_DIRTY)
		bitmap_set((unsigned long *)dirty, from, end - from);
	return flush;
}

/* Bits of @count pages from @page on, into the zeroed bit maps. True if a flush is due. */
static bool upa_harvest_chunk(struct upa_region *r, u64 page, u64 count, struct upadev_harvest *h,
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

		if (r->blocks)
			flush |= upa_harvest_block(r, page, i, end, h, accessed, dirty);
		if (!upa_table_lock(r->mm, r->data_start + (page + i) * PAGE_SIZE, &t)) {
			i = end;
			continue;
		}
		for (; i < end; i++, t.pte++) {
			u64 entry = READ_ONCE(t.pte->pte);

			if (!(entry & (_PAGE_ACCESSED | _PAGE_DIRTY)))
				continue;
			if (entry & _PAGE_ACCESSED) {
				accessed[i / 64] |= BIT_ULL(i % 64);
				if (clear_accessed) /* the CPU may be setting the other bit */
					clear_bit(_PAGE_BIT_ACCESSED, (unsigned long *)t.pte);
			}
			if (entry & _PAGE_DIRTY) {
				dirty[i / 64] |= BIT_ULL(i % 64);
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
	h->accessed_pages += bitmap_weight((unsigned long *)accessed, count);
	h->dirty_pages += bitmap_weight((unsigned long *)dirty, count);
	return flush;
}

static bool upa_put_bits(u64 user, u64 first, const u64 *bits, u64 words)
{
	return user && copy_to_user(u64_to_user_ptr(user) + first / 8, bits, words * sizeof(*bits));
}

/* One chunk from @done on, of the owner or of a pager at work. */
static int upa_harvest_some(struct upa_region *r, struct upa_pager *p, struct upadev_harvest *h,
			    u64 done, u64 count, u64 *bits, u64 words)
{
	int ret = 0;

	if (!upa_in_region(r, h->page, h->count))
		return -EINVAL;
	if (fatal_signal_pending(current) || mmap_read_lock_killable(r->mm))
		return -EINTR;
	if (p && !upa_is_admitted(p))
		ret = -ESHUTDOWN;
	else if (!upa_data_vma(r))
		ret = -ENXIO;
	else if (upa_harvest_chunk(r, h->page + done, count, h, bits, bits + words))
		upa_flush(r);
	mmap_read_unlock(r->mm);
	return ret;
}

/* Of the owner, or of a pager, who has no region yet. */
int upa_harvest(struct upa_region *r, struct upa_pager *p, struct upadev_harvest *h)
{
	struct upa_visit visit;
	u64 done, *bits;
	int ret = 0;

	if (h->flags & ~(UPADEV_HARVEST_CLEAR_ACCESSED | UPADEV_HARVEST_CLEAR_DIRTY |
			 UPADEV_HARVEST_FLUSH) ||
	    h->pad || h->reserved[0] || h->reserved[1] || !h->count)
		return -EINVAL;
	h->accessed_pages = 0;
	h->dirty_pages = 0;
	bits = kmalloc(2 * UPA_HARVEST_PAGES / 8, GFP_KERNEL_ACCOUNT);
	if (!bits)
		return -ENOMEM;
	for (done = 0; done < h->count && !ret; done += UPA_HARVEST_PAGES) {
		u64 count = min_t(u64, h->count - done, UPA_HARVEST_PAGES),
		    words = DIV_ROUND_UP(count, 64);

		memset(bits, 0, 2 * words * sizeof(*bits));
		if (p) {
			ret = upa_visit_begin(p, &visit);
			if (ret)
				break;
			ret = upa_harvest_some(visit.region, p, h, done, count, bits, words);
			upa_visit_end(&visit);
		} else {
			ret = upa_harvest_some(r, NULL, h, done, count, bits, words);
		}
		/* Not under mmap_lock: writing to the process may fault. */
		if (!ret && (upa_put_bits(h->accessed, done, bits, words) ||
			     upa_put_bits(h->dirty, done, bits + words, words)))
			ret = -EFAULT;
	}
	kfree(bits);
	return ret;
}
