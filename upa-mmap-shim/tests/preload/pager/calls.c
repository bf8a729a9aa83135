/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel reads and writes for a program in pages that are evicted: it must be as with pages in memory.
 * Usage: calls CASE     exit status 0, or 1 and a line
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "evicted.h"

#define PART 1024ul
#define SECOND (PAGES / 2) /* page: a part that begins there is no neighbour of one at 0 */

/* ---- input and output ---------------------------------------------------------------------------- */

static int direct_file(void)
{
	char name[] = "/var/tmp/upa-probe-XXXXXX";
	int fd = mkostemp(name, O_DIRECT);

	if (fd < 0 && errno == EINVAL)
		exit(0);
	CHECK(fd >= 0 && !unlink(name));
	return fd;
}

/* Past the caches: the device reads and writes these pages themselves. */
static void by_direct_io(void)
{
	int fd = direct_file();

	for (int round = 0; round < 3; round++) {
		await_evicted();
		for (size_t p = 0; p < PAGES; p += PART)
			CHECK(pwrite(fd, page_at(p), PART * PAGE, (off_t)(p * PAGE)) == (ssize_t)(PART * PAGE));
		for (size_t p = 0; p < PAGES; p += 2)
			put(memory, p, ~content(p));
		await_evicted();
		for (size_t p = 0; p < PAGES; p += PART)
			CHECK(pread(fd, page_at(p), PART * PAGE, (off_t)(p * PAGE)) == (ssize_t)(PART * PAGE));
		all_there();
	}
	close(fd);
}

static _Atomic bool enough;

static void *touches(void *unused)
{
	while (!enough)
		for (size_t p = 0; p < SECOND; p++)
			expect(memory, p, content(p));
	return unused;
}

/* A device writes into pages while others are evicted for a thread that touches them. */
static void by_direct_io_beside(void)
{
	int fd = direct_file();
	pthread_t thread;

	CHECK(pwrite(fd, page_at(SECOND), SECOND * PAGE, 0) == (ssize_t)(SECOND * PAGE));
	CHECK(!pthread_create(&thread, NULL, touches, NULL));
	for (int round = 0; round < 8; round++) {
		for (size_t p = SECOND; p < PAGES; p++)
			put(memory, p, ~content(p));
		for (size_t p = 0; p < SECOND; p += PART)
			CHECK(pread(fd, page_at(SECOND + p), PART * PAGE, (off_t)(p * PAGE)) == (ssize_t)(PART * PAGE));
		for (size_t p = SECOND; p < PAGES; p++)
			expect(memory, p, content(p));
	}
	enough = true;
	pthread_join(thread, NULL);
	all_there();
	close(fd);
}

/* What the kernel holds for a ring stays where it is. */
static void by_ring(void)
{
	struct io_uring_params parameters = { 0 };
	struct iovec vector = { memory, PAGES * PAGE };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);

	if (ring < 0)
		return;
	CHECK(!syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &vector, 1));
	CHECK(absent() == 0);
	usleep(300000);
	CHECK(absent() == 0);
	all_there();
	close(ring);
}

/* ---- what the kernel reads and writes for a thread ----------------------------------------------- */

static _Atomic int handled;

static void handle(int signal)
{
	char frame[4096];

	memset(frame, signal, sizeof(frame));
	handled += frame[77] == signal;
}

/* The kernel puts the frame of a handler to a stack that is evicted. */
static void by_signal_stack(void)
{
	struct sigaction action = { .sa_handler = handle, .sa_flags = SA_ONSTACK };

	CHECK(!sigaction(SIGUSR1, &action, NULL));
	for (int i = 0; i < 50; i++) {
		size_t page = evicted_page();
		stack_t stack = { .ss_sp = page_at(page & ~15ul), .ss_size = 16 * PAGE };

		CHECK(!sigaltstack(&stack, NULL) && !raise(SIGUSR1));
		stack.ss_flags = SS_DISABLE;
		CHECK(!sigaltstack(&stack, NULL));
		for (size_t p = page & ~15ul; p < (page & ~15ul) + 16; p++)
			memset(page_at(p), 0, PAGE), put(memory, p, content(p));
	}
	CHECK(handled == 50);
	all_there();
}

static void *runs(void *argument)
{
	char frame[8192];

	memset(frame, 1, sizeof(frame));
	return frame[4444] == 1 ? argument : NULL;
}

static void by_thread_stack(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	void *result;

	CHECK(!pthread_attr_init(&attributes));
	for (int i = 0; i < 20; i++) {
		size_t first = evicted_page() & ~63ul;

		CHECK(!pthread_attr_setstack(&attributes, page_at(first), 64 * PAGE));
		CHECK(!pthread_create(&thread, &attributes, runs, memory));
		CHECK(!pthread_join(thread, &result) && result == memory);
		for (size_t p = first; p < first + 64; p++)
			memset(page_at(p), 0, PAGE), put(memory, p, content(p));
	}
	all_there();
}

