/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libupa_mmap.so: mmap() and its relatives for a program that knows nothing of UPA. Loaded with LD_PRELOAD, it is found
 * before libc by every library that calls these functions, and redirects libc's own calls (redirect.h). The work is
 * done in mman.c; here it is decided when that is asked at all, and what is then retained (retain.h).
 *
 * Until the constructor has run, and in programs that had better be left alone, every call goes to the kernel. No function
 * here allocates, takes a lock, or calls a libc function that might.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <upa/mman.h>

#include "os/maps.h"
#include "mman/mman_private.h"
#include "os/os.h"
#include "region/region_private.h"
#include "region/device/device.h"
#include "entry/heap.h"
#include "policy/device_clients.h"
#include "observe/observe.h"
#include "policy/purge.h"
#include "entry/redirect.h"
#include "policy/retain.h"
#include "settings.h"
#include "policy/uncleared.h"
#include "observe/view.h"

#define EXPORT __attribute__((visibility("default")))

#define MEMORY_FACTOR 16ul
#define DEVICE_FACTOR 4ul /* tables of the module cost memory for each address */
#define MOST_REGION_BYTES (16ul << 40)

/*
 * The region, made when it is worth it: with the first request of this size, or after so many smaller ones. A program that never
 * gets so far starts the faster. Published in this order.
 */
#define BEGIN_BYTES (1ul << 20)
#define BEGIN_REQUESTS 8

static _Atomic uintptr_t base;
static _Atomic size_t region_bytes;
static struct upa_region *_Atomic region_made;

/* NEVER: the program is left alone, or had better be. */
enum { NOT_YET, BEGINNING, BEGUN, NEVER };

static _Atomic int beginning = NEVER;
static _Atomic int requests;

static struct upa_region *made(void)
{
	return atomic_load_explicit(&region_made, memory_order_acquire);
}

static bool purging;

bool observing;
static pid_t observed_process;

static bool ours(const void *address)
{
	return (uintptr_t)address - atomic_load_explicit(&base, memory_order_relaxed) <
	       atomic_load_explicit(&region_bytes, memory_order_acquire);
}

static void begin(void)
{
	unsigned long memory = (unsigned long)sysconf(_SC_PHYS_PAGES) * 4096;
	unsigned long factor = settings.backend ? DEVICE_FACTOR : MEMORY_FACTOR;
	struct upa_region_options options = { .backend = settings.backend, .max_pool_bytes = settings.pool_bytes };
	int expected = NOT_YET;
	int saved = errno;
	struct upa_region *r;

	if (!atomic_compare_exchange_strong(&beginning, &expected, BEGINNING))
		return;
	if (!settings.region_bytes)
		settings.region_bytes = memory < MOST_REGION_BYTES / factor ? memory * factor : MOST_REGION_BYTES;
	options.bytes = settings.region_bytes;
	if (settings.backend) {
		options.max_deferred_bytes = settings.strict ? 0 : UINT64_MAX;
		options.flags = settings.reclaim && settings.backend == UPA_BACKEND_PTE ? UPA_REGION_RECLAIM : 0;
	} else {
		options.flags = settings.strict ? UPA_REGION_FENCED : 0;
	}
	/* What the kernel might refuse to a program that asks for more than there is, it shall decide. */
	if (upa_mman_start(&options, memory / 2)) {
		table_remark(settings.backend ? "no region: the device is not to be had" : "no region: the kernel refuses so large a reservation");
		atomic_store(&beginning, NEVER);
	} else {
		r = upa_mman_region();
		atomic_store(&base, (uintptr_t)upa_region_base(r));
		atomic_store(&region_bytes, upa_region_bytes(r));
		atomic_store(&region_made, r);
		view_region(r);
		if (settings.backend)
			table_remark("UPA_BACKEND: malloc's memory comes from /dev/upa, other mappings from the kernel");
		atomic_store(&beginning, BEGUN);
	}
	errno = saved;
}

/* No region from now on, if there is none yet. */
static void begin_never(void)
{
	int expected = NOT_YET;

	atomic_compare_exchange_strong(&beginning, &expected, NEVER);
}

/* A request for memory while there is no region. */
static bool worth_beginning(size_t length, int protection, int flags)
{
	if (atomic_load_explicit(&beginning, memory_order_relaxed) != NOT_YET || !(flags & MAP_ANONYMOUS) || !(flags & MAP_PRIVATE) ||
	    protection != (PROT_READ | PROT_WRITE) || flags & (MAP_FIXED | MAP_STACK) || length < settings.least_bytes)
		return false;
	return length >= BEGIN_BYTES || atomic_fetch_add_explicit(&requests, 1, memory_order_relaxed) >= BEGIN_REQUESTS;
}

