/* SPDX-License-Identifier: Apache-2.0 */
/* What libupa_malloc.so says of its heaps by glibc's names, and what it lets be set. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>

#include "heaps.h"
#include "os/message.h"

EXPORT int malloc_trim(size_t pad)
{
	int trimmed = 0;

	for (unsigned i = 0; i < heap_count; i++)
		if (heaps[i].space)
			trimmed |= mspace_trim(heaps[i].space, pad);
	heaps_refused();
	return trimmed;
}

/* Of one heap as glibc has it: what is mapped apart is not in use in the heap. */
static struct mallinfo2 info_of(mspace space)
{
	struct mallinfo2 m = mspace_mallinfo(space);

	m.uordblks -= m.hblkhd;
	/* dlmalloc does not count them: one stands for all. */
	m.hblks = m.hblkhd ? 1 : 0;
	heaps_refused();
	return m;
}

EXPORT struct mallinfo2 mallinfo2(void)
{
	struct mallinfo2 sum = { 0 };

	for (unsigned i = 0; i < heap_count; i++) {
		struct mallinfo2 one;

		if (!heaps[i].space)
			continue;
		one = info_of(heaps[i].space);
		sum.arena += one.arena;
		sum.ordblks += one.ordblks;
		sum.hblks += one.hblks;
		sum.hblkhd += one.hblkhd;
		sum.usmblks += one.usmblks;
		sum.uordblks += one.uordblks;
		sum.fordblks += one.fordblks;
		sum.keepcost += one.keepcost;
	}
	return sum;
}

/* As far as its numbers go. */
EXPORT struct mallinfo mallinfo(void)
{
	struct mallinfo2 m = mallinfo2();

	return (struct mallinfo){
		.arena = (int)m.arena,
		.ordblks = (int)m.ordblks,
		.hblks = (int)m.hblks,
		.hblkhd = (int)m.hblkhd,
		.usmblks = (int)m.usmblks,
		.uordblks = (int)m.uordblks,
		.fordblks = (int)m.fordblks,
		.keepcost = (int)m.keepcost,
	};
}

static void figure(struct message *m, const char *name, uint64_t bytes)
{
	message_pad(m, name, 17);
	message_text(m, "= ");
	message_number(m, bytes, 10);
	message_text(m, "\n");
}

static void figures(struct message *m, const struct mallinfo2 *info)
{
	figure(m, "system bytes", info->arena);
	figure(m, "in use bytes", info->uordblks);
}

EXPORT void malloc_stats(void)
{
	struct mallinfo2 sum = mallinfo2();
	struct message m = { .length = 0 };

	for (unsigned i = 0; i < heap_count; i++) {
		struct mallinfo2 one;

		if (!heaps[i].space)
			continue;
		one = info_of(heaps[i].space);
		message_text(&m, "Arena ");
		message_number(&m, i, 0);
		message_text(&m, ":\n");
		figures(&m, &one);
	}
	sum.arena += sum.hblkhd;
	sum.uordblks += sum.hblkhd;
	message_text(&m, "Total (incl. mmap):\n");
	figures(&m, &sum);
	figure(&m, "max system bytes", sum.usmblks);
	/* What there is now: dlmalloc notes no peak of it. */
	figure(&m, "max mmap bytes", sum.hblkhd);
	message_send(&m, 2);
}

/* Only what an XML reader of glibc's looks for. */
EXPORT int malloc_info(int options, FILE *out)
{
	struct mallinfo2 sum;

	if (options) {
		errno = EINVAL;
		return -1;
	}
	fputs("<malloc version=\"1\">\n", out);
	for (unsigned i = 0; i < heap_count; i++) {
		struct mallinfo2 one;

		if (!heaps[i].space)
			continue;
		one = info_of(heaps[i].space);
		fprintf(out, "<heap nr=\"%u\">\n<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n", i, one.ordblks,
			one.fordblks);
		fprintf(out, "<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n</heap>\n",
			one.arena, one.usmblks);
	}
	sum = mallinfo2();
	fprintf(out, "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n", sum.ordblks, sum.fordblks);
	fprintf(out, "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n", sum.hblks, sum.hblkhd);
	fprintf(out, "<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n</malloc>\n",
		sum.arena, sum.usmblks);
	return 0;
}

/*
 * Of glibc's parameters, those that dlmalloc has too, and the number of heaps; the others are taken and change
 * nothing.
 */
EXPORT int mallopt(int parameter, int value)
{
	switch (parameter) {
	case M_TRIM_THRESHOLD:
	case M_MMAP_THRESHOLD:
		/* dlmalloc has the same numbers; -1 is: never. */
		return mspace_mallopt(parameter, value);
	case M_ARENA_MAX:
		if (value > 0 && !space_lock(&heaps_starting)) {
			heap_count = (unsigned)value < MOST_SPACES ? (unsigned)value : MOST_SPACES;
			space_unlock(&heaps_starting);
		}
		heaps_refused();
		return value > 0;
	default: return 1;
	}
}
