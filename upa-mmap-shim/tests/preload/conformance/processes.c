/* SPDX-License-Identifier: Apache-2.0 */
/* fork(), vfork(), threads, signal handlers. */
#define _GNU_SOURCE
#include "preload/conformance/conformance.h"

/* ---- processes and threads ---------------------------------------------------------------------- */

void copy_on_write(void)
{
	char *block = map(4 * MIB);
	int pipes[2];
	char answer;
	pid_t child;

	memset(block, 'p', 4 * MIB);
	if (pipe(pipes))
		exit(1);
	child = fork();
	if (!child) {
		bool good = is(block, 4 * MIB, 'p');

		memset(block, 'c', 2 * MIB);
		/* Memory freed before the fork, and after it, is each side's own. */
		for (int i = 0; i < 20; i++) {
			char *mine = map(MIB);

			good &= zero(mine, MIB);
			memset(mine, 'm', MIB);
			if (i % 2)
				munmap(mine, MIB);
		}
		munmap(block + 2 * MIB, 2 * MIB);
		answer = good ? 'y' : 'n';
		_exit(write(pipes[1], &answer, 1) != 1);
	}
	close(pipes[1]);
	for (int i = 0; i < 20; i++) {
		char *mine = map(MIB);

		if (!zero(mine, MIB))
			say("parent's block %d is not zero", i);
		memset(mine, 'q', MIB);
		munmap(mine, MIB);
	}
	if (read(pipes[0], &answer, 1) != 1)
		answer = '?';
	waitpid(child, NULL, 0);
	say("child %c parent %d", answer, is(block, 4 * MIB, 'p'));
}

void vfork_child(void)
{
	char *block = map(MIB);
	int status;
	pid_t child;

	memset(block, 'v', MIB);
	child = vfork();
	if (!child) {
		char *mine = mmap(NULL, MIB, RW, ANON, -1, 0);

		munmap(mine, MIB);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	say("status %d contents %d", status, is(block, MIB, 'v'));
}

static void *churn(void *argument)
{
	unsigned seed = (unsigned)(uintptr_t)argument;
	uintptr_t wrong = 0;

	for (int i = 0; i < 400; i++) {
		size_t bytes;
		char *block;

		seed = seed * 1664525 + 1013904223;
		bytes = (1 + seed % 200) * PAGE;
		block = map(bytes);
		wrong += !zero(block, bytes);
		memset(block, (int)(uintptr_t)argument, bytes);
		if (seed & 1024)
			mprotect(block, PAGE, PROT_READ);
		if (seed & 2048)
			madvise(block, bytes, MADV_DONTNEED);
		if (!(seed & 0xf000) && !fork())
			_exit(!is(block + PAGE, bytes - PAGE, seed & 2048 ? 0 : (char)(uintptr_t)argument));
		munmap(block, bytes);
	}
	return (void *)wrong;
}

void threads_and_forks(void)
{
	pthread_t threads[4];
	uintptr_t wrong = 0;
	int status;

	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, churn, (void *)(i + 1));
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		wrong += (uintptr_t)result;
	}
	while (wait(&status) > 0)
		wrong += status != 0;
	say("wrong %d", (int)wrong);
}

static volatile sig_atomic_t ticks;

static void on_tick(int signal)
{
	char *block = mmap(NULL, 40 * PAGE, RW, ANON, -1, 0);

	(void)signal;
	if (block == MAP_FAILED || block[0] || block[39 * PAGE])
		_exit(9);
	memset(block, 't', 40 * PAGE);
	munmap(block, 40 * PAGE);
	ticks++;
}

void in_signal_handlers(void)
{
	struct sigaction action = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	pid_t child;

	sigaction(SIGUSR1, &action, NULL);
	child = fork();
	if (!child) {
		for (int i = 0; i < 300; i++) {
			kill(getppid(), SIGUSR1);
			usleep(100);
		}
		_exit(0);
	}
	do {
		char *block = map(60 * PAGE);

		if (!zero(block, 60 * PAGE))
			say("not zero");
		memset(block, 's', 60 * PAGE);
		munmap(block, 60 * PAGE);
	} while (waitpid(child, NULL, WNOHANG) == 0);
	say("some ticks %d", ticks > 0);
}
