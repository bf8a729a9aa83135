/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "mman/ranges.h"

#include <limits.h>

void upa_give_up(struct upa_region *r, char *address, size_t length)
{
	/* A call that failed may have unmapped them: then they are mapped anew. */
	if (upa_region_tainted(r, address, length) &&
	    os_call(SYS_msync, (long)address, (long)length, MS_ASYNC, 0, 0, 0) == -ENOMEM)
		upa_region_unmap(r, address, length);
	else
		upa_region_unmap_untouched(r, address, length);
}

/* Reserves addresses at which nothing is mapped. */
static int reserve_free(char *address, size_t length)
{
	long made = os_mmap(address, length, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);

	if (os_failed(made) || (char *)made == address)
		return os_failed(made) ? (int)made : 0;
	/* Before Linux 4.17 this flag is a hint. */
	os_munmap((void *)made, length);
	return -EEXIST;
}

int upa_claim_range(struct upa_region *r, char *address, size_t length)
{
	struct range part;
	size_t before, behind;
	int error;

	if (!inside(r, address, length, &part))
		return reserve_free(address, length);
	error = upa_region_claim(r, part.address, part.bytes);
	if (error)
		return error;
	before = (size_t)(part.address - address);
	behind = length - before - part.bytes;
	error = before ? reserve_free(address, before) : 0;
	if (!error && behind) {
		error = reserve_free(part.address + part.bytes, behind);
		if (error && before)
			os_munmap(address, before);
	}
	if (error)
		upa_give_up(r, part.address, part.bytes);
	return error;
}

void upa_give_up_range(struct upa_region *r, char *address, size_t length)
{
	struct range part;
	size_t before, behind;

	if (!inside(r, address, length, &part)) {
		os_munmap(address, length);
		return;
	}
	/* The region has not grown into what is reserved. */
	before = (size_t)(part.address - address);
	behind = length - before - part.bytes;
	if (before)
		os_munmap(address, before);
	if (behind)
		os_munmap(part.address + part.bytes, behind);
	upa_give_up(r, part.address, part.bytes);
}

/* ---- pages that were free and have been taken -------------------------------------------------------- */

#define WORD_BITS (sizeof(unsigned long) * CHAR_BIT)

/* Of a range in the region, which pages were free: a bit for each, once there is one. */
struct taken {
	char *base;
	size_t pages;
	unsigned long *words;
	unsigned long few[16]; /* for 4 MiB; more is mapped */
};

static size_t words_bytes(const struct taken *t)
{
	return page_up((t->pages + WORD_BITS - 1) / WORD_BITS * sizeof(*t->words));
}

static int note_taken(struct taken *t, const struct range *part)
{
	size_t first = (size_t)(part->address - t->base) / PAGE_BYTES;

	if (!t->words && t->pages <= sizeof(t->few) * CHAR_BIT)
		t->words = t->few;
	if (!t->words) {
		long made = os_mmap(NULL, words_bytes(t), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (os_failed(made))
			return (int)made;
		t->words = (unsigned long *)made;
	}
	for (size_t i = first; i < first + part->bytes / PAGE_BYTES; i++)
		t->words[i / WORD_BITS] |= 1ul << i % WORD_BITS;
	return 0;
}

static bool was_taken(const struct taken *t, size_t page)
{
	return t->words[page / WORD_BITS] >> page % WORD_BITS & 1;
}

static void forget_taken(struct taken *t)
{
	if (t->words && t->words != t->few)
		os_munmap(t->words, words_bytes(t));
	t->words = NULL;
}

static void free_taken(struct upa_region *r, struct taken *t)
{
	size_t end;

	for (size_t at = 0; t->words && at < t->pages; at = end) {
		end = at + 1;
		if (!was_taken(t, at))
			continue;
		while (end < t->pages && was_taken(t, end))
			end++;
		upa_give_up(r, t->base + at * PAGE_BYTES, (end - at) * PAGE_BYTES);
	}
	forget_taken(t);
}

/* Makes every page of a range inside the region the program's. On failure those that were free are free again. */
static int take(struct upa_region *r, struct taken *t)
{
	struct range gap;
	int error = 0;

	while (!error && upa_region_next(r, t->base, t->pages * PAGE_BYTES, true, &gap)) {
		error = upa_region_claim(r, gap.address, gap.bytes);
		if (!error) {
			error = note_taken(t, &gap);
			if (error)
				upa_give_up(r, gap.address, gap.bytes);
		} else if (error == -EBUSY) {
			error = 0;
		}
	}
	if (error)
		free_taken(r, t);
	return error;
}

/* ---- what others call --------------------------------------------------------------------------------- */

long upa_place(struct upa_region *r, char *to, size_t length, bool marks, upa_placing *place, void *context)
{
	struct range part;
	struct taken taken = { .base = to };
	long result;

	if (inside(r, to, length, &part)) {
		int error;

		if (marks && upa_region_make_ordinary(r))
			return -EINVAL;
		taken.base = part.address;
		taken.pages = part.bytes / PAGE_BYTES;
		error = take(r, &taken);
		if (error)
			return error;
		if (marks)
			upa_region_taint(r, part.address, part.bytes);
	}
	result = place(to, length, context);
	if (os_failed(result))
		free_taken(r, &taken);
	else
		forget_taken(&taken);
	return result;
}

static long move_to(char *to, size_t length, void *made)
{
	return os_mremap(made, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

static bool overlap(const char *a, const char *b, size_t length)
{
	return a < b + length && b < a + length;
}

/* Addresses that do not overlap `to`, reserved: after those of `made`, the next may do so too, but no third. */
static long reserve_apart(const char *to, size_t length)
{
	long first = os_mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long second;

	if (os_failed(first) || !overlap((char *)first, to, length))
		return first;
	second = os_mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	os_munmap((void *)first, length);
	return second;
}

/* What the kernel has made where nothing was may overlap the place it is for, and is not moved there at once. */
static long move(char *to, size_t length, void *made)
{
	long apart, moved;

	if (!overlap(made, to, length))
		return move_to(to, length, made);
	apart = reserve_apart(to, length);
	if (os_failed(apart))
		return apart;
	moved = move_to((char *)apart, length, made);
	if (os_failed(moved)) {
		os_munmap((void *)apart, length);
		return moved;
	}
	moved = move_to(to, length, (void *)apart);
	if (os_failed(moved))
		move_to(made, length, (void *)apart);
	return moved;
}

long upa_move_into(struct upa_region *r, void *made, size_t length, char *to)
{
	return upa_place(r, to, length, true, move, made);
}
