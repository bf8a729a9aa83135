/* SPDX-License-Identifier: Apache-2.0 */
#include "llfree/put.h"

#include "llfree/child.h"
#include "llfree/tickets.h"

uint64_t put_range(const struct upa_llfree *a, struct slot *s, uint64_t first, uint64_t pages, uint32_t state)
{
	uint64_t end = first + pages;
	uint64_t freed = 0;

	while (first < end) {
		uint64_t tree = first / UPA_TREE_PAGES;
		uint64_t tree_end = end_in_tree(first, end);
		uint32_t tickets = 0;

		while (first < tree_end) {
			uint64_t c = first / UPA_CHILD_PAGES;
			uint64_t child_end = end_in_child(first, tree_end);
			uint32_t n = (uint32_t)(child_end - first);
			uint32_t lo = (uint32_t)(first % UPA_CHILD_PAGES);

			tickets += n == UPA_CHILD_PAGES ? child_put_whole(a, c, state)
							: child_put_part(a, c, lo, lo + n, state);
			first = child_end;
		}
		if (tickets)
			tickets_give(a, s, tree, tickets);
		freed += tickets;
	}
	return freed;
}
