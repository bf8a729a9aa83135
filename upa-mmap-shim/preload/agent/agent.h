/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.h - a thread that gives back what the program has freed and does not want again, while the program sleeps or
 * works on in blocks too small to be seen here.
 *
 * It is there only while something is kept: the first call that leaves a mebibyte free and populated makes it, and it
 * ends some seconds after nothing is. A timer would interrupt the program's system calls, a look at every so many calls
 * of malloc() does not come when the program sleeps, and another process may not give away this one's memory. The
 * program must not notice the thread:
 *
 *   libc         does not know it (clone.h); it calls nothing of libc's that allocates, locks, or has state of a thread
 *   signals      all are blocked, before it is made
 *   descriptors  it has a table of its own, which is empty: what it opens takes no number of the program's
 *   memory       its stack is mapped once and stays
 *   counts       it is gone, and none is made, while something asks how many threads there are or concerns but one of
 *                them: fork(), unshare(), setns(), changes of user, group and capabilities
 *   filters      under one, and where UPA stands aside, there is none
 *
 * What can be noticed: /proc/self/task and its kin show it while it is there. UPA_AGENT=0 makes none.
 *
 * For any thread and signal handler.
 */
#ifndef UPA_AGENT_H
#define UPA_AGENT_H

/* By the settings. For a process with one thread. */
void agent_start(void);

/* It is gone when this returns, and none is made until agent_resume() is called as often. Keeps errno. */
void agent_pause(void);
void agent_resume(void);

/* It is gone for good. */
void agent_stop(void);

/* In a forked child: it is not here. */
void agent_after_fork(void);

#endif
