/* SPDX-License-Identifier: Apache-2.0 */
/* agent_noticed.c - what a program could notice of the agent, and must not. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "agent_harness.h"

static bool line_is(int id, const char *key, const char *value)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", id);
	file = fopen(path, "r");
	CHECK(file, "%s", path);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			found = strstr(line, value);
	fclose(file);
	return found;
}

void signals(void)
{
	sigset_t all, old;
	siginfo_t info;
	int id;

	keep();
	id = wait_for_agent();
	/* But for SIGKILL and SIGSTOP. */
	CHECK(line_is(id, "SigBlk:", "fffffffffffbfeff") || line_is(id, "SigBlk:", "fffffffe7ffbfeff"), "SigBlk");
	sigemptyset(&all);
	sigaddset(&all, SIGUSR1);
	sigprocmask(SIG_BLOCK, &all, &old);
	CHECK(!kill(getpid(), SIGUSR1) && sigwaitinfo(&all, &info) == SIGUSR1, "errno=%d", errno);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static int descriptors_of(int id)
{
	struct dirent *entry;
	char path[64];
	DIR *folder;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/fd", id);
	folder = opendir(path);
	while (folder && (entry = readdir(folder)))
		n += *entry->d_name != '.';
	if (folder)
		closedir(folder);
	return n;
}

void descriptors(void)
{
	int pair[2], id, n = 0;
	char byte;

	CHECK(!pipe(pair), "errno=%d", errno);
	keep();
	id = wait_for_agent();
	/* It closes its own when it gets to run. */
	AWAIT(!(n = descriptors_of(id)));
	CHECK(!n, "%d descriptors", n);
	/* Whoever reads from the pipe is told that nobody writes. */
	close(pair[1]);
	CHECK(read(pair[0], &byte, 1) == 0, "the pipe has another end");
	for (int i = 0; i < 1000; i++) {
		int fd = open("/dev/null", O_RDONLY);

		CHECK(fd == pair[1], "fd=%d", fd);
		close(fd);
		usleep(1000);
	}
}

void forks(void)
{
	for (int i = 0; i < 5; i++) {
		pid_t child;
		int status;

		keep();
		wait_for_agent();
		child = fork();
		if (!child) {
			if (thread_count() != 1)
				_exit(2);
			keep();
			wait_for_agent();
			_exit(0);
		}
		CHECK(thread_count() == 1, "threads=%d after fork()", thread_count());
		CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	}
}

static void *forked_beside(void *unused)
{
	(void)unused;
	for (int i = 0; i < 50; i++)
		keep();
	return NULL;
}

/* Another thread makes it while this one forks. */
void forks_beside(void)
{
	pthread_t other;

	CHECK(!pthread_create(&other, NULL, forked_beside, NULL), "thread");
	for (int i = 0; i < 50; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			keep();
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	}
	pthread_join(other, NULL);
}

/* As it is without an agent. */
static int try_unshare(bool raw)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit((raw ? syscall(SYS_unshare, CLONE_NEWUSER) : unshare(CLONE_NEWUSER)) ? errno : 0);
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

void namespaces(void)
{
	for (int raw = 0; raw < 2; raw++) {
		pid_t child;
		int status, expected = try_unshare(raw);

		child = fork();
		if (!child) {
			int is;

			keep();
			wait_for_agent();
			is = (raw ? syscall(SYS_unshare, CLONE_NEWUSER) : unshare(CLONE_NEWUSER)) ? errno : 0;
			CHECK(is == expected, "errno=%d, expected %d", is, expected);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	}
}

static _Atomic int ended;

static void *ends(void *argument)
{
	ended = (int)syscall(SYS_gettid);
	return argument;
}

/*
 * A thread that nobody finds by its id any more counts for a moment longer: in one of some thousand cases on a busy
 * machine, which is no reason to refuse a program what wants one thread.
 */
void lingers(void)
{
	int64_t end = clock_ms() + 3000;

	for (int i = 0; i < 20000 && clock_ms() < end; i++) {
		pthread_attr_t detached;
		pthread_t thread;

		ended = 0;
		CHECK(!pthread_attr_init(&detached) &&
			      !pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED) &&
			      !pthread_create(&thread, &detached, ends, NULL),
		      "i=%d", i);
		while (!ended || !syscall(SYS_tgkill, getpid(), ended, 0))
			sched_yield();
		CHECK(!(i % 2 ? syscall(SYS_unshare, CLONE_VM) : unshare(CLONE_VM)), "i=%d errno=%d", i, errno);
	}
}

/* Nobody is left with rights that the program has given up. */
void users(void)
{
	bool root = !getuid();

	keep();
	wait_for_agent();
	CHECK(!setgid(root ? 65534 : getgid()) && !setuid(root ? 65534 : getuid()), "errno=%d", errno);
	CHECK(thread_count() == 1, "threads=%d", thread_count());
	keep();
	if (root)
		CHECK(line_is(wait_for_agent(), "Uid:", "65534\t65534\t65534\t65534"), "Uid");
	CHECK(seteuid(0) == -1 || !root, "it has come back");
}

/* What is given up for one thread, none keeps that the program does not know of. */
void rights(void)
{
	static const unsigned long calls[][2] = {
		{ PR_CAPBSET_DROP, 8 /* CAP_SETPCAP */ },
		{ PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL },
		{ PR_SET_SECUREBITS, 0 },
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		keep();
		wait_for_agent();
		/* It may be refused. */
		prctl((int)calls[i][0], calls[i][1], 0, 0, 0);
		CHECK(thread_count() == 1, "call %zu: threads=%d", i, thread_count());
	}
}

void executes(char *self)
{
	char *arguments[] = { self, "single", NULL };

	keep();
	wait_for_agent();
	execv("/proc/self/exe", arguments);
	CHECK(false, "errno=%d", errno);
}

/* In the child of vfork(), whose memory is this process's. */
void vforks(void)
{
	pid_t child;
	int status;

	child = vfork();
	if (!child) {
		char *p = mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memset(p, 1, 32 * MIB);
		munmap(p, 32 * MIB);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	keep();
	wait_for_agent();
}

void filters(void)
{
	keep();
	wait_for_agent();
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "errno=%d", errno);
	CHECK(thread_count() == 1, "threads=%d", thread_count());
	keep();
	milliseconds(100);
	CHECK(thread_count() == 1, "threads=%d", thread_count());
}

void locks_all(void)
{
	keep();
	wait_for_agent();
	/* It may be refused. */
	mlockall(MCL_CURRENT);
	CHECK(thread_count() == 1, "threads=%d", thread_count());
}

static volatile sig_atomic_t caught;

static void handler(int number)
{
	char *p = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)number;
	if (p != MAP_FAILED) {
		*p = 1;
		munmap(p, 4 * MIB);
	}
	caught++;
}

/* Made by a signal handler, beside calls that are interrupted anywhere. */
void from_handlers(void)
{
	struct timespec little = { 0, 5000000 };
	struct sigaction action = { .sa_handler = handler };
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct itimerspec each = { little, little };

	sigaction(SIGALRM, &action, NULL);
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer) && !timer_settime(timer, 0, &each, NULL), "timer");
	for (int i = 0; i < 30 || caught < 20; i++) {
		keep();
		if (i % 10 == 0)
			CHECK(!setgid(getgid()), "errno=%d", errno);
	}
	timer_delete(timer);
}
