/*
 * A simple allocator in the words that UPADEV_ALLOCATORS describes: what the tests need of one. It
 * keeps allocation bits and polarities, and none of the counters that the module does not read.
 */
#ifndef UPA_TEST_ALLOCATOR_H
#define UPA_TEST_ALLOCATOR_H

#include <stdatomic.h>

#include "harness.h"

#define CHILD 512ULL
#define TREE 8192ULL
#define GROUP 131072ULL

struct allocator {
	struct upadev_allocator where;
	_Atomic uint32_t *group, *tree, *child;
	_Atomic uint64_t *bitmap;
};

static inline uint64_t parts(uint64_t units, uint64_t of)
{
	return (units + of - 1) / of;
}

/* Puts the words at an offset of the state; returns what follows them. All are allocated. */
static inline uint64_t allocator_place(struct allocator *a, const struct region *r, uint64_t offset,
				       uint64_t units)
{
	uint64_t children = parts(units, CHILD);
	char *state = r->state;

	a->where.units = units;
	a->where.bitmap_offset = offset;
	a->where.child_offset = offset + children * 128;
	a->where.tree_offset = a->where.child_offset + children * 4;
	a->where.group_offset = a->where.tree_offset + parts(units, TREE) * 4;
	a->bitmap = (void *)(state + a->where.bitmap_offset);
	a->child = (void *)(state + a->where.child_offset);
	a->tree = (void *)(state + a->where.tree_offset);
	a->group = (void *)(state + a->where.group_offset);
	for (uint64_t t = 0; t < parts(units, TREE); t++)
		a->tree[t] = UPADEV_TREE_OPEN;
	for (uint64_t row = 0; row < children * 16; row++)
		a->bitmap[row] = UINT64_MAX;
	return parts(a->where.group_offset + parts(units, GROUP) * 4, 64) * 64;
}

/* The value of an allocation bit of this unit that means free. */
static inline bool unit_polarity(const struct allocator *a, uint64_t unit)
{
	uint32_t tree = a->tree[unit / TREE];
	bool free = a->child[unit / CHILD] & UPADEV_CHILD_POLARITY;

	free ^= !!(tree & UPADEV_NODE_POLARITY);
	if (!(tree & UPADEV_TREE_OPEN))
		free ^= !!(a->group[unit / GROUP] & UPADEV_NODE_POLARITY);
	return free;
}

static inline _Atomic uint64_t *unit_row(const struct allocator *a, uint64_t unit)
{
	return &a->bitmap[unit / CHILD * 16 + unit % CHILD / 64];
}

static inline bool unit_free(const struct allocator *a, uint64_t unit)
{
	return (*unit_row(a, unit) >> unit % 64 & 1) == unit_polarity(a, unit);
}

/* Inverts its bit if it is free, or allocated. */
static inline bool unit_flip(const struct allocator *a, uint64_t unit, bool free)
{
	_Atomic uint64_t *row = unit_row(a, unit);
	uint64_t old = atomic_load(row), want = unit_polarity(a, unit) == free;

	do {
		if ((old >> unit % 64 & 1) != want)
			return false;
	} while (!atomic_compare_exchange_weak(row, &old, old ^ 1ULL << unit % 64));
	return true;
}

static inline bool unit_get(const struct allocator *a, uint64_t unit)
{
	return unit_flip(a, unit, true);
}

static inline void unit_put(const struct allocator *a, uint64_t unit)
{
	CHECK(unit_flip(a, unit, false));
}

#endif
