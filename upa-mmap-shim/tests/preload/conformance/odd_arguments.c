/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments that are wrong, or seldom: of each call, which error comes first, where memory is, was, and ends. Of what
 * is refused everything is as it was.
 */
#define _GNU_SOURCE
#include "preload/conformance/conformance.h"

#include <sys/shm.h>
#include <sys/syscall.h>

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

#define PAGES 64ul
#define HOLE 8ul
#define HOLE_END 48ul

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* In a block whose middle has been unmapped, and what lies behind. */
static const struct {
	const char *name;
	size_t offset;
} places[] = {
	{ "memory", 0 },
	{ "a hole", 16 * PAGE },
	{ "the last page before a hole", (HOLE - 1) * PAGE },
	{ "the last page of a hole", (HOLE_END - 1) * PAGE },
	{ "the last page", (PAGES - 1) * PAGE },
	{ "an odd address in memory", PAGE + 1 },
	{ "an odd address in a hole", 17 * PAGE + 1 },
};

static char *fresh_block(void)
{
	char *block = map((PAGES + HOLE) * PAGE);

	block[0] = block[(HOLE - 1) * PAGE] = block[HOLE_END * PAGE] = block[(PAGES - 1) * PAGE] = 1;
	if (munmap(block + HOLE * PAGE, (HOLE_END - HOLE) * PAGE) || munmap(block + PAGES * PAGE, HOLE * PAGE))
		say("munmap: %m");
	return block;
}

static void tell(const char *call, size_t place, size_t arguments, long result, const char *block)
{
	const char *error = strerrorname_np(errno);

	if (result != -1) {
		say("%s %zu at %s = ok", call, arguments, places[place].name);
		return;
	}
	say("%s %zu at %s = -1, %s, contents %d %d %d %d", call, arguments, places[place].name, error ? error : "0",
	    peek(block), peek(block + (HOLE - 1) * PAGE), peek(block + HOLE_END * PAGE),
	    peek(block + (PAGES - 1) * PAGE));
}

/* Makes a call, in which `at` is the address, at each place, with each row of a table. */
#define EACH(name, table, call)                                                                                        \
	for (size_t place = 0; place < COUNT(places); place++)                                                         \
		for (size_t i = 0; i < COUNT(table); i++) {                                                            \
			__typeof__(&(table)[0]) row = &(table)[i];                                                     \
			char *block = fresh_block(), *at = block + places[place].offset;                               \
			long result;                                                                                   \
                                                                                                                       \
			errno = 0;                                                                                     \
			result = (long)(call);                                                                         \
			tell(name, place, i, result, block);                                                           \
			munmap(block, PAGES *PAGE);                                                                    \
		}

/*
 * Lengths beyond any, also of processors with five levels of page tables, at the end of all addresses, of everything,
 * of nothing.
 */
#define BEYOND (1ul << 57)
#define ODD_LENGTHS BEYOND, SIZE_MAX - 2 * PAGE + 1, SIZE_MAX - PAGE + 1, SIZE_MAX, 0

static const size_t lengths[] = { ODD_LENGTHS };
/* And more than most processors have, for calls that take nothing away. */
static const size_t far_lengths[] = { ODD_LENGTHS, 1ul << 47 };
static const size_t some_lengths[] = { ODD_LENGTHS, 1ul << 47, 1, PAGE, 2 * PAGE, 2 * PAGE + 1 };

struct pair {
	size_t length;
	int value;
};

void odd_protections(void)
{
	static const struct pair rows[] = {
		{ 2 * PAGE, 0x4000 },
		{ 2 * PAGE, 0x80 },
		{ 2 * PAGE, 8 | RW },
		{ 2 * PAGE, PROT_GROWSDOWN | RW },
		{ 2 * PAGE, PROT_READ },
		{ 2 * PAGE, PROT_GROWSDOWN | PROT_GROWSUP | PROT_READ },
		{ 0, PROT_READ },
		{ 0, 0x4000 },
		{ 1ul << 47, RW },
		{ SIZE_MAX, RW },
		{ SIZE_MAX - PAGE, RW },
		{ SIZE_MAX - 2 * PAGE, PROT_NONE },
		{ 2 * PAGE, PROT_GROWSUP | RW },
		{ 1ul << 47, PROT_GROWSUP | RW },
		{ 1ul << 47, PROT_GROWSDOWN | RW },
		{ SIZE_MAX, PROT_GROWSUP | RW },
	};

	EACH("mprotect", rows, mprotect(at, row->length, row->value));
	EACH("pkey_mprotect without a key", rows, syscall(SYS_pkey_mprotect, at, row->length, row->value, -1));
	EACH("pkey_mprotect with a key that is none", rows,
	     syscall(SYS_pkey_mprotect, at, row->length, row->value, 20));
}

