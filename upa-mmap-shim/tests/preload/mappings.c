/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mappings of all kinds where memory is, or was: at a hint, over it, moved there and away, locked, guarded, purged.
 * Says what came of it (scenarios.h); it must be the same with and without the preloaded library (preload_test.sh).
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "scenarios.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef MADV_KEEPONFORK
#define MADV_KEEPONFORK 19
#endif
#ifndef MAP_32BIT /* x86 alone has it */
#define MAP_32BIT 0
#endif
#define GUARD_INSTALL 102
#define GUARD_REMOVE 103

#define MOVE (MREMAP_MAYMOVE | MREMAP_FIXED)

/* By no pointer: -1 where none could read. */
static int byte_at(const char *address)
{
	unsigned char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)address, 1 };

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1 ? byte : -1;
}

static char *filled(size_t bytes, char value)
{
	char *block = map(bytes);

	memset(block, value, bytes);
	return block;
}

static int file_of(size_t bytes)
{
	int fd = memfd_create("file", 0);

	CALL(ftruncate(fd, (off_t)bytes));
	return fd;
}

static void hints_of_all_kinds(void)
{
	static const struct {
		int protection, flags;
	} kinds[] = {
		{ PROT_NONE, ANON },
		{ PROT_READ, ANON },
		{ RW, ANON },
		{ RW, ANON | MAP_NORESERVE },
		{ RW, ANON | MAP_POPULATE },
		{ RW, ANON | MAP_STACK },
		{ RW, ANON | MAP_LOCKED },
		{ RW, MAP_SHARED | MAP_ANONYMOUS },
		{ RW | PROT_EXEC, ANON },
	};
	static const size_t sizes[] = { 1, PAGE, MIB, 3 * MIB };
	char *block = filled(8 * MIB, 'h');

	munmap(block, 8 * MIB);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		for (size_t k = 0; k < sizeof(sizes) / sizeof(*sizes); k++) {
			char *there = mmap(block + MIB, sizes[k], kinds[i].protection, kinds[i].flags, -1, 0);
			char *other = mmap(block + MIB, sizes[k], RW, ANON, -1, 0);

			say("kind %zu, %zu bytes: %d, byte %d, taken %d", i, sizes[k], there == block + MIB,
			    byte_at(there), other != there && other != MAP_FAILED);
			munmap(other, sizes[k]);
			munmap(there, sizes[k]);
		}
	reuse();
}

/* What is a file's is not cleared in place, however often it is purged with what is around it. */
static void purged_with_a_file(void)
{
	int fd = file_of(2 * MIB);
	char *block = map(4 * MIB), *shared, *private;

	shared = mmap(block + MIB, 2 * MIB, RW, MAP_SHARED | MAP_FIXED, fd, 0);
	for (int i = 0; i < 8; i++) {
		memset(block, 'a' + i, 4 * MIB);
		CALL(madvise(block, 4 * MIB, MADV_DONTNEED));
		say("%d %d %d", is(block, MIB, 0), is(shared, 2 * MIB, (char)('a' + i)), is(block + 3 * MIB, MIB, 0));
	}
	private = mmap(block + MIB, 2 * MIB, RW, MAP_PRIVATE | MAP_FIXED, fd, 0);
	for (int i = 0; i < 8; i++) {
		memset(private, 'p', 2 * MIB);
		CALL(madvise(block, 4 * MIB, MADV_DONTNEED));
		say("%d", is(private, 2 * MIB, 'h'));
	}
	munmap(block, 4 * MIB);
	reuse();
}

/* Has the program nothing in a range? */
static bool is_nothing(char *from, size_t bytes)
{
	unsigned char resident;

	for (size_t at = 0; at < bytes; at += PAGE)
		if (!mincore(from + at, PAGE, &resident))
			return false;
	return true;
}

/* Of much memory, block by block, how much does not read zero. It is written to. */
static int wrong_in_all_blocks(void)
{
	enum { BLOCKS = 128 };
	char *blocks[BLOCKS];
	int wrong = 0;

	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = map(MIB);
		for (size_t at = 0; at < MIB; at += PAGE) {
			wrong += blocks[i][at] != 0;
			blocks[i][at] = 'w';
		}
	}
	for (int i = 0; i < BLOCKS; i++)
		munmap(blocks[i], MIB);
	return wrong;
}

