/* SPDX-License-Identifier: Apache-2.0 */
/*
 * random_threads.c - random memory calls of several threads and their children, each made twice: through libc's
 * functions, which the preloaded library answers, and as a bare system call on a twin. Results, errno, what may be done
 * to pages and what they hold must agree. Every thread has blocks of its own and touches nothing else, so that a page
 * of one that turns up with another is seen by its contents. A failing round is cut down to few calls, which are
 * printed.
 *
 *   preload_threads [--seed N] [--rounds N] [--threads N] [--ops N] [--shrink SECONDS]    each round in a process of
 *   its own
 *   preload_threads --replay 'OPERATIONS'                              as a failing run prints them
 *   preload_threads --seconds N [--resident KIB] [--seed N] ...        all rounds in one process, which must not swell
 *
 * Without the library it compares the kernel with itself.
 */
#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "random_player.h"

#define MAX_THREADS 8
#define MAX_OPS 400

/* All threads at once. 1 + the number of the thread that failed, or 0. */
static int round_of(const struct op *ops, int count)
{
	static struct player players[MAX_THREADS];
	static struct op own[MAX_THREADS][MAX_OPS];
	int failed = 0;

	memset(players, 0, sizeof(players));
	for (int i = 0; i < count; i++) {
		struct player *p = &players[ops[i].thread];

		own[ops[i].thread][p->count++] = ops[i];
	}
	for (int i = 0; i < MAX_THREADS; i++) {
		players[i].ops = own[i];
		players[i].id = i;
		if (players[i].count)
			CHECK(!pthread_create(&players[i].thread, NULL, play_all, &players[i]), "errno=%d", errno);
	}
	for (int i = 0; i < MAX_THREADS; i++) {
		if (players[i].count)
			pthread_join(players[i].thread, NULL);
		if (players[i].failed_at && !failed)
			failed = i + 1;
	}
	if (players[0].heap && sbrk(0) == players[0].heap_end && brk(players[0].heap))
		failed = 1;
	return failed;
}

