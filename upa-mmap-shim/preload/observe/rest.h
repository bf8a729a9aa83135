/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest.h - of the processes that one `upa run --stats` starts, those of which there is little to say: counted in a
 * small file that `upa run` has made and named in UPA_STATS_REST, and said in one line by the process that it became.
 */
#ifndef UPA_REST_H
#define UPA_REST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "os/message.h"

/* The file, which `upa run` begins with zeros but for the last two fields. */
struct upa_rest {
	_Atomic uint64_t little;      /* processes and programs that UPA served nothing, or as good as nothing */
	_Atomic uint64_t page_faults; /* of these */
	_Atomic uint64_t elsewhere;   /* those that were served, and whose standard error is another file */
	uint64_t device, inode;       /* of the standard error of `upa run` */
};

void rest_start(const char *file);

/* Whether there is such a file. */
bool rest_is_open(void);

/* Whether there is, and another process than this one will say what is in it. */
bool rest_is_counted(void);

/* Whether a file is the one that `upa run` had as its standard error; true if nobody counts. */
bool rest_same_error(uint64_t device, uint64_t inode);

void rest_add_little(uint64_t page_faults);
void rest_add_elsewhere(void);

/* Appends the line, if there is something to say and this is the process that says it; the file is of no more use. */
void rest_say(struct message *m);

#endif
