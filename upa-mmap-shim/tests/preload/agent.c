/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.c - the thread that gives back what a silent program keeps (preload/agent): that it comes, does its work and
 * goes, and that what would notice it does not. Run under UPA, one case after another, each in a process of its own:
 *
 *   agent          all; exit status 1 if one fails
 *   agent NAME     one of them
 *   agent ownership SECONDS
 *                  that for so long, or until SIGTERM; says a line when it has begun
 *   agent keeps    keeps 48 MiB, says so, and waits to be killed
 *   agent none     that there is no such thread, whatever is kept
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/wait.h>

#include <upa/view.h>

#include "agent_harness.h"

/* ---- what it does ---------------------------------------------------------------------------------- */

static void comes_and_goes(void)
{
	long kept = 0;

	CHECK(!agent() && thread_count() == 1, "it is there before anything is kept");
	CHECK(KEEP_AND(kept = resident_mib()) && kept > 40, "kept=%ld MiB: the rest means nothing", kept);
	keep();
	wait_for_agent();
	CHECK(thread_count() == 2, "threads=%d", thread_count());
	AWAIT(resident_mib() < 8);
	CHECK(resident_mib() < 8, "%ld MiB stay", resident_mib());
	AWAIT(thread_count() == 1);
	CHECK(thread_count() == 1, "it does not end");
	/* And again. */
	keep();
	wait_for_agent();
}

/* The view, as another process finds it (upa/view.h). */
static struct upa_view *find_view(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char line[512];

	CHECK(file, "maps");
	while (fgets(line, sizeof(line), file)) {
		char *from, *to;

		if (!strstr(line, "libupa_mmap.so") || !strstr(line, " rw-p "))
			continue;
		from = (char *)strtoul(line, &to, 16);
		to = (char *)strtoul(to + 1, NULL, 16);
		for (; from < to; from += UPA_VIEW_ALIGNMENT)
			if (((struct upa_view *)from)->magic == UPA_VIEW_MAGIC) {
				fclose(file);
				return (struct upa_view *)from;
			}
	}
	CHECK(false, "no view");
	return NULL;
}

/* MiB that are resident then. */
static long gives(struct upa_view *view, uint64_t keep, long most)
{
	uint64_t done = __atomic_load_n(&view->orders_done, __ATOMIC_ACQUIRE);
	long left;

	__atomic_store_n(&view->order, keep + 1, __ATOMIC_RELEASE);
	AWAIT(__atomic_load_n(&view->orders_done, __ATOMIC_ACQUIRE) != done);
	CHECK(view->orders_done == done + 1 && !view->order, "it does not answer");
	left = resident_mib();
	CHECK(left <= most, "keep=%lu: %ld MiB are resident", (long)keep, left);
	return left;
}

static void obeys(void)
{
	struct upa_view *view = find_view();
	long left = 0;

	keep();
	wait_for_agent();
	AWAIT(__atomic_load_n(&view->agent, __ATOMIC_ACQUIRE));
	CHECK((int)view->agent == agent(), "agent=%lu", (long)view->agent);
	CHECK(KEEP_AND(left = gives(view, 20 * MIB, 30)) && left >= 10, "%ld MiB are resident", left);
	gives(view, UINT64_MAX - 1, 30);
	gives(view, 0, 8);
	AWAIT(!view->agent);
	CHECK(!view->agent, "it does not say that it has gone");
}

/* Bytes that the kernel may take of the process, by what it says itself. */
static long lazy_mib(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	long kib = 0;

	CHECK(file, "smaps_rollup");
	while (fgets(line, sizeof(line), file))
		sscanf(line, "LazyFree: %ld", &kib);
	fclose(file);
	return kib / 1024;
}

