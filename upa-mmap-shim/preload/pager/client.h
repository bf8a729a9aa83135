/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - what the two threads of the client share (pager.h says what they are). */
#ifndef UPA_PAGER_CLIENT_H
#define UPA_PAGER_CLIENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pager/wire.h"

struct client {
	const char *path; /* of the pager's socket */
	int socket;
	int uffd;
	int memory;                /* descriptor of the file */
	int kept[PAGER_MOST_KEPT]; /* descriptors of the pager's stores, for its successor; -1: none */
	char *region;
	uint64_t region_bytes;
	char *file; /* shared with the pager */
	/* Absent here, and registered: a forked child reads 1 there once the client keeps what its pages need. */
	const volatile char *known;
	char *staging; /* pages out of the region, until their content is in the file; one slot for each of an order */
	unsigned used; /* slots of it that have been used since it was emptied */
	_Atomic uint64_t bound;
	_Atomic bool evicted; /* content is outside of memory */
	_Atomic bool left;
	_Atomic uint32_t pagers; /* how many there have been */
};

extern struct client client;

/* Connects to the pager and says hello. 0 or -errno; *what is then what failed. */
int client_connect(const char *path, const char **what);

/* 0, or -errno if the pager is gone. */
int client_say(uint32_t kind, uint32_t count, uint32_t ticket);

/* The same, with an argument. */
int client_say_of(uint32_t kind, uint32_t count, uint32_t ticket, uint64_t argument);

/* Carries out orders, of one pager after the other, until there is none any more or it has left. */
void client_execute(void);

/* Ends this process, whose memory is not what it should be. */
_Noreturn void client_die(void);

/* Carries out an order during which the pager has to serve faults or events. */
void client_execute_slowly(const struct pager_message *order);

/* Is told by the executor of such an order, which is the watch's: whoever waits for the pager must not be the executor,
 * since that finds the next pager. */
void pager_slow_order(const struct pager_message *order);

/* Is told by the executor what threads of the program wait for. */
void pager_granted(uint32_t ticket);
void pager_left(void);

/* Is told by the executor that another pager is there, which knows of nothing that has been said. */
void pager_changed(void);

#endif
