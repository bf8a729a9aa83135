/* SPDX-License-Identifier: Apache-2.0 */
/* Children that libc makes without the handlers of fork(). */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdarg.h>

#include "entry/entry.h"
#include "entry/next.h"
#include "pager/pager.h"

struct child {
	int (*run)(void *argument);
	void *argument;
};

static int begin(void *context)
{
	struct child child = *(struct child *)context;

	pager_forked();
	return child.run(child.argument);
}

EXPORT int clone(int (*run)(void *argument), void *stack, int flags, void *argument, ...)
{
	struct child child = { run, argument };
	va_list more;
	void *parent_tid, *tls, *child_tid;

	va_start(more, argument);
	parent_tid = va_arg(more, void *);
	tls = va_arg(more, void *);
	child_tid = va_arg(more, void *);
	va_end(more);
	next_need();
	/* Its own copy of this frame is there as long as it needs it. */
	if (pager_wanted() && run && !(flags & CLONE_VM))
		return next.clone(begin, stack, flags, &child, parent_tid, tls, child_tid);
	return next.clone(run, stack, flags, argument, parent_tid, tls, child_tid);
}

EXPORT pid_t _Fork(void)
{
	pid_t child;

	next_need();
	/* Of an older libc there is none. */
	child = next._Fork ? next._Fork() : (pid_t)entry_result(os_call(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0));
	if (!child)
		pager_forked();
	return child;
}
