/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What processes and threads do to one another: handlers of fork() that map, forks and exec among threads that map,
 * limits that a child sets for its parent, children of vfork(), a debugger, descriptors that are all closed. Says what
 * came of it (scenarios.h); it must be the same with and without the preloaded library (preload_test.sh).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "scenarios.h"

#define BAD ((void *)1)

/* How it ends. */
static int in_child(void (*run)(void))
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		alarm(300);
		run();
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return status;
}

/* ---- fork among threads ---------------------------------------------------------------------------------- */

static bool handlers_map;
static char *before;

static char *filled(size_t bytes, char value)
{
	char *block = map(bytes);

	if (!is(block, bytes, 0))
		_exit(77);
	memset(block, value, bytes);
	return block;
}

static void prepare(void)
{
	if (!handlers_map)
		return;
	before = filled(3 * MIB, 'b');
	munmap(before, MIB);
	memset(sbrk(2 * MIB), 1, 2 * MIB);
	sbrk(-2 * (intptr_t)MIB);
}

static void in_parent(void)
{
	if (!handlers_map)
		return;
	filled(2 * MIB, 'p');
	munmap(before + MIB, 2 * MIB);
}

static void in_the_child(void)
{
	if (!handlers_map)
		return;
	filled(2 * MIB, 'c');
	if (!is(before + MIB, 2 * MIB, 'b'))
		_exit(78);
	munmap(before + MIB, 2 * MIB);
}

static void *fork_often(void *unused)
{
	int status;

	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (!child) {
			filled(MIB, 'f');
			_exit(0);
		}
		waitpid(child, &status, 0);
		if (status)
			return BAD;
	}
	return unused;
}

static void *map_often(void *unused)
{
	for (int i = 0; i < 1000; i++) {
		size_t bytes = (size_t)(i % 5 + 1) * 64 * KIB;
		char *block = map(bytes);

		if (!is(block, bytes, 0))
			return BAD;
		memset(block, 'm', bytes);
		munmap(block, bytes);
	}
	return unused;
}

static void run_threads(int forking, int mapping)
{
	pthread_t threads[8];
	int n = forking + mapping, bad = 0;

	for (int i = 0; i < n; i++)
		pthread_create(&threads[i], NULL, i < forking ? fork_often : map_often, NULL);
	for (int i = 0; i < n; i++) {
		void *result;

		pthread_join(threads[i], &result);
		bad += result != NULL;
	}
	say("%d forking, %d mapping: %d went wrong", forking, mapping, bad);
	reuse();
}

static void handlers_of_fork(void)
{
	pthread_atfork(prepare, in_parent, in_the_child);
	handlers_map = true;
	run_threads(1, 2);
	handlers_map = false;
}

static void forks_in_threads(void)
{
	run_threads(3, 3);
}

static void *map_for_ever(void *unused)
{
	for (;;)
		munmap(filled(MIB, 'e'), MIB);
	return unused;
}

static void run_another(void)
{
	pthread_t thread;

	for (int i = 0; i < 4; i++)
		pthread_create(&thread, NULL, map_for_ever, NULL);
	usleep(2000);
	execl("/bin/echo", "echo", "another program", NULL);
	_exit(1);
}

static void exec_among_threads(void)
{
	for (int i = 0; i < 5; i++)
		say("ended %#x", (unsigned)in_child(run_another));
}

/* ---- limits that come from another process ------------------------------------------------------------------ */

static int limited_resource;
static rlim_t limited_to;

static void limit_parent(void)
{
	struct rlimit limit = { limited_to, limited_to };

	_exit(prlimit(getppid(), limited_resource, &limit, NULL) ? 1 : 0);
}

static void try_mapping(size_t mib, int protection)
{
	char *block = mmap(NULL, mib * MIB, protection, ANON | MAP_NORESERVE, -1, 0);

	say("%zu MiB: %d", mib, block != MAP_FAILED);
	if (block != MAP_FAILED)
		munmap(block, mib * MIB);
}

static void limited_addresses(void)
{
	pthread_t thread;

	limited_resource = RLIMIT_AS;
	limited_to = 6ul << 30;
	say("limited %#x", (unsigned)in_child(limit_parent));
	try_mapping(5 * 1024, RW);
	try_mapping(7 * 1024, RW);
	try_mapping(7 * 1024, PROT_NONE);
	reuse();
	for (int i = 0; i < 4; i++) {
		say("a thread: %d", pthread_create(&thread, NULL, map_often, NULL));
		pthread_join(thread, NULL);
	}
	say("a child: %#x", (unsigned)in_child(reuse));
	free(malloc(100 * MIB));
}

static void limited_data(void)
{
	limited_resource = RLIMIT_DATA;
	limited_to = 512 * MIB;
	say("limited %#x", (unsigned)in_child(limit_parent));
	try_mapping(300, RW);
	try_mapping(700, RW);
	try_mapping(700, PROT_NONE);
	CALL(sbrk(100 * MIB));
	CALL(sbrk(600 * MIB));
	reuse();
	say("malloc %d", malloc(200 * MIB) != NULL);
}

