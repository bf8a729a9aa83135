/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limited_outside.c - a process that has used much memory gets a limit from outside (prlimit --pid), which is above
 * what it uses, and below what UPA has mapped. Every call that makes memory then works, up to the limit and no further.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bare.h"
#include "check.h"
#include "units.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* The limit leaves so much; a call asks for so much, and had been used and freed before. */
#define ROOM (80 * MIB)
#define WANTED (64 * MIB)
#define USED (256 * MIB)
#define HEAP (32 * MIB)

static char *kept;                /* in use when the limit comes */
static char *freed;               /* was in use */
static char *reserved;            /* PROT_NONE, of WANTED */
static char *foreign;             /* a shared mapping, which UPA does not serve */
static unsigned long used_before; /* bytes of this kind before anything was asked for */

static char *map(size_t bytes, int protection, int flags)
{
	char *block = mmap(NULL, bytes, protection, flags, -1, 0);

	CHECK(block != MAP_FAILED, "bytes=%zu errno=%d", bytes, errno);
	return block;
}

/* VmSize or VmData of /proc/self/status, in bytes. */
static unsigned long counted(const char *what)
{
	char text[4096];
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	const char *at;

	CHECK(n > 0 && !close(fd), "errno=%d", errno);
	text[n] = 0;
	at = strstr(text, what);
	CHECK(at, "what=%s", what);
	return strtoul(at + strlen(what), NULL, 10) * 1024;
}

/* Another process does it, or so it looks: by a call that nobody sees. */
static void limit(int resource, unsigned long bytes)
{
	struct rlimit64 l = { bytes, bytes };

	CHECK(!bare(SYS_prlimit64, getpid(), resource, (long)&l, 0, 0, 0), "errno=%d", errno);
}

/* ---- calls that make memory: NULL or false if the kernel refuses ------------------------------------------- */

