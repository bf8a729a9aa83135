/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a program that does something for which UPA stands aside (preload/stand_aside.h).
 *
 *   stand_aside calls    what calls do afterwards on addresses that were in use, had been freed, or are new: lines
 *                        that must be the same with and without the preloaded library
 *   stand_aside race     the same reasons while threads ask for memory: each must have its own, with its contents
 *   stand_aside REASON   what still runs as UPA has it once REASON has come, if UPA is there, in one line: region,
 *                        heap, purging, huge, files; "none" is no reason. stand_aside_test.sh knows the table
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "bare.h"

#define PAGE 4096ul
#define MIB (1ul << 20)
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s, errno=%d\n", __FILE__, __LINE__, #condition, errno);               \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

static char *map(size_t bytes)
{
	char *block = mmap(NULL, bytes, RW, ANON, -1, 0);

	CHECK(block != MAP_FAILED);
	return block;
}

/* Could the kernel read this page? */
static bool readable(const char *page)
{
	char byte;
	struct iovec to = { &byte, 1 }, from = { (void *)page, 1 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

/* ---- reasons ---------------------------------------------------------------------------------- */

static void nothing(void)
{
}

static void limit(int resource, int more)
{
	struct rlimit l = { 8192 * MIB, 8192 * MIB };
	struct rlimit64 l64 = { 8192 * MIB, 8192 * MIB };

	CHECK(!(more ? prlimit64(0, resource, &l64, NULL) : setrlimit(resource, &l)));
}

static void limit_addresses(void)
{
	limit(RLIMIT_AS, 0);
}
static void limit_data(void)
{
	limit(RLIMIT_DATA, 1);
}
/* From outside, so that nobody sees it but by what is refused then. */
static void refuse(void)
{
	struct rlimit64 l = { 8192 * MIB, 8192 * MIB };

	CHECK(!bare(SYS_prlimit64, 0, RLIMIT_AS, (long)&l, 0, 0, 0));
	CHECK(mmap(NULL, 16384 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0) == MAP_FAILED && errno == ENOMEM);
}
static void lock_all(void)
{
	CHECK(!mlockall(MCL_CURRENT));
}
static void announce_filter(void)
{
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void send_without_copying(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	CHECK(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) && !close(fd));
}

/* Fails, since there is no such descriptor: what is announced counts. */
static void handle_faults(void)
{
	struct uffdio_register r = { { 0, 0 }, UFFDIO_REGISTER_MODE_MISSING, 0 };

	CHECK(ioctl(-1, UFFDIO_REGISTER, &r) == -1);
}

static void begin_to_handle_faults(void)
{
	struct uffdio_api api = { .api = UFFD_API };

	CHECK(ioctl(-1, UFFDIO_API, &api) == -1);
}

/* Nothing is sealed: an empty range, or no such call. */
static void seal(void)
{
	long result = syscall(462 /* SYS_mseal */, NULL, 0, 0);

	CHECK(!result || errno == ENOSYS || errno == EPERM);
}

static void pin(void)
{
	CHECK(syscall(SYS_io_setup, 0, NULL) == -1);
}

static void pin_by_sockets(void)
{
	CHECK(setsockopt(-1, 283 /* SOL_XDP */, 4 /* XDP_UMEM_REG */, NULL, 0) == -1);
}

/* RDMA_VERBS_IOCTL, which needs no header here. */
static void pin_by_devices(void)
{
	CHECK(ioctl(-1, _IOWR(0x1b, 1, char[24]), NULL) == -1);
}

static void pin_for_a_guest(void)
{
	CHECK(ioctl(-1, _IOW(0xae, 0x46, char[32]) /* KVM_SET_USER_MEMORY_REGION */, NULL) == -1);
}

/* liburing makes its system calls itself. Without UPA, and without liburing, there is no such function. */
static void pin_by_a_library(void)
{
	int (*begin)(unsigned, void *, unsigned) = (__typeof__(begin))dlsym(RTLD_DEFAULT, "io_uring_queue_init");

	CHECK(!begin || begin(0, NULL, 0) < 0);
}

static void make_data_executable(void)
{
	CHECK(personality(READ_IMPLIES_EXEC) != -1);
}

static void begin_a_stack(void)
{
	CHECK(mmap((void *)(1ul << 44), PAGE, RW, ANON | MAP_GROWSDOWN, -1, 0) != MAP_FAILED);
}

static void *page_of_a_file(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	void *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

	CHECK(page != MAP_FAILED && !close(fd));
	return page;
}

static void lock_a_page(void)
{
	CHECK(!mlock(page_of_a_file(), PAGE));
}
static void lock_a_page_on_fault(void)
{
	CHECK(!mlock2(page_of_a_file(), PAGE, MLOCK_ONFAULT));
}

/* Also where the kernel has none of it yet. */
static void guard_a_page(void)
{
	if (madvise(page_of_a_file(), PAGE, MADV_GUARD_INSTALL))
		CHECK(errno == EINVAL);
}

static void key_a_page(void)
{
	if (pkey_mprotect(page_of_a_file(), PAGE, PROT_READ, 0))
		CHECK(errno == EINVAL || errno == ENOSYS || errno == ENOSPC);
}

static void splice_a_page(void)
{
	struct iovec vector = { page_of_a_file(), PAGE };
	int pipes[2];

	CHECK(!pipe(pipes) && vmsplice(pipes[1], &vector, 1, 0) == (ssize_t)PAGE);
}

static void no_huge_pages(void)
{
	if (madvise(page_of_a_file(), PAGE, MADV_NOHUGEPAGE))
		CHECK(errno == EINVAL);
}

/* What is none: other resources, other sockets' options, other advice, no limit. */
static void harmless(void)
{
	struct rlimit files, none = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = socket(AF_INET, SOCK_STREAM, 0), pipes[2], one = 1, bytes;

	CHECK(!getrlimit(RLIMIT_NOFILE, &files) && !setrlimit(RLIMIT_NOFILE, &files));
	CHECK(!setrlimit(RLIMIT_AS, &none) && !prlimit(0, RLIMIT_AS, NULL, &none));
	CHECK(!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) && !close(fd));
	CHECK(!pipe(pipes) && !ioctl(pipes[0], FIONREAD, &bytes));
	CHECK(ioctl(pipes[0], _IO(0x1b, 1), NULL) == -1); /* another driver's: of this type, but not both ways */
	CHECK(!prctl(PR_SET_NAME, "harmless", 0, 0, 0));
	CHECK(personality(0xffffffff) != -1 && personality((unsigned)personality(0xffffffff)) != -1);
	CHECK(!madvise(page_of_a_file(), PAGE, MADV_WILLNEED));
}

static const struct {
	const char *name;
	void (*run)(void);
} reasons[] = {
	{ "none", nothing },
	{ "harmless", harmless },
	{ "limited-addresses", limit_addresses },
	{ "limited-data", limit_data },
	{ "refused", refuse },
	{ "locked-whole", lock_all },
	{ "filtered", announce_filter },
	{ "zerocopy", send_without_copying },
	{ "faults", handle_faults },
	{ "faults-begun", begin_to_handle_faults },
	{ "sealed", seal },
	{ "pinned", pin },
	{ "pinned-by-sockets", pin_by_sockets },
	{ "pinned-by-devices", pin_by_devices },
	{ "pinned-for-a-guest", pin_for_a_guest },
	{ "pinned-by-a-library", pin_by_a_library },
	{ "executable", make_data_executable },
	{ "growing", begin_a_stack },
	{ "locked", lock_a_page },
	{ "locked-on-fault", lock_a_page_on_fault },
	{ "guarded", guard_a_page },
	{ "keyed", key_a_page },
	{ "spliced", splice_a_page },
	{ "no-huge-pages", no_huge_pages },
};

#define REASONS (sizeof(reasons) / sizeof(*reasons))

/* ---- what still runs ---------------------------------------------------------------------------- */

/* What it serves can be read after munmap(). */
static bool region_serves(void)
{
	char *block = map(MIB);

	block[0] = 1;
	CHECK(!munmap(block, MIB));
	return readable(block);
}

static bool heap_keeps(void)
{
	char *start = sbrk((intptr_t)MIB);
	bool kept;

	CHECK(start != (void *)-1);
	memset(start, 1, MIB);
	CHECK(sbrk(-(intptr_t)MIB) != (void *)-1);
	kept = (char *)bare(SYS_brk, 0, 0, 0, 0, 0, 0) > (char *)sbrk(0);
	return kept;
}

static bool resident(char *page)
{
	unsigned char is;

	CHECK(!mincore(page, PAGE, &is));
	return is & 1;
}

/*
 * What is purged over and over is cleared where it is. The block has been served by the region, or is the kernel's.
 */
static bool purges_in_place(char *block)
{
	for (int i = 0; i < 4; i++) {
		memset(block, 1, MIB);
		if (madvise(block, MIB, MADV_DONTNEED))
			return false; /* locked */
	}
	return resident(block);
}

static bool advised_huge(const char *address)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	bool here = false, huge = false;
	char line[512];

	CHECK(maps);
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (unsigned long)address >= from && (unsigned long)address < to;
		else if (here && !strncmp(line, "VmFlags:", 8))
			huge = strstr(line, " hg");
	}
	fclose(maps);
	return huge;
}

