/* SPDX-License-Identifier: Apache-2.0 */
/* llfree_scenarios.h - which operations meet in llfree_schedules.c. */
#ifndef UPA_TESTS_LLFREE_SCENARIOS_H
#define UPA_TESTS_LLFREE_SCENARIOS_H

#include <stdint.h>

#define MOST_THREADS 3

struct block {
	uint64_t first;
	uint64_t pages;
};

/* One operation: a get if it has a length but no place, a put of what the thread holds, or a call of another kind. */
enum kind { GET, GET_AT, PUT, DRAIN, TAINT, LAZY };

struct operation {
	enum kind kind;
	uint64_t first;
	uint64_t pages;
	uint32_t flags;
	uint32_t slot;
};

struct scenario {
	const char *name;
	uint64_t pages;
	uint32_t slots;
	/* Done before the threads start, by thread 0. */
	struct operation before[10];
	/* What each thread holds at the start, of what was taken before. */
	struct block holds[MOST_THREADS][3];
	struct operation thread[MOST_THREADS][4];
};

#define CHILD 512u
#define TREE 8192u
#define GROUP 131072u

/* Leaves a group free, closed, and of polarity 1. */
#define INVERTED                                                                                                       \
	{                                                                                                              \
		{ GET, 0, GROUP, 0, 0 }, { PUT, 0, 1, 0, 0 }, { PUT, 1, GROUP - 1, 0, 0 }, { DRAIN, 0, 0, 0, 0 },      \
			{ GET, 0, GROUP, 0, 0 }, { PUT, 0, GROUP, 0, 0 },                                              \
	}

