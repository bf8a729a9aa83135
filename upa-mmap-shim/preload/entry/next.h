/* SPDX-License-Identifier: Apache-2.0 */
/*
 * next.h - what comes after this library: of each function that it exports, the one of another preloaded library, or
 * libc's. Calls that are not UPA's business go there, so that others see them; and so do those that are, where libc's
 * own function brings them back (redirect.h): each library sees a call once, whichever comes first.
 *
 * A library is found as the program finds it: by the symbol version that libc's function has. (glibc's heap checker,
 * libc_malloc_debug.so, has no default ones.) All are found at once, by the constructor: nothing is looked up in
 * mmap(), under which a malloc may hold its locks.
 */
#ifndef UPA_NEXT_H
#define UPA_NEXT_H

#include <fcntl.h>
#include <grp.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* libnuma's; it has no header in every system. */
long mbind(void *address, unsigned long length, int mode, const unsigned long *nodes, unsigned long max_node,
	   unsigned flags);

/* Of glibc since 2.34. */
pid_t _Fork(void);

/* libcap has it in no header of libc's. */
int capset(void *header, const void *data);

/* Old names, of which libc's header has not all. */
void (*bsd_signal(int signal, void (*handler)(int)))(int);
void (*sysv_signal(int signal, void (*handler)(int)))(int);
void (*__sysv_signal(int signal, void (*handler)(int)))(int);

#if !defined(__GLIBC__) || !__GLIBC_PREREQ(2, 36)
ssize_t process_madvise(int pidfd, const struct iovec *vector, size_t count, int advice, unsigned flags);
#endif

/* One line for each name of exports.map that is a function. */
#define NEXT_FUNCTIONS(F)                                                                                              \
	F(mmap)                                                                                                        \
	F(mmap64)                                                                                                      \
	F(munmap)                                                                                                      \
	F(mremap)                                                                                                      \
	F(madvise)                                                                                                     \
	F(posix_madvise)                                                                                               \
	F(mprotect)                                                                                                    \
	F(pkey_mprotect)                                                                                               \
	F(mbind)                                                                                                       \
	F(mlock)                                                                                                       \
	F(mlock2)                                                                                                      \
	F(mlockall)                                                                                                    \
	F(munlock)                                                                                                     \
	F(msync)                                                                                                       \
	F(mincore)                                                                                                     \
	F(vmsplice)                                                                                                    \
	F(setrlimit)                                                                                                   \
	F(setrlimit64)                                                                                                 \
	F(prlimit)                                                                                                     \
	F(prlimit64)                                                                                                   \
	F(prctl)                                                                                                       \
	F(setsockopt)                                                                                                  \
	F(personality)                                                                                                 \
	F(process_madvise)                                                                                             \
	F(sbrk)                                                                                                        \
	F(shmat)                                                                                                       \
	F(shmdt)                                                                                                       \
	F(ioctl)                                                                                                       \
	F(_exit)                                                                                                       \
	F(_Exit)                                                                                                       \
	F(malloc)                                                                                                      \
	F(calloc)                                                                                                      \
	F(realloc)                                                                                                     \
	F(memalign)                                                                                                    \
	F(aligned_alloc)                                                                                               \
	F(posix_memalign)                                                                                              \
	F(malloc_trim)                                                                                                 \
	F(mallopt)                                                                                                     \
	F(clone)                                                                                                       \
	F(unshare)                                                                                                     \
	F(_Fork)                                                                                                       \
	F(setns)                                                                                                       \
	F(setuid)                                                                                                      \
	F(setgid)                                                                                                      \
	F(seteuid)                                                                                                     \
	F(setegid)                                                                                                     \
	F(setreuid)                                                                                                    \
	F(setregid)                                                                                                    \
	F(setresuid)                                                                                                   \
	F(setresgid)                                                                                                   \
	F(setgroups)                                                                                                   \
	F(initgroups)                                                                                                  \
	F(capset)                                                                                                      \
	F(sigaction)                                                                                                   \
	F(signal)                                                                                                      \
	F(ssignal)                                                                                                     \
	F(bsd_signal)                                                                                                  \
	F(sysv_signal)                                                                                                 \
	F(__sysv_signal)

#define NEXT_POINTER(name) __typeof__(&name) name;
#define NEXT_FLAG(name) bool name;

/*
 * NULL: there is none (of an older libc), or it has not been looked for yet. Those of malloc's family look when
 * called.
 */
extern __attribute__((visibility("hidden"))) struct next {
	NEXT_FUNCTIONS(NEXT_POINTER)
} next;

struct next_flags {
	NEXT_FUNCTIONS(NEXT_FLAG)
};

/* Is it another library's, and not libc's? */
extern __attribute__((visibility("hidden"))) struct next_flags next_foreign;

/* And will libc's own function, which the other library calls, bring the call back to us? */
extern __attribute__((visibility("hidden"))) struct next_flags next_returns;

/* For whoever calls functions that no malloc calls: looks for them if the constructor has not run yet. */
void next_need(void);

/* Looks for all of them; what is found stays, so any thread may come first. */
void next_find(void);

/* libc's own function of this name, whatever comes before it; NULL if it has none. */
void *next_in_libc(const char *name);

/* Of these functions libc's own are redirected to us, by name. For a process with one thread. */
void next_redirected(const char *name);

#endif
