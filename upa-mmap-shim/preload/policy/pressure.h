/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pressure.h - when memory is short, so that nothing free stays populated: what the kernel's texts say of it. Reading
 * them is upkeep/facts.c's.
 *
 * Two signs: tasks of the system wait for memory (PSI, /proc/pressure/memory), or the process's cgroup is about to
 * reach its limit. Units: bytes, milliseconds. Thread-safety: functions without `struct pressure` are pure; one
 * thread at a time has that.
 */
#ifndef UPA_PRESSURE_H
#define UPA_PRESSURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The digits that a text begins with, a point among them left out; negative if there are none. */
int64_t pressure_number(const char *text);

/* The text of /proc/pressure/memory: has some task waited for memory for more than 5 % of the last ten seconds? */
bool pressure_stalls(const char *text);

/* That is asked once a second. */
struct pressure {
	int64_t asked_at;
	bool stalls;
};

bool pressure_due(const struct pressure *p, int64_t now);
void pressure_answer(struct pressure *p, int64_t now, bool stalls);

/* Is a limit of a cgroup one, and not the number that stands for none? */
bool pressure_is_limit(int64_t limit);

/* At a tenth below the group's limit, what others could use is not kept. */
bool pressure_near(int64_t limit, int64_t use);

#define PRESSURE_PATH_BYTES 4096

/* Files in which a cgroup's limit and its use stand, if there are such. */
struct pressure_group {
	unsigned line; /* of /proc/self/cgroup */
	char limit[PRESSURE_PATH_BYTES];
	char use[PRESSURE_PATH_BYTES];
};

/*
 * The candidate of this index (0, 1, ...) that the text of /proc/self/cgroup names: version 2 and version 1, and of
 * each the group itself, then the root, since a container may see its own group there. False: there are no more. A
 * candidate whose path would be too long has empty names.
 */
bool pressure_candidate(const char *text, unsigned index, struct pressure_group *out);

#endif
