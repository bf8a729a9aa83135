/* SPDX-License-Identifier: Apache-2.0 */
/* ticks.c - see ticks.h. */
#include "ticks.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

#define CALIBRATION_NS 20000000u

int clock_is_tsc;
double clock_ps_per_tick = 1000;
uint64_t clock_overhead_ticks;

static int tsc_is_invariant(void)
{
#ifdef __x86_64__
	unsigned a, b, c, d;

	return __get_cpuid(0x80000007u, &a, &b, &c, &d) && (d & 1u << 8);
#else
	return 0;
#endif
}

void clock_init(void)
{
	clock_is_tsc = tsc_is_invariant();
	if (clock_is_tsc) {
		uint64_t ns = monotonic_ns(), ticks = clock_ticks(), now_ns, now_ticks;

		do {
			now_ns = monotonic_ns();
			now_ticks = clock_ticks();
		} while (now_ns - ns < CALIBRATION_NS);
		clock_ps_per_tick = 1000.0 * (double)(now_ns - ns) / (double)(now_ticks - ticks);
	}
	/* The least of many: subtracting more could flatter whoever is fast. */
	clock_overhead_ticks = UINT64_MAX;
	for (int i = 0; i < 1000; i++) {
		uint64_t start = clock_ticks(), stop = clock_ticks();

		if (stop - start < clock_overhead_ticks)
			clock_overhead_ticks = stop - start;
	}
}
