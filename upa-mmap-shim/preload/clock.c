/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include "os/os.h"

static int by_system_call(clockid_t clock, struct timespec *out)
{
	return (int)os_call(SYS_clock_gettime, clock, (long)out, 0, 0, 0, 0);
}

static int (*gettime)(clockid_t clock, struct timespec *out) = by_system_call;

void clock_use(int (*libcs)(clockid_t clock, struct timespec *out))
{
	gettime = libcs;
}

int64_t clock_milliseconds(void)
{
	struct timespec t;

	gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint64_t nanoseconds(clockid_t clock)
{
	struct timespec t;

	gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t clock_nanoseconds(void)
{
	return nanoseconds(CLOCK_MONOTONIC);
}

uint64_t clock_real_nanoseconds(void)
{
	return nanoseconds(CLOCK_REALTIME);
}

uint64_t clock_own_nanoseconds(void)
{
	return nanoseconds(CLOCK_THREAD_CPUTIME_ID);
}
