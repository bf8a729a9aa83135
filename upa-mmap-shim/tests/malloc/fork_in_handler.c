/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fork() in a signal handler of a process with one thread, at any moment: within malloc(), within free(), within
 * another fork(). glibc's malloc goes on, and so does ours; whoever waits for a lock of its own is ended by an alarm.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define BLOCKS 64
#define ROUNDS 1500
#define HANDLED 150
#define SECONDS 300

static volatile sig_atomic_t handled;

static void fork_once(void)
{
	int status = 0;
	pid_t child = fork();

	if (!child)
		_exit(0);
	/* Another handler may come between. */
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child < 0 || status)
		abort();
}

static void on_timer(int signal)
{
	int saved = errno;

	(void)signal;
	fork_once();
	handled++;
	errno = saved;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_timer, .sa_flags = SA_RESTART | SA_NODEFER };
	struct itimerval often = { { 0, 700 }, { 0, 700 } }, never = { { 0, 0 }, { 0, 0 } };
	char *blocks[BLOCKS] = { NULL };
	unsigned seed = 1;

	alarm(SECONDS);
	CHECK(!sigaction(SIGALRM, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL), "errno=%d", errno);
	CHECK(!sigaction(SIGPROF, &action, NULL) && !setitimer(ITIMER_PROF, &often, NULL), "errno=%d", errno);
	for (int i = 0; i < ROUNDS || handled < HANDLED; i++) {
		unsigned slot = (unsigned)rand_r(&seed) % BLOCKS;
		size_t bytes = (size_t)rand_r(&seed) % 4096 + 1;

		for (int k = 0; k < 200; k++)
			free(memset(malloc(bytes), k, bytes));
		free(blocks[slot]);
		blocks[slot] = malloc(bytes);
		CHECK(blocks[slot], "bytes=%zu", bytes);
		memset(blocks[slot], (int)slot, bytes);
		if (i % 50 == 0)
			fork_once();
	}
	CHECK(!setitimer(ITIMER_PROF, &never, NULL), "errno=%d", errno);
	for (unsigned k = 0; k < BLOCKS; k++)
		free(blocks[k]);
	return 0;
}
