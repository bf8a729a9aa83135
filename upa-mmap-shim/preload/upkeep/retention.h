/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retention.h - keeps of free memory what policy/retain.h says, and gives the rest back: on the program's own calls,
 * and on those of whoever ticks (agent/).
 *
 * The functions are those of policy/retain.h, on the kernel, its clock, the region and the heap.
 */
#ifndef UPA_RETENTION_H
#define UPA_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

/* By the settings. For a process with one thread. */
void retention_start(void);

void retention_account(int64_t bytes);
void retention_heap(int64_t live, int64_t kept);
void retention_heap_grew(int64_t bytes);
void retention_heap_shrinks(void);
int64_t retention_heap_allowance(void);
int64_t retention_heap_unmarked(void);
void retention_heap_lazy(int64_t lazy);
int64_t retention_excess(int64_t idle, int64_t bytes);
int64_t retention_peak(void);
int64_t retention_spare(void);
void retention_after_fork(void);

/* Who is to be called when enough is kept for ticks to be worth it: often, so it must be quick. */
void retention_watch(void (*function)(void));
void retention_begin_ticks(void);
int64_t retention_tick(void);
void retention_glance(void);
bool retention_worth_a_glance(void);
bool retention_reclaim(int64_t keep);
int64_t retention_live(void);
int64_t retention_kept(void);

/* The kernel may have taken some of what is marked: what is gone is no longer counted, nor preferred. */
void retention_find_taken(void);

/* So many bytes have been mapped that are not of the region, and are about to be touched. */
void retention_others(int64_t bytes);

/* Of what has been freed of the region, so many bytes have no memory. */
void retention_absent(int64_t bytes);

/* Before a fork. */
void retention_fork(void);

/* malloc_trim(): nothing that is free stays. False: nothing did. */
bool retention_trim(void);

/* mallopt(M_TRIM_THRESHOLD): see retain_set_trim(). */
void retention_set_trim(int64_t bytes);

#endif
