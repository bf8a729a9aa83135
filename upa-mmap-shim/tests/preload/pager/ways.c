/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways in which a program could read zeros, or what it has dropped, in place of what it has written: each with half
 * of the pages evicted. Usage: ways CASE     exit status 0, or 1 and a line
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evicted.h"

static void by_fork(void)
{
	child_looks(fork());
	/* And it goes on being paged. */
	await_evicted();
	child_looks(fork());
}

/* Of this one no handler is called. */
static void by_clone(void)
{
	child_looks((pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

/* It has no client that could bring anything in: what waits for one does not wait in it. */
static void by_clone_leaving(void)
{
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	char *place;

	if (!child) {
		place = mmap(NULL, 512 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(mremap(memory, 512 * PAGE, 512 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
		CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
		for (size_t p = 0; p < PAGES; p++)
			expect(p < 512 ? place : memory, p, content(p));
		_exit(0);
	}
	child_looks(child);
	await_evicted();
}

static void by_vfork(void)
{
	pid_t child = vfork();
	int status;

	if (!child)
		_exit(at(memory, 17)[0] != content(17));
	CHECK(child > 0 && waitpid(child, &status, 0) == child && !status);
	all_there();
}

static void by_mremap_out(void)
{
	char *place = mmap(NULL, 512 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *moved = mremap(memory + 1024 * PAGE, 512 * PAGE, 512 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);

	CHECK(moved == place);
	for (size_t p = 0; p < 512; p++)
		expect(moved, p, content(1024 + p));
}

static void by_mremap_growing(void)
{
	char *grown;

	/* Something behind it, so that it has to move. */
	mmap(memory + PAGES * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	grown = mremap(memory, PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE);
	CHECK(grown != MAP_FAILED);
	memory = grown;
	all_there();
	for (size_t p = PAGES; p < 2 * PAGES; p += 97)
		expect(memory, p, 0);
}

static void by_mapping_over(void)
{
	char *over = memory + 100 * PAGE;

	CHECK(mmap(over, 100 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == over);
	for (size_t p = 0; p < PAGES; p++)
		expect(memory, p, p >= 100 && p < 200 ? 0 : content(p));
	for (size_t p = 100; p < 200; p++)
		put(memory, p, content(p));
	all_there();
}

static void by_munmap(void)
{
	char *again;

	CHECK(!munmap(memory + 2048 * PAGE, 2048 * PAGE));
	again = mmap(NULL, 2048 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(again != MAP_FAILED);
	for (size_t p = 0; p < 2048; p++)
		expect(again, p, 0);
	for (size_t p = 0; p < 2048; p++)
		expect(memory, p, content(p));
}

static void by_dontneed(void)
{
	CHECK(!madvise(memory + 512 * PAGE, 1024 * PAGE, MADV_DONTNEED));
	for (size_t p = 0; p < PAGES; p++)
		expect(memory, p, p >= 512 && p < 1536 ? 0 : content(p));
}

static void by_free(void)
{
	CHECK(!madvise(memory + 512 * PAGE, 1024 * PAGE, MADV_FREE));
	for (size_t p = 512; p < 1536; p++)
		put(memory, p, content(p));
	await_evicted();
	all_there();
}

/* What the program closes is not what it is paged by. */
static void by_closing(void)
{
	CHECK(!syscall(SYS_close_range, 3, ~0u, 0));
	all_there();
	await_evicted();
	all_there();
}

static void by_mlock(void)
{
	unsigned char resident[256];

	CHECK(!mlock(memory + 256 * PAGE, 256 * PAGE));
	for (int round = 0; round < 3; round++) {
		all_there();
		usleep(50000);
		CHECK(!mincore(memory + 256 * PAGE, 256 * PAGE, resident));
		CHECK(!memchr(resident, 0, sizeof(resident)));
	}
	CHECK(!munlock(memory + 256 * PAGE, 256 * PAGE));
	all_there();
}

/* More than the bound: it is there, all the same, and so is what is taken beside it. */
static void by_locked(void)
{
	char *more;

	CHECK(!mlock(memory, PAGES * PAGE));
	more = mmap(NULL, 1024 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(more != MAP_FAILED);
	for (int round = 0; round < 20; round++) {
		for (size_t p = 0; p < 1024; p++)
			put(more, p, content(p) + (uint64_t)round);
		usleep(50000);
		CHECK(absent() == 0);
		for (size_t p = 0; p < 1024; p++)
			expect(more, p, content(p) + (uint64_t)round);
	}
	all_there();
}

/* Read and written by the kernel, in pieces over many pages. */
static void by_system_calls(void)
{
	char name[] = "/tmp/upa-ways-XXXXXX";
	int fd = mkstemp(name);
	struct iovec vector[2] = { { memory, 1000 * PAGE }, { memory + 3000 * PAGE, 1000 * PAGE } };

	CHECK(fd >= 0 && !unlink(name));
	CHECK(writev(fd, vector, 2) == (ssize_t)(2000 * PAGE));
	await_evicted();
	CHECK(pread(fd, memory + 3000 * PAGE, 1000 * PAGE, 0) == (ssize_t)(1000 * PAGE));
	for (size_t p = 0; p < 1000; p++)
		expect(memory, 3000 + p, content(p));
	CHECK(pread(fd, memory + 3000 * PAGE, 1000 * PAGE, 1000 * PAGE) == (ssize_t)(1000 * PAGE));
	all_there();
	close(fd);
}

/* All comes in before the filter is there, and stays. */
static void by_filter(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { 1, &allow };

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
	CHECK(absent() == 0);
	all_there();
	usleep(300000);
	CHECK(absent() == 0);
}

static void by_exec(char *self)
{
	extern char **environ;
	char *arguments[] = { self, "dontneed", NULL };
	pid_t child;
	int status;

	CHECK(!posix_spawn(&child, self, NULL, NULL, arguments, environ));
	CHECK(waitpid(child, &status, 0) == child && !status);
	all_there();
	execv(self, arguments);
	FAIL("execv: %s", strerror(errno));
}

static void nothing(int signal)
{
	(void)signal;
}

static void *touches(void *unused)
{
	for (int round = 0; round < 3; round++)
		all_there();
	return unused;
}

static void by_signals(void)
{
	struct sigaction action = { .sa_handler = nothing };
	pthread_t thread;

	CHECK(!sigaction(SIGUSR1, &action, NULL) && !pthread_create(&thread, NULL, touches, NULL));
	for (int i = 0; i < 2000; i++) {
		pthread_kill(thread, SIGUSR1);
		usleep(100);
	}
	pthread_join(thread, NULL);
}

static sigjmp_buf past;

static void bus(int signal)
{
	(void)signal;
	siglongjmp(past, 1);
}

/* The store is damaged while we wait for a line: a page is as it was, or cannot be touched. */
static void by_damage(void)
{
	struct sigaction action = { .sa_handler = bus };
	volatile size_t lost = 0;
	char line[8];

	CHECK(!sigaction(SIGBUS, &action, NULL));
	puts("ready");
	CHECK(!fflush(stdout) && read(0, line, sizeof(line)) > 0);
	for (volatile size_t p = 0; p < PAGES; p++) {
		if (sigsetjmp(past, 1))
			lost++;
		else
			expect(memory, p, content(p));
	}
	CHECK(lost > 0);
	/* Pages written anew are pages again. */
	CHECK(!madvise(memory, PAGES * PAGE, MADV_DONTNEED));
	for (size_t p = 0; p < PAGES; p++)
		put(memory, p, content(p));
	all_there();
}

/* How many times each page has been written to; its content goes with that. */
static void expect_rounds(uint64_t rounds)
{
	for (size_t p = 0; p < PAGES; p++)
		expect(memory, p, content(p) + rounds);
}

/*
 * Pages that have come to be read are written to in each way there is: what they held before must not come back. With a
 * store in which they keep a copy.
 */
static void by_copies(void)
{
	char name[] = "/tmp/upa-ways-XXXXXX";
	int fd = mkstemp(name);
	uint64_t round = 0;
	pid_t child;
	int status;

	CHECK(fd >= 0 && !unlink(name));
	all_there();
	all_there();
	for (size_t p = 0; p < PAGES; p++)
		put(memory, p, content(p) + 1);
	expect_rounds(++round);
	expect_rounds(round);
	/* By the kernel. */
	for (size_t p = 0; p < PAGES; p++) {
		char page[PAGE] = { 0 };

		put(page, 0, content(p) + 2);
		CHECK(pwrite(fd, page, PAGE, (off_t)(p * PAGE)) == (ssize_t)PAGE);
	}
	CHECK(pread(fd, memory, PAGES * PAGE, 0) == (ssize_t)(PAGES * PAGE));
	expect_rounds(++round);
	expect_rounds(round);
	/* By a child, whose pages are its own, and by the parent meanwhile. */
	child = fork();
	if (!child) {
		for (size_t p = 0; p < PAGES; p++)
			put(memory, p, content(p) + 99);
		expect_rounds(99);
		expect_rounds(99);
		_exit(0);
	}
	for (size_t p = 0; p < PAGES; p += 2)
		put(memory, p, content(p) + 3);
	CHECK(child > 0 && waitpid(child, &status, 0) == child && !status);
	for (size_t p = 0; p < PAGES; p++)
		expect(memory, p, content(p) + 2 + (p % 2 == 0));
	for (size_t p = 1; p < PAGES; p += 2)
		put(memory, p, content(p) + 3);
	expect_rounds(++round);
	expect_rounds(round);
	/* At other addresses. */
	for (size_t p = 0; p + 64 <= PAGES; p += 256) {
		char *place = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		char *moved = mremap(memory + p * PAGE, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);

		CHECK(moved == place);
		for (size_t k = 0; k < 64; k++) {
			expect(moved, k, content(p + k) + round);
			put(moved, k, content(p + k) + round);
		}
		CHECK(mremap(moved, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, memory + p * PAGE) ==
		      memory + p * PAGE);
	}
	expect_rounds(round);
	/* Dropped, and written anew. */
	CHECK(!madvise(memory, PAGES / 2 * PAGE, MADV_DONTNEED));
	for (size_t p = 0; p < PAGES / 2; p++)
		expect(memory, p, 0);
	for (size_t p = 0; p < PAGES / 2; p++)
		put(memory, p, content(p) + round);
	expect_rounds(round);
	close(fd);
}

static const struct evicted_case list[] = {
	{ "fork", by_fork },
	{ "clone", by_clone },
	{ "clone-leaving", by_clone_leaving },
	{ "vfork", by_vfork },
	{ "mremap-out", by_mremap_out },
	{ "mremap-growing", by_mremap_growing },
	{ "mapping-over", by_mapping_over },
	{ "munmap", by_munmap },
	{ "dontneed", by_dontneed },
	{ "free", by_free },
	{ "closing", by_closing },
	{ "mlock", by_mlock },
	{ "locked", by_locked },
	{ "system-calls", by_system_calls },
	{ "filter", by_filter },
	{ "signals", by_signals },
	{ "damage", by_damage },
	{ "copies", by_copies },
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	set_up();
	if (!strcmp(name, "exec"))
		by_exec(argv[0]);
	return run_case(list, sizeof(list) / sizeof(*list), name);
}
