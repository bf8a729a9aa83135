/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that the kernel treats in a way of its own, and that mremap() has grow or move: the treatment goes along, also
 * where the kernel has several mappings and the program one. Says what came of it (scenarios.h); it must be the same
 * with and without the preloaded library (preload_test.sh).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "scenarios.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define PIECE (256ul * KIB)
#define OLD (4 * PIECE)
#define NEW (12 * PIECE)

/* ---- what the kernel says of a page -------------------------------------------------------------------- */

/* By no pointer, so that a page that must not be read can be. */
static int byte_at(const char *address)
{
	unsigned char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)address, 1 };

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == 1 ? byte : -1;
}

static int policy_at(const char *address)
{
	unsigned long nodes[16];
	int mode = -1;

	return syscall(SYS_get_mempolicy, &mode, nodes, sizeof(nodes) * 8 + 1, address, 2 /* MPOL_F_ADDR */) ? -1 :
													       mode;
}

/* Flags that say how the program has its memory treated. */
static void keep_treatment(const char *flags, char *kept)
{
	static const char list[][4] = { "rd", "wr", "ex", "lo", "lf", "sr", "rr",
					"dc", "dd", "wf", "mg", "gd", "um", "uw" };

	*kept = 0;
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
		if (strstr(flags, list[i]))
			strcat(strcat(kept, list[i]), " ");
}

struct seen {
	const char *what, *address;
	char treatment[64];
	int key;
};

/* Looks for some pages at once, for smaps is slow. */
static void look(struct seen *pages, size_t n)
{
	FILE *smaps = fopen("/proc/thread-self/smaps", "r");
	unsigned long start = 0, end = 0, from, to;
	char line[512];
	int key = 0;

	while (smaps && fgets(line, sizeof(line), smaps)) {
		/* "AnonHugePages" begins with a number, too. */
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
			start = from;
			end = to;
			key = 0;
		}
		sscanf(line, "ProtectionKey: %d", &key);
		for (size_t i = 0; !strncmp(line, "VmFlags: ", 9) && i < n; i++)
			if ((uintptr_t)pages[i].address >= start && (uintptr_t)pages[i].address < end) {
				keep_treatment(line + 9, pages[i].treatment);
				pages[i].key = key;
			}
	}
	if (smaps)
		fclose(smaps);
}

/* Of a block, and what has become of a child's. */
static void tell_all(const char *block, size_t bytes)
{
	struct seen pages[] = {
		{ "first page", block, "nothing", 0 },
		{ "a page of the second piece", block + PIECE + PAGE, "nothing", 0 },
		{ "the last old page", block + OLD - PAGE, "nothing", 0 },
		{ "the last page", block + bytes - PAGE, "nothing", 0 },
	};
	int status;
	pid_t child;

	look(pages, sizeof(pages) / sizeof(*pages));
	for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++)
		say("%s: %s key %d policy %d byte %d", pages[i].what, pages[i].treatment, pages[i].key,
		    policy_at(pages[i].address), byte_at(pages[i].address));
	fflush(stdout);
	child = fork();
	if (!child) {
		say("in a child: %d %d %d", byte_at(block), byte_at(block + PIECE), byte_at(block + bytes - PAGE));
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, &status, 0);
}

/* ---- treatments ---------------------------------------------------------------------------------------- */

static int unforked(char *block, size_t bytes)
{
	return madvise(block, bytes, MADV_DONTFORK);
}
static int wiped(char *block, size_t bytes)
{
	return madvise(block, bytes, MADV_WIPEONFORK);
}
static int merged(char *block, size_t bytes)
{
	return madvise(block, bytes, MADV_MERGEABLE);
}
static int undumped(char *block, size_t bytes)
{
	return madvise(block, bytes, MADV_DONTDUMP);
}
static int in_order(char *block, size_t bytes)
{
	return madvise(block, bytes, MADV_SEQUENTIAL);
}
static int locked(char *block, size_t bytes)
{
	return mlock(block, bytes);
}
static int locked_on_fault(char *block, size_t bytes)
{
	return mlock2(block, bytes, 1 /* MLOCK_ONFAULT */);
}
static int read_only(char *block, size_t bytes)
{
	return mprotect(block, bytes, PROT_READ);
}
static int closed(char *block, size_t bytes)
{
	return mprotect(block, bytes, PROT_NONE);
}
static int guarded(char *block, size_t bytes)
{
	return madvise(block + bytes - PAGE, PAGE, 102 /* MADV_GUARD_INSTALL */);
}
static int bound(char *block, size_t bytes)
{
	unsigned long nodes = 1;

	return (int)syscall(SYS_mbind, block, bytes, 2 /* MPOL_BIND */, &nodes, 8, 0);
}
static int keyed(char *block, size_t bytes)
{
	int key = pkey_alloc(0, 0);

	return key < 0 ? 0 : pkey_mprotect(block, bytes, RW, key);
}
static int several(char *block, size_t bytes)
{
	return madvise(block, bytes, MADV_DONTFORK) || madvise(block, bytes, MADV_DONTDUMP) || mlock(block, bytes);
}

