/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ahead.c - memory that is populated before it is touched: it reads zero like any other, and is there only where as
 * much was used before. Says how many of how many pages were. Run by ahead_test.sh:
 *
 *   ahead possible                     status 77: this kernel cannot do it
 *   ahead used|sparse|part|populated   blocks, of which all, the first page, or all but the last quarter is touched;
 *                                      `populated`: the program wants them so
 *   ahead heap|sparse-heap             the same of what the heap grows by
 *   ahead heap-back                    the heap shrinks between, by half as much: of that no page is to be populated
 *   ahead again                        one block, time and again
 *   ahead trimmed                      a large one, after 24 that have gone back to the kernel
 *   ahead threads                      two threads in turn, one of which uses its blocks
 *   ahead fork                         a child goes on
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "os/os.h"
#include "units.h"

#define PAGES 64ul
#define LARGE_PAGES 1024ul
#define LARGE_BLOCKS 25
#define BLOCKS 400
#define STEP_PAGES 33ul

struct count {
	unsigned long populated, pages;
};

static unsigned long resident(void *address, unsigned long pages)
{
	unsigned char is[LARGE_PAGES];
	unsigned long n = 0;

	CHECK(!syscall(SYS_mincore, address, pages * PAGE, is), "errno=%d", errno);
	for (unsigned long i = 0; i < pages; i++)
		n += is[i] & 1;
	return n;
}

static void use(char *p, unsigned long pages)
{
	for (char *at = p; at < p + pages * PAGE; at += sizeof(long))
		CHECK(!*(long *)at, "address=%p", (void *)at);
	memset(p, 0xa5, pages * PAGE);
}

static char *map(unsigned long pages, int flags)
{
	char *p;

	errno = E2BIG;
	p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	CHECK(p != MAP_FAILED && errno == E2BIG, "errno=%d", errno);
	return p;
}

static bool possible(void)
{
	return !madvise(map(PAGES, 0), PAGES * PAGE, MADV_POPULATE_WRITE);
}

/* Each thread waits here for the others. */
static pthread_barrier_t turn;

static struct count blocks(unsigned long touched, int flags)
{
	struct count c = { 0, 0 };

	for (int i = 0; i < BLOCKS; i++) {
		char *p = map(PAGES, flags);

		c.populated += resident(p, PAGES);
		c.pages += PAGES;
		use(p, touched);
		pthread_barrier_wait(&turn);
	}
	return c;
}

static struct count heap(unsigned long touched, unsigned long back)
{
	struct count c = { 0, 0 };

	for (int i = 0; i < BLOCKS; i++) {
		char *p = sbrk(STEP_PAGES * PAGE);

		CHECK(p != (void *)-1 && (uintptr_t)p % PAGE == 0, "p=%p", (void *)p);
		c.populated += resident(p, STEP_PAGES);
		c.pages += STEP_PAGES - back;
		if (back)
			memset(p, 1, touched * PAGE);
		else
			use(p, touched);
		CHECK(sbrk(-(intptr_t)(back * PAGE)) != (void *)-1, "errno=%d", errno);
	}
	return c;
}

/* What is there already needs nobody. */
static void again(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		char *p = map(PAGES, 0);

		use(p, PAGES);
		CHECK(!munmap(p, PAGES * PAGE), "errno=%d", errno);
	}
}

static struct count trimmed(void)
{
	char *p[LARGE_BLOCKS];

	for (int i = 0; i < LARGE_BLOCKS; i++) {
		p[i] = map(LARGE_PAGES, 0);
		use(p[i], LARGE_PAGES);
	}
	for (int i = 0; i < LARGE_BLOCKS - 1; i++)
		CHECK(!munmap(p[i], LARGE_PAGES * PAGE), "errno=%d", errno);
	malloc_trim(0);
	return (struct count){ resident(map(LARGE_PAGES, 0), LARGE_PAGES), LARGE_PAGES };
}

static void *blocks_of_thread(void *touched)
{
	struct count *c = malloc(sizeof(*c));

	*c = blocks((unsigned long)touched, 0);
	return c;
}

static void threads(void)
{
	pthread_t thread[2];
	void *c[2];

	pthread_barrier_destroy(&turn);
	pthread_barrier_init(&turn, NULL, 2);
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_create(&thread[i], NULL, blocks_of_thread, (void *)(i ? 1 : PAGES)), "errno=%d", errno);
	for (int i = 0; i < 2; i++)
		CHECK(!pthread_join(thread[i], &c[i]), "errno=%d", errno);
	for (int i = 0; i < 2; i++)
		printf("%lu of %lu\n", ((struct count *)c[i])->populated, ((struct count *)c[i])->pages);
}

static void say(struct count c)
{
	printf("%lu of %lu\n", c.populated, c.pages);
}

static void in_child(void)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "errno=%d", errno);
	if (!child) {
		say(blocks(PAGES, 0));
		fflush(stdout);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%d", status);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	/* One touch is to populate one page. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	pthread_barrier_init(&turn, NULL, 1);
	/* Where a heap begins within a page. */
	sbrk((intptr_t)(-(uintptr_t)sbrk(0) % PAGE));
	if (!strcmp(what, "possible"))
		return possible() ? 0 : EXIT_SKIPPED;
	if (!strcmp(what, "used"))
		say(blocks(PAGES, 0));
	else if (!strcmp(what, "sparse"))
		say(blocks(1, 0));
	else if (!strcmp(what, "part"))
		say(blocks(PAGES - PAGES / 4, 0));
	else if (!strcmp(what, "populated"))
		blocks(PAGES, MAP_POPULATE), say(blocks(1, 0));
	else if (!strcmp(what, "heap"))
		say(heap(STEP_PAGES, 0));
	else if (!strcmp(what, "sparse-heap"))
		say(heap(1, 0));
	else if (!strcmp(what, "heap-back"))
		say(heap(STEP_PAGES, STEP_PAGES / 2));
	else if (!strcmp(what, "trimmed"))
		say(trimmed());
	else if (!strcmp(what, "again"))
		again();
	else if (!strcmp(what, "threads"))
		threads();
	else if (!strcmp(what, "fork"))
		blocks(PAGES, 0), in_child();
	else
		return 2;
	return 0;
}