/* Arguments of a program are read out of evicted pages, where the child is a copy and where it shares them. */
static void by_arguments(char *self)
{
	extern char **environ;
	char **arguments = (char **)(void *)page_at(100);
	pid_t child;
	int status;

	for (int round = 0; round < 2; round++) {
		strcpy(page_at(200), self);
		strcpy(page_at(300), "is-argument");
		arguments[0] = page_at(200);
		arguments[1] = page_at(300);
		arguments[2] = NULL;
		for (size_t p = 0; p < PAGES; p++)
			if (p != 100 && p != 200 && p != 300)
				put(memory, p, content(p));
		await_evicted();
		if (round) {
			child = fork();
			if (!child) {
				execv(self, arguments);
				_exit(1);
			}
		} else {
			CHECK(!posix_spawn(&child, self, NULL, NULL, arguments, environ));
		}
		CHECK(child > 0 && waitpid(child, &status, 0) == child && !status);
	}
}

static void by_futex(void)
{
	struct timespec soon = { .tv_nsec = 1000000 };

	for (int i = 0; i < 50; i++) {
		size_t page = evicted_page();
		uint32_t *word = (uint32_t *)(void *)page_at(page);
		uint32_t value = (uint32_t)content(page);

		CHECK(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value + 1, &soon, NULL, 0) == -1 && errno == EAGAIN);
		CHECK(syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &soon, NULL, 0) == -1 && errno == ETIMEDOUT);
		CHECK(syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);
	}
	all_there();
}

static void by_small_calls(void)
{
	struct timespec now;

	for (int i = 0; i < 50; i++) {
		size_t page = evicted_page();
		char *address = page_at(page);

		switch (i % 4) {
		case 0: CHECK(syscall(SYS_getrandom, address, PAGE, 0) == (long)PAGE); break;
		case 1: CHECK(!syscall(SYS_clock_gettime, CLOCK_MONOTONIC, address)); break;
		case 2: CHECK(syscall(SYS_getcwd, address, PAGE) > 0); break;
		default: CHECK(syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", address, PAGE) > 0); break;
		}
		memset(address, 0, PAGE);
		put(memory, page, content(page));
	}
	CHECK(!clock_gettime(CLOCK_MONOTONIC, &now));
	all_there();
}

/* Another process reads and writes these pages. */
static void by_another_process(void)
{
	pid_t parent = getpid(), child;
	int status, ends[2];
	char byte = 0;

	CHECK(!pipe(ends));
	await_evicted();
	child = fork();
	if (!child) {
		static uint64_t copy[512];

		for (size_t p = 0; p < PAGES; p++) {
			struct iovec mine = { copy, PAGE }, other = { page_at(p), PAGE };

			if (process_vm_readv(parent, &mine, 1, &other, 1, 0) != (ssize_t)PAGE)
				_exit(errno == EPERM ? 77 : 2);
			if (copy[0] != content(p) || copy[511] != content(p))
				_exit(3);
			copy[0] = copy[511] = ~content(p);
			if (process_vm_writev(parent, &mine, 1, &other, 1, 0) != (ssize_t)PAGE)
				_exit(4);
		}
		_exit(0);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		return;
	if (status)
		FAIL("another process, status=%x", status);
	for (size_t p = 0; p < PAGES; p++)
		expect(memory, p, ~content(p));
	close(ends[1]);
	CHECK(read(ends[0], &byte, 1) == 0);
}

static void by_locking_all(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
		CHECK(errno == EPERM || errno == ENOMEM);
		return;
	}
	CHECK(absent() == 0);
	usleep(300000);
	CHECK(absent() == 0);
	all_there();
}

static const struct evicted_case list[] = {
	{ "direct-io", by_direct_io },
	{ "direct-io-beside", by_direct_io_beside },
	{ "ring", by_ring },
	{ "signal-stack", by_signal_stack },
	{ "thread-stack", by_thread_stack },
	{ "futex", by_futex },
	{ "small-calls", by_small_calls },
	{ "another-process", by_another_process },
	{ "locking-all", by_locking_all },
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "is-argument"))
		return argc != 2;
	if (!strcmp(name, "list")) {
		for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
			puts(list[i].name);
		return 0;
	}
	set_up();
	if (!strcmp(name, "arguments")) {
		by_arguments(argv[0]);
		return 0;
	}
	return run_case(list, sizeof(list) / sizeof(*list), name);
}