static const struct treatment {
	const char *name;
	int (*begin)(char *block, size_t bytes);
} treatments[] = {
	{ "MADV_DONTFORK", unforked },
	{ "MADV_WIPEONFORK", wiped },
	{ "MADV_MERGEABLE", merged },
	{ "MADV_DONTDUMP", undumped },
	{ "MADV_SEQUENTIAL", in_order },
	{ "mlock", locked },
	{ "MLOCK_ONFAULT", locked_on_fault },
	{ "PROT_READ", read_only },
	{ "PROT_NONE", closed },
	{ "a guard", guarded },
	{ "mbind", bound },
	{ "a key", keyed },
	{ "several", several },
};

#define TREATMENTS (sizeof(treatments) / sizeof(*treatments))

/* ---- blocks -------------------------------------------------------------------------------------------- */

static char *whole(void)
{
	char *block = map(OLD);

	memset(block, 'w', OLD);
	return block;
}

/* To the kernel several mappings under UPA, where the second piece is one of the program's own; one without. */
static void cut_second_piece(char *block)
{
	if (mmap(block + PIECE, PIECE, PROT_NONE, ANON | MAP_FIXED, -1, 0) != block + PIECE ||
	    mprotect(block + PIECE, PIECE, RW))
		say("no second piece");
	memset(block + PIECE, 'q', PIECE);
}

static char *in_pieces(void)
{
	char *block = map(OLD);

	memset(block, 'p', OLD);
	cut_second_piece(block);
	return block;
}

/* Moved by page tables within the region, and its end not. */
static char *moved_before(void)
{
	char *block = map(2 * MIB), *behind = map(2 * MIB), *grown;

	memset(block, 'm', 2 * MIB);
	grown = mremap(block, 2 * MIB, 2 * MIB + OLD, MREMAP_MAYMOVE);
	munmap(behind, 2 * MIB);
	memset(grown, 'n', 2 * MIB + OLD);
	munmap(grown, 2 * MIB - PIECE);
	munmap(grown + 2 * MIB + OLD - PIECE, PIECE);
	return grown + 2 * MIB - PIECE;
}

/* ---- ways to grow and move ------------------------------------------------------------------------------ */

static void done(const char *how, char *block, char *result, size_t bytes)
{
	say("%s: %s", how, result == MAP_FAILED ? strerrorname_np(errno) : result ? "ok" : "at 0");
	if (result != MAP_FAILED) {
		tell_all(result, bytes);
		munmap(result, bytes);
	}
	munmap(block, OLD);
}

static void grow(const char *how, char *block)
{
	done(how, block, mremap(block, OLD, NEW, MREMAP_MAYMOVE), NEW);
}

static void grow_to_a_place(const char *how, char *block)
{
	done(how, block, mremap(block, OLD, NEW, MREMAP_MAYMOVE | MREMAP_FIXED, map(NEW)), NEW);
}

static void move_to_a_place(const char *how, char *block)
{
	done(how, block, mremap(block, OLD, OLD, MREMAP_MAYMOVE | MREMAP_FIXED, map(OLD)), OLD);
}

static void move_and_stay(const char *how, char *block)
{
	char *moved = mremap(block, OLD, OLD, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);

	if (moved != MAP_FAILED)
		say("left behind: %d", byte_at(block + PIECE));
	done(how, block, moved, OLD);
}

static void (*const ways[])(const char *how, char *block) = { grow, grow_to_a_place, move_to_a_place, move_and_stay };

#define WAYS (sizeof(ways) / sizeof(*ways))

static void each(char *(*make)(void))
{
	for (size_t i = 0; i < TREATMENTS; i++)
		for (size_t way = 0; way < WAYS; way++) {
			char *block = make();
			int refused = treatments[i].begin(block, OLD);

			say("%s, way %zu: %s", treatments[i].name, way, refused ? "refused" : "done");
			ways[way](treatments[i].name, block);
		}
	reuse();
}

