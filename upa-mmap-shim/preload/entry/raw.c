/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syscall(): system calls by their numbers. Those on memory go the way of the functions of their names, since the
 * kernel would change pages of the region behind our back. Some have no other name in libc, and begin what UPA has to
 * stand aside for.
 *
 * All others go to libc's own function at once, without a frame of ours: a child of vfork() returns through it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <upa/mman.h>

#include "agent/agent.h"
#include "entry/entry.h"
#include "entry/limits.h"
#include "entry/symbols.h"
#include "pager/pager.h"
#include "stand_aside.h"
#include "upkeep/heap.h"

#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_landlock_restrict_self
#define SYS_landlock_restrict_self 446
#endif

#define HIDDEN __attribute__((visibility("hidden")))

/* By number: 1: raw_by_number() makes the call; 2: it does so if raw_forks(). */
HIDDEN const unsigned char raw_is_ours[512] = {
	[SYS_mmap] = 1,
	[SYS_munmap] = 1,
	[SYS_mremap] = 1,
	[SYS_madvise] = 1,
	[SYS_mprotect] = 1,
	[SYS_mlock] = 1,
	[SYS_mlock2] = 1,
	[SYS_munlock] = 1,
	[SYS_mlockall] = 1,
	[SYS_brk] = 1,
	[SYS_shmat] = 1,
	[SYS_shmdt] = 1,
	[SYS_process_madvise] = 1,
	[SYS_personality] = 1,
	[SYS_exit] = 1,
	[SYS_mincore] = 1,
	[SYS_msync] = 1,
	[SYS_mbind] = 1,
	[SYS_get_mempolicy] = 1,
	[SYS_move_pages] = 1,
	[SYS_vmsplice] = 1,
	[SYS_pkey_mprotect] = 1,
	[SYS_prlimit64] = 1,
	[SYS_prctl] = 1,
	[SYS_ioctl] = 1,
	[SYS_setsockopt] = 1,
	[SYS_setrlimit] = 1,
	[SYS_seccomp] = 1,
	[SYS_unshare] = 1,
	[SYS_setns] = 1,
	[SYS_setuid] = 1,
	[SYS_setgid] = 1,
	[SYS_setreuid] = 1,
	[SYS_setregid] = 1,
	[SYS_setresuid] = 1,
	[SYS_setresgid] = 1,
	[SYS_setgroups] = 1,
	[SYS_setfsuid] = 1,
	[SYS_setfsgid] = 1,
	[SYS_capset] = 1,
	[SYS_landlock_restrict_self] = 1,
	[SYS_userfaultfd] = 1,
	[SYS_mseal] = 1,
	[SYS_io_setup] = 1,
	[SYS_io_uring_setup] = 1,
	[SYS_io_uring_register] = 1,
	[SYS_clone] = 2,
	[SYS_clone3] = 2,
#ifdef SYS_fork
	[SYS_fork] = 2,
#endif
};

/* Whether a child has memory of its own, and goes on in this very frame. Without a pager nobody asks. */
HIDDEN bool raw_forks(long number, unsigned long a0, long a1)
{
	const uint64_t *arguments = (const uint64_t *)a0;

	if (!pager_wanted())
		return false;
	if (number == SYS_clone)
		return !(a0 & CLONE_VM) && !a1;
	if (number != SYS_clone3)
		return true;
	/* The flags, and the stack. */
	return entry_readable(&arguments[0]) && entry_readable(&arguments[5]) && !(arguments[0] & CLONE_VM) &&
	       !arguments[5];
}

static long forks(long number, const long a[6])
{
	long child = os_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);

	if (!child)
		pager_forked();
	return entry_result(child);
}

static long begins(enum stand_aside_reason reason, long number, const long a[6])
{
	stand_aside(reason);
	return entry_result(os_call(number, a[0], a[1], a[2], a[3], a[4], a[5]));
}

/* What changes this thread only, or wants it to be the only one (alone.c). */
static long alone(long number, const long a[6])
{
	unsigned tries = 0;
	long result;

	entry_before_alone(number, a);
	agent_pause();
	do
		result = os_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	while (entry_again_alone(number, a, result, tries++));
	agent_resume();
	return entry_result(result);
}

/* If it is the program's last thread, the process ends with it, and with what it says. */
static long end_thread(const long a[6])
{
	agent_pause();
	agent_resume();
	return os_call(SYS_exit, a[0], 0, 0, 0, 0, 0);
}

/* The kernel refuses by leaving the break where it is. */
static long move_break(uintptr_t wanted)
{
	long now = heap_by_number(wanted);

	return (uintptr_t)now < wanted && limits_make_way() ? heap_by_number(wanted) : now;
}

_Thread_local bool entry_by_number __attribute__((tls_model("initial-exec")));

