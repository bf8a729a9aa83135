/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stack_use.c - how much of its caller's stack each call takes: less than 4 KiB, so that threads with the smallest
 * stack and signal handlers on one of their own can make it. The calls run on a painted stack, over and over, in all
 * that they do seldom too. Prints the deepest; exit status 1 if that is too deep.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"
#include "units.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#define STACK (64 * KIB)
#define MOST (4 * KIB)
#define PAINT 0xa5

static unsigned char *stack;
static unsigned char *top; /* below the frame of who makes the calls */
static ucontext_t here, there;
static void (*make_calls)(size_t bytes);
static size_t sizes;

static char *map(size_t bytes, int protection)
{
	char *block = mmap(NULL, bytes, protection, ANON, -1, 0);

	CHECK(block != MAP_FAILED, "bytes=%zu errno=%d", bytes, errno);
	return block;
}

static void maps(size_t bytes)
{
	char *block = map(bytes, RW);

	for (size_t i = 0; i < bytes; i += 4 * KIB)
		block[i] = 1;
	munmap(block, bytes);
}

static void maps_in_pieces(size_t bytes)
{
	char *block = map(4 * bytes, RW);

	munmap(block + bytes, bytes);
	munmap(block + 3 * bytes, bytes);
	block[0] = block[2 * bytes] = 1;
	munmap(block, 4 * bytes);
}

static void resizes(size_t bytes)
{
	char *block = map(bytes, RW), *behind = map(bytes, RW);

	block[0] = 1;
	block = mremap(block, bytes, 2 * bytes, MREMAP_MAYMOVE);
	CHECK(block != MAP_FAILED && block[0] == 1, "errno=%d", errno);
	block = mremap(block, 2 * bytes, bytes / 2, MREMAP_MAYMOVE);
	munmap(block, bytes / 2);
	munmap(behind, bytes);
}

/* One mapping here, several to the kernel. */
static void resizes_pieces(size_t bytes)
{
	char *block = map(4 * bytes, RW);

	CHECK(mmap(block + bytes, bytes, PROT_NONE, ANON | MAP_FIXED, -1, 0) == block + bytes, "errno=%d", errno);
	mprotect(block + bytes, bytes, RW);
	memset(block, 1, 4 * bytes);
	madvise(block, 4 * bytes, MADV_DONTFORK);
	block = mremap(block, 4 * bytes, 8 * bytes, MREMAP_MAYMOVE);
	CHECK(block != MAP_FAILED && block[0] == 1, "errno=%d", errno);
	munmap(block, 8 * bytes);
}

static void purges(size_t bytes)
{
	static char *kept;

	if (!kept)
		kept = map(8 * MIB, RW);
	memset(kept, 1, bytes < 8 * MIB ? bytes : 8 * MIB);
	madvise(kept, bytes < 8 * MIB ? bytes : 8 * MIB, MADV_DONTNEED);
}

static void protects(size_t bytes)
{
	char *block = map(bytes, PROT_NONE);

	mprotect(block, bytes, RW);
	block[0] = 1;
	mprotect(block, bytes, PROT_READ);
	munmap(block, bytes);
	block = map(bytes, RW);
	mprotect(block, bytes / 2, PROT_READ);
	CHECK(mmap(block, bytes, RW, ANON | MAP_FIXED, -1, 0) == block, "errno=%d", errno);
	munmap(block, bytes);
}

static void breaks(size_t bytes)
{
	if (bytes > 4 * MIB)
		return;
	CHECK(sbrk((intptr_t)bytes) != (void *)-1, "errno=%d", errno);
	CHECK(sbrk(-(intptr_t)bytes) != (void *)-1, "errno=%d", errno);
}

static void looks(size_t bytes)
{
	static unsigned char pages[64 * MIB / (4 * KIB)];
	char *block = map(bytes, RW);

	mincore(block, bytes, pages);
	msync(block, bytes, MS_ASYNC);
	mlock(block, 4 * KIB);
	munlock(block, 4 * KIB);
	munmap(block, bytes);
}

static const struct {
	const char *name;
	void (*make)(size_t bytes);
} calls[] = {
	{ "mmap, munmap", maps }, { "munmap of parts", maps_in_pieces },
	{ "mremap", resizes },    { "mremap of pieces", resizes_pieces },
	{ "mprotect", protects }, { "madvise", purges },
	{ "sbrk", breaks },       { "mincore, msync, mlock", looks },
};

static void run(void)
{
	top = (unsigned char *)__builtin_frame_address(0) - 512;
	for (size_t i = 0; i < 6; i++)
		make_calls((4 * KIB) << (sizes + i) % 12);
}

/* How far below `top` the stack has been written to. */
static size_t used(void)
{
	unsigned char *lowest = stack;

	while (lowest < top && *lowest == PAINT)
		lowest++;
	return (size_t)(top - lowest);
}

static size_t depth(size_t i)
{
	memset(stack, PAINT, STACK);
	make_calls = calls[i].make;
	CHECK(!getcontext(&there), "errno=%d", errno);
	there.uc_stack.ss_sp = stack;
	there.uc_stack.ss_size = STACK;
	there.uc_link = &here;
	makecontext(&there, run, 0);
	CHECK(!swapcontext(&here, &there), "errno=%d", errno);
	return used();
}

int main(void)
{
	size_t deepest[sizeof(calls) / sizeof(*calls)] = { 0 };
	int failed = 0;

	stack = malloc(STACK);
	CHECK(stack, "errno=%d", errno);
	for (size_t round = 0; round < 60; round++) {
		sizes = round;
		for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
			size_t d = depth(i);

			deepest[i] = d > deepest[i] ? d : deepest[i];
		}
		/* What is due by the clock comes due. */
		usleep(2500);
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		printf("%-24s %6zu bytes\n", calls[i].name, deepest[i]);
		failed |= deepest[i] >= MOST;
	}
	return failed;
}
