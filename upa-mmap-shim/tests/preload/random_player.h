/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_player.h - one thread's random memory calls, each made twice: through libc's functions, and as a bare system
 * call on a twin. A thread has blocks of its own and touches nothing else.
 */
#ifndef UPA_TESTS_RANDOM_PLAYER_H
#define UPA_TESTS_RANDOM_PLAYER_H

#include <pthread.h>

#include "mman/differential.h"

#define MAX_BLOCKS 32

enum { NEW, UNMAP, RESIZE, MOVE_ONTO, LEAVE, MAP_OVER, PROTECT, ADVISE, LOCK, UNLOCK, WRITE, FILL, FORK, BREAK, KINDS };

extern const char *const kind_names[KINDS];

/* Which block, from which page on and how many is taken modulo what there is: any part of a sequence is a sequence. */
struct op {
	int thread, kind;
	long block, from, pages, flags, more;
};

struct block {
	char *on[2]; /* the same block on both sides */
	long pages;
	bool locked;
};
/* Says nothing of what fails. */
extern bool quiet;

/* One thread's. */
struct player {
	const struct op *ops;
	int count, id;
	uint64_t seed;
	struct block blocks[MAX_BLOCKS];
	int blocks_now;
	int files[2][2];
	bool kept_from_children; /* MADV_DONTFORK */
	char *heap, *heap_end;
	pthread_t thread;
	int failed_at; /* 1 + the operation; 0 if all agreed */
};

/* A random operation, for that thread. */
struct op random_op(uint64_t *seed, int thread);

/*
 * All operations of the player, then all that it still has is compared and unmapped. What does not agree is said on
 * stderr, and stands in failed_at. A start routine of pthread_create(3).
 */
void *play_all(void *player);

#endif
