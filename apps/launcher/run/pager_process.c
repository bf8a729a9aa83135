/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "pager_process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fresh.h"
#include "keeper.h"
#include "pager_place.h"
#include "say.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* Addresses for a program that is paged, as multiples of what it may have in memory. */
#define REGION_FACTOR 8ull
#define LEAST_REGION (4ull << 30)
#define MOST_REGION (256ull << 30)

/* Descriptors of the keeper, beside standard error. */
#define PROCESS 3
#define OUT 4

/* Has the pager built, by the command that needs least. */
static void build(const char *root)
{
	char *upa = joined("%s/upa", root);
	int status = 1;
	pid_t pid = fork();

	if (!pid) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(null, 1);
		execl(upa, upa, "policy", "list", (char *)NULL);
		say("cannot build: %s: %s", upa, strerror(errno));
		_exit(STATUS_FAILURE);
	}
	/* It has said why. */
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		exit(STATUS_FAILURE);
}

/* Is the virtual machine still there whose path the script has behind "exec", quoted for a shell? */
static bool has_java(const char *start)
{
	FILE *in = fopen(start, "re");
	char *line = NULL, *path = NULL;
	size_t room = 0;
	bool has;

	while (in && !path && getline(&line, &room, in) > 0)
		if (!strncmp(line, "exec ", 5)) {
			size_t n = 0;

			path = joined("%s", line + 5);
			for (const char *c = path; *c && *c != ' '; path[n++] = *c++)
				if (*c == '\\' && c[1])
					c++;
			path[n] = 0;
		}
	free(line);
	if (in)
		fclose(in);
	/* Bytes that a shell writes as numbers are no path here: who starts it will see. */
	has = !path || *path != '/' || !access(path, X_OK);
	free(path);
	return has;
}

/* What starts a pager, by an absolute path: the same for whoever names this folder in another way. */
static char *start_of(const char *root, const char *source)
{
	char *start = joined("%s/build/pager/start", root), *real;

	if (access(start, X_OK) || (source && (!has_java(start) || !fresh_java(source))))
		build(root);
	real = realpath(start, NULL);
	if (!real || access(real, X_OK))
		say_and_exit(STATUS_FAILURE, "cannot start the pager: %s: %s", start, strerror(errno));
	return real;
}

/* Descriptors 0 and 1 are nobody's, 2 is the run's standard error. */
static bool set_descriptors(int process, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	/* Where they are in nobody's way. */
	int high_process = fcntl(process, F_DUPFD_CLOEXEC, OUT + 1), high_out = fcntl(out, F_DUPFD_CLOEXEC, OUT + 1);

	if (null < 0 || high_process < 0 || high_out < 0)
		return false;
	for (int fd = 0; fd < 3; fd++)
		if ((fd < 2 || fcntl(fd, F_GETFD) < 0) && dup2(null, fd) < 0)
			return false;
	if (dup3(high_process, PROCESS, O_CLOEXEC) < 0 || dup3(high_out, OUT, O_CLOEXEC) < 0)
		return false;
	syscall(SYS_close_range, OUT + 1, ~0u, 0);
	return true;
}

/* Others may see the words of a process: here a password may be one of them. */
static void forget_words(char **words, long pid)
{
	char *first = words[0];
	size_t room = strlen(first);

	for (char **word = words; *word; word++)
		memset(*word, 0, strlen(*word));
	snprintf(first, room + 1, "upa-run: for %ld", pid);
}

/*
 * Who keeps the pager: not a child of ours, for which the program might wait; in no group of processes that a
 * terminal's signals reach; in no folder that somebody wants to unmount.
 */
static _Noreturn void become_keeper(struct keeper_request *request, int process, int out, char **words)
{
	pid_t pid;

	setsid();
	pid = fork();
	if (pid)
		_exit(pid < 0);
	if (!set_descriptors(process, out))
		_exit(STATUS_FAILURE);
	request->process = PROCESS;
	request->policy = joined("%s", request->policy);
	request->memory = joined("%s", request->memory);
	request->store = joined("%s", request->store ? request->store : "");
	forget_words(words, request->pid);
	if (chdir("/"))
		_exit(STATUS_FAILURE);
	keeper_run(request, OUT);
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
	if (setenv("UPA_REGION_BYTES", joined("%llu", region), 0) ||
	    setenv("UPA_PAGER_BYTES", joined("%llu", bytes), 1))
		say_and_exit(STATUS_FAILURE, "out of memory");
}

/* The answer of the keeper: the path, or the end. */
static char *answer(FILE *in)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n = getline(&line, &room, in);
	int status;

	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = 0;
	if (n > 6 && !strncmp(line, "ready ", 6))
		return line + 6;
	if (n <= 0 || strncmp(line, "failed ", 7))
		say_and_exit(STATUS_FAILURE, "the pager has died before it could begin");
	status = atoi(line + 7);
	if (getdelim(&line, &room, 0, in) > 0)
		say("%s", line);
	exit(status);
}

char *pager_start(const char *root, const char *source, const char *policy, const char *memory, const char *store,
		  char **words)
{
	struct keeper_request request = { .start = start_of(root, source),
					  .pid = (long)getpid(),
					  .policy = policy,
					  .memory = memory,
					  .store = store };
	int process = (int)syscall(SYS_pidfd_open, getpid(), 0), ends[2], status = 1;
	char *path, *folder = getcwd(NULL, 0);
	FILE *in;
	pid_t pid;

	request.place = pager_place(request.start);
	request.folder = folder ? folder : "";
	if (process < 0 || pipe2(ends, O_CLOEXEC))
		say_and_exit(STATUS_FAILURE, "cannot start the pager: %s", strerror(errno));
	pid = fork();
	if (!pid)
		become_keeper(&request, process, ends[1], words);
	close(ends[1]);
	close(process);
	in = fdopen(ends[0], "r");
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status || !in)
		say_and_exit(STATUS_FAILURE, "cannot start the pager: %s", strerror(errno));
	path = answer(in);
	fclose(in);
	set_region(memory);
	return path;
}
