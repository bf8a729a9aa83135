// SPDX-License-Identifier: GPL-2.0
/*
 * The process's allocators of pages and of frames, whose words lie in the state that it shares:
 * upa.h says where, and what they mean. They are only read. Nothing in them is trusted: where they
 * lie was checked once, every loop over them is bounded by the module's own numbers, and what is
 * read decides only what the process may lose of its own.
 *
 * What the module says in return are marks, in words of its own beside them. They are hints too: it
 * reads none of them back.
 */
#include <linux/bitops.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "region.h"

#define UPA_ROW_UNITS 64U
#define UPA_CHILD_ROWS (UPADEV_BLOCK_PAGES / UPA_ROW_UNITS)
#define UPA_BITMAP_ROWS (2 * UPA_CHILD_ROWS) /* allocation bits, then bits that are not read */
#define UPA_FAN_OUT 16U                      /* children of a tree, trees of a group */

/* Where are so many words of the state? NULL: not in it, or misaligned. */
static void *upa_words(const struct upa_region *r, u64 offset, u64 words, u64 word_bytes)
{
	if (offset % word_bytes || offset > r->state_bytes ||
	    words * word_bytes > r->state_bytes - offset)
		return NULL;
	return r->state + offset;
}

static int upa_find_allocator(const struct upa_region *r, const struct upadev_allocator *from,
			      struct upa_allocator *a)
{
	u64 children = DIV_ROUND_UP(from->units, UPADEV_BLOCK_PAGES);
	u64 trees = DIV_ROUND_UP(children, UPA_FAN_OUT);

	a->units = from->units;
	a->group = upa_words(r, from->group_offset, DIV_ROUND_UP(trees, UPA_FAN_OUT), sizeof(u32));
	a->tree = upa_words(r, from->tree_offset, trees, sizeof(u32));
	a->child = upa_words(r, from->child_offset, children, sizeof(u32));
	a->bitmap =
		upa_words(r, from->bitmap_offset, children * UPA_BITMAP_ROWS, sizeof(*a->bitmap));
	return a->group && a->tree && a->child && a->bitmap ? 0 : -EINVAL;
}

static u64 upa_mark_words(const struct upa_allocator *a)
{
	return DIV_ROUND_UP(DIV_ROUND_UP(a->units, UPADEV_BLOCK_PAGES), BITS_PER_LONG);
}

static int upa_find_marks(const struct upa_region *r, u64 offset, struct upa_unused *u)
{
	u64 pages = upa_mark_words(&u->pages), frames = upa_mark_words(&u->frames);
	u64 *marks = upa_words(r, offset, 2 + pages + frames + r->max_frames / BITS_PER_LONG,
			       sizeof(*marks));

	if (!marks)
		return -EINVAL;
	u->taken = (atomic64_t *)marks;
	u->told_bound = marks + 1;
	u->page_marks = (unsigned long *)(marks + 2);
	u->frame_marks = u->page_marks + pages;
	u->absent = u->frame_marks + frames;
	return 0;
}

/* What holds is ->bound; what the process does with the word is its own affair. */
void upa_tell_bound(struct upa_unused *u, u64 bound)
{
	WRITE_ONCE(u->bound, bound);
	WRITE_ONCE(*u->told_bound, bound);
}

int upa_declare_allocators(struct upa_region *r, const struct upadev_allocators *a)
{
	struct upa_watch *watch;
	struct upa_unused *u;
	int ret = -EINVAL;

	lockdep_assert_held(&r->create_lock);
	if (memchr_inv(a->reserved, 0, sizeof(a->reserved)) || !a->pages.units ||
	    a->pages.units > r->pages || a->frames.units != r->max_frames)
		return -EINVAL;
	if (r->unused || r->gone)
		return -EBUSY;
	u = kzalloc(sizeof(*u), GFP_KERNEL_ACCOUNT);
	if (!u)
		return -ENOMEM;
	if (!upa_find_allocator(r, &a->pages, &u->pages) &&
	    !upa_find_allocator(r, &a->frames, &u->frames))
		ret = upa_find_marks(r, a->marks_offset, u);
	watch = ret ? NULL : upa_watch_make(r);
	if (!watch) {
		kfree(u);
		return ret ?: -ENOMEM;
	}
	upa_tell_bound(u, UPADEV_NO_BOUND);
	/* Pairs with the acquire of those who look whether there are any. */
	smp_store_release(&r->unused, u);
	upa_watch_begin(r, watch);
	return 0;
}

/*
 * Which of the 64 units from 64 * @row on are free. A polarity changes only when all units below it
 * are free just before or just after. So, whatever happens between the reads, each unit that is
 * told was free at some instant after the call began.
 */
u64 upa_free_bits(const struct upa_allocator *a, u64 row)
{
	u64 child = row / UPA_CHILD_ROWS, tree = child / UPA_FAN_OUT, bits;
	u64 units = a->units - row * UPA_ROW_UNITS;
	u32 tree_word = READ_ONCE(a->tree[tree]), group_word, child_word;
	bool inverted;

	smp_rmb(); /* polarities from the top, then the bits */
	group_word = READ_ONCE(a->group[tree / UPA_FAN_OUT]);
	smp_rmb();
	child_word = READ_ONCE(a->child[child]);
	smp_rmb();
	bits = READ_ONCE(a->bitmap[child * UPA_BITMAP_ROWS + row % UPA_CHILD_ROWS]);
	inverted = child_word & UPADEV_CHILD_POLARITY;
	inverted ^= !!(tree_word & UPADEV_NODE_POLARITY);
	if (!(tree_word & UPADEV_TREE_OPEN))
		inverted ^= !!(group_word & UPADEV_NODE_POLARITY);
	if (!inverted)
		bits = ~bits;
	return units < UPA_ROW_UNITS ? bits & (BIT_ULL(units) - 1) : bits;
}

bool upa_is_free(const struct upa_allocator *a, u64 unit)
{
	return upa_free_bits(a, unit / UPA_ROW_UNITS) & BIT_ULL(unit % UPA_ROW_UNITS);
}

/* A frame has lost its memory. It stood at page @at - 1, which is free, or (0) was free itself. */
void upa_mark_absent(struct upa_unused *u, u64 frame, u64 at)
{
	set_bit(frame, u->absent);
	if (at)
		set_bit((at - 1) / UPADEV_BLOCK_PAGES, u->page_marks);
	else
		set_bit(frame / UPADEV_BLOCK_PAGES, u->frame_marks);
}

/* It has memory again, or is no frame of the pool any more. */
void upa_mark_present(struct upa_unused *u, u64 frame)
{
	clear_bit(frame, u->absent);
}
