/* SPDX-License-Identifier: Apache-2.0 */
/*
 * atomic.h - accesses to shared words, with the memory order in the name. p points to an _Atomic integer.
 *
 *   relaxed   whole, in no order with other accesses: for counters and hints, and for what a later access confirms
 *   acquire   what the writer of the value had done before is visible afterwards
 *   release   after all that was done before
 *
 * A cas_*() takes a pointer to the value expected; if it fails, the value found is stored there. What fails has only
 * read, relaxed. The weak one may fail for no reason, so it belongs in a loop.
 */
#ifndef UPA_OS_ATOMIC_H
#define UPA_OS_ATOMIC_H

#include <stdatomic.h>

#define load_relaxed(p) atomic_load_explicit(p, memory_order_relaxed)
#define load_acquire(p) atomic_load_explicit(p, memory_order_acquire)

#define store_relaxed(p, value) atomic_store_explicit(p, value, memory_order_relaxed)
#define store_release(p, value) atomic_store_explicit(p, value, memory_order_release)

#define cas_weak_acq_rel(p, expected, desired)                                                                         \
	atomic_compare_exchange_weak_explicit(p, expected, desired, memory_order_acq_rel, memory_order_relaxed)
#define cas_strong_acq_rel(p, expected, desired)                                                                       \
	atomic_compare_exchange_strong_explicit(p, expected, desired, memory_order_acq_rel, memory_order_relaxed)

/* What was read before is read before what is read afterwards. ThreadSanitizer knows no fences. */
#ifdef __SANITIZE_THREAD__
#define fence_acquire() atomic_signal_fence(memory_order_acquire)
#else
#define fence_acquire() atomic_thread_fence(memory_order_acquire)
#endif

#define fetch_add_acq_rel(p, n) atomic_fetch_add_explicit(p, n, memory_order_acq_rel)
#define fetch_sub_acq_rel(p, n) atomic_fetch_sub_explicit(p, n, memory_order_acq_rel)
#define fetch_or_acq_rel(p, bits) atomic_fetch_or_explicit(p, bits, memory_order_acq_rel)
#define fetch_or_relaxed(p, bits) atomic_fetch_or_explicit(p, bits, memory_order_relaxed)
#define fetch_and_relaxed(p, bits) atomic_fetch_and_explicit(p, bits, memory_order_relaxed)

#endif
