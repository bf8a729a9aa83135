/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library that other libraries are loaded beside: it looks at calls and passes them on to whatever comes next. Each
 * call of the program's that it sees is a line "SPY_NAME function" on standard error.
 *
 * With SPY_BUSY in the environment it says nothing; each function, and also clock_gettime(), time(), sysconf(),
 * sched_yield() and getpid(), allocates, frees, and prints to a file instead: whoever calls one of them with a lock
 * held waits for ever.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "calls.h"

#define EXPORT __attribute__((visibility("default")))

static _Thread_local int depth __attribute__((tls_model("initial-exec")));
static FILE *sink;
static int busy = -1;

static void see(const char *function)
{
	const char *name;
	char line[100];
	int n;

	if (depth)
		return;
	depth++;
	if (busy < 0)
		busy = getenv("SPY_BUSY") != NULL;
	if (busy) {
		free(malloc(3000));
		free(calloc(1, 200000));
		if (!sink)
			sink = fopen("/dev/null", "w");
		if (sink)
			fprintf(sink, "%s\n", function);
	} else {
		name = getenv("SPY_NAME");
		n = snprintf(line, sizeof(line), "%s %s\n", name ? name : "spy", function);
		if (write(2, line, (size_t)n) != n)
			abort();
	}
	depth--;
}

/* The next function; looked for when it is called, as most such libraries do. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define SPY(type, name, parameters, ...)                                                                               \
	EXPORT type name parameters                                                                                    \
	{                                                                                                              \
		static __typeof__(&name) next;                                                                         \
                                                                                                                       \
		if (!next)                                                                                             \
			next = NEXT(name);                                                                             \
		see(#name);                                                                                            \
		return next(__VA_ARGS__);                                                                              \
	}

SPY(void *, mmap, (void *a, size_t n, int p, int f, int fd, off_t o), a, n, p, f, fd, o)
SPY(void *, mmap64, (void *a, size_t n, int p, int f, int fd, off64_t o), a, n, p, f, fd, o)
COMMON_CALLS(SPY)
SPY(int, posix_madvise, (void *a, size_t n, int advice), a, n, advice)
SPY(int, setrlimit64, (__rlimit_resource_t r, const struct rlimit64 *l), r, l)
SPY(int, prlimit, (pid_t pid, __rlimit_resource_t r, const struct rlimit *n, struct rlimit *o), pid, r, n, o)
SPY(int, prlimit64, (pid_t pid, __rlimit_resource_t r, const struct rlimit64 *n, struct rlimit64 *o), pid, r, n, o)

EXPORT void *mremap(void *a, size_t old_size, size_t new_size, int flags, ...)
{
	va_list arguments;
	void *to;

	va_start(arguments, flags);
	to = va_arg(arguments, void *);
	va_end(arguments);
	see("mremap");
	return NEXT(mremap)(a, old_size, new_size, flags, to);
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	see("ioctl");
	return NEXT(ioctl)(fd, request, argument);
}

EXPORT int prctl(int option, ...)
{
	va_list arguments;
	unsigned long a[4];

	va_start(arguments, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(arguments, unsigned long);
	va_end(arguments);
	see("prctl");
	return NEXT(prctl)(option, a[0], a[1], a[2], a[3]);
}

EXPORT void _exit(int status)
{
	see("_exit");
	NEXT(_exit)(status);
	__builtin_unreachable();
}

EXPORT void _Exit(int status)
{
	see("_Exit");
	NEXT(_Exit)(status);
	__builtin_unreachable();
}

/* ---- what a library may call for purposes of its own ------------------------------------------------ */

#define BUSY(type, name, parameters, ...)                                                                              \
	EXPORT type name parameters                                                                                    \
	{                                                                                                              \
		static __typeof__(&name) next;                                                                         \
                                                                                                                       \
		if (!next)                                                                                             \
			next = NEXT(name);                                                                             \
		if (busy == 1)                                                                                         \
			see(#name);                                                                                    \
		return next(__VA_ARGS__);                                                                              \
	}

BUSY(int, clock_gettime, (clockid_t clock, struct timespec *t), clock, t)
BUSY(time_t, time, (time_t * t), t)
BUSY(long, sysconf, (int name), name)
BUSY(pid_t, getpid, (void), )
BUSY(ssize_t, read, (int fd, void *p, size_t n), fd, p, n)
BUSY(int, close, (int fd), fd)
