/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signal handlers over calls on memory: that make such calls themselves, on a stack of their own, and that leave by
 * siglongjmp(), after which nobody ends what they were over. Says what came of it (scenarios.h); it must be the same
 * with and without the preloaded library (preload_test.sh).
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "scenarios.h"

#define TIMES 200

static sigjmp_buf escape;
static volatile sig_atomic_t armed, handled;

/* Within some microseconds, at another one each time. */
static void arm(int i)
{
	struct itimerval soon = { { 0, 0 }, { 0, 20 + i * 7 % 300 } };

	armed = 1;
	setitimer(ITIMER_REAL, &soon, NULL);
}

static void leave(int number)
{
	(void)number;
	if (!armed)
		return;
	armed = 0;
	siglongjmp(escape, 1);
}

static void on_alarm(void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigaction(SIGALRM, &action, NULL);
}

/* Makes calls until a signal comes between, again and again. */
static void left(const char *what, void (*call)(int i))
{
	volatile int times = 0;

	on_alarm(leave, 0);
	for (volatile int i = 0; i < TIMES; i++) {
		if (sigsetjmp(escape, 1)) {
			times++;
			continue;
		}
		arm(i);
		for (int k = 0;; k++)
			call(k);
	}
	on_alarm(SIG_IGN, 0);
	say("%s: left %d times", what, times);
	reuse();
}

static void map_and_unmap(int i)
{
	size_t bytes = (size_t)(i % 16 + 1) * 256 * KIB;
	char *block = map(bytes);

	block[0] = 1;
	munmap(block, bytes);
}

static void map_by_number(int i)
{
	char *block = (char *)syscall(SYS_mmap, NULL, MIB, RW, ANON, -1, 0);

	(void)i;
	block[0] = 1;
	syscall(SYS_munmap, block, MIB);
}

static void advise(int i)
{
	static char *block;

	block = block ? block : map(2 * MIB);
	block[0] = 1;
	madvise(block, 2 * MIB, i % 2 ? MADV_DONTNEED : MADV_FREE);
}

static void protect(int i)
{
	static char *block;

	block = block ? block : map(2 * MIB);
	mprotect(block, MIB, i % 2 ? PROT_READ : RW);
}

static void move_break(int i)
{
	(void)i;
	if (sbrk(MIB) == (void *)-1)
		exit(1);
	sbrk(-(intptr_t)MIB);
}

static void left_by_jumps(void)
{
	char *end;

	left("mmap", map_and_unmap);
	left("mmap by its number", map_by_number);
	left("madvise", advise);
	left("mprotect", protect);
	left("sbrk", move_break);
	/* Each is whole, and zero. */
	end = sbrk(4 * MIB);
	say("sbrk: %d", end != (void *)-1 && is(end, 4 * MIB, 0));
	memset(end, 'e', 4 * MIB);
	CALL(sbrk(-2 * (intptr_t)MIB));
	end = sbrk(2 * MIB);
	say("again: %d", is(end, 2 * MIB, 0));
	end = malloc(8 * MIB);
	memset(end, 'm', 8 * MIB);
	say("malloc: %d", is(end, 8 * MIB, 'm'));
	free(end);
}

static void allocate(int i)
{
	char *block = malloc(300 * KIB);

	(void)i;
	memset(block, 'm', PAGE);
	block[200 * KIB] = 'm';
	free(block);
}

/* Not of others than libc's, which have locks that nobody opens then. */
static bool may_leave_malloc(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	return !preloaded || !strstr(preloaded, "malloc");
}

/* What is promised zeros after malloc() has been left gets them. */
static void left_malloc(void)
{
	volatile int dirty = 0;

	mallopt(M_MMAP_THRESHOLD, 64 * KIB);
	on_alarm(leave, 0);
	for (volatile int i = 0; may_leave_malloc() && i < TIMES; i++) {
		char *zeros;

		if (!sigsetjmp(escape, 1)) {
			arm(i);
			for (;;)
				allocate(0);
		}
		zeros = calloc(1, 400 * KIB);
		dirty += !is(zeros, 400 * KIB, 0);
		memset(zeros, 'z', 400 * KIB);
		free(zeros);
	}
	on_alarm(SIG_IGN, 0);
	say("not zero: %d", dirty);
}

static void use(int number)
{
	char *block = map(MIB);

	(void)number;
	handled++;
	armed = 0;
	if (!is(block, MIB, 0))
		_exit(9);
	memset(block, 'h', MIB);
	munmap(block, MIB);
	move_break(0);
}

/* The handler's calls are made within the same calls. */
static void over_calls(void)
{
	static void (*const calls[])(int) = { map_and_unmap, map_by_number, advise, protect, move_break };

	on_alarm(use, SA_RESTART);
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		for (int k = 0; k < TIMES; k++) {
			arm(k);
			while (armed)
				calls[i](k);
		}
	on_alarm(SIG_IGN, 0);
	say("handled %d", handled == (int)(sizeof(calls) / sizeof(*calls)) * TIMES);
	reuse();
	CALL(sbrk(MIB));
	free(malloc(8 * MIB));
}

