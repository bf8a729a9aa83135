/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hints.h - hints on their way from threads of the program to the watch, which alone has the socket and sends them to
 * the pager. A bounded queue for any number of threads and one reader. Nobody waits: where it is full, a hint is lost.
 * A thread that is stopped while it puts one in holds up later hints, and nothing else.
 */
#ifndef UPA_PAGER_HINTS_H
#define UPA_PAGER_HINTS_H

#include <stdbool.h>
#include <stdint.h>

#define HINTS 256u

struct hint {
	uint64_t first; /* page */
	uint32_t pages;
	uint32_t what; /* enum upa_hint_kind, and the priority times 256 */
};

/* False: there is no room. For any thread. */
bool hints_put(struct hint hint);

/* False: there is none. For one thread. */
bool hints_take(struct hint *hint);

#endif
