/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticks.h - time in ticks: the time-stamp counter where the CPU promises it to be invariant, else
 * CLOCK_MONOTONIC. Reading it costs some 20 ns; clock_overhead() is what an empty interval shows,
 * and is subtracted from every sample.
 */
#ifndef UPA_DRIVER_TICKS_H
#define UPA_DRIVER_TICKS_H

#include <stdint.h>
#include <time.h>

extern int clock_is_tsc;
extern double clock_ps_per_tick;
extern uint64_t clock_overhead_ticks;

/* Calibrates; takes 20 ms. */
void clock_init(void);

static inline uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_ticks(void)
{
#ifdef __x86_64__
	if (clock_is_tsc) {
		uint32_t low, high;

		/* lfence on both sides: neither earlier nor later work slips across. */
		__asm__ volatile("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
		return (uint64_t)high << 32 | low;
	}
#endif
	return monotonic_ns();
}

/* Picoseconds between two readings, without the cost of reading. */
static inline uint64_t clock_interval_ps(uint64_t start, uint64_t stop)
{
	uint64_t ticks = stop - start;

	return ticks <= clock_overhead_ticks ? 0 :
					       (uint64_t)((double)(ticks - clock_overhead_ticks) * clock_ps_per_tick);
}

#endif
