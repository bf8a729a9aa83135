/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine.h - a machine of many cores that runs the same program on each, one core at a time in the order of their
 * clocks, and counts how cache lines move between them. README.md says what it leaves out.
 */
#ifndef UPA_LINES_MACHINE_H
#define UPA_LINES_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CORES_MAX 1024u

/* Nanoseconds. */
struct costs {
	double read_own, change_own; /* the line is in the core's cache, and for a change in no other */
	double near, far;            /* it comes from a core of the same socket, or of another */
	double memory;               /* no core has it */
	double copy;                 /* the next core waits so long for one that reads */
	unsigned socket_cores;
};

/* Where accesses are counted: the parts of the memory watched, in order of addresses. */
struct part {
	const char *name;
	const void *begin;
	bool apart; /* as if each of its words of 32 bits had a line of its own */
	uint64_t accesses, transfers;
	double waited; /* nanoseconds for others that use the line */
};

/* Memory from `begin` on is watched; the last part ends at `end`. */
void machine_watch(struct part *parts, size_t count, const void *begin, const void *end, const struct costs *costs);

/* Runs body(core) on each core until all have returned, from cold caches. Returns how many nanoseconds were counted. */
double machine_run(unsigned cores, void (*body)(unsigned core));

/* Of the core that runs: it computes without memory. */
void machine_compute(double nanoseconds);

/*
 * Each core says once that it has warmed up; with the last one the count begins. It is over when a core says so, while
 * all are still at work.
 */
enum stage { WARMING, COUNTING, OVER };

void machine_is_warm(void);
void machine_end(void);
enum stage machine_stage(void);

#endif
