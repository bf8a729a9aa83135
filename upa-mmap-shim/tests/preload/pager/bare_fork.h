/* SPDX-License-Identifier: Apache-2.0 */
/* bare_fork.h - forks as a program without libc does: nobody sees it but the kernel. On x86-64; elsewhere by fork(). */
#ifndef UPA_TESTS_PAGER_BARE_FORK_H
#define UPA_TESTS_PAGER_BARE_FORK_H

#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static inline pid_t bare_fork(void)
{
#ifdef __x86_64__
	register long r10 __asm__("r10") = 0, r8 __asm__("r8") = 0;
	long child;

	__asm__ volatile("syscall"
			 : "=a"(child)
			 : "0"(SYS_clone), "D"(SIGCHLD), "S"(0), "d"(0), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return (pid_t)child;
#else
	return fork();
#endif
}

#endif
