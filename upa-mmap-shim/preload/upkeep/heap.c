/* SPDX-License-Identifier: Apache-2.0 */
#include "upkeep/heap.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "observe/view_writer.h"
#include "os/clear.h"
#include "os/os.h"
#include "os/page.h"
#include "os/wait.h"
#include "upkeep/ahead.h"
#include "upkeep/retention.h"
#include "upkeep/zero.h"

static void **current;   /* the program's break */
static uintptr_t lowest; /* where the heap ended when we came */
static uintptr_t kernel_break;
static _Atomic bool stopped;

/* Pages known to be resident, since we have written to them. */
static uintptr_t resident_from, resident_to;

/* Pages that the kernel may take (MADV_FREE), behind the break: marked, and not in use since. */
static uintptr_t lazy_from, lazy_to;

/*
 * Who changes the break, libc, whose own lock keeps its threads apart, or who gives back: the address of the thread's
 * `here`; NULL: nobody. One word, for a signal handler may come between any two instructions.
 */
static const char *_Atomic changing;
static _Thread_local const char here __attribute__((tls_model("initial-exec")));

static bool changes_here(void)
{
	return atomic_load_explicit(&changing, memory_order_relaxed) == &here;
}

static uintptr_t up(uintptr_t address)
{
	return (address + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}

static uintptr_t kernel_brk(uintptr_t address)
{
	return (uintptr_t)os_call(SYS_brk, (long)address, 0, 0, 0, 0, 0);
}

void heap_start(void **libc_current)
{
	kernel_break = lowest = kernel_brk(0);
	current = libc_current;
	*current = (void *)kernel_break;
}

static void clear(uintptr_t from, uintptr_t to)
{
	uintptr_t first = from;
	uintptr_t known = resident_to < to ? resident_to : to;

	if (from >= resident_from && from < known) {
		memset((void *)from, 0, known - from);
		first = known;
	}
	if (first == to)
		return;
	first = zero_pages(first, to);
	if (first == known && from >= resident_from) {
		resident_to = to;
	} else {
		resident_from = first;
		resident_to = to;
	}
}

static int refused(void)
{
	errno = ENOMEM;
	return -1;
}

/* As libc does it. */
static int plain(uintptr_t wanted)
{
	if (kernel_break != (uintptr_t)*current)
		kernel_brk((uintptr_t)*current);
	kernel_break = kernel_brk(wanted);
	*current = (void *)kernel_break;
	return kernel_break < wanted ? refused() : 0;
}

/* The break is at `to`. */
static void moved(uintptr_t to)
{
	*current = (void *)to;
	if (lazy_from < lazy_to) {
		lazy_from = lazy_from > up(to) ? lazy_from : up(to);
		lazy_to = lazy_to < kernel_break ? lazy_to : kernel_break;
		if (lazy_from >= lazy_to)
			lazy_from = lazy_to = 0;
		retention_heap_lazy((int64_t)(lazy_to - lazy_from));
	}
	retention_heap((int64_t)(to - lowest), (int64_t)(kernel_break - to));
}

/* Of what is kept, all but the first bytes. */
static int64_t mark(int64_t unmarked)
{
	uintptr_t from = up((uintptr_t)*current + (uintptr_t)unmarked);
	uintptr_t to = kernel_break & ~(PAGE_BYTES - 1);
	bool marked = lazy_from < lazy_to && lazy_to >= to;

	/* What was marked before is not to be marked again; what lies beyond the end is in use by nobody. */
	to = marked && lazy_from < to ? lazy_from : to;
	if (from >= to || os_madvise((void *)from, to - from, MADV_FREE))
		return 0;
	lazy_from = from;
	lazy_to = marked ? lazy_to : to;
	resident_from = resident_to = 0;
	retention_heap_lazy((int64_t)(lazy_to - lazy_from));
	return (int64_t)(to - from);
}

static int64_t keep_at_most(int64_t bytes)
{
	uintptr_t now = (uintptr_t)*current;
	uintptr_t keep = up(now + (uintptr_t)bytes);
	uintptr_t given;

	if (keep >= kernel_break || kernel_brk(keep) != keep)
		return 0;
	given = kernel_break - keep;
	view_add(&view.heap_given_back_bytes, given);
	kernel_break = keep;
	resident_to = resident_to < keep ? resident_to : keep;
	moved(now);
	return (int64_t)given;
}

static int grow(uintptr_t now, uintptr_t wanted, bool zeros)
{
	uintptr_t had = up(kernel_break);

	if (wanted > kernel_break) {
		uintptr_t got = kernel_brk(wanted);

		if (got < wanted)
			return refused();
		kernel_break = wanted;
	}
	if (up(now) < had) {
		uintptr_t end = up(wanted) < had ? up(wanted) : had;

		view_add(&view.heap_reused_bytes, end - up(now));
		if (zeros)
			clear(up(now), end);
		else if (lazy_from < lazy_to && end > lazy_from)
			upa_touch_resident((void *)lazy_from, (end < lazy_to ? end : lazy_to) - lazy_from);
	}
	moved(wanted);
	if (wanted > had) {
		retention_heap_grew((int64_t)(wanted - had));
		ahead_heap(had, up(wanted));
	}
	return 0;
}

static int shrink(uintptr_t wanted)
{
	int64_t allowance, unmarked;

	retention_heap_shrinks();
	moved(wanted);
	allowance = retention_heap_allowance();
	/* By an eighth more, lest every call give back a little. */
	if ((int64_t)(kernel_break - wanted) > allowance + allowance / 8)
		keep_at_most(allowance);
	unmarked = retention_heap_unmarked();
	if ((int64_t)(kernel_break - wanted) - (int64_t)(lazy_to - lazy_from) > unmarked)
		view_add(&view.marked_bytes, (uint64_t)mark(unmarked - unmarked / 4));
	return 0;
}

static int change(uintptr_t wanted, bool zeros)
{
	uintptr_t now = (uintptr_t)*current;

	if (wanted && wanted < lowest)
		stopped = true;
	if (stopped)
		return plain(wanted);
	if (!wanted)
		return 0;
	return wanted > now ? grow(now, wanted, zeros) : shrink(wanted);
}

static void show(void)
{
	view_set(&view.heap_bytes, (uintptr_t)*current - lowest);
	view_set(&view.heap_kept_bytes, kernel_break - (uintptr_t)*current);
	view_set(&view.heap_lazy_bytes, lazy_to - lazy_from);
}

/*
 * A handler calls over a change of its own thread's, or has left one by longjmp(), and nobody else ends it: what it has
 * come to is the kernel's to say. Whoever it was over finds it ended.
 */
static void take_over(void)
{
	kernel_break = kernel_brk(0);
	resident_from = resident_to = 0;
	if (lazy_from < lazy_to) {
		lazy_from = up((uintptr_t)*current);
		lazy_to = kernel_break & ~(PAGE_BYTES - 1);
	}
}

static bool begin_change(void)
{
	const char *who = NULL;

	if (atomic_compare_exchange_strong_explicit(&changing, &who, &here, memory_order_acquire, memory_order_relaxed))
		return true;
	if (who != &here)
		return false;
	take_over();
	return true;
}

static void end_change(void)
{
	const char *who = &here;

	if (!changes_here())
		return;
	/* By another thread meanwhile, or a signal handler. */
	if (stopped)
		keep_at_most(0);
	show();
	atomic_compare_exchange_strong_explicit(&changing, &who, NULL, memory_order_release, memory_order_relaxed);
}

int heap_set(void *address, bool zeros)
{
	int result;

	while (!begin_change())
		os_call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	result = change((uintptr_t)address, zeros);
	end_change();
	return result;
}

struct heap_breaks heap_breaks(void)
{
	return current ? (struct heap_breaks){ (uintptr_t)*current, kernel_break } : (struct heap_breaks){ 0, 0 };
}

/* In such steps, so that nobody who wants to change the break waits long. */
#define STEP ((int64_t)16 << 20)

static int64_t give_back_step(int64_t keep)
{
	int64_t kept, given;

	if (!current || stopped || changes_here() || !begin_change())
		return 0;
	kept = (int64_t)(kernel_break - (uintptr_t)*current);
	given = keep_at_most(kept - keep > STEP ? kept - STEP : keep);
	end_change();
	return given;
}

int64_t heap_give_back(int64_t keep)
{
	int64_t given = 0;
	int64_t step;

	do {
		step = give_back_step(keep);
		given += step;
	} while (step >= STEP);
	return given;
}

int64_t heap_make_lazy(int64_t unmarked)
{
	int64_t marked;

	if (!current || stopped || changes_here() || !begin_change())
		return 0;
	marked = mark(unmarked);
	end_change();
	return marked;
}

void heap_after_fork(void)
{
	atomic_store(&changing, NULL);
}

void heap_uncover(void *address, size_t length)
{
	uintptr_t from = (uintptr_t)address, to = from + (length ? length : 1);

	if (current && from < up(kernel_break) && (to < from || to > up((uintptr_t)*current)) &&
	    up(kernel_break) > up((uintptr_t)*current))
		heap_give_back(0);
}

void heap_disturb(void *address, size_t length, bool only_contents)
{
	uintptr_t from = (uintptr_t)address;

	/* Nearly every range is elsewhere. */
	if (!current || stopped || from >= up(kernel_break) || from + length <= lowest)
		return;
	heap_uncover(address, length);
	if (from >= up(kernel_break))
		return;
	if (only_contents) {
		resident_from = resident_to = 0;
	} else {
		heap_give_back(0);
		stopped = true;
	}
}

long heap_by_number(uintptr_t wanted)
{
	heap_give_back(0);
	/* Of what the program does behind libc's back, libc knows nothing, and neither do we. */
	if (wanted)
		stopped = true;
	return (long)kernel_brk(wanted);
}

void heap_stop(void)
{
	stopped = true;
	/* Who changes the break just now sees that, and gives back at its end. */
	if (!current || changes_here())
		return;
	for (int i = 0; !begin_change(); i++) {
		if (i == OS_WAIT_LOOKS)
			return;
		os_wait(i);
	}
	end_change();
}
