/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - what the two threads of the client share (pager.h says what they are). */
#ifndef UPA_PAGER_CLIENT_H
#define UPA_PAGER_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pager/wire.h"

struct client {
	int socket;
	int uffd;
	char *region;
	uint64_t region_bytes;
	char *file;    /* shared with the pager */
	char *staging; /* pages out of the region, until their content is in the file; one slot for each of an order */
	unsigned used; /* slots of it that have been used since it was emptied */
	_Atomic uint64_t bound;
	_Atomic bool evicted; /* content is outside of memory */
	_Atomic bool left;
};

extern struct client client;

/* Connects to the pager and says hello. 0 or -errno; *what is then what failed. */
int client_connect(const char *path, const char **what);

/* 0, or -errno if the pager is gone. */
int client_say(uint32_t kind, uint32_t count, uint32_t ticket);

/* Carries out orders until the pager is gone or has left. */
void client_execute(void);

/* Is told by the executor what threads of the program wait for. */
void pager_granted(uint32_t ticket);
void pager_left(void);

#endif
