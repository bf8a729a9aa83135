/* SPDX-License-Identifier: Apache-2.0 */
/* Work on free pages ahead of need, child by child: each is taken, worked on and freed, like by any other caller. */
#include <upa/region.h>

#include <errno.h>
#include <time.h>

#include "region/backend.h"
#include "region/slots.h"

/* Takes child c if it is wholly free, in a state of the set. */
static bool take_child(struct upa_region *r, uint64_t c, uint32_t states)
{
	uint64_t first = c * UPA_CHILD_PAGES;

	if (!whole_child(r, c, states) || take_free(r, first, UPA_CHILD_PAGES))
		return false;
	if (states >> upa_llfree_child_state(&r->llfree, first) & 1)
		return true;
	/* Used and freed by somebody between the look and the taking. */
	put_back(r, first, UPA_CHILD_PAGES, UPA_PUT_UNTOUCHED);
	return false;
}

int64_t upa_region_populate(struct upa_region *r, uint64_t bytes)
{
	uint64_t wanted = r->backend->populate ? bytes / CHILD_BYTES : 0;
	uint64_t done = 0;
	int error = 0;

	for (uint64_t c = 0; c < r->llfree.children && done < wanted && !error; c++) {
		if (!take_child(r, c, 1u << UPA_ABSENT))
			continue;
		error = upa_region_reach(r, c * UPA_CHILD_PAGES, UPA_CHILD_PAGES);
		if (!error)
			error = r->backend->populate(r, c * UPA_CHILD_PAGES);
		done += !error;
	}
	if (error && error != -EDQUOT && !done)
		return error;
	return (int64_t)(done * CHILD_BYTES);
}

int64_t upa_region_clear(struct upa_region *r, uint64_t bytes)
{
	uint64_t wanted = r->backend->clear_child ? bytes / CHILD_BYTES : 0;
	uint64_t touched = upa_llfree_touched_children(&r->llfree);
	uint64_t done = 0;

	for (uint64_t c = 0; c < touched && done < wanted; c++) {
		bool cleared;

		if (!take_child(r, c, 1u << UPA_STALE | 1u << UPA_MIXED))
			continue;
		/* A child with absent pages among them stays as it is: clearing would populate those. */
		cleared = r->backend->clear_child(r, c * UPA_CHILD_PAGES);
		put_back(r, c * UPA_CHILD_PAGES, UPA_CHILD_PAGES, cleared ? UPA_PUT_ZEROED : UPA_PUT_UNTOUCHED);
		done += cleared;
	}
	return (int64_t)(done * CHILD_BYTES);
}

/* So many nanoseconds longer than it took on a processor has the clearing of a child taken, if another had that one. */
#define WAITED 200000ll

static int64_t clock_of(clockid_t id)
{
	struct timespec t = { 0 };

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* How many free children read zero; counts up to `most`. */
static uint64_t zeroed_children(const struct upa_region *r, uint64_t most)
{
	uint64_t touched = upa_llfree_touched_children(&r->llfree);
	uint64_t n = 0;

	for (uint64_t c = 0; c < touched && n < most; c++)
		n += whole_child(r, c, 1u << UPA_ZEROED);
	return n;
}

int64_t upa_region_clear_ahead(struct upa_region *r, uint64_t bytes)
{
	uint64_t wanted = bytes / CHILD_BYTES;
	int64_t total = 0;

	for (uint64_t n = zeroed_children(r, wanted); n < wanted; n++) {
		int64_t waited = clock_of(CLOCK_THREAD_CPUTIME_ID) - clock_of(CLOCK_MONOTONIC);
		int64_t cleared = upa_region_clear(r, CHILD_BYTES);

		if (cleared <= 0)
			break;
		waited += clock_of(CLOCK_MONOTONIC) - clock_of(CLOCK_THREAD_CPUTIME_ID);
		if (waited > WAITED)
			return -EAGAIN;
		total += cleared;
	}
	return total;
}
