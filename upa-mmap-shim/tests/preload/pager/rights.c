/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs whose pages are evicted, and that change who they are, or where. Usage: rights CASE|list
 * As root. Exit status 0, or 1 and a line. `waits` says "ready" when it is another user, and goes on for some seconds.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>

#include "evicted.h"

#define NOBODY 65534

/* Threads of this process. */
static long threads(void)
{
	char line[128];
	long n = -1;
	FILE *status = fopen("/proc/self/status", "r");

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "Threads: %ld", &n);
	CHECK(status && !fclose(status));
	return n;
}

static void alone(void)
{
	CHECK(threads() == 1 && absent() == 0);
	all_there();
}

static void user(void)
{
	CHECK(!setresuid(NOBODY, NOBODY, NOBODY));
	alone();
}

static void user_by_setuid(void)
{
	CHECK(!setuid(NOBODY));
	alone();
}

static void user_by_setreuid(void)
{
	CHECK(!setreuid(NOBODY, NOBODY));
	alone();
}

static void user_by_number(void)
{
	CHECK(!syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY));
	alone();
}

/* It can come back, and goes on being paged. */
static void user_for_a_while(void)
{
	CHECK(!seteuid(NOBODY));
	all_there();
	await_evicted();
	CHECK(!seteuid(0) && !setresuid(0, NOBODY, 0) && !setreuid(-1, 0) && !setuid(0));
	CHECK(threads() > 1);
	await_evicted();
	all_there();
}

static void rights(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	CHECK(!syscall(SYS_capset, &header, none));
	alone();
}

static void user_namespace(void)
{
	CHECK(!unshare(CLONE_NEWUSER));
	alone();
}

static void user_namespace_by_number(void)
{
	CHECK(!syscall(SYS_unshare, CLONE_NEWUSER));
	alone();
}

/* Of a process of one thread only, which is the one it is for its children. */
static void time_namespace(void)
{
	int fd;

	CHECK(!unshare(CLONE_NEWTIME) && threads() > 1);
	fd = open("/proc/self/ns/time_for_children", O_RDONLY);
	CHECK(fd >= 0 && !setns(fd, CLONE_NEWTIME));
	alone();
}

/* These do not concern the pager. */
static void namespaces(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY);

	CHECK(!unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS));
	CHECK(fd >= 0 && !setns(fd, 0) && !close(fd) && setns(fd, 0) == -1);
	CHECK(threads() > 1);
	await_evicted();
	all_there();
}

/* Its client finds the next pager from where it began. */
static void other_root(void)
{
	CHECK(!chdir("/proc") && !chroot("/proc"));
	all_there();
	await_evicted();
	all_there();
}

/* A child of vfork() changes nothing of its parent's. */
static void child(void)
{
	pid_t made = vfork();
	int status;

	if (!made)
		_exit(syscall(SYS_setuid, NOBODY) != 0);
	CHECK(made > 0 && waitpid(made, &status, 0) == made && !status);
	CHECK(threads() > 1);
	await_evicted();
	all_there();
}

static void waits(void)
{
	user();
	puts("ready");
	fflush(stdout);
	for (int i = 0; i < 25; i++) {
		usleep(100000);
		all_there();
	}
}

static const struct evicted_case list[] = {
	{ "user", user },
	{ "user-by-setuid", user_by_setuid },
	{ "user-by-setreuid", user_by_setreuid },
	{ "user-by-number", user_by_number },
	{ "user-for-a-while", user_for_a_while },
	{ "rights", rights },
	{ "user-namespace", user_namespace },
	{ "user-namespace-by-number", user_namespace_by_number },
	{ "time-namespace", time_namespace },
	{ "namespaces", namespaces },
	{ "other-root", other_root },
	{ "child", child },
	{ "waits", waits },
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (!strcmp(name, "list")) {
		for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
			if (list[i].run != waits)
				puts(list[i].name);
		return 0;
	}
	set_up();
	return run_case(list, sizeof(list) / sizeof(*list), name);
}
