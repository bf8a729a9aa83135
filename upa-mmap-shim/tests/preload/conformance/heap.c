/* SPDX-License-Identifier: Apache-2.0 */
/* The heap, limits on it and on addresses, and the memory of libc itself. */
#define _GNU_SOURCE
#include "preload/conformance/conformance.h"

/* ---- brk ---------------------------------------------------------------------------------------- */

void break_moves(void)
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

void protected_heap(void)
{
	char *start = sbrk(64 * PAGE);
	char *page = (char *)(((uintptr_t)start + PAGE - 1) & ~(PAGE - 1));

	CALL(mprotect(page + 32 * PAGE, PAGE, PROT_NONE));
	CALL(brk(start));
	CALL(sbrk(64 * PAGE));
	say("write %d", poke(page + 32 * PAGE, 1));
	CALL(brk(start));
}

/* ---- limits ------------------------------------------------------------------------------------- */

void limits(void)
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

void library_memory(void)
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