/*
 * Strictly, each free stretch of the region is a mapping to the kernel, and so is each in use; a process may have 65 530. Well
 * before that the kernel serves. Counting takes as long as a few requests for each mapping there is, so it is done seldom.
 */
#define MOST_MAPPINGS 16384
#define COUNT_EVERY 4096

static bool too_many_mappings(void)
{
	static _Atomic unsigned calls;
	static _Atomic bool many;

	if (atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed) % COUNT_EVERY == COUNT_EVERY - 1)
		atomic_store_explicit(&many, maps_count() > MOST_MAPPINGS, memory_order_relaxed);
	return atomic_load_explicit(&many, memory_order_relaxed);
}

static long failed(long result)
{
	if (!os_failed(result))
		return result;
	errno = (int)-result;
	return -1;
}

/* ---- mmap and its relatives ------------------------------------------------------------------- */

/*
 * Hints are the kernel's to follow, but for those by which mimalloc spreads its memory over addresses of no further meaning. Their alignment, up to
 * that of its segments, matters to it: where it does not get it, it asks for more and unmaps the rest.
 */
#define LEAST_ALIGNMENT (4ul << 20)
#define MOST_ALIGNMENT (32ul << 20)

static bool free_hint(const void *address)
{
	return (uintptr_t)address >= 2ul << 40 && (uintptr_t)address < 32ul << 40;
}

static void *map(void *address, size_t length, int protection, int flags, int fd, off_t offset, const void *caller)
{
	bool others = settings.backend && !device_serves(caller);
	size_t alignment = 0;
	void *result;

	if (flags & MAP_FIXED)
		brk_disturb(address, length, false);
	if (free_hint(address) && !(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE))) {
		alignment = (uintptr_t)address & -(uintptr_t)address;
		alignment = alignment < MOST_ALIGNMENT ? alignment : MOST_ALIGNMENT;
		address = NULL;
	}
	if (!made() && !others && worth_beginning(length, protection, flags))
		begin();
	if (!made() || (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) &&
			(others || length < settings.least_bytes || (settings.strict && !settings.backend && too_many_mappings()))))
		return (void *)failed(os_mmap(address, length, protection, flags, fd, offset));
	result = alignment >= LEAST_ALIGNMENT ? upa_mman_map(length, alignment, protection, flags, offset) : NULL;
	if (!result)
		result = upa_mmap(address, length, protection, flags, fd, offset);
	if (ours(result) && !(flags & MAP_FIXED))
		retain_account(made(), (int64_t)length);
	return result;
}

static void map_observed(struct observation o, const void *hint, size_t length, int protection, int flags, const void *result)
{
	unsigned said = (flags & MAP_ANONYMOUS ? UPA_TRACE_ANONYMOUS : 0) | (flags & MAP_SHARED ? UPA_TRACE_SHARED : 0) |
			(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) ? UPA_TRACE_FIXED : 0) |
			(flags & MAP_NORESERVE ? UPA_TRACE_NORESERVE : 0) | (flags & MAP_STACK ? UPA_TRACE_STACK : 0);

	if (result == MAP_FAILED)
		said |= UPA_TRACE_FAILED;
	else if (ours(result) && !(flags & MAP_FIXED))
		said |= UPA_TRACE_SERVED;
	observed(o, false, UPA_TRACE_MAP, said, (unsigned)protection, (uintptr_t)(result == MAP_FAILED ? hint : result), length);
}

static void *map_counted(void *address, size_t length, int protection, int flags, int fd, off_t offset, const void *caller)
{
	struct observation o = observe(false);
	void *result = map(address, length, protection, flags, fd, offset, caller);

	if (!ours(result) || flags & MAP_FIXED)
		view_add(&view.passed, 1);
	if (__builtin_expect(observing, 0))
		map_observed(o, address, length, protection, flags, result);
	return result;
}

EXPORT void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	return map_counted(address, length, protection, flags, fd, offset, __builtin_return_address(0));
}

/* In the place of libc's own, where malloc() calls it. */
static void *libc_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
	int said = flags == (MAP_PRIVATE | MAP_ANONYMOUS) && uncleared(length) ? UPA_MAP_UNCLEARED : 0;

	return map_counted(address, length, protection, flags | said, fd, offset, __builtin_return_address(0));
}

