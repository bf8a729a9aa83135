/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "record.h"

#define LINE 64u
#define STACK_BYTES 65536u
#define SHARER_WORDS (CORES_MAX / 64)
#define NOBODY UINT16_MAX

/* Held by one core that may have changed it, or read by several. */
struct line {
	double free_at; /* a line moves to one core after the other */
	uint16_t owner;
	uint64_t sharers[SHARER_WORDS];
};

struct core {
	ucontext_t context;
	double clock;
	jmp_buf at;
	bool begun, done;
	void *stack;
};

static struct part *parts;
static size_t part_count, line_count;
static uintptr_t first;
static struct costs costs;
static struct line *lines;
static struct core cores[CORES_MAX];
static unsigned core_count, running, warm;
static jmp_buf scheduler;
static void (*work)(unsigned core);
static enum stage stage;
static double started, ended;

/* The cores that are not done, the one with the least clock first. */
static unsigned heap[CORES_MAX];
static size_t heap_size;

static void *need(void *memory)
{
	if (!memory) {
		fputs("upa-lines: no memory\n", stderr);
		exit(1);
	}
	return memory;
}

/* Equal clocks: the lower number first, so that a run is reproducible. */
static bool before(unsigned a, unsigned b)
{
	return cores[a].clock != cores[b].clock ? cores[a].clock < cores[b].clock : a < b;
}

static void heap_put(unsigned core)
{
	size_t at = heap_size++;

	for (; at && before(core, heap[(at - 1) / 2]); at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = core;
}

static unsigned heap_take(void)
{
	unsigned least = heap[0], last = heap[--heap_size];
	size_t at = 0, child;

	while ((child = 2 * at + 1) < heap_size) {
		if (child + 1 < heap_size && before(heap[child + 1], heap[child]))
			child++;
		if (before(last, heap[child]))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = last;
	return least;
}

void machine_watch(struct part *its_parts, size_t count, const void *begin, const void *end,
		   const struct costs *its_costs)
{
	size_t all;

	parts = its_parts;
	part_count = count;
	first = (uintptr_t)begin;
	line_count = ((uintptr_t)end - first + LINE - 1) / LINE;
	costs = *its_costs;
	free(lines);
	all = line_count;
	for (size_t i = 0; i < count; i++)
		if (parts[i].apart)
			all = line_count * (1 + LINE / sizeof(uint32_t));
	lines = need(calloc(all, sizeof(*lines)));
	for (size_t i = 0; i < all; i++)
		lines[i].owner = NOBODY;
}

static size_t line_of(uintptr_t address, const struct part *part)
{
	size_t line = (address - first) / LINE;

	/* Behind all lines there are as many for each place in a line. */
	return part->apart ? line + line_count * (1 + (address - first) % LINE / sizeof(uint32_t)) : line;
}

static bool shares(const struct line *l, unsigned core)
{
	return l->sharers[core / 64] >> core % 64 & 1;
}

/* A core that has the line, and is not the one that asks; NOBODY if there is none. */
static unsigned other_holder(const struct line *l, unsigned core)
{
	unsigned found = NOBODY;

	if (l->owner != NOBODY)
		return l->owner == core ? NOBODY : l->owner;
	for (unsigned w = 0; w < SHARER_WORDS; w++) {
		uint64_t word = l->sharers[w];

		if (w == core / 64)
			word &= ~(1ull << core % 64);
		if (!word)
			continue;
		found = w * 64 + (unsigned)__builtin_ctzll(word);
		if (found / costs.socket_cores == core / costs.socket_cores)
			return found;
	}
	return found;
}

static struct part *part_of(uintptr_t address)
{
	size_t i = part_count - 1;

	while (i && (uintptr_t)parts[i].begin > address)
		i--;
	return &parts[i];
}

/* As swapcontext() does it, without its two system calls. */
static void leave(void)
{
	if (!_setjmp(cores[running].at))
		_longjmp(scheduler, 1);
}

static void enter(void)
{
	if (_setjmp(scheduler))
		return;
	if (cores[running].begun)
		_longjmp(cores[running].at, 1);
	cores[running].begun = true;
	setcontext(&cores[running].context);
}

/* Gives way to cores whose clocks are behind. */
static void take_turns(void)
{
	if (heap_size && before(heap[0], running))
		leave();
}

void lines_access(const volatile void *word, enum access kind)
{
	uintptr_t address = (uintptr_t)word;
	struct core *core = &cores[running];
	struct part *part;
	struct line *l;
	unsigned holder;
	double waits, cost;
	bool own;

	if (!core_count || address < first || (address - first) / LINE >= line_count)
		return;
	part = part_of(address);
	l = &lines[line_of(address, part)];
	own = l->owner == running || (kind == READ && shares(l, running));
	holder = own ? running : other_holder(l, running);
	waits = !own && l->free_at > core->clock ? l->free_at - core->clock : 0;
	if (own || (holder == NOBODY && shares(l, running)))
		cost = kind == READ ? costs.read_own : costs.change_own;
	else if (holder == NOBODY)
		cost = costs.memory;
	else
		cost = holder / costs.socket_cores == running / costs.socket_cores ? costs.near : costs.far;
	core->clock += waits + cost;
	/* Copies go out side by side, but for a moment each; who changes it has it alone. */
	if (!own)
		l->free_at = kind == READ ? core->clock - cost + costs.copy : core->clock;
	if (kind == CHANGE) {
		memset(l->sharers, 0, sizeof(l->sharers));
		l->owner = (uint16_t)running;
	} else if (!own) {
		if (l->owner != NOBODY)
			l->sharers[l->owner / 64] |= 1ull << l->owner % 64;
		l->owner = NOBODY;
	}
	l->sharers[running / 64] |= 1ull << running % 64;
	if (stage == COUNTING) {
		part->accesses++;
		part->transfers += !own && holder != NOBODY;
		part->waited += waits;
	}
	/* What it reads or changes is there when the line is. */
	take_turns();
}

void machine_compute(double nanoseconds)
{
	if (!core_count)
		return;
	cores[running].clock += nanoseconds;
	take_turns();
}

void machine_is_warm(void)
{
	if (++warm < core_count)
		return;
	for (size_t i = 0; i < part_count; i++) {
		parts[i].accesses = parts[i].transfers = 0;
		parts[i].waited = 0;
	}
	started = cores[running].clock;
	stage = COUNTING;
}

void machine_end(void)
{
	ended = cores[running].clock;
	stage = OVER;
}

enum stage machine_stage(void)
{
	return stage;
}

static void begin(void)
{
	work(running);
	cores[running].done = true;
	leave();
}

double machine_run(unsigned count, void (*body)(unsigned core))
{
	core_count = count;
	work = body;
	warm = 0;
	stage = WARMING;
	started = ended = 0;
	for (unsigned i = 0; i < count; i++) {
		struct core *core = &cores[i];

		core->clock = 0;
		core->begun = core->done = false;
		if (!core->stack)
			core->stack = need(malloc(STACK_BYTES));
		getcontext(&core->context);
		core->context.uc_stack.ss_sp = core->stack;
		core->context.uc_stack.ss_size = STACK_BYTES;
		core->context.uc_link = NULL;
		makecontext(&core->context, begin, 0);
		heap_put(i);
	}
	while (heap_size) {
		running = heap_take();
		enter();
		if (!cores[running].done)
			heap_put(running);
	}
	core_count = 0;
	return ended - started;
}