static long by_number(long number, long a0, long a1, long a2, long a3, long a4, long a5)
{
	const long a[] = { a0, a1, a2, a3, a4, a5 };
	void *address = (void *)a0;

	switch (number) {
	case SYS_mmap: return (long)own_mmap(address, (size_t)a1, (int)a2, (int)a3, (int)a4, a5);
	case SYS_munmap: return own_munmap(address, (size_t)a1);
	case SYS_mremap: return (long)own_mremap(address, (size_t)a1, (size_t)a2, (int)a3, (void *)a4);
	case SYS_madvise: return own_madvise(address, (size_t)a1, (int)a2);
	case SYS_mprotect: return own_mprotect(address, (size_t)a1, (int)a2);
	case SYS_mlock: return own_mlock(address, (size_t)a1);
	case SYS_mlock2: return own_mlock2(address, (size_t)a1, (unsigned)a2);
	case SYS_munlock: return own_munlock(address, (size_t)a1);
	case SYS_mlockall: return own_mlockall((int)a0);
	case SYS_mincore: return own_mincore(address, (size_t)a1, (unsigned char *)a2);
	case SYS_msync: return own_msync(address, (size_t)a1, (int)a2);
	case SYS_vmsplice: return own_vmsplice((int)a0, (const struct iovec *)a1, (size_t)a2, (unsigned)a3);
	case SYS_pkey_mprotect: return own_pkey_mprotect(address, (size_t)a1, (int)a2, (int)a3);
	case SYS_brk: return move_break((uintptr_t)a0);
	case SYS_shmat: return (long)own_shmat((int)a0, (const void *)a1, (int)a2);
	case SYS_shmdt: return own_shmdt(address);
	case SYS_process_madvise:
		return own_process_madvise((int)a0, (const struct iovec *)a1, (size_t)a2, (int)a3, (unsigned)a4);
	case SYS_personality: return own_personality((unsigned long)a0);
	case SYS_exit: return end_thread(a);
	case SYS_prctl: return own_prctl((int)a0, a1, a2, a3, a4);
	case SYS_ioctl: return own_ioctl((int)a0, (unsigned long)a1, a2);
	case SYS_setsockopt: return own_setsockopt((int)a0, (int)a1, (int)a2, (const void *)a3, (socklen_t)a4);
	case SYS_setrlimit: return own_setrlimit64((__rlimit_resource_t)a0, (const struct rlimit64 *)a1);
	case SYS_prlimit64:
		return own_prlimit64((pid_t)a0, (__rlimit_resource_t)a1, (const struct rlimit64 *)a2,
				     (struct rlimit64 *)a3);
	case SYS_mbind:
		return own_mbind(address, (unsigned long)a1, (int)a2, (const unsigned long *)a3, (unsigned long)a4,
				 (unsigned)a5);
	case SYS_get_mempolicy: return entry_result(entry_get_mempolicy(a));
	case SYS_move_pages: return entry_result(entry_move_pages(a));
	case SYS_unshare:
	case SYS_setns:
	case SYS_setuid:
	case SYS_setgid:
	case SYS_setreuid:
	case SYS_setregid:
	case SYS_setresuid:
	case SYS_setresgid:
	case SYS_setgroups:
	case SYS_setfsuid:
	case SYS_setfsgid:
	case SYS_capset:
	case SYS_landlock_restrict_self: return alone(number, a);
	case SYS_seccomp: return begins(ASIDE_FILTERED, number, a);
	case SYS_clone:
	case SYS_clone3:
#ifdef SYS_fork
	case SYS_fork:
#endif
		return forks(number, a);
	case SYS_userfaultfd: return begins(ASIDE_FAULTS, number, a);
	case SYS_mseal: return begins(ASIDE_SEALED, number, a);
	case SYS_io_setup:
	case SYS_io_uring_setup:
	case SYS_io_uring_register: return begins(ASIDE_PINNED, number, a);
	default: return entry_result(os_call(number, a0, a1, a2, a3, a4, a5));
	}
}

HIDDEN long raw_by_number(long number, long a0, long a1, long a2, long a3, long a4, long a5)
{
	bool was = entry_by_number;
	long result;

	entry_by_number = true;
	result = by_number(number, a0, a1, a2, a3, a4, a5);
	entry_by_number = was;
	return result;
}

/* libc's function; until it is known, every call is made by raw_by_number(). */
HIDDEN void *raw_next;

void raw_start(void)
{
	raw_next = symbol_next((void *)raw_start, "syscall");
}

/*
 * Not on other machines, where our own system calls go by libc's syscall(). The seventh argument of a function is on
 * the stack, above the return address, which is where libc's function looks for it, and raw_by_number() too.
 */
#ifdef __x86_64__
__asm__(".text\n"
	".globl syscall\n"
	".type syscall, @function\n"
	"syscall:\n"
	"	endbr64\n"
	"	movq	raw_next(%rip), %rax\n"
	"	testq	%rax, %rax\n"
	"	jz	raw_by_number\n"
	"	cmpq	$511, %rdi\n"
	"	ja	1f\n"
	"	leaq	raw_is_ours(%rip), %r11\n"
	"	cmpb	$1, (%r11, %rdi)\n"
	"	je	raw_by_number\n"
	"	jb	1f\n"
	"	pushq	%rdi\n"
	"	pushq	%rsi\n"
	"	pushq	%rdx\n"
	"	pushq	%rcx\n"
	"	pushq	%r8\n"
	"	pushq	%r9\n"
	"	pushq	%rax\n"
	"	call	raw_forks\n"
	"	movl	%eax, %r11d\n"
	"	popq	%rax\n"
	"	popq	%r9\n"
	"	popq	%r8\n"
	"	popq	%rcx\n"
	"	popq	%rdx\n"
	"	popq	%rsi\n"
	"	popq	%rdi\n"
	"	testb	%r11b, %r11b\n"
	"	jnz	raw_by_number\n"
	"1:	jmp	*%rax\n"
	".size syscall, . - syscall\n");
#endif
