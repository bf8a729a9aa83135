/* SPDX-License-Identifier: Apache-2.0 */
/* malloc() and its kin on their way to whichever comes next, usually libc's. */
#define _GNU_SOURCE
#include "entry/uncleared.h"

#include "entry/entry.h"
#include "entry/next.h"
#include "settings.h"

/* Smaller requests seldom lead to libc's mmap() or brk(), and then a few pages are cleared. */
#define LEAST_BYTES (32ul << 10)

_Thread_local size_t uncleared_request __attribute__((tls_model("initial-exec")));

/*
 * Calls what comes next, and notes the request if that is libc's own: another library's may come by memory in ways of
 * its own, and rely on zeros.
 */
#define CALL(type, function, bytes, ...)                                                                               \
	({                                                                                                             \
		__typeof__(next.function) call = __atomic_load_n(&next.function, __ATOMIC_RELAXED);                    \
		type result;                                                                                           \
                                                                                                                       \
		if (__builtin_expect((bytes) < LEAST_BYTES, 1) || next_foreign.function || !settings.uncleared ||      \
		    settings.strict)                                                                                   \
			return call(__VA_ARGS__);                                                                      \
		uncleared_request = (bytes);                                                                           \
		result = call(__VA_ARGS__);                                                                            \
		uncleared_request = 0;                                                                                 \
		result;                                                                                                \
	})

EXPORT void *malloc(size_t bytes)
{
	return CALL(void *, malloc, bytes, bytes);
}

/*
 * Whoever is promised zeros. A signal handler may call it over malloc(), or have left that by longjmp(), and then
 * nobody has said that its request is over.
 */
EXPORT void *calloc(size_t count, size_t bytes)
{
	uncleared_request = 0;
	return __atomic_load_n(&next.calloc, __ATOMIC_RELAXED)(count, bytes);
}

EXPORT void *sbrk(intptr_t bytes)
{
	next_need();
	uncleared_request = 0;
	return next.sbrk(bytes);
}

EXPORT void *realloc(void *block, size_t bytes)
{
	return CALL(void *, realloc, bytes, block, bytes);
}

EXPORT void *memalign(size_t alignment, size_t bytes)
{
	return CALL(void *, memalign, bytes, alignment, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
	return CALL(void *, aligned_alloc, bytes, alignment, bytes);
}

EXPORT int posix_memalign(void **block, size_t alignment, size_t bytes)
{
	return CALL(int, posix_memalign, bytes, block, alignment, bytes);
}
