/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limited_meanwhile.c - a thread asks for memory under a limit while another one makes UPA's region, or gives it up. A
 * tracer holds that one at each of its system calls in turn: what the first one asks for is there, at once or when the
 * other one has gone on.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bare.h"
#include "check.h"

#define PAGE 4096ul
#define MIB (1ul << 20)
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* The limit leaves room for what is asked for under it, and not for what UPA has mapped besides. */
#define WANTED (16 * MIB)
#define ROOM (192 * MIB)
#define USED (768 * MIB)

/* What is held goes on after so long, in milliseconds, if the other thread waits for it. */
#define HOLD 20

/* The marker of the end: a system call that nothing else here makes. */
#define END SYS_getppid

enum { ROLE, GO, ASK, ANSWER, CHANNELS };

static int channel[CHANNELS][2];
static size_t turn;
static unsigned long limit_bytes;
static char *reserved, *growing;

static void say(int to, int value)
{
	CHECK(write(channel[to][1], &value, sizeof(value)) == sizeof(value), "errno=%d", errno);
}

static int hear(int from)
{
	int value = -1;

	CHECK(read(channel[from][0], &value, sizeof(value)) == sizeof(value), "errno=%d", errno);
	return value;
}

/* Bytes of addresses in use, as the kernel counts them. */
static unsigned long addresses(void)
{
	unsigned long pages;
	FILE *f = fopen("/proc/self/statm", "r");

	CHECK(f && fscanf(f, "%lu", &pages) == 1 && !fclose(f), "errno=%d", errno);
	return pages * PAGE;
}

static void limit(pid_t pid, bool seen)
{
	struct rlimit64 l = { limit_bytes, limit_bytes };

	for (int resource = RLIMIT_DATA; resource <= RLIMIT_AS; resource += RLIMIT_AS - RLIMIT_DATA) {
		if (seen)
			CHECK(!prlimit64(pid, (__rlimit_resource_t)resource, &l, NULL), "errno=%d", errno);
		else
			CHECK(!bare(SYS_prlimit64, pid, resource, (long)&l, 0, 0, 0), "errno=%d", errno);
	}
}

/* ---- what is held ----------------------------------------------------------------------------------------- */

static void begins(void)
{
	CHECK(mmap(NULL, 2 * MIB, RW, ANON, -1, 0) != MAP_FAILED, "errno=%d", errno);
}
static void limits_itself(void)
{
	limit(0, true);
}
/* More than there can be, so that it is refused. */
static void is_refused(void)
{
	CHECK(mmap(NULL, 64 * USED, PROT_NONE, ANON | MAP_NORESERVE, -1, 0) == MAP_FAILED, "errno=%d", errno);
}

static const struct {
	const char *name;
	void (*run)(void);
	bool early; /* before there is a region */
	bool alone; /* the limit is its own to set */
	bool limited;
} held[] = {
	{ "begins", begins, true, false, false },
	{ "limits itself", limits_itself, false, true, false },
	{ "is refused", is_refused, false, false, true },
};

/* ---- what is asked for meanwhile --------------------------------------------------------------------------- */

