/* SPDX-License-Identifier: Apache-2.0 */
/* os_once.c - of many threads one makes it; the others do without until it is there, and then see all of it. */
#include "os/once.h"

#include <pthread.h>
#include <sched.h>

#include "check.h"

#define THREADS 4
#define ROUNDS 3000

static struct round {
	struct once once;
	int made; /* plain: once.h orders it */
	_Atomic int makers;
	_Atomic int without;
} rounds[ROUNDS];

static pthread_barrier_t start;

static void *work(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		struct round *r = &rounds[i];
		bool possible = i % 3;

		if (i % 64 == 0)
			pthread_barrier_wait(&start);
		if (once_begin(&r->once)) {
			atomic_fetch_add(&r->makers, 1);
			CHECK(!once_made(&r->once) && !once_begin(&r->once), "round=%d: made before its end", i);
			r->made = i + 1;
			if (i % 7 == 0)
				sched_yield();
			once_end(&r->once, possible);
		}
		switch (once_phase(&r->once)) {
		case ONCE_UNMADE: CHECK(false, "round=%d: nobody has begun", i); break;
		case ONCE_IN_THE_MAKING: atomic_fetch_add(&r->without, 1); break;
		case ONCE_MADE: CHECK(possible && r->made == i + 1, "round=%d made=%d", i, r->made); break;
		case ONCE_IMPOSSIBLE: CHECK(!possible && r->made == i + 1, "round=%d made=%d", i, r->made); break;
		}
	}
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	int without = 0;

	pthread_barrier_init(&start, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, work, NULL), "thread %d", i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(rounds[i].makers == 1, "round=%d makers=%d", i, rounds[i].makers);
		CHECK(once_made(&rounds[i].once) == !!(i % 3), "round=%d", i);
		CHECK(!once_begin(&rounds[i].once), "round=%d begins again", i);
		without += rounds[i].without;
	}
	printf("%d times a thread did without\n", without);
	return 0;
}
