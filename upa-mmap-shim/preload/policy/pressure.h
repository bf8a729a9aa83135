/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pressure.h - how much may be kept where memory is limited or short: what the kernel's texts say of it, and what
 * follows. Reading them is upkeep/facts.c's.
 *
 * What is kept must fit beside whatever is touched next, of which no call tells: bss, shared memory, a child's. A
 * program that lives with a tenth to spare without UPA shall live with it too. So of each limit a fixed share may be
 * kept, for two processes at once; and of what is left, half.
 *
 * Units: bytes, milliseconds. Thread-safety: functions without `struct pressure` are pure; one thread at a time has
 * that.
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

/*
 * Is so little of the machine's memory available that what is kept could help those who wait? Else they wait for the
 * limits of their own groups, which others do not relieve. Not known (negative): true.
 */
bool pressure_is_short(int64_t available, int64_t total);

/* That is asked once a second. */
struct pressure {
	int64_t asked_at;
	bool stalls;
};

bool pressure_due(const struct pressure *p, int64_t now);
void pressure_answer(struct pressure *p, int64_t now, bool stalls);

/*
 * The number in the line of a text that begins with this name, as in memory.stat and /proc/meminfo; negative if there
 * is none.
 */
int64_t pressure_field(const char *text, const char *name);

/* Is a limit of a cgroup one, and not the number that stands for none? */
bool pressure_is_limit(int64_t limit);

/* Of a limit a process may keep this part at most. */
#define PRESSURE_SHARE 32

/*
 * What a process may keep within a group of this limit, that has so much in use: what the process keeps now is a part
 * of it, and so are files' pages, which the kernel takes first. No limit: INT64_MAX.
 */
int64_t pressure_keepable(int64_t limit, int64_t use, int64_t files, int64_t kept);

/* The same of the machine: so much is available beside what is kept. Not known (negative): INT64_MAX. */
int64_t pressure_keepable_of_machine(int64_t available, int64_t kept);

#define PRESSURE_PATH_BYTES 4096
#define PRESSURE_FILE_BYTES 32 /* of a file's name in a folder, with its slash and the 0 */

/* A cgroup that accounts the process's memory. */
struct pressure_level {
	bool unified; /* version 2 */
	char folder[PRESSURE_PATH_BYTES];
};

/*
 * The group of this index (0, 1, ...) that the text of /proc/self/cgroup names, of version 2 and version 1: each with
 * all above it up to the root, since a container may see its own there. False: there are no more. One whose path would
 * be too long has an empty folder.
 */
bool pressure_level(const char *text, unsigned index, struct pressure_level *out);

#endif
