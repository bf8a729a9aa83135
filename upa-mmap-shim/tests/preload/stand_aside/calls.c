/* SPDX-License-Identifier: Apache-2.0 */
/* What calls do once UPA has stood aside, and while it does. */
#define _GNU_SOURCE
#include "preload/stand_aside/reasons.h"

/* ---- what calls do afterwards -------------------------------------------------------------------- */

static bool is(const char *block, size_t bytes, char value)
{
	return block[0] == value && !memcmp(block, block + 1, bytes - 1);
}

static void *allocate(void *unused)
{
	for (size_t bytes = 1000; bytes < 4 * MIB; bytes *= 3) {
		char *p = malloc(bytes);

		memset(p, 1, bytes);
		free(p);
	}
	return unused;
}

static void say(const char *reason, const char *what, long value)
{
	printf("%s: %s %ld\n", reason, what, value);
}

/* Addresses that were given back before: whatever is mapped there now is a mapping like any other. */
static void fresh(const char *reason)
{
	char *block = mmap(NULL, 8 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	int fd = open("/proc/self/exe", O_RDONLY);
	unsigned char vector[4];
	char *other;

	say(reason, "none: protect", mprotect(block + MIB, MIB, RW));
	memset(block + MIB, 'n', MIB);
	say(reason, "none: written", is(block + MIB, MIB, 'n') && !readable(block));
	say(reason, "none: protect back", mprotect(block + MIB, MIB, PROT_NONE));
	say(reason, "none: readable", readable(block + MIB));
	say(reason, "none: unmap", munmap(block, 8 * MIB));
	block = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	say(reason, "file: advise", madvise(block, 2 * PAGE, MADV_WILLNEED));
	say(reason, "file: mincore", mincore(block, 2 * PAGE, vector));
	say(reason, "file: unmap", munmap(block, 2 * PAGE));
	say(reason, "file: readable", readable(block));
	block = mmap(NULL, 4 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(block, 's', 4 * MIB);
	say(reason, "shared: advise", madvise(block, MIB, MADV_DONTNEED));
	say(reason, "shared: contents", is(block, 4 * MIB, 's'));
	other = mremap(block, 4 * MIB, 8 * MIB, MREMAP_MAYMOVE);
	say(reason, "shared: remap", other != MAP_FAILED && is(other, 4 * MIB, 's'));
	say(reason, "shared: unmap", munmap(other, 8 * MIB));
	say(reason, "shared: readable", readable(other));
	for (int i = 0; i < 3; i++) {
		block = map(2 * MIB);
		say(reason, "new: zero", is(block, 2 * MIB, 0));
		memset(block, 'x', 2 * MIB);
		say(reason, "new: unmap", munmap(block, 2 * MIB));
		say(reason, "new: readable", readable(block));
	}
	close(fd);
}

/* What was in use goes on. `grown` is one mapping here, and may be several to the kernel. */
static void in_use(const char *reason, char *block, char *grown)
{
	char *other;

	say(reason, "in use: contents",
	    is(block, 4 * MIB, 'u') && is(grown, 4 * MIB, 'g') && is(grown + 4 * MIB, 12 * MIB, 'h'));
	say(reason, "in use: protect", mprotect(block, MIB, PROT_READ));
	say(reason, "in use: protect back", mprotect(block, MIB, RW));
	say(reason, "in use: unmap a part", munmap(block + MIB, MIB));
	say(reason, "in use: readable", readable(block + MIB));
	say(reason, "in use: purge", madvise(block, MIB, MADV_DONTNEED));
	say(reason, "in use: contents", is(block, MIB, 0) && is(block + 2 * MIB, 2 * MIB, 'u'));
	say(reason, "in use: over it", mmap(block, MIB, PROT_READ, ANON | MAP_FIXED, -1, 0) == block);
	say(reason, "in use: unmap", munmap(block, 4 * MIB));
	say(reason, "in use: readable", readable(block) || readable(block + 3 * MIB));
	other = mremap(grown, 16 * MIB, 32 * MIB, MREMAP_MAYMOVE);
	say(reason, "in use: remap",
	    other != MAP_FAILED && is(other, 4 * MIB, 'g') && is(other + 4 * MIB, 12 * MIB, 'h') &&
		    is(other + 16 * MIB, 16 * MIB, 0));
	say(reason, "in use: unmap", munmap(other, 32 * MIB));
	say(reason, "in use: readable", readable(other) || readable(other + 4 * MIB));
}

static void calls_after(const char *reason, void (*run)(void))
{
	char *freed[64], *block = map(4 * MIB), *grown = map(4 * MIB), *behind;
	pthread_t threads[4];

	memset(block, 'u', 4 * MIB);
	memset(grown, 'g', 4 * MIB);
	/* What lies behind it, so that it has to move. */
	behind = map(4 * MIB);
	grown = mremap(grown, 4 * MIB, 16 * MIB, MREMAP_MAYMOVE);
	CHECK(grown != MAP_FAILED);
	memset(grown + 4 * MIB, 'h', 12 * MIB);
	for (size_t i = 0; i < 64; i++)
		memset(freed[i] = map((i % 9 + 1) * 64 * 1024), 'f', (i % 9 + 1) * 64 * 1024);
	for (size_t i = 0; i < 64; i += 2)
		CHECK(!munmap(freed[i], (i % 9 + 1) * 64 * 1024));
	run();
	for (size_t i = 1; i < 64; i += 2) {
		CHECK(is(freed[i], (i % 9 + 1) * 64 * 1024, 'f'));
		CHECK(!munmap(freed[i], (i % 9 + 1) * 64 * 1024));
	}
	fresh(reason);
	in_use(reason, block, grown);
	say(reason, "behind: unmap", munmap(behind, 4 * MIB));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, allocate, NULL));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL));
	fresh(reason);
}

