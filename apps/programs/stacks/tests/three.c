/* SPDX-License-Identifier: Apache-2.0 */
/*
 * three.c - a program of which more is paged than may be in memory: three functions read memory of their own, 70, 20
 * and 10 of 100 pages. They differ, so that the compiler does not make one of them. It says how often a system call
 * was interrupted, and whether each page was what it had written.
 *
 *   three SECONDS
 *
 * Prints `ready PID`, and `wrong N interrupted N` after SIGUSR1 or SECONDS.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define PAGES 8000ul /* of each function */

static volatile sig_atomic_t over;
static unsigned long wrong, interrupted;

__attribute__((noinline)) static unsigned long often(const unsigned long *memory, unsigned long page)
{
	return memory[page * PAGE / sizeof(*memory)] - page;
}

__attribute__((noinline)) static unsigned long sometimes(const unsigned long *memory, unsigned long page)
{
	return memory[page * PAGE / sizeof(*memory) + 1] - page;
}

__attribute__((noinline)) static unsigned long seldom(const unsigned long *memory, unsigned long page)
{
	return memory[page * PAGE / sizeof(*memory) + 2] - page;
}

static void end_now(int signal)
{
	(void)signal;
	over = 1;
}

/* Waits in a system call that does not begin anew after a stop or a signal. */
static void *wait_for_nothing(void *argument)
{
	struct epoll_event event;
	int fd = epoll_create1(EPOLL_CLOEXEC);

	(void)argument;
	while (!over)
		interrupted += epoll_wait(fd, &event, 1, 50) < 0;
	return NULL;
}

static unsigned long *make(void)
{
	unsigned long *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		exit(1);
	for (unsigned long page = 0; page < PAGES; page++)
		for (unsigned word = 0; word < 3; word++)
			memory[page * PAGE / sizeof(*memory) + word] = page;
	return memory;
}

int main(int argc, char **argv)
{
	unsigned long *a = make(), *b = make(), *c = make(), at[3] = { 0 };
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 1);
	uint64_t random = 88172645463325252ull;
	pthread_t thread;
	sigset_t set;

	/* The other thread never gets it. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGUSR1, end_now);
	if (pthread_create(&thread, NULL, wait_for_nothing, NULL))
		return 1;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (!over && time(NULL) < end) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		if (random % 10 < 7)
			wrong += often(a, at[0]++ % PAGES) != 0;
		else if (random % 10 < 9)
			wrong += sometimes(b, at[1]++ % PAGES) != 0;
		else
			wrong += seldom(c, at[2]++ % PAGES) != 0;
	}
	over = 1;
	pthread_join(thread, NULL);
	printf("wrong %lu interrupted %lu\n", wrong, interrupted);
	return 0;
}
