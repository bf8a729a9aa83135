/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry.h - what the files share in which libc's functions are replaced. Each exports some by their own names, for
 * the program and its libraries; some have a second name, libc_..., for what is put in the place of libc's own
 * (redirect.h). A new one is a function, and a line in exports.map and in next.h; if libc itself calls it, also a
 * line in start.c. None calls another by its exported name, which may be another library's in front of us.
 *
 * Until the constructor has run, and in programs that had better be left alone, every call goes to the kernel or to
 * the next library. No function in these files allocates, or calls a libc function that might while it holds a lock.
 */
#ifndef UPA_ENTRY_H
#define UPA_ENTRY_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <upa/trace.h>

#include "entry/next.h"
#include "gate.h"
#include "os/os.h"
#include "region/region_private.h"

#define EXPORT __attribute__((visibility("default")))

/* What a function of libc has returned, as a system call does. */
static inline long entry_error(long result)
{
	return result == -1 ? -errno : result;
}

/*
 * This thread is in syscall() (raw.c), which nobody else sees: a library that comes next may itself be the caller,
 * and make its function's system call so.
 */
extern _Thread_local bool entry_by_number __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* A function of ours by a name that no other library's stands before. */
#define ENTRY_OWN(name) extern __typeof__(name) own_##name __attribute__((visibility("hidden")))
#define ENTRY_IS_OWN(name)                                                                                             \
	extern __typeof__(name) own_##name __attribute__((alias(#name), copy(name), visibility("hidden")))

ENTRY_OWN(mmap);
ENTRY_OWN(munmap);
ENTRY_OWN(mremap);
ENTRY_OWN(madvise);
ENTRY_OWN(mprotect);
ENTRY_OWN(mlock);
ENTRY_OWN(mlock2);
ENTRY_OWN(munlock);
ENTRY_OWN(mlockall);
ENTRY_OWN(mincore);
ENTRY_OWN(msync);
ENTRY_OWN(vmsplice);
ENTRY_OWN(pkey_mprotect);
ENTRY_OWN(mbind);
ENTRY_OWN(prctl);
ENTRY_OWN(ioctl);
ENTRY_OWN(setsockopt);
ENTRY_OWN(setrlimit64);
ENTRY_OWN(prlimit64);
ENTRY_OWN(personality);
ENTRY_OWN(process_madvise);
ENTRY_OWN(shmat);
ENTRY_OWN(shmdt);

/*
 * A call that is not ours, as a system call's result: by the next library's function, if it is not libc's own and
 * does not bring the call back to us; else by `call` itself.
 */
#define ENTRY_PASS(name, call, ...)                                                                                    \
	(next_foreign.name && !next_returns.name && !entry_by_number ? entry_error((long)next.name(__VA_ARGS__)) :     \
								       (long)(call))

/* The same for a function that libc's own can do as well, whoever is next. */
#define ENTRY_NEXT(name, call, ...)                                                                                    \
	(next_need(), next.name && !entry_by_number ? entry_error((long)next.name(__VA_ARGS__)) : (long)(call))

/* Does another library come first, from which libc's own function will bring the call here? */
#define ENTRY_RETURNS(name) (__builtin_expect(next_returns.name, 0) && !entry_by_number)

/* Is this memory of the program's, readable? */
static inline bool entry_readable(const void *address)
{
	/* The kernel copies the set before it looks at the first argument, which is none. */
	return os_call(SYS_rt_sigprocmask, -1, (long)address, 0, 8, 0, 0) != -EFAULT;
}

/* Notes that pages are no longer as the region hands them out. False: they are not the region's. */
static inline bool entry_taint(void *address, size_t length)
{
	struct upa_region *region = gate_of(address);

	return region && length && !upa_region_taint(region, address, length);
}

/* A system call's result as libc returns it: -1 with errno. */
static inline long entry_result(long result)
{
	if (!os_failed(result))
		return result;
	errno = (int)-result;
	return -1;
}

/* Flags of a trace's record of a call on pages that are there: its result is -1 if it has failed. */
static inline unsigned entry_outcome(const void *address, long result)
{
	return (gate_of(address) ? UPA_TRACE_SERVED : 0) | (result == -1 ? UPA_TRACE_FAILED : 0);
}

/* In the place of libc's own functions, which malloc() and others in libc call. */
int libc_brk(void *address);
void *libc_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int libc_munmap(void *address, size_t length);
void *libc_mremap(void *old_address, size_t old_size, size_t new_size, int flags, void *to);
int libc_madvise(void *address, size_t length, int advice);
int libc_mprotect(void *address, size_t length, int protection);
int libc_mlock(const void *address, size_t length);
int libc_mlockall(int flags);

/* pages.c: system calls without functions of libc's, which ask about pages. */
long entry_get_mempolicy(const long a[6]);
long entry_move_pages(const long a[6]);

/*
 * alone.c: before a call that wants one thread, or takes rights from one: the pager's client ends if its threads would
 * be in the way, or keep what they had.
 */
void entry_before_alone(long number, const long a[3]);

/*
 * After it, and `tries` others: shall it be made again? The kernel counts a thread for a moment longer than it finds it
 * by its id, and a program that knows of one thread expects no refusal.
 */
bool entry_again_alone(long number, const long a[3], long result, unsigned tries);

/* raw.c: finds libc's syscall(). For a process with one thread. */
void raw_start(void);

int libc_execve(const char *path, char *const arguments[], char *const environment[]);

#endif
