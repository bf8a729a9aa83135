/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yield.h - put in front of the allocator's sources by the compiler (-include), makes rare interleavings common: a
 * thread may lose the processor before any atomic access, and a weak compare-and-swap may fail for no reason, as some
 * processors do. With yield_die_after set, the process is killed before that many more accesses that change something.
 */
#ifndef UPA_TESTS_YIELD_H
#define UPA_TESTS_YIELD_H

#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

/* Weak, so that a test can ask whether the allocator was built with this file. */
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

/* If set, decides who goes on, before each access; nothing is left to chance then. */
extern void (*yield_hook)(void);
__attribute__((weak)) void (*yield_hook)(void);

/* Before a read, of which there are many: only what lies between two changes can be seen. */
static inline int yield_before_read(void)
{
	if (yield_hook) {
		yield_hook();
		return 0;
	}
	if (yield_random() % 256 == 0)
		sched_yield();
	return 0;
}

/* Before a change. 0 if a weak compare-and-swap shall fail. */
static inline int yield_before_change(void)
{
	uint32_t r;

	if (yield_hook) {
		yield_hook();
		return 1;
	}
	r = yield_random();
	if (__atomic_fetch_sub(&yield_die_after, 1, __ATOMIC_RELAXED) <= 0)
		raise(SIGKILL);
	if (r % 16 == 0)
		sched_yield();
	return r >> 8 & 15;
}

#undef atomic_load_explicit
#define atomic_load_explicit(p, order) (yield_before_read(), __atomic_load_n(p, order))
#undef atomic_store_explicit
#define atomic_store_explicit(p, v, order) (yield_before_change(), __atomic_store_n(p, v, order))
#undef atomic_compare_exchange_weak_explicit
#define atomic_compare_exchange_weak_explicit(p, expected, desired, success, failure)                                  \
	(yield_before_change() == 0 ? (*(expected) = __atomic_load_n(p, failure), 0) :                                 \
				      __atomic_compare_exchange_n(p, expected, desired, 1, success, failure))
#undef atomic_compare_exchange_strong_explicit
#define atomic_compare_exchange_strong_explicit(p, expected, desired, success, failure)                                \
	(yield_before_change(), __atomic_compare_exchange_n(p, expected, desired, 0, success, failure))
#undef atomic_fetch_or_explicit
#define atomic_fetch_or_explicit(p, v, order) (yield_before_change(), __atomic_fetch_or(p, v, order))
#undef atomic_fetch_and_explicit
#define atomic_fetch_and_explicit(p, v, order) (yield_before_change(), __atomic_fetch_and(p, v, order))
#undef atomic_fetch_add_explicit
#define atomic_fetch_add_explicit(p, v, order) (yield_before_change(), __atomic_fetch_add(p, v, order))
#undef atomic_fetch_sub_explicit
#define atomic_fetch_sub_explicit(p, v, order) (yield_before_change(), __atomic_fetch_sub(p, v, order))

#endif
