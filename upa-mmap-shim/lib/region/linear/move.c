/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks that move: large ones by moving the kernel's page tables, others by copying.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "os/os.h"
#include "region/linear/linear.h"
#include "region/slots.h"

/*
 * Each move of page tables may leave one more VMA behind, of which a process has 65 530 by default. After so many,
 * blocks are copied.
 */
#define MAX_TABLE_MOVES 16384u

enum moved upa_linear_move(struct upa_region *r, uint64_t to, uint64_t from, uint64_t pages)
{
	void *target = address_of(r, to), *source = address_of(r, from);
	uint64_t bytes = pages * PAGE_BYTES;

	UPA_ASSERT(held(r, to, pages) && held(r, from, pages) && reached(r, to, pages));
	if (!os_failed(os_mremap(source, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, target)))
		return MOVED;
	/* The kernel may have unmapped the target before it found that it had no room for the move. */
	if (!upa_linear_restore(r, to, pages, PROT_READ | PROT_WRITE))
		return MOVED_NOTHING;
	/* A limit from outside, below what is mapped already: nothing can be mapped, but this takes no room. */
	if (os_failed(os_mremap(source, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, target)))
		return MOVED_NOTHING;
	upa_llfree_taint(&r->llfree, from, pages);
	return MOVED_AWAY;
}

/*
 * Moves memory to a range that has none: the page tables where the kernel can, else the bytes. MOVED: all of it went by
 * page tables, so that no memory stays behind at the source; MOVED_AWAY: nor do all addresses.
 */
static enum moved move_tables(struct upa_region *r, uint64_t to, uint64_t from, uint64_t pages)
{
	enum moved all = MOVED;
	uint64_t n;

	UPA_ASSERT(held(r, to, pages) && held(r, from, pages) && (to + pages <= from || from + pages <= to));
	UPA_ASSERT(r->backend != &upa_shared && reached(r, to, pages));
	for (; pages; pages -= n, to += n, from += n) {
		enum moved part;

		n = upa_region_one_mapping(r, address_of(r, from), pages * PAGE_BYTES) / PAGE_BYTES;
		part = upa_linear_move(r, to, from, n);
		if (part == MOVED_NOTHING)
			memcpy(address_of(r, to), address_of(r, from), n * PAGE_BYTES);
		/* The worst of all. */
		all = part > all ? part : all;
	}
	return all;
}

/*
 * Exchanges the page tables of two ranges by way of a third that has no memory: the target's memory goes where the
 * source's was, so nothing is copied, freed or faulted in again. Contents of the target are of no interest.
 */
static bool swap_tables(struct upa_region *r, uint64_t to, uint64_t from, uint64_t pages)
{
	int64_t aside = upa_llfree_get_run(&r->llfree, this_slot(), pages, UPA_GET_ABSENT);
	bool absent;
	uint64_t length;

	if (aside < 0) {
		ADD(r, internal_failures, 1);
		return false;
	}
	ADD(r, internal_gets, 1);
	if (upa_region_reach(r, (uint64_t)aside, pages))
		return false;
	absent = upa_llfree_next_stale(&r->llfree, (uint64_t)aside, pages, &length) < 0;
	if (absent) {
		enum moved there = move_tables(r, (uint64_t)aside, to, pages), back;

		/* Whatever is missing of the first two, the next move fills. */
		move_tables(r, to, from, pages);
		back = move_tables(r, from, (uint64_t)aside, pages);
		if (back != MOVED_AWAY)
			put_back(r, (uint64_t)aside, pages, there == MOVED && back == MOVED ? UPA_PUT_ABSENT : 0);
	} else {
		put_back(r, (uint64_t)aside, pages, UPA_PUT_UNTOUCHED);
	}
	return absent;
}

int64_t upa_linear_copy_elsewhere(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages,
				  uint32_t flags)
{
	int64_t got = upa_llfree_get_run(&r->llfree, this_slot(), new_pages, UPA_GET_CONTENTS);
	int64_t page = upa_llfree_page(got);
	int error;

	if (got < 0)
		return got;
	error = upa_region_reach(r, (uint64_t)page, new_pages);
	if (!error && r->backend->prepares)
		error = r->backend->prepare(r, (uint64_t)page, new_pages, 0, upa_llfree_holds(got));
	if (error) {
		count_shortage(r);
		return error;
	}
	UPA_ASSERT(held(r, first, old_pages) && old_pages < new_pages);
	memcpy(address_of(r, (uint64_t)page), address_of(r, first), old_pages * PAGE_BYTES);
	if (flags & UPA_MAP_ZEROS)
		r->backend->clear(r, (uint64_t)page + old_pages, new_pages - old_pages);
	r->backend->unmap(r, first, old_pages);
	ADD(r, moved_pages, old_pages);
	return page;
}

int64_t upa_linear_relocate(struct upa_region *r, uint64_t first, uint64_t old_pages, uint64_t new_pages,
			    uint32_t flags)
{
	bool tables = old_pages >= UPA_CHILD_PAGES && upa_llfree_tainted(&r->llfree, first, old_pages) <= 0 &&
		      atomic_load_explicit(&r->table_moves, memory_order_relaxed) < MAX_TABLE_MOVES;
	/* Page tables move whole from one child to another. */
	int64_t got = upa_llfree_get_run(&r->llfree, this_slot(), new_pages, UPA_GET_CONTENTS | UPA_GET_ALIGNED);
	uint64_t to = (uint64_t)upa_llfree_page(got);
	uint64_t length;
	enum moved moved = MOVED_NOTHING;
	int error;

	if (got < 0)
		return got;
	error = upa_region_reach(r, to, new_pages);
	if (error) {
		count_shortage(r);
		return error;
	}
	UPA_ASSERT(held(r, first, old_pages) && held(r, to, new_pages) && old_pages < new_pages);
	/* Before anything moves: what may vanish here may vanish where it moves to. */
	if (upa_llfree_holds(got) & UPA_HOLDS_LAZY)
		upa_linear_settle(r, to, new_pages);
	if (tables)
		atomic_fetch_add_explicit(&r->table_moves, 1, memory_order_relaxed);
	if (tables && upa_llfree_next_stale(&r->llfree, to, old_pages, &length) < 0)
		moved = move_tables(r, to, first, old_pages);
	else if (!tables || !swap_tables(r, to, first, old_pages))
		memcpy(address_of(r, to), address_of(r, first), old_pages * PAGE_BYTES);
	upa_linear_scavenge(r, to + old_pages, new_pages - old_pages);
	if (flags & UPA_MAP_ZEROS)
		upa_linear_clear(r, to + old_pages, new_pages - old_pages);
	if (moved == MOVED)
		upa_llfree_put_run(&r->llfree, this_slot(), first, old_pages, UPA_PUT_ABSENT);
	else if (moved == MOVED_NOTHING)
		r->backend->unmap(r, first, old_pages);
	ADD(r, moved_pages, old_pages);
	return (int64_t)to;
}
