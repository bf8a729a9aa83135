/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/heat.h"

#define MOST_HEAT (UINT32_MAX / 2)

/* Whether a quarter of a unit is in use is asked of one page for so many. */
#define QUARTER_PAGES (HEAT_PAGES / 4)
#define ASKED_PAGES 16u

/* Of a unit. */
struct pages {
	uint32_t from, to;
};

static const struct pages whole_unit = { 0, HEAT_PAGES };

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

static _Atomic uint64_t *idle_word(struct heat *h, const struct heat_unit *u, uint32_t page)
{
	return &h->idle[u - h->units][page / 64];
}

static void set_idle(struct heat *h, struct heat_unit *u, struct pages range, bool idle)
{
	int64_t changed = 0;

	for (uint32_t page = range.from, next; page < range.to; page = next) {
		_Atomic uint64_t *word = idle_word(h, u, page);
		uint64_t pages = UINT64_MAX << page % 64;
		uint64_t was = atomic_load_explicit(word, memory_order_relaxed);

		next = (page | 63) + 1;
		if (next > range.to)
			pages &= UINT64_MAX >> (next - range.to);
		/* Mostly nothing changes, and other threads read it. */
		if ((was & pages) == (idle ? pages : 0))
			continue;
		was = idle ? atomic_fetch_or_explicit(word, pages, memory_order_relaxed) :
			     atomic_fetch_and_explicit(word, ~pages, memory_order_relaxed);
		changed += __builtin_popcountll(pages & (idle ? ~was : was));
	}
	if (changed)
		atomic_fetch_add_explicit(&h->idle_bytes, (idle ? changed : -changed) * (int64_t)HEAT_PAGE_BYTES,
					  memory_order_relaxed);
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
		set_idle(h, u, whole_unit, false);
	set(&u->number, number);
	set(&u->heat, heat < MOST_HEAT ? heat + HEAT_ONE : heat);
	set(&u->clock, clock);
	set(&u->purged_at, now);
	return heat && heat + HEAT_ONE >= get(&h->least) && since <= HEAT_AGAIN;
}

/* The pages of a unit that lie wholly in a range. */
static struct pages pages_in(uintptr_t number, uintptr_t from, uintptr_t to)
{
	uintptr_t start = number << HEAT_UNIT_SHIFT;
	struct pages in = whole_unit;

	if (from > start)
		in.from = (uint32_t)((from - start + HEAT_PAGE_BYTES - 1) / HEAT_PAGE_BYTES);
	if (to < start + HEAT_UNIT_BYTES)
		in.to = (uint32_t)((to - start) / HEAT_PAGE_BYTES);
	return in;
}

void heat_mark(struct heat *h, uintptr_t from, uintptr_t to, bool idle)
{
	for (uintptr_t number = from >> HEAT_UNIT_SHIFT; number <= (to - 1) >> HEAT_UNIT_SHIFT; number++) {
		struct heat_unit *u = heat_unit(h, (uint32_t)number);

		if (get(&u->number) == (uint32_t)number)
			set_idle(h, u, pages_in(number, from, to), idle);
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
		uintptr_t number = get(&h->units[i].number), start = number << HEAT_UNIT_SHIFT;

		if (number && start < to && start + HEAT_UNIT_BYTES > from)
			set_idle(h, &h->units[i], pages_in(number, from, to), false);
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

/* The first idle page in a range of a unit; its end if there is none. */
static uint32_t first_idle(struct heat *h, const struct heat_unit *u, struct pages range)
{
	for (uint32_t page = range.from; page < range.to; page = (page | 63) + 1) {
		uint64_t idle = atomic_load_explicit(idle_word(h, u, page), memory_order_relaxed) >> page % 64;

		if (idle)
			return page + (uint32_t)__builtin_ctzll(idle);
	}
	return range.to;
}

/* Memory is used from its start on, mostly: what follows pages that are not in use is not asked about. */
static void find_use(struct heat *h, struct heat_unit *u, bool (*in_use)(uintptr_t page))
{
	uintptr_t start = (uintptr_t)get(&u->number) << HEAT_UNIT_SHIFT;

	for (struct pages q = { 0, QUARTER_PAGES }; q.to <= HEAT_PAGES; q.from = q.to, q.to += QUARTER_PAGES) {
		while ((q.from = first_idle(h, u, q)) < q.to) {
			uint32_t next = (q.from | (ASKED_PAGES - 1)) + 1;

			h->asked++;
			if (!in_use(start + (uintptr_t)q.from * HEAT_PAGE_BYTES))
				break;
			set_idle(h, u, (struct pages){ q.from, next }, false);
			q.from = next;
		}
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
		if (get(&h->units[i].number))
			find_use(h, &h->units[i], in_use);
	set(&h->least, heat_of(h, (size_t)(hot_bytes / (int64_t)HEAT_UNIT_BYTES), peak));
	h->looked_at = now;
}
