/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A library that is loaded beside other libraries, and makes its functions' system calls by syscall(), as libnuma and
 * tcmalloc do. That is UPA's, and must not bring the call back here.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "calls.h"

#define BY_NUMBER(type, name, parameters, ...)                                                                         \
	__attribute__((visibility("default"))) type name parameters                                                    \
	{                                                                                                              \
		return (type)syscall(SYS_##name, __VA_ARGS__);                                                         \
	}

COMMON_CALLS(BY_NUMBER)
BY_NUMBER(ssize_t, process_madvise, (int fd, const struct iovec *v, size_t n, int advice, unsigned flags), fd, v, n,
	  advice, flags)
BY_NUMBER(int, prlimit64, (pid_t pid, __rlimit_resource_t r, const struct rlimit64 *n, struct rlimit64 *o), pid, r, n,
	  o)
BY_NUMBER(int, personality, (unsigned long wanted), wanted)
BY_NUMBER(void *, shmat, (int id, const void *a, int flags), id, a, flags)
BY_NUMBER(int, shmdt, (const void *a), a)

long mbind(void *a, unsigned long n, int mode, const unsigned long *nodes, unsigned long most, unsigned flags);
BY_NUMBER(long, mbind,
	  (void *a, unsigned long n, int mode, const unsigned long *nodes, unsigned long most, unsigned flags), a, n,
	  mode, nodes, most, flags)

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return (int)syscall(SYS_ioctl, fd, request, argument);
}

__attribute__((visibility("default"))) int prctl(int option, ...)
{
	va_list arguments;
	unsigned long a[4];

	va_start(arguments, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(arguments, unsigned long);
	va_end(arguments);
	return (int)syscall(SYS_prctl, option, a[0], a[1], a[2], a[3]);
}
