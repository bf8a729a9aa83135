/* SPDX-License-Identifier: Apache-2.0 */
/* A walk over children from the end, beside one that looks at each: it passes those without free memory, no others. */
#include <stdbool.h>

#include "check.h"
#include "llfree/populated.h"

#define CHILDREN (2u * UPA_GROUP_TREES * UPA_TREE_CHILDREN + 3u * UPA_TREE_CHILDREN + 5u)
#define STEPS 300

static struct upa_llfree a;
static bool held[CHILDREN];
static bool has_memory[CHILDREN];
static uint64_t seed = 1;

static uint64_t page_of(uint64_t child)
{
	return child * UPA_CHILD_PAGES;
}

/* Whole groups and trees too: one word may tell of all their children. */
static void change(void)
{
	const uint64_t units[] = { 1, UPA_TREE_CHILDREN, UPA_GROUP_TREES * UPA_TREE_CHILDREN };
	const uint64_t unit = units[random_below(&seed, 3)], n = unit * (1 + random_below(&seed, 2));
	uint64_t first = random_below(&seed, CHILDREN - n + 1) / unit * unit;
	const bool was_held = held[first];
	const uint32_t flags = (uint32_t)random_below(&seed, 3);
	uint64_t end = first;

	while (end < first + n && held[end] == was_held)
		end++;
	if (was_held)
		CHECK(!upa_llfree_put_run(&a, 0, page_of(first), page_of(end - first), flags), "first=%" PRIu64, first);
	else
		CHECK(upa_llfree_get_at(&a, 0, page_of(first), page_of(end - first)) >= 0, "first=%" PRIu64, first);
	for (; first < end; first++) {
		held[first] = !was_held;
		has_memory[first] = was_held && flags != UPA_PUT_ABSENT;
	}
}

static void walk_passes_no_free_memory(void)
{
	for (int step = 0; step < STEPS; step++) {
		uint64_t last = 0;

		change();
		for (uint64_t end = 0; end <= CHILDREN; end++) {
			uint64_t found = populated_before(&a, end);

			if (end && has_memory[end - 1])
				last = end;
			CHECK(found == last, "step=%d end=%" PRIu64 " found=%" PRIu64 " last=%" PRIu64, step, end,
			      found, last);
		}
	}
}

static void one_free_page_is_enough(void)
{
	CHECK(!upa_llfree_get_run(&a, 0, page_of(CHILDREN), 0), "all");
	CHECK(!upa_llfree_put_run(&a, 0, page_of(20) + 7, 1, 0), "put");
	CHECK(populated_before(&a, CHILDREN) == 21 && !populated_before(&a, 20), "a free page");
	CHECK(upa_llfree_get_at(&a, 0, page_of(20) + 7, 1) >= 0, "get");
	CHECK(!populated_before(&a, CHILDREN), "no free page");
}

int main(void)
{
	const size_t bytes = upa_llfree_state_size(page_of(CHILDREN), 2);

	CHECK(!upa_llfree_init(&a, map_state(bytes, 0), bytes, page_of(CHILDREN), 2), "children=%u", CHILDREN);
	one_free_page_is_enough();
	CHECK(!upa_llfree_put_run(&a, 0, 0, page_of(CHILDREN), UPA_PUT_ABSENT), "put");
	walk_passes_no_free_memory();
	return 0;
}