/* What nobody asks for is marked first, and goes later; who asks in between gets zeros, and keeps what he writes. */
static void marks(void)
{
	struct upa_view *view = find_view();
	char *p = MAP_FAILED;

	for (int tries = 0; tries < 40 && p == MAP_FAILED; tries++) {
		keep();
		AWAIT(lazy_mib() >= 16 || resident_mib() <= 20);
		/* On a busy machine that may be over before anybody looks. */
		if (lazy_mib() >= 16)
			p = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	}
	CHECK(p != MAP_FAILED && view->marked_bytes >= 16 * MIB, "marked_bytes=%lu", (long)view->marked_bytes);
	for (size_t i = 0; i < 16 * MIB; i += 512)
		CHECK(!p[i], "offset=%zu", i);
	memset(p, 1, 16 * MIB);
	madvise(p, 16 * MIB, 21 /* MADV_PAGEOUT */);
	for (size_t i = 0; i < 16 * MIB; i += 512)
		CHECK(p[i] == 1, "offset=%zu", i);
	munmap(p, 16 * MIB);
}

/* A bound of another process's holds for the program's own calls as well, and until it is lifted. */
static void is_bound(void)
{
	struct upa_view *view = find_view();
	long left = 0;

	/* Lowered while something is kept: then it goes by itself. */
	CHECK(!view->ordered_bytes, "ordered_bytes=%lu", (long)view->ordered_bytes);
	/* It may have gone without an order, on a busy machine. */
	for (int tries = 0; tries < 20 && view->ordered_bytes <= 20 * MIB; tries++) {
		__atomic_store_n(&view->bound, 0, __ATOMIC_RELEASE);
		keep();
		wait_for_agent();
		__atomic_store_n(&view->bound, 1, __ATOMIC_RELEASE);
		/* It is counted after it has gone. */
		AWAIT(__atomic_load_n(&view->ordered_bytes, __ATOMIC_ACQUIRE) > 20 * MIB || resident_mib() < 12);
		milliseconds(100);
	}
	CHECK(resident_mib() < 12 && view->ordered_bytes > 20 * MIB, "%ld MiB are resident, ordered_bytes=%lu",
	      resident_mib(), (long)view->ordered_bytes);
	for (int i = 0; i < 3; i++) {
		keep();
		AWAIT(resident_mib() < 12);
		CHECK(resident_mib() < 12, "%ld MiB are resident", resident_mib());
	}
	__atomic_store_n(&view->bound, 0, __ATOMIC_RELEASE);
	CHECK(KEEP_AND(left = resident_mib()) && left > 30, "it is still bound: %ld MiB are resident", left);
}

/* Touched memory of which no call tells takes the place of what is kept. */
static volatile char quiet[200 * MIB]; /* A compiler leaves out what is written and never read. */

static long most_while_touching(void)
{
	long most = 0;

	for (int i = 0; i < 2; i++)
		keep();
	for (size_t i = 0; i < sizeof(quiet); i += MIB) {
		for (size_t j = 0; j < MIB; j += 4096)
			quiet[i + j] = 1;
		milliseconds(10);
		if (i <= 40 * MIB)
			most = resident_mib() > most ? resident_mib() : most;
	}
	return most;
}

/* Noticed within milliseconds, by a thread that may have to wait for a processor. */
static void glances(void)
{
	int status = 1;

	for (int tries = 0; tries < 20 && status; tries++) {
		pid_t child = fork();

		if (!child)
			_exit(most_while_touching() >= 75);
		CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status), "status=%#x", status);
	}
	CHECK(!status, "what is kept stays beside what is touched");
}

/* Each page that is kept would be copied when it is used again. */
static void keeps_little_at_forks(void)
{
	long kept = 0;
	pid_t child;
	int status;

	CHECK(KEEP_AND(kept = resident_mib()) && kept > 40, "kept=%ld MiB", kept);
	keep();
	child = fork();
	if (!child)
		_exit(resident_mib() < 12 ? 0 : 2);
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	CHECK(resident_mib() < 12, "%ld MiB are resident", resident_mib());
}

/* What is used all the time stays. */
static void lets_be(void)
{
	int64_t start = clock_ms();
	long least = 1000, left = 0;

	do {
		CHECK(KEEP_AND(({
			      milliseconds(50);
			      left = resident_mib();
		      })),
		      "never in time");
		least = left < least ? left : least;
	} while (clock_ms() - start < 4000);
	CHECK(least > 40, "%ld MiB were left at some time", least);
}

