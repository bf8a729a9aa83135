/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mman_cases.c - where the mmap emulation meets the rest of a process: its configuration, its first call from odd
 * places, fork and vfork, signal handlers, threads, a full region, and pages with kernel state of their own. The region
 * is made once per process, so each case runs in one of its own.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <upa/mman.h>

#include "backend.h"
#include "check.h"

#define KIB 1024ul
#define MIB (1024 * KIB)
#define PAGE 4096ul
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static bool in_region(const void *p)
{
	struct upa_region *r = upa_mman_region();

	return r && (uintptr_t)p - (uintptr_t)upa_region_base(r) < upa_region_bytes(r);
}

static char *map(size_t bytes)
{
	char *p = upa_mmap(NULL, bytes, RW, ANON, -1, 0);

	CHECK(p != MAP_FAILED, "bytes=%zu errno=%d", bytes, errno);
	return p;
}

static void unmap(void *p, size_t bytes)
{
	CHECK(!upa_munmap(p, bytes), "bytes=%zu errno=%d", bytes, errno);
}

static void check_zero(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8)
		CHECK(!*(const uint64_t *)(p + i), "offset=%zu", i);
}

static uint64_t allocated(void)
{
	struct upa_region_stats st;

	CHECK(!upa_region_get_stats(upa_mman_region(), &st), "stats");
	return st.allocated_bytes;
}

static void check_region(void)
{
	char message[200] = "";

	CHECK(!upa_region_validate(upa_mman_region(), message, sizeof(message)), "%s", message);
}

/* ---- configuration --------------------------------------------------------------------------- */

static void size_is(const char *text, uint64_t bytes)
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "errno=%d", errno);
	if (!child) {
		struct upa_region *r;
		char *p;

		setenv("UPA_REGION_BYTES", text, 1);
		r = upa_mman_region();
		p = map(PAGE);
		*p = 1;
		CHECK(r && in_region(p), "UPA_REGION_BYTES=%s errno=%d", text, errno);
		if (bytes)
			CHECK(upa_region_bytes(r) == bytes, "UPA_REGION_BYTES=%s bytes=%" PRIu64, text,
			      upa_region_bytes(r));
		else
			CHECK(upa_region_bytes(r) >= 64 * MIB, "UPA_REGION_BYTES=%s bytes=%" PRIu64, text,
			      upa_region_bytes(r));
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
}

static void test_configuration(void)
{
	size_is("1", 2 * MIB);
	size_is("4194304", 4 * MIB);
	size_is("3M", 4 * MIB);
	size_is("6144K", 6 * MIB);
	size_is("1G", 1024 * MIB);
	/* Nonsense is as good as nothing. */
	static const char *const nonsense[] = {
		"",         "0", "-1", "M", "4X", "4MB", " 4M", "4 M", "4.5G", "0x400000", "99999999999999999999999",
		"99999999T"
	};

	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		size_is(nonsense[i], 0);
}

