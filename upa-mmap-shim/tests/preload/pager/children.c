/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For dying_pager.py: a child of each kind, when half of the pages are outside of memory and the pager dies. Usage:
 * children KIND|list     Says "good" if the child has seen all its pages, "zeros" if it has not, or "killed".
 */
#define _GNU_SOURCE
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bare_fork.h"
#include "units.h"

#define PAGES 2048ul /* as in dying_pager.py: it takes the first half */

static volatile char *memory;

static int look(void *unused)
{
	(void)unused;
	for (size_t p = 0; p < PAGES; p++)
		if (!memory[p * PAGE])
			_exit(2);
	_exit(0);
}

static pid_t look_as(pid_t child)
{
	if (!child)
		look(NULL);
	return child;
}

static pid_t by_fork(void)
{
	return look_as(fork());
}

static void *forks(void *child)
{
	*(pid_t *)child = by_fork();
	return NULL;
}

static pid_t in_a_thread(void)
{
	pthread_t thread;
	pid_t child = -1;

	if (!pthread_create(&thread, NULL, forks, &child))
		pthread_join(thread, NULL);
	return child;
}

static pid_t by_clone_function(void)
{
	static char stack[1 << 16];

	return clone(look, stack + sizeof(stack), SIGCHLD, NULL);
}

static pid_t by_clone(void)
{
	return look_as((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static pid_t by_clone3(void)
{
	uint64_t arguments[11] = { [4] = SIGCHLD };

	return look_as((pid_t)syscall(SYS_clone3, arguments, sizeof(arguments)));
}

/* Its parent is not ours to see. */
static pid_t by_clone_in_namespace(void)
{
	return look_as((pid_t)syscall(SYS_clone, SIGCHLD | CLONE_NEWPID, 0, 0, 0, 0));
}

static pid_t by_instruction(void)
{
	return look_as(bare_fork());
}

#ifdef SYS_fork
static pid_t by_number(void)
{
	return look_as((pid_t)syscall(SYS_fork));
}
#endif

pid_t _Fork(void);

static pid_t by_fork_of_signals(void)
{
	return look_as(_Fork());
}

static const struct kind {
	const char *name;
	pid_t (*make)(void);
} list[] = {
	{ "fork", by_fork },
	{ "thread", in_a_thread },
	{ "clone-function", by_clone_function },
	{ "_Fork", by_fork_of_signals },
#ifdef __x86_64__ /* where syscall() is ours */
	{ "clone", by_clone },
	{ "clone3", by_clone3 },
	{ "clone-in-namespace", by_clone_in_namespace },
	{ "number", by_number },
	{ "instruction", by_instruction },
#endif
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	int status = 0;
	char go;

	for (size_t i = 0; !strcmp(name, "list") && i < sizeof(list) / sizeof(*list); i++)
		puts(list[i].name);
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		pid_t child;

		if (strcmp(list[i].name, name))
			continue;
		memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (size_t p = 0; p < PAGES; p++)
			memory[p * PAGE] = 1;
		printf("%lx\n", (unsigned long)memory);
		fflush(stdout);
		/* Until pages have gone. */
		if (read(0, &go, 1) != 1)
			return 3;
		child = list[i].make();
		if (child < 0 || waitpid(child, &status, 0) != child) {
			perror(name);
			return 4;
		}
		if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
			puts("zeros");
		else
			puts(WIFSIGNALED(status) || WEXITSTATUS(status) == 128 + SIGKILL ? "killed" : "good");
		fflush(stdout);
	}
	return 0;
}
