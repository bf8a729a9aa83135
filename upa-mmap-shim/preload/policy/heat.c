/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/heat.h"

#define MOST_HEAT (UINT32_MAX / 2)

static uint32_t get(const _Atomic uint32_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static void set(_Atomic uint32_t *p, uint32_t n)
{
	atomic_store_explicit(p, n, memory_order_relaxed);
}

static uint32_t clock_now(const struct heat *h)
{
	return (uint32_t)(atomic_load_explicit(&h->purged_bytes, memory_order_relaxed) >> 20);
}

/* In MiB, as the clock. */
static uint32_t half_life(int64_t peak)
{
	return (uint32_t)(peak * HEAT_HALF_LIFE >> 20) + 1;
}

static uint32_t heat_at(const struct heat_unit *u, uint32_t clock, uint32_t half)
{
	uint32_t age = clock - get(&u->clock);
	uint32_t heat = age / half < 32 ? get(&u->heat) >> age / half : 0;

	/* Between two halvings a straight line will do. */
	return heat - (uint32_t)((uint64_t)heat * (age % half) / (2ull * half));
}

static void set_idle(struct heat *h, struct heat_unit *u, uint32_t parts, bool idle)
{
	uint32_t was = get(&u->idle) & parts;
	int64_t bytes;

	/* Mostly nothing changes, and other threads read it. */
	if (was == (idle ? parts : 0))
		return;
	was = idle ? atomic_fetch_or_explicit(&u->idle, parts, memory_order_relaxed) :
		     atomic_fetch_and_explicit(&u->idle, ~parts, memory_order_relaxed);
	bytes = __builtin_popcount(parts & (idle ? ~was : was)) * (int64_t)HEAT_PART_BYTES;
	atomic_fetch_add_explicit(&h->idle_bytes, idle ? bytes : -bytes, memory_order_relaxed);
}

void heat_pass(struct heat *h, uint64_t bytes)
{
	atomic_fetch_add_explicit(&h->purged_bytes, bytes, memory_order_relaxed);
}

bool heat_up(struct heat *h, uint32_t number, uint32_t now, int64_t peak)
{
	struct heat_unit *u = heat_unit(h, number);
	uint32_t clock = clock_now(h);
	uint32_t heat = 0, since = now - get(&u->purged_at);

	if (get(&u->number) == number)
		heat = heat_at(u, clock, half_life(peak));
	else
		set_idle(h, u, UINT32_MAX, false);
	set(&u->number, number);
	set(&u->heat, heat < MOST_HEAT ? heat + HEAT_ONE : heat);
	set(&u->clock, clock);
	set(&u->purged_at, now);
	return heat && heat + HEAT_ONE >= get(&h->least) && since <= HEAT_AGAIN;
}

/* The parts of a unit that lie wholly in a range. */
static uint32_t parts_in(uintptr_t number, uintptr_t from, uintptr_t to)
{
	uintptr_t start = number << HEAT_UNIT_SHIFT;
	uint64_t first = from > start ? (from - start + HEAT_PART_BYTES - 1) / HEAT_PART_BYTES : 0;
	uint64_t end = to < start + HEAT_UNIT_BYTES ? (to - start) / HEAT_PART_BYTES : HEAT_PARTS;

	return first < end ? (uint32_t)((1ull << end) - (1ull << first)) : 0;
}

void heat_mark(struct heat *h, uintptr_t from, uintptr_t to, bool idle)
{
	for (uintptr_t number = from >> HEAT_UNIT_SHIFT; number <= (to - 1) >> HEAT_UNIT_SHIFT; number++) {
		struct heat_unit *u = heat_unit(h, (uint32_t)number);

		if ((idle || get(&u->idle)) && get(&u->number) == (uint32_t)number)
			set_idle(h, u, parts_in(number, from, to), idle);
	}
}

void heat_forget(struct heat *h, uintptr_t from, uintptr_t to)
{
	if (to <= from || heat_idle_bytes(h) <= 0)
		return;
	if ((to - from) >> HEAT_UNIT_SHIFT < HEAT_UNITS) {
		heat_mark(h, from, to, false);
		return;
	}
	/* As long as a program's mistake makes it: look through what is known, not through the range. */
	for (size_t i = 0; i < HEAT_UNITS; i++) {
		uintptr_t start = (uintptr_t)get(&h->units[i].number) << HEAT_UNIT_SHIFT;

		if (start < to && get(&h->units[i].idle))
			set_idle(h, &h->units[i], parts_in(start >> HEAT_UNIT_SHIFT, from, to), false);
	}
}

int64_t heat_idle_bytes(const struct heat *h)
{
	return atomic_load_explicit(&h->idle_bytes, memory_order_relaxed);
}

bool heat_look_due(const struct heat *h, uint32_t now)
{
	return now - h->looked_at >= HEAT_LOOK_INTERVAL + h->asked / HEAT_ASKED_PER_MS;
}

/* One page speaks for a quarter of a unit. */
static void find_use(struct heat *h, struct heat_unit *u, bool (*in_use)(uintptr_t page))
{
	uintptr_t start = (uintptr_t)get(&u->number) << HEAT_UNIT_SHIFT;

	for (uint32_t quarter = 0xff; get(&u->idle) && quarter; quarter <<= 8) {
		uint32_t idle = get(&u->idle) & quarter;

		h->asked += !!idle;
		if (idle && in_use(start + (uintptr_t)__builtin_ctz(idle) * HEAT_PART_BYTES))
			set_idle(h, u, quarter, false);
	}
}

/* The heat that so many units have, at least. */
static uint32_t heat_of(struct heat *h, size_t wanted, int64_t peak)
{
	uint32_t clock = clock_now(h), half = half_life(peak);
	uint32_t low = 0, high = MOST_HEAT;
	size_t n = 0;

	for (size_t i = 0; i < HEAT_UNITS; i++)
		if (get(&h->units[i].number))
			h->scratch[n++] = heat_at(&h->units[i], clock, half);
	while (n > wanted && high - low > HEAT_ONE / 64) {
		uint32_t middle = low + (high - low) / 2;
		size_t hotter = 0;

		for (size_t i = 0; i < n; i++)
			hotter += h->scratch[i] >= middle;
		if (hotter > wanted)
			low = middle;
		else
			high = middle;
	}
	return n > wanted ? high : 0;
}

void heat_look(struct heat *h, uint32_t now, int64_t peak, int64_t hot_bytes, bool (*in_use)(uintptr_t page))
{
	h->asked = 0;
	for (size_t i = 0; i < HEAT_UNITS; i++)
		find_use(h, &h->units[i], in_use);
	set(&h->least, heat_of(h, (size_t)(hot_bytes / (int64_t)HEAT_UNIT_BYTES), peak));
	h->looked_at = now;
}