/* No room for the region asked for: the kernel serves, and says so to who asks for the region. */
static void test_impossible_region(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	struct rlimit limit = { 1024 * MIB, 1024 * MIB };
	char *p;

	setenv("UPA_REGION_BYTES", "2G", 1);
	CHECK(!setrlimit(RLIMIT_AS, &limit), "errno=%d", errno);
	errno = 77;
	p = upa_mmap(NULL, MIB, RW, ANON, -1, 0);
	CHECK(p != MAP_FAILED && errno == 77, "errno=%d", errno);
	memset(p, 1, MIB);
	CHECK(!upa_mman_region() && errno == ENOMEM, "errno=%d", errno);
	p = upa_mremap(p, MIB, 2 * MIB, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED && p[MIB - 1] == 1 && !p[MIB], "errno=%d", errno);
	CHECK(!upa_madvise(p, MIB, MADV_DONTNEED) && !upa_mprotect(p, MIB, PROT_READ) && !upa_munmap(p, 2 * MIB),
	      "errno=%d", errno);
	errno = 0;
	CHECK(upa_mmap(NULL, 2048 * MIB, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM, "errno=%d", errno);
#endif
}

/* The reservation leaves a limited process room for other things. */
static void test_limited_process(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	struct rlimit limit = { 1024 * MIB, 1024 * MIB };

	CHECK(!setrlimit(RLIMIT_AS, &limit), "errno=%d", errno);
	CHECK(in_region(map(PAGE)) && upa_region_bytes(upa_mman_region()) <= 512 * MIB, "errno=%d", errno);
	CHECK(mmap(NULL, 256 * MIB, RW, ANON, -1, 0) != MAP_FAILED, "errno=%d", errno);
#endif
}

static void test_full_region(void)
{
	char *p, *q;

	setenv("UPA_REGION_BYTES", "4M", 1);
	p = map(3 * MIB);
	memset(p, 1, 3 * MIB);
	errno = 77;
	q = upa_mmap(NULL, 2 * MIB, RW, ANON, -1, 0);
	CHECK(q != MAP_FAILED && errno == 77 && !in_region(q), "errno=%d", errno);
	memset(q, 2, 2 * MIB);
	/* Growing beyond it takes the block out of it, as one mapping that can grow on. */
	for (size_t bytes = 3 * MIB; bytes < 48 * MIB; bytes *= 2) {
		errno = 77;
		p = upa_mremap(p, bytes, 2 * bytes, MREMAP_MAYMOVE);
		CHECK(p != MAP_FAILED && errno == 77, "bytes=%zu errno=%d", bytes, errno);
		for (size_t i = 0; i < bytes; i += PAGE)
			CHECK(p[i] == 1, "offset=%zu", i);
		check_zero(p + bytes, bytes);
		memset(p, 1, 2 * bytes);
	}
	CHECK(!in_region(p) && allocated() == 0, "allocated=%" PRIu64, allocated());
	errno = 0;
	CHECK(upa_mremap(q, 2 * MIB, 1ul << 46, MREMAP_MAYMOVE) == MAP_FAILED && errno == ENOMEM, "errno=%d", errno);
	unmap(p, 48 * MIB);
	unmap(q, 2 * MIB);
	check_zero(map(4 * MIB), 4 * MIB);
	check_region();
}

static uint64_t failures(void)
{
	struct upa_region_stats st;

	CHECK(!upa_region_get_stats(upa_mman_region(), &st), "stats");
	return st.failures;
}

/* A region without room is searched once, and again when room is likely; meanwhile the kernel serves. */
static void test_full_region_is_not_searched(void)
{
	char *p, *all, *grown;

	setenv("UPA_REGION_BYTES", "8M", 1);
	all = map(8 * MIB);
	CHECK(in_region(all) && !failures(), "failures=%" PRIu64, failures());
	for (int i = 0; i < 100; i++) {
		p = map(2 * MIB + (size_t)i * PAGE);
		CHECK(!in_region(p), "i=%d", i);
		unmap(p, 2 * MIB + (size_t)i * PAGE);
	}
	CHECK(failures() == 1, "failures=%" PRIu64, failures());
	/* A smaller one may fit; then it is the smallest that has not. */
	CHECK(!in_region(map(PAGE)) && !in_region(map(PAGE)) && !in_region(map(MIB)), "full");
	CHECK(failures() == 2, "failures=%" PRIu64, failures());
	unmap(all + MIB, PAGE);
	p = map(PAGE);
	CHECK(p == all + MIB, "what has been freed is used");
	unmap(all + 2 * MIB, 63 * PAGE);
	CHECK(in_region(map(PAGE)) && failures() == 2, "failures=%" PRIu64, failures());
	/* Refused at 1 MiB, so tried again after as much. */
	CHECK(!in_region(map(MIB)) && !in_region(map(MIB)) && failures() == 3, "failures=%" PRIu64, failures());
	CHECK(in_region(map(PAGE)), "a smaller one is tried");
	unmap(all + 4 * MIB, MIB - PAGE);
	CHECK(!in_region(map(MIB)) && failures() == 3, "failures=%" PRIu64, failures());
	unmap(all + 5 * MIB - PAGE, PAGE);
	p = map(MIB);
	CHECK(p == all + 4 * MIB && failures() == 3, "failures=%" PRIu64, failures());
	/* A block that grows: in place if it can, else at once out of a region that had no room before. */
	CHECK(!in_region(map(2 * MIB)) && failures() == 4, "failures=%" PRIu64, failures());
	memset(p, 1, MIB);
	grown = upa_mremap(p, MIB, 2 * MIB, MREMAP_MAYMOVE);
	CHECK(grown != MAP_FAILED && !in_region(grown) && failures() == 4, "errno=%d failures=%" PRIu64, errno,
	      failures());
	CHECK(grown[0] == 1 && grown[MIB - 1] == 1 && !grown[MIB], "contents");
	unmap(all + 6 * MIB, MIB);
	p = upa_mremap(all + 5 * MIB, MIB, 2 * MIB, MREMAP_MAYMOVE);
	CHECK(p == all + 5 * MIB, "errno=%d", errno);
	check_region();
}

/* ---- a first call from anywhere ---------------------------------------------------------------- */

static char *constructed;

__attribute__((constructor(101))) static void early(void)
{
	if (getenv("UPA_TEST_CONSTRUCTOR")) {
		constructed = upa_mmap(NULL, MIB, RW, ANON, -1, 0);
		memset(constructed, 1, MIB);
	}
}

static void test_constructor(void)
{
	setenv("UPA_TEST_CONSTRUCTOR", "1", 1);
	execl("/proc/self/exe", "mman_cases", "constructed", (char *)NULL);
	CHECK(false, "errno=%d", errno);
}

static void test_constructed(void)
{
	CHECK(constructed && constructed != MAP_FAILED && in_region(constructed), "constructed=%p",
	      (void *)constructed);
	unmap(constructed, MIB);
	check_region();
}

static pthread_barrier_t barrier;

static void *first_call(void *result)
{
	pthread_barrier_wait(&barrier);
	*(char **)result = upa_mmap(NULL, 64 * KIB, RW, ANON, -1, 0);
	memset(*(char **)result, 1, 64 * KIB);
	return NULL;
}

/* Who comes while the region is being made is served by the kernel; nobody waits, and only one region is made. */
static void test_first_call_by_many(void)
{
	enum { THREADS = 8 };
	pthread_t threads[THREADS];
	char *p[THREADS];
	uint64_t served = 0;

	CHECK(!pthread_barrier_init(&barrier, NULL, THREADS), "barrier");
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, first_call, &p[i]), "thread");
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_join(threads[i], NULL), "join");
	for (int i = 0; i < THREADS; i++) {
		served += in_region(p[i]) ? 64 * KIB : 0;
		for (int k = 0; k < i; k++)
			CHECK(p[i] != p[k], "held twice");
	}
	CHECK(served && allocated() == served, "served=%" PRIu64, served);
	for (int i = 0; i < THREADS; i++)
		unmap(p[i], 64 * KIB);
	CHECK(allocated() == 0, "allocated=%" PRIu64, allocated());
}

