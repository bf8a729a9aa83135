/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages that move to slots: whatever state each of them is in, its result is its own, and what has moved is in its
 * slot. Some are in their slots already, as the kernel leaves them that moves pages and does not count them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "pager/moves.h"
#include "pager/uffd.h"
#include "units.h"

#define MUST(condition) CHECK(condition, "error=%s", strerror(errno))
#define PAGES 6u
#define ALL (PAGES + 1) /* the last one is not to move */

enum state { THERE, MOVED, GONE, READ_ONLY, STATES };
static const int32_t expected[STATES] = { 0, 0, -ENOENT, -EINVAL };

static int uffd;
static char *pages, *slots;

static uint64_t *content(char *memory, unsigned page)
{
	return (uint64_t *)(void *)(memory + page * PAGE);
}

/* All slots are empty, all pages have content. */
static void begin(uint64_t round)
{
	/* Dropping what is registered is an event. */
	MUST(!uffd_unregister(uffd, slots, ALL * PAGE));
	MUST(!madvise(slots, ALL * PAGE, MADV_DONTNEED));
	MUST(!uffd_register(uffd, slots, ALL * PAGE));
	MUST(!mprotect(pages, ALL * PAGE, PROT_READ | PROT_WRITE));
	for (unsigned p = 0; p < ALL; p++)
		*content(pages, p) = round << 8 | p;
}

static bool is_present(char *memory, unsigned page)
{
	unsigned char present;

	MUST(!mincore(memory + page * PAGE, PAGE, &present));
	return present & 1;
}

static void result_is(unsigned page, int32_t result, int32_t wanted, uint64_t round)
{
	char *where = wanted ? pages : slots, *not = wanted ? slots : pages;

	CHECK(result == wanted, "round=%" PRIu64 " page=%u is %d, not %d", round, page, result, wanted);
	CHECK(!is_present(not, page), "round=%" PRIu64 " page=%u", round, page);
	if (wanted != -ENOENT)
		CHECK(*content(where, page) == (round << 8 | page), "round=%" PRIu64 " page=%u", round, page);
}

static void become(unsigned page, enum state state)
{
	char *at = pages + page * PAGE;

	if (state == MOVED)
		MUST(uffd_move(uffd, slots + page * PAGE, at, PAGE) == (long)PAGE);
	else if (state == GONE)
		MUST(!madvise(at, PAGE, MADV_DONTNEED));
	else if (state == READ_ONLY)
		MUST(!mprotect(at, PAGE, PROT_READ));
}

/* Each page in each state, beside neighbours in all others. */
static void all_states(void)
{
	uint64_t rounds = 1;
	int32_t result[PAGES];

	for (unsigned p = 0; p < PAGES; p++)
		rounds *= STATES;
	for (uint64_t round = 0; round < rounds; round++) {
		uint64_t left = round;

		begin(round);
		for (unsigned p = 0; p < PAGES; p++, left /= STATES)
			become(p, left % STATES);
		moves_run(uffd, slots, pages, PAGES, result);
		left = round;
		for (unsigned p = 0; p < PAGES; p++, left /= STATES)
			result_is(p, result[p], expected[left % STATES], round);
		result_is(PAGES, -EAGAIN, -EAGAIN, round);
	}
}

/* What a child has as well stays. */
static void shared(void)
{
	int32_t result[PAGES];
	pid_t child;

	begin(1);
	child = fork();
	if (!child)
		for (;;)
			pause();
	MUST(child > 0);
	for (unsigned p = 0; p < PAGES; p += 2)
		*(volatile uint64_t *)content(pages, p) = 1 << 8 | p;
	become(4, MOVED);
	moves_run(uffd, slots, pages, PAGES, result);
	MUST(!kill(child, SIGKILL) && waitpid(child, NULL, 0) == child);
	for (unsigned p = 0; p < PAGES; p++)
		result_is(p, result[p], p % 2 ? -EBUSY : 0, 1);
}

static void *drops(void *memory)
{
	MUST(!madvise(memory, PAGES * PAGE, MADV_DONTNEED));
	return NULL;
}

/* Pages that have moved, and whose mapping is no longer one that pages could be moved from. */
static void moved_before(void)
{
	int32_t result[PAGES];

	begin(3);
	for (unsigned p = 0; p < PAGES; p++) {
		if (p % 2)
			become(p, MOVED);
		become(p, READ_ONLY);
	}
	moves_run(uffd, slots, pages, PAGES, result);
	for (unsigned p = 0; p < PAGES; p++)
		result_is(p, result[p], p % 2 ? 0 : -EINVAL, 3);
}

/*
 * While the kernel has an event to tell, nothing moves, and nobody waits for it here. What has moved before is in its
 * slot.
 */
static void disturbed(void)
{
	char *other = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pollfd event = { .fd = uffd, .events = POLLIN };
	struct uffd_msg message;
	int32_t result[PAGES];
	pthread_t dropping;

	MUST(other != MAP_FAILED && !uffd_register(uffd, other, PAGES * PAGE));
	begin(2);
	become(1, MOVED);
	become(4, MOVED);
	MUST(!pthread_create(&dropping, NULL, drops, other));
	MUST(poll(&event, 1, -1) == 1);
	moves_run(uffd, slots, pages, PAGES, result);
	for (unsigned p = 0; p < PAGES; p++)
		result_is(p, result[p], p == 1 || p == 4 ? 0 : -EAGAIN, 2);
	MUST(read(uffd, &message, sizeof(message)) == sizeof(message));
	MUST(!pthread_join(dropping, NULL));
	moves_run(uffd, slots, pages, PAGES, result);
	for (unsigned p = 0; p < PAGES; p++)
		result_is(p, result[p], 0, 2);
}

int main(void)
{
	char *memory = mmap(NULL, 3 * ALL * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	uffd = uffd_open(UFFD_FEATURES);
	if (uffd < 0) {
		printf("skipped: userfaultfd: %s\n", strerror(-uffd));
		return EXIT_SKIPPED;
	}
	MUST(memory != MAP_FAILED);
	pages = memory;
	slots = memory + 2 * ALL * PAGE;
	MUST(!madvise(slots, ALL * PAGE, MADV_DONTFORK));
	all_states();
	shared();
	moved_before();
	disturbed();
	return 0;
}
