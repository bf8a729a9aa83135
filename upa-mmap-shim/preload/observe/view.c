/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/view.h"

#include <string.h>

#include "region/region_private.h"
#include "entry/heap.h"

_Static_assert(sizeof(struct upa_view) == 192, "layout");

/* Not zero, so it lies in the data that the library's file has a mapping of, rather than in anonymous memory behind. */
__attribute__((aligned(UPA_VIEW_ALIGNMENT))) struct upa_view view = {
	.magic = UPA_VIEW_MAGIC,
	.version = UPA_VIEW_VERSION,
	.bytes = sizeof(struct upa_view),
};

static void set(uint64_t *word, uint64_t n)
{
	__atomic_store_n(word, n, __ATOMIC_RELAXED);
}

void view_region(const struct upa_region *r)
{
	__atomic_store_n(&view.metadata, (uintptr_t)upa_region_metadata(r), __ATOMIC_RELEASE);
}

void view_note(const char *text)
{
	if (!view.note[0])
		strncpy(view.note, text, sizeof(view.note) - 1);
}

void view_heap(size_t size, size_t kept)
{
	uint64_t reused, given_back;

	heap_counts(&reused, &given_back);
	set(&view.heap_moves, view.heap_moves + 1);
	set(&view.heap_bytes, size);
	set(&view.heap_kept_bytes, kept);
	set(&view.heap_reused_bytes, reused);
	set(&view.heap_given_back_bytes, given_back);
}

void view_after_fork(void)
{
	set(&view.passed, 0);
	set(&view.purges, 0);
	set(&view.purged_bytes, 0);
	set(&view.heap_moves, 0);
}
