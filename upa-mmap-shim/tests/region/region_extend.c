/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_extend.c - a thread is held between mapping what follows a region's extent and moving the extent: what others
 * meet that need more meanwhile. The library's extent.c is compiled behind yield.h for that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <upa/region.h>

#include "check.h"
#include "llfree/yield.h"
#include "region/region_private.h"
#include "units.h"

static struct upa_region *region;
static pthread_t holder;
static sem_t mapped, go_on;

static void wait_for(sem_t *event)
{
	while (sem_wait(event))
		CHECK(errno == EINTR, "errno=%d", errno);
}

/* Is something mapped behind the extent? */
static bool is_between(void)
{
	uint64_t extent = __atomic_load_n((const uint64_t *)upa_region_extent(region), __ATOMIC_RELAXED);

	return !msync((char *)upa_region_base(region) + extent, PAGE, MS_ASYNC);
}

static void hold(void)
{
	if (!pthread_equal(pthread_self(), holder) || !is_between())
		return;
	yield_hook = NULL;
	sem_post(&mapped);
	wait_for(&go_on);
}

static void *need_more(void *unused)
{
	char *p = upa_region_map(region, GIB, UPA_MAP_ZEROS);

	(void)unused;
	CHECK(p && !p[GIB - 1], "errno=%d", errno);
	return NULL;
}

/* The holder decides who it is, before it needs more. */
static void *need_more_and_hold(void *unused)
{
	holder = pthread_self();
	yield_hook = hold;
	return need_more(unused);
}

static pthread_t start(void *(*body)(void *))
{
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, body, NULL), "pthread_create");
	return thread;
}

static pthread_t start_holder(void)
{
	pthread_t thread;

	CHECK(!upa_region_create(&region, 64 * GIB, UPA_REGION_GROWS), "create");
	CHECK(!sem_init(&mapped, 0, 0) && !sem_init(&go_on, 0, 0), "sem_init");
	thread = start(need_more_and_hold);
	wait_for(&mapped);
	return thread;
}

static void finish(void)
{
	char message[200] = "";

	CHECK(!upa_region_validate(region, message, sizeof(message)), "%s", message);
	CHECK(!upa_region_destroy(region), "destroy");
}

/* However long it takes. */
static void test_other_thread(void)
{
	pthread_t first = start_holder(), second = start(need_more);

	usleep(300000);
	sem_post(&go_on);
	pthread_join(first, NULL);
	pthread_join(second, NULL);
	finish();
}

static _Atomic bool handled;

static void on_signal(int number)
{
	(void)number;
	need_more(NULL);
	handled = true;
}

/* It would wait for the thread that it has interrupted. */
static void test_signal(void)
{
	struct sigaction act = { .sa_handler = on_signal };
	pthread_t thread;

	CHECK(!sigaction(SIGUSR1, &act, NULL), "sigaction");
	thread = start_holder();
	CHECK(!pthread_kill(thread, SIGUSR1), "pthread_kill");
	usleep(100000);
	CHECK(!handled, "a handler runs in between");
	sem_post(&go_on);
	pthread_join(thread, NULL);
	CHECK(handled, "the signal is lost");
	finish();
}

static long sleeps(void)
{
	struct rusage usage;

	CHECK(!getrusage(RUSAGE_SELF, &usage), "errno=%d", errno);
	return usage.ru_nvcsw;
}

/* What is mapped there may be somebody else's; then nobody is waited for. */
static void test_neighbour(void)
{
	char *end;
	long before;

	CHECK(!upa_region_create(&region, 64 * GIB, UPA_REGION_GROWS), "create");
	need_more(NULL);
	end = (char *)upa_region_base(region) + *upa_region_extent(region);
	CHECK(mmap(end, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == end, "errno=%d",
	      errno);
	before = sleeps();
	CHECK(!upa_region_map(region, GIB, 0) && errno == ENOMEM, "errno=%d", errno);
	CHECK(sleeps() - before < 100, "sleeps=%ld", sleeps() - before);
	munmap(end, PAGE);
	finish();
}

/* Who is waited for is not in the child. */
static void test_child(void)
{
	pthread_t thread = start_holder();
	pid_t child = fork();
	int status;

	if (!child) {
		long before;

		CHECK(!upa_region_map(region, GIB, 0) && errno == ENOMEM, "errno=%d", errno);
		before = sleeps();
		CHECK(before >= 1000, "sleeps=%ld", before);
		CHECK(!upa_region_map(region, GIB, 0) && errno == ENOMEM, "errno=%d", errno);
		CHECK(sleeps() - before < 100, "it waits with each request: sleeps=%ld", sleeps() - before);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	sem_post(&go_on);
	pthread_join(thread, NULL);
	finish();
}

int main(void)
{
	test_other_thread();
	test_signal();
	test_neighbour();
	test_child();
	return 0;
}
