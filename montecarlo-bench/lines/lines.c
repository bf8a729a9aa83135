/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lines.c - upa-lines: the allocator on a machine of up to 1 024 cores, as a model of its cache lines has it.
 *
 *   upa-lines [--apart] [CORES...]      (1 2 4 8 16 32 64 128 256 512 1024)
 *
 * The allocator is the project's own, compiled so that each of its atomic accesses goes through the model (record.h,
 * machine.h). --apart: as if each tree's word had a line of its own. Prints CSV: workload, cores, operations a second
 * in millions, over one core's, transfers of a line for each operation, nanoseconds of an operation spent waiting for a
 * line that others use, and the part of the state where most of that is. An operation is a get or a put. README.md says
 * what the numbers mean. Exit status 1 if an operation has failed, 2 for a wrong command line.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <upa/llfree.h>

#include "machine.h"

/* 64 GiB. */
#define PAGES (16ull << 20)
#define HELD 16u
#define WARM_ROUNDS 12u

/* Like two sockets of 64 cores and more; README.md says where from. */
static const struct costs costs = { .read_own = 1,
				    .change_own = 5,
				    .near = 50,
				    .far = 130,
				    .memory = 90,
				    .socket_cores = 64 };
#define COMPUTE 6 /* nanoseconds of an operation without its accesses */

struct workload {
	const char *name;
	uint64_t pages;   /* of a get */
	bool handed_over; /* what one core gets, the next one puts */
	unsigned filled;  /* percent of all pages that somebody holds throughout, in pieces of eight pages */
};

static const struct workload workloads[] = {
	{ "4 KiB", 1, false, 0 },
	{ "64 KiB", 16, false, 0 },
	{ "2 MiB", UPA_CHILD_PAGES, false, 0 },
	{ "32 MiB", UPA_TREE_PAGES, false, 0 },
	{ "4 KiB put by another", 1, true, 0 },
	{ "64 KiB put by another", 16, true, 0 },
	{ "4 KiB of 95 % full", 1, false, 95 },
};

#define WORKLOADS (sizeof(workloads) / sizeof(*workloads))

static const struct workload *workload;
static struct upa_llfree allocator;
static unsigned cores, rounds;
static bool apart;
static uint64_t operations, failed;

/* What a core has got, to be put by itself or the next one; oldest first. */
static int64_t held[CORES_MAX][HELD];
static unsigned held_first[CORES_MAX], held_count[CORES_MAX];

static void get(unsigned core)
{
	int64_t page = upa_llfree_get_run(&allocator, core, workload->pages, 0);

	machine_compute(COMPUTE);
	operations += machine_stage() == COUNTING;
	if (page < 0) {
		failed++;
		return;
	}
	held[core][(held_first[core] + held_count[core]++) % HELD] = page;
}

static void put(unsigned core, unsigned from)
{
	int64_t page = held[from][held_first[from]];

	held_first[from] = (held_first[from] + 1) % HELD;
	held_count[from]--;
	machine_compute(COMPUTE);
	operations += machine_stage() == COUNTING;
	if (upa_llfree_put_run(&allocator, core, (uint64_t)page, workload->pages, 0))
		failed++;
}

/*
 * By itself: gets one and puts it. Handed over: gets as long as few are held, and puts what is the next core's while
 * that holds many, so that nobody waits long.
 */
static void body(unsigned core)
{
	unsigned from = workload->handed_over ? (core + 1) % cores : core;
	unsigned most = workload->handed_over ? HELD : 1, least = workload->handed_over ? HELD / 2 : 0;
	unsigned warm = WARM_ROUNDS, counted = 0;

	while (machine_stage() != OVER) {
		bool gets = held_count[core] < most;

		if (gets) {
			get(core);
			if (warm && !--warm)
				machine_is_warm();
			counted += machine_stage() == COUNTING;
			if (counted == rounds)
				machine_end();
		}
		if (held_count[from] > least)
			put(core, from);
		else if (!gets)
			machine_compute(COMPUTE);
	}
}

/* As a program leaves it that has run for long: pieces of eight pages are free here and there. */
static void fill(unsigned percent)
{
	uint64_t state = 1, page;

	for (page = 0; percent && page < PAGES; page += 8) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		if ((state >> 33) % 100 < percent)
			upa_llfree_get_at(&allocator, 0, page, 8);
	}
}

