/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thread that clears free pages ahead of need. The kernel runs it where nothing else wants to run (SCHED_IDLE), and
 * it pauses as soon as it notices that it had to wait: then no processor is idle. It clears child by child, and holds
 * no more than one.
 */
#define _GNU_SOURCE
#include <upa/region.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "region/backend.h"
#include "region/slots.h"

/* Nanoseconds. Between looks, twice as long after each that had nothing to do or no processor. */
#define LEAST_PAUSE 1000000ull
#define MOST_PAUSE 64000000ull

/* So much longer than it took on a processor has the clearing of a child taken, if another wanted that one. */
#define WAITED 200000ull

#define SECOND 1000000000ull

static uint64_t clock_of(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* How many free children read zero; counts up to `most`. */
static uint64_t supply(const struct upa_region *r, uint64_t most)
{
	uint64_t touched = upa_llfree_touched_children(&r->llfree);
	uint64_t n = 0;

	for (uint64_t c = 0; c < touched && n < most; c++)
		n += whole_child(r, c, 1u << UPA_ZEROED);
	return n;
}

/* Clears what is missing. False if there is nothing to do, or no processor for it. */
static bool work(struct upa_region *r)
{
	uint64_t wanted = atomic_load_explicit(&r->clear_ahead.children, memory_order_relaxed);
	bool any = false;

	for (uint64_t n = supply(r, wanted); n < wanted; n++) {
		uint64_t started = clock_of(CLOCK_MONOTONIC);
		uint64_t used = clock_of(CLOCK_THREAD_CPUTIME_ID);

		if (upa_region_clear(r, CHILD_BYTES) <= 0)
			return any;
		used = clock_of(CLOCK_THREAD_CPUTIME_ID) - used;
		if (clock_of(CLOCK_MONOTONIC) - started > used + WAITED)
			return false;
		any = true;
		if (atomic_load_explicit(&r->clear_ahead.children, memory_order_relaxed) < wanted)
			break;
	}
	return any;
}

/* Sleeps, or until the thread is to end, which is true. */
static bool ends(struct clear_ahead *a, uint64_t pause)
{
	uint64_t until = clock_of(CLOCK_MONOTONIC) + pause;
	struct timespec t = { .tv_sec = (time_t)(until / SECOND), .tv_nsec = (long)(until % SECOND) };
	bool result;

	pthread_mutex_lock(&a->lock);
	while (!a->ends && !pthread_cond_timedwait(&a->wake, &a->lock, &t))
		;
	result = a->ends;
	pthread_mutex_unlock(&a->lock);
	return result;
}

static void *run(void *region)
{
	struct upa_region *r = region;
	uint64_t pause = LEAST_PAUSE;

	/* A kernel that refuses would run it beside the program's own threads. */
	if (sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){ 0 }))
		return NULL;
	while (!ends(&r->clear_ahead, pause))
		pause = work(r) ? LEAST_PAUSE : pause < MOST_PAUSE ? 2 * pause : pause;
	return NULL;
}

static void stop(struct upa_region *r)
{
	struct clear_ahead *a = &r->clear_ahead;

	a->stop = NULL;
	/* In a child of a fork there is no such thread, and its lock may be held for good. */
	if (a->process != getpid())
		return;
	pthread_mutex_lock(&a->lock);
	a->ends = true;
	pthread_cond_signal(&a->wake);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_cond_destroy(&a->wake);
	pthread_mutex_destroy(&a->lock);
}

static int start(struct upa_region *r)
{
	struct clear_ahead *a = &r->clear_ahead;
	pthread_condattr_t monotonic;
	sigset_t all, before;
	int error;

	a->ends = false;
	a->process = getpid();
	pthread_mutex_init(&a->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&a->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	/* The program's signals are for the program's threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&a->thread, NULL, run, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return -error;
	a->stop = stop;
	return 0;
}

int upa_region_clear_ahead(struct upa_region *r, uint64_t bytes)
{
	struct clear_ahead *a = &r->clear_ahead;
	cpu_set_t usable;

	if (!r->backend->clear_child)
		return -EINVAL;
	if (bytes && !sched_getaffinity(0, sizeof(usable), &usable) && CPU_COUNT(&usable) == 1)
		return -EOPNOTSUPP;
	if (a->stop && a->process != getpid())
		a->stop(r);
	atomic_store_explicit(&a->children, bytes / CHILD_BYTES, memory_order_relaxed);
	if (bytes < CHILD_BYTES) {
		if (a->stop)
			a->stop(r);
		return 0;
	}
	return a->stop ? 0 : start(r);
}
