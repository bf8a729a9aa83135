/* SPDX-License-Identifier: Apache-2.0 */
/* A library that counts calls of malloc's family, and says at the end how many it has seen of each. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { MALLOC, CALLOC, REALLOC, MEMALIGN, ALIGNED_ALLOC, POSIX_MEMALIGN, FREE, FUNCTIONS };

static const char *const names[] = { "malloc",        "calloc",         "realloc", "memalign",
				     "aligned_alloc", "posix_memalign", "free" };
static unsigned counts[FUNCTIONS];

/* Only what the program asks for: libraries that start and end do so too, each in its own way. */
extern int counting __attribute__((weak));

#define COUNTED(type, number, name, parameters, ...)                                                                   \
	EXPORT type name parameters                                                                                    \
	{                                                                                                              \
		static __typeof__(&name) next;                                                                         \
                                                                                                                       \
		if (!next)                                                                                             \
			next = (__typeof__(next))dlsym(RTLD_NEXT, #name);                                              \
		if (&counting && counting)                                                                             \
			__atomic_fetch_add(&counts[number], 1, __ATOMIC_RELAXED);                                      \
		return next(__VA_ARGS__);                                                                              \
	}

COUNTED(void *, MALLOC, malloc, (size_t bytes), bytes)
COUNTED(void *, REALLOC, realloc, (void *block, size_t bytes), block, bytes)
COUNTED(void *, MEMALIGN, memalign, (size_t alignment, size_t bytes), alignment, bytes)
COUNTED(void *, ALIGNED_ALLOC, aligned_alloc, (size_t alignment, size_t bytes), alignment, bytes)
COUNTED(int, POSIX_MEMALIGN, posix_memalign, (void **block, size_t alignment, size_t bytes), block, alignment, bytes)
COUNTED(void, FREE, free, (void *block), block)
/* Not by dlsym() of its own, which may call it. */
extern void *__libc_calloc(size_t count, size_t bytes);

EXPORT void *calloc(size_t count, size_t bytes)
{
	static __typeof__(&calloc) next;
	static _Thread_local int looking __attribute__((tls_model("initial-exec")));

	if (!next && !looking) {
		looking = 1;
		next = (__typeof__(next))dlsym(RTLD_NEXT, "calloc");
		looking = 0;
	}
	if (&counting && counting)
		__atomic_fetch_add(&counts[CALLOC], 1, __ATOMIC_RELAXED);
	return next ? next(count, bytes) : __libc_calloc(count, bytes);
}

__attribute__((destructor)) static void say(void)
{
	char line[400];
	int n = 0;

	for (int i = 0; i < FUNCTIONS; i++)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%s %u\n", names[i], counts[i]);
	if (write(2, line, (size_t)n) != n)
		abort();
}
