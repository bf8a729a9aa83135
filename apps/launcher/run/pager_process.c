/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "pager_process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fresh.h"
#include "say.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Addresses for a program that is paged, as multiples of what it may have in memory. */
#define REGION_FACTOR 8ull
#define LEAST_REGION (4ull << 30)
#define MOST_REGION (256ull << 30)

#define MOST_QUICK_DEATHS 8

static void execute(char **arguments, int in, int out)
{
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
		_exit(STATUS_FAILURE);
	syscall(SYS_close_range, 3, ~0u, 0);
	execv(arguments[0], arguments);
	_exit(STATUS_FAILURE);
}

/* A pager that ends by itself says so with one of these. */
static bool has_ended(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) <= STATUS_USAGE;
}

/*
 * Starts pagers, one after the other, until one ends by itself: what a program keeps is enough for the next one to go
 * on. One that fails at once is not tried for ever; to be killed is no failure of its own.
 */
static _Noreturn void supervise(char **arguments, int null, int out)
{
	int status = 0;

	for (int quick = 0; quick < MOST_QUICK_DEATHS;) {
		struct timespec begun, now;
		pid_t pid;

		clock_gettime(CLOCK_MONOTONIC, &begun);
		pid = fork();
		if (!pid)
			execute(arguments, null, out);
		if (pid < 0 || waitpid(pid, &status, 0) != pid || has_ended(status))
			break;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			quick = now.tv_sec - begun.tv_sec < 2 ? quick + 1 : 0;
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_FAILURE);
}

static void close_all_but(int one, int other)
{
	int low = one < other ? one : other, high = one < other ? other : one;

	if (low > 3)
		syscall(SYS_close_range, 3, (unsigned)low - 1, 0);
	if (high > low + 1)
		syscall(SYS_close_range, (unsigned)low + 1, (unsigned)high - 1, 0);
	syscall(SYS_close_range, (unsigned)high + 1, ~0u, 0);
}

/*
 * Who starts the pager: not a child of ours, for which the program might wait; in no group of processes that a
 * terminal's signals reach. The pager says on `out` where it is.
 */
static _Noreturn void become(int out, const char *root, const char *source, const char *policy, const char *memory,
			     const char *store)
{
	/* What `./upa policy serve` would run, if that has nothing to build first. */
	char *start = joined("%s/build/pager/start", root);
	bool ready = !access(start, X_OK) && (!source || fresh_java(source));
	char *all[] = { joined("%s/upa", root),
			"policy",
			"serve",
			"--for",
			joined("%ld", (long)getppid()),
			"--policy",
			(char *)policy,
			"--memory",
			(char *)memory,
			store ? "--store" : NULL,
			(char *)store,
			NULL };
	char **arguments = all + (ready ? 2 : 0);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t pid;

	if (ready)
		all[2] = start;
	setsid();
	pid = fork();
	if (pid || null < 0)
		_exit(pid < 0);
	for (int fd = 0; fd < 2; fd++)
		dup2(null, fd);
	close_all_but(null, out);
	supervise(arguments, null, out);
}

static void set_region(const char *memory)
{
	static const char letters[] = "KMGT";
	char *end;
	unsigned long long bytes = strtoull(memory, &end, 10), region;
	const char *letter = *end ? strchr(letters, toupper((unsigned char)*end)) : NULL;

	if (letter)
		bytes <<= 10 * (letter - letters + 1);
	region = bytes > MOST_REGION / REGION_FACTOR ? MOST_REGION : bytes * REGION_FACTOR;
	if (region < LEAST_REGION)
		region = LEAST_REGION;
	if (setenv("UPA_REGION_BYTES", joined("%llu", region), 0))
		say_and_exit(STATUS_FAILURE, "out of memory");
}

char *pager_start(const char *root, const char *source, const char *policy, const char *memory, const char *store)
{
	static char line[4096];
	int ends[2], status = 1;
	bool said = false;
	FILE *in;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		say_and_exit(STATUS_FAILURE, "cannot start the pager: %s", strerror(errno));
	pid = fork();
	if (!pid)
		become(ends[1], root, source, policy, memory, store);
	close(ends[1]);
	in = fdopen(ends[0], "r");
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status || !in)
		say_and_exit(STATUS_FAILURE, "cannot start the pager: %s", strerror(errno));
	status = STATUS_FAILURE;
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "ready ", 6)) {
			fclose(in);
			set_region(memory);
			return line + 6;
		}
		if (!strncmp(line, "failed ", 7)) {
			status = atoi(line + 7);
			said = true;
		}
	}
	/* It has said why, if it could. */
	if (status == STATUS_FAILURE && !said)
		say("the pager has died before it could begin");
	exit(status);
}
