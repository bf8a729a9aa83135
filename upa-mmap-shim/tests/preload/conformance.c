/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios of the manual pages mmap, munmap, mremap, madvise, mprotect, mincore, mlock, msync, brk, fork, vfork. Says
 * what came of each: results, errno, contents, faults, no addresses. It links nothing of UPA; what it says with and
 * without the preloaded library must be the same (preload_test.sh).
 *
 * What UPA is free to differ in, whether a page faults after munmap, is said only with the argument "strict".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Newer than glibc 2.31. */
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE 4096ul
#define MIB (1ul << 20)
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 32)
/* Its number instead, which is as good to compare. */
static const char *strerrorname_np(int error)
{
	static char name[16];

	snprintf(name, sizeof(name), "%d", error);
	return name;
}
#endif

static const char *scenario;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	va_list arguments;

	printf("%s: ", scenario);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* Says a result that is 0 or -1, or an address, with its errno. */
#define CALL(expression)                                                                                               \
	do {                                                                                                           \
		long result_;                                                                                          \
		errno = 0;                                                                                             \
		result_ = (long)(expression);                                                                          \
		say("%s = %s, %s", #expression, result_ == -1 ? "-1" : "ok",                                           \
		    strerrorname_np(errno) ? strerrorname_np(errno) : "0");                                            \
	} while (0)

static sigjmp_buf escape;
static volatile sig_atomic_t fault_expected;

static void on_fault(int signal)
{
	if (!fault_expected) {
		static const char text[] = "unexpected fault\n";

		if (write(2, text, sizeof(text) - 1) < 0 || write(2, scenario, strlen(scenario)) < 0)
			_exit(4);
		_exit(3);
	}
	fault_expected = 0;
	siglongjmp(escape, signal);
}

/* What a byte reads as: its value, or "SIGSEGV" or "SIGBUS" as a negative number. */
static int peek(const volatile char *address)
{
	int signal = sigsetjmp(escape, 1);
	int value;

	if (signal)
		return -signal;
	fault_expected = 1;
	value = *address;
	fault_expected = 0;
	return value;
}

static int poke(volatile char *address, char value)
{
	int signal = sigsetjmp(escape, 1);

	if (signal)
		return -signal;
	fault_expected = 1;
	*address = value;
	fault_expected = 0;
	return 0;
}

static char *map(size_t bytes)
{
	char *block = mmap(NULL, bytes, RW, ANON, -1, 0);

	if (block == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return block;
}

static bool zero(const char *block, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (block[i])
			return false;
	return true;
}

static bool is(const char *block, size_t bytes, char value)
{
	for (size_t i = 0; i < bytes; i++)
		if (block[i] != value)
			return false;
	return true;
}

/* A scratch file of `bytes` bytes of 'f', already unlinked. */
static int file(size_t bytes)
{
	char name[] = "/tmp/upa-conformance-XXXXXX";
	int fd = mkstemp(name);
	char *text = malloc(bytes);

	memset(text, 'f', bytes);
	if (fd < 0 || unlink(name) || write(fd, text, bytes) != (ssize_t)bytes) {
		perror(name);
		exit(1);
	}
	free(text);
	return fd;
}

/* ---- mmap and munmap ---------------------------------------------------------------------------- */

static void zeros_after_reuse(void)
{
	static const size_t sizes[] = { 1,   PAGE,    3 * PAGE,       64 << 10, 65 << 10,
					MIB, 2 * MIB, 2 * MIB + PAGE, 5 * MIB,  40 * MIB };

	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			char *block = map(sizes[i]);
			size_t bytes = (sizes[i] + PAGE - 1) & ~(PAGE - 1);

			if (!zero(block, bytes))
				say("%zu bytes are not zero", sizes[i]);
			memset(block, 0x5a, bytes);
			if (munmap(block, sizes[i]))
				say("munmap: %m");
		}
	say("done");
}

