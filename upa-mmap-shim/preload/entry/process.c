/* SPDX-License-Identifier: Apache-2.0 */
/* What concerns the process as a whole: limits, locks on all memory, filters, its personality, and its end. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <sys/personality.h>
#include <sys/resource.h>

#include "agent/agent.h"
#include "entry/entry.h"
#include "observe/observe.h"
#include "os/filter.h"
#include "stand_aside.h"

/* The region would be locked, and populated, with everything else. */
int libc_mlockall(int flags)
{
	stand_aside(ASIDE_LOCKED_WHOLE);
	return (int)entry_result(ENTRY_PASS(mlockall, os_call(SYS_mlockall, flags, 0, 0, 0, 0, 0), flags));
}

EXPORT int mlockall(int flags)
{
	return ENTRY_RETURNS(mlockall) ? next.mlockall(flags) : libc_mlockall(flags);
}

/*
 * A process's limit is about to change, if the kernel can read it; 0 is this one. That of a child which uses this one's
 * memory until it runs another program is not: the parent's stays, and what the child is refused meanwhile is noticed
 * then (limits.c).
 */
static void limit_changes(pid_t pid, int resource, const struct rlimit64 *limit)
{
	if ((resource == RLIMIT_AS || resource == RLIMIT_DATA) && limit && entry_readable(limit) &&
	    entry_readable(&limit->rlim_max) && limit->rlim_cur != RLIM64_INFINITY &&
	    (!pid || pid == (pid_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0)) && observed_here())
		stand_aside(ASIDE_LIMITED);
}

static long kernel_limit(pid_t pid, long resource, const void *new_limit, void *old_limit)
{
	return os_call(SYS_prlimit64, pid, resource, (long)new_limit, (long)old_limit, 0, 0);
}

EXPORT int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *new_limit,
		     struct rlimit64 *old_limit)
{
	limit_changes(pid, (int)resource, new_limit);
	return (int)entry_result(ENTRY_NEXT(prlimit64, kernel_limit(pid, (long)resource, new_limit, old_limit), pid,
					    resource, new_limit, old_limit));
}

EXPORT int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *new_limit, struct rlimit *old_limit)
{
	limit_changes(pid, (int)resource, (const struct rlimit64 *)new_limit);
	return (int)entry_result(ENTRY_NEXT(prlimit, kernel_limit(pid, (long)resource, new_limit, old_limit), pid,
					    resource, new_limit, old_limit));
}

EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
	limit_changes(0, (int)resource, limit);
	return (int)entry_result(
		ENTRY_NEXT(setrlimit64, kernel_limit(0, (long)resource, limit, NULL), resource, limit));
}

EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	limit_changes(0, (int)resource, (const struct rlimit64 *)limit);
	return (int)entry_result(ENTRY_NEXT(setrlimit, kernel_limit(0, (long)resource, limit, NULL), resource, limit));
}

_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one structure by two names");

/*
 * A process that may soon have a filter over its system calls: from then on it makes none that it would not make
 * without us. Filters that need no privilege are always announced so.
 */
EXPORT int prctl(int option, ...)
{
	va_list arguments;
	unsigned long a[4];
	bool alone;
	long result;

	va_start(arguments, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (option == PR_SET_NO_NEW_PRIVS || option == PR_SET_SECCOMP)
		stand_aside(ASIDE_FILTERED);
	/* Of this thread only. */
	alone = option == PR_CAPBSET_DROP || option == PR_CAP_AMBIENT || option == PR_SET_SECUREBITS;
	if (alone)
		agent_pause();
	result = ENTRY_NEXT(prctl, os_call(SYS_prctl, option, (long)a[0], (long)a[1], (long)a[2], (long)a[3], 0),
			    option, a[0], a[1], a[2], a[3]);
	if (alone)
		agent_resume();
	return (int)entry_result(result);
}

/* From now on memory that may be read may be run as well, or no longer: the region's is as it was. */
EXPORT int personality(unsigned long wanted)
{
	const unsigned long ask = 0xffffffff;
	unsigned long now = (unsigned long)os_call(SYS_personality, (long)ask, 0, 0, 0, 0, 0);

	if (wanted != ask && (wanted ^ now) & READ_IMPLIES_EXEC)
		stand_aside(ASIDE_EXECUTABLE);
	return (int)entry_result(
		ENTRY_NEXT(personality, os_call(SYS_personality, (long)wanted, 0, 0, 0, 0, 0), wanted));
}

/* A child of vfork() is none of ours. */
int libc_execve(const char *path, char *const arguments[], char *const environment[])
{
	bool leaves = observed_here() && !os_call(SYS_faccessat, AT_FDCWD, (long)path, X_OK, 0, 0, 0);
	long result;

	if (leaves)
		statistics_print(false);
	result = os_call(SYS_execve, (long)path, (long)arguments, (long)environment, 0, 0, 0);
	if (leaves)
		statistics_go_on();
	return (int)entry_result(result);
}

/* libc's own calls of it do not come here: exit() has run the destructors by then. */
static _Noreturn void leave(void (*next_exit)(int), int status)
{
	observe_end();
	if (next_exit)
		next_exit(status);
	for (;;)
		os_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

EXPORT _Noreturn void _exit(int status)
{
	next_need();
	leave(next._exit, status);
}

EXPORT _Noreturn void _Exit(int status)
{
	next_need();
	leave(next._Exit, status);
}

ENTRY_IS_OWN(mlockall);
ENTRY_IS_OWN(prctl);
ENTRY_IS_OWN(personality);
ENTRY_IS_OWN(setrlimit64);
ENTRY_IS_OWN(prlimit64);
