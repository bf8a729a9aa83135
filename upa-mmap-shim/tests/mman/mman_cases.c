/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mman_cases.c - where the mmap emulation meets the rest of a process: its configuration, its first call from odd
 * places, fork and vfork, signal handlers, threads, a full region.
 *
 *   mman_cases [CASE]
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "mman/mman_harness.h"

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

/* Once: each handler asks for the next, so that the program gets on however long they take. */
static int arm(void)
{
	const struct itimerval soon = { { 0, 0 }, { 0, 300 } };

	return setitimer(ITIMER_REAL, &soon, NULL);
}

static void handler_of_many(int signal)
{
	int saved = errno;

	handler(signal);
	arm();
	errno = saved;
}

static void test_first_call_in_handler(void)
{
	signal(SIGUSR1, handler);
	raise(SIGUSR1);
	CHECK(atomic_load(&handled) == 1 && in_region(map(PAGE)), "handled=%d", atomic_load(&handled));
}

static void test_handlers(void)
{
	struct sigaction action = { .sa_handler = handler_of_many, .sa_flags = SA_RESTART };
	char *live[16] = { 0 };
	size_t bytes[16];
	uint64_t seed = 1;

	CHECK(!sigaction(SIGALRM, &action, NULL) && !arm(), "errno=%d", errno);
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
	action.sa_handler = SIG_IGN;
	CHECK(!sigaction(SIGALRM, &action, NULL), "errno=%d", errno);
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

static const struct test_case cases[] = {
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
	CASE(threads),
};

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "constructed")) {
		test_constructed();
		return 0;
	}
	return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc > 1 ? argv[1] : NULL);
}