static bool maps(void)
{
	return mmap(NULL, WANTED, RW, ANON, -1, 0) != MAP_FAILED;
}
static bool maps_shared(void)
{
	return mmap(NULL, WANTED, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}
static bool breaks(void)
{
	return sbrk((intptr_t)WANTED) != (void *)-1;
}
static bool commits(void)
{
	return !mprotect(reserved, WANTED, RW);
}
static bool grows(void)
{
	growing = mremap(growing, PAGE, WANTED, MREMAP_MAYMOVE);
	return growing != MAP_FAILED;
}
static bool replaces(void)
{
	return mmap(reserved + WANTED, WANTED, RW, ANON | MAP_FIXED, -1, 0) != MAP_FAILED;
}

static const struct {
	const char *name;
	bool (*run)(void);
} asked[] = { { "mmap", maps },    { "mmap of shared memory", maps_shared },
	      { "sbrk", breaks },  { "mprotect", commits },
	      { "mremap", grows }, { "mmap over it", replaces } };

#define ASKED (sizeof(asked) / sizeof(*asked))

/* ---- the process ------------------------------------------------------------------------------------------- */

static void *hold_me(void *role)
{
	say(ROLE, (int)bare(SYS_gettid, 0, 0, 0, 0, 0, 0));
	hear(GO);
	if (held[(size_t)role].limited)
		limit(0, false);
	held[(size_t)role].run();
	bare(END, 0, 0, 0, 0, 0, 0);
	return NULL;
}

static _Noreturn void process(size_t role)
{
	pthread_t thread;
	char *block;

	limit_bytes = addresses() + ROOM;
	reserved = mmap(NULL, 2 * WANTED, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	growing = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(reserved != MAP_FAILED && growing != MAP_FAILED, "errno=%d", errno);
	for (size_t i = 0; i < 2 && !held[role].early; i++) {
		block = mmap(NULL, USED, RW, ANON, -1, 0);
		CHECK(block != MAP_FAILED && !munmap(block, USED), "errno=%d", errno);
	}
	/* Something beyond the break. */
	CHECK(sbrk((intptr_t)(4 * WANTED)) != (void *)-1 && sbrk(-(intptr_t)(4 * WANTED)) != (void *)-1, "errno=%d",
	      errno);
	CHECK(!pthread_create(&thread, NULL, hold_me, (void *)role), "errno=%d", errno);
	hear(ASK);
	limit(0, held[role].alone);
	for (size_t i = 0; i < ASKED; i++) {
		size_t which = (turn + i) % ASKED;

		if (asked[which].run())
			continue;
		fprintf(stderr, "%s: refused, errno=%d\n", asked[which].name, errno);
		say(ANSWER, 1);
		_exit(1);
	}
	say(ANSWER, 0);
	CHECK(!pthread_join(thread, NULL), "errno=%d", errno);
	_exit(0);
}

/* ---- the tracer -------------------------------------------------------------------------------------------- */

/* Until its next stop at a system call. False: it is gone. */
static bool stops(pid_t thread, bool interrupted)
{
	for (;;) {
		int status, signal = 0;

		CHECK(waitpid(thread, &status, __WALL) == thread, "errno=%d", errno);
		if (!WIFSTOPPED(status))
			return false;
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) || (interrupted && status >> 16 == PTRACE_EVENT_STOP))
			return true;
		if (status >> 16 != PTRACE_EVENT_STOP)
			signal = WSTOPSIG(status);
		CHECK(!ptrace(PTRACE_SYSCALL, thread, 0, signal), "errno=%d", errno);
	}
}

static bool answers_within(int milliseconds)
{
	struct pollfd p = { channel[ANSWER][0], POLLIN, 0 };

	return poll(&p, 1, milliseconds) == 1;
}

/* True: it has been held; false: it was at its end by then. */
static bool hold_at(size_t role, size_t stop, bool *failed)
{
	bool was_held = true;
	int status;
	pid_t child, thread;

	turn = stop;
	for (int i = 0; i < CHANNELS; i++)
		CHECK(!pipe(channel[i]), "errno=%d", errno);
	child = fork();
	CHECK(child >= 0, "errno=%d", errno);
	if (!child)
		process(role);
	thread = hear(ROLE);
	CHECK(!ptrace(PTRACE_SEIZE, thread, 0, PTRACE_O_TRACESYSGOOD), "errno=%d", errno);
	CHECK(!ptrace(PTRACE_INTERRUPT, thread, 0, 0) && stops(thread, true), "errno=%d", errno);
	say(GO, 0);
	for (size_t i = 0; i <= stop && was_held; i++) {
		struct __ptrace_syscall_info info = { 0 };

		CHECK(!ptrace(PTRACE_SYSCALL, thread, 0, 0) && stops(thread, false), "errno=%d", errno);
		CHECK(ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof(info), &info) > 0, "errno=%d", errno);
		was_held = info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != END;
	}
	say(ASK, 0);
	answers_within(was_held ? HOLD : 0);
	/* The process may have ended by then: its parent hears of that when its tracer has. */
	if (ptrace(PTRACE_DETACH, thread, 0, 0)) {
		CHECK(errno == ESRCH, "errno=%d", errno);
		waitpid(thread, NULL, __WALL);
	}
	CHECK(waitpid(child, &status, 0) == child, "errno=%d", errno);
	if (status) {
		fprintf(stderr, "%s, held at stop %zu: status=%d\n", held[role].name, stop, status);
		*failed = true;
	}
	for (int i = 0; i < CHANNELS; i++)
		CHECK(!close(channel[i][0]) && !close(channel[i][1]), "errno=%d", errno);
	return was_held;
}

int main(void)
{
	int result = 0;

	for (size_t role = 0; role < sizeof(held) / sizeof(*held); role++) {
		bool failed = false;
		size_t stop = 0;

		while (!failed && hold_at(role, stop, &failed))
			stop++;
		if (!failed)
			printf("%s: held %zu times\n", held[role].name, stop);
		result |= failed;
	}
	return result;
}