EXPORT void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset) __attribute__((alias("mmap")));

/* Flags of a record of a call on pages that are there. */
static unsigned outcome(const void *address, long result)
{
	return (ours(address) ? UPA_TRACE_SERVED : 0) | (result == -1 ? UPA_TRACE_FAILED : 0);
}

static int unmap(void *address, size_t length)
{
	int result;

	purge_forget(address, length);
	if (!ours(address)) {
		brk_disturb(address, length, false);
		if (!made())
			return (int)failed(os_munmap(address, length));
		return upa_munmap(address, length);
	}
	result = upa_munmap(address, length);
	if (!result)
		retain_account(made(), -(int64_t)length);
	return result;
}

EXPORT int munmap(void *address, size_t length)
{
	struct observation o = observe(true);
	int result = unmap(address, length);

	observed(o, true, UPA_TRACE_UNMAP, outcome(address, result), 0, (uintptr_t)address, length);
	return result;
}

static void *resize(void *old_address, size_t old_size, size_t new_size, int flags, void *to, int uncleared_flag)
{
	struct observation o = observe(true);
	void *result;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
		brk_disturb(to, new_size, false);
	brk_disturb(old_address, old_size, false);
	result = made() ? upa_mremap(old_address, old_size, new_size, flags | uncleared_flag, to) :
			  (void *)failed(os_mremap(old_address, old_size, new_size, flags, to));
	if (ours(old_address) && result != MAP_FAILED)
		retain_account(made(), (ours(result) ? (int64_t)new_size : 0) - (int64_t)old_size);
	observed(o, true, UPA_TRACE_RESIZE, outcome(old_address, (long)result), (unsigned)flags, (uintptr_t)old_address, old_size);
	if (o.record && result != MAP_FAILED)
		trace_fill(trace_claim(), UPA_TRACE_RESIZED, outcome(result, 0), (unsigned)flags, (uintptr_t)result, new_size);
	return result;
}

EXPORT void *mremap(void *old_address, size_t old_size, size_t new_size, int flags, ...)
{
	void *to = NULL;

	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		va_list arguments;

		va_start(arguments, flags);
		to = va_arg(arguments, void *);
		va_end(arguments);
	}
	return resize(old_address, old_size, new_size, flags, to, 0);
}

/* In the place of libc's own, where realloc() calls it; its register of the fifth argument holds anything without MREMAP_FIXED. */
static void *libc_mremap(void *old_address, size_t old_size, size_t new_size, int flags, void *to)
{
	return resize(old_address, old_size, new_size, flags, to, uncleared(new_size) ? UPA_MAP_UNCLEARED : 0);
}

EXPORT int madvise(void *address, size_t length, int advice)
{
	struct observation o = observe(true);
	bool kept;
	int result = 0;

	if (advice == MADV_NOHUGEPAGE)
		settings.huge = false;
	/* Such pages fault though their mapping may be written to. */
	if (advice == MADV_GUARD_INSTALL && !ours(address))
		purge_stop();
	if (advice != MADV_HUGEPAGE && advice != MADV_NOHUGEPAGE && advice != MADV_COLLAPSE)
		brk_disturb(address, length, advice == MADV_DONTNEED || advice == MADV_FREE || advice == MADV_WILLNEED);
	kept = advice == MADV_DONTNEED && purging && purge(made(), address, length);
	if (kept) {
		view_add(&view.purges, 1);
		view_add(&view.purged_bytes, length);
	} else {
		result = made() ? upa_madvise(address, length, advice) : (int)failed(os_madvise(address, length, advice));
	}
	observed(o, true, UPA_TRACE_ADVISE, (kept ? UPA_TRACE_SERVED : 0) | (result ? UPA_TRACE_FAILED : 0), (unsigned)advice,
		   (uintptr_t)address, length);
	return result;
}

EXPORT int posix_madvise(void *address, size_t length, int advice)
{
	int saved = errno;
	int result;

	/* As libc has it: POSIX's "don't need" keeps the contents, Linux's does not. */
	if (advice == POSIX_MADV_DONTNEED)
		return 0;
	result = madvise(address, length, advice) ? errno : 0;
	errno = saved;
	return result;
}