static int round_apart(const struct op *ops, int count, bool silent)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "errno=%d", errno);
	if (!child) {
		quiet = silent;
		alarm(900);
		_exit(round_of(ops, count));
	}
	CHECK(waitpid(child, &status, 0) == child, "errno=%d", errno);
	if (!WIFEXITED(status) && !silent)
		fprintf(stderr, "killed by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static int random_ops(struct op *ops, uint64_t seed, int threads, int per_thread)
{
	int count = 0;

	for (int t = 0; t < threads; t++)
		for (int i = 0; i < per_thread; i++)
			ops[count++] = random_op(&seed, t);
	return count;
}

static void print_ops(const struct op *ops, int count)
{
	fprintf(stderr, "--replay '");
	for (int i = 0; i < count; i++)
		fprintf(stderr, "%s%d %d %ld %ld %ld %ld %ld", i ? "; " : "", ops[i].thread, ops[i].kind, ops[i].block,
			ops[i].from, ops[i].pages, ops[i].flags, ops[i].more);
	fprintf(stderr, "'\n");
	for (int i = 0; i < count; i++)
		fprintf(stderr, "  thread %d %-16s block=%ld from=%ld pages=%ld flags=%#lx more=%ld\n", ops[i].thread,
			kind_names[ops[i].kind], ops[i].block, ops[i].from, ops[i].pages, (unsigned long)ops[i].flags,
			ops[i].more);
}

static void cut_out(struct op *to, const struct op *ops, int count, int from, int n)
{
	memcpy(to, ops, (size_t)from * sizeof(*ops));
	memcpy(to + from, ops + from + n, (size_t)(count - from - n) * sizeof(*ops));
}

/*
 * Leaves out operations, many at a time and then few, as long as the rest still fails in one of three tries, for so
 * long at most.
 */
static void shrink(struct op *ops, int count, long seconds)
{
	static struct op without[MAX_THREADS * MAX_OPS];
	time_t end = time(NULL) + seconds;

	for (int n = count / 2; n && time(NULL) < end; n = n > 1 ? n / 2 : 0)
		for (int from = count - n; from >= 0 && time(NULL) < end; from -= n) {
			bool fails = false;

			if (from + n > count)
				continue;
			cut_out(without, ops, count, from, n);
			for (int i = 0; i < 3 && !fails; i++)
				fails = round_apart(without, count - n, true);
			if (!fails)
				continue;
			memcpy(ops, without, (size_t)(count -= n) * sizeof(*ops));
		}
	round_apart(ops, count, false);
	print_ops(ops, count);
}

static int replay(const char *text)
{
	static struct op ops[MAX_THREADS * MAX_OPS];
	int count = 0, used;

	while (count < MAX_THREADS * MAX_OPS &&
	       sscanf(text, "%d %d %ld %ld %ld %ld %ld%n", &ops[count].thread, &ops[count].kind, &ops[count].block,
		      &ops[count].from, &ops[count].pages, &ops[count].flags, &ops[count].more, &used) == 7) {
		CHECK(ops[count].kind >= 0 && ops[count].kind < KINDS && ops[count].thread >= 0 &&
			      ops[count].thread < MAX_THREADS,
		      "operation=%d", count);
		count++;
		text += used;
		text += strspn(text, "; ");
	}
	print_ops(ops, count);
	return round_apart(ops, count, false) ? 1 : 0;
}

/* ---- what a process has that should not grow -------------------------------------------------------- */

static long lines_of(const char *path)
{
	FILE *file = fopen(path, "re");
	long lines = 0;

	CHECK(file, "path=%s", path);
	for (int c; (c = getc(file)) != EOF;)
		lines += c == '\n';
	fclose(file);
	return lines;
}

static long descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	long n = 0;

	CHECK(directory, "errno=%d", errno);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* Rounds one after the other in this process, until the time is up and ten are done. */
static int soak(uint64_t seed, int threads, int per_thread, long seconds, long resident_kib)
{
	static struct op ops[MAX_THREADS * MAX_OPS];
	struct timespec now;
	struct rusage usage;
	long fds = 0, maps = 0, most_maps = 0, rounds = 0, begun;

	clock_gettime(CLOCK_MONOTONIC, &now);
	begun = now.tv_sec;
	do {
		int failed = round_of(ops, random_ops(ops, seed, threads, per_thread));

		if (failed) {
			fprintf(stderr, "seed=%" PRIu64 " fails after %ld rounds in thread %d\n", seed, rounds,
				failed - 1);
			return 1;
		}
		seed++;
		/* What the first rounds leave is what there is: stacks of threads, arenas. */
		if (++rounds == 5) {
			fds = descriptors();
			maps = lines_of("/proc/self/maps");
		}
		if (rounds > 5 && rounds % 5 == 0) {
			long have = lines_of("/proc/self/maps");

			CHECK(descriptors() == fds, "descriptors=%ld at first %ld", descriptors(), fds);
			CHECK(have < 2 * maps + 1000, "mappings=%ld at first %ld", have, maps);
			most_maps = have > most_maps ? have : most_maps;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begun < seconds || rounds < 10);
	getrusage(RUSAGE_SELF, &usage);
	printf("%ld rounds of %d threads, %ld mappings at most, %ld descriptors, peak resident %ld KiB\n", rounds,
	       threads, most_maps, fds, usage.ru_maxrss);
	CHECK(!resident_kib || usage.ru_maxrss <= resident_kib, "peak=%ld KiB allowed=%ld KiB", usage.ru_maxrss,
	      resident_kib);
	return 0;
}

int main(int argc, char **argv)
{
	static struct op ops[MAX_THREADS * MAX_OPS];
	long seed = 1, rounds = 10, shrinking = 300, threads = 4, per_thread = 150, seconds = 0, resident = 0;
	const struct {
		const char *name;
		long *value;
	} options[] = { { "--seed", &seed },        { "--rounds", &rounds },   { "--threads", &threads },
			{ "--ops", &per_thread },   { "--seconds", &seconds }, { "--shrink", &shrinking },
			{ "--resident", &resident } };

	if (argc == 3 && !strcmp(argv[1], "--replay"))
		return replay(argv[2]);
	for (int i = 1; i < argc; i += 2) {
		size_t o = 0;

		while (o < sizeof(options) / sizeof(*options) && strcmp(options[o].name, argv[i]))
			o++;
		CHECK(o < sizeof(options) / sizeof(*options) && i + 1 < argc, "argument=%s", argv[i]);
		*options[o].value = strtol(argv[i + 1], NULL, 0);
	}
	CHECK(threads > 0 && threads <= MAX_THREADS && per_thread > 0 && per_thread <= MAX_OPS, "threads=%ld ops=%ld",
	      threads, per_thread);
	if (seconds)
		return soak((uint64_t)seed, (int)threads, (int)per_thread, seconds, resident);
	for (long i = 0; i < rounds; i++) {
		int count = random_ops(ops, (uint64_t)(seed + i), (int)threads, (int)per_thread);

		if (round_apart(ops, count, false)) {
			fprintf(stderr, "seed=%ld fails\n", seed + i);
			shrink(ops, count, shrinking);
			return 1;
		}
	}
	printf("%ld rounds of %ld threads, %ld calls each\n", rounds, threads, per_thread);
	return 0;
}
