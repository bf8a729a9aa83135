/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_fork.c - fork() of a process with a private region, with one thread and with several at work: parent and
 * child each have a copy of data and metadata, and neither sees what the other does.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <upa/region.h>

#include "test_backend.h"
#include "check.h"
#include "units.h"

#define REGION (64 * MIB)

static void fill(char *p, size_t bytes, uint64_t value)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		*(uint64_t *)(p + i) = value ^ i;
}

static void check_filled(const char *p, size_t bytes, uint64_t value)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		CHECK(*(const uint64_t *)(p + i) == (value ^ i), "page=%zu", i / PAGE);
}

static void wait_for(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
}

static void check_region(struct upa_region *r)
{
	char message[200] = "";

	CHECK(!upa_region_validate(r, message, sizeof(message)), "%s", message);
}

/* Everything a process can do to a region whose first block is p. */
static void use(struct upa_region *r, char *p, uint64_t value)
{
	char *q;

	check_filled(p, 8 * MIB, 1);
	fill(p, 8 * MIB, value);
	CHECK(!upa_region_unmap(r, p, 4 * MIB), "unmap");
	q = upa_region_map(r, 4 * MIB, UPA_MAP_ZEROS);
	CHECK(q, "errno=%d", errno);
	for (size_t i = 0; i < 4 * MIB; i += 8)
		CHECK(!*(uint64_t *)(q + i), "offset=%zu", i);
	fill(q, 4 * MIB, value);
	p = upa_region_resize(r, p + 4 * MIB, 4 * MIB, 16 * MIB, 0);
	CHECK(p, "errno=%d", errno);
	for (size_t i = 0; i < 4 * MIB; i += PAGE)
		CHECK(*(uint64_t *)(p + i) == (value ^ (i + 4 * MIB)), "page=%zu", i / PAGE);
	CHECK(upa_region_give_back(r, 0) >= 0, "give back");
	check_filled(q, 4 * MIB, value);
	CHECK(!upa_region_unmap(r, p, 16 * MIB) && !upa_region_unmap(r, q, 4 * MIB), "unmap");
	check_region(r);
	q = upa_region_map(r, REGION, 0);
	CHECK(q, "pages have been lost");
	CHECK(!upa_region_unmap(r, q, REGION), "unmap");
}

static void test_copy_on_write(bool child_first)
{
	struct upa_region *r;
	char *p;
	pid_t child;
	int go[2];

	CHECK(!create_region(&r, REGION, 0) && !pipe(go), "errno=%d", errno);
	p = upa_region_map(r, 8 * MIB, 0);
	CHECK(p, "errno=%d", errno);
	fill(p, 8 * MIB, 1);
	child = fork();
	CHECK(child >= 0, "errno=%d", errno);
	if (!child) {
		char byte;

		if (!child_first)
			CHECK(read(go[0], &byte, 1) == 1, "errno=%d", errno);
		use(r, p, 2);
		CHECK(!upa_region_destroy(r), "destroy");
		_exit(0);
	}
	if (child_first)
		wait_for(child);
	use(r, p, 3);
	CHECK(write(go[1], "", 1) == 1, "errno=%d", errno);
	if (!child_first)
		wait_for(child);
	CHECK(!upa_region_destroy(r), "destroy");
	close(go[0]);
	close(go[1]);
}

/* ---- with threads at work --------------------------------------------------------------------- */

static struct upa_region *shared_by_threads;
static _Atomic bool stop;

static void *churn(void *argument)
{
	enum { LIVE = 32 };
	struct upa_region *r = shared_by_threads;
	uint64_t seed = (uintptr_t)argument;
	char *live[LIVE] = { 0 };
	size_t bytes[LIVE];

	while (!atomic_load(&stop)) {
		uint64_t i = random_below(&seed, LIVE);

		if (live[i]) {
			check_filled(live[i], bytes[i], (uintptr_t)argument);
			CHECK(!upa_region_unmap(r, live[i], bytes[i]), "unmap");
			live[i] = NULL;
		} else {
			bytes[i] = PAGE * (1 + random_below(&seed, random_below(&seed, 8) ? 8 : 800));
			live[i] = upa_region_map(r, bytes[i], 0);
			if (live[i])
				fill(live[i], bytes[i], (uintptr_t)argument);
		}
	}
	for (int i = 0; i < LIVE; i++)
		if (live[i])
			CHECK(!upa_region_unmap(r, live[i], bytes[i]), "unmap");
	return NULL;
}

/* The threads do not exist in the child, and each leaves at most one operation undone there. */
static void test_threads(int rounds)
{
	pthread_t threads[3];
	char *mine;

	CHECK(!create_region(&shared_by_threads, REGION, 0), "create");
	mine = upa_region_map(shared_by_threads, 3 * MIB, 0);
	CHECK(mine, "errno=%d", errno);
	fill(mine, 3 * MIB, 99);
	for (uintptr_t i = 0; i < 3; i++)
		CHECK(!pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), "thread");
	for (int round = 0; round < rounds; round++) {
		pid_t child = fork();

		CHECK(child >= 0, "errno=%d", errno);
		if (!child) {
			uint64_t seed = (uint64_t)round;
			char *p;

			check_filled(mine, 3 * MIB, 99);
			for (int i = 0; i < 200; i++) {
				size_t bytes = PAGE * (1 + random_below(&seed, 100));

				p = upa_region_map(shared_by_threads, bytes, UPA_MAP_ZEROS);
				if (!p)
					continue;
				for (size_t k = 0; k < bytes; k += PAGE)
					CHECK(!*(uint64_t *)(p + k), "not zero");
				memset(p, 0xee, bytes);
				CHECK(!upa_region_unmap(shared_by_threads, p, bytes), "unmap");
			}
			/* Alone now: what recovery is for. */
			CHECK(upa_region_recover(shared_by_threads) >= 0, "recover");
			check_region(shared_by_threads);
			check_filled(mine, 3 * MIB, 99);
			_exit(0);
		}
		wait_for(child);
		check_filled(mine, 3 * MIB, 99);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++)
		CHECK(!pthread_join(threads[i], NULL), "join");
	CHECK(!upa_region_unmap(shared_by_threads, mine, 3 * MIB), "unmap");
	check_region(shared_by_threads);
	CHECK(upa_region_map(shared_by_threads, REGION, 0), "pages have been lost");
	CHECK(!upa_region_destroy(shared_by_threads), "destroy");
}

int main(void)
{
	const char *full = getenv("UPA_FULL");

	test_copy_on_write(true);
	test_copy_on_write(false);
	/* On the device a fork copies all pages in use, and it runs under emulation. */
	test_threads(full && *full ? 2000 : on_device() ? 8 : 50);
	return 0;
}