/* ---- nothing is lost ------------------------------------------------------------------------------- */

#define BLOCKS 64

static volatile sig_atomic_t seconds = 5;

/* Blocks that hold what their owner has written, come and go at random, some never to be wanted again for a while. */
static void *owns(void *argument)
{
	static _Atomic uint64_t next;
	unsigned random = (unsigned)(uintptr_t)argument;
	uint64_t *block[BLOCKS] = { 0 };
	size_t bytes[BLOCKS], words;
	uint64_t mark[BLOCKS];
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		int i = rand_r(&random) % BLOCKS;

		words = bytes[i] / 8;
		if (block[i]) {
			for (size_t w = 0; w < words; w += 512)
				CHECK(block[i][w] == mark[i], "%p[%zu]=%#lx", (void *)block[i], w, (long)block[i][w]);
			munmap(block[i], bytes[i]);
			block[i] = NULL;
			continue;
		}
		bytes[i] = (size_t)(rand_r(&random) % 800 + 1) * 4096;
		block[i] = mmap(NULL, bytes[i], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(block[i] != MAP_FAILED, "errno=%d", errno);
		mark[i] = atomic_fetch_add(&next, 1) | 1ull << 63;
		for (size_t w = 0; w < bytes[i] / 8; w += 512) {
			CHECK(!block[i][w], "%p[%zu]=%#lx", (void *)block[i], w, (long)block[i][w]);
			block[i][w] = mark[i];
		}
		if (rand_r(&random) % 4096 == 0)
			milliseconds(300);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < seconds);
	return NULL;
}

static void ownership(void)
{
	pthread_t threads[4];

	for (uintptr_t i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, owns, (void *)(i + 1)), "thread");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void end_ownership(int signal)
{
	(void)signal;
	seconds = 0;
}

static void none(void)
{
	keep();
	milliseconds(100);
	CHECK(thread_count() == 1, "threads=%d", thread_count());
}

static const struct {
	const char *name;
	void (*test)(void);
} cases[] = {
	{ "obeys", obeys },
	{ "comes_and_goes", comes_and_goes },
	{ "marks", marks },
	{ "is_bound", is_bound },
	{ "glances", glances },
	{ "keeps_little_at_forks", keeps_little_at_forks },
	{ "lets_be", lets_be },
	{ "signals", signals },
	{ "descriptors", descriptors },
	{ "forks", forks },
	{ "forks_beside", forks_beside },
	{ "namespaces", namespaces },
	{ "lingers", lingers },
	{ "users", users },
	{ "rights", rights },
	{ "vforks", vforks },
	{ "filters", filters },
	{ "locks_all", locks_all },
	{ "from_handlers", from_handlers },
	{ "ownership", ownership },
};

int main(int count, char **arguments)
{
	int failures = 0;

	if (count > 1 && !strcmp(arguments[1], "none")) {
		none();
		return 0;
	}
	if (count > 1 && !strcmp(arguments[1], "single")) {
		CHECK(thread_count() == 1, "threads=%d after exec()", thread_count());
		return 0;
	}
	if (count > 1 && !strcmp(arguments[1], "keeps")) {
		keep();
		puts("keeps");
		fflush(stdout);
		pause();
		return 0;
	}
	if (count > 2 && !strcmp(arguments[1], "ownership")) {
		seconds = atoi(arguments[2]);
		signal(SIGTERM, end_ownership);
		printf("%d\n", (int)getpid());
		fflush(stdout);
		ownership();
		return 0;
	}
	for (size_t i = 0; i <= sizeof(cases) / sizeof(*cases); i++) {
		const char *name = i < sizeof(cases) / sizeof(*cases) ? cases[i].name : "executes";
		pid_t child;
		int status;

		if (count > 1 && strcmp(arguments[1], name))
			continue;
		child = fork();
		if (!child) {
			if (strcmp(name, "executes"))
				cases[i].test();
			else
				executes(arguments[0]);
			exit(0);
		}
		if (waitpid(child, &status, 0) != child || status) {
			printf("agent: %s failed: status=%#x\n", name, status);
			failures++;
		}
	}
	return failures > 0;
}
