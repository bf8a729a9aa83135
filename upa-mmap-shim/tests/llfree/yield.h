/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yield.h - put in front of llfree.c by the compiler (-include), makes rare interleavings common: a thread may lose the
 * processor before any atomic operation, and a weak compare-and-swap may fail for no reason, as some processors do.
 * With yield_die_after set, the process is killed before that many more of them.
 */
#ifndef UPA_TESTS_YIELD_H
#define UPA_TESTS_YIELD_H

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

/* Weak, so that a test can ask whether llfree.c was built with this file. */
extern _Atomic int64_t yield_die_after;
__attribute__((weak)) _Atomic int64_t yield_die_after = INT64_MAX;

static inline uint32_t yield_random(void)
{
	static _Thread_local uint32_t seed;

	if (!seed)
		seed = (uint32_t)(uintptr_t)&seed | 1;
	seed ^= seed << 13;
	seed ^= seed >> 17;
	return seed ^= seed << 5;
}

static inline int yield_here(void)
{
	uint32_t r = yield_random();

	if (atomic_fetch_sub_explicit(&yield_die_after, 1, memory_order_relaxed) <= 0)
		raise(SIGKILL);
	if (r % 16 == 0)
		sched_yield();
	return r >> 8 & 15;
}

#undef atomic_compare_exchange_weak_explicit
#define atomic_compare_exchange_weak_explicit(p, expected, desired, success, failure) \
	(yield_here() == 0 ? (*(expected) = __atomic_load_n(p, failure), 0)            \
			   : __atomic_compare_exchange_n(p, expected, desired, 1, success, failure))
#undef atomic_compare_exchange_strong_explicit
#define atomic_compare_exchange_strong_explicit(p, expected, desired, success, failure) \
	(yield_here(), __atomic_compare_exchange_n(p, expected, desired, 0, success, failure))
#undef atomic_fetch_or_explicit
#define atomic_fetch_or_explicit(p, v, order) (yield_here(), __atomic_fetch_or(p, v, order))
#undef atomic_fetch_and_explicit
#define atomic_fetch_and_explicit(p, v, order) (yield_here(), __atomic_fetch_and(p, v, order))
#undef atomic_fetch_sub_explicit
#define atomic_fetch_sub_explicit(p, v, order) (yield_here(), __atomic_fetch_sub(p, v, order))

#endif
