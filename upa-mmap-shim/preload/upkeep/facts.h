/* SPDX-License-Identifier: Apache-2.0 */
/*
 * facts.h - what the kernel says in its files of this process's memory and of the machine's. A file is open only
 * while it is read: a program may close descriptors that it does not know, or count its own.
 */
#ifndef UPA_FACTS_H
#define UPA_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No file may be read from now on. */
void facts_stop(void);

/* The process's resident memory in bytes, as the kernel counts it; negative if it may not be asked. */
int64_t facts_resident(void);

/*
 * The most that the process may keep, which keeps so much now (policy/pressure.h): by limits of its cgroups and those
 * above them, which are looked for once a second, and by the machine's memory. 0: memory is short; INT64_MAX: no limit.
 * For one thread at a time.
 */
int64_t facts_keepable(int64_t now, int64_t kept);

/* Has the machine memory on several NUMA nodes? True if no file may be read. */
bool facts_many_nodes(void);

/* What the kernel says of the mapping that an address lies in. */
struct facts_mapping {
	uintptr_t from, to;
	bool ordinary; /* private, anonymous, to be read and written */
};

/* 0; -ENOTTY or -EINVAL if this kernel (before 6.11) will never say; another error if it does not now. */
int facts_mapping(uintptr_t address, struct facts_mapping *out);

/* A stretch of pages that have memory, or had it before it was swapped out. */
struct facts_range {
	uintptr_t from, to;
};

/*
 * The first such stretches in *from .. to - 1, at most `most`, in order; *from is then where to go on, or `to`. Their
 * number; -ENOTTY or -EINVAL if this kernel (before 6.7) will never say; another error if it does not now.
 */
long facts_populated(uintptr_t *from, uintptr_t to, struct facts_range *out, size_t most);

/* Has anything but zeros been written to this page? The kernel looks, since the program may have unmapped it. */
bool facts_in_use(uintptr_t page);

#endif
