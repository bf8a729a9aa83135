/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "pager.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "say.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Addresses for a program that is paged, as multiples of what it may have in memory. */
#define REGION_FACTOR 8ull
#define LEAST_REGION (4ull << 30)
#define MOST_REGION (256ull << 30)

/*
 * The pager: not a child of ours, for which the program might wait; in no group of processes that a terminal's signals
 * reach. It says on `out` where it is.
 */
static _Noreturn void become(int out, const char *root, const char *policy, const char *memory, const char *store)
{
	char *arguments[] = { joined("%s/upa", root),
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
	int null = open("/dev/null", O_RDONLY);
	pid_t pid;

	setsid();
	pid = fork();
	if (pid)
		_exit(pid < 0);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0)
		_exit(STATUS_FAILURE);
	syscall(SYS_close_range, 3, ~0u, 0);
	execv(arguments[0], arguments);
	_exit(STATUS_FAILURE);
}

static void set_region(const char *memory)
{
	static const char letters[] = "KMGT";
	char *end;
	unsigned long long bytes = strtoull(memory, &end, 10), region;
	const char *letter = *end ? strchr(letters, *end) : NULL;

	if (letter)
		bytes <<= 10 * (letter - letters + 1);
	region = bytes > MOST_REGION / REGION_FACTOR ? MOST_REGION : bytes * REGION_FACTOR;
	if (region < LEAST_REGION)
		region = LEAST_REGION;
	if (setenv("UPA_REGION_BYTES", joined("%llu", region), 0))
		say_and_exit(STATUS_FAILURE, "out of memory");
}

char *pager_start(const char *root, const char *policy, const char *memory, const char *store)
{
	static char line[4096];
	int ends[2], status = 1;
	FILE *in;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		say_and_exit(STATUS_FAILURE, "cannot start the pager: %s", strerror(errno));
	pid = fork();
	if (!pid)
		become(ends[1], root, policy, memory, store);
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
		if (!strncmp(line, "failed ", 7))
			status = atoi(line + 7);
	}
	/* It has said why. */
	exit(status);
}
