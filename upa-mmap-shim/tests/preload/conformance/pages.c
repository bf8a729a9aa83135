/* SPDX-License-Identifier: Apache-2.0 */
/* Calls on pages that are there: mprotect(), madvise(), mincore(), mlock(), msync(), vmsplice(). */
#define _GNU_SOURCE
#include "preload/conformance/conformance.h"

/* ---- mprotect ----------------------------------------------------------------------------------- */

void protection(void)
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

void advice(void)
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
void purge_of_what_is_not_ordinary(void)
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
void purge_around_guards(void)
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

void fork_advice(void)
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

/* ---- mincore, mlock, msync ---------------------------------------------------------------------- */

void residency(void)
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

void unlocked_by_unmapping(void)
{
	for (int i = 0; i < 4; i++) {
		char *block = map(MIB);

		say("locked before %ld", locked_kib());
		mlock(block, MIB);
		say("locked %ld", locked_kib());
		munmap(block, MIB);
	}
}

void spliced(void)
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