static const struct scenario scenarios[] = {
	{ "parts of a child freed by two",
	  512,
	  2,
	  { { GET, 0, 512, 0, 0 } },
	  { { { 0, 256 } }, { { 256, 256 } } },
	  { { { PUT, 0, 256, 0, 0 } }, { { PUT, 256, 256, 1, 1 } } } },
	{ "a child taken whole, and a page of it",
	  512,
	  2,
	  { { 0 } },
	  { { { 0 } } },
	  { { { GET, 0, 512, 0, 0 } }, { { GET, 0, 1, 0, 1 } } } },
	{ "a part of a whole tree freed, another taken",
	  TREE,
	  2,
	  { { GET, 0, TREE, 0, 0 } },
	  { { { 0, 4096 } }, { { 4096, 4096 } } },
	  { { { PUT, 0, 3, 0, 0 } }, { { PUT, 8000, 5, 1, 1 }, { GET, 0, 2, 0, 1 } } } },
	{ "a whole tree freed, a page taken",
	  TREE,
	  2,
	  { { GET, 0, TREE, 0, 0 } },
	  { { { 0, TREE } } },
	  { { { PUT, 0, TREE, 0, 0 } }, { { GET, 0, 1, 0, 1 } } } },
	{ "a whole tree taken by two",
	  2 * TREE,
	  2,
	  { { 0 } },
	  { { { 0 } } },
	  { { { GET, 0, TREE, 0, 0 } }, { { GET, 0, TREE, 0, 1 } } } },
	{ "a tree taken whole, reserved, and drained",
	  TREE,
	  3,
	  { { 0 } },
	  { { { 0 } } },
	  { { { GET, 0, TREE, 0, 0 } }, { { GET, 0, 1, 0, 1 } }, { { DRAIN, 0, 0, 0, 0 } } } },
	{ "the last page of a tree freed, the tree taken",
	  TREE,
	  2,
	  { { GET_AT, 0, 1, 0, 0 } },
	  { { { 0, 1 } } },
	  { { { PUT, 0, 1, 0, 0 } }, { { GET, 0, TREE, 0, 1 } } } },
	{ "a tree freed as another content, and taken",
	  TREE,
	  2,
	  { { GET, 0, TREE, 0, 0 }, { PUT, 0, TREE, 0, 0 }, { GET, 0, TREE, 0, 0 } },
	  { { { 0, TREE } } },
	  { { { PUT, 0, TREE, 1, 0 } }, { { GET, 0, 513, 0, 1 } } } },
	{ "a group taken, and a page of it",
	  GROUP,
	  2,
	  { { 0 } },
	  { { { 0 } } },
	  { { { GET, 0, GROUP, 0, 0 } }, { { GET, 0, 1, 0, 1 } } } },
	{ "a group of idle open trees taken, and a page",
	  GROUP,
	  2,
	  { { GET_AT, 3 * TREE, 1, 0, 0 }, { PUT, 3 * TREE, 1, 0, 0 }, { GET_AT, 0, 1, 0, 0 }, { PUT, 0, 1, 0, 0 } },
	  { { { 0 } } },
	  { { { GET, 0, GROUP, 0, 0 } }, { { GET, 0, 1, 0, 1 } } } },
	{ "a group freed, and taken",
	  GROUP,
	  2,
	  { { GET, 0, GROUP, 0, 0 } },
	  { { { 0, GROUP } } },
	  { { { PUT, 0, GROUP, 0, 0 } }, { { GET, 0, GROUP, 0, 1 } } } },
	{ "parts of two trees of a whole group freed",
	  GROUP,
	  2,
	  { { GET, 0, GROUP, 0, 0 } },
	  { { { 0, 5 * TREE } }, { { 5 * TREE, GROUP - 5 * TREE } } },
	  { { { PUT, 3 * TREE, 1, 0, 0 } }, { { PUT, 7 * TREE, TREE, 0, 1 } } } },
	{ "two parts of one tree of a whole group freed",
	  GROUP,
	  2,
	  { { GET, 0, GROUP, 0, 0 } },
	  { { { 0, 3 * TREE + 9 } }, { { 3 * TREE + 9, GROUP - 3 * TREE - 9 } } },
	  { { { PUT, 3 * TREE, 9, 0, 0 } }, { { PUT, 3 * TREE + 9, 600, 1, 1 } } } },
	{ "the last tree of a group freed, the group taken",
	  GROUP,
	  2,
	  { { GET_AT, TREE, TREE, 0, 0 } },
	  { { { TREE, TREE } } },
	  { { { PUT, TREE, TREE, 0, 0 } }, { { GET, 0, GROUP, 0, 1 } } } },
	{ "a group of which a part was freed, freed by two",
	  GROUP,
	  2,
	  { { GET, 0, GROUP, 0, 0 }, { PUT, 9, 1, 0, 0 }, { GET_AT, 9, 1, 0, 0 } },
	  { { { 0, 8 * TREE } }, { { 8 * TREE, GROUP - 8 * TREE } } },
	  { { { PUT, 0, 8 * TREE, 0, 0 } }, { { PUT, 8 * TREE, 8 * TREE, 2, 1 } } } },
	{ "a tainted page of a whole tree freed, the rest beside it",
	  TREE,
	  2,
	  { { GET, 0, TREE, 0, 0 } },
	  { { { 0, 600 } }, { { 600, TREE - 600 } } },
	  { { { TAINT, 0, 1, 0, 0 }, { PUT, 0, 600, 0, 0 } }, { { PUT, 600, TREE - 600, 1, 1 } } } },
	{ "two slots want the last tree, one whole",
	  2 * TREE,
	  2,
	  { { GET_AT, 0, TREE, 0, 0 } },
	  { { { 0, TREE } } },
	  { { { GET, 0, 4, 0, 0 } }, { { GET, 0, TREE, 0, 1 } } } },
	{ "exactly these pages, and a whole tree",
	  2 * TREE,
	  2,
	  { { 0 } },
	  { { { 0 } } },
	  { { { GET_AT, 4096, TREE, 0, 0 } }, { { GET, 0, TREE, 0, 1 } } } },
	{ "a group of idle open trees taken, and a tree of it",
	  GROUP,
	  2,
	  { { GET_AT, 0, 1, 0, 0 }, { PUT, 0, 1, 0, 0 } },
	  { { { 0 } } },
	  { { { GET, 0, GROUP, 0, 0 } }, { { GET, 0, TREE, 0, 1 } } } },
	{ "a tree reserved, and an idle one taken whole and closed",
	  GROUP,
	  3,
	  { { GET_AT, 0, 1, 0, 0 }, { PUT, 0, 1, 0, 0 } },
	  { { { 0 } } },
	  { { { GET, 0, GROUP, 0, 0 } }, { { GET, 0, TREE, 0, 1 } }, { { GET, 0, 1, 0, 2 } } } },
	/* Slot 0 reserves tree 0, has no tickets left, and all of the tree has been freed by way of slot 1. */
	{ "tickets fetched from a tree that is drained and taken whole",
	  TREE,
	  2,
	  { { GET, 0, 1, 0, 0 }, { GET_AT, 1, TREE - 1, 0, 0 }, { PUT, 0, TREE, 0, 1 } },
	  { { { 0 } } },
	  { { { GET, 0, 1, 0, 0 } }, { { DRAIN, 0, 0, 0, 0 }, { GET, 0, TREE, 0, 1 } } } },
	{ "tickets fetched from a tree that is drained and closed",
	  GROUP,
	  2,
	  { { GET, 0, 1, 0, 0 }, { GET_AT, 1, TREE - 1, 0, 0 }, { PUT, 0, TREE, 0, 1 } },
	  { { { 0 } } },
	  { { { GET, 0, 1, 0, 0 } }, { { DRAIN, 0, 0, 0, 0 }, { GET, 0, GROUP, 0, 1 } } } },
	/* Closed trees of a group whose polarity is 1, all of them free. */
	{ "trees of an inverted group opened by two",
	  GROUP,
	  2,
	  INVERTED,
	  { { { 0 } } },
	  { { { GET, 0, 1, 0, 0 } }, { { GET, 0, TREE, 0, 1 } } } },
	{ "an inverted group taken, and a page of it",
	  GROUP,
	  2,
	  INVERTED,
	  { { { 0 } } },
	  { { { GET, 0, GROUP, 0, 0 } }, { { GET, 0, 1, 0, 1 } } } },
	{ "a page that may vanish freed, another taken",
	  512,
	  2,
	  { { GET, 0, 512, 0, 0 } },
	  { { { 0, 256 } }, { { 256, 256 } } },
	  { { { LAZY, 7, 1, 0, 0 }, { PUT, 7, 1, 3, 0 } }, { { PUT, 300, 4, 1, 1 }, { GET, 0, 1, 0, 1 } } } },
	{ "a child that may vanish freed, and taken",
	  512,
	  2,
	  { { GET, 0, 512, 0, 0 } },
	  { { { 0, 512 } } },
	  { { { LAZY, 0, 512, 0, 0 }, { PUT, 0, 512, 3, 0 } }, { { GET, 0, 512, 0, 1 }, { GET, 0, 9, 1, 1 } } } },
	{ "a lazy child taken, written to and freed, a page taken",
	  512,
	  2,
	  { { GET, 0, 512, 0, 0 }, { LAZY, 0, 512, 0, 0 }, { PUT, 0, 512, 3, 0 } },
	  { { { 0 } } },
	  { { { GET_AT, 0, 512, 0, 0 }, { PUT, 0, 512, 0, 0 } }, { { GET, 0, 3, 0, 1 }, { GET, 0, 5, 1, 1 } } } },
	{ "a page of a whole tree that may vanish, the tree freed and taken",
	  TREE,
	  2,
	  { { GET, 0, TREE, 0, 0 }, { PUT, 0, TREE, 0, 0 }, { GET, 0, TREE, 0, 0 } },
	  { { { 0, TREE } } },
	  { { { LAZY, 5000, 1, 0, 0 }, { PUT, 0, TREE, 3, 0 } }, { { GET, 0, TREE, 0, 1 } } } },
	{ "two parts of a stale tree freed, one of which may vanish",
	  TREE,
	  2,
	  { { GET, 0, TREE, 0, 0 }, { PUT, 0, TREE, 0, 0 }, { GET, 0, TREE, 0, 0 } },
	  { { { 0, 600 } }, { { 600, TREE - 600 } } },
	  { { { LAZY, 512, 88, 0, 0 }, { PUT, 512, 88, 3, 0 } },
	    { { PUT, 600, 1000, 0, 1 }, { GET, 0, 700, 0, 1 } } } },
};

#endif
