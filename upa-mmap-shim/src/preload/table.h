/* SPDX-License-Identifier: Apache-2.0 */
/* table.h - what UPA_STATS=1 prints when the process exits. */
#ifndef UPA_TABLE_H
#define UPA_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include <upa/region.h>

extern bool table_wanted;

void table_start(void);

/* Something the reader should know, once: a string that stays. */
void table_remark(const char *text);

void table_count(size_t bytes, bool served);

/* Counts a request for memory. */
static inline void table_request(size_t bytes, bool served)
{
	if (__builtin_expect(table_wanted, 0))
		table_count(bytes, served);
}

/* A forked child counts from nothing. */
void table_after_fork(void);

void table_print(const struct upa_region *r);

#endif