/* Not 25, 100 and 101: the first sees how large a mapping is, the others take memory from the machine. */
void odd_advice(void)
{
	static const int numbers[] = { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,  13,  14,  15, 16,
				       17, 18, 19, 20, 21, 22, 23, 24, 26, 27, 77, 99, 102, 103, 104, -1 };

	EACH("madvise", numbers, madvise(at, 2 * PAGE, *row));
	EACH("madvise of nothing", numbers, madvise(at, 0, *row));
	EACH("madvise of everything", numbers, madvise(at, SIZE_MAX, *row));
	EACH("madvise beyond", numbers, madvise(at, SIZE_MAX - PAGE + 1, *row));
	EACH("posix_madvise", numbers, (errno = posix_madvise(at, 2 * PAGE, *row)) ? -1 : 0);
}

void odd_locks(void)
{
	static const unsigned flags[] = { 0, MLOCK_ONFAULT, 2, MLOCK_ONFAULT | 2, 1u << 31 };

	EACH("mlock", far_lengths, mlock(at, *row));
	EACH("munlock", far_lengths, munlock(at, *row));
	EACH("mlock2", flags, mlock2(at, PAGE, *row));
	EACH("mlock2 of nothing", flags, mlock2(at, 0, *row));
	EACH("mlock2 beyond", flags, mlock2(at, 1ul << 47, *row));
}

void odd_questions(void)
{
	static const int flags[] = { 0, MS_ASYNC, MS_SYNC, MS_INVALIDATE, MS_SYNC | MS_ASYNC, 8, 77, -1 };
	static unsigned char vector[PAGES];
	void *volatile nowhere = (void *)1;

	EACH("msync", flags, msync(at, 2 * PAGE, *row));
	EACH("msync of nothing", flags, msync(at, 0, *row));
	EACH("msync beyond", far_lengths, msync(at, *row, MS_SYNC));
	EACH("mincore", some_lengths, mincore(at, *row, vector));
	EACH("mincore to nowhere", some_lengths, mincore(at, *row, nowhere));
}

void odd_unmapping(void)
{
	EACH("munmap", lengths, munmap(at, *row));
}

void odd_moves(void)
{
	static const struct {
		size_t old_length, new_length;
		int flags;
		uintptr_t to; /* below 1 MiB: an offset in the block */
	} rows[] = {
		{ 2 * PAGE, 4 * PAGE, 64, 0 },
		{ 2 * PAGE, 4 * PAGE, 8, 0 },
		{ 2 * PAGE, 4 * PAGE, MREMAP_FIXED, 0 },
		{ 2 * PAGE, 0, MREMAP_MAYMOVE, 0 },
		{ 0, 4 * PAGE, MREMAP_MAYMOVE, 0 },
		{ 0, 4 * PAGE, 0, 0 },
		{ 0, 0, MREMAP_MAYMOVE, 0 },
		{ 2 * PAGE, 1ul << 47, MREMAP_MAYMOVE, 0 },
		{ 2 * PAGE, 1ul << 60, MREMAP_MAYMOVE, 0 },
		{ 2 * PAGE, SIZE_MAX, MREMAP_MAYMOVE, 0 },
		{ 2 * PAGE, SIZE_MAX - PAGE + 1, MREMAP_MAYMOVE, 0 },
		{ SIZE_MAX - PAGE + 1, 2 * PAGE, MREMAP_MAYMOVE, 0 },
		{ SIZE_MAX, 2 * PAGE, MREMAP_MAYMOVE, 0 },
		{ 1ul << 47, 1ul << 46, 0, 0 },
		{ PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, 0 },
		{ PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, 50 * PAGE + 1 },
		{ PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, 1ul << 47 },
		{ PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, UINTPTR_MAX - PAGE + 1 },
		{ PAGE, SIZE_MAX - PAGE + 1, MREMAP_FIXED | MREMAP_MAYMOVE, 50 * PAGE },
		{ 2 * PAGE, PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, PAGE },
		{ 2 * PAGE, 4 * PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE, 0 },
		{ 2 * PAGE, 2 * PAGE, MREMAP_DONTUNMAP, 0 },
		{ PAGE, PAGE, MREMAP_DONTUNMAP | MREMAP_MAYMOVE | MREMAP_FIXED, 3 * PAGE + 5 },
		{ 4 * PAGE - 5, 4 * PAGE - 100, 0, 0 },
		{ 1, 1, 0, 0 },
	};

	EACH("mremap", rows,
	     mremap(at, row->old_length, row->new_length, row->flags, (row->to < MIB ? block : NULL) + row->to));
}

