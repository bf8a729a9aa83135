/* SPDX-License-Identifier: Apache-2.0 */
/* clear_ahead.h - what a region remembers of the thread that clears for it: see upa_region_clear_ahead(). */
#ifndef UPA_REGION_CLEAR_AHEAD_H
#define UPA_REGION_CLEAR_AHEAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct upa_region;

/* Zero is a region without such a thread. */
struct clear_ahead {
	/* Ends the thread. NULL if there is none; so a library without clear_ahead.c has no need of it. */
	void (*stop)(struct upa_region *r);
	_Atomic uint64_t children; /* as many as are to read zero */
	pid_t process;             /* whose thread it is: a child has none */
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t wake;
	bool ends;
};

#endif