static void errors_of_mmap(void)
{
	char *block = map(4 * PAGE);

	CALL(mmap(NULL, 0, RW, ANON, -1, 0));
	CALL(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
	CALL(mmap(NULL, PAGE, RW, ANON, -1, 1));
	CALL(mmap(NULL, SIZE_MAX, RW, ANON, -1, 0));
	CALL(mmap(NULL, SIZE_MAX - 2 * PAGE, RW, ANON, -1, 0));
	CALL(mmap(NULL, 1ul << 46, RW, ANON, -1, 0));
	CALL(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0));
	CALL(mmap(block + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	CALL(mmap(block, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	CALL(munmap(block + 1, PAGE));
	CALL(munmap(block, 0));
	CALL(munmap(block, SIZE_MAX & ~(PAGE - 1)));
	CALL(munmap(block, 4 * PAGE));
	CALL(munmap(block, 4 * PAGE));
}

static void hints(void)
{
	char *block = map(8 * MIB);
	char *other = mmap(block, MIB, RW, ANON, -1, 0);

	say("a taken address is not given: %d", other != block && other != MAP_FAILED);
	CALL(munmap(other, MIB));
	CALL(munmap(block, 8 * MIB));
	other = mmap((void *)0x20000000000, MIB, RW, ANON, -1, 0);
	say("usable %d", other != MAP_FAILED && zero(other, MIB) && !poke(other, 1));
	CALL(munmap(other, MIB));
}

static void holes(void)
{
	char *block = map(16 * PAGE);

	memset(block, 'a', 16 * PAGE);
	CALL(munmap(block + 4 * PAGE, 2 * PAGE));
	CALL(munmap(block + 8 * PAGE, PAGE));
	say("rest %d %d %d", is(block, 4 * PAGE, 'a'), is(block + 6 * PAGE, 2 * PAGE, 'a'),
	    is(block + 9 * PAGE, 7 * PAGE, 'a'));
	CALL(mprotect(block, 16 * PAGE, PROT_READ));
	CALL(madvise(block, 16 * PAGE, MADV_DONTNEED));
	CALL(munmap(block, 16 * PAGE));
}

static void replaced_by_file(void)
{
	int fd = file(8 * PAGE);
	char *block = map(16 * PAGE);
	char *other;

	memset(block, 'a', 16 * PAGE);
	CALL(mmap(block + 4 * PAGE, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0));
	say("contents %d %d %d", is(block, 4 * PAGE, 'a'), is(block + 4 * PAGE, 4 * PAGE, 'f'),
	    is(block + 8 * PAGE, 8 * PAGE, 'a'));
	say("write %d", poke(block + 4 * PAGE, 1));
	/* What is mapped over them nobody else may get. */
	for (int i = 0; i < 50; i++) {
		other = map(16 * PAGE);
		memset(other, 'b', 16 * PAGE);
	}
	say("contents %d", is(block + 4 * PAGE, 4 * PAGE, 'f'));
	CALL(munmap(block, 16 * PAGE));
	for (int i = 0; i < 50; i++) {
		other = map(16 * PAGE);
		say("new %d", zero(other, 16 * PAGE));
		say("write %d", poke(other + 5 * PAGE, 1));
	}
	close(fd);
}

static void none_and_back(void)
{
	char *block = map(2 * MIB);

	memset(block, 'a', 2 * MIB);
	CALL(mmap(block, 2 * MIB, PROT_NONE, ANON | MAP_FIXED | MAP_NORESERVE, -1, 0));
	say("read %d", peek(block));
	CALL(mmap(block + MIB, MIB, RW, ANON | MAP_FIXED, -1, 0));
	say("zero %d, read %d", zero(block + MIB, MIB), peek(block));
	CALL(mprotect(block, MIB, RW));
	say("zero %d", zero(block, MIB));
	CALL(munmap(block, 2 * MIB));
}

static void shared_anonymous(void)
{
	char *block = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork();

	if (!child) {
		strcpy(block, "from the child");
		_exit(0);
	}
	waitpid(child, NULL, 0);
	say("%s", block);
	CALL(munmap(block, 4 * PAGE));
}

static void other_flags(void)
{
	CALL(mmap(NULL, MIB, RW, ANON | MAP_POPULATE, -1, 0));
	CALL(mmap(NULL, MIB, RW, ANON | MAP_NORESERVE, -1, 0));
	CALL(mmap(NULL, MIB, RW, ANON | MAP_STACK, -1, 0));
	CALL(mmap(NULL, MIB, RW, ANON | MAP_GROWSDOWN, -1, 0));
	CALL(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0));
	CALL(mmap(NULL, MIB, RW | PROT_EXEC, ANON, -1, 0));
	CALL(mmap(NULL, MIB, PROT_READ, ANON, -1, 0));
	CALL(mmap(NULL, MIB, PROT_NONE, ANON, -1, 0));
	CALL(mmap(NULL, MIB, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0));
}

/* ---- mprotect ----------------------------------------------------------------------------------- */

static void protection(void)
{
	char *block = map(8 * PAGE);
	char *other;

	memset(block, 'a', 8 * PAGE);
	CALL(mprotect(block + 2 * PAGE, 2 * PAGE, PROT_READ));
	say("read %d write %d", peek(block + 2 * PAGE), poke(block + 2 * PAGE, 'x'));
	CALL(mprotect(block + 4 * PAGE, 2 * PAGE, PROT_NONE));
	say("read %d", peek(block + 4 * PAGE));
	CALL(mprotect(block, 8 * PAGE, RW));
	say("write %d", poke(block + 2 * PAGE, 'a'));
	say("contents %d", is(block, 8 * PAGE, 'a'));
	CALL(mprotect(block, 8 * PAGE, PROT_NONE));
	CALL(munmap(block, 8 * PAGE));
	for (int i = 0; i < 8; i++) {
		other = map(8 * PAGE);
		say("next holder: zero %d", zero(other, 8 * PAGE));
		say("write %d", poke(other, 1));
	}
	CALL(mprotect(other + 1, PAGE, RW));
	CALL(mprotect(other, PAGE, 0x4000));
	CALL(mprotect(other, 0, RW));
	CALL(mprotect((void *)PAGE, PAGE, RW));
}

/* ---- madvise ------------------------------------------------------------------------------------ */

static void advice(void)
{
	static const int harmless[] = { MADV_NORMAL,     MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
					MADV_DONTDUMP,   MADV_DODUMP, MADV_DOFORK,     MADV_HUGEPAGE,
					MADV_NOHUGEPAGE, MADV_COLD,   MADV_PAGEOUT,    MADV_POPULATE_READ };
	char *block = map(4 * MIB);

	memset(block, 'a', 4 * MIB);
	for (size_t i = 0; i < sizeof(harmless) / sizeof(*harmless); i++) {
		say("advice %d", harmless[i]);
		CALL(madvise(block + PAGE, MIB, harmless[i]));
	}
	say("contents %d", is(block, 4 * MIB, 'a'));
	CALL(madvise(block + PAGE, PAGE, MADV_DONTNEED));
	say("contents %d %d %d", is(block, PAGE, 'a'), zero(block + PAGE, PAGE), is(block + 2 * PAGE, MIB, 'a'));
	/* Again and again, as allocators do. */
	for (int i = 0; i < 20; i++) {
		memset(block, 'b', 3 * MIB);
		if (madvise(block, 3 * MIB, MADV_DONTNEED) || !zero(block, 3 * MIB) || !is(block + 3 * MIB, MIB, 'a'))
			say("purge %d went wrong", i);
		if (madvise(block + 100 * PAGE, 50 * PAGE + 1, MADV_DONTNEED) || !zero(block, 3 * MIB))
			say("purge %d of a part went wrong", i);
	}
	/* Longer than any address space, and refused at once. */
	CALL(munmap(block, 1ul << 62));
	memset(block, 'c', MIB);
	CALL(madvise(block, MIB, MADV_FREE));
	memset(block, 'd', MIB);
	say("contents %d", is(block, MIB, 'd'));
	CALL(madvise(block + 1, PAGE, MADV_DONTNEED));
	CALL(madvise(block, PAGE, 4711));
	CALL(madvise(block, 0, MADV_DONTNEED));
	CALL(munmap(block + MIB, PAGE));
	CALL(madvise(block, 2 * MIB, MADV_DONTNEED));
	say("zero %d %d", zero(block, MIB), zero(block + MIB + PAGE, MIB - PAGE));
	say("posix_madvise %d %d %d", posix_madvise(block, MIB, POSIX_MADV_SEQUENTIAL), posix_madvise(block, MIB, 99),
	    posix_madvise(block + 1, MIB, POSIX_MADV_NORMAL));
	memset(block, 'e', MIB);
	say("posix_madvise %d, contents %d", posix_madvise(block, MIB, POSIX_MADV_DONTNEED), is(block, MIB, 'e'));
}

/* Purged memory that may not be written to, or is somebody else's too, must be left to the kernel. */
static void purge_of_what_is_not_ordinary(void)
{
	int fd = file(MIB);
	char *private_file = mmap(NULL, MIB, RW, MAP_PRIVATE, fd, 0);
	char *shared = mmap(NULL, MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *guarded = map(MIB);

	for (int i = 0; i < 6; i++) {
		memset(private_file, 'p', MIB);
		madvise(private_file, MIB, MADV_DONTNEED);
		memset(shared, 's', MIB);
		madvise(shared, MIB, MADV_DONTNEED);
		memset(guarded, 'g', MIB);
		mprotect(guarded, MIB, i % 2 ? PROT_NONE : PROT_READ);
		madvise(guarded, MIB, MADV_DONTNEED);
		mprotect(guarded, MIB, RW);
		say("file %d shared %d guarded %d", is(private_file, MIB, 'f'), is(shared, MIB, 's'),
		    zero(guarded, MIB));
	}
	close(fd);
}

/* Guard pages fault within a mapping that may be written to. */
static void purge_around_guards(void)
{
	char *block = mmap(NULL, MIB, PROT_NONE, ANON, -1, 0);
	bool guards = !madvise(NULL, 0, 102 /* MADV_GUARD_INSTALL, Linux 6.13 */);

	mprotect(block, MIB, RW);
	memset(block, 'g', 16 * PAGE);
	if (guards)
		madvise(block + 5 * PAGE, PAGE, 102);
	for (int i = 0; i < 6; i++) {
		memset(block, 'g', 5 * PAGE);
		memset(block + 6 * PAGE, 'g', 10 * PAGE);
		CALL(madvise(block, 16 * PAGE, MADV_DONTNEED));
		say("zero %d %d, guarded %d", zero(block, 5 * PAGE), zero(block + 6 * PAGE, 10 * PAGE),
		    peek(block + 5 * PAGE) == -SIGSEGV);
	}
}

static void fork_advice(void)
{
	char *block = map(8 * PAGE);
	int status;
	pid_t child;

	memset(block, 'a', 8 * PAGE);
	CALL(madvise(block, 2 * PAGE, MADV_WIPEONFORK));
	CALL(madvise(block + 4 * PAGE, 2 * PAGE, MADV_DONTFORK));
	child = fork();
	if (!child)
		_exit((peek(block) == 0) | (peek(block + 2 * PAGE) == 'a') << 1 |
		      (peek(block + 4 * PAGE) == -SIGSEGV) << 2 | (peek(block + 6 * PAGE) == 'a') << 3);
	waitpid(child, &status, 0);
	say("child saw %#x, parent %d", WEXITSTATUS(status), is(block, 8 * PAGE, 'a'));
	CALL(munmap(block, 8 * PAGE));
	/* Apart, and large: what else is done to pages nearby must not hide that this is undone. */
	for (int i = 0; i < 2; i++) {
		block = map(8 * MIB);
		memset(block, 'a' + i, 8 * MIB);
		if (!i)
			CALL(madvise(block, 8 * MIB, MADV_DONTFORK));
		child = fork();
		if (!child) {
			int missing = 0;

			for (size_t at = 0; at < 8 * MIB; at += 64 * PAGE)
				missing += peek(block + at) != 'a' + i;
			_exit(missing);
		}
		waitpid(child, &status, 0);
		say("holder %d: child misses %d, parent %d", i, WEXITSTATUS(status),
		    is(block, 8 * MIB, (char)('a' + i)));
		CALL(munmap(block, 8 * MIB));
	}
}

/* ---- mremap ------------------------------------------------------------------------------------- */

static void remapping(void)
{
	static const size_t sizes[] = { 1, 2, 16, 511, 512, 513, 1024, 2000 };
	char *block, *moved;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++) {
			size_t from = sizes[i] * PAGE, to = sizes[j] * PAGE;

			block = map(from);
			memset(block, 'a', from);
			moved = mremap(block, from, to, MREMAP_MAYMOVE);
			if (moved == MAP_FAILED || !is(moved, from < to ? from : to, 'a') ||
			    (to > from && !zero(moved + from, to - from)))
				say("%zu to %zu pages went wrong", sizes[i], sizes[j]);
			memset(moved, 'b', to);
			munmap(moved, to);
		}
	block = map(4 * PAGE);
	CALL(mremap(block, 4 * PAGE, 2 * PAGE, 0));
	CALL(mremap(block, 0, PAGE, MREMAP_MAYMOVE));
	CALL(mremap(block, PAGE, 0, MREMAP_MAYMOVE));
	CALL(mremap(block + 1, PAGE, PAGE, MREMAP_MAYMOVE));
	CALL(mremap(block, PAGE, PAGE, MREMAP_FIXED, block));
	CALL(mremap(block, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, block));
	CALL(mremap(block, PAGE, PAGE, 0x100));
	CALL(mremap((void *)PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	CALL(mremap(block, 2 * PAGE, 1ul << 46, MREMAP_MAYMOVE));
	CALL(munmap(block, 4 * PAGE));
	CALL(mremap(block, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE));
	block = map(8 * PAGE);
	memset(block, 'a', 8 * PAGE);
	moved = mmap(NULL, 8 * PAGE, PROT_NONE, ANON, -1, 0);
	say("fixed %d", mremap(block, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, moved) == moved);
	say("contents %d", is(moved, 8 * PAGE, 'a'));
	block = map(8 * PAGE);
	say("fixed, back %d", mremap(moved, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, block) == block);
	say("contents %d", is(block, 8 * PAGE, 'a'));
	moved = mremap(block, 8 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	say("left behind %d %d", is(moved, 8 * PAGE, 'a'), zero(block, 8 * PAGE));
	mprotect(moved, 8 * PAGE, PROT_READ);
	moved = mremap(moved, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE);
	say("protection goes along %d %d %d", is(moved, 8 * PAGE, 'a'), poke(moved, 1), poke(moved + 12 * PAGE, 1));
}

/* ---- mincore, mlock, msync ---------------------------------------------------------------------- */

static void residency(void)
{
	unsigned char vector[16];
	char *block = map(16 * PAGE);

	block[0] = block[5 * PAGE] = 1;
	CALL(mincore(block, 16 * PAGE, vector));
	say("touched %d %d", vector[0] & 1, vector[5] & 1);
	CALL(mincore(block + 1, PAGE, vector));
	CALL(mincore((void *)PAGE, PAGE, vector));
	CALL(msync(block, 16 * PAGE, MS_SYNC));
	CALL(msync(block, 16 * PAGE, MS_SYNC | MS_ASYNC));
	CALL(mlock(block, 2 * PAGE));
	CALL(munlock(block, 2 * PAGE));
	CALL(mlock2(block, 2 * PAGE, MLOCK_ONFAULT));
	CALL(madvise(block, 2 * PAGE, MADV_DONTNEED));
	CALL(munmap(block, 16 * PAGE));
	CALL(mlock((void *)PAGE, PAGE));
}

static long locked_kib(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "VmLck: %ld", &kib);
	if (status)
		fclose(status);
	return kib;
}

static void unlocked_by_unmapping(void)
{
	for (int i = 0; i < 4; i++) {
		char *block = map(MIB);

		say("locked before %ld", locked_kib());
		mlock(block, MIB);
		say("locked %ld", locked_kib());
		munmap(block, MIB);
	}
}

/* ---- brk ---------------------------------------------------------------------------------------- */

static void break_moves(void)
{
	char *start = sbrk(0);

	CALL(sbrk(-(long)((uintptr_t)start + PAGE)));
	for (int i = 0; i < 30; i++) {
		size_t bytes = (size_t)(1 + i * 7919 % 900) * PAGE + 17;
		char *old = sbrk((intptr_t)bytes);

		/* From the next page on: what is left of the last one may hold anything. */
		char *fresh = (char *)(((uintptr_t)old + PAGE - 1) & ~(PAGE - 1));

		if (old != start || !zero(fresh, (size_t)(old + bytes - fresh)))
			say("growth %d went wrong", i);
		memset(old, 'h', bytes);
		if (brk(old + bytes / 2) || sbrk(0) != old + bytes / 2 || !is(old, bytes / 2, 'h'))
			say("shrinking %d went wrong", i);
		if (sbrk((intptr_t)(bytes - bytes / 2)) != old + bytes / 2 || !is(old, bytes / 2, 'h'))
			say("growing again %d went wrong", i);
		fresh = (char *)(((uintptr_t)old + bytes / 2 + PAGE - 1) & ~(PAGE - 1));
		if (fresh < old + bytes && !zero(fresh, (size_t)(old + bytes - fresh)))
			say("growing again %d found old bytes", i);
		brk(start);
	}
	say("back at the start %d", sbrk(0) == start);
	CALL(brk((void *)(1ul << 46)));
	say("unmoved %d", sbrk(0) == start);
}

static void protected_heap(void)
{
	char *start = sbrk(64 * PAGE);
	char *page = (char *)(((uintptr_t)start + PAGE - 1) & ~(PAGE - 1));

	CALL(mprotect(page + 32 * PAGE, PAGE, PROT_NONE));
	CALL(brk(start));
	CALL(sbrk(64 * PAGE));
	say("write %d", poke(page + 32 * PAGE, 1));
	CALL(brk(start));
}

/* ---- processes and threads ---------------------------------------------------------------------- */

static void copy_on_write(void)
{
	char *block = map(4 * MIB);
	int pipes[2];
	char answer;
	pid_t child;

	memset(block, 'p', 4 * MIB);
	if (pipe(pipes))
		exit(1);
	child = fork();
	if (!child) {
		bool good = is(block, 4 * MIB, 'p');

		memset(block, 'c', 2 * MIB);
		/* Memory freed before the fork, and after it, is each side's own. */
		for (int i = 0; i < 20; i++) {
			char *mine = map(MIB);

			good &= zero(mine, MIB);
			memset(mine, 'm', MIB);
			if (i % 2)
				munmap(mine, MIB);
		}
		munmap(block + 2 * MIB, 2 * MIB);
		answer = good ? 'y' : 'n';
		_exit(write(pipes[1], &answer, 1) != 1);
	}
	close(pipes[1]);
	for (int i = 0; i < 20; i++) {
		char *mine = map(MIB);

		if (!zero(mine, MIB))
			say("parent's block %d is not zero", i);
		memset(mine, 'q', MIB);
		munmap(mine, MIB);
	}
	if (read(pipes[0], &answer, 1) != 1)
		answer = '?';
	waitpid(child, NULL, 0);
	say("child %c parent %d", answer, is(block, 4 * MIB, 'p'));
}

static void vfork_child(void)
{
	char *block = map(MIB);
	int status;
	pid_t child;

	memset(block, 'v', MIB);
	child = vfork();
	if (!child) {
		char *mine = mmap(NULL, MIB, RW, ANON, -1, 0);

		munmap(mine, MIB);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	waitpid(child, &status, 0);
	say("status %d contents %d", status, is(block, MIB, 'v'));
}

static void *churn(void *argument)
{
	unsigned seed = (unsigned)(uintptr_t)argument;
	uintptr_t wrong = 0;

	for (int i = 0; i < 400; i++) {
		size_t bytes;
		char *block;

		seed = seed * 1664525 + 1013904223;
		bytes = (1 + seed % 200) * PAGE;
		block = map(bytes);
		wrong += !zero(block, bytes);
		memset(block, (int)(uintptr_t)argument, bytes);
		if (seed & 1024)
			mprotect(block, PAGE, PROT_READ);
		if (seed & 2048)
			madvise(block, bytes, MADV_DONTNEED);
		if (!(seed & 0xf000) && !fork())
			_exit(!is(block + PAGE, bytes - PAGE, seed & 2048 ? 0 : (char)(uintptr_t)argument));
		munmap(block, bytes);
	}
	return (void *)wrong;
}

static void threads_and_forks(void)
{
	pthread_t threads[4];
	uintptr_t wrong = 0;
	int status;

	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, churn, (void *)(i + 1));
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		wrong += (uintptr_t)result;
	}
	while (wait(&status) > 0)
		wrong += status != 0;
	say("wrong %d", (int)wrong);
}

static volatile sig_atomic_t ticks;

static void on_tick(int signal)
{
	char *block = mmap(NULL, 40 * PAGE, RW, ANON, -1, 0);

	(void)signal;
	if (block == MAP_FAILED || block[0] || block[39 * PAGE])
		_exit(9);
	memset(block, 't', 40 * PAGE);
	munmap(block, 40 * PAGE);
	ticks++;
}

static void in_signal_handlers(void)
{
	struct sigaction action = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	pid_t child;

	sigaction(SIGUSR1, &action, NULL);
	child = fork();
	if (!child) {
		for (int i = 0; i < 300; i++) {
			kill(getppid(), SIGUSR1);
			usleep(100);
		}
		_exit(0);
	}
	do {
		char *block = map(60 * PAGE);

		if (!zero(block, 60 * PAGE))
			say("not zero");
		memset(block, 's', 60 * PAGE);
		munmap(block, 60 * PAGE);
	} while (waitpid(child, NULL, WNOHANG) == 0);
	say("some ticks %d", ticks > 0);
}

/* ---- limits ------------------------------------------------------------------------------------- */

static void limits(void)
{
	int status;
	pid_t child = fork();

	if (!child) {
		struct rlimit limit = { 512 * MIB, 512 * MIB };
		char *block = map(4 * MIB);

		memset(block, 'l', 4 * MIB);
		scenario = "limits, child";
		CALL(setrlimit(RLIMIT_AS, &limit));
		CALL(mmap(NULL, 16 * MIB, RW, ANON, -1, 0));
		CALL(mmap(NULL, 1024 * MIB, RW, ANON, -1, 0));
		CALL(mmap(NULL, 1024 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0));
		say("contents %d", is(block, 4 * MIB, 'l'));
		CALL(munmap(block, 4 * MIB));
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, &status, 0);
	child = fork();
	if (!child) {
		char *block = map(MIB);

		scenario = "locked whole, child";
		CALL(mlockall(MCL_CURRENT | MCL_FUTURE));
		say("little is locked %d", locked_kib() < (200 << 10));
		CALL(munmap(block, MIB));
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, &status, 0);
	say("status %d", status);
}

static void spliced(void)
{
	char *block = map(4 * PAGE);
	struct iovec vector = { block, 4 * PAGE };
	char text[PAGE];
	int pipes[2];
	bool good = true;

	memset(block, 'x', 4 * PAGE);
	if (pipe(pipes))
		exit(1);
	say("spliced %zd", vmsplice(pipes[1], &vector, 1, 0));
	munmap(block, 4 * PAGE);
	for (int i = 0; i < 50; i++)
		memset(map(4 * PAGE), 'y', 4 * PAGE);
	for (int i = 0; i < 4; i++)
		good &= read(pipes[0], text, PAGE) == (ssize_t)PAGE && is(text, PAGE, 'x');
	say("what was sent came %d", good);
}

/* What the kernel serves faults after munmap whatever UPA does; what UPA serves faults if it is strict. */
static void after_munmap(void)
{
	static const size_t sizes[] = { 4 * PAGE, 32 * PAGE, MIB, 8 * MIB };
	int fd = file(MIB);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		char *block = map(sizes[i]);

		memset(block, 'a', sizes[i]);
		munmap(block, sizes[i]);
		say("served: read %d write %d", peek(block), poke(block + sizes[i] - 1, 1));
		block = map(sizes[i]);
		munmap(block + PAGE, 2 * PAGE);
		say("served, a part: read %d, the rest %d", peek(block + 2 * PAGE), peek(block));
		mprotect(block, PAGE, PROT_READ);
		munmap(block, sizes[i]);
		say("served, protected: read %d", peek(block));
		block = map(sizes[i]);
		CALL(mremap(block, sizes[i], PAGE, 0));
		say("served, shrunk: read %d, the rest %d", peek(block + PAGE), peek(block));
	}
	for (int i = 0; i < 3; i++) {
		char *block = i == 0 ? mmap(NULL, MIB, RW, MAP_PRIVATE, fd, 0) :
			      i == 1 ? mmap(NULL, MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) :
				       mmap(NULL, MIB, PROT_READ, ANON, -1, 0);

		say("passed on: readable %d", peek(block) >= 0);
		munmap(block, MIB);
		say("passed on: after munmap %d", peek(block));
	}
	close(fd);
}

/* More holes than there may be mappings for, if each hole were one. */
static void many_holes(void)
{
	enum { HOLES = 40000 };
	char *block = map(2 * HOLES * PAGE);
	long failed = 0, wrong = 0;

	for (size_t i = 0; i < HOLES; i++)
		block[2 * i * PAGE] = 'm';
	for (size_t i = 0; i < HOLES; i++)
		failed += munmap(block + (2 * i + 1) * PAGE, PAGE) != 0;
	for (size_t i = 0; i < HOLES; i++)
		wrong += peek(block + 2 * i * PAGE) != 'm' || peek(block + (2 * i + 1) * PAGE) != -SIGSEGV;
	say("failed %ld wrong %ld", failed, wrong);
	CALL(munmap(block, 2 * HOLES * PAGE));
	zeros_after_reuse();
}

static void library_memory(void)
{
	/* libc's own mappings: stdio, malloc, threads, files. */
	for (int i = 0; i < 30; i++) {
		size_t bytes = (size_t)(i * 37 % 50 + 1) * 100000;
		char *block = calloc(1, bytes);

		if (!block || !zero(block, bytes))
			say("calloc of %zu went wrong", bytes);
		memset(block, 'k', bytes);
		block = realloc(block, 2 * bytes);
		if (!block || !is(block, bytes, 'k'))
			say("realloc of %zu went wrong", bytes);
		free(block);
	}
	say("done");
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_fault };
	static const struct {
		const char *name;
		void (*run)(void);
	} scenarios[] = {
#define SCENARIO(function) { #function, function }
		SCENARIO(break_moves),
		SCENARIO(protected_heap),
		SCENARIO(zeros_after_reuse),
		SCENARIO(errors_of_mmap),
		SCENARIO(hints),
		SCENARIO(holes),
		SCENARIO(replaced_by_file),
		SCENARIO(none_and_back),
		SCENARIO(shared_anonymous),
		SCENARIO(other_flags),
		SCENARIO(protection),
		SCENARIO(advice),
		SCENARIO(purge_of_what_is_not_ordinary),
		SCENARIO(fork_advice),
		/* It ends all purging without the kernel. */
		SCENARIO(purge_around_guards),
		SCENARIO(remapping),
		SCENARIO(residency),
		SCENARIO(unlocked_by_unmapping),
		SCENARIO(copy_on_write),
		SCENARIO(vfork_child),
		SCENARIO(threads_and_forks),
		SCENARIO(in_signal_handlers),
		SCENARIO(spliced),
		SCENARIO(library_memory),
		SCENARIO(limits),
	};

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++) {
		scenario = scenarios[i].name;
		/* Under emulation these two take minutes. */
		if (argc > 1 && !strcmp(argv[1], "quick") &&
		    (scenarios[i].run == threads_and_forks || scenarios[i].run == in_signal_handlers))
			continue;
		scenarios[i].run();
		fflush(stdout);
	}
	if (argc > 1 && !strcmp(argv[1], "strict")) {
		scenario = "after_munmap";
		after_munmap();
		scenario = "many_holes";
		/* Without MADV_GUARD_INSTALL (Linux 6.13) the number of holes is half as high. */
		if (!madvise(NULL, 0, 102))
			many_holes();
	}
	return 0;
}