/* UPA stands aside meanwhile, and the kernel serves: once in a process. */
static void each_aside(char *(*make)(void))
{
	for (size_t i = 0; i < TREATMENTS; i++)
		for (size_t way = 0; way < WAYS; way++) {
			int status;
			pid_t child;

			fflush(stdout);
			child = fork();
			if (!child) {
				char *block = make();

				treatments[i].begin(block, OLD);
				prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
				ways[way](treatments[i].name, block);
				fflush(stdout);
				_exit(0);
			}
			waitpid(child, &status, 0);
			say("%s, way %zu: ended with status %#x", treatments[i].name, way, (unsigned)status);
		}
}

static void one_mapping(void)
{
	each(whole);
}

static void one_to_the_program(void)
{
	each(in_pieces);
}

static void after_moves(void)
{
	each(moved_before);
}

static void aside_in_pieces(void)
{
	each_aside(in_pieces);
}

static void aside_after_moves(void)
{
	each_aside(moved_before);
}

/* What the program has in several mappings does not grow, and stays as it was. */
static void unlike(bool aside)
{
	for (size_t i = 0; i < TREATMENTS; i++) {
		char *block = in_pieces();

		treatments[i].begin(block + 2 * PIECE, OLD - 2 * PIECE);
		if (aside)
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		say("%s in a half", treatments[i].name);
		grow(treatments[i].name, block);
	}
	reuse();
}

static void unlike_pieces(void)
{
	unlike(false);
}

static void aside_unlike_pieces(void)
{
	unlike(true);
}

/* ---- refused midway, and odd sizes ------------------------------------------------------------------------ */

#define HUGE_SIZE (64 * MIB)

static long data_bytes(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	long kilobytes = 0;

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "VmData: %ld", &kilobytes);
	if (status)
		fclose(status);
	return kilobytes * (long)KIB;
}

/* There is room for all of it where it goes, but not for what it is to grow by: it is as it was. */
static void refused(char *(*make)(void), const struct treatment *treatment, bool fixed)
{
	char *block = make(), *target = fixed ? map(HUGE_SIZE) : NULL;
	struct rlimit limit = { 0, RLIM_INFINITY };
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		char *grown;

		treatment->begin(block, OLD);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		limit.rlim_cur = (rlim_t)data_bytes() + HUGE_SIZE / 2;
		if (fixed)
			mprotect(target, HUGE_SIZE, PROT_NONE);
		CALL(setrlimit(RLIMIT_DATA, &limit));
		grown = mremap(block, OLD, HUGE_SIZE, MREMAP_MAYMOVE | (fixed ? MREMAP_FIXED : 0), target);
		say("%s, refused: %s", treatment->name, grown == MAP_FAILED ? strerrorname_np(errno) : "no");
		limit.rlim_cur = RLIM_INFINITY;
		CALL(setrlimit(RLIMIT_DATA, &limit));
		if (grown == MAP_FAILED)
			tell_all(block, OLD);
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, &status, 0);
	say("ended with status %#x", (unsigned)status);
	munmap(block, OLD);
	if (fixed)
		munmap(target, HUGE_SIZE);
}

static void refused_midway(void)
{
	char *(*const makes[])(void) = { whole, in_pieces, moved_before };

	for (size_t i = 0; i < TREATMENTS; i++)
		for (int j = 0; j < 6; j++)
			refused(makes[j % 3], &treatments[i], j / 3);
	reuse();
}

/* What is behind is free: the kernel extends a mapping, or the last of several, where it is. */
static void grown_in_place(bool pieces, const struct treatment *treatment, bool aside)
{
	char *block = map(OLD + NEW), *grown;

	memset(block, 'p', OLD);
	if (pieces)
		cut_second_piece(block);
	treatment->begin(block, OLD);
	munmap(block + OLD, NEW);
	if (aside)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	grown = mremap(block, OLD, NEW, 0);
	say("%s, pieces %d: %s", treatment->name, pieces, grown == block ? "in place" : strerrorname_np(errno));
	if (grown == block)
		tell_all(block, NEW);
	munmap(block, NEW);
}

static void in_place(void)
{
	for (size_t i = 0; i < TREATMENTS; i++)
		for (int pieces = 0; pieces < 2; pieces++)
			grown_in_place(pieces, &treatments[i], false);
	reuse();
}

static void aside_in_place(void)
{
	grown_in_place(true, &treatments[0], true);
}

/* Sizes are rounded up. */
static void odd_sizes(void)
{
	for (int aside = 0; aside < 2; aside++) {
		char *block = in_pieces();

		if (aside)
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		done("odd sizes", block, mremap(block, OLD - 100, NEW - 100, MREMAP_MAYMOVE), NEW);
	}
}