EXPORT int mprotect(void *address, size_t length, int protection)
{
	struct observation o = observe(true);
	int result;

	brk_disturb(address, length, false);
	/* What is committed is about to be used. */
	if (protection & PROT_WRITE)
		purge_forget(address, length);
	result = made() ? upa_mprotect(address, length, protection) : (int)failed(os_mprotect(address, length, protection));
	observed(o, true, UPA_TRACE_PROTECT, result ? UPA_TRACE_FAILED : 0, (unsigned)protection, (uintptr_t)address, length);
	return result;
}

static void **libc_break;
static char *heap_start;

/* In libc's place; it is called with libc's lock held, but for a program that does so itself. */
static int change_break(void *address)
{
	struct observation o = observe(true);
	const void *kernel_was = brk_kernel();
	char *was = *libc_break;
	int result = brk_set(address, !uncleared(SIZE_MAX));
	ptrdiff_t moved = (char *)*libc_break - was;

	view_heap((size_t)((char *)*libc_break - heap_start), (size_t)((const char *)brk_kernel() - (char *)*libc_break));
	observed(o, true, UPA_TRACE_BREAK,
		   (result ? UPA_TRACE_FAILED : 0) | (moved < 0 ? UPA_TRACE_SHRINKS : 0) |
			   (moved && brk_kernel() == kernel_was ? UPA_TRACE_SERVED : 0),
		   0, (uintptr_t)*libc_break, (size_t)(moved < 0 ? -moved : moved));
	return result;
}

/* ---- what else leaves something behind on pages ------------------------------------------------- */

/* mlock() and its kin take any address of a page. */
static int apply(const void *address, size_t length, bool sticks, upa_call_on_range *call, long argument)
{
	uintptr_t offset = (uintptr_t)address % 4096;

	if (sticks)
		brk_disturb(address, length, false);
	return upa_mman_apply((char *)address - offset, length + offset, sticks, call, argument);
}

static int call_mlock(char *address, size_t length, long unused)
{
	(void)unused;
	return (int)os_call(SYS_mlock, (long)address, (long)length, 0, 0, 0, 0);
}

EXPORT int mlock(const void *address, size_t length)
{
	purge_stop();
	return apply(address, length, true, call_mlock, 0);
}

static int call_mlock2(char *address, size_t length, long flags)
{
	return (int)os_call(SYS_mlock2, (long)address, (long)length, flags, 0, 0, 0);
}

EXPORT int mlock2(const void *address, size_t length, unsigned flags)
{
	purge_stop();
	return apply(address, length, true, flags ? call_mlock2 : call_mlock, (long)flags);
}

static int call_munlock(char *address, size_t length, long unused)
{
	(void)unused;
	return (int)os_call(SYS_munlock, (long)address, (long)length, 0, 0, 0, 0);
}

EXPORT int munlock(const void *address, size_t length)
{
	return apply(address, length, false, call_munlock, 0);
}

static int call_msync(char *address, size_t length, long flags)
{
	/* Memory of the device has a file to the kernel, but none to write to. */
	if (ours(address) && !upa_region_ordinary(made()))
		flags &= ~(long)MS_SYNC;
	return (int)os_call(SYS_msync, (long)address, (long)length, flags, 0, 0, 0);
}

static int (*libc_msync)(void *, size_t, int);

EXPORT int msync(void *address, size_t length, int flags)
{
	/* libc's, which may be cancelled, for what may have to wait. */
	if (!ours(address) && libc_msync)
		return libc_msync(address, length, flags);
	return upa_mman_apply_past_holes(address, length, false, call_msync, flags);
}

static int call_mincore(char *address, size_t length, long pages)
{
	return os_mincore(address, length, (unsigned char *)pages);
}

EXPORT int mincore(void *address, size_t length, unsigned char *pages)
{
	return upa_mman_apply(address, length, false, call_mincore, (long)pages);
}

EXPORT int pkey_mprotect(void *address, size_t length, int protection, int key)
{
	if (key == -1)
		return mprotect(address, length, protection);
	purge_stop();
	brk_disturb(address, length, false);
	if (ours(address))
		upa_region_taint(made(), address, length);
	return (int)failed(os_call(SYS_pkey_mprotect, (long)address, (long)length, protection, key, 0, 0));
}

EXPORT long mbind(void *address, unsigned long length, int mode, const unsigned long *nodes, unsigned long max_node, unsigned flags)
{
	brk_disturb(address, length, false);
	if (ours(address))
		upa_region_taint(made(), address, length);
	return failed(os_call(SYS_mbind, (long)address, (long)length, mode, (long)nodes, (long)max_node, flags));
}

