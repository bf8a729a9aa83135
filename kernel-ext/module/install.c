// SPDX-License-Identifier: GPL-2.0
/*
 * Guarded mode: entries of single frames, from the shadow table to one page table; see guarded.c.
 */
#include "region.h"

/* Only a hint, here and below: what counts is read again, once. */
static __always_inline u64 upa_any_of_16(const u32 *shadow)
{
	const u64 *two = (const u64 *)shadow;

	return data_race(two[0] | two[1] | two[2] | two[3] | two[4] | two[5] | two[6] | two[7]);
}

static __always_inline u64 upa_any_of_64(const u32 *shadow)
{
	return upa_any_of_16(shadow) | upa_any_of_16(shadow + 16) | upa_any_of_16(shadow + 32) |
	       upa_any_of_16(shadow + 48);
}

/* Entries of 0 from @shadow on, where there was one: at least 1. */
static unsigned long upa_count_zeros(const u32 *shadow, const u32 *end)
{
	const u32 *next = shadow;

	while (next + 128 <= end && !(upa_any_of_64(next) | upa_any_of_64(next + 64)))
		next += 128;
	if (next + 64 <= end && !upa_any_of_64(next))
		next += 64;
	while (next + 16 <= end && !upa_any_of_16(next))
		next += 16;
	while (next + 4 <= end && !data_race(*(const u64 *)next | *(const u64 *)(next + 2)))
		next += 4;
	return max(next - shadow, 1L);
}

/*
 * Is there nothing at eight pages of a locked table? Beside us only the CPU changes entries, and
 * only bits of one that is present: so plain reads.
 */
static __always_inline bool upa_eight_empty(const pte_t *pte)
{
	return !(native_pte_val(pte[0]) | native_pte_val(pte[1]) | native_pte_val(pte[2]) |
		 native_pte_val(pte[3]) | native_pte_val(pte[4]) | native_pte_val(pte[5]) |
		 native_pte_val(pte[6]) | native_pte_val(pte[7]));
}

/**
 * struct upa_source - where entries come from
 * @entries: of the region
 * @frames: how many of them
 * @mask: of the table of entries, also under speculation
 */
struct upa_source {
	const u64 *entries;
	unsigned long frames;
	unsigned long mask;
};

/* Installs a frame at a page where nothing is. False: the pool has no such frame. */
static __always_inline bool upa_install_fresh(struct upa_region *r, const struct upa_source *from,
					      const u32 *shadow, pte_t *pte, unsigned long address)
{
	unsigned long frame = READ_ONCE(*shadow) - 1UL;

	if (unlikely(frame >= from->frames))
		return false;
	upa_set_entry(r->mm, address, pte, READ_ONCE(from->entries[frame & from->mask]));
	return true;
}

/* Four of them, up to one that the pool does not have. Returns how many were installed. */
static __always_inline unsigned int upa_install_four(struct upa_region *r,
						     const struct upa_source *from,
						     const u32 *shadow, pte_t *pte,
						     unsigned long address)
{
	if (!upa_install_fresh(r, from, shadow, pte, address))
		return 0;
	if (!upa_install_fresh(r, from, shadow + 1, pte + 1, address + PAGE_SIZE))
		return 1;
	if (!upa_install_fresh(r, from, shadow + 2, pte + 2, address + 2 * PAGE_SIZE))
		return 2;
	if (!upa_install_fresh(r, from, shadow + 3, pte + 3, address + 3 * PAGE_SIZE))
		return 3;
	return 4;
}

/* The usual case, by eight: frames of the pool where nothing is. Returns how many pages. */
static __always_inline unsigned long upa_install_run(struct upa_region *r,
						     const struct upa_source *from,
						     const u32 *shadow, const u32 *end, pte_t *pte,
						     unsigned long address)
{
	const u32 *first = shadow;
	unsigned int four;

	for (; shadow + 8 <= end && upa_eight_empty(pte);
	     shadow += 8, pte += 8, address += 8 * PAGE_SIZE) {
		four = upa_install_four(r, from, shadow, pte, address);
		if (unlikely(four < 4))
			return shadow - first + four;
		four = upa_install_four(r, from, shadow + 4, pte + 4, address + 4 * PAGE_SIZE);
		if (unlikely(four < 4))
			return shadow - first + 4 + four;
	}
	return shadow - first;
}

/*
 * Sets the entries of pages @page .. @page + @count - 1 of one locked table. Returns the
 * number of pages looked at before an entry out of range, @count if there was none. With
 * @replaced NULL (a fault) entries that are present stay as they are, and those out of range
 * are passed over: only the page that was touched has to be good.
 */
unsigned long upa_install(struct upa_region *r, const struct upa_table *t, u64 page,
			  unsigned long count, u64 *changed, bool *replaced)
{
	/* Pairs with the release in upa_pool_grow(). */
	const struct upa_source from = { .frames = smp_load_acquire(&r->frames),
					 .entries = r->entries,
					 .mask = r->entry_mask };
	unsigned long start = r->data_start + page * PAGE_SIZE, kept = 0, i = 0;
	const u32 *shadow = r->shadow + page;
	pte_t *table = t->pte;

	lockdep_assert_held(t->lock);
	while (i < count) {
		unsigned long frame;
		u64 entry, old;

		i += upa_install_run(r, &from, shadow + i, shadow + count, table + i,
				     start + i * PAGE_SIZE);
		if (i == count)
			break;
		frame = READ_ONCE(shadow[i]);
		if (!frame) {
			unsigned long zeros = upa_count_zeros(shadow + i, shadow + count);

			kept += zeros;
			i += zeros;
			continue;
		}
		if (unlikely(frame > from.frames)) {
			if (replaced)
				break;
			kept++;
			i++;
			continue;
		}
		entry = READ_ONCE(from.entries[(frame - 1) & from.mask]);
		old = READ_ONCE(table[i].pte); /* the CPU may be setting bits */
		if (unlikely(upa_maps(old))) {
			if (!replaced || !((old ^ entry) & PTE_PFN_MASK)) {
				kept++;
				i++;
				continue;
			}
			*replaced = true;
		}
		upa_set_entry(r->mm, start + i * PAGE_SIZE, &table[i], entry);
		i++;
	}
	*changed += i - kept;
	return i;
}
