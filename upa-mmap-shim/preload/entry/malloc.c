/* SPDX-License-Identifier: Apache-2.0 */
/* malloc() and its kin on their way to whichever comes next, usually libc's. */
#define _GNU_SOURCE
#include "entry/uncleared.h"

#include <malloc.h>
#include <stdlib.h>

#include "settings.h"

#include "entry/symbols.h"

#define EXPORT __attribute__((visibility("default")))

/* Smaller requests seldom lead to libc's mmap() or brk(), and then a few pages are cleared. */
#define LEAST_BYTES (32ul << 10)

extern void *__libc_malloc(size_t bytes) __attribute__((weak));

_Thread_local size_t uncleared_request __attribute__((tls_model("initial-exec")));

static void *first_malloc(size_t bytes);
static void *first_realloc(void *block, size_t bytes);
static void *first_memalign(size_t alignment, size_t bytes);
static void *first_aligned_alloc(size_t alignment, size_t bytes);
static int first_posix_memalign(void **block, size_t alignment, size_t bytes);

/* What comes next in the program; before the first call, what finds it. */
static void *(*next_malloc)(size_t) = first_malloc;
static void *(*next_realloc)(void *, size_t) = first_realloc;
static void *(*next_memalign)(size_t, size_t) = first_memalign;
static void *(*next_aligned_alloc)(size_t, size_t) = first_aligned_alloc;
static int (*next_posix_memalign)(void **, size_t, size_t) = first_posix_memalign;

#define NEXT(function) __atomic_load_n(&next_##function, __ATOMIC_RELAXED)
static void find_next(void);

#define FIND(function) \
	__atomic_store_n(&next_##function, (__typeof__(next_##function))symbol_next(find_next, #function), __ATOMIC_RELAXED)

/* Any thread may be first, and several find the same. */
static void find_next(void)
{
	FIND(malloc);
	FIND(realloc);
	FIND(memalign);
	FIND(aligned_alloc);
	FIND(posix_memalign);
}

static void *first_malloc(size_t bytes)
{
	find_next();
	return NEXT(malloc)(bytes);
}

static void *first_realloc(void *block, size_t bytes)
{
	find_next();
	return NEXT(realloc)(block, bytes);
}

static void *first_memalign(size_t alignment, size_t bytes)
{
	find_next();
	return NEXT(memalign)(alignment, bytes);
}

static void *first_aligned_alloc(size_t alignment, size_t bytes)
{
	find_next();
	return NEXT(aligned_alloc)(alignment, bytes);
}

static int first_posix_memalign(void **block, size_t alignment, size_t bytes)
{
	find_next();
	return NEXT(posix_memalign)(block, alignment, bytes);
}

/* Is this one to be noted? */
static bool noted(size_t bytes)
{
	return __builtin_expect(bytes >= LEAST_BYTES, 0) && NEXT(malloc) == __libc_malloc && settings.uncleared &&
	       !settings.strict;
}

#define NOTED(type, call)                  \
	({                                 \
		type result;               \
                                           \
		uncleared_request = bytes; \
		result = (call);           \
		uncleared_request = 0;     \
		result;                    \
	})

EXPORT void *malloc(size_t bytes)
{
	return noted(bytes) ? NOTED(void *, NEXT(malloc)(bytes)) : NEXT(malloc)(bytes);
}

EXPORT void *realloc(void *block, size_t bytes)
{
	return noted(bytes) ? NOTED(void *, NEXT(realloc)(block, bytes)) : NEXT(realloc)(block, bytes);
}

EXPORT void *memalign(size_t alignment, size_t bytes)
{
	return noted(bytes) ? NOTED(void *, NEXT(memalign)(alignment, bytes)) : NEXT(memalign)(alignment, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
	return noted(bytes) ? NOTED(void *, NEXT(aligned_alloc)(alignment, bytes)) :
			      NEXT(aligned_alloc)(alignment, bytes);
}

EXPORT int posix_memalign(void **block, size_t alignment, size_t bytes)
{
	return noted(bytes) ? NOTED(int, NEXT(posix_memalign)(block, alignment, bytes)) :
			      NEXT(posix_memalign)(block, alignment, bytes);
}
