/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel does for a program on pages that are evicted: each must do what it does on pages in memory.
 * Usage: probes CASE     exit status 0, or 1 and a line; `core` ends by SIGABRT, `waits` takes a line of input
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include <upa/hint.h>

#include "bare.h"
#include "evicted.h"

#define PART 1024ul
#define SECOND (PAGES / 2) /* page: a part that begins there is no neighbour of one at 0 */
#define GUARD_INSTALL 102
#define GUARD_REMOVE 103

static char *page_at(size_t page)
{
	return memory + page * PAGE;
}

static void part_there(char *base, size_t first, size_t count)
{
	for (size_t p = 0; p < count; p++)
		expect(base, p, content(first + p));
}

/* A page that is outside of memory now. */
static size_t evicted_page(void)
{
	unsigned char resident;

	for (int tries = 0; tries < 1000; tries++) {
		for (size_t p = 0; p < PAGES; p++) {
			CHECK(!mincore(page_at(p), PAGE, &resident));
			if (!(resident & 1))
				return p;
		}
		usleep(10000);
	}
	FAIL("nothing is evicted");
}

/* ---- protection ---------------------------------------------------------------------------------- */

static sigjmp_buf past;

static void jump(int signal)
{
	siglongjmp(past, signal);
}

static int signal_of_reading(size_t page)
{
	int signal = sigsetjmp(past, 1);

	if (!signal)
		(void)*(volatile uint64_t *)at(memory, page);
	return signal;
}

static int signal_of_writing(size_t page)
{
	int signal = sigsetjmp(past, 1);

	if (!signal)
		*(volatile uint64_t *)at(memory, page) = content(page);
	return signal;
}

static void catch_faults(void)
{
	struct sigaction action = { .sa_handler = jump };

	CHECK(!sigaction(SIGSEGV, &action, NULL) && !sigaction(SIGBUS, &action, NULL));
}

static void by_protection(void)
{
	catch_faults();
	CHECK(!mprotect(memory, PAGES * PAGE, PROT_NONE));
	for (size_t p = 0; p < PAGES; p += 61)
		CHECK(signal_of_reading(p) == SIGSEGV);
	CHECK(!mprotect(memory, PAGES * PAGE, PROT_READ));
	all_there();
	for (size_t p = 0; p < PAGES; p += 61)
		CHECK(signal_of_writing(p) == SIGSEGV);
	/* In pieces, so that there are many mappings. */
	for (size_t p = 0; p < PAGES; p += 128)
		CHECK(!mprotect(page_at(p), 64 * PAGE, PROT_READ | PROT_WRITE));
	CHECK(!mprotect(memory, PAGES * PAGE, PROT_READ | PROT_WRITE));
	for (size_t p = 0; p < PAGES; p++)
		put(memory, p, content(p));
	await_evicted();
	all_there();
}

/* ---- advice -------------------------------------------------------------------------------------- */

static void by_advice(void)
{
	static const int keep[] = { MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_SEQUENTIAL, MADV_RANDOM, MADV_NORMAL };

	for (size_t i = 0; i < sizeof(keep) / sizeof(*keep); i++) {
		/* Some kernels have not all of them. */
		CHECK(!madvise(memory, PAGES * PAGE, keep[i]) || errno == EINVAL);
		all_there();
		await_evicted();
	}
	CHECK(!posix_madvise(memory, PAGES * PAGE, POSIX_MADV_DONTNEED));
	all_there();
	await_evicted();
	/* Anonymous memory that is private cannot be removed. */
	CHECK(madvise(memory, PAGES * PAGE, MADV_REMOVE) == -1 && errno == EINVAL);
	all_there();
}

static void by_populating(void)
{
	unsigned char resident[PART];

	await_evicted();
	if (madvise(memory, PART * PAGE, MADV_POPULATE_READ)) {
		CHECK(errno == EINVAL);
		return;
	}
	CHECK(!madvise(page_at(SECOND), PART * PAGE, MADV_POPULATE_WRITE));
	CHECK(!mincore(page_at(SECOND), PART * PAGE, resident));
	part_there(memory, 0, PART);
	part_there(page_at(SECOND), SECOND, PART);
	all_there();
}

