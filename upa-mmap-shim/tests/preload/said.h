/* SPDX-License-Identifier: Apache-2.0 */
/* said.h - what came of calls, in lines without addresses, so that two runs can be compared. */
#ifndef UPA_TESTS_SAID_H
#define UPA_TESTS_SAID_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "units.h"

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 32)
/* Its number instead, which is as good to compare. */
static inline const char *strerrorname_np(int error)
{
	static char name[16];

	snprintf(name, sizeof(name), "%d", error);
	return name;
}
#endif

static inline bool is(const char *block, size_t bytes, char value)
{
	for (size_t i = 0; i < bytes; i++)
		if (block[i] != value)
			return false;
	return true;
}

/* How much of the process is locked in memory; -1: there is no telling. */
static inline long locked_kib(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "VmLck: %ld", &kib);
	if (status)
		fclose(status);
	return kib;
}

extern const char *scenario; /* its name */

__attribute__((format(printf, 1, 2))) static inline void say(const char *format, ...)
{
	va_list arguments;

	printf("%s: ", scenario);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

/* Says a result that is 0 or -1, or an address, with its errno. */
#define CALL(expression)                                                                                               \
	do {                                                                                                           \
		long result_;                                                                                          \
		errno = 0;                                                                                             \
		result_ = (long)(expression);                                                                          \
		say("%s = %s, %s", #expression, result_ == -1 ? "-1" : "ok",                                           \
		    strerrorname_np(errno) ? strerrorname_np(errno) : "0");                                            \
	} while (0)

static inline char *map(size_t bytes)
{
	char *block = mmap(NULL, bytes, RW, ANON, -1, 0);

	if (block == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return block;
}

#endif