/* Takes and gives up what reaches over an address where nothing is, in all ways; how many went wrong. */
static int over(char *border, char *there)
{
	char *block = border - MIB, *got;
	int id = shmget(IPC_PRIVATE, 2 * MIB, 0600 | IPC_CREAT), fd = memfd_create("file", 0), wrong = 0;

	wrong += ftruncate(fd, (off_t)(2 * MIB)) != 0;
	wrong += mmap(block, 2 * MIB, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) != block || !is(block, 2 * MIB, 0);
	memset(block, 'b', 2 * MIB);
	wrong += mmap(block, 2 * MIB, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED;
	wrong += mremap(block, 2 * MIB, 3 * MIB, 0) != block;
	wrong += !is(block, 2 * MIB, 'b') || !is(block + 2 * MIB, MIB, 0);
	wrong += mremap(block, 3 * MIB, 4 * MIB, MOVE, there) != there || !is_nothing(block, 3 * MIB);
	wrong += !is(there, 2 * MIB, 'b') || !is(there + 2 * MIB, 2 * MIB, 0);
	wrong += mremap(there, 2 * MIB, 2 * MIB, MOVE, block) != block || !is(block, 2 * MIB, 'b');
	wrong += mremap(block, 2 * MIB, 2 * MIB, MOVE | MREMAP_DONTUNMAP, there) != there;
	wrong += !is(block, 2 * MIB, 0) || !is(there, 2 * MIB, 'b');
	memset(block, 'c', 2 * MIB);
	got = mremap(block, 2 * MIB, 4 * MIB, MREMAP_MAYMOVE);
	wrong += got == MAP_FAILED || !is(got, 2 * MIB, 'c') || !is(got + 2 * MIB, 2 * MIB, 0);
	wrong += munmap(got, 4 * MIB) || !is_nothing(block, 4 * MIB);
	wrong += mmap(block, 2 * MIB, PROT_READ, MAP_SHARED, fd, 0) != block;
	wrong += mprotect(block, MIB, PROT_NONE) || munmap(block, 2 * MIB) || !is_nothing(block, 2 * MIB);
	wrong += shmat(id, block, 0) != block || !is(block, 2 * MIB, 0);
	wrong += shmat(id, block, 0) != (void *)-1;
	wrong += shmdt(block) || !is_nothing(block, 2 * MIB);
	wrong += shmat(id, block, SHM_REMAP) != block;
	wrong += wrong_in_all_blocks();
	wrong += !is(block, 2 * MIB, 0) || shmdt(block) || !is_nothing(block, 2 * MIB);
	shmctl(id, IPC_RMID, NULL);
	close(fd);
	return wrong;
}

/* Where memory ends that the program has freed, it has no border: beyond it is nothing, as there. */
static void over_borders(void)
{
	enum { MOST = 512 };
	static char *borders[MOST];
	char line[512], *there = map(4 * MIB), *block = map(8 * MIB);
	/* Which memory will need no more of. */
	int n = 0, wrong = wrong_in_all_blocks();
	FILE *maps = fopen("/proc/thread-self/maps", "r");
	void *from, *to;

	borders[n++] = block + 4 * MIB;
	munmap(block, 8 * MIB);
	while (maps && fgets(line, sizeof(line), maps) && n < MOST - 1)
		if (sscanf(line, "%p-%p ", &from, &to) == 2) {
			borders[n++] = from;
			borders[n++] = to;
		}
	if (maps)
		fclose(maps);
	for (int i = 0; i < n; i++)
		if ((uintptr_t)borders[i] > MIB && (uintptr_t)borders[i] < 0x7ffffff00000 &&
		    is_nothing(borders[i] - MIB, 4 * MIB))
			wrong += over(borders[i], there);
	say("wrong: %d", wrong);
	reuse();
}

/* The end of the mappings side by side that an address is of. */
static char *end_of_mappings(const char *address)
{
	FILE *maps = fopen("/proc/thread-self/maps", "r");
	char line[512];
	char *from, *to, *end = NULL;

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%p-%p ", (void **)&from, (void **)&to) == 2 &&
		    ((from <= address && address < to) || from == end))
			end = to;
	if (maps)
		fclose(maps);
	return end;
}

