/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on memory that few programs make, and their numbers: process_madvise(), remap_file_pages(), brk() by
 * its number, personality(), exit of a thread, fork without handlers, flags that do not exist. Says what came of it
 * (scenarios.h); it must be the same with and without the preloaded library (preload_test.sh).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "scenarios.h"

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* As reuse(), and a child of fork() finds all of it: nothing is left of what had been advised. */
static void reuse_and_fork(void)
{
	char *block = map(16 * MIB);
	int status;
	pid_t child;

	memset(block, 'f', 16 * MIB);
	fflush(stdout);
	child = fork();
	if (!child) {
		alarm(300);
		_exit(is(block, 16 * MIB, 'f') ? 0 : 1);
	}
	waitpid(child, &status, 0);
	say("in a child: %#x", (unsigned)status);
	munmap(block, 16 * MIB);
	reuse();
}

/* ---- several ranges at once ------------------------------------------------------------------------- */

static void advise_self(int self, int advice)
{
	char *block = map(4 * MIB);
	struct iovec vector[2] = { { block, MIB }, { block + 2 * MIB, 2 * MIB } };

	memset(block, 'a', 4 * MIB);
	CALL(syscall(SYS_process_madvise, self, vector, 2, advice, 0));
	say("advice %d", advice);
	munmap(block, 4 * MIB);
	reuse_and_fork();
}

static void advised_by_descriptor(void)
{
	static const int advice[] = { MADV_DONTFORK, MADV_WIPEONFORK, MADV_MERGEABLE,  MADV_DONTDUMP,
				      MADV_FREE,     MADV_WILLNEED,   MADV_NOHUGEPAGE, 102 /* MADV_GUARD_INSTALL */ };
	static struct iovec many[1025];
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	char *block = map(4 * MIB);
	struct iovec vector[] = { { block, MIB }, { block + MIB, PAGE }, { block + 2 * MIB, MIB } };

	if (self < 0)
		return;
	for (size_t i = 0; i < sizeof(advice) / sizeof(*advice); i++)
		advise_self(self, advice[i]);
	memset(block, 'b', 4 * MIB);
	munmap(block + MIB, PAGE);
	CALL(syscall(SYS_process_madvise, self, vector + 1, 1, MADV_DONTNEED, 0));
	say("up to the hole: %ld", syscall(SYS_process_madvise, self, vector, 3, MADV_DONTNEED, 0));
	say("emptied %d, kept %d", is(block, MIB, 0), is(block + 2 * MIB, 2 * MIB, 'b'));
	CALL(syscall(SYS_process_madvise, self, vector, 1, MADV_DONTNEED, 1));
	CALL(syscall(SYS_process_madvise, self, NULL, 1, MADV_DONTNEED, 0));
	CALL(syscall(SYS_process_madvise, self, vector, 5000, MADV_DONTNEED, 0));
	/* All legible, but one more than may be. */
	many[0] = vector[0];
	memset(block, 'b', MIB);
	CALL(syscall(SYS_process_madvise, self, many, 1025, MADV_DONTNEED, 0));
	say("kept %d", is(block, MIB, 'b'));
	CALL(syscall(SYS_process_madvise, self, 16, 1, MADV_DONTNEED, 0));
	CALL(syscall(SYS_process_madvise, self, vector, 1, 4711, 0));
	CALL(syscall(SYS_process_madvise, 0, vector, 1, MADV_DONTNEED, 0));
	munmap(block, 4 * MIB);
	close(self);
	reuse_and_fork();
}

static void advised_by_the_last_descriptor(void)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	struct rlimit few = { (rlim_t)self + 1, (rlim_t)self + 1 };

	if (self < 0)
		return;
	CALL(setrlimit(RLIMIT_NOFILE, &few));
	while (dup(STDOUT_FILENO) >= 0)
		;
	advise_self(self, MADV_DONTFORK);
	advise_self(self, 102 /* MADV_GUARD_INSTALL */);
}

