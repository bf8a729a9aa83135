/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statistics.h - what UPA_STATS prints when the process exits: by exit(), by returning from main, by _exit(),
 * _Exit() or quick_exit(), or when it becomes another program by exec (where libc's calls are redirected). Who aborts
 * or is killed by a signal prints nothing; upa/view.h can be read until then.
 */
#ifndef UPA_STATISTICS_H
#define UPA_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <upa/region.h>

extern bool statistics_wanted;

void statistics_start(void);

/* Something the reader should know, once: a string that stays. */
void statistics_note(const char *text);

/* No file of /proc may be read from now on. */
void statistics_stop_reading(void);

/* Now, in units of its own; 0 if nobody wants to know. */
uint64_t statistics_clock(void);

/* Counts a request, by kind and flags of upa/trace.h, that began then. */
void statistics_count(unsigned kind, unsigned flags, size_t bytes, uint64_t begun);

/* So much has been populated before it was touched. */
void statistics_populated(size_t bytes);

/* There is a region now. */
void statistics_region(const struct upa_region *region);

/* A forked child counts from nothing. */
void statistics_after_fork(void);

/* Once only; the process leaves, or becomes another program. */
void statistics_print(bool leaves);

/* It was printed for an exec that has failed. */
void statistics_go_on(void);

#endif