/* What is purged as a whole, touched again, and not within a second. */
static bool makes_huge(char *unit)
{
	for (int i = 0; i < 2; i++) {
		usleep(i * 1100000);
		memset(unit, 1, 2 * MIB);
		if (madvise(unit, 2 * MIB, MADV_DONTNEED))
			return false;
	}
	return advised_huge(unit);
}

static volatile sig_atomic_t opened;

static void on_open(int signal, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	(void)signal;
	(void)info;
	opened = 1;
#ifdef __x86_64__
	at->uc_mcontext.gregs[REG_RAX] = -ENOENT;
#else
	at->uc_mcontext.regs[0] = (unsigned long)-ENOENT;
#endif
}

/* From here on no file can be opened, and who tries is seen. By bare system calls, which UPA does not see. */
static void watch_files(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };
	struct sigaction action = { .sa_sigaction = on_open, .sa_flags = SA_SIGINFO };

	CHECK(!sigaction(SIGSYS, &action, NULL));
	CHECK(!bare(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0));
	CHECK(!bare(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, (long)&program, 0, 0, 0));
}

/* How much is resident is asked for while memory comes and goes. */
static bool reads_files(void)
{
	watch_files();
	for (int i = 0; i < 20 && !opened; i++) {
		char *block = map(8 * MIB);

		memset(block, 1, 8 * MIB);
		madvise(block, 8 * MIB, MADV_DONTNEED);
		CHECK(!munmap(block, 8 * MIB));
		heap_keeps();
		usleep(20000);
	}
	return opened;
}

