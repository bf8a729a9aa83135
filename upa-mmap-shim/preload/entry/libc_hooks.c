/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of libc for this library alone, which it cannot be linked with and still load everywhere.
 *
 * pthread_atfork() and at_quick_exit(): a compiler on glibc links in pieces of its own for them, which call functions
 * that only glibc has; musl has the two under their own names. So each is looked for by either name.
 *
 * pthread_create() and pthread_detach(): glibc has a version of its own for them since they moved from libpthread to
 * libc, in 2.34. Where a program comes without libpthread before that, there are none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "entry/symbols.h"

#define HIDDEN __attribute__((visibility("hidden")))

extern void *__dso_handle HIDDEN;

extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *library)
	__attribute__((weak));
extern int __cxa_at_quick_exit(void (*function)(void *), void *library) __attribute__((weak));

HIDDEN int pthread_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
	int (*other)(void (*)(void), void (*)(void), void (*)(void));

	if (__register_atfork)
		return __register_atfork(prepare, parent, child, &__dso_handle);
	other = (__typeof__(other))symbol_next(&__dso_handle, "pthread_atfork");
	return other ? other(prepare, parent, child) : ENOSYS;
}

HIDDEN int at_quick_exit(void (*function)(void))
{
	int (*other)(void (*)(void));

	/* It is called with an argument, which it does not look at. */
	if (__cxa_at_quick_exit)
		return __cxa_at_quick_exit((void (*)(void *))function, &__dso_handle);
	other = (__typeof__(other))symbol_next(&__dso_handle, "at_quick_exit");
	return other ? other(function) : -1;
}

HIDDEN int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
			  void *argument)
{
	int (*other)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

	other = (__typeof__(other))symbol_next(&__dso_handle, "pthread_create");
	return other ? other(thread, attributes, function, argument) : ENOSYS;
}

HIDDEN int pthread_detach(pthread_t thread)
{
	int (*other)(pthread_t) = (int (*)(pthread_t))symbol_next(&__dso_handle, "pthread_detach");

	return other ? other(thread) : ENOSYS;
}
