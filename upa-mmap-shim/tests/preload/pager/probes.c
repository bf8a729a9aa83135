/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protection, advice and moves of pages that are evicted: each must do what it does on pages in memory.
 * Usage: probes CASE; exit status 0, or 1 and a line; those of `core` end by a signal, and take a line of input first,
 * as does `waits`
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <upa/hint.h>

#include "bare.h"
#include "evicted.h"

#define PART 1024ul
#define SECOND (PAGES / 2) /* page: a part that begins there is no neighbour of one at 0 */
#define GUARD_INSTALL 102
#define GUARD_REMOVE 103

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
			if (there > PART / 2)
				break;
			usleep(10000);
		}
		/* Of the others that are touched, none brings it in. */
		if (there <= PART / 2)
			FAIL("of pages=%lu only there=%zu: a hint has had no effect", PART, there);
		/* The whole address space may be meant, and nothing. */
		CHECK(!hint(NULL, SIZE_MAX, UPA_NORMAL, 0) && !hint(memory, 0, UPA_WONT_NEED, 0));
	}
	/* More at once than there is room for. */
	for (int i = 0; i < 100000; i++)
		CHECK(!hint(page_at((size_t)i % PAGES), 64 * PAGE, (enum upa_hint_kind)(i % 6), 0));
	all_there();
}

static size_t resident_of(char *part)
{
	unsigned char resident[PART];
	size_t there = 0;

	CHECK(!mincore(part, PART * PAGE, resident));
	for (size_t p = 0; p < PART; p++)
		there += resident[p] & 1;
	return there;
}

/* What is important stays while there is something else, used or not; what is not has left. */
static void by_priorities(void)
{
	size_t most = 0, others = PART;

	hint = (__typeof__(hint))dlsym(RTLD_DEFAULT, "upa_hint");
	CHECK(hint && !hint(memory, PART * PAGE, UPA_PRIORITY, UPA_MOST_PRIORITY));
	CHECK(!hint(page_at(SECOND), PART * PAGE, UPA_PRIORITY, 0));
	for (int round = 0; round < 50 && most < PART; round++) {
		part_there(memory, 0, PART);
		for (size_t p = PART; p < PAGES; p++)
			expect(memory, p, content(p));
		most = resident_of(memory);
	}
	if (most < PART)
		FAIL("of important pages=%lu only there=%zu", PART, most);
	for (int round = 0; round < 3; round++)
		for (size_t p = SECOND; p < PAGES; p++)
			expect(memory, p, content(p));
	/* The pager may be behind: then there is more than the bound for a while. */
	for (int tries = 0; tries < 1000 && others > PART / 4; tries++) {
		usleep(10000);
		others = resident_of(page_at(SECOND));
	}
	most = resident_of(memory);
	if (most < PART || others > PART / 4)
		FAIL("of important pages=%lu there=%zu, of others there=%zu", PART, most, others);
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

/* ---- the end ------------------------------------------------------------------------------------- */

static volatile uint64_t counts[2]; /* when the program was to end; now */

static void *counts_on(void *unused)
{
	for (;; usleep(10000))
		counts[1]++;
	return unused;
}

static void says_where(void)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	pthread_t thread;
	char byte;

	setrlimit(RLIMIT_CORE, &all);
	CHECK(!pthread_create(&thread, NULL, counts_on, NULL));
	await_evicted();
	printf("%p %p\n", (void *)memory, (void *)(uintptr_t)counts);
	fflush(stdout);
	CHECK(read(0, &byte, 1) == 1);
	counts[0] = counts[1];
}

static void by_aborting(void)
{
	says_where();
	abort();
}

static void by_faulting(void)
{
	says_where();
	*(volatile char *)reserve(1) = 0;
}

/* As programs do that report their own end. */
static void reports(int signal)
{
	(void)sigaction(signal, &(const struct sigaction){ .sa_handler = SIG_DFL }, NULL);
	raise(signal);
}

static void by_reporting(void)
{
	struct sigaction old, action = { .sa_handler = reports };

	/* Nothing is to be seen of a handler that the program has not set. */
	CHECK(!sigaction(SIGBUS, &action, &old) && old.sa_handler == SIG_DFL);
	CHECK(signal(SIGBUS, SIG_DFL) == reports && signal(SIGBUS, reports) == SIG_DFL);
	CHECK(!sigaction(SIGBUS, NULL, &old) && old.sa_handler == reports);
	CHECK(signal(SIGXCPU, SIG_IGN) == SIG_DFL && signal(SIGXCPU, SIG_DFL) == SIG_IGN);
	says_where();
	raise(SIGBUS);
}

/* A file is not asked for: nothing has to come in. */
static void by_ending(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	await_evicted();
	raise(SIGSYS);
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

#define PIECE 37ul

/* Every second piece is a mapping of its own to the kernel, which refuses a range that more than one is in. */
static void cut(char *base, size_t pages)
{
	for (size_t p = 0; p < pages; p += 2 * PIECE)
		CHECK(!madvise(base + p * PAGE, (pages - p < PIECE ? pages - p : PIECE) * PAGE, MADV_SEQUENTIAL));
}

static void by_borders(void)
{
	char *fresh = mmap(NULL, PART * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(fresh != MAP_FAILED);
	cut(fresh, PART);
	/* From page to page, so that zeros come ahead. */
	for (size_t p = 0; p < PART; p++) {
		expect(fresh, p, 0);
		put(fresh, p, content(p));
	}
	part_there(fresh, 0, PART);
	cut(memory, PAGES);
	all_there();
	for (int round = 0; round < 4; round++) {
		char *part = page_at((size_t)round * 2 * PART);

		await_evicted();
		for (size_t p = 0; p < PAGES; p++)
			put(memory, p, content(p));
		await_evicted();
		CHECK(!madvise(part, PART * PAGE, MADV_WILLNEED));
		part_there(part, (size_t)round * 2 * PART, PART);
	}
	all_there();
	part_there(fresh, 0, PART);
	CHECK(!munmap(fresh, PART * PAGE));
}

static const struct evicted_case list[] = {
	{ "protection", by_protection },
	{ "advice", by_advice },
	{ "populating", by_populating },
	{ "borders", by_borders },
	{ "hints", by_hints },
	{ "priorities", by_priorities },
	{ "guards", by_guards },
	{ "wiping", by_wiping },
	{ "not-forking", by_not_forking },
	{ "shrinking", by_shrinking },
	{ "growing", by_growing },
	{ "keeping-the-old", by_keeping_the_old },
	{ "bare-move", by_bare_move },
	{ "bare-drop", by_bare_drop },
	{ "core-abort", by_aborting },
	{ "core-fault", by_faulting },
	{ "core-report", by_reporting },
	{ "no-core", by_ending },
	{ "waits", waits },
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "list")) {
		for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
			if (!strstr(list[i].name, "core") && list[i].run != waits)
				puts(list[i].name);
		return 0;
	}
	set_up();
	return run_case(list, sizeof(list) / sizeof(*list), name);
}
