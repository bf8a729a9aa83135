/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "entry/redirect.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#include "os/os.h"

#ifdef __x86_64__

/* In a shape, a byte that may be anything: a displacement. Written 256, which no byte is. */
#define ANY 256

struct shape {
	const char *name;
	unsigned char number;        /* of the system call */
	const uint16_t *bytes;
	size_t length;
};

#define BYTES(...) (const uint16_t[]){ __VA_ARGS__ }, sizeof((const uint16_t[]){ __VA_ARGS__ }) / sizeof(uint16_t)

/* mov $number,%eax; syscall; cmp $-4095,%rax; jae; ret: the stub that glibc generates from syscalls.list. */
#define PLAIN(number) BYTES(0xb8, number, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff, 0x73, ANY, 0xc3)

static const struct shape shapes[] = {
	{ "munmap", SYS_munmap, PLAIN(SYS_munmap) },
	{ "mprotect", SYS_mprotect, PLAIN(SYS_mprotect) },
	{ "madvise", SYS_madvise, PLAIN(SYS_madvise) },
	{ "mlock", SYS_mlock, PLAIN(SYS_mlock) },
	{ "mlockall", SYS_mlockall, PLAIN(SYS_mlockall) },
	{ "execve", SYS_execve, PLAIN(SYS_execve) },
	/* mov %ecx,%r10d; test $0xfff,%r9d; jne; mov $9,%eax; syscall; cmp $-4096,%rax; ja; ret */
	{ "mmap", SYS_mmap,
	  BYTES(0x41, 0x89, 0xca, 0x41, 0xf7, 0xc1, 0xff, 0x0f, 0, 0, 0x75, ANY, 0xb8, 9, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 0, 0xf0,
		0xff, 0xff, 0x77, ANY, 0xc3) },
	/* sub $0x58,%rsp; spill of the fifth argument and the canary; cmp $7,%ecx; ja; mov %ecx,%r10d; xor %r8d,%r8d; test $6,%cl;
	   jne; mov $25,%eax; syscall; cmp $-4096,%rax; ja */
	{ "mremap", SYS_mremap,
	  BYTES(0x48, 0x83, 0xec, 0x58, 0x4c, 0x89, 0x44, 0x24, 0x40, 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0, 0, 0, 0x48, 0x89, 0x44,
		0x24, 0x18, 0x31, 0xc0, 0x83, 0xf9, 0x07, 0x77, ANY, 0x41, 0x89, 0xca, 0x45, 0x31, 0xc0, 0xf6, 0xc1, 0x06, 0x75,
		ANY, 0xb8, 25, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 0, 0xf0, 0xff, 0xff, 0x77, ANY) },
	/* mov $12,%eax; syscall; mov __curbrk@GOT,%rdx; mov %rax,(%rdx); cmp %rdi,%rax; jb; xor %eax,%eax; ret */
	{ "brk", SYS_brk,
	  BYTES(0xb8, 12, 0, 0, 0, 0x0f, 0x05, 0x48, 0x8b, 0x15, ANY, ANY, ANY, ANY, 0x48, 0x89, 0x02, 0x48, 0x39, 0xf8, 0x72, ANY,
		0x31, 0xc0, 0xc3) },
};

/* jmp *0(%rip), and the address. No shape is shorter, and none jumps back into these bytes. */
#define JUMP_BYTES 14

#define PAGE 4096ul

/* The function, behind the endbr64 it may begin with; NULL unless its bytes are those of a shape. */
static unsigned char *recognise(const char *name, unsigned char *at)
{
	static const unsigned char endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };

	if (at && !memcmp(at, endbr64, sizeof(endbr64)))
		at += sizeof(endbr64);
	for (size_t i = 0; at && i < sizeof(shapes) / sizeof(*shapes); i++) {
		size_t same = 0;

		if (strcmp(shapes[i].name, name))
			continue;
		while (same < shapes[i].length && (shapes[i].bytes[same] == ANY || shapes[i].bytes[same] == at[same]))
			same++;
		if (same == shapes[i].length)
			return at;
	}
	return NULL;
}

static void write_jump(unsigned char *at, void *to)
{
	unsigned char jump[JUMP_BYTES] = { 0xff, 0x25 };

	memcpy(jump + 6, &to, sizeof(to));
	memcpy(at, jump, sizeof(jump));
}

bool redirect(struct redirection *list, size_t n)
{
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	uintptr_t first = UINTPTR_MAX, last = 0;
	unsigned char *at[16];
	size_t bytes;

	if (!libc || n > sizeof(at) / sizeof(*at))
		return false;
	for (size_t i = 0; i < n; i++) {
		at[i] = recognise(list[i].name, dlsym(libc, list[i].name));
		if (!at[i] && !list[i].optional) {
			dlclose(libc);
			return false;
		}
		if (at[i] && (uintptr_t)at[i] < first)
			first = (uintptr_t)at[i];
		if (at[i] && (uintptr_t)at[i] > last)
			last = (uintptr_t)at[i];
	}
	dlclose(libc);
	/* All lie in libc's text, so everything between them does. */
	first &= ~(PAGE - 1);
	bytes = ((last + JUMP_BYTES + PAGE - 1) & ~(PAGE - 1)) - first;
	if (os_mprotect((void *)first, bytes, PROT_READ | PROT_WRITE | PROT_EXEC))
		return false;
	for (size_t i = 0; i < n; i++)
		if (at[i]) {
			write_jump(at[i], list[i].to);
			list[i].done = true;
		}
	os_mprotect((void *)first, bytes, PROT_READ | PROT_EXEC);
	return true;
}

#else

bool redirect(struct redirection *list, size_t n)
{
	(void)list;
	(void)n;
	return false;
}

#endif
