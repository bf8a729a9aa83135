/* SPDX-License-Identifier: Apache-2.0 */
/* signals.h - which signals this thread takes, asked of the kernel: libc's functions may be a program's own. */
#ifndef UPA_OS_SIGNALS_H
#define UPA_OS_SIGNALS_H

#include <stdint.h>

#include "os/os.h"

#define OS_ALL_SIGNALS (~0ull)

/* For a thread of ours that libc knows: glibc's own signal for setuid() must be answered by every thread. */
#define OS_THREAD_SIGNALS (OS_ALL_SIGNALS & ~(1ull << (33 - 1)))

/* These signals are blocked, and no others. Returns which were. */
static inline uint64_t os_block_signals(uint64_t set)
{
	uint64_t was = 0;

	os_call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)&set, (long)&was, sizeof(set), 0, 0);
	return was;
}

#endif