static _Atomic int handled;

/* Every call, in the middle of any other. */
static void handler(int signal)
{
	int saved = errno;
	char *p = upa_mmap(NULL, 3 * PAGE, RW, ANON, -1, 0);

	(void)signal;
	CHECK(p != MAP_FAILED && !p[0] && !p[2 * PAGE], "p=%p", (void *)p);
	memset(p, 0xaa, 3 * PAGE);
	p = upa_mremap(p, 3 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED && p[0] == (char)0xaa && !p[4 * PAGE], "p=%p", (void *)p);
	CHECK(!upa_madvise(p, PAGE, MADV_DONTNEED) && !p[0], "madvise");
	CHECK(!upa_munmap(p, 5 * PAGE), "munmap");
	errno = saved;
	atomic_fetch_add(&handled, 1);
}

static void test_first_call_in_handler(void)
{
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	CHECK(atomic_load(&handled) == 1 && in_region(map(PAGE)), "handled=%d", atomic_load(&handled));
}

static void test_handlers(void)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
	struct itimerval timer = { { 0, 300 }, { 0, 300 } };
	char *live[16] = { 0 };
	size_t bytes[16];
	uint64_t seed = 1;

	CHECK(!sigaction(SIGALRM, &action, NULL) && !setitimer(ITIMER_REAL, &timer, NULL), "errno=%d", errno);
	for (int step = 0; atomic_load(&handled) < 500 || step < 5000; step++) {
		uint64_t i = random_below(&seed, 16);

		if (live[i]) {
			CHECK(live[i][0] == (char)i && live[i][bytes[i] - 1] == (char)i, "block %" PRIu64, i);
			unmap(live[i], bytes[i]);
			live[i] = NULL;
		} else {
			bytes[i] = PAGE * (1 + random_below(&seed, random_below(&seed, 9) ? 20 : 1000));
			errno = 77;
			live[i] = map(bytes[i]);
			CHECK(errno == 77 && !live[i][0] && !live[i][bytes[i] - 1], "errno=%d", errno);
			live[i][0] = live[i][bytes[i] - 1] = (char)i;
		}
	}
	CHECK(!setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL), "errno=%d", errno);
	for (int i = 0; i < 16; i++)
		if (live[i])
			unmap(live[i], bytes[i]);
	check_region();
	CHECK(allocated() == 0, "allocated=%" PRIu64, allocated());
}

