/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scenarios of pages that carry state of the kernel's, or that the kernel still holds, and of addresses that the
 * program chooses. Each runs in a process of its own, where memory has been used and freed before. Says what came of
 * it, no addresses; what it says with and without the preloaded library must be the same (preload_test.sh).
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bare.h"
#include "scenarios.h"

#ifndef SYS_mseal
#define SYS_mseal 462
#endif
#define GUARD_INSTALL 102

/* ---- addresses ---------------------------------------------------------------------------------- */

static void hint_into_freed(void)
{
	char *block = map(4 * MIB);
	int fd = memfd_create("file", 0);
	char *anonymous, *file, *grown;

	munmap(block, 4 * MIB);
	anonymous = mmap(block + MIB, PAGE, RW, ANON, -1, 0);
	say("anonymous: %d, zero %d", anonymous == block + MIB, *anonymous == 0);
	anonymous = mmap(block + 2 * MIB + 5, PAGE, RW, ANON, -1, 0);
	say("a hint inside a page: %d", anonymous == block + 2 * MIB);
	anonymous = mmap(block + MIB, PAGE, RW, ANON, -1, 0);
	say("taken: %d", anonymous == block + MIB);
	CALL(ftruncate(fd, 3 * PAGE));
	file = mmap(block, PAGE, RW, MAP_SHARED, fd, 0);
	say("file: %d", file == block);
	*file = 'f';
	grown = mremap(file, PAGE, 2 * PAGE, 0);
	say("grown in place: %d %c", grown == file, *grown);
	grown[PAGE] = 'g';
	grown = mremap(grown, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	say("and on: %d %c%c", grown == file, grown[0], grown[PAGE]);
	CALL(mremap(grown, 3 * PAGE, 2 * MIB, 0));
	say("kept %c%c", grown[0], grown[PAGE]);
	CALL(munmap(grown, 3 * PAGE));
	file = mmap(block + 3 * MIB, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	say("private file, read only: %d %c", file == block + 3 * MIB, *file);
	CALL(munmap(block, 4 * MIB));
	reuse();
}

/* As programs do that reserve for their heap: JDK 17's ZGC takes no other place. */
static void hints_far_away(void)
{
	for (int tib = 2; tib <= 32; tib *= 2) {
		char *wanted = (char *)((uintptr_t)tib << 40);
		char *got = mmap(wanted, 16 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
		int fd = memfd_create("file", 0);

		say("reserved at %d TiB: %d", tib, got == wanted);
		munmap(got, 16 * MIB);
		CALL(ftruncate(fd, PAGE));
		got = mmap(wanted, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		say("file at %d TiB: %d", tib, got == wanted);
		munmap(got, PAGE);
		close(fd);
	}
}

/* ---- userfaultfd -------------------------------------------------------------------------------- */

static int faults;

static void *fill(void *unused)
{
	static char page[PAGE] __attribute__((aligned(PAGE)));
	struct uffd_msg message;

	for (;;) {
		struct pollfd wanted = { faults, POLLIN, 0 };
		struct uffdio_copy copy = { .src = (unsigned long)page, .len = PAGE };

		if (poll(&wanted, 1, -1) < 0 || read(faults, &message, sizeof(message)) != sizeof(message))
			return unused;
		memset(page, 'X', sizeof(page));
		copy.dst = message.arg.pagefault.address & ~(PAGE - 1);
		ioctl(faults, UFFDIO_COPY, &copy);
	}
}

/* False where there is none to be had; then nothing more is said. */
static bool open_faults(uint64_t features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	return faults >= 0 && !ioctl(faults, UFFDIO_API, &api);
}

static int register_faults(char *block, size_t bytes, uint64_t mode)
{
	struct uffdio_register wanted = { .range = { (unsigned long)block, bytes }, .mode = mode };

	return ioctl(faults, UFFDIO_REGISTER, &wanted);
}

static int filled(const char *block, size_t pages)
{
	int n = 0;

	for (size_t i = 0; i < pages; i++)
		n += *(volatile const char *)(block + i * PAGE) == 'X';
	return n;
}

static void missing_pages(void)
{
	pthread_t thread;
	char *before = map(16 * PAGE), *block;

	before[PAGE] = 'b';
	if (!open_faults(0))
		return;
	block = map(64 * PAGE);
	pthread_create(&thread, NULL, fill, NULL);
	CALL(register_faults(block, 64 * PAGE, UFFDIO_REGISTER_MODE_MISSING));
	say("fresh from mmap: %d of 64", filled(block, 64));
	CALL(register_faults(before, 16 * PAGE, UFFDIO_REGISTER_MODE_MISSING));
	say("never touched: %d of 16, kept %c", filled(before, 16), before[PAGE]);
	CALL(register_faults(NULL, PAGE, UFFDIO_REGISTER_MODE_MISSING));
	CALL(ioctl(faults, UFFDIO_REGISTER, 8));
}

/* munmap() ends a registration. */
static void ended_registrations(void)
{
	char *block;

	alarm(300);
	if (!open_faults(0))
		return;
	block = map(4 * MIB);
	CALL(register_faults(block, 4 * MIB, UFFDIO_REGISTER_MODE_MISSING));
	CALL(munmap(block, 4 * MIB));
	reuse();
}

static void ended_protection(void)
{
	struct uffdio_writeprotect protect = { .mode = UFFDIO_WRITEPROTECT_MODE_WP };
	char *block;

	alarm(300);
	if (!open_faults(UFFD_FEATURE_PAGEFAULT_FLAG_WP))
		return;
	block = map(4 * MIB);
	memset(block, 1, 4 * MIB);
	CALL(register_faults(block, 4 * MIB, UFFDIO_REGISTER_MODE_WP));
	protect.range = (struct uffdio_range){ (unsigned long)block, 4 * MIB };
	CALL(ioctl(faults, UFFDIO_WRITEPROTECT, &protect));
	CALL(munmap(block, 4 * MIB));
	reuse();
}

/* ---- state of pages ----------------------------------------------------------------------------- */

static void marked(const char *how, int (*mark)(char *block, size_t bytes))
{
	char *block = map(2 * MIB);

	memset(block, 'm', 2 * MIB);
	say("%s: %s", how, mark(block, 2 * MIB) ? "refused" : "done");
	say("unmapped: %d", munmap(block, 2 * MIB));
	reuse();
}

static int mark_guarded(char *block, size_t bytes)
{
	return madvise(block, bytes, GUARD_INSTALL);
}
static int mark_unforked(char *block, size_t bytes)
{
	return madvise(block, bytes, MADV_DONTFORK);
}
static int mark_wiped(char *block, size_t bytes)
{
	return madvise(block, bytes, MADV_WIPEONFORK);
}
static int mark_merged(char *block, size_t bytes)
{
	return madvise(block, bytes, MADV_MERGEABLE);
}
static int mark_small(char *block, size_t bytes)
{
	return madvise(block, bytes, MADV_NOHUGEPAGE);
}
static int mark_locked(char *block, size_t bytes)
{
	return mlock(block, bytes);
}
static int mark_locked_on_fault(char *block, size_t bytes)
{
	return mlock2(block, bytes, 1 /* MLOCK_ONFAULT */);
}
static int mark_none(char *block, size_t bytes)
{
	return mprotect(block, bytes, PROT_NONE);
}
static int mark_read_only(char *block, size_t bytes)
{
	return mprotect(block, bytes, PROT_READ);
}
static int mark_none_by_number(char *block, size_t bytes)
{
	return (int)syscall(SYS_mprotect, block, bytes, PROT_NONE);
}
static int mark_guarded_by_number(char *block, size_t bytes)
{
	return (int)syscall(SYS_madvise, block, bytes, GUARD_INSTALL);
}

static int mark_keyed(char *block, size_t bytes)
{
	int key = pkey_alloc(0, PKEY_DISABLE_ACCESS);

	return key < 0 ? 0 : pkey_mprotect(block, bytes, RW, key);
}

static int mark_bound(char *block, size_t bytes)
{
	unsigned long nodes = 1;

	return (int)syscall(SYS_mbind, block, bytes, 2 /* MPOL_BIND */, &nodes, 8, 0);
}

static void marks(void)
{
	marked("guard regions", mark_guarded);
	marked("MADV_DONTFORK", mark_unforked);
	marked("MADV_WIPEONFORK", mark_wiped);
	marked("MADV_MERGEABLE", mark_merged);
	marked("MADV_NOHUGEPAGE", mark_small);
	marked("mlock", mark_locked);
	marked("mlock2", mark_locked_on_fault);
	marked("PROT_NONE", mark_none);
	marked("PROT_READ", mark_read_only);
	marked("pkey_mprotect", mark_keyed);
	marked("mbind", mark_bound);
	marked("mprotect by its number", mark_none_by_number);
	marked("guard regions by number", mark_guarded_by_number);
}

/* A sealed mapping can be neither unmapped nor emptied. Nothing is said where the kernel has no seals. */
static void sealed(void)
{
	char *block = map(MIB);

	memset(block, 's', MIB);
	if (syscall(SYS_mseal, block, MIB, 0))
		return;
	CALL(munmap(block, MIB));
	CALL(mprotect(block, MIB, PROT_NONE));
	CALL(mmap(block, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	CALL(mremap(block, MIB, PAGE, 0));
	say("kept %d", is(block, MIB, 's'));
	reuse();
}

static void calls_by_number(void)
{
	char *block = map(MIB), *other;

	memset(block, 'n', MIB);
	CALL(syscall(SYS_munmap, block, MIB));
	other = (char *)syscall(SYS_mmap, NULL, MIB, RW, ANON, -1, 0);
	say("zero %d", is(other, MIB, 0));
	memset(other, 'o', MIB);
	other = (char *)syscall(SYS_mremap, other, MIB, 3 * MIB, MREMAP_MAYMOVE);
	say("kept %d, zero %d", is(other, MIB, 'o'), is(other + MIB, 2 * MIB, 0));
	CALL(syscall(SYS_madvise, other, MIB, MADV_DONTNEED));
	say("zero %d", is(other, MIB, 0));
	CALL(syscall(SYS_mlock, other, PAGE));
	CALL(syscall(SYS_munlock, other, PAGE));
	CALL(syscall(SYS_munmap, other, 3 * MIB));
	CALL(syscall(SYS_munmap, other + 1, PAGE));
	CALL(syscall(SYS_mprotect, NULL, PAGE, 77));
	CALL(syscall(5000));
	say("a process: %d", (int)syscall(SYS_getpid) == getpid());
	reuse();
}

/* ---- pages that the kernel works on ------------------------------------------------------------- */

/* A read into memory that is unmapped while it is under way must not reach whoever gets the memory next. */
static void asynchronous_read(void)
{
	aio_context_t context = 0;
	char *block = map(MIB);
	struct iocb read = { .aio_lio_opcode = IOCB_CMD_PREAD,
			     .aio_buf = (unsigned long)block,
			     .aio_nbytes = 64 * KIB };
	struct iocb *list[] = { &read };
	char name[] = "/tmp/upa-state-XXXXXX";
	int fd = mkostemp(name, O_DIRECT);
	struct io_event event;

	unlink(name);
	if (fd < 0 || syscall(SYS_io_setup, 4, &context))
		return;
	CALL(ftruncate(fd, 64 * KIB));
	read.aio_fildes = (uint32_t)fd;
	say("submitted: %ld", syscall(SYS_io_submit, context, 1, list));
	CALL(munmap(block, MIB));
	reuse();
	say("ended: %ld", syscall(SYS_io_getevents, context, 1, 1, &event, NULL));
	reuse();
}

/* Registered buffers stay the ring's, whatever is unmapped. */
static void registered_buffers(void)
{
	struct io_uring_params parameters = { 0 };
	int ring = (int)syscall(SYS_io_uring_setup, 4, &parameters);
	size_t entries = 4 * sizeof(struct io_uring_sqe);
	char *block;
	struct iovec vector;
	void *mapped;

	if (ring < 0)
		return;
	mapped = mmap(NULL, entries, RW, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	say("mapped %d", mapped != MAP_FAILED);
	block = map(MIB);
	vector = (struct iovec){ block, MIB };
	CALL(syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &vector, 1));
	CALL(munmap(block, MIB));
	reuse();
	close(ring);
}

/* A stack of the program's own where memory was, which grows over addresses that were used, and no others. */
static void grown_stack(int flags, bool before)
{
	char *block = map(16 * MIB), *stack;
	int status;
	pid_t child;

	memset(block, 'g', 16 * MIB);
	if (before)
		munmap(block, 16 * MIB);
	stack = mmap(block + 15 * MIB, PAGE, RW, ANON | MAP_GROWSDOWN | flags, -1, 0);
	if (!before)
		munmap(block, 15 * MIB);
	say("there %d", stack == block + 15 * MIB);
	fflush(stdout);
	child = fork();
	if (!child) {
		for (long i = 0; i < 256; i++)
			stack[-i * (long)PAGE] = 's';
		reuse();
		say("kept %d", stack[-255 * (long)PAGE]);
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, &status, 0);
	say("grown: %#x", (unsigned)status);
	reuse();
}

static void stack_where_memory_was(void)
{
	grown_stack(MAP_FIXED, true);
}

static void stack_over_memory(void)
{
	grown_stack(MAP_FIXED, false);
}

static void stack_at_a_hint(void)
{
	grown_stack(0, true);
}

static void spliced(void)
{
	int ends[2];
	char *block = map(MIB), seen[PAGE];
	struct iovec vector = { block, PAGE };

	memset(block, 'v', MIB);
	CALL(pipe(ends));
	say("spliced %zd", vmsplice(ends[1], &vector, 1, 0));
	CALL(munmap(block, MIB));
	reuse();
	CALL(read(ends[0], seen, PAGE) - (ssize_t)PAGE);
	say("intact %d", is(seen, PAGE, 'v'));
	/* Parts of two pages. */
	block = map(MIB);
	memset(block, 'w', MIB);
	vector = (struct iovec){ block + PAGE - 7, PAGE };
	say("spliced %zd", vmsplice(ends[1], &vector, 1, 0));
	CALL(munmap(block, MIB));
	reuse();
	CALL(read(ends[0], seen, PAGE) - (ssize_t)PAGE);
	say("intact %d", is(seen, PAGE, 'w'));
}

/* The heap's pages are others when the break has been below them. */
static void spliced_heap(void)
{
	char *was = sbrk(0), *heap = (char *)(((uintptr_t)was + PAGE - 1) & ~(PAGE - 1)), seen[PAGE];
	struct iovec vector = { heap + MIB, PAGE };
	int ends[2];

	CALL(pipe(ends));
	CALL(brk(heap + 2 * MIB));
	memset(heap, 'h', 2 * MIB);
	say("spliced %zd", vmsplice(ends[1], &vector, 1, 0));
	CALL(brk(heap));
	CALL(brk(heap + 2 * MIB));
	say("zero %d", is(heap, 2 * MIB, 0));
	memset(heap, 'n', 2 * MIB);
	CALL(read(ends[0], seen, PAGE) - (ssize_t)PAGE);
	say("intact %d", is(seen, PAGE, 'h'));
	CALL(brk(was));
}

/*
 * A mapping that the kernel has put behind what is mapped of the region, as it does with threads' stacks: with a guard
 * page, and emptied over and over by glibc. The region has tried to serve requests there, in vain.
 */
static void emptied_beyond(void)
{
	char *near = map(MIB), *stack = MAP_FAILED;

	for (uintptr_t i = 1; i < 64 && stack == MAP_FAILED; i++)
		stack = (char *)bare(SYS_mmap, (long)(near + i * 64 * MIB), MIB, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	for (int i = 0; i < 4; i++)
		map(128 * MIB)[0] = 1;
	if (stack == MAP_FAILED)
		stack = (char *)bare(SYS_mmap, 0, MIB, RW, ANON, -1, 0);
	bare(SYS_mprotect, (long)(stack + MIB / 2), PAGE, PROT_NONE, 0, 0, 0);
	for (int i = 0; i < 8; i++) {
		memset(stack, 's', MIB / 2);
		memset(stack + MIB / 2 + PAGE, 's', MIB / 2 - PAGE);
		CALL(madvise(stack, MIB, MADV_DONTNEED));
		say("emptied %d", is(stack, MIB / 2, 0) && is(stack + MIB / 2 + PAGE, MIB / 2 - PAGE, 0));
	}
	bare(SYS_mprotect, (long)(stack + MIB / 2), PAGE, PROT_READ, 0, 0, 0);
	say("the guard page is empty %d", is(stack + MIB / 2, PAGE, 0));
}

static _Atomic int guards_gone;

/* Uses much of its stack, which libc empties when the thread has ended; the page below it may never be touched. */
static void *use_stack(void *unused)
{
	char much[512 * KIB], byte;
	struct iovec to = { &byte, 1 }, guard = { NULL, 1 };
	pthread_attr_t attributes;
	void *lowest;
	size_t bytes;

	memset(much, 's', sizeof(much));
	if (pthread_getattr_np(pthread_self(), &attributes))
		return unused;
	pthread_attr_getstack(&attributes, &lowest, &bytes);
	pthread_attr_destroy(&attributes);
	guard.iov_base = (char *)lowest - 1;
	guards_gone += process_vm_readv(getpid(), &to, 1, &guard, 1, 0) == 1;
	return is(much, sizeof(much), 's') ? (void *)1 : unused;
}

/* Stacks of threads that come and go, between blocks of the region's: glibc keeps them, and empties them each time. */
static void stacks_of_threads(void)
{
	enum { THREADS = 8 };
	int whole = 0;

	for (int round = 0; round < 24; round++) {
		pthread_t threads[THREADS];
		char *block = map((size_t)(round + 1) * MIB);

		for (int i = 0; i < THREADS; i++)
			pthread_create(&threads[i], NULL, use_stack, NULL);
		memset(block, 'b', (size_t)(round + 1) * MIB);
		for (int i = 0; i < THREADS; i++) {
			void *good = NULL;

			pthread_join(threads[i], &good);
			whole += good != NULL;
		}
		whole += is(block, (size_t)(round + 1) * MIB, 'b');
		munmap(block, (size_t)(round + 1) * MIB);
	}
	say("whole %d, without a guard %d", whole, guards_gone);
	reuse();
}

/* ---- running ------------------------------------------------------------------------------------ */

SCENARIOS(SCENARIO(hint_into_freed), SCENARIO(hints_far_away), SCENARIO(missing_pages), SCENARIO(ended_registrations),
	  SCENARIO(ended_protection), SCENARIO(marks), SCENARIO(sealed), SCENARIO(calls_by_number),
	  SCENARIO(asynchronous_read), SCENARIO(registered_buffers), SCENARIO(stack_where_memory_was),
	  SCENARIO(stack_over_memory), SCENARIO(stack_at_a_hint), SCENARIO(spliced), SCENARIO(spliced_heap),
	  SCENARIO(emptied_beyond), SCENARIO(stacks_of_threads))
