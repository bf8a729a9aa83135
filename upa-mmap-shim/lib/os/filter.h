/* SPDX-License-Identifier: Apache-2.0 */
/*
 * filter.h - is there a filter over the process's system calls (seccomp)? Sandboxes and service managers set one before
 * a program starts, and it may kill at a call that it does not know. Under one no call is made that a program with
 * libc's malloc would not make: mapping memory, and reading a file, which loading a program takes.
 */
#ifndef UPA_OS_FILTER_H
#define UPA_OS_FILTER_H

#include <stdbool.h>

#include "os/os.h"

/* Asked of the kernel once. A filter that comes later is announced: os_announce_filter(). Safe in signal handlers. */
bool os_filtered(void);
void os_announce_filter(void);

/* Was there one that nobody has announced? */
bool os_filter_inherited(void);

/* mincore() that the program has not asked for. 0 or -errno; -ENOSYS under a filter. */
static inline int os_resident(void *address, size_t bytes, unsigned char *resident)
{
	return os_filtered() ? -ENOSYS : os_mincore(address, bytes, resident);
}

/* A name for /proc/PID/maps; kernels without CONFIG_ANON_VMA_NAME do without. */
static inline void os_name(void *address, size_t bytes, const char *name)
{
	if (!os_filtered())
		os_call(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, (long)address, (long)bytes, (long)name, 0);
}

#endif
