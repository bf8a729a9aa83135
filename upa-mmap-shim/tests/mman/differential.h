/* SPDX-License-Identifier: Apache-2.0 */
/*
 * differential.h - what the tests share that make each call twice, once through UPA and once as a bare system call: the
 * two sides, questions to the kernel about pages, and the arguments that are tried.
 */
#ifndef UPA_TESTS_DIFFERENTIAL_H
#define UPA_TESTS_DIFFERENTIAL_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bare.h"
#include "check.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define PAGE 4096l
#define ERRNO_BEFORE 4242 /* a call that ends well leaves errno alone */

/* The two sides; all calls of a side go through its functions. */
struct side {
	const char *name;
	char *base;
	int files[2];
	void *(*map)(void *, size_t, int, int, int, off_t);
	int (*unmap)(void *, size_t);
	void *(*remap)(void *, size_t, size_t, int, ...);
	int (*advise)(void *, size_t, int);
	int (*protect)(void *, size_t, int);
	int (*lock)(const void *, size_t);
	int (*unlock)(const void *, size_t);
	int (*sync)(void *, size_t, int);
	int (*resident)(void *, size_t, unsigned char *);
};

static inline void *kernel_map(void *a, size_t n, int p, int f, int fd, off_t o)
{
	return (void *)bare(SYS_mmap, (long)a, (long)n, p, f, fd, o);
}

static inline int kernel_unmap(void *a, size_t n)
{
	return (int)bare(SYS_munmap, (long)a, (long)n, 0, 0, 0, 0);
}
static inline int kernel_advise(void *a, size_t n, int advice)
{
	return (int)bare(SYS_madvise, (long)a, (long)n, advice, 0, 0, 0);
}
static inline int kernel_protect(void *a, size_t n, int p)
{
	return (int)bare(SYS_mprotect, (long)a, (long)n, p, 0, 0, 0);
}
static inline int kernel_lock(const void *a, size_t n)
{
	return (int)bare(SYS_mlock, (long)a, (long)n, 0, 0, 0, 0);
}
static inline int kernel_unlock(const void *a, size_t n)
{
	return (int)bare(SYS_munlock, (long)a, (long)n, 0, 0, 0, 0);
}
static inline int kernel_sync(void *a, size_t n, int flags)
{
	return (int)bare(SYS_msync, (long)a, (long)n, flags, 0, 0, 0);
}

static inline int kernel_resident(void *a, size_t n, unsigned char *v)
{
	return (int)bare(SYS_mincore, (long)a, (long)n, (long)v, 0, 0, 0);
}

static inline void *kernel_remap(void *a, size_t old, size_t new, int flags, ...)
{
	va_list arguments;
	void *to;

	va_start(arguments, flags);
	to = va_arg(arguments, void *);
	va_end(arguments);
	return (void *)bare(SYS_mremap, (long)a, (long)old, (long)new, flags, (long)to, 0);
}

#define KERNEL_SIDE                                                                                                    \
	{                                                                                                              \
		.name = "kernel", .map = kernel_map, .unmap = kernel_unmap, .remap = kernel_remap,                     \
		.advise = kernel_advise, .protect = kernel_protect, .lock = kernel_lock, .unlock = kernel_unlock,      \
		.sync = kernel_sync, .resident = kernel_resident                                                       \
	}

/* What programs call, and the preloaded library answers. */
#define LIBC_SIDE                                                                                                      \
	{                                                                                                              \
		.name = "libc", .map = mmap, .unmap = munmap, .remap = mremap, .advise = madvise, .protect = mprotect, \
		.lock = mlock, .unlock = munlock, .sync = msync, .resident = mincore                                   \
	}

/*
 * Is a page mapped, as far as a program can ask without changing anything? To the kernel a free page of the region is
 * as well.
 */
static inline bool mapped(const struct side *s, char *page)
{
	unsigned char resident;

	return kernel_resident(page, PAGE, &resident) == 0 && s->remap(page, PAGE, PAGE, 0) == page;
}

static inline bool overlap(const char *a, long n, const char *b, long m)
{
	return a < b + m && b < a + n;
}

static inline long page_up(long n)
{
	return (n + PAGE - 1) & -PAGE;
}

/* Neither a fault nor a change: the kernel does the access and reports what a program would have seen. */
static inline bool transfer(long number, void *local, char *remote, size_t bytes)
{
	struct iovec mine = { local, bytes };
	struct iovec his = { remote, bytes };

	return bare(number, getpid(), (long)&mine, 1, (long)&his, 1, 0) == (long)bytes;
}

/* Does a range lie in one mapping of the kernel's? */
static inline bool one_mapping(const char *start, long bytes)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to;
	char line[512];
	bool one = false;

	CHECK(maps, "errno=%d", errno);
	while (!one && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			one = from <= (unsigned long)start && (unsigned long)start + (unsigned long)bytes <= to;
	fclose(maps);
	return one;
}

/* Is a range private anonymous memory to be read and written, in however many mappings? */
static inline bool ordinary_pages(const char *start, long bytes)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long from, to, inode, at = (unsigned long)start;
	char line[512], access[5];

	CHECK(maps, "errno=%d", errno);
	while (at < (unsigned long)start + (unsigned long)bytes && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %4s %*x %*s %lu", &from, &to, access, &inode) == 4 && from <= at && to > at &&
		    !inode && !strcmp(access, "rw-p"))
			at = to;
	fclose(maps);
	return at >= (unsigned long)start + (unsigned long)bytes;
}

static const int advices[] = {
	MADV_NORMAL,
	MADV_RANDOM,
	MADV_SEQUENTIAL,
	MADV_WILLNEED,
	MADV_DONTNEED,
	MADV_DONTNEED,
	MADV_FREE,
	MADV_REMOVE,
	MADV_DONTFORK,
	MADV_DOFORK,
	MADV_MERGEABLE,
	MADV_UNMERGEABLE,
	MADV_HUGEPAGE,
	MADV_NOHUGEPAGE,
	MADV_DONTDUMP,
	MADV_DODUMP,
	MADV_WIPEONFORK,
	MADV_KEEPONFORK,
	MADV_COLD,
	MADV_PAGEOUT,
	22 /* POPULATE_READ */,
	23,
	24 /* DONTNEED_LOCKED */,
	102 /* GUARD_INSTALL */,
	103,
	77 /* none */,
	-1,
};
static const int protections[] = {
	PROT_NONE,  PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE | PROT_EXEC,
	PROT_WRITE, 0x800,
};
static const int map_flags[] = {
	MAP_PRIVATE | MAP_ANONYMOUS,
	MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
	MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
	MAP_SHARED | MAP_ANONYMOUS,
	MAP_PRIVATE,
	MAP_SHARED,
	MAP_ANONYMOUS,
	MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
};
#define PICK(seed, array) (array)[random_below(seed, sizeof(array) / sizeof((array)[0]))]

static inline int filled_file(int pages)
{
	int fd = memfd_create("differential", 0);
	char page[PAGE];

	CHECK(fd >= 0, "errno=%d", errno);
	for (int i = 0; i < pages; i++) {
		memset(page, 'a' + i % 26, sizeof(page));
		CHECK(write(fd, page, sizeof(page)) == sizeof(page), "errno=%d", errno);
	}
	return fd;
}

#endif
