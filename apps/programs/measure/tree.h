/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - a process and all its descendants, seen through /proc: what memory they hold together, and whether the
 * libraries that were preloaded have arrived in each of them.
 */
#ifndef UPA_TREE_H
#define UPA_TREE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Processes and libraries that one tree can hold; more processes than that are not looked at. */
#define TREE_PROCESSES 1024
#define TREE_LIBRARIES 8

/* What is known of one process. */
struct tree_process {
	pid_t pid;
	dev_t device; /* of the program it runs: an exec starts it anew */
	ino_t inode;
	unsigned long stack; /* where its stack began, which an exec of the same program changes */
	unsigned long ticks; /* computed before it was first seen running this program */
	int loaded;          /* all libraries are mapped */
	int lacking;         /* it has computed for a while without them */
	char program[512];   /* path */
};

struct tree {
	pid_t root;
	const char *libraries[TREE_LIBRARIES]; /* real paths */
	size_t library_count;
	struct tree_process seen[TREE_PROCESSES];
	size_t seen_count;
	size_t most_processes; /* alive at once */
	/* Held at the last look: the resident set of one process, the sum of the proportional sets of several. */
	uint64_t bytes;
	uint64_t peak_bytes; /* greatest sum seen while there was more than one process */
};

/* Looks at all that lives below root (and the root). Returns the number of processes seen alive. */
size_t tree_sample(struct tree *tree);

/* The processes below parent, itself not included, into pids. Returns how many; at most limit. */
size_t tree_descendants(pid_t parent, pid_t *pids, size_t limit);

#endif
