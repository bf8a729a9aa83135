/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heat.h - which 2 MiB of the program's memory it purges again and again: a record of purges, without kernel or
 * clock.
 *
 * Each unit of 2 MiB has a heat: the purges of it, each counting half when so many bytes more have been purged as
 * HEAT_HALF_LIFE times the program's peak. Pages of a unit that a purge has left resident are idle until they are
 * found in use. Units 8 GiB apart share an entry, and drive each other out.
 *
 * Units: bytes; milliseconds that may wrap around. Thread-safety: any thread at any time; threads that meet in a unit
 * may lose a purge, and nothing but what stays resident hangs on it. One thread at a time looks (heat_look).
 */
#ifndef UPA_HEAT_H
#define UPA_HEAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAT_UNIT_SHIFT 21
#define HEAT_UNIT_BYTES (1ul << HEAT_UNIT_SHIFT)
#define HEAT_UNITS 4096u
#define HEAT_PAGES 512u
#define HEAT_PAGE_BYTES (HEAT_UNIT_BYTES / HEAT_PAGES)
#define HEAT_HALF_LIFE 16

/* What one purge adds. */
#define HEAT_ONE (1u << 16)

/* What is not purged again within this time is not in use. */
#define HEAT_AGAIN 1000u

/* How often to look through all that has been purged: later after so many pages asked for, a millisecond each. */
#define HEAT_LOOK_INTERVAL 16u
#define HEAT_ASKED_PER_MS 8u

struct heat_unit {
	_Atomic uint32_t number; /* its address >> HEAT_UNIT_SHIFT */
	_Atomic uint32_t heat;   /* at that time, in HEAT_ONE-s */
	_Atomic uint32_t clock;  /* of the last purge: MiB purged until then */
	_Atomic uint32_t purged_at;
	_Atomic uint32_t huge; /* the unit's number once it has been made one of huge pages */
};

struct heat {
	struct heat_unit units[HEAT_UNITS];
	_Atomic uint64_t idle[HEAT_UNITS][HEAT_PAGES / 64]; /* a bit for each page */
	_Atomic int64_t idle_bytes;
	_Atomic uint64_t purged_bytes; /* the clock of heat */
	_Atomic uint32_t least;        /* of units to leave resident */
	uint32_t looked_at;
	uint32_t asked; /* pages, by the last look */
	uint32_t scratch[HEAT_UNITS];
};

/* The entry that a unit has, or would have. */
static inline struct heat_unit *heat_unit(struct heat *h, uint32_t number)
{
	return &h->units[number % HEAT_UNITS];
}

/* So many bytes are about to be purged: time passes. */
void heat_pass(struct heat *h, uint64_t bytes);

/* Notes that a unit is purged; `peak` is the most that was in use lately. Is it one to leave resident? */
bool heat_up(struct heat *h, uint32_t number, uint32_t now, int64_t peak);

/* The pages that lie wholly in a range of addresses, in units that are known, are idle, or are not. */
void heat_mark(struct heat *h, uintptr_t from, uintptr_t to, bool idle);

/* None in the range is idle, however long it is. */
void heat_forget(struct heat *h, uintptr_t from, uintptr_t to);

int64_t heat_idle_bytes(const struct heat *h);

/* Is a look due? */
bool heat_look_due(const struct heat *h, uint32_t now);

/*
 * Looks: asks of each quarter unit's idle pages which are in use, one page of 64 KiB for all, up to the first that is
 * not; and sets the least heat so that units of hot_bytes have it. Who writes only zeros is overlooked; no more than
 * the bound on what stays depends on this.
 */
void heat_look(struct heat *h, uint32_t now, int64_t peak, int64_t hot_bytes, bool (*in_use)(uintptr_t page));

#endif