/* Set, met, and lifted again. */
static void lifted_limit(void)
{
	struct rlimit was, limit = { 8ul << 30, RLIM_INFINITY };

	CALL(getrlimit(RLIMIT_AS, &was));
	CALL(setrlimit(RLIMIT_AS, &limit));
	try_mapping(16 * 1024, PROT_NONE);
	CALL(setrlimit(RLIMIT_AS, &was));
	try_mapping(16 * 1024, PROT_NONE);
	reuse();
}

/* ---- others at this one's memory ----------------------------------------------------------------------------- */

static int vfork_and_map(void)
{
	int status;
	pid_t child = vfork();

	if (!child) {
		munmap(filled(4 * MIB, 'c'), 4 * MIB);
		free(malloc(300000));
		_exit(3);
	}
	waitpid(child, &status, 0);
	return status;
}

static void children_of_vfork(void)
{
	for (int i = 0; i < 20; i++) {
		char *block = filled(2 * MIB, 'v');

		say("ended %#x, kept %d", (unsigned)vfork_and_map(), is(block, 2 * MIB, 'v'));
		munmap(block, 2 * MIB);
	}
	reuse();
}

static void programs_spawned(void)
{
	char *arguments[] = { "true", NULL };

	for (int i = 0; i < 10; i++) {
		char *block = filled(4 * MIB, 's');
		int status = -1;
		pid_t child;

		if (!posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ))
			waitpid(child, &status, 0);
		say("ended %#x, kept %d", (unsigned)status, is(block, 4 * MIB, 's'));
		munmap(block, 4 * MIB);
	}
	reuse();
}

static void debugged(void)
{
	char *block = filled(MIB, 't'), path[64], byte = 0;
	int status, memory;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(block[1] == 'Z' && block[4096] == 'M' && is(block + 8192, MIB - 8192, 't') ? 0 : 1);
	}
	waitpid(child, &status, 0);
	say("word %lx", (unsigned long)ptrace(PTRACE_PEEKDATA, child, block, NULL));
	ptrace(PTRACE_POKEDATA, child, block, 0x5a5a5a5a5a5a5a5a);
	snprintf(path, sizeof(path), "/proc/%d/mem", child);
	memory = open(path, O_RDWR);
	CALL(pread(memory, &byte, 1, (off_t)(uintptr_t)(block + 100)) - 1);
	CALL(pwrite(memory, "M", 1, (off_t)(uintptr_t)(block + 4096)) - 1);
	ptrace(PTRACE_CONT, child, NULL, NULL);
	waitpid(child, &status, 0);
	say("read %c, ended %#x, kept %d", byte, (unsigned)status, is(block, MIB, 't'));
	munmap(block, MIB);
	reuse();
}

/* Whatever has been open; and others have their numbers then. */
static void descriptors_closed(void)
{
	int fd, open_before = 0, open_after = 0;

	munmap(filled(32 * MIB, 'd'), 32 * MIB);
	usleep(20000);
	fflush(stdout);
	for (int i = 3; i < 1024; i++)
		close(i);
	fd = open("/dev/null", O_RDWR);
	say("lowest %d", fd);
	for (int i = 4; i < 200; i++)
		open_before += dup2(fd, i) == i;
	munmap(filled(64 * MIB, 'd'), 64 * MIB);
	usleep(700000);
	reuse();
	for (int i = 4; i < 200; i++)
		open_after += fcntl(i, F_GETFD) >= 0;
	say("open %d, %d", open_before, open_after);
}

/* A libc of its own, with a heap of its own, beside the program's. */
static void second_libc(void)
{
	void *library = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW), *theirs[100], *ours[100];
	void *(*their_malloc)(size_t) = library ? (void *(*)(size_t))dlsym(library, "malloc") : NULL;
	void (*their_free)(void *) = library ? (void (*)(void *))dlsym(library, "free") : NULL;
	int bad = 0;

	for (int i = 0; their_malloc && i < 100; i++) {
		size_t bytes = (size_t)i * 5000 + 1;

		memset(theirs[i] = their_malloc(bytes), i, bytes);
		memset(ours[i] = malloc(bytes), ~i, bytes);
	}
	for (int i = 0; their_malloc && i < 100; i++) {
		size_t bytes = (size_t)i * 5000 + 1;

		bad += !is(theirs[i], bytes, (char)i) + !is(ours[i], bytes, (char)~i);
		their_free(theirs[i]);
		free(ours[i]);
	}
	say("wrong %d", bad);
	reuse();
}

SCENARIOS(SCENARIO(handlers_of_fork), SCENARIO(forks_in_threads), SCENARIO(exec_among_threads),
	  SCENARIO(limited_addresses), SCENARIO(limited_data), SCENARIO(lifted_limit), SCENARIO(children_of_vfork),
	  SCENARIO(programs_spawned), SCENARIO(debugged), SCENARIO(descriptors_closed), SCENARIO(second_libc))
