/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scenarios.h - programs of scenarios that say what came of calls, in lines without addresses, so that what they say
 * with and without the preloaded library can be compared. Each scenario runs in a child of its own, in which memory
 * has been used and freed before.
 */
#ifndef UPA_TESTS_SCENARIOS_H
#define UPA_TESTS_SCENARIOS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "said.h"
#include "units.h"

const char *scenario;

/* Takes much memory, checks that it reads zero and can be written, and frees it: whatever was unmapped is among it. */
static inline void reuse(void)
{
	enum { BLOCKS = 40 };
	char *blocks[BLOCKS];
	int wrong = 0;

	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = map(MIB);
		wrong += !is(blocks[i], MIB, 0);
		memset(blocks[i], i + 1, MIB);
	}
	for (int i = 0; i < BLOCKS; i++) {
		wrong += !is(blocks[i], MIB, (char)(i + 1));
		munmap(blocks[i], MIB);
	}
	say("reused: %d wrong", wrong);
}

struct scenario {
	const char *name;
	void (*run)(void);
};

#define SCENARIO(function)                                                                                             \
	{                                                                                                              \
#function, function                                                                                    \
	}

static inline void use_memory(void)
{
	char *large = map(4 * MIB);

	memset(large, 0x5a, 4 * MIB);
	munmap(large, 4 * MIB);
	reuse();
}

/* All of them, or those that `only` names. */
static inline int run_scenarios(const struct scenario *scenarios, size_t n, const char *only)
{
	for (size_t i = 0; i < n; i++) {
		int status;
		pid_t child;

		if (only && strcmp(only, scenarios[i].name))
			continue;
		fflush(stdout);
		child = fork();
		scenario = scenarios[i].name;
		if (!child) {
			use_memory();
			scenarios[i].run();
			fflush(stdout);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child)
			return 1;
		say("ended with status %#x", (unsigned)status);
	}
	return 0;
}

/* The program: all of the scenarios, or those that its argument names. */
#define SCENARIOS(...)                                                                                                 \
	int main(int argc, char **argv)                                                                                \
	{                                                                                                              \
		static const struct scenario scenarios[] = { __VA_ARGS__ };                                            \
                                                                                                                       \
		return run_scenarios(scenarios, sizeof(scenarios) / sizeof(*scenarios), argc > 1 ? argv[1] : NULL);    \
	}

#endif