static int (*hint)(const void *, size_t, enum upa_hint_kind, int);

/* What will be needed comes in, without a touch, whoever says so. */
static void by_hints(void)
{
	unsigned char resident[PART];
	size_t there;

	hint = (__typeof__(hint))dlsym(RTLD_DEFAULT, "upa_hint");
	CHECK(hint);
	CHECK(hint(memory, PAGE, UPA_PRIORITY + 1, 0) == -EINVAL && hint(memory, PAGE, UPA_PRIORITY, -1) == -EINVAL);
	CHECK(hint(memory, PAGE, UPA_PRIORITY, UPA_MOST_PRIORITY + 1) == -EINVAL && hint(memory, PAGE, UPA_RANDOM, 1));
	for (int round = 0; round < 4; round++) {
		char *part = page_at((size_t)round * 2 * PART);

		await_evicted();
		/* The other parts push it out. */
		for (size_t p = 0; p < PAGES; p++)
			if (page_at(p) < part || page_at(p) >= part + PART * PAGE)
				expect(memory, p, content(p));
		if (round % 2)
			CHECK(!madvise(part, PART * PAGE, MADV_WILLNEED));
		else
			CHECK(!hint(part, PART * PAGE, UPA_WILL_NEED, 0));
		for (int tries = 0; tries < 1000; tries++) {
			there = 0;
			CHECK(!mincore(part, PART * PAGE, resident));
			for (size_t p = 0; p < PART; p++)
				there += resident[p] & 1;
			if (there > PART - PART / 4)
				break;
			usleep(10000);
		}
		if (there <= PART - PART / 4)
			FAIL("of pages=%lu only there=%zu: a hint has had no effect", PART, there);
		/* The whole address space may be meant, and nothing. */
		CHECK(!hint(NULL, SIZE_MAX, UPA_NORMAL, 0) && !hint(memory, 0, UPA_WONT_NEED, 0));
	}
	/* More at once than there is room for. */
	for (int i = 0; i < 100000; i++)
		CHECK(!hint(page_at((size_t)i % PAGES), 64 * PAGE, (enum upa_hint_kind)(i % 6), 0));
	all_there();
}

/* A guard takes what was there, evicted or not: afterwards there are zeros. */
static void by_guards(void)
{
	await_evicted();
	if (madvise(memory, PART * PAGE, GUARD_INSTALL)) {
		CHECK(errno == EINVAL);
		return;
	}
	catch_faults();
	for (size_t p = 0; p < PART; p += 61)
		CHECK(signal_of_reading(p) == SIGSEGV);
	CHECK(!madvise(memory, PART * PAGE, GUARD_REMOVE));
	for (size_t p = 0; p < PAGES; p++)
		expect(memory, p, p < PART ? 0 : content(p));
}

/* Keys of random numbers are kept so: a child must not have them, wherever they are. */
static void by_wiping(void)
{
	pid_t child;
	int status;

	if (madvise(memory, PART * PAGE, MADV_WIPEONFORK)) {
		CHECK(errno == EINVAL);
		return;
	}
	all_there();
	await_evicted();
	child = fork();
	if (!child) {
		for (size_t p = 0; p < PAGES; p++)
			expect(memory, p, p < PART ? 0 : content(p));
		_exit(0);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && !status);
	all_there();
}

static void by_not_forking(void)
{
	pid_t child;
	int status;

	CHECK(!madvise(memory, PART * PAGE, MADV_DONTFORK));
	child = fork();
	if (!child) {
		for (size_t p = PART; p < PAGES; p++)
			expect(memory, p, content(p));
		_exit(0);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && !status);
	CHECK(!madvise(memory, PART * PAGE, MADV_DOFORK));
	child_looks(fork());
}

/* ---- moves --------------------------------------------------------------------------------------- */

static char *reserve(size_t pages)
{
	char *place = mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(place != MAP_FAILED);
	return place;
}

