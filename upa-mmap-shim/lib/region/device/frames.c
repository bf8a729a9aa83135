/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of page frames: what is free in it, and its size. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <time.h>

#include "os/os.h"
#include "region/device/frame_words.h"

/* False only for a signal handler whose thread is at it already. Nobody holds it for longer than the module takes. */
static bool lock_pool(struct device_region *d)
{
	int self = (int)os_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
	int holder = 0;

	while (!atomic_compare_exchange_weak_explicit(&d->resizer, &holder, self, memory_order_acquire,
						      memory_order_relaxed)) {
		struct timespec moment = { .tv_nsec = 20000 };

		if (holder == self)
			return false;
		if (holder)
			os_call(SYS_nanosleep, (long)&moment, 0, 0, 0, 0, 0);
		holder = 0;
	}
	return true;
}

static void unlock_pool(struct device_region *d)
{
	atomic_store_explicit(&d->resizer, 0, memory_order_release);
}

static uint64_t pool_frames(const struct device_region *d)
{
	return atomic_load_explicit(&d->pool, memory_order_relaxed);
}

/* Needs the lock. */
static bool resize_pool(struct device_region *d, uint64_t frames)
{
	struct upadev_resize request = { .frames = frames };

	UPA_ASSERT(atomic_load(&d->resizer) == (int)os_call(SYS_gettid, 0, 0, 0, 0, 0, 0));
	UPA_ASSERT(frames <= d->max_frames && frames % UPA_CHILD_PAGES == 0);
	if (upa_device_call(d, UPADEV_RESIZE, &request))
		return false;
	atomic_store_explicit(&d->pool, frames, memory_order_relaxed);
	return true;
}

/* Until so many frames are free; by an eighth at least, to be asked less often. */
static bool grow(struct device_region *d, uint64_t wanted)
{
	uint64_t pool, room, more, need;
	bool done = false;

	if (!lock_pool(d))
		return false;
	if (load(&d->free_frames) >= (int64_t)wanted) {
		unlock_pool(d);
		return true;
	}
	need = wanted - (uint64_t)(load(&d->free_frames) > 0 ? load(&d->free_frames) : 0);
	pool = pool_frames(d);
	room = d->max_frames - pool;
	need = round_up(need, UPA_CHILD_PAGES);
	more = round_up(pool / 8 > need ? pool / 8 : need, UPA_CHILD_PAGES);
	if (more > room)
		more = room;
	if (need <= room && need) {
		done = resize_pool(d, pool + more);
		if (!done && more > need) {
			more = need;
			done = resize_pool(d, pool + more);
		}
	}
	if (done) {
		frames_put(d, frame_at(pool), more, UPA_PUT_ABSENT);
		change(&d->free_frames, (int64_t)more);
	}
	unlock_pool(d);
	return done;
}

/* A shoot-down costs what a hundred pages do: not for fewer than this. */
#define LEAST_SCAVENGE 512u

bool upa_more_frames(struct upa_region *r, uint64_t wanted, bool scavenges)
{
	struct device_region *d = r->device;
	int64_t free = load(&d->free_frames);
	uint64_t missing = wanted - (uint64_t)(free > 0 && free < (int64_t)wanted ? free : 0);
	struct scavenge s = { .want = missing > LEAST_SCAVENGE ? missing : LEAST_SCAVENGE, .from = far_end(r) };

	return (scavenges && load(&d->deferred) > 0 && upa_device_scavenge(r, &s)) || grow(d, wanted);
}

/* Has the module take unused memory, up to about so many frames. Returns how many; *gone are without memory. */
static int64_t reclaim(const struct device_region *d, uint64_t pages, int64_t *gone)
{
	struct upadev_reclaim request = { .pages = pages };

	if (!d->reclaim || upa_device_call(d, UPADEV_RECLAIM, &request))
		request.reclaimed = request.gone = 0;
	*gone = (int64_t)request.gone;
	return (int64_t)request.reclaimed;
}

/* Gives back up to so many free frames from the end of the pool. Needs the lock. Returns how many. */
static uint64_t shrink(struct device_region *d, uint64_t most)
{
	uint64_t before = pool_frames(d);
	uint64_t pool = before;

	while (pool && before - pool + UPA_CHILD_PAGES <= most &&
	       !frames_get_at(d, frame_at(pool - UPA_CHILD_PAGES), UPA_CHILD_PAGES))
		pool -= UPA_CHILD_PAGES;
	if (pool == before)
		return 0;
	if (!resize_pool(d, pool)) {
		frames_put(d, frame_at(pool), before - pool, UPA_PUT_UNTOUCHED);
		return 0;
	}
	change(&d->free_frames, (int64_t)pool - (int64_t)before);
	return before - pool;
}

/* Free pages of memory that are more than so many; what has no memory any more is none. */
static int64_t excess_frames(const struct device_region *d, uint64_t retain, int64_t gone)
{
	return load(&d->free_frames) + load(&d->deferred) - gone -
	       (int64_t)(retain > d->max_frames ? d->max_frames : retain);
}

int64_t upa_device_give_back(struct upa_region *r, uint64_t retain)
{
	struct device_region *d = r->device;
	int64_t excess, gone, still, given;
	uint64_t most, pool;

	reclaim(d, 0, &gone);
	excess = excess_frames(d, retain, gone);
	if (excess <= 0 || !lock_pool(d))
		return 0;
	most = round_up((uint64_t)excess, UPA_CHILD_PAGES);
	pool = pool_frames(d);
	given = (int64_t)shrink(d, most);
	if (!d->reclaim && given < excess && load(&d->deferred) > 0) {
		/* Frames at free pages: where only the end of the pool can go back, those that are there. */
		struct scavenge s = { .want = UINT64_MAX, .from = far_end(r), .least = pool > most ? pool - most : 0 };

		upa_device_scavenge(r, &s);
		given += (int64_t)shrink(d, most - (uint64_t)given);
	}
	unlock_pool(d);
	if (d->reclaim) {
		/* Of those some had no memory any more; others have touched more of such frames meanwhile. */
		reclaim(d, 0, &still);
		gone = gone > still ? gone - still : 0;
		given -= gone < given ? gone : given;
		if (excess > given)
			given += reclaim(d, (uint64_t)(excess - given), &still);
		upa_device_settle(r);
	}
	return given;
}

/* The module cannot know what raw tables still hold. */
int64_t upa_raw_give_back(struct upa_region *r, uint64_t retain)
{
	(void)r, (void)retain;
	return 0;
}

uint64_t upa_retained_frames(const struct upa_region *r, uint64_t recorded)
{
	int64_t gone, kept;

	(void)recorded;
	reclaim(r->device, 0, &gone);
	kept = excess_frames(r->device, 0, gone);
	return kept > 0 ? (uint64_t)kept : 0;
}

uint64_t upa_pool_frames(const struct upa_region *r)
{
	return pool_frames(r->device);
}
