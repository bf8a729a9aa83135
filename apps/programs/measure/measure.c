/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure.c - upa-measure: runs a program and says what it and all its descendants took.
 *
 *   upa-measure --report FILE [--output FILE] [--errors FILE] [--set NAME=VALUE]... [--expect LIBRARY]... [--timeout
 *   SECONDS]
 *               [--stop SIGNAL] [--] PROGRAM [ARGUMENT...]
 *
 * --set sets a variable for the program only. --expect names a library that every process of the program has to have
 * mapped, once it has computed for 50 ms. With --stop, SIGTERM to upa-measure sends SIGNAL (a number) to the program,
 * which is how servers are stopped; else it kills it with all descendants, as SIGINT, SIGHUP and the timeout do. What
 * survives the program is killed a second later.
 *
 * The report is a line "name value" each: status, signal, timed_out, stopped, wall_ns, user_ns, system_ns,
 * minor_faults, major_faults, largest_process_bytes (the kernel's own record), tree_bytes (greatest sum over several
 * processes seen, 0 if there was but one), processes (most at once), left_behind, mean_bytes (resident memory of all,
 * mean over time), "memory NS BYTES" for each of at most 256 looks at it, and if libraries are expected "program PATH"
 * for each process seen, "lacking PATH" for those without them; "loaded 1" says that they were seen in one at least.
 * Exit status: 0 once there is a report, 1 if the program could not be started, 2 for a wrong command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "course.h"
#include "tree.h"

#define SAMPLE_NS 10000000u
/*
 * Looking takes at most one part in SAMPLE_SHARE of a processor's time, since a large process has a long map, but is
 * done at least so often.
 */
#define SAMPLE_SHARE 50u
#define SAMPLE_MOST_NS 200000000u
#define GRACE_NS 1000000000u

