/* SPDX-License-Identifier: Apache-2.0 */
/* evicted.h - pages with known content, of which a part is evicted: for programs that run under `upa run --policy`. */
#ifndef UPA_TESTS_EVICTED_H
#define UPA_TESTS_EVICTED_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "units.h"

#define PAGES 8192ul

static char *memory;

static inline uint64_t content(size_t page)
{
	return (page + 1) * 0x9e3779b97f4a7c15ull;
}

#define FAIL(...) (fprintf(stderr, "FAILED: " __VA_ARGS__), fputc('\n', stderr), exit(1))
#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			FAIL("line %d: %s: %s", __LINE__, #condition, strerror(errno));                                \
	} while (0)

static inline uint64_t *at(char *base, size_t page)
{
	return (uint64_t *)(void *)(base + page * PAGE);
}

/* Words at both ends of a page. */
static inline void put(char *base, size_t page, uint64_t value)
{
	at(base, page)[0] = value;
	at(base, page)[511] = value;
}

static inline void expect(char *base, size_t page, uint64_t value)
{
	if (at(base, page)[0] != value || at(base, page)[511] != value)
		FAIL("page %zu is %016lx, not %016lx", page, (long)at(base, page)[0], (long)value);
}

static inline size_t absent(void)
{
	static unsigned char resident[PAGES];
	size_t n = 0;

	CHECK(!mincore(memory, PAGES * PAGE, resident));
	for (size_t p = 0; p < PAGES; p++)
		n += !(resident[p] & 1);
	return n;
}

static inline void all_there(void)
{
	for (size_t p = 0; p < PAGES; p++)
		expect(memory, p, content(p));
}

/* Without this, a case would show nothing. */
static inline void await_evicted(void)
{
	for (int i = 0; absent() < PAGES / 3; i++) {
		if (i == 2000)
			FAIL("of pages=%lu only absent=%zu: nothing is evicted", PAGES, absent());
		usleep(10000);
	}
}

static inline void set_up(void)
{
	memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	for (size_t p = 0; p < PAGES; p++)
		put(memory, p, content(p));
	await_evicted();
}

/* What a program of this kind can be asked for. */
struct evicted_case {
	const char *name;
	void (*run)(void);
};

/* Runs the case of that name. The exit status: 2: there is none. */
static inline int run_case(const struct evicted_case *cases, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(cases[i].name, name)) {
			cases[i].run();
			return 0;
		}
	return 2;
}

static inline char *page_at(size_t page)
{
	return memory + page * PAGE;
}

static inline void part_there(char *base, size_t first, size_t count)
{
	for (size_t p = 0; p < count; p++)
		expect(base, p, content(first + p));
}

/* A page that is outside of memory now. */
static inline size_t evicted_page(void)
{
	unsigned char resident;

	for (int tries = 0; tries < 1000; tries++) {
		for (size_t p = 0; p < PAGES; p++) {
			CHECK(!mincore(page_at(p), PAGE, &resident));
			if (!(resident & 1))
				return p;
		}
		usleep(10000);
	}
	FAIL("nothing is evicted");
}

static inline void end_well(pid_t child)
{
	int status;

	CHECK(child > 0 && waitpid(child, &status, 0) == child);
	CHECK(status == 0);
}

/* What a child does, and then all is there here; `child` as fork() returns it. */
static inline void child_does(pid_t child, void (*does)(void))
{
	if (!child) {
		does();
		_exit(0);
	}
	end_well(child);
	all_there();
}

static inline void child_looks(pid_t child)
{
	child_does(child, all_there);
}

#endif