/* A program that has used up its descriptors. */
static void use_up_descriptors(bool aside)
{
	struct rlimit few = { 16, 16 };
	char *block = in_pieces(), *grown;

	CALL(madvise(block, OLD, MADV_DONTFORK));
	if (aside)
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	CALL(setrlimit(RLIMIT_NOFILE, &few));
	while (dup(STDOUT_FILENO) >= 0)
		;
	grown = mremap(block, OLD, NEW, MREMAP_MAYMOVE);
	say("grown: %d", grown != MAP_FAILED && is(grown, PIECE, 'p') && is(grown + PIECE, PIECE, 'q') &&
				 is(grown + OLD, NEW - OLD, 0));
	tell_all(grown, NEW);
	munmap(grown, NEW);
	reuse();
}

static void without_descriptors(void)
{
	use_up_descriptors(false);
}

static void aside_without_descriptors(void)
{
	use_up_descriptors(true);
}

/* ---- what a child does not have -------------------------------------------------------------------------- */

/* Every call says that nothing is there. */
static void ask_for_nothing(char *block, char *target)
{
	unsigned char resident[1];

	CALL(mincore(block, PAGE, resident));
	CALL(mprotect(block, PAGE, PROT_READ));
	CALL(madvise(block, PAGE, MADV_DONTNEED));
	CALL(mlock(block, PAGE));
	CALL(msync(block, PAGE, MS_ASYNC));
	CALL(mremap(block, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	CALL(mremap(block, OLD, NEW, MREMAP_MAYMOVE));
	CALL(mremap(block, PAGE, 2 * PAGE, 0));
	CALL(mremap(block, OLD, OLD, MREMAP_MAYMOVE | MREMAP_FIXED, target));
	CALL(mremap(block, OLD, OLD, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	CALL(munmap(block, OLD));
}

/* And something can be, by a hint, if the program will have it. */
static void map_at_nothing(char *block, char *target)
{
	char *other = mmap(block, PIECE, RW, ANON, -1, 0);

	munmap(target, OLD);
	say("at a hint: %d, zero %d", other == block, is(other, PIECE, 0));
	memset(other, 'h', PIECE);
	other = mmap(block + PIECE, PIECE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	say("behind it: %d", other == block + PIECE);
	reuse();
	say("kept %d", is(block, PIECE, 'h'));
	other = mremap(block, PIECE, OLD, MREMAP_MAYMOVE);
	say("grown %d", other != MAP_FAILED && is(other, PIECE, 'h'));
	CALL(munmap(block, OLD));
}

static void not_in_a_child(void)
{
	static void (*const children[])(char *block, char *target) = { ask_for_nothing, map_at_nothing };
	char *block = whole(), *target = map(OLD);

	CALL(madvise(block, OLD, MADV_DONTFORK));
	for (size_t i = 0; i < sizeof(children) / sizeof(*children); i++) {
		int status;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (!child) {
			alarm(300);
			children[i](block, target);
			reuse();
			fflush(stdout);
			_exit(0);
		}
		waitpid(child, &status, 0);
		say("child %zu: %#x, kept %d", i, (unsigned)status, is(block, OLD, 'w'));
	}
	munmap(block, OLD);
	reuse();
}

/* Where the first thread has ended, the kernel says nothing of the process's memory in /proc/self. */
static void *go_on(void *unused)
{
	char text[16] = "";

	(void)unused;
	while (strncmp(text, "0 ", 2)) {
		int fd = open("/proc/self/statm", O_RDONLY);

		if (fd < 0 || read(fd, text, sizeof(text) - 1) < 2)
			break;
		close(fd);
		usleep(1000);
	}
	one_to_the_program();
	after_moves();
	unlike_pieces();
	fflush(stdout);
	_exit(0);
}

static void after_the_first_thread(void)
{
	pthread_t thread;

	if (!pthread_create(&thread, NULL, go_on, NULL))
		pthread_exit(NULL);
}

SCENARIOS(SCENARIO(one_mapping), SCENARIO(one_to_the_program), SCENARIO(after_moves), SCENARIO(aside_in_pieces),
	  SCENARIO(aside_after_moves), SCENARIO(unlike_pieces), SCENARIO(aside_unlike_pieces), SCENARIO(refused_midway),
	  SCENARIO(in_place), SCENARIO(aside_in_place), SCENARIO(odd_sizes), SCENARIO(without_descriptors),
	  SCENARIO(aside_without_descriptors), SCENARIO(not_in_a_child), SCENARIO(after_the_first_thread))
