/* SPDX-License-Identifier: Apache-2.0 */
/*
 * purge.h - what of a purge, madvise(MADV_DONTNEED), is done without the kernel: the choice. The clock and what the
 * kernel says are hooks (upkeep/purging.c has the real ones, and carries the choice out).
 *
 * The 2 MiB units that are purged most often are cleared in place and stay resident, as many as the bound of retain.h
 * lets; the others go to the kernel. What has been cleared cannot be taken back later, for the program may have
 * written to it since, so room for the hottest is made by not leaving the colder ones. (A simulation of jemalloc's
 * churn: 16 % of all pages fault so, 33 % with more memory if whatever still fits is left, and 14 % if the longest
 * unused could be taken back.) Of those, what is purged and touched as a whole gets huge pages, which fault more
 * cheaply.
 *
 * Units and thread-safety: as in heat.h.
 */
#ifndef UPA_PURGE_H
#define UPA_PURGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/heat.h"

/* A purge of less is cheap, one of more is rare. */
#define PURGE_LEAST_BYTES (64ul << 10)
#define PURGE_MOST_BYTES (1ul << 30)

struct purge_hooks {
	/* A clock in milliseconds that never goes back. */
	int64_t (*now)(void);
	/* Has something been written to this page since it was cleared? Asked by one thread at a time. */
	bool (*in_use)(uintptr_t page);
	/* As retain_excess() and retain_peak(). */
	int64_t (*excess)(int64_t idle, int64_t bytes);
	int64_t (*peak)(void);
};

struct purge {
	const struct purge_hooks *hooks;
	struct heat heat;
	_Atomic int64_t hot_bytes; /* so much is to be hot */
	/* Huge pages made; and when to make some again, in milliseconds. */
	_Atomic uint32_t huge_made, huge_not_before;
	atomic_flag looking;
};

#define PURGE_START(its_hooks)                                                                                         \
	{                                                                                                              \
		.hooks = (its_hooks), .hot_bytes = INT64_MAX / 2, .looking = ATOMIC_FLAG_INIT                          \
	}

/* Which units of a range are hot, the first being that in which it begins; the others are the kernel's. */
struct purge_choice {
	uint64_t hot[PURGE_MOST_BYTES / HEAT_UNIT_BYTES / 64 + 1];
};

/*
 * The hot units of a range that is purged, less the highest until so much as exceeds the bound goes to the kernel.
 * False if all of it does.
 */
bool purge_choose(struct purge *p, struct purge_choice *out, uintptr_t from, uintptr_t to);

/* A stretch of the range all of which is hot, or none. */
struct purge_stretch {
	uintptr_t from, to;
	bool hot;
};

/* The one that begins at `at`, which is the range's start or another's end; it is noted as idle if it is hot. */
struct purge_stretch purge_next(struct purge *p, const struct purge_choice *choice, uintptr_t from, uintptr_t to,
				uintptr_t at);

/* All of the range goes to the kernel after all. */
void purge_decline(struct purge *p, uintptr_t from, uintptr_t to);

/* In a forked child: nobody is looking. */
void purge_after_fork(struct purge *p);

/* May huge pages be made now? */
bool purge_huge_allowed(const struct purge *p, uint32_t now);

/* Is this unit, all of which is purged and resident, one that they would help, and has it none yet? */
bool purge_huge_helps(struct purge *p, uint32_t number);

/* It has been made one. True if this one is to be faulted in on trial, to see what that takes. */
bool purge_huge_made(struct purge *p, uint32_t number);

/* The trial took so long. */
void purge_huge_took(struct purge *p, uint32_t now, uint64_t nanoseconds);

#endif