static ssize_t (*libc_vmsplice)(int, const struct iovec *, size_t, unsigned);

/* Pages that sit in a pipe must not be handed out again: tainted, their memory is dropped when they are unmapped. */
EXPORT ssize_t vmsplice(int fd, const struct iovec *vector, size_t count, unsigned flags)
{
	for (size_t i = 0; vector && i < count && i < 1024; i++) {
		uintptr_t from = (uintptr_t)vector[i].iov_base & ~4095ul;
		uintptr_t to = (uintptr_t)vector[i].iov_base + vector[i].iov_len;

		brk_disturb((void *)from, to - from, false);
		if (ours((void *)from) && to > from)
			upa_region_taint(made(), (void *)from, to - from);
	}
	/* libc's, which may be cancelled. */
	if (libc_vmsplice)
		return libc_vmsplice(fd, vector, count, flags);
	return failed(os_call(SYS_vmsplice, fd, (long)vector, (long)count, flags, 0, 0));
}

/* ---- what concerns the process as a whole ------------------------------------------------------- */

/* The region would be locked, and populated, with everything else. */
EXPORT int mlockall(int flags)
{
	begin_never();
	upa_mman_retire();
	trace_stop_growing();
	brk_stop();
	purge_stop();
	return (int)failed(os_call(SYS_mlockall, flags, 0, 0, 0, 0, 0));
}

static void limit_changes(int resource, const struct rlimit64 *limit)
{
	if (limit && (resource == RLIMIT_AS || resource == RLIMIT_DATA) && limit->rlim_cur != RLIM64_INFINITY) {
		begin_never();
		upa_mman_retire();
		trace_stop_growing();
		brk_stop();
	}
}

EXPORT int prlimit64(pid_t pid, __rlimit_resource_t resource, const struct rlimit64 *new_limit, struct rlimit64 *old_limit)
{
	if (!pid || pid == getpid())
		limit_changes((int)resource, new_limit);
	return (int)failed(os_call(SYS_prlimit64, pid, (long)resource, (long)new_limit, (long)old_limit, 0, 0));
}

EXPORT int prlimit(pid_t pid, __rlimit_resource_t resource, const struct rlimit *new_limit, struct rlimit *old_limit)
{
	return prlimit64(pid, resource, (const struct rlimit64 *)new_limit, (struct rlimit64 *)old_limit);
}

EXPORT int setrlimit64(__rlimit_resource_t resource, const struct rlimit64 *limit)
{
	return prlimit64(0, resource, limit, NULL);
}

EXPORT int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	return prlimit64(0, resource, (const struct rlimit64 *)limit, NULL);
}

_Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "one structure by two names");

/*
 * A process that may soon have a filter over its system calls: from then on it makes none that it would not make without
 * us. Filters that need no privilege are always announced so.
 */
EXPORT int prctl(int option, ...)
{
	va_list arguments;
	unsigned long a[4];

	va_start(arguments, option);
	for (int i = 0; i < 4; i++)
		a[i] = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (option == PR_SET_NO_NEW_PRIVS || option == PR_SET_SECCOMP) {
		begin_never();
		upa_mman_stop();
		brk_stop();
		purge_stop();
		retain_be_quiet();
		trace_stop_growing();
		table_be_quiet();
	}
	return (int)failed(os_call(SYS_prctl, option, (long)a[0], (long)a[1], (long)a[2], (long)a[3], 0));
}

/* Pages on their way out by MSG_ZEROCOPY belong to the network until it says so: no reuse can be safe. */
EXPORT int setsockopt(int fd, int level, int option, const void *value, socklen_t length)
{
	if (level == SOL_SOCKET && option == SO_ZEROCOPY) {
		begin_never();
		upa_mman_stop();
	}
	return (int)failed(os_call(SYS_setsockopt, fd, level, option, (long)value, length, 0));
}

/* Who handles page faults himself waits for those that a purge brings. */
EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	unsigned long argument;

	va_start(arguments, request);
	argument = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (request == UFFDIO_REGISTER)
		purge_stop();
	return (int)failed(os_call(SYS_ioctl, fd, (long)request, (long)argument, 0, 0, 0));
}

/* ---- starting ----------------------------------------------------------------------------------- */

