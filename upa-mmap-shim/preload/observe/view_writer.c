/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/view_writer.h"

#include <string.h>

#include "region/region_private.h"

_Static_assert(sizeof(struct upa_view) == 224, "layout");

/*
 * Not zero, so it lies in the data that the library's file has a mapping of, rather than in anonymous memory behind.
 */
__attribute__((aligned(UPA_VIEW_ALIGNMENT))) struct upa_view view = {
	.magic = UPA_VIEW_MAGIC,
	.version = UPA_VIEW_VERSION,
	.bytes = sizeof(struct upa_view),
};

void view_region(const struct upa_region *r)
{
	__atomic_store_n(&view.metadata, (uintptr_t)upa_region_metadata(r), __ATOMIC_RELEASE);
}

void view_note(const char *text)
{
	if (!view.note[0])
		strncpy(view.note, text, sizeof(view.note) - 1);
}

void view_after_fork(void)
{
	view_set(&view.passed, 0);
	view_set(&view.purges, 0);
	view_set(&view.purged_bytes, 0);
	view_set(&view.heap_moves, 0);
	view_set(&view.heap_reused_bytes, 0);
	view_set(&view.heap_given_back_bytes, 0);
	view_set(&view.agent_given_back_bytes, 0);
	view_set(&view.orders_done, 0);
	view_set(&view.ordered_bytes, 0);
	view_set(&view.marked_bytes, 0);
	view_set(&view.bound, 0);
}