static struct tree tree;
static struct course course;
static int stop_signal; /* 0: there is no way but to kill */
static volatile sig_atomic_t stopped, interrupted;
static volatile pid_t child;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t time_ns(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

static void on_signal(int number)
{
	if (number == SIGTERM && stop_signal) {
		stopped = 1;
		if (child > 0)
			kill(child, stop_signal);
	} else {
		interrupted = 1;
	}
}

static int fail(const char *what, const char *which)
{
	fprintf(stderr, "upa-measure: cannot %s %s: %s\n", what, which, strerror(errno));
	return 1;
}

static int usage(const char *problem)
{
	fprintf(stderr,
		"upa-measure: %s\n"
		"usage: upa-measure --report FILE [--output FILE] [--errors FILE] [--set NAME=VALUE]... "
		"[--expect LIBRARY]... [--timeout SECONDS] [--stop SIGNAL] [--] PROGRAM [ARGUMENT...]\n",
		problem);
	return 2;
}

static void redirect(const char *file, int descriptor)
{
	int fd = open(file, descriptor ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY, 0644);

	if (fd < 0 || dup2(fd, descriptor) < 0)
		_exit(126);
	close(fd);
}

/* In the child: never returns. errno of a failed exec goes up the pipe. */
static void become(char **program, char **variables, const char *output, const char *errors, int pipe_end)
{
	int error;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	redirect("/dev/null", STDIN_FILENO);
	redirect(output, STDOUT_FILENO);
	if (errors)
		redirect(errors, STDERR_FILENO);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	for (; *variables; variables++)
		if (putenv(*variables))
			_exit(126);
	execvp(program[0], program);
	error = errno;
	if (write(pipe_end, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

static void kill_descendants(void)
{
	pid_t pids[TREE_PROCESSES];
	size_t count = tree_descendants(getpid(), pids, TREE_PROCESSES);

	for (size_t i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
}

/* Waits for the program, looking at its processes meanwhile. Returns whether the time ran out. */
static int watch(uint64_t start, uint64_t timeout_ns, int *status)
{
	int fd = (int)syscall(SYS_pidfd_open, child, 0), timed_out = 0;
	struct pollfd end = { .fd = fd, .events = POLLIN };
	uint64_t pause = 1000000u; /* the first look comes early, for programs that end soon */

	for (;;) {
		struct timespec wait = { (time_t)(pause / 1000000000u), (long)(pause % 1000000000u) };
		uint64_t before, took;

		/* Without pidfd (before Linux 5.3): look whether it has ended after each pause. */
		if (fd >= 0)
			ppoll(&end, 1, &wait, NULL);
		else
			nanosleep(&wait, NULL);
		siginfo_t info = { 0 };

		if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child)
			break;
		before = clock_ns(CLOCK_MONOTONIC);
		if (interrupted || (timeout_ns && before - start > timeout_ns)) {
			timed_out = !interrupted;
			kill_descendants();
			/* Killed for good before the next look. */
			pause = SAMPLE_NS;
			continue;
		}
		took = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		tree_sample(&tree);
		course_add(&course, before - start, tree.bytes);
		took = clock_ns(CLOCK_THREAD_CPUTIME_ID) - took;
		pause = took * SAMPLE_SHARE > SAMPLE_NS ? took * SAMPLE_SHARE : SAMPLE_NS;
		if (pause > SAMPLE_MOST_NS)
			pause = SAMPLE_MOST_NS;
	}
	if (fd >= 0)
		close(fd);
	while (waitpid(child, status, 0) < 0 && errno == EINTR)
		continue;
	return timed_out;
}

/* Reaps what the program left to us, so that it counts; kills it after a grace. Returns how many had to be killed. */
static size_t reap(void)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	size_t left = 0;

	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);
		struct timespec wait = { 0, SAMPLE_NS };

		if (pid > 0)
			continue;
		if (pid < 0 && errno == ECHILD)
			return left;
		if (clock_ns(CLOCK_MONOTONIC) - start > GRACE_NS) {
			pid_t pids[TREE_PROCESSES];
			size_t count = tree_descendants(getpid(), pids, TREE_PROCESSES);

			left = count > left ? count : left;
			kill_descendants();
		}
		nanosleep(&wait, NULL);
	}
}

static int measure(char **program, char **variables, const char *output, const char *errors, uint64_t timeout_ns,
		   FILE *report)
{
	struct sigaction action = { .sa_handler = on_signal };
	int ends[2], error = 0, status = 0, timed_out, loaded = 0;
	struct rusage usage;
	uint64_t start, wall;
	size_t left;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) || pipe2(ends, O_CLOEXEC))
		return fail("prepare for", program[0]);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	start = clock_ns(CLOCK_MONOTONIC);
	child = fork();
	if (child < 0)
		return fail("fork for", program[0]);
	if (child == 0)
		become(program, variables, output, errors, ends[1]);
	close(ends[1]);
	ssize_t said = read(ends[0], &error, sizeof(error));
	close(ends[0]);
	if (said == (ssize_t)sizeof(error)) {
		waitpid(child, NULL, 0);
		errno = error;
		return fail("run", program[0]);
	}
	tree.root = child;
	timed_out = watch(start, timeout_ns, &status);
	wall = clock_ns(CLOCK_MONOTONIC) - start;
	left = reap();
	getrusage(RUSAGE_CHILDREN, &usage);

	fprintf(report, "status %d\nsignal %d\ntimed_out %d\nstopped %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 0,
		WIFSIGNALED(status) ? WTERMSIG(status) : 0, timed_out, (int)stopped);
	fprintf(report, "wall_ns %llu\nuser_ns %llu\nsystem_ns %llu\n", (unsigned long long)wall,
		(unsigned long long)time_ns(usage.ru_utime), (unsigned long long)time_ns(usage.ru_stime));
	fprintf(report,
		"minor_faults %ld\nmajor_faults %ld\nlargest_process_bytes %llu\ntree_bytes %llu\nprocesses %zu\n",
		usage.ru_minflt, usage.ru_majflt, (unsigned long long)usage.ru_maxrss * 1024u,
		(unsigned long long)tree.peak_bytes, tree.most_processes);
	fprintf(report, "left_behind %zu\nmean_bytes %llu\n", left, (unsigned long long)course_mean(&course, wall));
	for (size_t i = 0; i < course.points; i++)
		fprintf(report, "memory %llu %llu\n", (unsigned long long)course.point[i].ns,
			(unsigned long long)course.point[i].bytes);
	for (size_t i = 0; i < tree.seen_count; i++) {
		loaded |= tree.seen[i].loaded;
		fprintf(report, "program %s\n", tree.seen[i].program);
		if (tree.seen[i].lacking)
			fprintf(report, "lacking %s\n", tree.seen[i].program);
	}
	fprintf(report, "loaded %d\n", loaded);
	return ferror(report) || fclose(report) ? fail("write", "report") : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "report", required_argument, NULL, 'r' }, { "output", required_argument, NULL, 'o' },
		{ "errors", required_argument, NULL, 'e' }, { "set", required_argument, NULL, 's' },
		{ "expect", required_argument, NULL, 'l' }, { "timeout", required_argument, NULL, 't' },
		{ "stop", required_argument, NULL, 'k' },   { NULL, 0, NULL, 0 },
	};
	const char *report_name = NULL, *output = "/dev/null", *errors = NULL;
	static char **variables; /* for the program; they are its environment's to keep */
	char *end;
	size_t variable_count = 0;
	double timeout = 0;
	FILE *report;

	variables = calloc((size_t)argc + 1, sizeof(*variables));
	if (!variables)
		return fail("allocate", "memory");
	opterr = 0;
	for (int option; (option = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
		switch (option) {
		case 'r': report_name = optarg; break;
		case 'o': output = optarg; break;
		case 'e': errors = optarg; break;
		case 's':
			if (!strchr(optarg, '='))
				return usage("--set needs NAME=VALUE");
			variables[variable_count++] = optarg;
			break;
		case 'l':
			if (tree.library_count == TREE_LIBRARIES)
				return usage("too many libraries expected");
			tree.libraries[tree.library_count] = realpath(optarg, NULL);
			if (!tree.libraries[tree.library_count++])
				return fail("find library", optarg);
			break;
		case 't':
			timeout = strtod(optarg, &end);
			if (*end || !(timeout > 0 && timeout < 1e9))
				return usage("--timeout needs seconds above 0");
			break;
		case 'k':
			stop_signal = (int)strtol(optarg, &end, 10);
			if (*end || stop_signal < 1 || stop_signal > 64)
				return usage("--stop needs the number of a signal");
			break;
		default: return usage("unknown option, or one without its argument");
		}
	}
	if (!report_name)
		return usage("--report is missing");
	if (optind == argc)
		return usage("no program given");
	report = fopen(report_name, "we");
	if (!report)
		return fail("write", report_name);
	return measure(argv + optind, variables, output, errors, (uint64_t)(timeout * 1e9), report);
}