/* Sanitizers keep a map of the address space of their own, and look at every mmap themselves. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));
extern void __msan_init(void) __attribute__((weak));
extern void __hwasan_init(void) __attribute__((weak));

static bool limited(int resource)
{
	struct rlimit64 limit;

	return os_call(SYS_prlimit64, 0, resource, 0, (long)&limit, 0, 0) || limit.rlim_cur != RLIM64_INFINITY;
}

/* Why this process is left alone; NULL if it is not. */
static const char *left_alone(void)
{
	if (settings.off)
		return "UPA_OFF=1";
	if (__asan_init || __tsan_init || __msan_init || __hwasan_init)
		return "the program runs under a sanitizer";
	if (limited(RLIMIT_AS))
		return "the address space is limited (ulimit -v)";
	if (limited(RLIMIT_DATA))
		return "the data size is limited (ulimit -d)";
	return NULL;
}

static void in_child(void)
{
	int expected = BEGINNING;

	/* Another thread was at it, which is not here. */
	atomic_compare_exchange_strong(&beginning, &expected, NEVER);
	retain_after_fork();
	purge_after_fork();
	brk_after_fork();
	table_after_fork(made());
	view_after_fork();
	observed_process = (pid_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

/* In the place of libc's, which all its exec functions call; a child of vfork() is none of ours. */
static int execute(const char *path, char *const arguments[], char *const environment[])
{
	bool leaves = observed_process == (pid_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0) &&
		      !os_call(SYS_faccessat, AT_FDCWD, (long)path, X_OK, 0, 0, 0);
	long result;

	if (leaves)
		table_print(made());
	result = os_call(SYS_execve, (long)path, (long)arguments, (long)environment, 0, 0, 0);
	if (leaves)
		table_goes_on();
	return (int)failed(result);
}

static void redirect_libc(void)
{
	struct redirection list[] = {
		{ .name = "execve", .to = execute, .optional = true }, /* only for the table */
		{ .name = "munmap", .to = munmap },
		{ .name = "mremap", .to = libc_mremap },
		{ .name = "madvise", .to = madvise },
		{ .name = "mprotect", .to = mprotect },
		{ .name = "mmap", .to = libc_mmap },
		{ .name = "mlock", .to = mlock, .optional = true },
		{ .name = "mlockall", .to = mlockall, .optional = true },
		{ .name = "brk", .to = change_break, .optional = true },
	};
	size_t n = sizeof(list) / sizeof(*list);

	libc_break = dlsym(RTLD_DEFAULT, "__curbrk");
	if (settings.brk && !settings.strict && libc_break)
		brk_start(libc_break), heap_start = *libc_break;
	else
		n--;
	if (!(table_wanted ? redirect(list, n) : redirect(list + 1, n - 1)))
		table_remark("libc's own calls go to the kernel: its code is not what is known here");
	else if (!list[n - 1].done || list[n - 1].to != change_break)
		table_remark("the heap that grows by brk() is the kernel's");
}

static void finish(void)
{
	/* A child of vfork() leaves, and not the process whose memory it uses. */
	if (!observing || observed_process != (pid_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0))
		return;
	table_print(made());
	trace_end();
}

/* libc's own calls of it do not come here: exit() has run the destructors by then. */
EXPORT _Noreturn void _exit(int status)
{
	finish();
	for (;;)
		os_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

EXPORT _Noreturn void _Exit(int status) __attribute__((alias("_exit")));

__attribute__((constructor(101))) static void start(void)
{
	const char *reason;

	settings_read();
	table_start();
	trace_start(settings.trace);
	observing = table_wanted || trace_wanted;
	observed_process = (pid_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	if (observing)
		at_quick_exit(finish);
	reason = left_alone();
	if (reason) {
		table_remark(reason);
		return;
	}
	if (settings.backend) {
		device_start();
		/* In a child, the region comes first. */
		upa_pte_watch_forks();
	}
	pthread_atfork(NULL, NULL, in_child);
	libc_msync = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "msync");
	libc_vmsplice = (ssize_t(*)(int, const struct iovec *, size_t, unsigned))dlsym(RTLD_NEXT, "vmsplice");
	if (settings.redirect)
		redirect_libc();
	else
		table_remark("libc's own calls go to the kernel: UPA_REDIRECT=0");
	purging = true;
	if (settings.strict && !settings.backend)
		table_remark("UPA_STRICT=1: free pages are guarded, at a system call for each request");
	atomic_store(&beginning, NOT_YET);
}

__attribute__((destructor)) static void stop(void)
{
	finish();
}
