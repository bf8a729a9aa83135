/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wait.h - for what another thread is in the middle of, and must end before a call of this one may go on. Rare: memory
 * is handed out without waiting.
 *
 * Who is waited for takes no signals meanwhile, so that no handler waits for the thread that it has interrupted.
 */
#ifndef UPA_OS_WAIT_H
#define UPA_OS_WAIT_H

#include <stdatomic.h>
#include <time.h>

#include "os/os.h"

/* A thread that is stopped for longer, by a debugger, does not hold up others. */
#define OS_WAIT_YIELDS 100
#define OS_WAIT_SLEEPS 50000
#define OS_WAIT_NANOSECONDS 100000

/* Looks that take some seconds. */
#define OS_WAIT_LOOKS (OS_WAIT_YIELDS + OS_WAIT_SLEEPS)

/* Of a wait that looks again and again, the pause after that many looks. */
static inline void os_wait(int looks)
{
	const struct timespec wait = { 0, OS_WAIT_NANOSECONDS };

	/* One that yields only may keep a thread of lower priority from its processor. */
	if (looks < OS_WAIT_YIELDS)
		os_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	else
		os_call(SYS_nanosleep, (long)&wait, 0, 0, 0, 0, 0);
}

/* Until a word has another value than this, or some seconds have passed. */
static inline void os_await_change(const _Atomic int *word, int value)
{
	for (int i = 0; i < OS_WAIT_LOOKS && atomic_load(word) == value; i++)
		os_wait(i);
}

#endif
