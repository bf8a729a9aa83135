/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent.c - the thread that gives back what a silent program keeps (preload/agent): that it comes, does its work and
 * goes, and that what would notice it does not. Run under UPA, one case after another, each in a process of its own:
 *
 *   agent          all; exit status 1 if one fails
 *   agent none     that there is no such thread, whatever is kept
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <upa/view.h>

#include "check.h"

#define MIB (1ul << 20)

/* Of the process's threads, the one that is called so; how many there are in all. */
static int agent_of(const char *process, int *threads)
{
	char path[300], name[32];
	struct dirent *entry;
	DIR *folder;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%s/task", process);
	folder = opendir(path);
	CHECK(folder, "%s", path);
	*threads = 0;
	while ((entry = readdir(folder))) {
		FILE *file;

		if (*entry->d_name == '.')
			continue;
		++*threads;
		snprintf(path, sizeof(path), "/proc/%s/task/%s/comm", process, entry->d_name);
		file = fopen(path, "r");
		if (file && fgets(name, sizeof(name), file) && !strcmp(name, "upa-agent\n"))
			found = atoi(entry->d_name);
		if (file)
			fclose(file);
	}
	closedir(folder);
	return found;
}

static int agent(void)
{
	int threads;

	return agent_of("self", &threads);
}

static int thread_count(void)
{
	int threads;

	agent_of("self", &threads);
	return threads;
}

static long resident_mib(void)
{
	char text[128] = "";
	int fd = open("/proc/self/statm", O_RDONLY);
	char *end;

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "statm");
	close(fd);
	strtol(text, &end, 10);
	return strtol(end, NULL, 10) / 256;
}

static void milliseconds(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static int wait_for_agent(void)
{
	int id = 0;

	for (int i = 0; i < 200 && !(id = agent()); i++)
		milliseconds(5);
	CHECK(id, "there is none");
	return id;
}

/* Twelve blocks are in use at once, so that 48 MiB are kept. */
static void keep(void)
{
	char *p[12];

	for (int i = 0; i < 12; i++) {
		p[i] = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		CHECK(p[i] != MAP_FAILED, "errno=%d", errno);
		memset(p[i], 1, 4 * MIB);
	}
	for (int i = 0; i < 12; i++)
		munmap(p[i], 4 * MIB);
}

/* ---- what it does ---------------------------------------------------------------------------------- */

static void comes_and_goes(void)
{
	CHECK(!agent() && thread_count() == 1, "it is there before anything is kept");
	keep();
	wait_for_agent();
	CHECK(thread_count() == 2, "threads=%d", thread_count());
	CHECK(resident_mib() > 40, "nothing is kept: the rest means nothing");
	milliseconds(3000);
	CHECK(resident_mib() < 8, "after 3 s %ld MiB", resident_mib());
	for (int i = 0; i < 100 && thread_count() > 1; i++)
		milliseconds(50);
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

static void gives(struct upa_view *view, uint64_t keep, long least, long most)
{
	uint64_t done = __atomic_load_n(&view->orders_done, __ATOMIC_ACQUIRE);
	int i = 0;

	__atomic_store_n(&view->order, keep + 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&view->orders_done, __ATOMIC_ACQUIRE) == done && i++ < 400)
		milliseconds(5);
	CHECK(view->orders_done == done + 1 && !view->order, "it does not answer");
	CHECK(resident_mib() >= least && resident_mib() <= most, "keep=%lu: %ld MiB are resident", (long)keep,
	      resident_mib());
}

static void obeys(void)
{
	struct upa_view *view = find_view();

	keep();
	wait_for_agent();
	while (!__atomic_load_n(&view->agent, __ATOMIC_ACQUIRE))
		milliseconds(1);
	CHECK((int)view->agent == agent(), "agent=%lu", (long)view->agent);
	gives(view, 20 * MIB, 10, 30);
	gives(view, UINT64_MAX - 1, 0, 30);
	gives(view, 0, 0, 8);
	for (int i = 0; i < 100 && view->agent; i++)
		milliseconds(50);
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

	for (int tries = 0; tries < 10 && p == MAP_FAILED; tries++) {
		keep();
		for (int i = 0; i < 400 && lazy_mib() < 16 && resident_mib() > 20; i++)
			milliseconds(5);
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

	/* Lowered while something is kept: then it goes by itself. */
	keep();
	wait_for_agent();
	CHECK(!view->ordered_bytes && resident_mib() > 30, "ordered_bytes=%lu", (long)view->ordered_bytes);
	__atomic_store_n(&view->bound, 1, __ATOMIC_RELEASE);
	/* It is counted after it has gone. */
	for (int i = 0; i < 200 && __atomic_load_n(&view->ordered_bytes, __ATOMIC_ACQUIRE) <= 20 * MIB; i++)
		milliseconds(5);
	CHECK(resident_mib() < 12 && view->ordered_bytes > 20 * MIB, "%ld MiB are resident, ordered_bytes=%lu",
	      resident_mib(), (long)view->ordered_bytes);
	for (int i = 0; i < 3; i++) {
		keep();
		milliseconds(600);
		CHECK(resident_mib() < 12, "%ld MiB are resident", resident_mib());
	}
	__atomic_store_n(&view->bound, 0, __ATOMIC_RELEASE);
	keep();
	CHECK(resident_mib() > 30, "it is still bound: %ld MiB are resident", resident_mib());
}

/* Touched memory of which no call tells takes the place of what is kept. */
static char quiet[200 * MIB];

static void glances(void)
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
	CHECK(most < 75, "%ld MiB were resident, 48 of them kept", most);
}

/* Each page that is kept would be copied when it is used again. */
static void keeps_little_at_forks(void)
{
	pid_t child;
	int status;

	keep();
	CHECK(resident_mib() > 40, "nothing is kept");
	child = fork();
	if (!child)
		_exit(resident_mib() < 12 ? 0 : 2);
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	CHECK(resident_mib() < 12, "%ld MiB are resident", resident_mib());
}

/* What is used all the time stays. */
static void lets_be(void)
{
	struct timespec start, now;
	long least = 1000;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		keep();
		milliseconds(50);
		least = resident_mib() < least ? resident_mib() : least;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < 4);
	CHECK(least > 40, "%ld MiB were left at some time", least);
}

