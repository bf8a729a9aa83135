/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - put in front of the allocator's sources by the compiler (-include): each of its atomic accesses is first
 * told to the model of a machine's cache lines, which says when it happens.
 */
#ifndef UPA_LINES_RECORD_H
#define UPA_LINES_RECORD_H

#include <stdatomic.h>

enum access { READ, CHANGE };

/* Returns when it is this access's turn. */
void lines_access(const volatile void *word, enum access kind);

#undef atomic_load_explicit
#define atomic_load_explicit(p, order) (lines_access(p, READ), __atomic_load_n(p, order))
#undef atomic_store_explicit
#define atomic_store_explicit(p, v, order) (lines_access(p, CHANGE), __atomic_store_n(p, v, order))
#undef atomic_compare_exchange_weak_explicit
#define atomic_compare_exchange_weak_explicit(p, expected, desired, success, failure)                                  \
	(lines_access(p, CHANGE), __atomic_compare_exchange_n(p, expected, desired, 0, success, failure))
#undef atomic_compare_exchange_strong_explicit
#define atomic_compare_exchange_strong_explicit(p, expected, desired, success, failure)                                \
	(lines_access(p, CHANGE), __atomic_compare_exchange_n(p, expected, desired, 0, success, failure))
#undef atomic_fetch_or_explicit
#define atomic_fetch_or_explicit(p, v, order) (lines_access(p, CHANGE), __atomic_fetch_or(p, v, order))
#undef atomic_fetch_and_explicit
#define atomic_fetch_and_explicit(p, v, order) (lines_access(p, CHANGE), __atomic_fetch_and(p, v, order))
#undef atomic_fetch_add_explicit
#define atomic_fetch_add_explicit(p, v, order) (lines_access(p, CHANGE), __atomic_fetch_add(p, v, order))
#undef atomic_fetch_sub_explicit
#define atomic_fetch_sub_explicit(p, v, order) (lines_access(p, CHANGE), __atomic_fetch_sub(p, v, order))

#endif
