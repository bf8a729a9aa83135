/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every memory call to the kernel goes through here: as a bare system call, since in a preloaded
 * library the libc functions of the same names are ours. Results are addresses, 0 or -errno; errno
 * itself is left alone, so that a call that ends well changes nothing a caller could see.
 */
#ifndef UPA_OS_H
#define UPA_OS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef PROT_SEM
#define PROT_SEM 8
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

static inline long os_call(long number, long a, long b, long c, long d, long e, long f)
{
#ifdef __x86_64__
	long result;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
	int saved = errno;
	long result = syscall(number, a, b, c, d, e, f);

	if (result == -1) {
		result = -errno;
		errno = saved;
	}
	return result;
#endif
}

/* A result that is an address: the last page of the address space holds the error numbers. */
static inline bool os_failed(long result)
{
	return (unsigned long)result > -4096ul;
}

static inline long os_mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	return os_call(SYS_mmap, (long)address, (long)bytes, protection, flags, fd, offset);
}

static inline int os_munmap(void *address, size_t bytes)
{
	return (int)os_call(SYS_munmap, (long)address, (long)bytes, 0, 0, 0, 0);
}

static inline long os_mremap(void *address, size_t old_bytes, size_t new_bytes, int flags, void *to)
{
	return os_call(SYS_mremap, (long)address, (long)old_bytes, (long)new_bytes, flags, (long)to, 0);
}

static inline int os_madvise(void *address, size_t bytes, int advice)
{
	return (int)os_call(SYS_madvise, (long)address, (long)bytes, advice, 0, 0, 0);
}

static inline int os_mprotect(void *address, size_t bytes, int protection)
{
	return (int)os_call(SYS_mprotect, (long)address, (long)bytes, protection, 0, 0, 0);
}

static inline int os_mincore(void *address, size_t bytes, unsigned char *resident)
{
	return (int)os_call(SYS_mincore, (long)address, (long)bytes, (long)resident, 0, 0, 0);
}

/* libc's fstat() has one name up to glibc 2.32 and another from 2.33 on. */
static inline int os_fstat(int fd, struct stat *st)
{
	return (int)os_call(SYS_fstat, fd, (long)st, 0, 0, 0, 0);
}

static inline int os_stat(const char *path, struct stat *st)
{
	return (int)os_call(SYS_newfstatat, -100 /* AT_FDCWD */, (long)path, (long)st, 0, 0, 0);
}

/* Threads of this process; 0 if nothing tells. An emulator's own count, too. */
static inline int os_threads(void)
{
	struct stat st;

	/* A directory has two links, and one for each in it. */
	return os_stat("/proc/self/task", &st) ? 0 : (int)st.st_nlink - 2;
}

/*
 * Pages here have 4096 bytes, everywhere; the kernel's may be larger: 16 or 64 KiB on arm64. An old libc under
 * emulation does not say; what the kernel refuses then is an error like any other.
 */
static inline bool os_pages_fit(void)
{
	unsigned long bytes = getauxval(AT_PAGESZ);

	return !bytes || bytes == 4096;
}

/* In a loop that waits for another thread. */
static inline void os_relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
