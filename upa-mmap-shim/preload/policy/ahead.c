/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/ahead.h"

#include <stddef.h>

_Static_assert(AHEAD_LEAST_PAGES << (AHEAD_CLASSES - 1) == AHEAD_MOST_PAGES, "a class for each power of two");

static struct ahead_class *class_of(struct ahead *a, uint64_t pages)
{
	if (pages < AHEAD_LEAST_PAGES || pages > AHEAD_MOST_PAGES)
		return NULL;
	return &a->classes[63 - __builtin_clzll(pages / AHEAD_LEAST_PAGES)];
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* What may be populated of a block: where it ends, the program's own use shows. */
static uint32_t most_of(uint32_t pages)
{
	return pages - pages / 8;
}

static void judge(struct ahead_class *c, const struct ahead_hooks *hooks)
{
	uint32_t looked = (uint32_t)least(c->pages / 16, AHEAD_WINDOW);
	uint32_t middle = c->pages / 2;
	uint32_t enough = looked - looked / 16;
	int near_end = hooks->resident(c->first + most_of(c->pages), looked);
	int in_middle = c->populated > middle ? (int)looked : hooks->resident(c->first + middle, looked);

	if (near_end < 0 || in_middle < 0)
		return;
	c->credit = (uint32_t)near_end >= enough && (uint32_t)in_middle >= enough ? c->credit + c->pages : 0;
}

uint32_t ahead_of(struct ahead *a, const struct ahead_hooks *hooks, uint64_t first, uint64_t pages)
{
	struct ahead_class *c = class_of(a, pages);
	uint64_t n;

	if (!c)
		return 0;
	if (c->pages)
		judge(c, hooks);
	c->first = first;
	c->pages = (uint32_t)pages;
	n = least(least(most_of(c->pages), AHEAD_AT_ONCE), c->credit / AHEAD_SHARE);
	if (n >= AHEAD_WORTH)
		n = least(n, hooks->spare());
	c->populated = n >= AHEAD_WORTH ? (uint32_t)n : 0;
	return c->populated;
}

void ahead_refused(struct ahead *a, uint64_t pages)
{
	struct ahead_class *c = class_of(a, pages);

	if (c)
		c->pages = 0;
}