/* ---- what would notice it -------------------------------------------------------------------------- */

static bool line_is(int id, const char *key, const char *value)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", id);
	file = fopen(path, "r");
	CHECK(file, "%s", path);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			found = strstr(line, value);
	fclose(file);
	return found;
}

static void signals(void)
{
	sigset_t all, old;
	siginfo_t info;
	int id;

	keep();
	id = wait_for_agent();
	/* But for SIGKILL and SIGSTOP. */
	CHECK(line_is(id, "SigBlk:", "fffffffffffbfeff") || line_is(id, "SigBlk:", "fffffffe7ffbfeff"), "SigBlk");
	sigemptyset(&all);
	sigaddset(&all, SIGUSR1);
	sigprocmask(SIG_BLOCK, &all, &old);
	CHECK(!kill(getpid(), SIGUSR1) && sigwaitinfo(&all, &info) == SIGUSR1, "errno=%d", errno);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void descriptors(void)
{
	char path[64];
	int pair[2], id, n = 0;
	struct dirent *entry;
	DIR *folder;

	CHECK(!pipe(pair), "errno=%d", errno);
	keep();
	id = wait_for_agent();
	milliseconds(100);
	snprintf(path, sizeof(path), "/proc/self/task/%d/fd", id);
	folder = opendir(path);
	while (folder && (entry = readdir(folder)))
		n += *entry->d_name != '.';
	CHECK(!n, "%d descriptors", n);
	closedir(folder);
	/* Whoever reads from the pipe is told that nobody writes. */
	close(pair[1]);
	CHECK(read(pair[0], path, 1) == 0, "the pipe has another end");
	for (int i = 0; i < 1000; i++) {
		int fd = open("/dev/null", O_RDONLY);

		CHECK(fd == pair[1], "fd=%d", fd);
		close(fd);
		usleep(1000);
	}
}

static void forks(void)
{
	for (int i = 0; i < 5; i++) {
		pid_t child;
		int status;

		keep();
		wait_for_agent();
		child = fork();
		if (!child) {
			if (thread_count() != 1)
				_exit(2);
			keep();
			for (int j = 0; j < 200 && !agent(); j++)
				milliseconds(5);
			_exit(agent() ? 0 : 3);
		}
		CHECK(thread_count() == 1, "threads=%d after fork()", thread_count());
		CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	}
}

static void *forked_beside(void *unused)
{
	(void)unused;
	for (int i = 0; i < 50; i++)
		keep();
	return NULL;
}

/* Another thread makes it while this one forks. */
static void forks_beside(void)
{
	pthread_t other;

	CHECK(!pthread_create(&other, NULL, forked_beside, NULL), "thread");
	for (int i = 0; i < 50; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			keep();
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	}
	pthread_join(other, NULL);
}

/* As it is without an agent. */
static int try_unshare(bool raw)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit((raw ? syscall(SYS_unshare, CLONE_NEWUSER) : unshare(CLONE_NEWUSER)) ? errno : 0);
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}

