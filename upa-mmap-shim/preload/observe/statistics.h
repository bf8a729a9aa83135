/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - what UPA_STATS=1 prints when the process exits: by exit(), by returning from main, by _exit(), _Exit() or quick_exit(), or when it
 * becomes another program by exec (where libc's calls are redirected). Who aborts or is killed by a signal prints nothing; upa/view.h can be read until then.
 */
#ifndef UPA_TABLE_H
#define UPA_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <upa/region.h>

extern bool table_wanted;

void table_start(void);

/* Something the reader should know, once: a string that stays. */
void table_remark(const char *text);

/* No file of /proc may be read from now on. */
void table_be_quiet(void);

/* Now, in units of its own; 0 if nobody wants to know. */
uint64_t table_clock(void);

/* Counts a request, by kind and flags of upa/trace.h, that began then. */
void table_count(unsigned kind, unsigned flags, size_t bytes, uint64_t begun);

/* A forked child counts from nothing; `r` is the region if there is one. */
void table_after_fork(const struct upa_region *r);

/* Once only. */
void table_print(const struct upa_region *r);

/* It was printed for an exec that has failed. */
void table_goes_on(void);

#endif