static void by_shrinking(void)
{
	CHECK(mremap(memory, PAGES * PAGE, SECOND * PAGE, 0) == memory);
	part_there(memory, 0, SECOND);
	CHECK(mremap(memory, SECOND * PAGE, PAGES * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
}

/* Grows in place if it can, moves if not; again and again, with content on both sides. */
static void by_growing(void)
{
	char *grown = memory;

	for (size_t pages = PAGES; pages < 4 * PAGES; pages += PAGES / 2) {
		grown = mremap(grown, pages * PAGE, (pages + PAGES / 2) * PAGE, MREMAP_MAYMOVE);
		CHECK(grown != MAP_FAILED);
		for (size_t p = pages; p < pages + PAGES / 2; p++) {
			expect(grown, p, 0);
			put(grown, p, content(p));
		}
		part_there(grown, 0, pages + PAGES / 2);
	}
}

static void by_keeping_the_old(void)
{
	char *moved = mremap(memory, PART * PAGE, PART * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);

	if (moved == MAP_FAILED) {
		CHECK(errno == EINVAL);
		return;
	}
	part_there(moved, 0, PART);
	for (size_t p = 0; p < PAGES; p++)
		expect(memory, p, p < PART ? 0 : content(p));
}

/* The library sees nothing of this: what the kernel tells the pager is all there is. */
static void by_bare_move(void)
{
	char *place = reserve(PART);

	await_evicted();
	CHECK((char *)bare(SYS_mremap, (long)page_at(SECOND), PART * PAGE, PART * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
			   (long)place, 0) == place);
	part_there(place, SECOND, PART);
	for (size_t p = 0; p < PAGES; p++)
		if (p < SECOND || p >= SECOND + PART)
			expect(memory, p, content(p));
}

static void by_bare_drop(void)
{
	await_evicted();
	CHECK(!bare(SYS_madvise, (long)memory, PART * PAGE, MADV_DONTNEED, 0, 0, 0));
	CHECK(!bare(SYS_munmap, (long)page_at(SECOND), PART * PAGE, 0, 0, 0, 0));
	CHECK((char *)bare(SYS_mmap, (long)page_at(SECOND), PART * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == page_at(SECOND));
	for (size_t p = 0; p < PAGES; p++)
		expect(memory, p, p < PART || (p >= SECOND && p < SECOND + PART) ? 0 : content(p));
}

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

/* ---- the end ------------------------------------------------------------------------------------- */

static void by_core(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_CORE, &all);
	await_evicted();
	abort();
}

static void waits(void)
{
	char byte;

	await_evicted();
	printf("%p\n", (void *)memory);
	fflush(stdout);
	CHECK(read(0, &byte, 1) == 1);
	all_there();
}

static const struct probe {
	const char *name;
	void (*run)(void);
} list[] = {
	{ "protection", by_protection },
	{ "advice", by_advice },
	{ "populating", by_populating },
	{ "hints", by_hints },
	{ "guards", by_guards },
	{ "wiping", by_wiping },
	{ "not-forking", by_not_forking },
	{ "shrinking", by_shrinking },
	{ "growing", by_growing },
	{ "keeping-the-old", by_keeping_the_old },
	{ "bare-move", by_bare_move },
	{ "bare-drop", by_bare_drop },
	{ "direct-io", by_direct_io },
	{ "direct-io-beside", by_direct_io_beside },
	{ "ring", by_ring },
	{ "signal-stack", by_signal_stack },
	{ "thread-stack", by_thread_stack },
	{ "futex", by_futex },
	{ "small-calls", by_small_calls },
	{ "another-process", by_another_process },
	{ "locking-all", by_locking_all },
	{ "core", by_core },
	{ "waits", waits },
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "is-argument"))
		return argc != 2;
	if (!strcmp(name, "list")) {
		for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
			if (list[i].run != by_core && list[i].run != waits)
				puts(list[i].name);
		return 0;
	}
	set_up();
	if (!strcmp(name, "arguments")) {
		by_arguments(argv[0]);
		return 0;
	}
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		if (!strcmp(list[i].name, name)) {
			list[i].run();
			return 0;
		}
	return 2;
}