/*
 * Two mappings side by side, over where memory ended before UPA stood aside: the first one's addresses were UPA's, the
 * second one's never were. They are two in every call.
 */
static void over_a_border_that_was(void)
{
	const struct rlimit limit = { 1ul << 46, 1ul << 46 };
	char *block = map(4 * MIB), *from = end_of_mappings(block) - 2 * PAGE;
	int wrong = 0;

	munmap(block, 4 * MIB);
	CALL(setrlimit(RLIMIT_AS, &limit));
	if (is_nothing(from, 5 * PAGE)) {
		wrong += mmap(from, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) != from;
		wrong += mmap(from + 3 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) != from + 3 * PAGE;
		/* Written to while they are apart, so that they do not become one. */
		from[0] = from[3 * PAGE] = 'b';
		wrong += mmap(from + PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) != from + PAGE;
		wrong += mremap(from, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED || errno != EFAULT;
		wrong += from[0] != 'b' || from[3 * PAGE] != 'b';
	}
	say("wrong: %d", wrong);
}

/* A process that has as many mappings as the kernel allows: what it unmaps is unmapped. */
static void as_many_mappings_as_may_be(void)
{
	const size_t bytes = 300 * MIB;
	char *blocks[3] = { filled(8 * MIB, '0'), filled(8 * MIB, '1'), filled(8 * MIB, '2') };
	char *many = mmap(NULL, bytes, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int wrong = 0;

	CALL(mprotect(blocks[0] + MIB, MIB, PROT_READ));
	CALL(mlock(blocks[1] + MIB, PAGE));
	CALL(madvise(blocks[2] + MIB, 2 * PAGE, MADV_DONTFORK));
	for (size_t at = 0; at < bytes; at += 2 * PAGE)
		if (mprotect(many + at, PAGE, PROT_READ))
			break;
	/* What comes first may exceed it by one. */
	mmap(NULL, PAGE, PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 3; i++) {
		CALL(munmap(blocks[i], 8 * MIB));
		wrong += !is_nothing(blocks[i], 8 * MIB);
	}
	wrong += wrong_in_all_blocks();
	munmap(many, bytes);
	say("wrong: %d", wrong);
	reuse();
}

static void guards(void)
{
	char *block = filled(2 * MIB, 'g'), *moved, *there = map(8 * MIB);

	if (madvise(block + MIB, 16 * PAGE, GUARD_INSTALL))
		return;
	for (int i = 0; i < 6; i++) {
		memset(block, 'g', MIB);
		CALL(madvise(block, 2 * MIB, MADV_DONTNEED));
		say("purged: %d, a guard: %d", byte_at(block), byte_at(block + MIB));
	}
	memset(block, 'g', MIB);
	moved = mremap(block, 2 * MIB, 8 * MIB, MREMAP_MAYMOVE);
	say("grown: %d %d %d %d", byte_at(moved), byte_at(moved + MIB), byte_at(moved + MIB + 16 * PAGE),
	    byte_at(moved + 7 * MIB));
	CALL(madvise(moved + MIB, 16 * PAGE, GUARD_REMOVE));
	say("removed: %d", byte_at(moved + MIB));
	CALL(madvise(moved + MIB, 16 * PAGE, GUARD_INSTALL));
	CALL(mprotect(moved, 8 * MIB, PROT_READ));
	CALL(mprotect(moved, 8 * MIB, RW));
	say("moved: %d", mremap(moved, 8 * MIB, 8 * MIB, MOVE, there) == there);
	say("%d %d", byte_at(there + MIB), byte_at(there));
	say("over it: %d", mmap(there + MIB, PAGE, RW, ANON | MAP_FIXED, -1, 0) == there + MIB);
	say("%d %d", byte_at(there + MIB), byte_at(there + MIB + PAGE));
	munmap(there, 8 * MIB);
	reuse();
}

static void locks(void)
{
	char *block = map(MIB), *there = map(MIB / 2);

	CALL(mlock(block + 4 * PAGE, 4 * PAGE));
	say("locked %ld", locked_kib());
	block = mremap(block, MIB, 2 * MIB, MREMAP_MAYMOVE);
	say("grown %d, locked %ld", block != MAP_FAILED, locked_kib());
	munmap(block, 2 * MIB);
	block = map(MIB);
	CALL(mlock(block, MIB));
	CALL(mremap(block, MIB, MIB / 2, 0) == block ? 0 : -1);
	say("shrunk, locked %ld", locked_kib());
	say("moved %d, locked %ld", mremap(block, MIB / 2, MIB / 2, MOVE, there) == there, locked_kib());
	CALL(munmap(there + PAGE, PAGE));
	say("a hole, locked %ld", locked_kib());
	CALL(madvise(there, PAGE, MADV_DONTNEED));
	munmap(there, MIB / 2);
	say("unmapped, locked %ld", locked_kib());
	block = map(MIB);
	say("over it %d", mmap(block, 64 * KIB, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0) == block);
	say("locked %ld", locked_kib());
	CALL(munmap(block, MIB));
	say("unmapped, locked %ld", locked_kib());
	reuse();
}

static void moved_and_left(void)
{
	char *block = filled(2 * MIB, 'l'), *there = map(2 * MIB), *moved;

	moved = mremap(block, 2 * MIB, 2 * MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	say("%d %d %d", moved != MAP_FAILED, is(moved, 2 * MIB, 'l'), is(block, 2 * MIB, 0));
	memset(block, 'm', 2 * MIB);
	CALL(munmap(moved, 2 * MIB));
	moved = mremap(block, 2 * MIB, 2 * MIB, MOVE | MREMAP_DONTUNMAP, there);
	say("%d %d %d", moved == there, is(moved, 2 * MIB, 'm'), is(block, 2 * MIB, 0));
	moved = mremap(block + MIB, MIB, MIB, MOVE | MREMAP_DONTUNMAP, there);
	say("%d %d %d", moved == there, is(there, MIB, 0), is(there + MIB, MIB, 'm'));
	CALL(mremap(block, 2 * MIB, MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	CALL(mremap(block, MIB, 2 * MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	munmap(block, 2 * MIB);
	CALL(mremap(block, 2 * MIB, 2 * MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	munmap(there, 2 * MIB);
	reuse();
}

static void files_moved(void)
{
	int fd = file_of(MIB);
	char *file = mmap(NULL, MIB, RW, MAP_SHARED, fd, 0), *block = filled(4 * MIB, 'b');

	memset(file, 'f', MIB);
	say("into: %d", mremap(file, MIB, MIB, MOVE, block + MIB) == block + MIB);
	say("%d %d %d", is(block, MIB, 'b'), is(block + MIB, MIB, 'f'), is(block + 2 * MIB, MIB, 'b'));
	CALL(mremap(block, 4 * MIB, 8 * MIB, MREMAP_MAYMOVE));
	file = mremap(block + MIB, 0, MIB, MREMAP_MAYMOVE);
	say("twice: %d %d", byte_at(file), byte_at(block + MIB));
	say("over: %d", mremap(file, MIB, MIB, MOVE, block + 2 * MIB) == block + 2 * MIB);
	say("%d %d %d", byte_at(block + MIB), byte_at(block + 2 * MIB), byte_at(block + 3 * MIB));
	munmap(block, 4 * MIB);
	reuse();
}

static void odd_kinds(void)
{
	char *block = filled(4 * MIB, 'o'), *low;
	/* MAP_DROPPABLE, of Linux 6.11 on. */
	char *droppable = mmap(block + MIB, MIB, RW, 8 | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	say("droppable %d", droppable == block + MIB);
	if (droppable != MAP_FAILED)
		memset(droppable, 'd', MIB);
	munmap(block, 4 * MIB);
	low = mmap(NULL, MIB, RW, ANON | MAP_32BIT, -1, 0);
	say("low: %d", !MAP_32BIT || (uintptr_t)low < 1ul << 32);
	munmap(low, MIB);
	block = filled(MIB, (char)0xc3);
	CALL(mprotect(block, MIB, PROT_READ | PROT_EXEC));
#ifdef __x86_64__
	((void (*)(void))(uintptr_t)block)();
#endif
	CALL(mprotect(block, MIB, PROT_EXEC));
	CALL(munmap(block, MIB));
	reuse();
}

static void where_a_hole_ends(void)
{
	int fd = file_of(MIB);
	char *block = filled(4 * MIB, 'n');
	const int once = ANON | MAP_FIXED_NOREPLACE;

	munmap(block + MIB, MIB);
	CALL(mmap(block + MIB - PAGE, MIB, RW, once, -1, 0));
	CALL(mmap(block + MIB, MIB + PAGE, RW, once, -1, 0));
	say("all of it %d", mmap(block + MIB, MIB, PROT_READ, once, -1, 0) == block + MIB);
	CALL(mmap(block + MIB, PAGE, PROT_READ, once, -1, 0));
	CALL(munmap(block + MIB, MIB));
	say("a file %d", mmap(block + MIB, MIB, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) == block + MIB);
	CALL(mmap(block + MIB, MIB, RW, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0));
	memset(block + MIB, 'f', MIB);
	munmap(block, 4 * MIB);
	reuse();
	block = mmap(NULL, MIB, PROT_READ, MAP_SHARED, fd, 0);
	say("kept %d", is(block, MIB, 'f'));
}

/* Where the kernel would put a mapping next, and beside it, it is sent to. */
static void to_where_nothing_is(void)
{
	static const size_t sizes[] = { 3 * PAGE, 64 * KIB, MIB, 2 * MIB, 5 * MIB + PAGE };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (int kind = 0; kind < 6; kind++) {
			size_t bytes = sizes[i], grown = kind == 4 ? 2 * bytes : bytes;
			char *block = filled(bytes, 'w'), *place, *moved;

			if (kind == 1)
				mprotect(block + PAGE, PAGE, PROT_READ);
			else if (kind == 2)
				mprotect(block, bytes, PROT_READ);
			else if (kind == 3)
				mmap(block + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0);
			for (int ahead = 0; ahead < 2; ahead++) {
				place = mmap(NULL, grown + 2 * PAGE, PROT_NONE, ANON, -1, 0);
				munmap(place, grown + 2 * PAGE);
				place += ahead ? PAGE : 0;
				moved = mremap(block, bytes, grown, MOVE | (kind == 5 ? MREMAP_DONTUNMAP : 0), place);
				say("%zu bytes, kind %d, %d: there %d, kept %d", bytes, kind, ahead, moved == place,
				    byte_at(place) == 'w' && byte_at(place + bytes - 1) == 'w');
				if (kind == 5)
					munmap(block, bytes);
				block = moved == MAP_FAILED ? block : moved;
				bytes = grown;
			}
			munmap(block, bytes);
		}
	reuse();
}

/* To a fixed place, from Linux 6.17 on. What is at the place of a hole stays. */
static void moved_with_holes(void)
{
	char *place = mmap(NULL, 8 * MIB, PROT_READ, ANON, -1, 0), *region = filled(8 * MIB, 'r');

	for (int kind = 0; kind < 7; kind++) {
		char *to = (kind % 2 ? region : place) + MIB, *block = filled(4 * MIB, 'h');
		size_t bytes = kind == 5 ? 3 * MIB : kind == 6 ? 5 * MIB : 4 * MIB;
		char *moved;

		munmap(block + (kind == 4 ? 0 : MIB), PAGE);
		munmap(block + 3 * MIB, MIB);
		if (kind > 1)
			mprotect(block + 2 * MIB, PAGE, PROT_READ);
		moved = mremap(block, 4 * MIB, bytes, MOVE | (kind == 3 ? MREMAP_DONTUNMAP : 0), to);
		say("kind %d: %s, there %d", kind, moved == MAP_FAILED ? strerrorname_np(errno) : "0", moved == to);
		say("%d %d %d %d %d", byte_at(to), byte_at(to + MIB), byte_at(to + MIB + PAGE), byte_at(to + 2 * MIB),
		    byte_at(to + 3 * MIB));
		CALL(madvise(block, 4 * MIB, MADV_NORMAL));
		CALL(madvise(block, PAGE, MADV_NORMAL));
		munmap(block, 4 * MIB);
	}
	munmap(place, 8 * MIB);
	munmap(region, 8 * MIB);
	reuse();
}

/* Ranges that are empty, not the program's, or longer than one call takes, by a descriptor of the process. */
static void ranges_at_once(void)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	char *block = map(MIB);
	struct iovec none[] = { { block + 1, 0 }, { block + 2, 0 } };
	struct iovec between[] = { { block, PAGE }, { block + 1, 0 }, { block + PAGE, PAGE } };
	struct iovec first[] = { { block + 1, 0 }, { block, PAGE } };
	struct iovec first_whole[] = { { block, 0 }, { block, PAGE } };
	struct iovec behind[] = { { block, PAGE }, { block + 1, 0 } };
	struct iovec foreign[] = { { block, PAGE }, { block, 1ul << 62 } };
	struct iovec negative[] = { { block, 1ul << 62 }, { block, 1ul << 63 } };
	struct iovec high[] = { { block, PAGE }, { (void *)(UINTPTR_MAX - PAGE + 1), PAGE } };
	char *large = mmap(NULL, 4ul << 30, RW, ANON | MAP_NORESERVE, -1, 0);
	struct iovec much[] = { { large, 3ul << 30 }, { large + (3ul << 30), 1ul << 30 } };
	struct iovec *holed = (struct iovec *)(void *)map(3 * PAGE);

	memset(block, 'o', MIB);
	CALL(syscall(SYS_process_madvise, self, none, 2, MADV_DONTNEED, 0));
	CALL(syscall(SYS_process_madvise, self, none, 1, MADV_KEEPONFORK, 0));
	say("between: %ld", syscall(SYS_process_madvise, self, between, 3, MADV_DONTNEED, 0));
	say("first: %ld", syscall(SYS_process_madvise, self, first, 2, MADV_DONTNEED, 0));
	say("first whole: %ld", syscall(SYS_process_madvise, self, first_whole, 2, MADV_DONTNEED, 0));
	say("behind: %ld", syscall(SYS_process_madvise, self, behind, 2, MADV_DONTNEED, 0));
	memset(block, 'o', MIB);
	CALL(syscall(SYS_process_madvise, self, foreign, 2, MADV_DONTNEED, 0));
	CALL(syscall(SYS_process_madvise, self, negative, 2, MADV_DONTNEED, 0));
	CALL(syscall(SYS_process_madvise, self, high, 2, MADV_DONTNEED, 0));
	/* The ranges themselves cannot be read whole. */
	for (size_t i = 0; i < 3 * PAGE / sizeof(*holed); i++)
		holed[i] = between[0];
	CALL(mprotect((char *)holed + PAGE, PAGE, PROT_NONE));
	CALL(syscall(SYS_process_madvise, self, holed, 3 * PAGE / sizeof(*holed), MADV_DONTNEED, 0));
	say("kept: %d", is(block, MIB, 'o'));
	munmap(holed, 3 * PAGE);
	large[0] = large[(2ul << 30) - PAGE] = large[3ul << 30] = 1;
	say("much: %ld", syscall(SYS_process_madvise, self, much, 2, MADV_DONTNEED, 0));
	say("of it: %d %d %d", large[0], large[(2ul << 30) - PAGE], large[3ul << 30]);
	munmap(large, 4ul << 30);
	munmap(block, MIB);
	close(self);
}

SCENARIOS(SCENARIO(hints_of_all_kinds), SCENARIO(purged_with_a_file), SCENARIO(over_borders),
	  SCENARIO(over_a_border_that_was), SCENARIO(as_many_mappings_as_may_be), SCENARIO(guards), SCENARIO(locks),
	  SCENARIO(moved_and_left), SCENARIO(files_moved), SCENARIO(odd_kinds), SCENARIO(where_a_hole_ends),
	  SCENARIO(to_where_nothing_is), SCENARIO(moved_with_holes), SCENARIO(ranges_at_once))
