/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock.h - what time it is, for whoever decides by it or records it. Not by libc's clock_gettime() as the program
 * finds it: another library may have put one of its own there, whose time is not the machine's, and which may
 * allocate.
 *
 * For any thread and signal handler.
 */
#ifndef UPA_CLOCK_H
#define UPA_CLOCK_H

#include <stdint.h>
#include <time.h>

/* libc's own clock_gettime(), which is faster than the system call that is made without. */
void clock_use(int (*gettime)(clockid_t clock, struct timespec *out));

/* Milliseconds since some time in the past, good to a few, at a few nanoseconds a reading. */
int64_t clock_milliseconds(void);

/* Nanoseconds: since some time in the past; of real time; of processor time of this thread. */
uint64_t clock_nanoseconds(void);
uint64_t clock_real_nanoseconds(void);
uint64_t clock_own_nanoseconds(void);

#endif
