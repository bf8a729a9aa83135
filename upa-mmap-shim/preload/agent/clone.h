/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clone.h - a thread that libc knows nothing of. Not pthread_create(), which allocates by the program's malloc(), under
 * whose lock we may be, and from then on has every lock of libc's taken as by one thread of several. Not libc's
 * clone(), which musl refuses to make threads with.
 */
#ifndef UPA_AGENT_CLONE_H
#define UPA_AGENT_CLONE_H

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>

/*
 * Calls run() in a new thread, on a stack that ends at `stack`, with `tls` as its thread pointer, and ends the thread
 * when it returns. *id is the thread's number as long as it runs, then 0. The number, or -errno.
 */
static inline long agent_clone(void (*run)(void), void *stack, void *tls, int *id)
{
	const long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
			   CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
#ifdef __x86_64__
	long result;
	register void *r10 __asm__("r10") = id;
	register void *r8 __asm__("r8") = tls;
	register void (*r12)(void) __asm__("r12") = run;

	__asm__ volatile("syscall\n"
			 "	test	%%rax, %%rax\n"
			 "	jnz	1f\n"
			 "	xor	%%ebp, %%ebp\n"
			 "	call	*%%r12\n"
			 "	mov	%[exit], %%eax\n"
			 "	xor	%%edi, %%edi\n"
			 "	syscall\n"
			 "	hlt\n"
			 "1:"
			 : "=a"(result)
			 : "a"(SYS_clone), "D"(flags), "S"(stack), "d"(id), "r"(r10), "r"(r8),
			   "r"(r12), [exit] "i"(SYS_exit)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = SYS_clone;
	register long x0 __asm__("x0") = flags;
	register void *x1 __asm__("x1") = stack;
	register void *x2 __asm__("x2") = id;
	register void *x3 __asm__("x3") = tls;
	register void *x4 __asm__("x4") = id;
	register void (*x20)(void) __asm__("x20") = run;

	__asm__ volatile("svc	0\n"
			 "	cbnz	x0, 1f\n"
			 "	mov	x29, 0\n"
			 "	blr	x20\n"
			 "	mov	x8, %[exit]\n"
			 "	mov	x0, 0\n"
			 "	svc	0\n"
			 "	brk	0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x20), [exit] "i"(SYS_exit)
			 : "memory");
	return x0;
#else
	(void)run, (void)stack, (void)tls, (void)id, (void)flags;
	return -ENOSYS;
#endif
}

#endif
