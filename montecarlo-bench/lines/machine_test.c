/* SPDX-License-Identifier: Apache-2.0 */
/* machine_test.c - the model itself, on words whose transfers can be counted by hand. */
#include "machine.h"

#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "record.h"

#define CHANGES 100u

static const struct costs costs = { .read_own = 1,
				    .change_own = 5,
				    .near = 50,
				    .far = 130,
				    .memory = 90,
				    .socket_cores = 4 };

static struct {
	_Alignas(64) _Atomic unsigned shared;
	_Alignas(64) struct {
		_Alignas(64) _Atomic unsigned word;
	} own[8];
	_Alignas(64) _Atomic unsigned neighbours[8];
	_Alignas(64) char end;
} memory;

static struct part parts[] = { { .name = "shared", .begin = &memory.shared },
			       { .name = "own", .begin = memory.own },
			       { .name = "neighbours", .begin = memory.neighbours } };

static void change(_Atomic unsigned *word)
{
	atomic_fetch_add_explicit(word, 1, memory_order_relaxed);
}

/* Warms up with one change of what `word` says, counts CHANGES of them, and goes on until all have. */
static void changes(_Atomic unsigned *word)
{
	unsigned counted = 0;

	change(word);
	machine_is_warm();
	while (machine_stage() != OVER) {
		change(word);
		counted += machine_stage() == COUNTING;
		if (counted == CHANGES)
			machine_end();
	}
}

static void change_shared(unsigned core)
{
	(void)core;
	changes(&memory.shared);
}

static void change_own(unsigned core)
{
	changes(&memory.own[core].word);
}

static void change_neighbours(unsigned core)
{
	changes(&memory.neighbours[core]);
}

static void read_shared(unsigned core)
{
	unsigned counted = 0;

	(void)core;
	atomic_load_explicit(&memory.shared, memory_order_relaxed);
	machine_is_warm();
	while (machine_stage() != OVER) {
		atomic_load_explicit(&memory.shared, memory_order_relaxed);
		counted += machine_stage() == COUNTING;
		if (counted == CHANGES)
			machine_end();
	}
}

static double run(unsigned cores, void (*body)(unsigned core))
{
	machine_watch(parts, 3, &memory, &memory.end, &costs);
	return machine_run(cores, body);
}

static void expect(double ns, double least, double most)
{
	CHECK(ns >= least && ns <= most, "ns=%f least=%f most=%f", ns, least, most);
}

int main(void)
{
	double ns;

	/* Alone, or each on a line of its own: what a change costs in one's own cache. */
	expect(run(1, change_shared), CHANGES * 5, CHANGES * 5);
	expect(run(8, change_own), CHANGES * 5, CHANGES * 5 + 100);
	CHECK(parts[1].transfers == 0, "transfers=%llu", (unsigned long long)parts[1].transfers);
	/* All on one: the line goes round, and one socket's cores are nearer. Each change is a transfer. */
	ns = run(4, change_shared);
	expect(ns, 4 * (CHANGES - 1) * 50, 4 * (CHANGES + 1) * 50);
	expect((double)parts[0].transfers, 4 * (CHANGES - 1), 4 * (CHANGES + 1));
	CHECK(parts[0].waited > ns, "waited=%f", parts[0].waited);
	expect(run(8, change_shared), 8 * (CHANGES - 1) * 50, 8 * (CHANGES + 1) * 130);
	CHECK(run(8, change_shared) > 2 * ns, "two sockets");
	CHECK(atomic_load(&memory.shared) > 4 * CHANGES, "changes that have not been made");
	/* Words of one line are as one word. */
	CHECK(fabs(run(4, change_neighbours) - ns) < 4 * 50, "a line with several words");
	CHECK(parts[2].transfers > 4 * (CHANGES - 1) && parts[0].transfers == 0, "another part counted");
	/* But not where they are taken to be apart. */
	parts[2].apart = true;
	expect(run(4, change_neighbours), CHANGES * 5, CHANGES * 5 + 100);
	CHECK(parts[2].transfers == 0, "transfers=%llu", (unsigned long long)parts[2].transfers);
	parts[2].apart = false;
	/* Readers share it. */
	expect(run(8, read_shared), CHANGES * 1, CHANGES * 1 + 200);
	CHECK(parts[0].transfers == 0, "transfers=%llu", (unsigned long long)parts[0].transfers);
	/* The same again is the same. */
	CHECK(run(4, change_shared) == ns, "not reproducible");
	return 0;
}
