/* SPDX-License-Identifier: Apache-2.0 */
/* mmap(), munmap(), mremap(): addresses, and what is mapped there. */
#define _GNU_SOURCE
#include "preload/conformance/conformance.h"

/* ---- mmap and munmap ---------------------------------------------------------------------------- */

void zeros_after_reuse(void)
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

void errors_of_mmap(void)
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

void hints(void)
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

void holes(void)
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

void replaced_by_file(void)
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

void none_and_back(void)
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

void shared_anonymous(void)
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

void other_flags(void)
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

/* ---- mremap ------------------------------------------------------------------------------------- */

void remapping(void)
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

/*
 * What gets smaller on its way to a fixed place is moved as one mapping. If it is one, the rest may be anything, and
 * goes; if not, nothing happens.
 */
void moved_smaller(void)
{
	enum { KEPT = 3, OLD = 11, ALL = 64 };

	for (size_t border = 0; border <= KEPT; border++)
		for (size_t hole = 1; hole < OLD; hole += 2) {
			char *block = map(ALL * PAGE), *to = map(ALL * PAGE), *moved;

			memset(block, 's', ALL * PAGE);
			if (border)
				mprotect(block + border * PAGE, (ALL - border) * PAGE, PROT_READ);
			munmap(block + hole * PAGE, (hole % 3 + 1) * PAGE);
			moved = mremap(block, OLD * PAGE, KEPT * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
			say("border %zu hole %zu: %d errno %d", border, hole, moved == to, moved == to ? 0 : errno);
			CALL(msync(block, PAGE, MS_ASYNC));
			CALL(msync(block + (OLD - 1) * PAGE, PAGE, MS_ASYNC));
			say("%d %d", peek(to + (KEPT - 1) * PAGE), peek(to + KEPT * PAGE));
		}
}

/* ---- after munmap --------------------------------------------------------------------------------- */

/* What the kernel serves faults after munmap whatever UPA does; what UPA serves faults if it is strict. */
void after_munmap(void)
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
void many_holes(void)
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
