/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes known page requests, all of 5 MiB or more, in each way a process can make them and end; and prints such
 * requests from a trace. trace_test.sh compares the two, stats_test.sh what the table at the exit says.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <upa/trace.h>

#include "units.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

static void *map(size_t bytes)
{
	void *at = mmap(NULL, bytes, RW, ANON, -1, 0);

	CHECK(at != MAP_FAILED);
	return at;
}

static void map_and_unmap(unsigned times, size_t bytes)
{
	while (times--)
		CHECK(!munmap(map(bytes), bytes));
}

/* ---- what is recorded ------------------------------------------------------------------------- */

static void plain(void)
{
	char *a = map(5 * MIB);
	char *b;

	CHECK(!munmap(a, 5 * MIB));
	a = map(6 * MIB);
	b = mremap(a, 6 * MIB, 9 * MIB, MREMAP_MAYMOVE);
	CHECK(b != MAP_FAILED);
	CHECK(!madvise(b, 9 * MIB, MADV_DONTNEED));
	CHECK(!mprotect(b, 9 * MIB, PROT_READ));
	CHECK(munmap(b + 1, 9 * MIB) == -1);
	CHECK(!munmap(b, 9 * MIB));
	a = mmap(NULL, 11 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	CHECK(a != MAP_FAILED);
	CHECK(mmap(a, 8 * MIB, RW, ANON | MAP_FIXED, -1, 0) == a);
	CHECK(!munmap(a, 11 * MIB));
}

static atomic_int coming;

/* All begin at once, awake. */
static void *one_thread(void *unused)
{
	atomic_fetch_sub(&coming, 1);
	while (atomic_load(&coming) > 0)
		;
	map_and_unmap(5000, 5 * MIB);
	return unused;
}

static void threads(void)
{
	pthread_t t[4];

	atomic_store(&coming, 4);
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&t[i], NULL, one_thread, NULL));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(t[i], NULL));
}

static void many(void)
{
	map_and_unmap(20000, 5 * MIB);
}

/* A daemon: closes what it has inherited, and opens 200 files of its own, in the folder that FOLDER names. */
static void own_files(void)
{
	plain();
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	if (!getenv("FOLDER") || chdir(getenv("FOLDER")))
		exit(1);
	for (int i = 0; i < 200; i++) {
		char name[16];
		int fd;

		snprintf(name, sizeof(name), "%d", i);
		fd = open(name, O_RDWR | O_CREAT, 0600);
		if (fd < 0 || write(fd, "data", 4) != 4)
			exit(1);
	}
}

static void closed_descriptors(void)
{
	close_range(3, ~0u, 0);
	many();
}

static void wait_for(pid_t child)
{
	int status;

	CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status));
}

static void forked(void)
{
	pid_t child;

	map(5 * MIB);
	child = fork();
	if (!child) {
		map_and_unmap(3, 7 * MIB);
		_exit(0);
	}
	wait_for(child);
	map(6 * MIB);
}

/* No handler of pthread_atfork() runs. */
static void forked_by_system_call(void)
{
	pid_t child;

	map(5 * MIB);
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (!child) {
		map_and_unmap(3, 7 * MIB);
		_exit(0);
	}
	wait_for(child);
	map(6 * MIB);
}

static void killed(void)
{
	map_and_unmap(10000, 5 * MIB);
	map(6 * MIB);
	raise(SIGKILL);
}

static void left(void)
{
	map(5 * MIB);
	_exit(0);
}

static void left_quickly(void)
{
	map(5 * MIB);
	quick_exit(0);
}

/* The child's leaving is not its parent's. */
static void vforked(void)
{
	pid_t child = vfork();

	if (!child)
		_exit(0);
	wait_for(child);
	map(5 * MIB);
	_Exit(0);
}

/* Waits with 10 MiB in use and 5 MiB free and populated, until its standard input ends. */
static void waits(void)
{
	char *blocks[3];
	char byte;

	for (int i = 0; i < 3; i++)
		memset(blocks[i] = map(5 * MIB), 1, 5 * MIB);
	CHECK(!munmap(blocks[1], 5 * MIB));
	CHECK(write(1, "\n", 1) == 1);
	while (read(0, &byte, 1) > 0)
		;
}

static void execs(void)
{
	map(7 * MIB);
	execl("/proc/self/exe", "trace_case", "plain", (char *)NULL);
}

static volatile sig_atomic_t signals;

static void on_alarm(int signal)
{
	(void)signal;
	map_and_unmap(1, 7 * MIB);
	signals++;
}

static void handler(void)
{
	struct itimerval often = { { 0, 200 }, { 0, 200 } };
	unsigned n = 0;

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &often, NULL);
	for (; signals < 200; n++)
		map_and_unmap(1, 5 * MIB);
	often.it_interval.tv_usec = often.it_value.tv_usec = 0;
	setitimer(ITIMER_REAL, &often, NULL);
	printf("%u of 5, %d of 7\n", n, (int)signals);
}

static void no_new_privileges(void)
{
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	many();
}

/* Sixteen GiB of addresses were for what would have been recorded. */
static void addresses_given_up(void)
{
	char line[256];
	uint64_t kib = 0;
	FILE *status;

	many();
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	status = fopen("/proc/self/status", "re");
	CHECK(status);
	while (fgets(line, sizeof(line), status) && sscanf(line, "VmSize: %" SCNu64, &kib) != 1)
		;
	fclose(status);
	printf("%s\n", kib && kib < 8 * MIB ? "given up" : "kept");
}