static double measure(unsigned count, double one)
{
	uint32_t slots = count * 2 < 8 ? 8 : count * 2 > 1024 ? 1024 : count * 2;
	size_t bytes = upa_llfree_state_size(PAGES, slots);
	struct part parts[] = { { .name = "header" }, { .name = "slots" },    { .name = "groups" },
				{ .name = "trees" },  { .name = "children" }, { .name = "bitmaps" } };
	const size_t n = sizeof(parts) / sizeof(*parts);
	uint64_t transfers = 0;
	double ns, waited = 0, rate;
	size_t hottest = 0;
	char *state = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);

	if (!state) {
		fputs("upa-lines: no memory\n", stderr);
		exit(1);
	}
	memset(state, 0, bytes);
	if (upa_llfree_init(&allocator, state, bytes, PAGES, slots)) {
		fputs("upa-lines: the state cannot be made\n", stderr);
		exit(1);
	}
	parts[0].begin = state;
	parts[1].begin = allocator.slot;
	parts[2].begin = allocator.group;
	parts[3].begin = allocator.tree;
	parts[3].apart = apart;
	parts[4].begin = allocator.child;
	parts[5].begin = allocator.bitmap;
	/* In order of addresses. */
	for (size_t i = 0; i < n; i++)
		for (size_t j = i + 1; j < n; j++)
			if ((uintptr_t)parts[j].begin < (uintptr_t)parts[i].begin) {
				struct part other = parts[i];

				parts[i] = parts[j];
				parts[j] = other;
			}
	fill(workload->filled);
	memset(held_count, 0, sizeof(held_count));
	memset(held_first, 0, sizeof(held_first));
	/* Each has its tree: how they find one all at once is another question. */
	for (unsigned core = 0; core < count; core++) {
		get(core);
		put(core, core);
	}
	machine_watch(parts, n, state, state + bytes, &costs);
	cores = count;
	operations = 0;
	rounds = count > 40 ? 20000 / count : 500;
	ns = machine_run(count, body);
	rate = (double)operations / ns * 1e3;
	for (size_t i = 0; i < n; i++) {
		transfers += parts[i].transfers;
		waited += parts[i].waited;
		if (parts[i].waited > parts[hottest].waited ||
		    (parts[i].waited == parts[hottest].waited && parts[i].transfers > parts[hottest].transfers))
			hottest = i;
	}
	printf("%s,%u,%.1f,%.2f,%.2f,%.1f,%s\n", workload->name, count, rate, one > 0 ? rate / one : 1.0,
	       (double)transfers / (double)operations, waited / (double)operations,
	       transfers ? parts[hottest].name : "none");
	free(state);
	return rate;
}

int main(int argument_count, char **arguments)
{
	static const unsigned usual[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024 };
	unsigned counts[64];
	size_t n = 0;

	apart = argument_count > 1 && !strcmp(arguments[1], "--apart");
	for (int i = 1 + apart; i < argument_count && n < 64; i++) {
		char *end;
		unsigned long value = strtoul(arguments[i], &end, 10);

		if (*arguments[i] < '1' || *arguments[i] > '9' || *end || value > CORES_MAX) {
			fprintf(stderr, "upa-lines: cores=%s is not a number from 1 to %u\n", arguments[i], CORES_MAX);
			return 2;
		}
		counts[n++] = (unsigned)value;
	}
	if (!n) {
		n = sizeof(usual) / sizeof(*usual);
		memcpy(counts, usual, sizeof(usual));
	}
	puts("workload,cores,million_operations_a_second,over_one_core,transfers,waited_ns,where");
	for (size_t w = 0; w < WORKLOADS; w++) {
		double one = 0;

		workload = &workloads[w];
		for (size_t i = 0; i < n; i++) {
			double rate = measure(counts[i], one);

			if (!i)
				one = rate / counts[0];
			fflush(stdout);
		}
	}
	if (failed)
		fprintf(stderr, "upa-lines: operations=%llu have failed\n", (unsigned long long)failed);
	return failed || ferror(stdout);
}
