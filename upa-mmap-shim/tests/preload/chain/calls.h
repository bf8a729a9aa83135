/* SPDX-License-Identifier: Apache-2.0 */
/* calls.h - functions that the libraries of this test have alike: F(type, name, parameters, their names). */
#ifndef UPA_TESTS_CHAIN_CALLS_H
#define UPA_TESTS_CHAIN_CALLS_H

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define COMMON_CALLS(F)                                                                                                \
	F(int, munmap, (void *a, size_t n), a, n)                                                                      \
	F(int, madvise, (void *a, size_t n, int advice), a, n, advice)                                                 \
	F(int, mprotect, (void *a, size_t n, int p), a, n, p)                                                          \
	F(int, pkey_mprotect, (void *a, size_t n, int p, int key), a, n, p, key)                                       \
	F(int, mlock, (const void *a, size_t n), a, n)                                                                 \
	F(int, mlock2, (const void *a, size_t n, unsigned flags), a, n, flags)                                         \
	F(int, mlockall, (int flags), flags)                                                                           \
	F(int, munlock, (const void *a, size_t n), a, n)                                                               \
	F(int, msync, (void *a, size_t n, int flags), a, n, flags)                                                     \
	F(int, mincore, (void *a, size_t n, unsigned char *v), a, n, v)                                                \
	F(ssize_t, vmsplice, (int fd, const struct iovec *v, size_t n, unsigned flags), fd, v, n, flags)               \
	F(int, setrlimit, (__rlimit_resource_t r, const struct rlimit *l), r, l)                                       \
	F(int, setsockopt, (int fd, int level, int option, const void *v, socklen_t n), fd, level, option, v, n)

#endif
