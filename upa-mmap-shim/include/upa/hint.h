/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upa/hint.h - what a program says about its memory to the policy that pages it (`upa run --policy`).
 *
 * A hint is advice: nothing depends on it but time, and a program that nobody pages may give hints all the same. It may
 * be lost when many are given at once. madvise() and posix_madvise() are heard too: WILLNEED, SEQUENTIAL, RANDOM and
 * NORMAL as here, COLD, PAGEOUT and posix_madvise()'s DONTNEED as UPA_WONT_NEED.
 *
 * Safe for use by any thread, and by signal handlers. Link with libupa (-lupa), or find upa_hint by dlsym().
 */
#ifndef UPA_HINT_H
#define UPA_HINT_H

#include <stddef.h>

#include <upa/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* As upa.policy.Hint.Kind: side by side in names and order. */
enum upa_hint_kind {
	UPA_WILL_NEED,  /* it will be used soon: what is evicted may come in early */
	UPA_WONT_NEED,  /* it will not be used soon, and keeps its content */
	UPA_SEQUENTIAL, /* it is used in rising order */
	UPA_RANDOM,     /* it is used in no order */
	UPA_NORMAL,     /* takes back UPA_SEQUENTIAL and UPA_RANDOM */
	UPA_PRIORITY,   /* it is as important as `priority` says */
};

#define UPA_USUAL_PRIORITY 3
#define UPA_MOST_PRIORITY 7

/*
 * Says something about the pages that hold `length` bytes from `address` on; of these, pages of mmap() and malloc()
 * that are paged are meant. `priority` is that of UPA_PRIORITY, from 0 to UPA_MOST_PRIORITY, where pages of lower ones
 * leave first; for all others it is 0.
 *
 * Returns 0, or -EINVAL for another kind or priority.
 */
UPA_API int upa_hint(const void *address, size_t length, enum upa_hint_kind kind, int priority);

#ifdef __cplusplus
}
#endif

#endif