int calls(void)
{
	/*
	 * Only reasons for which the region goes: without --strict, memory that it serves can be read after munmap().
	 */
	for (size_t i = 0; i < reason_count; i++) {
		int status;
		pid_t child;

		if (reasons[i].run != limit_addresses && reasons[i].run != limit_data && reasons[i].run != refuse &&
		    reasons[i].run != lock_all && reasons[i].run != announce_filter &&
		    reasons[i].run != send_without_copying)
			continue;
		fflush(stdout);
		child = fork();
		if (!child) {
			calls_after(reasons[i].name, reasons[i].run);
			fflush(stdout);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child);
		printf("%s: status %d\n", reasons[i].name, status);
	}
	return 0;
}

/* ---- while others ask for memory ------------------------------------------------------------------ */

static volatile bool over;

/* A block of its own, and nobody else's, until it is unmapped: each word says whose it is. */
static void *churn(void *argument)
{
	unsigned long seed = (unsigned long)argument, mine = seed << 32;

	while (!over) {
		size_t bytes, more;
		unsigned long *block;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		bytes = (1 + (seed >> 40) % 300) * PAGE;
		more = bytes + (seed >> 33) % 4 * 64 * PAGE;
		block = (unsigned long *)map(bytes);
		for (size_t i = 0; i < bytes / 8; i += 64) {
			CHECK(!block[i]);
			block[i] = mine + i;
		}
		block = mremap(block, bytes, more, MREMAP_MAYMOVE);
		CHECK(block != MAP_FAILED);
		for (size_t i = 0; i < bytes / 8; i += 64)
			CHECK(block[i] == mine + i);
		for (size_t i = bytes / 8; i < more / 8; i += 64)
			CHECK(!block[i]);
		CHECK(!mprotect(block, PAGE, PROT_READ) && !mprotect(block, PAGE, RW) && block[0] == mine);
		CHECK(!munmap(block, more));
	}
	return NULL;
}

int race(void)
{
	for (size_t round = 0; round < 40; round++) {
		void (*const run[])(void) = { limit_addresses, lock_all, announce_filter, send_without_copying,
					      refuse };
		pthread_t threads[4];
		int status;
		pid_t child = fork();

		if (child) {
			CHECK(waitpid(child, &status, 0) == child && !status);
			continue;
		}
		for (unsigned long i = 0; i < 4; i++)
			CHECK(!pthread_create(&threads[i], NULL, churn, (void *)(i + 1)));
		usleep(3000 + (useconds_t)round * 100);
		run[round % 5]();
		usleep(3000);
		over = true;
		for (int i = 0; i < 4; i++)
			CHECK(!pthread_join(threads[i], NULL));
		_exit(0);
	}
	return 0;
}
