/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a forked child may do with pages that its parent had evicted. Usage: inherit CASE
 * Exit status 0, or 1 and a line. `orphan`, `later` and `told` say "good" when the child has seen all.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "bare_fork.h"
#include "evicted.h"

#define CHILDREN 20
#define FIRST 2048ul /* of a part in the middle */
#define PART 1024ul

static void expect_zeros(size_t first, size_t count)
{
	for (size_t p = first; p < first + count; p++)
		expect(memory, p, 0);
}

/* All but a part in the middle. */
static void others_there(void)
{
	for (size_t p = 0; p < PAGES; p++)
		if (p < FIRST || p >= FIRST + PART)
			expect(memory, p, content(p));
}

static void drops(void)
{
	CHECK(!madvise(memory + FIRST * PAGE, PART * PAGE, MADV_DONTNEED));
	expect_zeros(FIRST, PART);
	others_there();
}

static void unmaps(void)
{
	char *again;

	CHECK(!munmap(memory + FIRST * PAGE, PART * PAGE));
	again = mmap(memory + FIRST * PAGE, PART * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(again == memory + FIRST * PAGE);
	expect_zeros(FIRST, PART);
	others_there();
}

static char *move_part(void)
{
	char *place = mmap(NULL, PART * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *moved = mremap(memory + FIRST * PAGE, PART * PAGE, PART * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);

	CHECK(place != MAP_FAILED && moved == place);
	return moved;
}

static void moved_there(char *moved)
{
	for (size_t p = 0; p < PART; p++)
		expect(moved, p, content(FIRST + p));
	others_there();
}

static void moves(void)
{
	moved_there(move_part());
}

/* A child of it comes while the pages are on their way. */
static void moves_and_forks(void)
{
	char *moved = move_part();
	pid_t child = fork();

	moved_there(moved);
	if (child)
		end_well(child);
}

/* Neither sees what the other writes. */
static void both_write(void)
{
	int ends[2];
	char byte = 0;
	pid_t child;

	CHECK(!pipe(ends));
	child = fork();
	if (!child) {
		close(ends[1]);
		CHECK(read(ends[0], &byte, 1) == 0);
		all_there();
		for (size_t p = 0; p < PAGES; p++)
			put(memory, p, ~content(p));
		for (size_t p = 0; p < PAGES; p++)
			expect(memory, p, ~content(p));
		_exit(0);
	}
	for (size_t p = 0; p < PAGES; p++)
		put(memory, p, content(p) + 1);
	await_evicted();
	close(ends[1]);
	end_well(child);
	for (size_t p = 0; p < PAGES; p++)
		expect(memory, p, content(p) + 1);
}

static void looks_and_forks(void)
{
	for (size_t p = 0; p < PAGES / 2; p++)
		expect(memory, p, content(p));
	child_looks(fork());
}

/* More than may wait for their pages at a time. */
static void many(void)
{
	pid_t children[CHILDREN];

	for (int i = 0; i < CHILDREN; i++) {
		children[i] = fork();
		if (!children[i]) {
			all_there();
			_exit(0);
		}
	}
	for (int i = 0; i < CHILDREN; i++)
		end_well(children[i]);
	all_there();
}

/* Those that have ended are in nobody's way: the next one still gets its pages as it touches them. */
static void after_others(void)
{
	pid_t child;

	for (int i = 0; i < CHILDREN; i++) {
		child = fork();
		if (!child)
			_exit(0);
		end_well(child);
	}
	child = fork();
	if (!child) {
		CHECK(absent() > PAGES / 8);
		all_there();
		_exit(0);
	}
	end_well(child);
	all_there();
}

/* The child gets what it has not, although nobody is left who would keep it. */
static void orphan(void)
{
	pid_t parent = getpid(), child = fork();

	if (!child) {
		while (getppid() == parent)
			usleep(1000);
		usleep(500000);
		all_there();
		printf("good\n");
		return;
	}
	CHECK(child > 0);
}

/* Waits for a line of input: meanwhile the pager may die. */
static void later(void)
{
	char byte;
	pid_t child = fork();

	if (!child) {
		printf("ready\n");
		fflush(stdout);
		CHECK(read(0, &byte, 1) == 1);
		all_there();
		printf("good\n");
		return;
	}
	end_well(child);
	all_there();
}

/* Waits for a line of input, and forks then: that pager dies which reads of it. */
static void told(void)
{
	char byte;

	printf("ready\n");
	fflush(stdout);
	CHECK(read(0, &byte, 1) == 1);
	child_looks(bare_fork());
	printf("good\n");
}

/* The same of a child, which has not seen its pages yet. */
static void told_of_a_child(void)
{
	pid_t child = fork();

	if (!child) {
		told();
		return;
	}
	end_well(child);
	all_there();
}

/* Each runs here, or in a child. */
static const struct inherit_case {
	const char *name;
	void (*run)(void);
	void (*in_child)(void);
} list[] = {
	{ "drops", .in_child = drops },
	{ "unmaps", .in_child = unmaps },
	{ "moves", .in_child = moves },
	{ "moves-and-forks", .in_child = moves_and_forks },
	{ "grandchild", .in_child = looks_and_forks },
	{ "writes", .run = both_write },
	{ "many", .run = many },
	{ "orphan", .run = orphan },
	{ "later", .run = later },
	{ "after-others", .run = after_others },
	{ "told", .run = told },
	{ "told-of-a-child", .run = told_of_a_child },
};

int main(int argc, char **argv)
{
	set_up();
	for (size_t i = 0; argc > 1 && i < sizeof(list) / sizeof(*list); i++)
		if (!strcmp(list[i].name, argv[1])) {
			if (list[i].in_child)
				child_does(fork(), list[i].in_child);
			else
				list[i].run();
			return 0;
		}
	return 2;
}
