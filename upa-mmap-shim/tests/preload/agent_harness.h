/* SPDX-License-Identifier: Apache-2.0 */
/* agent_harness.h - what the tests of the agent share: who it is, what is resident, and memory that is kept. */
#ifndef UPA_TESTS_AGENT_HARNESS_H
#define UPA_TESTS_AGENT_HARNESS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "units.h"

/* Of the process's threads, the one that is called so; how many there are in all. */
static inline int agent_of(const char *process, int *threads)
{
	char path[300], name[32];
	struct dirent *entry;
	DIR *folder;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%s/task", process);
	folder = opendir(path);
	CHECK(folder, "%s", path);
	*threads = 0;
	while ((entry = readdir(folder))) {
		FILE *file;

		if (*entry->d_name == '.')
			continue;
		++*threads;
		snprintf(path, sizeof(path), "/proc/%s/task/%s/comm", process, entry->d_name);
		file = fopen(path, "r");
		if (file && fgets(name, sizeof(name), file) && !strcmp(name, "upa-agent\n"))
			found = atoi(entry->d_name);
		if (file)
			fclose(file);
	}
	closedir(folder);
	return found;
}

static inline int agent(void)
{
	int threads;

	return agent_of("self", &threads);
}

static inline int thread_count(void)
{
	int threads;

	agent_of("self", &threads);
	return threads;
}

static inline long resident_mib(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY);
	char *end;

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "statm");
	close(fd);
	strtol(text, &end, 10);
	return strtol(end, NULL, 10) / 256;
}

static inline void milliseconds(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static inline int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Until a condition holds, or for so long that it never will, however busy the machine is. */
#define AWAIT(condition)                                                                                               \
	for (int64_t await_end = clock_ms() + 60000; !(condition) && clock_ms() < await_end;)                          \
	milliseconds(5)

static inline int wait_for_agent(void)
{
	int id = 0;

	AWAIT((id = agent()));
	CHECK(id, "there is none");
	return id;
}

/* Twelve blocks are in use at once, so that 48 MiB are kept. */
static inline void keep(void)
{
	char *p[12];

	for (int i = 0; i < 12; i++) {
		p[i] = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(p[i] != MAP_FAILED, "errno=%d", errno);
		memset(p[i], 1, 4 * MIB);
	}
	for (int i = 0; i < 12; i++)
		munmap(p[i], 4 * MIB);
}

/* What is kept stays that long at least: a test that looks later, on a busy machine, may find it gone. */
#define STAYS_MS 400

/*
 * The same, and a call that looks at what is kept, made before it may have gone; else once more. False: it has never
 * been in time.
 */
#define KEEP_AND(call)                                                                                                 \
	({                                                                                                             \
		bool in_time = false;                                                                                  \
                                                                                                                       \
		for (int tries = 0; tries < 50 && !in_time; tries++) {                                                 \
			int64_t start;                                                                                 \
                                                                                                                       \
			keep();                                                                                        \
			start = clock_ms();                                                                            \
			call;                                                                                          \
			in_time = clock_ms() - start < STAYS_MS;                                                       \
		}                                                                                                      \
		in_time;                                                                                               \
	})

/* ---- what would notice it (agent_noticed.c) -------------------------------------------------------- */

void signals(void);
void descriptors(void);
void forks(void);
void forks_beside(void);
void namespaces(void);
void lingers(void);
void users(void);
void rights(void);
void vforks(void);
void filters(void);
void locks_all(void);
void from_handlers(void);

/* Runs the program again, as `self single`. */
void executes(char *self);

#endif
