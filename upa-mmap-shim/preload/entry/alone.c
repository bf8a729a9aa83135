/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that want a process of one thread, or change what belongs to one thread only, so that libc makes them in all
 * that it knows: the agent, which it does not know, is gone meanwhile.
 */
#define _GNU_SOURCE
#include <linux/nsfs.h>
#include <linux/stat.h>
#include <time.h>

#include "agent/agent.h"
#include "entry/entry.h"
#include "entry/next.h"
#include "os/filter.h"
#include "pager/pager.h"

/* So often a call is made that is refused to a process of one thread: some 20 ms. */
#define MOST_TRIES 300u

#define ALONE(name, number, a, b, c, ...)                                                                              \
	({                                                                                                             \
		const long arguments[3] = { (long)(a), (long)(b), (long)(c) };                                         \
		unsigned tries = 0;                                                                                    \
		long done;                                                                                             \
                                                                                                                       \
		entry_before_alone(number, arguments);                                                                 \
		agent_pause();                                                                                         \
		do                                                                                                     \
			done = ENTRY_NEXT(name, os_call(number, arguments[0], arguments[1], arguments[2], 0, 0, 0),    \
					  __VA_ARGS__);                                                                \
		while (entry_again_alone(number, arguments, done, tries++));                                           \
		agent_resume();                                                                                        \
		(int)entry_result(done);                                                                               \
	})

/* Does the kernel refuse it to a process of several threads? */
static bool wants_one_thread(long number, const long a[3])
{
	long kind;

	if (number == SYS_unshare)
		return a[0] & (CLONE_NEWUSER | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD);
	if (number != SYS_setns)
		return false;
	if (!(int)a[1] && os_filtered())
		return true;
	kind = (int)a[1] ? a[1] : os_call(SYS_ioctl, a[0], NS_GET_NSTYPE, 0, 0, 0, 0);
	return !os_failed(kind) && kind & (CLONE_NEWUSER | CLONE_NEWTIME);
}

void entry_before_alone(long number, const long a[3])
{
	bool all;

	switch (number) {
	case SYS_unshare:
	case SYS_setns:
		if (wants_one_thread(number, a))
			pager_end();
		break;
	case SYS_setuid:
		/* Who may change any of the three changes them all. */
		all = !os_call(SYS_geteuid, 0, 0, 0, 0, 0, 0);
		pager_change_user(all ? (uid_t)a[0] : (uid_t)-1, (uid_t)a[0], all ? (uid_t)a[0] : (uid_t)-1);
		break;
	case SYS_setreuid: pager_change_user((uid_t)a[0], (uid_t)a[1], (uid_t)a[1]); break;
	case SYS_setresuid: pager_change_user((uid_t)a[0], (uid_t)a[1], (uid_t)a[2]); break;
	case SYS_capset: pager_end(); break;
	default: break;
	}
}

static unsigned thread_count(void)
{
	struct statx s = { .stx_nlink = 0 };

	os_call(SYS_statx, AT_FDCWD, (long)"/proc/self/task", 0, STATX_NLINK, (long)&s, 0);
	return s.stx_nlink - 2;
}

bool entry_again_alone(long number, const long a[3], long result, unsigned tries)
{
	const struct timespec wait = { 0, 50000 };

	if (result != -EINVAL || tries >= MOST_TRIES || os_filtered() || !wants_one_thread(number, a) ||
	    thread_count() > 1)
		return false;
	if (tries < 100)
		os_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	else
		os_call(SYS_nanosleep, (long)&wait, 0, 0, 0, 0, 0);
	return true;
}

EXPORT int unshare(int flags)
{
	return ALONE(unshare, SYS_unshare, flags, 0, 0, flags);
}

EXPORT int setns(int fd, int type)
{
	return ALONE(setns, SYS_setns, fd, type, 0, fd, type);
}

EXPORT int setuid(uid_t user)
{
	return ALONE(setuid, SYS_setuid, user, 0, 0, user);
}

EXPORT int setgid(gid_t group)
{
	return ALONE(setgid, SYS_setgid, group, 0, 0, group);
}

EXPORT int seteuid(uid_t user)
{
	return ALONE(seteuid, SYS_setresuid, -1, user, -1, user);
}

EXPORT int setegid(gid_t group)
{
	return ALONE(setegid, SYS_setresgid, -1, group, -1, group);
}

EXPORT int setreuid(uid_t real, uid_t effective)
{
	return ALONE(setreuid, SYS_setreuid, real, effective, 0, real, effective);
}

EXPORT int setregid(gid_t real, gid_t effective)
{
	return ALONE(setregid, SYS_setregid, real, effective, 0, real, effective);
}

EXPORT int setresuid(uid_t real, uid_t effective, uid_t saved)
{
	return ALONE(setresuid, SYS_setresuid, real, effective, saved, real, effective, saved);
}

EXPORT int setresgid(gid_t real, gid_t effective, gid_t saved)
{
	return ALONE(setresgid, SYS_setresgid, real, effective, saved, real, effective, saved);
}

EXPORT int setgroups(size_t count, const gid_t *groups)
{
	return ALONE(setgroups, SYS_setgroups, count, groups, 0, count, groups);
}

EXPORT int initgroups(const char *user, gid_t group)
{
	int result;

	next_need();
	agent_pause();
	result = next.initgroups(user, group);
	agent_resume();
	return result;
}

EXPORT int capset(void *header, const void *data)
{
	return ALONE(capset, SYS_capset, header, data, 0, header, data);
}
