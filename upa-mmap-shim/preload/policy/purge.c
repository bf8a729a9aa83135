/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/purge.h"

#include <string.h>

/*
 * If faulting in a huge page takes longer than half of what its pages' faults would (where memory is short of them,
 * or a host has to find them), no more for a while.
 */
#define HUGE_NS 350000
#define HUGE_PAUSE 1000
#define HUGE_TRIAL 16

/*
 * Where resident memory exceeds its bound, fewer units are to be hot, else slowly more. Only what is being purged can
 * be given to the kernel, so that room for the hottest has to be kept by not leaving the others.
 */
static void adapt(struct purge *p, int64_t peak, int64_t excess, int64_t bytes)
{
	int64_t hot = atomic_load_explicit(&p->hot_bytes, memory_order_relaxed);

	hot += excess > 0 ? -excess / 5 : (bytes < -excess ? bytes : -excess) / 200;
	/* Never less than half: another use of memory may have taken its place. */
	hot = hot > peak / 2 ? hot : peak / 2;
	hot = hot < 2 * peak ? hot : 2 * peak;
	atomic_store_explicit(&p->hot_bytes, hot, memory_order_relaxed);
}

static void look(struct purge *p, uint32_t now)
{
	int64_t hot = atomic_load_explicit(&p->hot_bytes, memory_order_relaxed);

	if (atomic_flag_test_and_set(&p->looking))
		return;
	if (heat_look_due(&p->heat, now))
		heat_look(&p->heat, now, p->hooks->peak(), hot, p->hooks->in_use);
	atomic_flag_clear(&p->looking);
}

bool purge_choose(struct purge *p, struct purge_choice *out, uintptr_t from, uintptr_t to)
{
	uint32_t now = (uint32_t)p->hooks->now();
	uintptr_t first = from >> HEAT_UNIT_SHIFT;
	int64_t bytes = (int64_t)(to - from);
	int64_t excess, peak;
	bool any = false;

	memset(out, 0, sizeof(*out));
	heat_pass(&p->heat, to - from);
	look(p, now);
	excess = p->hooks->excess(heat_idle_bytes(&p->heat), bytes);
	peak = p->hooks->peak();
	adapt(p, peak, excess, bytes);
	for (uintptr_t i = ((to - 1) >> HEAT_UNIT_SHIFT) - first + 1; i--;) {
		if (heat_up(&p->heat, (uint32_t)(first + i), now, peak) && excess <= 0) {
			uintptr_t start = (first + i) << HEAT_UNIT_SHIFT, end = start + HEAT_UNIT_BYTES;

			out->hot[i / 64] |= 1ull << i % 64;
			/* Other threads' purges count it before it is cleared. */
			heat_mark(&p->heat, start > from ? start : from, end < to ? end : to, true);
			any = true;
		} else {
			excess -= HEAT_UNIT_BYTES;
		}
	}
	return any;
}

struct purge_stretch purge_next(struct purge *p, const struct purge_choice *choice, uintptr_t from, uintptr_t to,
				uintptr_t at)
{
	uintptr_t first = from >> HEAT_UNIT_SHIFT;
	uintptr_t i = (at >> HEAT_UNIT_SHIFT) - first;
	struct purge_stretch s = { .from = at, .to = at, .hot = choice->hot[i / 64] >> i % 64 & 1 };

	for (; s.to < to && (choice->hot[i / 64] >> i % 64 & 1) == s.hot; i++)
		s.to = (first + i + 1) << HEAT_UNIT_SHIFT;
	s.to = s.to < to ? s.to : to;
	heat_mark(&p->heat, s.from, s.to, s.hot);
	return s;
}

void purge_decline(struct purge *p, uintptr_t from, uintptr_t to)
{
	heat_mark(&p->heat, from, to, false);
}

void purge_after_fork(struct purge *p)
{
	atomic_flag_clear(&p->looking);
}

bool purge_huge_allowed(const struct purge *p, uint32_t now)
{
	return (int32_t)(now - atomic_load_explicit(&p->huge_not_before, memory_order_relaxed)) >= 0;
}

bool purge_huge_helps(struct purge *p, uint32_t number)
{
	struct heat_unit *u = heat_unit(&p->heat, number);

	return atomic_load_explicit(&u->huge, memory_order_relaxed) != number &&
	       atomic_load_explicit(&u->heat, memory_order_relaxed) > HEAT_ONE;
}

bool purge_huge_made(struct purge *p, uint32_t number)
{
	atomic_store_explicit(&heat_unit(&p->heat, number)->huge, number, memory_order_relaxed);
	return atomic_fetch_add_explicit(&p->huge_made, 1, memory_order_relaxed) % HUGE_TRIAL == 0;
}

void purge_huge_took(struct purge *p, uint32_t now, uint64_t nanoseconds)
{
	if (nanoseconds > HUGE_NS)
		atomic_store_explicit(&p->huge_not_before, now + HUGE_PAUSE, memory_order_relaxed);
}