void odd_places(void)
{
	static const struct {
		size_t length;
		int protection, flags, fd;
		off_t offset;
	} rows[] = {
		{ 2 * PAGE, RW, MAP_ANONYMOUS, -1, 0 },
		{ 2 * PAGE, RW, MAP_PRIVATE, -1, 0 },
		{ 2 * PAGE, RW, MAP_PRIVATE, 999, 0 },
		{ 2 * PAGE, RW, MAP_SHARED, 999, 0 },
		{ 2 * PAGE, RW, ANON, -1, 1 },
		{ 2 * PAGE, RW, ANON, -1, -(off_t)PAGE },
		{ 0, RW, ANON, -1, 0 },
		{ BEYOND, RW, ANON, -1, 0 },
		{ SIZE_MAX, RW, ANON, -1, 0 },
		{ SIZE_MAX - 2 * PAGE + 1, RW, ANON, -1, 0 },
		{ 2 * PAGE, RW, 4 | MAP_ANONYMOUS, -1, 0 },
		{ 2 * PAGE, RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS | 1 << 30, -1, 0 },
		{ 2 * PAGE, RW, ANON | MAP_HUGETLB, -1, 0 },
		{ 2 * PAGE, RW, ANON | MAP_HUGETLB | 21 << MAP_HUGE_SHIFT, -1, 0 },
		{ 2 * PAGE, RW, ANON | MAP_HUGETLB | 13 << MAP_HUGE_SHIFT, -1, 0 },
	};

	/* Nothing here is at a multiple of a huge page, by chance. */
#define PLACE (row->flags & MAP_HUGETLB && (uintptr_t)at % (2 * MIB) == 0 ? at + PAGE : at)
	EACH("mmap there", rows,
	     mmap(PLACE, row->length, row->protection, row->flags | MAP_FIXED, row->fd, row->offset));
	EACH("mmap there if it is free", rows,
	     mmap(PLACE, row->length, row->protection, row->flags | MAP_FIXED_NOREPLACE, row->fd, row->offset));
}

/* By logarithm: most kernels have pools of two sizes at most, and these are empty. */
void odd_huge_pages(void)
{
	for (unsigned log = 0; log < 64; log++) {
		long result;

		errno = 0;
		result = (long)mmap(NULL, PAGE, RW, (int)((unsigned)(ANON | MAP_HUGETLB) | log << MAP_HUGE_SHIFT), -1,
				    0);
		say("huge pages, log %u = %s, %s", log, result == -1 ? "-1" : "ok",
		    strerrorname_np(errno) ? strerrorname_np(errno) : "0");
	}
}

void odd_pointers(void)
{
	static const uintptr_t addresses[] = { 1, UINTPTR_MAX, 1ul << 46, UINTPTR_MAX - PAGE + 1 };

	for (size_t i = 0; i < COUNT(addresses); i++) {
		void *volatile bad = (void *)addresses[i];

		CALL(setrlimit(RLIMIT_AS, bad));
		CALL(setrlimit(RLIMIT_DATA, bad));
		CALL(setrlimit64(RLIMIT_AS, bad));
		CALL(prlimit(0, RLIMIT_AS, bad, NULL));
		CALL(prlimit64(0, RLIMIT_DATA, bad, NULL));
		CALL(prlimit(0, RLIMIT_AS, NULL, bad));
		CALL(syscall(SYS_setrlimit, RLIMIT_AS, bad));
		CALL(syscall(SYS_prlimit64, 0, RLIMIT_AS, bad, NULL));
		CALL(syscall(SYS_mincore, map(PAGE), PAGE, bad));
		CALL(syscall(SYS_mbind, map(PAGE), PAGE, 2, bad, 64, 0));
		CALL(syscall(SYS_process_madvise, -1, bad, 1, MADV_WILLNEED, 0));
		CALL(syscall(SYS_vmsplice, -1, bad, 1, 0));
		CALL(syscall(SYS_munmap, bad, PAGE) && addresses[i] % PAGE ? -1 : 0);
		CALL(syscall(SYS_mremap, bad, PAGE, 2 * PAGE, 1, 0));
		CALL(syscall(SYS_madvise, bad, PAGE, MADV_DONTNEED));
		CALL(syscall(SYS_mprotect, bad, PAGE, PROT_READ));
		CALL(syscall(SYS_mlock, bad, PAGE));
		CALL(shmat(0x7fffffff, bad, 0));
	}
}