static int effects(const char *name)
{
	char *purged, *unit;

	/* So much is in use that the region may keep something. */
	memset(map(8 * MIB), 1, 8 * MIB);
	purged = map(MIB);
	unit = map(8 * MIB);
	unit = (char *)(((unsigned long)unit + 2 * MIB - 1) & ~(2 * MIB - 1));
	for (size_t i = 0; i < REASONS; i++) {
		if (strcmp(reasons[i].name, name))
			continue;
		reasons[i].run();
		printf("%s", region_serves() ? " region" : "");
		printf("%s", heap_keeps() ? " heap" : "");
		printf("%s", purges_in_place(purged) ? " purging" : "");
		printf("%s", makes_huge(unit) ? " huge" : "");
		/* More than the records that a trace has room for before it grows. */
		for (int k = 0; k < 8000; k++)
			CHECK(!munmap(map(PAGE), PAGE));
		printf("%s\n", reads_files() ? " files" : "");
		return 0;
	}
	fprintf(stderr, "stand_aside: no reason=%s\n", name);
	return 2;
}

/* ---- what calls do afterwards -------------------------------------------------------------------- */

static bool is(const char *block, size_t bytes, char value)
{
	return block[0] == value && !memcmp(block, block + 1, bytes - 1);
}

static void *allocate(void *unused)
{
	for (size_t bytes = 1000; bytes < 4 * MIB; bytes *= 3) {
		char *p = malloc(bytes);

		memset(p, 1, bytes);
		free(p);
	}
	return unused;
}