static void namespaces(void)
{
	for (int raw = 0; raw < 2; raw++) {
		pid_t child;
		int status, expected = try_unshare(raw);

		child = fork();
		if (!child) {
			int is;

			keep();
			wait_for_agent();
			is = (raw ? syscall(SYS_unshare, CLONE_NEWUSER) : unshare(CLONE_NEWUSER)) ? errno : 0;
			CHECK(is == expected, "errno=%d, expected %d", is, expected);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	}
}

/* Nobody is left with rights that the program has given up. */
static void users(void)
{
	bool root = !getuid();

	keep();
	wait_for_agent();
	CHECK(!setgid(root ? 65534 : getgid()) && !setuid(root ? 65534 : getuid()), "errno=%d", errno);
	CHECK(thread_count() == 1, "threads=%d", thread_count());
	keep();
	if (root)
		CHECK(line_is(wait_for_agent(), "Uid:", "65534\t65534\t65534\t65534"), "Uid");
	CHECK(seteuid(0) == -1 || !root, "it has come back");
}

static void executes(char *self)
{
	char *arguments[] = { self, "single", NULL };

	keep();
	wait_for_agent();
	execv("/proc/self/exe", arguments);
	CHECK(false, "errno=%d", errno);
}

/* In the child of vfork(), whose memory is this process's. */
static void vforks(void)
{
	pid_t child;
	int status;

	child = vfork();
	if (!child) {
		char *p = mmap(NULL, 32 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memset(p, 1, 32 * MIB);
		munmap(p, 32 * MIB);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	keep();
	wait_for_agent();
}

static void filters(void)
{
	keep();
	wait_for_agent();
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "errno=%d", errno);
	CHECK(thread_count() == 1, "threads=%d", thread_count());
	keep();
	milliseconds(100);
	CHECK(thread_count() == 1, "threads=%d", thread_count());
}

static void locks_all(void)
{
	keep();
	wait_for_agent();
	/* It may be refused. */
	mlockall(MCL_CURRENT);
	CHECK(thread_count() == 1, "threads=%d", thread_count());
}

static volatile sig_atomic_t caught;

static void handler(int number)
{
	char *p = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)number;
	if (p != MAP_FAILED) {
		*p = 1;
		munmap(p, 4 * MIB);
	}
	caught++;
}

/* Made by a signal handler, beside calls that are interrupted anywhere. */
static void from_handlers(void)
{
	struct timespec little = { 0, 5000000 };
	struct sigaction action = { .sa_handler = handler };
	timer_t timer;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	struct itimerspec each = { little, little };

	sigaction(SIGALRM, &action, NULL);
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer) && !timer_settime(timer, 0, &each, NULL), "timer");
	for (int i = 0; i < 30 || caught < 20; i++) {
		keep();
		if (i % 10 == 0)
			CHECK(!setgid(getgid()), "errno=%d", errno);
	}
	timer_delete(timer);
}

/* ---- nothing is lost ------------------------------------------------------------------------------- */

#define BLOCKS 64

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
	} while (now.tv_sec - start.tv_sec < 5);
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
	{ "users", users },
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