static void move_break_by_a_bit(int i)
{
	(void)i;
	if (sbrk(16) == (void *)-1)
		exit(1);
	sbrk(-16);
}

static void map_and_unmap_a_page(int i)
{
	(void)i;
	munmap(map(PAGE), PAGE);
}

static const struct stepped_call {
	const char *name;
	void (*make)(int);
} stepped_calls[] = {
	{ "sbrk", move_break_by_a_bit },
	{ "mmap and munmap", map_and_unmap_a_page },
	{ "mprotect", protect },
	{ "madvise", advise },
};

/* A handler comes after each of so many instructions of a call, and after some of the others. */
#define DENSE 256

/* What the process that makes calls, and the one that steps it, tell each other. */
struct steps {
	int call; /* to be made next; -1: none */
	bool inside;
};

static void make_calls(volatile struct steps *steps)
{
	on_alarm(use, SA_RESTART);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	for (;;) {
		raise(SIGSTOP);
		if (steps->call < 0)
			_exit(0);
		steps->inside = true;
		stepped_calls[steps->call].make(0);
		steps->inside = false;
	}
}

/* The child is at rest again, by this signal. One that waits for itself never is. */
static bool rests(pid_t child, int signal)
{
	int status;
	pid_t found = 0;

	for (int looks = 0; !found && looks < 20000; looks++) {
		found = waitpid(child, &status, WNOHANG);
		if (!found && looks > 1000)
			usleep(1000);
	}
	return found == child && WIFSTOPPED(status) && WSTOPSIG(status) == signal;
}

static bool step(pid_t child)
{
	int status;

	return !ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) && waitpid(child, &status, 0) == child &&
	       WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

/* A handler comes after that many instructions of a call. 1; 0: it does not have so many; -1: the child has died. */
static int handle_after(pid_t child, volatile struct steps *steps, long instructions)
{
	bool within;

	while (!steps->inside)
		if (!step(child))
			return -1;
	for (long i = 0; i < instructions && steps->inside; i++)
		if (!step(child))
			return -1;
	within = steps->inside;
	if (ptrace(PTRACE_CONT, child, NULL, (void *)(intptr_t)(within ? SIGALRM : 0)) || !rests(child, SIGSTOP))
		return -1;
	return within;
}

/* A handler that makes the same calls comes between two instructions of one. */
static void between_instructions(void)
{
	volatile struct steps *steps = mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0, more = 0;
	cpu_set_t all, one;
	pid_t child;

	/* On one processor: only one of them runs at a time. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	sched_getaffinity(0, sizeof(all), &all);
	sched_setaffinity(0, sizeof(one), &one);
	child = fork();
	if (!child)
		make_calls(steps);
	if (!rests(child, SIGSTOP))
		exit(1);
	for (int c = 0; c < (int)(sizeof(stepped_calls) / sizeof(*stepped_calls)) && more >= 0; c++) {
		steps->call = c;
		more = 1;
		for (long i = 0; more > 0; i += i < DENSE ? 1 : i / 4)
			more = handle_after(child, steps, i);
		say("%s: %s", stepped_calls[c].name,
		    more ? "it waits for itself, or has died" : "as without a handler");
	}
	steps->call = -1;
	if (more < 0)
		kill(child, SIGKILL);
	ptrace(PTRACE_CONT, child, NULL, NULL);
	waitpid(child, &status, 0);
	sched_setaffinity(0, sizeof(all), &all);
	say("end %d", status);
	munmap((void *)(uintptr_t)steps, PAGE);
}

/* On memory that is the region's. */
static void on_a_stack_of_its_own(void)
{
	char *memory = map(64 * KIB);
	stack_t stack = { .ss_sp = memory, .ss_size = 64 * KIB };

	CALL(sigaltstack(&stack, NULL));
	on_alarm(use, SA_ONSTACK);
	for (int i = 0; i < TIMES; i++)
		raise(SIGALRM);
	stack.ss_flags = SS_DISABLE;
	CALL(sigaltstack(&stack, NULL));
	CALL(munmap(memory, 64 * KIB));
	say("handled %d", (int)handled);
	reuse();
}

static ucontext_t caller, callee;

static void map_in_turns(void)
{
	for (int i = 0; i < 10; i++) {
		char *block = map(MIB);

		memset(block, 'c', MIB);
		swapcontext(&callee, &caller);
		say("kept %d", is(block, MIB, 'c'));
		munmap(block, MIB);
	}
}

static void on_a_stack_in_turns(void)
{
	char *memory = map(256 * KIB);

	getcontext(&callee);
	callee.uc_stack.ss_sp = memory;
	callee.uc_stack.ss_size = 256 * KIB;
	callee.uc_link = &caller;
	makecontext(&callee, map_in_turns, 0);
	for (int i = 0; i < 11; i++)
		swapcontext(&caller, &callee);
	munmap(memory, 256 * KIB);
	reuse();
}

SCENARIOS(SCENARIO(left_by_jumps), SCENARIO(left_malloc), SCENARIO(over_calls), SCENARIO(between_instructions),
	  SCENARIO(on_a_stack_of_its_own), SCENARIO(on_a_stack_in_turns))
