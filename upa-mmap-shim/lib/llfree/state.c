/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - how large a state is, and how one is made and attached to. */
#include <errno.h>
#include <string.h>

#include "llfree/bits.h"

static size_t line_up(size_t n)
{
	return (n + LINE_BYTES - 1) & ~(size_t)(LINE_BYTES - 1);
}

/* The one place that knows how a state is laid out. False if pages or slots are out of range. */
static bool lay_out(struct upa_llfree_header *h, uint64_t pages, uint32_t slots)
{
	uint64_t children = (pages + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;
	uint64_t trees = (children + UPA_TREE_CHILDREN - 1) / UPA_TREE_CHILDREN;
	uint64_t groups = (trees + UPA_GROUP_TREES - 1) / UPA_GROUP_TREES;

	if (!pages || pages > UPA_MAX_PAGES || !slots || slots > UPA_MAX_SLOTS)
		return false;
	*h = (struct upa_llfree_header){ .magic = UPA_LLFREE_MAGIC, .abi = UPA_LLFREE_ABI };
	h->slots = slots;
	h->pages = pages;
	h->slot_offset = HEADER_BYTES;
	h->group_offset = h->slot_offset + slots * sizeof(struct slot);
	h->tree_offset = h->group_offset + line_up(groups * sizeof(group_t));
	h->child_offset = h->tree_offset + groups * UPA_GROUP_TREES * sizeof(tree_t);
	h->bitmap_offset = h->child_offset + trees * UPA_TREE_CHILDREN * sizeof(child_t);
	h->state_bytes = h->bitmap_offset + children * sizeof(struct bitmap);
	return true;
}

static void bind(struct upa_llfree *a, void *state, const struct upa_llfree_header *h)
{
	char *base = state;
	uint64_t children = (h->pages + UPA_CHILD_PAGES - 1) / UPA_CHILD_PAGES;
	uint64_t trees = (children + UPA_TREE_CHILDREN - 1) / UPA_TREE_CHILDREN;

	*a = (struct upa_llfree){
		.state = state,
		.slot = base + h->slot_offset,
		.group = base + h->group_offset,
		.tree = base + h->tree_offset,
		.child = base + h->child_offset,
		.bitmap = base + h->bitmap_offset,
		.pages = h->pages,
		.children = children,
		.trees = trees,
		.groups = (trees + UPA_GROUP_TREES - 1) / UPA_GROUP_TREES,
		.slots = h->slots,
	};
}

static _Atomic uint64_t *magic_of(void *state)
{
	return (_Atomic uint64_t *)&((struct upa_llfree_header *)state)->magic;
}

/* Marks what the last child, tree and group lack as used for good. */
static void close_end(const struct upa_llfree *a)
{
	uint64_t last = a->children - 1;
	uint32_t missing = child_missing(a, last);
	uint32_t tree_missing = (uint32_t)(a->trees * UPA_TREE_PAGES - a->pages);
	uint64_t trees = a->groups * UPA_GROUP_TREES;

	if (missing) {
		close_bits(bitmap_at(a, last), UPA_CHILD_PAGES - missing);
		store_relaxed(child_at(a, last), missing);
	}
	for (uint64_t c = a->children; c < a->trees * UPA_TREE_CHILDREN; c++)
		store_relaxed(child_at(a, c), UPA_CHILD_PAGES);
	if (tree_missing)
		store_relaxed(tree_at(a, a->trees - 1), TREE_OPEN | tree_missing);
	for (uint64_t t = a->trees; t < trees; t++)
		store_relaxed(tree_at(a, t), TREE_OPEN | UPA_TREE_PAGES);
	store_relaxed(group_at(a, a->groups - 1), (uint32_t)(trees - a->trees) + !!tree_missing);
}

size_t upa_llfree_state_size(uint64_t pages, uint32_t slots)
{
	struct upa_llfree_header h;

	return lay_out(&h, pages, slots) ? h.state_bytes : 0;
}

int upa_llfree_init(struct upa_llfree *a, void *state, size_t bytes, uint64_t pages, uint32_t slots)
{
	struct upa_llfree_header h;

	if (!lay_out(&h, pages, slots) || bytes < h.state_bytes || !state || (uintptr_t)state % LINE_BYTES)
		return -EINVAL;
	bind(a, state, &h);
	h.magic = 0;
	*header_of(a) = h;
	close_end(a);
	store_release(magic_of(state), UPA_LLFREE_MAGIC);
	return 0;
}

int upa_llfree_attach(struct upa_llfree *a, void *state, size_t bytes)
{
	struct upa_llfree_header h;
	struct upa_llfree_header expected;

	if (!state || (uintptr_t)state % LINE_BYTES)
		return -EINVAL;
	if (bytes < HEADER_BYTES)
		return -ERANGE;
	if (load_acquire(magic_of(state)) != UPA_LLFREE_MAGIC)
		return -EBADMSG;
	/* One copy, for the words may change; not of touched_children, which does. */
	memcpy(&h, state, offsetof(struct upa_llfree_header, touched_children));
	atomic_signal_fence(memory_order_seq_cst);
	if (h.abi != UPA_LLFREE_ABI)
		return -EPROTO;
	if (!lay_out(&expected, h.pages, h.slots))
		return -ERANGE;
	if (memcmp(&h, &expected, offsetof(struct upa_llfree_header, touched_children)) || bytes < expected.state_bytes)
		return -ERANGE;
	bind(a, state, &expected);
	return 0;
}
