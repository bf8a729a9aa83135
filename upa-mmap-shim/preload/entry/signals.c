/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What signals do, as the program sets and sees it: a paged program's core file needs a handler where there is none
 * (pager/core.h), and the program is told that there is none.
 */
#define _GNU_SOURCE
#include <signal.h>

#include "entry/entry.h"
#include "pager/core.h"

typedef void handler(int);

EXPORT int sigaction(int signal, const struct sigaction *new, struct sigaction *old)
{
	int result;

	next_need();
	result = next.sigaction(signal, new, old);
	if (!result && old && core_is_ours((const void *)(uintptr_t)old->sa_sigaction))
		*old = (struct sigaction){ .sa_handler = SIG_DFL };
	if (!result && new)
		core_watch(signal);
	return result;
}

static handler *set(handler *(*function)(int, handler *), int signal, handler *new)
{
	handler *old = function(signal, new);

	if (old != SIG_ERR)
		core_watch(signal);
	return core_is_ours((const void *)(uintptr_t)old) ? SIG_DFL : old;
}

#define SETS_HANDLER(name)                                                                                             \
	EXPORT handler *name(int signal, handler *new)                                                                 \
	{                                                                                                              \
		next_need();                                                                                           \
		return set(next.name, signal, new);                                                                    \
	}

SETS_HANDLER(signal)
SETS_HANDLER(ssignal)
SETS_HANDLER(bsd_signal)
SETS_HANDLER(sysv_signal)
SETS_HANDLER(__sysv_signal)