/* Of another process, whose addresses are the same. */
static void advised_elsewhere(void)
{
	char *block = map(MIB);
	struct iovec vector = { block, MIB };
	pid_t child;
	int other;

	memset(block, 'e', MIB);
	fflush(stdout);
	child = fork();
	if (!child)
		for (;;)
			pause();
	other = (int)syscall(SYS_pidfd_open, child, 0);
	CALL(syscall(SYS_process_madvise, other, &vector, 1, MADV_DONTNEED, 0));
	CALL(syscall(SYS_process_madvise, other, &vector, 1, MADV_COLD, 0));
	say("kept %d", is(block, MIB, 'e'));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* A purge that is served in place must not overlook what is not there. */
static void purge_over_holes(void)
{
	char *block = map(4 * MIB);

	for (int i = 0; i < 4; i++) {
		memset(block, 'p', 4 * MIB);
		CALL(madvise(block, 4 * MIB, MADV_DONTNEED));
	}
	munmap(block + MIB, 16 * PAGE);
	for (int i = 0; i < 4; i++) {
		memset(block + 2 * MIB, 'p', 2 * MIB);
		CALL(madvise(block, 4 * MIB, MADV_DONTNEED));
		say("emptied %d", is(block + 2 * MIB, 2 * MIB, 0));
	}
	munmap(block, 4 * MIB);
}

static void spliced_from_nowhere(void)
{
	int ends[2];

	CALL(pipe(ends));
	CALL(vmsplice(ends[1], (struct iovec *)16, 1, 0));
	CALL(vmsplice(ends[1], (struct iovec *)16, 2000, 0));
}

/* ---- pages of a file in another order -------------------------------------------------------------- */

static void rearranged(void)
{
	int fd = memfd_create("file", 0);
	char *block = map(MIB), *file;

	memset(block, 'r', MIB);
	CALL(ftruncate(fd, 4 * PAGE));
	file = mmap(block, 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	for (int i = 0; i < 4; i++)
		file[(size_t)i * PAGE] = (char)('0' + i);
	CALL(remap_file_pages(file, PAGE, 0, 3, 0));
	say("%c%c%c%c", file[0], file[PAGE], file[2 * PAGE], file[3 * PAGE]);
	CALL(remap_file_pages(block + 8 * PAGE, PAGE, 0, 3, 0));
	munmap(block, MIB);
	CALL(remap_file_pages(block, PAGE, 0, 3, 0));
	reuse();
}

/* ---- the heap beyond its end ------------------------------------------------------------------------ */

/* A page that was the heap's a moment ago. */
static char *behind_the_heap(void)
{
	char *was = sbrk(0);

	if (sbrk(8 * (intptr_t)MIB) == was)
		memset(was, 'h', 8 * MIB);
	say("shrunk %d", sbrk(-8 * (intptr_t)MIB) == was + 8 * MIB);
	return (char *)(((uintptr_t)was + 5 * PAGE) & ~(PAGE - 1));
}

static void behind_the_heap_is_nothing(void)
{
	unsigned char resident[1];
	struct iovec vector = { NULL, PAGE };
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	CALL(mincore(behind_the_heap(), PAGE, resident));
	CALL(msync(behind_the_heap(), PAGE, MS_ASYNC));
	CALL(mprotect(behind_the_heap(), PAGE, RW));
	CALL(madvise(behind_the_heap(), PAGE, MADV_NORMAL));
	CALL(madvise(behind_the_heap(), PAGE, MADV_DONTNEED));
	CALL(madvise(behind_the_heap(), PAGE, MADV_WILLNEED));
	CALL(mlock(behind_the_heap(), PAGE));
	CALL(munlock(behind_the_heap(), PAGE));
	CALL(mremap(behind_the_heap(), PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	vector.iov_base = behind_the_heap();
	if (self >= 0)
		CALL(syscall(SYS_process_madvise, self, &vector, 1, MADV_WILLNEED, 0));
	vector.iov_base = behind_the_heap();
	CALL(mmap(vector.iov_base, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == vector.iov_base ? 0 : -1);
	say("empty %d", is(vector.iov_base, PAGE, 0));
	CALL(sbrk(MIB));
}

static void hint_behind_the_heap(void)
{
	char *page = behind_the_heap();
	int id = shmget(IPC_PRIVATE, PAGE, 0600 | IPC_CREAT);

	say("followed %d", mmap(page, PAGE, RW, ANON, -1, 0) == page);
	munmap(page, PAGE);
	page = behind_the_heap();
	say("attached %d", id < 0 || shmat(id, page, 0) == page);
	shmctl(id, IPC_RMID, 0);
}

static void break_by_number(void)
{
	char *was = sbrk(0);

	behind_the_heap();
	say("where it was: %d", (char *)syscall(SYS_brk, 0) == was);
	behind_the_heap();
	say("moved: %d", (char *)syscall(SYS_brk, was + 2 * MIB) == was + 2 * MIB);
	say("zero: %d", is(was, 2 * MIB, 0));
	memset(was, 'b', 2 * MIB);
	say("to libc: %d", (char *)sbrk(0) == was);
	CALL(sbrk(MIB));
	say("kept: %d", is(was, MIB, 'b'));
}

/* ---- questions about pages ---------------------------------------------------------------------------- */

static void asked_about_nodes(void)
{
	char *block = map(4 * MIB);
	void *pages[] = { block, block + MIB, block + MIB + 7, block + 2 * MIB - PAGE, block + 2 * MIB };
	int states[5] = { 77, 77, 77, 77, 77 }, nodes[5] = { 0 }, mode;
	unsigned long mask[16];

	memset(block, 'n', 4 * MIB);
	munmap(block + MIB, MIB);
	for (int moves = 0; moves < 2; moves++) {
		CALL(syscall(SYS_move_pages, moves ? getpid() : 0, 5, pages, moves ? nodes : NULL, states, 2));
		say("states %d %d %d %d %d", states[0], states[1], states[2], states[3], states[4]);
	}
	CALL(syscall(SYS_move_pages, 0, 5, pages, NULL, states, 77));
	CALL(syscall(SYS_move_pages, 0, 5, pages, NULL, NULL, 2));
	CALL(syscall(SYS_move_pages, 0, 5, 16, NULL, states, 2));
	for (int i = 0; i < 5; i++) {
		CALL(syscall(SYS_get_mempolicy, &mode, mask, 1024, pages[i], 2));
		CALL(syscall(SYS_get_mempolicy, &mode, NULL, 0, pages[i], 3));
		CALL(syscall(SYS_get_mempolicy, &mode, mask, 1024, pages[i], 6));
		CALL(syscall(SYS_get_mempolicy, &mode, mask, 1024, pages[i], 1 << 20));
		CALL(syscall(SYS_get_mempolicy, &mode, mask, 1024, pages[i], 0));
	}
	munmap(block, 4 * MIB);
}

/* ---- the process ------------------------------------------------------------------------------------ */

static void run_code(char *page)
{
#ifdef __x86_64__
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
#else
	static const unsigned char code[] = { 0 };
#endif
	int status;
	pid_t child;

	if (sizeof(code) == 1)
		return;
	memcpy(page, code, sizeof(code));
	fflush(stdout);
	child = fork();
	if (!child)
		_exit(((int (*)(void))(uintptr_t)page)());
	waitpid(child, &status, 0);
	say("run: %#x", (unsigned)status);
}

static void code_in_data(void)
{
	char *before = map(MIB);

	run_code(before);
	CALL(personality(READ_IMPLIES_EXEC));
	run_code(map(MIB));
	CALL(mprotect(before, MIB, RW));
	run_code(before);
	run_code(behind_the_heap() - 4 * PAGE);
	CALL(syscall(SYS_personality, 0));
	run_code(map(MIB));
}

/* So much is kept that a thread of our own gives it back. */
static void keep_much(void)
{
	char *block = malloc(16 * MIB);

	memset(block, 1, 16 * MIB);
	free(block);
	block = map(32 * MIB);
	memset(block, 1, 32 * MIB);
	munmap(block, 32 * MIB);
	usleep(50000);
}

static void last_thread_ends(void)
{
	alarm(300);
	keep_much();
	fflush(stdout);
	syscall(SYS_exit, 7);
}

static void forked_by_number(void)
{
	int status;
	pid_t child;

	keep_much();
	fflush(stdout);
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!child) {
		struct rlimit64 limit = { 8ul << 30, 8ul << 30 };

		alarm(300);
		reuse();
		CALL(setrlimit64(RLIMIT_AS, &limit));
		CALL(setgid(getgid()));
		reuse();
		fflush(stdout);
		_exit(3);
	}
	waitpid(child, &status, 0);
	say("ended %#x", (unsigned)status);
}

static int use_shared_memory(void *unused)
{
	(void)unused;
	for (int i = 0; i < 50; i++) {
		char *block = map(MIB);

		if (!is(block, MIB, 0))
			return 1;
		memset(block, i + 1, MIB);
		munmap(block, MIB);
	}
	return 5;
}

static void process_with_the_same_memory(void)
{
	char *stack = map(MIB);
	int status;
	pid_t child = clone(use_shared_memory, stack + MIB, CLONE_VM | SIGCHLD, NULL);

	say("here %d", use_shared_memory(NULL));
	waitpid(child, &status, 0);
	say("there %#x", (unsigned)status);
	munmap(stack, MIB);
	reuse();
}

/* ---- flags that mmap() does not know and mremap() refuses ------------------------------------------- */

static void unknown_flags(void)
{
	const int known = MAP_TYPE | MAP_FIXED | MAP_GROWSDOWN | MAP_LOCKED | MAP_HUGETLB | MAP_FIXED_NOREPLACE;

	for (int bit = 0; bit < 31; bit++) {
		char *block = map(MIB), *other;

		errno = 0;
		other = mremap(block, MIB, 2 * MIB, 1 << bit);
		say("mremap, bit %d: %d", bit, other == MAP_FAILED ? errno : 0);
		if ((1 << bit) & known)
			continue;
		other = mmap(NULL, MIB, RW, ANON | 1 << bit, -1, 0);
		if (other != MAP_FAILED) {
			say("mmap, bit %d: zero %d", bit, is(other, MIB, 0));
			memset(other, 'u', MIB);
			munmap(other, MIB);
		}
		other = (char *)syscall(SYS_mmap, block, MIB, RW, ANON | MAP_FIXED | 1 << bit, -1, 0);
		if (other != MAP_FAILED) {
			say("over it: zero %d", is(other, MIB, 0));
			munmap(other, MIB);
		}
	}
}

/* Refused by the kernel before it looks at any page, in use or not; and what of it is ours must not be looked at. */
static void refused_at_once(void)
{
	struct rlimit *nowhere = (struct rlimit *)16;
	char *block = map(4 * MIB);
	char *const places[] = { block, block + MIB, block + MIB + 1 };

	munmap(block + MIB, 2 * MIB);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		say("place %zu", i);
		CALL(mremap(places[i], PAGE, 1ul << 47, MREMAP_MAYMOVE));
		CALL(mremap(places[i], PAGE, -PAGE, MREMAP_MAYMOVE));
		CALL(mremap(places[i], -PAGE, 2 * PAGE, MREMAP_MAYMOVE));
		CALL(mremap(places[i], -1ul, 2 * PAGE, MREMAP_MAYMOVE));
		CALL(mlock2(places[i], PAGE, 8));
		CALL(syscall(SYS_mlock2, places[i], PAGE, 8));
		CALL(mprotect(places[i], PAGE, 0x4000));
		CALL(madvise(places[i], PAGE, 4711));
		CALL(msync(places[i], PAGE, MS_SYNC | MS_ASYNC));
	}
	CALL(setrlimit(RLIMIT_AS, nowhere));
	CALL(setrlimit64(RLIMIT_DATA, (struct rlimit64 *)nowhere));
	CALL(prlimit(0, RLIMIT_AS, nowhere, NULL));
	CALL(prlimit64(0, RLIMIT_DATA, (struct rlimit64 *)nowhere, NULL));
	CALL(syscall(SYS_setrlimit, RLIMIT_AS, nowhere));
	CALL(syscall(SYS_prlimit64, 0, RLIMIT_AS, nowhere, NULL));
	munmap(block, 4 * MIB);
	reuse();
}

/* Whose size is in bits that mean nothing elsewhere, and which lie at multiples of it. */
static void huge_pages(void)
{
	char *block = map(4 * MIB);

	for (unsigned log = 12; log < 64; log++) {
		char *huge = mmap(NULL, 1ul << 30, RW, ANON | MAP_HUGETLB | MAP_NORESERVE | (int)(log << 26), -1, 0);

		say("pages of %u bits: %d", log, huge == MAP_FAILED ? errno : 0);
		if (huge != MAP_FAILED)
			munmap(huge, 1ul << 30);
		/* Never at such a multiple. */
		huge = mmap((char *)((uintptr_t)block & -2 * MIB) + 2 * MIB + PAGE, PAGE, RW,
			    ANON | MAP_FIXED | MAP_HUGETLB | (int)(log << 26), -1, 0);
		say("at an odd address: %d", huge == MAP_FAILED ? errno : 0);
	}
	for (int bit = 20; bit < 31; bit++) {
		char *valid = mmap(NULL, PAGE, RW, MAP_SHARED_VALIDATE | 1 << bit, 0, 0);

		say("validated, bit %d: %d", bit, valid == MAP_FAILED ? errno : 0);
	}
	munmap(block, 4 * MIB);
	reuse();
}

static void bound_over_holes(void)
{
	char *block = map(4 * MIB);
	unsigned long nodes = 1;

	memset(block, 'b', 4 * MIB);
	munmap(block + MIB, MIB);
	CALL(syscall(SYS_mbind, block, 4 * MIB, 0, NULL, 0, 0));
	CALL(syscall(SYS_mbind, block + MIB, PAGE, 0, NULL, 0, 0));
	CALL(syscall(SYS_mbind, block, 4 * MIB, 2 /* MPOL_BIND */, &nodes, 8, 0));
	CALL(syscall(SYS_mbind, block, 4 * MIB, 77, &nodes, 8, 0));
	CALL(syscall(SYS_mbind, block, 4 * MIB, 2, NULL, 0, 0));
	CALL(syscall(SYS_mbind, block + MIB + 1, PAGE, 2, NULL, 0, 0));
	CALL(syscall(SYS_pkey_mprotect, block, 4 * MIB, PROT_READ, 0));
	CALL(syscall(SYS_pkey_mprotect, block + MIB, PAGE, PROT_READ, 0));
	munmap(block, 4 * MIB);
	reuse();
}

/* ---- all of memory, this code too -------------------------------------------------------------------- */

#ifdef __x86_64__
#define TOP ((1ul << 47) - PAGE)
#else
#define TOP (1ul << 48)
#endif

static void unmap_all(void)
{
	munmap(NULL, TOP);
}

static void map_over_all(void)
{
	mmap((void *)MIB, TOP - MIB, PROT_NONE, ANON | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

/* Whoever does it cannot go on, and is held there. */
static void see_what_is_left(void (*act)(void))
{
	char path[32], line[256];
	int status = 0, left = 0;
	pid_t child = fork();
	FILE *maps;

	if (!child) {
		alarm(300);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		act();
		_exit(1);
	}
	waitpid(child, &status, 0);
	snprintf(path, sizeof(path), "/proc/%d/maps", child);
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof(line), maps))
		left += !strstr(line, "[vsyscall]");
	if (maps)
		fclose(maps);
	say("held %d by signal %d, mappings left %d", WIFSTOPPED(status), WSTOPSIG(status), left);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}

static void all_at_once(void)
{
	see_what_is_left(unmap_all);
	see_what_is_left(map_over_all);
	reuse();
}

SCENARIOS(SCENARIO(advised_by_descriptor), SCENARIO(advised_by_the_last_descriptor), SCENARIO(asked_about_nodes),
	  SCENARIO(advised_elsewhere), SCENARIO(purge_over_holes), SCENARIO(spliced_from_nowhere), SCENARIO(rearranged),
	  SCENARIO(behind_the_heap_is_nothing), SCENARIO(hint_behind_the_heap), SCENARIO(break_by_number),
	  SCENARIO(code_in_data), SCENARIO(last_thread_ends), SCENARIO(forked_by_number),
	  SCENARIO(process_with_the_same_memory), SCENARIO(unknown_flags), SCENARIO(refused_at_once),
	  SCENARIO(huge_pages), SCENARIO(bound_over_holes), SCENARIO(all_at_once))
