/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The queue of hints: each that is put in is taken once, those of a thread in their order; a full one refuses, and
 * takes as many as before when it has been emptied. And what upa_hint() is where nobody pages.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <upa/hint.h>

#include "check.h"
#include "pager/hints.h"

#define MUST(condition) CHECK(condition, "the queue or the hint is wrong")
#define THREADS 4u
#define EACH 200000u

static _Atomic unsigned long put[THREADS];
static _Atomic unsigned running = THREADS;

static void *puts_many(void *argument)
{
	unsigned me = (unsigned)(uintptr_t)argument;

	for (uint32_t i = 0; i < EACH; i++)
		put[me] += hints_put((struct hint){ .first = (uint64_t)me << 32 | i, .pages = ~i, .what = me });
	running--;
	return NULL;
}

static void threads_at_once(void)
{
	pthread_t threads[THREADS];
	long last[THREADS];
	unsigned long taken[THREADS] = { 0 };
	struct hint hint;
	unsigned long all = 0;

	for (unsigned t = 0; t < THREADS; t++) {
		last[t] = -1;
		MUST(!pthread_create(&threads[t], NULL, puts_many, (void *)(uintptr_t)t));
	}
	for (bool over = false; !over;) {
		over = !running;
		while (hints_take(&hint)) {
			unsigned t = (unsigned)(hint.first >> 32);
			uint32_t i = (uint32_t)hint.first;

			MUST(t < THREADS && hint.what == t && hint.pages == ~i);
			MUST((long)i > last[t]);
			last[t] = i;
			taken[t]++;
		}
	}
	for (unsigned t = 0; t < THREADS; t++) {
		pthread_join(threads[t], NULL);
		MUST(taken[t] == put[t]);
		all += taken[t];
	}
	MUST(all >= HINTS);
}

static void full_and_empty(void)
{
	struct hint hint;

	for (uint64_t lap = 0; lap < 5; lap++) {
		for (uint64_t i = 0; i < HINTS; i++)
			MUST(hints_put((struct hint){ .first = lap * HINTS + i }));
		MUST(!hints_put((struct hint){ .first = 0 }));
		for (uint64_t i = 0; i < HINTS; i++)
			MUST(hints_take(&hint) && hint.first == lap * HINTS + i);
		MUST(!hints_take(&hint));
	}
}

static void where_nobody_pages(void)
{
	char byte;

	for (int kind = UPA_WILL_NEED; kind < UPA_PRIORITY; kind++) {
		MUST(!upa_hint(&byte, 1, (enum upa_hint_kind)kind, 0));
		MUST(upa_hint(&byte, 1, (enum upa_hint_kind)kind, 1) == -EINVAL);
	}
	for (int priority = 0; priority <= UPA_MOST_PRIORITY; priority++)
		MUST(!upa_hint(&byte, 1, UPA_PRIORITY, priority));
	MUST(upa_hint(&byte, 1, UPA_PRIORITY, -1) == -EINVAL);
	MUST(upa_hint(&byte, 1, UPA_PRIORITY, UPA_MOST_PRIORITY + 1) == -EINVAL);
	MUST(upa_hint(&byte, 1, (enum upa_hint_kind)(UPA_PRIORITY + 1), 0) == -EINVAL);
	MUST(upa_hint(&byte, 1, (enum upa_hint_kind) - 1, 0) == -EINVAL);
}

int main(void)
{
	full_and_empty();
	threads_at_once();
	full_and_empty();
	where_nobody_pages();
	return 0;
}
