/* SPDX-License-Identifier: Apache-2.0 */
/* The heap that libc's malloc grows by brk(). */
#include "upkeep/heap.h"

#include <errno.h>

#include "entry/entry.h"
#include "entry/limits.h"
#include "entry/uncleared.h"
#include "observe/observe.h"
#include "observe/view_writer.h"
#include "pager/pager.h"

static int move_break(void *address)
{
	struct observation o = observe(true);
	struct heap_breaks was = heap_breaks();
	int result = heap_set(address, !uncleared(SIZE_MAX));
	struct heap_breaks now;
	unsigned flags;

	if (result && limits_make_way())
		result = heap_set(address, true);
	now = heap_breaks();
	flags = (result ? UPA_TRACE_FAILED : 0) | (now.program < was.program ? UPA_TRACE_SHRINKS : 0);

	if (now.program != was.program && now.kernel == was.kernel)
		flags |= UPA_TRACE_SERVED;
	view_add(&view.heap_moves, 1);
	observed(o, true, UPA_TRACE_BREAK, flags, 0, now.program,
		 now.program < was.program ? was.program - now.program : now.program - was.program);
	return result;
}

/* Called with libc's lock held, but for a program that calls it itself. */
int libc_brk(void *address)
{
	/* What is to be paged must lie in the region: malloc() then takes mmap() instead. */
	if (pager_wanted() && (uintptr_t)address > heap_breaks().program) {
		errno = ENOMEM;
		return -1;
	}
	return move_break(address);
}