/* ---- children ---------------------------------------------------------------------------------- */

static void test_fork(void)
{
	char *p = map(4 * MIB);
	int status;
	pid_t child;

	memset(p, 1, 4 * MIB);
	CHECK(!upa_madvise(p, MIB, MADV_WIPEONFORK) && !upa_madvise(p + MIB, MIB, MADV_DONTFORK), "errno=%d", errno);
	child = fork();
	CHECK(child >= 0, "errno=%d", errno);
	if (!child) {
		char *q = map(8 * MIB);

		check_zero(p, MIB);
		for (size_t i = 2 * MIB; i < 4 * MIB; i += PAGE)
			CHECK(p[i] == 1, "offset=%zu", i);
		memset(p + 2 * MIB, 2, 2 * MIB);
		memset(q, 3, 8 * MIB);
		/* Not there in this child, but its to unmap; whoever gets it next can use it. */
		unmap(p, 4 * MIB);
		unmap(q, 8 * MIB);
		q = map(16 * MIB);
		check_zero(q, 16 * MIB);
		memset(q, 4, 16 * MIB);
		check_region();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	for (size_t i = 0; i < 4 * MIB; i += PAGE)
		CHECK(p[i] == 1, "offset=%zu", i);
	unmap(p, 4 * MIB);
	check_region();
}

/* Shares memory and metadata with its parent, which stands still meanwhile. */
static void test_vfork(void)
{
#ifndef __SANITIZE_THREAD__ /* which makes it a fork */
	static char *volatile left;
	char *p = map(MIB);
	pid_t child;
	int status;

	memset(p, 1, MIB);
	child = vfork();
	if (!child) {
		char *q = upa_mmap(NULL, MIB, RW, ANON, -1, 0);

		if (q == MAP_FAILED || q == p || q[0])
			_exit(1);
		q[0] = 2;
		left = q;
		q = upa_mmap(NULL, 64 * KIB, RW, ANON, -1, 0);
		_exit(q == MAP_FAILED || upa_munmap(q, 64 * KIB));
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	CHECK(left[0] == 2 && p[0] == 1 && allocated() == 2 * MIB, "allocated=%" PRIu64, allocated());
	unmap(left, MIB);
	unmap(p, MIB);
	check_region();
#endif
}

/* ---- pages with kernel state of their own ------------------------------------------------------- */

/* Whatever has been done to pages, who gets them next can write them, finds zeros, and has them in a child. */
static void test_state_ends_with_the_holder(void)
{
	static const int advices[] = { MADV_DONTFORK,     MADV_DONTDUMP,
				       MADV_WIPEONFORK,   MADV_MERGEABLE,
				       MADV_NOHUGEPAGE,   MADV_HUGEPAGE,
				       MADV_RANDOM,       MADV_SEQUENTIAL,
				       MADV_FREE,         MADV_DONTNEED,
				       MADV_COLD,         MADV_PAGEOUT,
				       25 /* COLLAPSE */, 102 };
	char *base;

	setenv("UPA_REGION_BYTES", "4M", 1);
	base = map(4 * MIB);
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]) + 3; i++) {
		size_t bytes = i % 2 ? 4 * MIB : 20 * PAGE;
		char *p = base + (i % 2 ? 0 : 2 * MIB - 10 * PAGE);
		char line[400];
		FILE *maps;
		int mappings = 0, status;
		pid_t child;

		memset(base, 0x77, 4 * MIB);
		switch (i) {
		case 0: CHECK(!upa_mprotect(p, bytes, PROT_NONE), "errno=%d", errno); break;
		case 1: CHECK(!upa_mprotect(p, bytes, PROT_READ), "errno=%d", errno); break;
		case 2:
			CHECK(upa_mmap(p, bytes, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p,
			      "errno=%d", errno);
			break;
		default:
			/* Not every kernel knows every advice. */
			if (upa_madvise(p, bytes, advices[i - 3]))
				CHECK(errno == EINVAL || errno == EBUSY, "advice=%d errno=%d", advices[i - 3], errno);
		}
		unmap(base, 4 * MIB);
		CHECK(map(4 * MIB) == base, "pages have been lost");
		check_zero(base, 4 * MIB);
		memset(base, 1, 4 * MIB);
		maps = fopen("/proc/self/maps", "re");
		CHECK(maps, "errno=%d", errno);
		while (fgets(line, sizeof(line), maps)) {
			unsigned long start, end;
			char how[5];

			if (sscanf(line, "%lx-%lx %4s", &start, &end, how) != 3 || end <= (unsigned long)base ||
			    start >= (unsigned long)base + 4 * MIB)
				continue;
			mappings++;
			CHECK(!strcmp(how, "rw-p"), "case=%zu %s", i, line);
		}
		fclose(maps);
		CHECK(mappings <= 4, "case=%zu mappings=%d", i, mappings);
		child = fork();
		CHECK(child >= 0, "errno=%d", errno);
		if (!child) {
			for (size_t at = 0; at < 4 * MIB; at += PAGE)
				if (base[at] != 1)
					_exit(1);
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child && !status,
		      "case=%zu: the child does not see all, status=%#x", i, status);
	}
	check_region();
}