static void say(const char *reason, const char *what, long value)
{
	printf("%s: %s %ld\n", reason, what, value);
}

/* Addresses that were given back before: whatever is mapped there now is a mapping like any other. */
static void fresh(const char *reason)
{
	char *block = mmap(NULL, 8 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
	int fd = open("/proc/self/exe", O_RDONLY);
	unsigned char vector[4];
	char *other;

	say(reason, "none: protect", mprotect(block + MIB, MIB, RW));
	memset(block + MIB, 'n', MIB);
	say(reason, "none: written", is(block + MIB, MIB, 'n') && !readable(block));
	say(reason, "none: protect back", mprotect(block + MIB, MIB, PROT_NONE));
	say(reason, "none: readable", readable(block + MIB));
	say(reason, "none: unmap", munmap(block, 8 * MIB));
	block = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	say(reason, "file: advise", madvise(block, 2 * PAGE, MADV_WILLNEED));
	say(reason, "file: mincore", mincore(block, 2 * PAGE, vector));
	say(reason, "file: unmap", munmap(block, 2 * PAGE));
	say(reason, "file: readable", readable(block));
	block = mmap(NULL, 4 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(block, 's', 4 * MIB);
	say(reason, "shared: advise", madvise(block, MIB, MADV_DONTNEED));
	say(reason, "shared: contents", is(block, 4 * MIB, 's'));
	other = mremap(block, 4 * MIB, 8 * MIB, MREMAP_MAYMOVE);
	say(reason, "shared: remap", other != MAP_FAILED && is(other, 4 * MIB, 's'));
	say(reason, "shared: unmap", munmap(other, 8 * MIB));
	say(reason, "shared: readable", readable(other));
	for (int i = 0; i < 3; i++) {
		block = map(2 * MIB);
		say(reason, "new: zero", is(block, 2 * MIB, 0));
		memset(block, 'x', 2 * MIB);
		say(reason, "new: unmap", munmap(block, 2 * MIB));
		say(reason, "new: readable", readable(block));
	}
	close(fd);
}

/* What was in use goes on. `grown` is one mapping here, and may be several to the kernel. */
static void in_use(const char *reason, char *block, char *grown)
{
	char *other;

	say(reason, "in use: contents",
	    is(block, 4 * MIB, 'u') && is(grown, 4 * MIB, 'g') && is(grown + 4 * MIB, 12 * MIB, 'h'));
	say(reason, "in use: protect", mprotect(block, MIB, PROT_READ));
	say(reason, "in use: protect back", mprotect(block, MIB, RW));
	say(reason, "in use: unmap a part", munmap(block + MIB, MIB));
	say(reason, "in use: readable", readable(block + MIB));
	say(reason, "in use: purge", madvise(block, MIB, MADV_DONTNEED));
	say(reason, "in use: contents", is(block, MIB, 0) && is(block + 2 * MIB, 2 * MIB, 'u'));
	say(reason, "in use: over it", mmap(block, MIB, PROT_READ, ANON | MAP_FIXED, -1, 0) == block);
	say(reason, "in use: unmap", munmap(block, 4 * MIB));
	say(reason, "in use: readable", readable(block) || readable(block + 3 * MIB));
	other = mremap(grown, 16 * MIB, 32 * MIB, MREMAP_MAYMOVE);
	say(reason, "in use: remap",
	    other != MAP_FAILED && is(other, 4 * MIB, 'g') && is(other + 4 * MIB, 12 * MIB, 'h') &&
		    is(other + 16 * MIB, 16 * MIB, 0));
	say(reason, "in use: unmap", munmap(other, 32 * MIB));
	say(reason, "in use: readable", readable(other) || readable(other + 4 * MIB));
}

static void calls_after(const char *reason, void (*run)(void))
{
	char *freed[64], *block = map(4 * MIB), *grown = map(4 * MIB), *behind;
	pthread_t threads[4];

	memset(block, 'u', 4 * MIB);
	memset(grown, 'g', 4 * MIB);
	/* What lies behind it, so that it has to move. */
	behind = map(4 * MIB);
	grown = mremap(grown, 4 * MIB, 16 * MIB, MREMAP_MAYMOVE);
	CHECK(grown != MAP_FAILED);
	memset(grown + 4 * MIB, 'h', 12 * MIB);
	for (size_t i = 0; i < 64; i++)
		memset(freed[i] = map((i % 9 + 1) * 64 * 1024), 'f', (i % 9 + 1) * 64 * 1024);
	for (size_t i = 0; i < 64; i += 2)
		CHECK(!munmap(freed[i], (i % 9 + 1) * 64 * 1024));
	run();
	for (size_t i = 1; i < 64; i += 2) {
		CHECK(is(freed[i], (i % 9 + 1) * 64 * 1024, 'f'));
		CHECK(!munmap(freed[i], (i % 9 + 1) * 64 * 1024));
	}
	fresh(reason);
	in_use(reason, block, grown);
	say(reason, "behind: unmap", munmap(behind, 4 * MIB));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, allocate, NULL));
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL));
	fresh(reason);
}