static bool maps_none(void)
{
	return mmap(NULL, WANTED, PROT_NONE, ANON | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

static bool maps_private(void)
{
	char *block = mmap(NULL, WANTED, RW, ANON, -1, 0);

	if (block == MAP_FAILED)
		return false;
	for (size_t i = 0; i < WANTED; i += MIB)
		CHECK(!block[i], "i=%zu", i);
	block[WANTED - 1] = 1;
	return true;
}

static bool maps_shared(void)
{
	return mmap(NULL, WANTED, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool allocates(void)
{
	char *volatile block = malloc(WANTED);

	if (block)
		block[WANTED / 2] = 1;
	return block;
}

static bool allocates_small(void)
{
	for (size_t i = 0; i < WANTED / MIB * 16; i++) {
		char *volatile block = malloc(MIB / 16);

		if (!block)
			return false;
		block[0] = 1;
	}
	return true;
}

static bool breaks(void)
{
	return sbrk((intptr_t)(WANTED / 4)) != (void *)-1;
}

static void *itself(void *a)
{
	return a;
}

static bool starts_thread(void)
{
	pthread_t thread;
	pthread_attr_t attributes;
	int error;

	CHECK(!pthread_attr_init(&attributes) && !pthread_attr_setstacksize(&attributes, WANTED), "errno=%d", errno);
	error = pthread_create(&thread, &attributes, itself, NULL);
	return !error && !pthread_join(thread, NULL);
}

static bool commits(void)
{
	return !mprotect(reserved, WANTED, RW) && (reserved[WANTED - 1] = 1);
}

static bool grows_kept(void)
{
	char *grown = mremap(kept, 16 * MIB, WANTED, MREMAP_MAYMOVE);

	if (grown == MAP_FAILED)
		return false;
	CHECK(grown[0] == 'k' && grown[16 * MIB - 1] == 'k' && !grown[16 * MIB], "contents");
	grown[WANTED - 1] = 1;
	return true;
}

static bool grows_foreign(void)
{
	return mremap(foreign, PAGE, WANTED, MREMAP_MAYMOVE) != MAP_FAILED;
}

static bool maps_over_kept(void)
{
	CHECK(kept[0] == 'k', "contents");
	return mmap(kept, 16 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == kept && !kept[0];
}

static bool maps_where_freed(void)
{
	char *block = mmap(freed, WANTED, PROT_NONE, ANON | MAP_FIXED_NOREPLACE, -1, 0);

	return block == freed;
}

/* Above the limit, which is below what is in use: what is unmapped, whatever its state, goes. */
static bool unmaps_protected(void)
{
	bool unmapped;

	CHECK(!mprotect(kept + MIB, MIB, PROT_READ), "errno=%d", errno);
	limit(RLIMIT_AS, MIB);
	limit(RLIMIT_DATA, MIB);
	unmapped = !munmap(kept + MIB, MIB);
	return unmapped && kept[0] == 'k' && kept[2 * MIB] == 'k';
}

/*
 * Under a limit below what is in use, in which nothing more can be mapped, a block that is to grow, and be moved for
 * it, is whole afterwards, wherever it is.
 */
static bool survives_below(void)
{
	limit(RLIMIT_AS, MIB);
	limit(RLIMIT_DATA, MIB);
	for (size_t bytes = 16 * MIB; bytes <= 48 * MIB; bytes += 8 * MIB) {
		char *grown = mremap(kept, bytes, bytes + 8 * MIB, MREMAP_MAYMOVE);

		if (grown == MAP_FAILED)
			break;
		kept = grown;
		memset(kept + bytes, 'k', 8 * MIB);
		for (size_t i = 0; i < bytes + 8 * MIB; i++)
			CHECK(kept[i] == 'k', "contents at=%zu of=%zu", i, bytes);
	}
	for (size_t i = 0; i < 16 * MIB; i++)
		CHECK(kept[i] == 'k', "contents at=%zu", i);
	return true;
}

/*
 * Once the kernel has refused something, what is above the limit is refused as it would be without UPA; what was there
 * stays. (Before, UPA still has of what the process had.)
 */
static bool refuses_more(void)
{
	char *block = mmap(NULL, 64 * USED, RW, ANON | MAP_NORESERVE, -1, 0);

	CHECK(block == MAP_FAILED && errno == ENOMEM, "block=%p errno=%d", (void *)block, errno);
	block = mmap(NULL, USED, RW, ANON, -1, 0);
	CHECK(block == MAP_FAILED && errno == ENOMEM, "block=%p errno=%d", (void *)block, errno);
	CHECK(kept[0] == 'k' && kept[16 * MIB - 1] == 'k', "contents");
	return maps_private();
}

static const struct {
	const char *name;
	bool (*run)(void);
	bool addresses_only; /* is not data */
} calls[] = {
	{ "mmap of no access", maps_none, true },
	{ "mmap", maps_private, false },
	{ "mmap of shared memory", maps_shared, true },
	{ "malloc", allocates, false },
	{ "malloc of many", allocates_small, false },
	{ "sbrk", breaks, false },
	{ "pthread_create", starts_thread, false },
	{ "mprotect", commits, false },
	{ "mremap", grows_kept, false },
	{ "mremap of shared memory", grows_foreign, true },
	{ "mmap over memory in use", maps_over_kept, true },
	{ "mmap where memory was", maps_where_freed, true },
	{ "munmap of what was protected", unmaps_protected, false },
	{ "mremap below what is in use", survives_below, false },
	{ "refused", refuses_more, false },
};

/* Brings memory for all of it, in one call where the kernel has that, and leaves marks where it is read later. */
static void touch(char *block, size_t bytes)
{
	size_t step = madvise(block, bytes, MADV_POPULATE_WRITE) ? PAGE : MIB;

	for (size_t i = 0; i < bytes; i += step)
		block[i] = 'u';
}

/* Uses much and frees it, so that UPA has it mapped. */
static void use(void)
{
	char *blocks[USED / WANTED], *heap;

	kept = map(16 * MIB, RW, ANON);
	memset(kept, 'k', 16 * MIB);
	reserved = map(WANTED, PROT_NONE, ANON | MAP_NORESERVE);
	foreign = map(PAGE, RW, MAP_SHARED | MAP_ANONYMOUS);
	for (size_t i = 0; i < USED / WANTED; i++) {
		blocks[i] = map(WANTED, RW, ANON);
		touch(blocks[i], WANTED);
	}
	for (size_t i = 0; i < USED / WANTED; i++)
		CHECK(!munmap(blocks[i], WANTED), "errno=%d", errno);
	freed = blocks[0];
	CHECK((heap = sbrk(HEAP)) != (void *)-1, "errno=%d", errno);
	touch(heap, HEAP);
	CHECK(sbrk(-(intptr_t)HEAP) != (void *)-1, "errno=%d", errno);
}

static int one(size_t i, int resource)
{
	unsigned long in_use = 16 * MIB + PAGE + (resource == RLIMIT_AS ? WANTED : 0);

	use();
	limit(resource, used_before + in_use + ROOM);
	if (calls[i].run())
		return 0;
	fprintf(stderr, "%s: refused under a limit of %s, errno=%d\n", calls[i].name,
		resource == RLIMIT_AS ? "addresses" : "data", errno);
	return 1;
}

int main(void)
{
	static const struct {
		int resource;
		const char *counted;
	} limits[] = { { RLIMIT_AS, "VmSize:" }, { RLIMIT_DATA, "VmData:" } };
	int failed = 0;

	/* A region, if there is to be one; what it takes for itself is no matter here. */
	CHECK(!munmap(map(2 * MIB, RW, ANON), 2 * MIB), "errno=%d", errno);
	free(malloc(1));
	for (size_t k = 0; k < 2; k++) {
		used_before = counted(limits[k].counted);
		for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
			int status;
			pid_t child;

			if (calls[i].addresses_only && limits[k].resource == RLIMIT_DATA)
				continue;
			child = fork();
			if (!child)
				_exit(one(i, limits[k].resource));
			CHECK(child > 0 && waitpid(child, &status, 0) == child, "errno=%d", errno);
			if (status)
				fprintf(stderr, "%s: status=%d\n", calls[i].name, status);
			failed |= status;
		}
	}
	if (!failed)
		puts("all calls go on under a limit from outside");
	return failed ? 1 : 0;
}