/* Locked with the system call itself, which nobody has told the region of. */
static void test_locked_pages(void)
{
	char *p = map(4 * MIB), *q;
	int64_t given;

	memset(p, 1, 4 * MIB);
	if (mlock(p, MIB)) {
		CHECK(errno == ENOMEM || errno == EPERM || errno == EAGAIN, "errno=%d", errno);
		return;
	}
	q = upa_mremap(p, 4 * MIB, 64 * MIB, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED, "errno=%d", errno);
	for (size_t i = 0; i < 4 * MIB; i += PAGE)
		CHECK(q[i] == 1, "offset=%zu", i);
	check_zero(q + 4 * MIB, 60 * MIB);
	unmap(q, 64 * MIB);
	q = map(64 * MIB);
	check_zero(q, 64 * MIB);
	memset(q, 1, 64 * MIB);
	unmap(q, 64 * MIB);
	given = upa_region_give_back(upa_mman_region(), 0);
	CHECK(given >= 0 || given == -EINVAL, "given=%" PRId64, given);
	check_region();
}

/* Ordinary memory made in two calls is one mapping to the program, whatever its neighbours in the region are. */
static void test_growing_across_mappings(void)
{
	char *p = map(64 * KIB), *q = map(64 * KIB);

	memset(p, 1, 64 * KIB);
	CHECK(!upa_mprotect(q, 64 * KIB, PROT_READ), "errno=%d", errno);
	CHECK(upa_mmap(p + 16 * KIB, 16 * KIB, RW, ANON | MAP_STACK | MAP_FIXED, -1, 0) == p + 16 * KIB, "errno=%d",
	      errno);
	memset(p + 16 * KIB, 1, 16 * KIB);
	p = upa_mremap(p, 64 * KIB, MIB, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED, "errno=%d", errno);
	for (size_t i = 0; i < 64 * KIB; i++)
		CHECK(p[i] == 1, "offset=%zu", i);
	check_zero(p + 64 * KIB, MIB - 64 * KIB);
	/* Not so if a part of it may not be written: no kernel grows that. */
	CHECK(!upa_mprotect(q, 16 * KIB, PROT_NONE), "errno=%d", errno);
	errno = 0;
	CHECK(upa_mremap(q, 64 * KIB, MIB, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT, "errno=%d", errno);
	unmap(p, MIB);
	unmap(q, 64 * KIB);
	check_region();
	CHECK(allocated() == 0, "allocated=%" PRIu64, allocated());
}

static void test_uncleared(void)
{
	char *p = map(MIB), *q;

	memset(p, 0x5a, MIB);
	unmap(p, MIB);
	q = upa_mmap(NULL, MIB, RW, ANON | UPA_MAP_UNCLEARED, -1, 0);
	CHECK(q == p && q[0] == 0x5a, "not the old bytes: it has been cleared in vain");
	unmap(q + MIB / 2, MIB / 2);
	CHECK(upa_mremap(q, MIB / 2, MIB, UPA_MAP_UNCLEARED) == q && q[MIB - 1] == 0x5a,
	      "mremap has cleared in vain: errno=%d", errno);
	unmap(q, MIB);
	/* The kernel's mappings are grown by the kernel. */
	q = upa_mmap(NULL, MIB, PROT_READ, ANON, -1, 0);
	q = upa_mremap(q, MIB, 2 * MIB, MREMAP_MAYMOVE | UPA_MAP_UNCLEARED);
	CHECK(q != MAP_FAILED && !in_region(q), "errno=%d", errno);
	unmap(q, 2 * MIB);
	/* Never passed on to the kernel, which would refuse or misread it. */
	q = upa_mmap(NULL, MIB, PROT_READ, ANON | UPA_MAP_UNCLEARED, -1, 0);
	CHECK(q != MAP_FAILED && !in_region(q), "errno=%d", errno);
	unmap(q, MIB);
	check_zero(map(MIB), MIB);
}

#ifndef MAP_32BIT /* x86 alone has it; elsewhere the bit means nothing */
#define MAP_32BIT MAP_GROWSDOWN
#endif

/* Such calls never come from the region. */
static void test_not_ours(void)
{
	static const struct {
		int protection, flags;
	} calls[] = {
		{ PROT_READ, ANON },      { PROT_NONE, ANON | MAP_NORESERVE },
		{ RW | PROT_EXEC, ANON }, { RW, MAP_SHARED | MAP_ANONYMOUS },
		{ RW, ANON | MAP_STACK }, { RW, ANON | MAP_GROWSDOWN },
		{ RW, ANON | MAP_32BIT }, { RW, MAP_SHARED_VALIDATE | MAP_ANONYMOUS },
	};

	map(PAGE);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		void *p = upa_mmap(NULL, 4 * PAGE, calls[i].protection, calls[i].flags, -1, 0);

		CHECK(p == MAP_FAILED ? calls[i].flags & MAP_SHARED && errno == EINVAL : !in_region(p),
		      "call=%zu errno=%d", i, errno);
		if (p != MAP_FAILED)
			unmap(p, 4 * PAGE);
	}
	CHECK(allocated() == PAGE, "allocated=%" PRIu64, allocated());
	errno = 0;
	CHECK(upa_mmap(NULL, 0, RW, ANON, -1, 0) == MAP_FAILED && errno == EINVAL, "errno=%d", errno);
	errno = 0;
	CHECK(upa_mmap(NULL, SIZE_MAX, RW, ANON, -1, 0) == MAP_FAILED && errno == ENOMEM, "errno=%d", errno);
	errno = 0;
	CHECK(upa_mmap(NULL, PAGE, RW, MAP_PRIVATE, 12345, 0) == MAP_FAILED && errno == EBADF, "errno=%d", errno);
	errno = 0;
	CHECK(upa_mmap(NULL, PAGE, RW, ANON, -1, 1) == MAP_FAILED && errno == EINVAL, "errno=%d", errno);
}

