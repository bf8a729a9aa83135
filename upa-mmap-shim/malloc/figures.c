/* SPDX-License-Identifier: Apache-2.0 */
/* What libupa_malloc.so says of its heaps by glibc's names, and what it lets be set. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "chunks.h"
#include "heaps.h"
#include "os/message.h"
#include "os/os.h"
#include "upkeep/trim_threshold.h"

struct trim {
	size_t pad;
	struct heap *heap;
	int trimmed;
};

/* Pages of a free chunk. Its heap's lock is held: nothing here may be another library's. */
static void drop_pages(void *from, void *to, size_t used, void *with)
{
	struct trim *trim = with;
	bool is_top = chunk_ends_heap(to);
	size_t pad = is_top ? trim->pad : 0;
	uintptr_t first = round_up((uintptr_t)from, PAGE_BYTES);
	uintptr_t end = (uintptr_t)to & ~(PAGE_BYTES - 1);

	if (used || first >= end || end - first <= pad)
		return;
	/* There is always a top: who trims as long as something is trimmed shall come to an end. */
	if (!os_madvise((void *)(first + pad), end - first - pad, MADV_DONTNEED) &&
	    (!is_top || first != trim->heap->trimmed_top))
		trim->trimmed = 1;
	if (is_top)
		trim->heap->trimmed_top = first;
}

/* Also from between what is in use. */
EXPORT int malloc_trim(size_t pad)
{
	struct trim trim = { .pad = round_up(pad, PAGE_BYTES) };

	if (trim.pad < pad)
		trim.pad = pad;
	for (unsigned i = 0; i < heaps_made; i++) {
		if (!heaps[i].space)
			continue;
		trim.heap = &heaps[i];
		trim.trimmed |= mspace_trim(heaps[i].space, pad);
		mspace_inspect_all(heaps[i].space, drop_pages, &trim);
	}
	heaps_refused();
	return trim.trimmed;
}

/* Of one heap as glibc has it: what is mapped apart is not in use in the heap. */
static struct mallinfo2 info_of(mspace space)
{
	struct mallinfo2 m = mspace_mallinfo(space);

	m.uordblks -= m.hblkhd;
	heaps_refused();
	return m;
}

static struct mallinfo2 info_of_all(void)
{
	struct mallinfo2 sum = {
		.hblks = atomic_load(&space_blocks.count),
		.hblkhd = atomic_load(&space_blocks.bytes),
	};

	for (unsigned i = 0; i < heaps_made; i++) {
		struct mallinfo2 one;

		if (!heaps[i].space)
			continue;
		one = info_of(heaps[i].space);
		sum.arena += one.arena;
		sum.ordblks += one.ordblks;
		sum.usmblks += one.usmblks;
		sum.uordblks += one.uordblks;
		sum.fordblks += one.fordblks;
		sum.keepcost += one.keepcost;
	}
	return sum;
}

EXPORT struct mallinfo2 mallinfo2(void)
{
	struct mallinfo2 m = info_of_all();

	/* Of no use any more. */
	m.usmblks = 0;
	return m;
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
	struct mallinfo2 sum = info_of_all();
	struct message m = { .length = 0 };

	for (unsigned i = 0; i < heaps_made; i++) {
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
	figure(&m, "max mmap regions", atomic_load(&space_blocks.most_count));
	figure(&m, "max mmap bytes", atomic_load(&space_blocks.most_bytes));
	message_send(&m, 2);
}

/* Only what an XML reader of glibc's looks for. */
EXPORT int malloc_info(int options, FILE *out)
{
	struct mallinfo2 sum;

	/* The manual says -1 and errno, glibc returns the error. */
	if (options) {
		errno = EINVAL;
		return EINVAL;
	}
	fputs("<malloc version=\"1\">\n", out);
	for (unsigned i = 0; i < heaps_made; i++) {
		struct mallinfo2 one;

		if (!heaps[i].space)
			continue;
		one = info_of(heaps[i].space);
		fprintf(out, "<heap nr=\"%u\">\n<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n", i, one.ordblks,
			one.fordblks);
		fprintf(out, "<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n</heap>\n",
			one.arena, one.usmblks);
	}
	sum = info_of_all();
	fprintf(out, "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n", sum.ordblks, sum.fordblks);
	fprintf(out, "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n", sum.hblks, sum.hblkhd);
	fprintf(out, "<system type=\"current\" size=\"%zu\"/>\n<system type=\"max\" size=\"%zu\"/>\n</malloc>\n",
		sum.arena, sum.usmblks);
	return 0;
}

/*
 * Of glibc's parameters, those that dlmalloc has too, the number of heaps and of mappings, and what memory is filled
 * with; the others are taken and change nothing. Whatever is not known is taken.
 */
static int set(int parameter, int value)
{
	switch (parameter) {
	case M_TRIM_THRESHOLD:
	case M_MMAP_THRESHOLD:
		/* dlmalloc has the same numbers; -1 is: never. */
		return mspace_mallopt(parameter, value);
	case M_MMAP_MAX: space_blocks.may_be = (size_t)value; return 1;
	case M_PERTURB: heaps_fill = (unsigned char)value; return 1;
	case M_MXFAST:
		/* Fast bins are there for blocks of up to so many bytes. */
		return value >= 0 && (size_t)value <= 80 * sizeof(size_t) / 4;
	case M_ARENA_MAX:
		if (!space_lock(&heaps_starting)) {
			/* 0: as many as there are without a word, which the next thread finds out. */
			heap_count = (unsigned)value > MOST_SPACES ? MOST_SPACES : (unsigned)value;
			space_unlock(&heaps_starting);
		}
		heaps_refused();
		return 1;
	default: return 1;
	}
}

EXPORT int mallopt(int parameter, int value)
{
	return set(parameter, value);
}

void heaps_set_by_environment(void)
{
	static const struct {
		int parameter;
		const char *tunable, *variable;
	} all[] = {
		{ M_TRIM_THRESHOLD, "glibc.malloc.trim_threshold", "MALLOC_TRIM_THRESHOLD_" },
		{ M_MMAP_THRESHOLD, "glibc.malloc.mmap_threshold", "MALLOC_MMAP_THRESHOLD_" },
		{ M_MMAP_MAX, "glibc.malloc.mmap_max", "MALLOC_MMAP_MAX_" },
		{ M_PERTURB, "glibc.malloc.perturb", "MALLOC_PERTURB_" },
		{ M_ARENA_MAX, "glibc.malloc.arena_max", "MALLOC_ARENA_MAX" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		int64_t value = malloc_setting_in(environ, all[i].tunable, all[i].variable);

		if (value >= 0)
			set(all[i].parameter, value > INT_MAX ? INT_MAX : (int)value);
	}
}