/* The child may not open a file of its own, and has its parent's mapped. */
static void forked_without_new_privileges(void)
{
	pid_t child;

	map(5 * MIB);
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	child = fork();
	if (!child) {
		map_and_unmap(3, 7 * MIB);
		_exit(0);
	}
	wait_for(child);
}

static void small_files_only(void)
{
	struct rlimit64 limit = { 300 << 10, 300 << 10 };

	CHECK(!setrlimit64(RLIMIT_FSIZE, &limit));
	many();
}

/* So much is in use that what is purged over and over stays where it is. */
static char *purge_in_place(void)
{
	char *block = map(MIB);

	memset(map(8 * MIB), 1, 8 * MIB);
	for (int i = 0; i < 4; i++) {
		memset(block, 1, MIB);
		CHECK(!madvise(block, MIB, MADV_DONTNEED));
	}
	return block;
}

static void purged(void)
{
	purge_in_place();
}
static void purged_unmapped(void)
{
	CHECK(!munmap(purge_in_place(), MIB));
}
static void purged_in_pieces(void)
{
	char *block = purge_in_place();

	for (size_t at = 0; at < MIB; at += 32 * KIB)
		CHECK(!madvise(block + at, 32 * KIB, MADV_DONTNEED));
}
static void purged_read_only(void)
{
	CHECK(!mprotect(purge_in_place(), MIB, PROT_READ));
}
static void purged_committed(void)
{
	CHECK(!mprotect(purge_in_place(), MIB, RW));
}

/* 64 MiB come and go, then little for two seconds. */
static void phases(void)
{
	char *blocks[64];

	for (int i = 0; i < 64; i++)
		memset(blocks[i] = map(MIB), 1, MIB);
	for (int i = 0; i < 64; i++)
		CHECK(!munmap(blocks[i], MIB));
	for (int i = 0; i < 200; i++) {
		map_and_unmap(1, MIB);
		usleep(10000);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "purged", purged },
	{ "purged-unmapped", purged_unmapped },
	{ "purged-in-pieces", purged_in_pieces },
	{ "purged-read-only", purged_read_only },
	{ "purged-committed", purged_committed },
	{ "phases", phases },
	{ "plain", plain },
	{ "threads", threads },
	{ "many", many },
	{ "closed-descriptors", closed_descriptors },
	{ "own-files", own_files },
	{ "fork", forked },
	{ "fork-by-system-call", forked_by_system_call },
	{ "kill", killed },
	{ "_exit", left },
	{ "quick_exit", left_quickly },
	{ "vfork", vforked },
	{ "wait", waits },
	{ "exec", execs },
	{ "signal", handler },
	{ "no-new-privileges", no_new_privileges },
	{ "addresses-given-up", addresses_given_up },
	{ "fork-without-new-privileges", forked_without_new_privileges },
	{ "small-files", small_files_only },
};

/* ---- what is found ---------------------------------------------------------------------------- */

static const char *const kinds[] = { "none", "map", "unmap", "resize", "resized", "advise", "protect", "break" };

/* Prints `header`, `list` or `count` of a trace: its requests of 5 MiB or more, stacks left out. */
static void print(const char *what, const char *path)
{
	uint64_t counts[2] = { 0 }, n, last = 0;
	int fd = open(path, O_RDONLY);
	const struct upa_trace_header *h;
	const struct upa_trace_record *r;
	struct stat st;

	CHECK(fd >= 0 && !fstat(fd, &st) && st.st_size >= 4096);
	h = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(h != MAP_FAILED && h->magic == UPA_TRACE_MAGIC && h->version == UPA_TRACE_VERSION);
	CHECK(h->header_bytes == sizeof(*h) && h->record_bytes == sizeof(*r));
	r = (const struct upa_trace_record *)(h + 1);
	n = ((uint64_t)st.st_size - sizeof(*h)) / sizeof(*r);
	CHECK(h->records <= n);
	n = h->records ? h->records : n;
	if (!strcmp(what, "header"))
		printf("%s, %s\n", h->ended_ns ? "ended" : "not ended", h->lost ? "lost some" : "lost none");
	for (uint64_t i = 0; i < n; i++) {
		if (!r[i].kind || r[i].bytes < 5 * MIB || r[i].flags & UPA_TRACE_STACK)
			continue;
		CHECK(r[i].kind < sizeof(kinds) / sizeof(*kinds) && r[i].thread);
		CHECK(r[i].ns + 1000000000 > last);
		last = r[i].ns;
		counts[r[i].bytes == 7 * MIB] += r[i].kind == UPA_TRACE_MAP;
		if (!strcmp(what, "list"))
			printf("%s %" PRIu64 "%s%s%s%s %u\n", kinds[r[i].kind], r[i].bytes / MIB,
			       r[i].flags & UPA_TRACE_SERVED ? " served" : "",
			       r[i].flags & UPA_TRACE_FAILED ? " failed" : "",
			       r[i].flags & UPA_TRACE_FIXED ? " fixed" : "",
			       r[i].flags & UPA_TRACE_NORESERVE ? " noreserve" : "", r[i].detail);
	}
	if (!strcmp(what, "count"))
		printf("%" PRIu64 " of 5, %" PRIu64 " of 7\n", counts[0], counts[1]);
}

int main(int argc, char **argv)
{
	if (argc == 3)
		print(argv[1], argv[2]);
	for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(*cases); i++)
		if (!strcmp(argv[1], cases[i].name))
			cases[i].run();
	return 0;
}
