/* SPDX-License-Identifier: Apache-2.0 */
/*
 * entry.h - what the files share in which libc's functions are replaced: each exports some by their own names, and
 * names below those that are put in the place of libc's own (redirect.h). A new one is a function here and a name in
 * exports.map; if libc itself calls it, also a line in start.c.
 *
 * Until the constructor has run, and in programs that had better be left alone, every call goes to the kernel. No
 * function in these files allocates, takes a lock, or calls a libc function that might.
 */
#ifndef UPA_ENTRY_H
#define UPA_ENTRY_H

#include <errno.h>
#include <stddef.h>
#include <sys/types.h>

#include <upa/trace.h>

#include "gate.h"
#include "os/os.h"

#define EXPORT __attribute__((visibility("default")))

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

/* heap.c. */
int libc_brk(void *address);

/* memory.c. mmap() and mremap() where malloc() calls them, and munmap(). */
void *libc_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
void *libc_mremap(void *old_address, size_t old_size, size_t new_size, int flags, void *to);

/* pages.c: finds libc's functions that may be cancelled. For a process with one thread. */
void pages_start(void);

/* raw.c: finds libc's syscall(). For a process with one thread. */
void raw_start(void);

/* process.c. As libc's, which all its exec functions call. */
int libc_execve(const char *path, char *const arguments[], char *const environment[]);

#endif