static int calls(void)
{
	/*
	 * Only reasons for which the region goes: without --strict, memory that it serves can be read after munmap().
	 */
	for (size_t i = 0; i < REASONS; i++) {
		int status;
		pid_t child;

		if (reasons[i].run != limit_addresses && reasons[i].run != limit_data && reasons[i].run != refuse &&
		    reasons[i].run != lock_all && reasons[i].run != announce_filter &&
		    reasons[i].run != send_without_copying)
			continue;
		fflush(stdout);
		child = fork();
		if (!child) {
			calls_after(reasons[i].name, reasons[i].run);
			fflush(stdout);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child);
		printf("%s: status %d\n", reasons[i].name, status);
	}
	return 0;
}

/* ---- while others ask for memory ------------------------------------------------------------------ */

static volatile bool over;

/* A block of its own, and nobody else's, until it is unmapped: each word says whose it is. */
static void *churn(void *argument)
{
	unsigned long seed = (unsigned long)argument, mine = seed << 32;

	while (!over) {
		size_t bytes, more;
		unsigned long *block;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		bytes = (1 + (seed >> 40) % 300) * PAGE;
		more = bytes + (seed >> 33) % 4 * 64 * PAGE;
		block = (unsigned long *)map(bytes);
		for (size_t i = 0; i < bytes / 8; i += 64) {
			CHECK(!block[i]);
			block[i] = mine + i;
		}
		block = mremap(block, bytes, more, MREMAP_MAYMOVE);
		CHECK(block != MAP_FAILED);
		for (size_t i = 0; i < bytes / 8; i += 64)
			CHECK(block[i] == mine + i);
		for (size_t i = bytes / 8; i < more / 8; i += 64)
			CHECK(!block[i]);
		CHECK(!mprotect(block, PAGE, PROT_READ) && !mprotect(block, PAGE, RW) && block[0] == mine);
		CHECK(!munmap(block, more));
	}
	return NULL;
}

static int race(void)
{
	for (size_t round = 0; round < 40; round++) {
		void (*const run[])(void) = { limit_addresses, lock_all, announce_filter, send_without_copying,
					      refuse };
		pthread_t threads[4];
		int status;
		pid_t child = fork();

		if (child) {
			CHECK(waitpid(child, &status, 0) == child && !status);
			continue;
		}
		for (unsigned long i = 0; i < 4; i++)
			CHECK(!pthread_create(&threads[i], NULL, churn, (void *)(i + 1)));
		usleep(3000 + (useconds_t)round * 100);
		run[round % 5]();
		usleep(3000);
		over = true;
		for (int i = 0; i < 4; i++)
			CHECK(!pthread_join(threads[i], NULL));
		_exit(0);
	}
	return 0;
}

#ifdef SANITIZED
/* As if the program ran under AddressSanitizer. */
__attribute__((visibility("default"))) void __asan_init(void);
void __asan_init(void)
{
}
#endif

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "race"))
		return race();
	if (argc != 2) {
		fputs("usage: stand_aside calls | race | REASON\n", stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	return strcmp(argv[1], "calls") ? effects(argv[1]) : calls();
}
