/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large blocks by malloc(), for redirect_libcs_test.sh: blocks of 1 MiB by which libc's heap grows and shrinks, and
 * blocks of 4 to 9 MiB, of which libc maps each until its threshold has followed. It starts by itself, since a
 * compiler's own start-up code needs the newest libc.
 */
#include <stdlib.h>
#include <string.h>

static void *blocks[8];

/* Blocks of `least` to `least + 36 * step`, eight at a time, written to, in the place of older ones. */
static void churn(int rounds, size_t least, size_t step)
{
	for (int i = 0; i < rounds; i++) {
		size_t bytes = least + (size_t)(i % 37) * step;
		char *block = malloc(bytes);

		if (!block)
			abort();
		free(blocks[i % 8]);
		blocks[i % 8] = memset(block, i, bytes);
	}
}

extern int __cxa_atexit(void (*function)(void *), void *argument, void *library);

/* `finish` is the dynamic linker's, and runs the libraries' destructors. */
__attribute__((used)) static _Noreturn void run(void (*finish)(void *))
{
	__cxa_atexit(finish, NULL, NULL);
	churn(300, 1ul << 20, 0);
	churn(200, 4ul << 20, 128ul << 10);
	exit(0);
}

__asm__(".globl _start\n"
	"_start:\n"
#if defined(__x86_64__)
	"	xorl %ebp, %ebp\n"
	"	andq $-16, %rsp\n"
	"	movq %rdx, %rdi\n"
	"	call run\n"
#elif defined(__aarch64__)
	"	hint #38\n" /* bti jc */
	"	mov x29, #0\n"
	"	bl run\n"
#endif
);
