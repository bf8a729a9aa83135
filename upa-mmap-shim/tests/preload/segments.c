/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared memory segments (shmat, shmdt) at addresses that the program chooses: over pages in use, freed and absent, by
 * the functions and by their numbers. Says what came of it (scenarios.h); it must be the same with and without the
 * preloaded library (preload_test.sh).
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "scenarios.h"

static void attached(void)
{
	int id = shmget(IPC_PRIVATE, MIB, 0600 | IPC_CREAT);
	char *block = map(4 * MIB), *at;

	if (id < 0)
		return;
	memset(block, 'a', 4 * MIB);
	at = shmat(id, block + MIB, SHM_REMAP);
	say("over pages in use: %d", at == block + MIB);
	memset(at, 's', MIB);
	CALL(munmap(block, 4 * MIB));
	reuse();
	at = shmat(id, NULL, 0);
	say("intact %d", is(at, MIB, 's'));
	CALL(shmdt(at));

	block = map(4 * MIB);
	CALL(shmat(id, block + MIB, 0));
	munmap(block + MIB, MIB);
	at = shmat(id, block + MIB + 7, SHM_RND);
	say("where nothing is: %d %c", at == block + MIB, at[5]);
	CALL(shmat(id, block + MIB, 0));
	reuse();
	say("intact %d", is(at, MIB, 's'));
	CALL(shmdt(at));
	CALL(mmap(block + MIB, MIB, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == block + MIB ? 0 : -1);
	say("empty %d", is(block + MIB, MIB, 0));
	munmap(block, 4 * MIB);
	reuse();

	block = map(4 * MIB);
	memset(block, 'n', 4 * MIB);
	munmap(block + MIB, 2 * MIB);
	CALL(shmat(id + 1, block + 2 * MIB, 0));
	CALL(shmat(id, block + MIB + 7, 0));
	at = (char *)syscall(SYS_shmat, id, block + 3 * MIB / 2, SHM_REMAP);
	say("by number %d", at == block + 3 * MIB / 2);
	memset(at, 't', MIB);
	munmap(block, 4 * MIB);
	reuse();
	at = shmat(id, NULL, 0);
	say("intact %d", is(at, MIB, 't'));
	CALL(shmctl(id, IPC_RMID, 0));
}

/* What was a segment's is nobody's, from the first page to the last, and can be one's again. */
static void detached(void)
{
	int id = shmget(IPC_PRIVATE, 2 * MIB, 0600 | IPC_CREAT);
	char *block = map(4 * MIB), *at, *other;
	unsigned char resident[1];

	if (id < 0)
		return;
	munmap(block, 4 * MIB);
	at = shmat(id, block + MIB, 0);
	say("attached: %d", at == block + MIB);
	memset(at, 'd', 2 * MIB);
	CALL(shmdt(at + PAGE));
	CALL(shmdt(at + 1));
	CALL(munmap(at, PAGE));
	CALL(munmap(at + MIB, 16 * PAGE));
	CALL(shmdt(at));
	CALL(shmdt(at));
	CALL(mincore(at + 2 * MIB - PAGE, PAGE, resident));
	at = shmat(id, block + MIB, SHM_RDONLY);
	say("again: %d %c", at == block + MIB, at == block + MIB ? at[MIB] : '-');
	CALL(syscall(SYS_shmdt, at));
	other = mmap(block + MIB, MIB, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	say("memory there: %d", other == block + MIB && is(other, MIB, 0));
	/* Moved, its start is elsewhere; and of two in a row each is its own. */
	at = shmat(id, block, SHM_REMAP);
	other = shmat(id, block + 2 * MIB, SHM_REMAP);
	say("two: %d %d", at == block, other == block + 2 * MIB);
	CALL(shmdt(at));
	say("kept %d", is(other, 2 * MIB, 'd'));
	at = mmap(NULL, 2 * MIB, RW, ANON, -1, 0);
	say("moved: %d", mremap(other, 2 * MIB, 2 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, at) == at);
	CALL(shmdt(other));
	CALL(shmdt(at));
	CALL(mincore(at, PAGE, resident));
	CALL(shmctl(id, IPC_RMID, 0));
	munmap(block, 4 * MIB);
	reuse();
}

/* Refused, for it may be read only, and what was free is free. */
static void attached_in_vain(void)
{
	int id = shmget(IPC_PRIVATE, MIB, 0444 | IPC_CREAT);
	uid_t was = geteuid();
	char *block = map(4 * MIB);

	if (id < 0)
		return;
	memset(block, 'v', MIB);
	munmap(block + MIB, 3 * MIB);
	if (!was)
		CALL(seteuid(65534));
	CALL(shmat(id, block + MIB, 0));
	CALL(seteuid(was));
	CALL(mremap(block, MIB, 2 * MIB, 0));
	say("kept %d, zero %d", is(block, MIB, 'v'), is(block + MIB, MIB, 0));
	/* And what is in use stays in use. */
	if (!was)
		CALL(seteuid(65534));
	CALL(shmat(id, block, SHM_REMAP));
	CALL(seteuid(was));
	CALL(shmat(id, block + 5, SHM_REMAP));
	reuse();
	say("kept %d, zero %d", is(block, MIB, 'v'), is(block + MIB, MIB, 0));
	CALL(shmctl(id, IPC_RMID, 0));
	munmap(block, 2 * MIB);
}

/* Its last page is its own, however little of that it fills. */
static void attached_whole_pages(void)
{
	int id = shmget(IPC_PRIVATE, PAGE + 1, 0600 | IPC_CREAT);
	char *block = map(4 * MIB), *at;

	if (id < 0)
		return;
	munmap(block, 4 * MIB);
	for (int flags = 0; flags <= SHM_REMAP; flags += SHM_REMAP) {
		at = shmat(id, block, flags);
		say("there %d", at == block);
		memset(at, 'p', 2 * PAGE);
		reuse();
		say("kept %d", is(at, 2 * PAGE, 'p'));
		CALL(mmap(at + PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
		CALL(shmdt(at));
	}
	CALL(shmctl(id, IPC_RMID, 0));
	reuse();
}

/* Behind the program's break, where memory is kept, is nothing; and over the heap it is the kernel's. */
static void attached_to_the_heap(void)
{
	int id = shmget(IPC_PRIVATE, MIB, 0600 | IPC_CREAT);
	char *was = sbrk(0), *heap = (char *)(((uintptr_t)was + PAGE - 1) & ~(PAGE - 1)), *at;

	if (id < 0)
		return;
	CALL(brk(heap + 4 * MIB));
	memset(heap, 'h', 4 * MIB);
	CALL(brk(heap));
	at = shmat(id, heap + MIB, 0);
	say("there %d, zero %d", at == heap + MIB, is(at, MIB, 0));
	CALL(brk(heap + 4 * MIB));
	CALL(shmdt(at));
	CALL(brk(heap + 4 * MIB));
	memset(heap, 'h', 4 * MIB);
	at = shmat(id, heap + MIB, SHM_REMAP);
	say("there %d, zero %d", at == heap + MIB, is(at, MIB, 0));
	memset(at, 's', MIB);
	CALL(brk(heap));
	CALL(brk(heap + 4 * MIB));
	say("zero %d", is(heap, 4 * MIB, 0));
	CALL(brk(was));
	at = shmat(id, NULL, 0);
	say("intact %d", is(at, MIB, 's'));
	CALL(shmctl(id, IPC_RMID, 0));
}

/* Where no file says what is mapped: no more can be opened. */
static void detached_unseen(void)
{
	static const size_t sizes[] = { 1, 3 * PAGE, MIB, MIB + 5 * PAGE };
	struct rlimit none = { 0, 0 };

	CALL(setrlimit(RLIMIT_NOFILE, &none));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (int beside = 0; beside < 2; beside++) {
			int id = shmget(IPC_PRIVATE, sizes[i], 0600 | IPC_CREAT);
			size_t bytes = (sizes[i] + PAGE - 1) & ~(PAGE - 1);
			char *block = map(4 * MIB), *at;

			if (id < 0)
				return;
			memset(block, 'k', MIB);
			munmap(block + MIB, beside ? bytes : 3 * MIB);
			at = shmat(id, block + MIB, 0);
			CALL(shmctl(id, IPC_RMID, 0));
			say("there %d", at == block + MIB);
			CALL(shmdt(at));
			CALL(shmdt(at));
			CALL(mremap(block, MIB, MIB + bytes, 0));
			CALL(mremap(block, MIB, MIB + bytes + PAGE, 0));
			say("kept %d, zero %d", is(block, MIB, 'k'), is(at, bytes, 0));
			munmap(block, 4 * MIB);
		}
	reuse();
}

SCENARIOS(SCENARIO(attached), SCENARIO(detached), SCENARIO(attached_in_vain), SCENARIO(attached_whole_pages),
	  SCENARIO(attached_to_the_heap), SCENARIO(detached_unseen))