/* ---- threads ----------------------------------------------------------------------------------- */

/* ThreadSanitizer does not see our system calls, and hence not that the kernel gives an address to one thread after
 * another. */
static bool traceable(const char *p)
{
#ifdef __SANITIZE_THREAD__
	return in_region(p);
#else
	(void)p;
	return true;
#endif
}

/* Each thread does to blocks of its own what programs do to theirs. */
static void *use_memory(void *argument)
{
	uint64_t seed = (uintptr_t)argument;
	char mark = (char)(uintptr_t)argument;

	for (int step = 0; step < 1500; step++) {
		size_t bytes = PAGE * (1 + random_below(&seed, random_below(&seed, 8) ? 16 : 1200));
		size_t wanted = PAGE * (1 + random_below(&seed, 1200));
		char *p = map(bytes), *q;
		int refused;

		for (size_t i = 0; traceable(p) && i < bytes; i += PAGE) {
			CHECK(!p[i], "not zero");
			p[i] = mark;
		}
		/* The device cannot change a part of its mapping while other threads use the rest. */
		refused = on_device() && in_region(p) ? -1 : 0;
		switch (traceable(p) ? random_below(&seed, 6) : 0) {
		case 0:
			CHECK(upa_mprotect(p, bytes, PROT_READ) == refused && (!refused || errno == EACCES), "errno=%d",
			      errno);
			break;
		case 1:
			CHECK(!upa_madvise(p, bytes, MADV_DONTNEED), "errno=%d", errno);
			for (size_t i = 0; i < bytes; i += PAGE)
				CHECK(!p[i], "not dropped");
			memset(p, mark, bytes);
			break;
		case 2:
			CHECK(upa_mmap(p, PAGE, RW, ANON | MAP_FIXED, -1, 0) == p && !p[0], "errno=%d", errno);
			p[0] = mark;
			break;
		case 3:
			if (refused) {
				CHECK(upa_mmap(p, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
						      MAP_FAILED &&
					      errno == EINVAL,
				      "errno=%d", errno);
				break;
			}
			CHECK(upa_mmap(p, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p && !p[0],
			      "errno=%d", errno);
			p[0] = mark;
			break;
		default:
			q = upa_mremap(p, bytes, wanted, MREMAP_MAYMOVE);
			CHECK(q != MAP_FAILED, "errno=%d", errno);
			p = q;
			for (size_t i = bytes; traceable(p) && i < wanted; i += PAGE) {
				CHECK(!p[i], "not zero");
				p[i] = mark;
			}
			bytes = wanted;
		}
		for (size_t i = 0; traceable(p) && i < bytes; i += PAGE)
			CHECK(p[i] == mark, "page=%zu holds %d of thread %d", i / PAGE, p[i], mark);
		unmap(p, bytes);
	}
	return NULL;
}

static void test_threads(void)
{
	pthread_t threads[4];

	setenv("UPA_REGION_BYTES", "64M", 1);
	for (uintptr_t i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, use_memory, (void *)(i + 1)), "thread");
	for (int i = 0; i < 4; i++)
		CHECK(!pthread_join(threads[i], NULL), "join");
	check_region();
	CHECK(allocated() == 0, "allocated=%" PRIu64, allocated());
}

/* From here on the kernel neither empties memory nor replaces a mapping. False: it has no filters. */
static bool refuse_replacing(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_FIXED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* A fixed address among free pages, where new pages are refused: the pages are free as before. */
static void test_refused_at_an_address(void)
{
	char *p = map(MIB);
	uint64_t before;

	memset(p, 1, MIB);
	unmap(p, MIB);
	before = allocated();
	if (on_device() || !refuse_replacing())
		return;
	for (int i = 0; i < 3; i++) {
		errno = 0;
		CHECK(upa_mmap(p, MIB, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == ENOMEM,
		      "errno=%d", errno);
		CHECK(allocated() == before, "allocated=%" PRIu64 " before=%" PRIu64, allocated(), before);
	}
	check_region();
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
#define CASE(name)                                                                                                     \
	{                                                                                                              \
#name, test_##name                                                                                     \
	}
	CASE(configuration),
	CASE(impossible_region),
	CASE(limited_process),
	CASE(full_region),
	CASE(full_region_is_not_searched),
	CASE(constructor),
	CASE(first_call_by_many),
	CASE(first_call_in_handler),
	CASE(handlers),
	CASE(fork),
	CASE(vfork),
	CASE(state_ends_with_the_holder),
	CASE(locked_pages),
	CASE(growing_across_mappings),
	CASE(uncleared),
	CASE(not_ours),
	CASE(threads),
	CASE(refused_at_an_address),
};

int main(int argc, char **argv)
{
	int failed = 0;

	if (argc > 1 && !strcmp(argv[1], "constructed")) {
		test_constructed();
		return 0;
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pid_t child;
		int status;

		if (argc > 1 && strcmp(argv[1], cases[i].name))
			continue;
		child = fork();
		CHECK(child >= 0, "errno=%d", errno);
		if (!child) {
			unsetenv("UPA_REGION_BYTES");
			cases[i].run();
			_exit(0);
		}
		CHECK(waitpid(child, &status, 0) == child, "errno=%d", errno);
		if (status) {
			fprintf(stderr, "case %s: status=%#x\n", cases[i].name, status);
			failed = 1;
		}
	}
	return failed;
}
