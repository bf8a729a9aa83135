/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mman_state.c - the mmap emulation and what sticks to pages: kernel state of their own, old bytes, advice, and calls
 * that the region leaves to the kernel, or that the kernel refuses.
 *
 *   mman_state [CASE]
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "mman/mman_harness.h"

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

/* Advice that leaves nothing on the pages does not cost their next holder the memory. */
static void test_passing_advice_keeps_memory(void)
{
	static const int advices[] = { MADV_WILLNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD };
	struct upa_region_stats st;
	char *p = map(MIB);

	memset(p, 1, MIB);
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (upa_madvise(p, MIB, advices[i]))
			CHECK(errno == EINVAL, "advice=%d errno=%d", advices[i], errno);
	unmap(p, MIB);
	CHECK(!upa_region_get_stats(upa_mman_region(), &st), "stats");
	CHECK(st.retained_bytes >= MIB, "retained=%" PRIu64, st.retained_bytes);
	check_region();
}

/* Advice goes on behind what is not mapped, before the region and in it, and then says that there was such. */
static void test_advice_goes_past_holes(void)
{
	char *p, *base;

	if (on_device())
		return;
	p = map(3 * PAGE);
	base = upa_region_base(upa_mman_region());
	if (p != base || !msync(base - PAGE, PAGE, MS_ASYNC))
		return;
	memset(p, 1, 3 * PAGE);
	unmap(p + PAGE, PAGE);
	errno = 0;
	CHECK(upa_madvise(p - PAGE, 4 * PAGE, MADV_DONTNEED) == -1 && errno == ENOMEM, "errno=%d", errno);
	check_zero(p, PAGE);
	check_zero(p + 2 * PAGE, PAGE);
	check_region();
}

/* A block treated in a way of its own that may not grow: the pages behind it stay free. */
static void test_growth_refused(void)
{
	size_t too_much = 2 * (size_t)sysconf(_SC_PHYS_PAGES) * PAGE;
	char *p = map(MIB);
	uint64_t before = allocated();

	if (on_device() || upa_region_bytes(upa_mman_region()) < 2 * too_much)
		return;
	memset(p, 1, MIB);
	CHECK(!upa_madvise(p, MIB, MADV_DONTDUMP), "errno=%d", errno);
	if (upa_mremap(p, MIB, too_much, 0) != MAP_FAILED)
		return; /* this kernel grants any amount */
	CHECK(errno == ENOMEM, "errno=%d", errno);
	CHECK(allocated() == before, "allocated=%" PRIu64 " before=%" PRIu64, allocated(), before);
	CHECK(p[0] == 1 && p[MIB - 1] == 1, "contents");
	unmap(p, MIB);
	check_region();
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

/* From here on the kernel moves no mapping to an address of our choice. False: it has no filters. */
static bool refuse_moving(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MREMAP_FIXED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(*code), code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* A mapping over pages of which some are free, which the kernel refuses: what was free is, and the rest is kept. */
static void refuse_over_free_pages(size_t bytes)
{
	char *p = map(bytes), *other;
	uint64_t before;

	memset(p, 1, bytes);
	for (size_t at = PAGE; at < bytes; at += 5 * PAGE)
		unmap(p + at, 2 * PAGE);
	before = allocated();
	errno = 0;
	CHECK(upa_mmap(p, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED &&
		      errno == ENOMEM,
	      "errno=%d", errno);
	CHECK(allocated() == before, "allocated=%" PRIu64 " before=%" PRIu64, allocated(), before);
	other = mmap(NULL, bytes, RW, ANON, -1, 0);
	CHECK(upa_mremap(other, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, p) == MAP_FAILED && errno == ENOMEM,
	      "errno=%d", errno);
	CHECK(allocated() == before, "allocated=%" PRIu64 " before=%" PRIu64, allocated(), before);
	for (size_t at = 0; at < bytes; at += 5 * PAGE)
		CHECK(p[at] == 1, "page=%zu holds %d", at / PAGE, p[at]);
	for (size_t at = PAGE; at < bytes; at += 5 * PAGE) {
		void *hole = upa_mmap(p + at, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);

		CHECK(hole == p + at, "page=%zu errno=%d", at / PAGE, errno);
		check_zero(hole, PAGE);
	}
	munmap(other, bytes);
	unmap(p, bytes);
	check_region();
}

static void test_refused_over_free_pages(void)
{
	char *p = map(PAGE);

	if (on_device() || !refuse_moving())
		return;
	refuse_over_free_pages(MIB);
	/* More pages than are noted on the stack. */
	refuse_over_free_pages(12 * MIB);
	unmap(p, PAGE);
}

/* What is cut off on the way holds memory still: whoever gets it next reads zeros. */
static void test_moved_and_smaller(void)
{
	char *p, *q;
	int sizes = 0;

	setenv("UPA_REGION_BYTES", "32M", 1);
	p = map(8 * MIB);
	q = map(16 * PAGE);
	memset(p, 1, 8 * MIB);
	CHECK(upa_mremap(p, 8 * MIB, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q, "errno=%d", errno);
	for (size_t i = 0; i < 16 * PAGE; i++)
		CHECK(q[i] == 1, "offset=%zu", i);
	for (; (p = upa_mmap(NULL, 16 * PAGE, RW, ANON, -1, 0)) != MAP_FAILED && in_region(p); sizes++)
		check_zero(p, 16 * PAGE);
	CHECK(sizes > 100, "blocks=%d", sizes);
}

static const struct test_case cases[] = {
	CASE(moved_and_smaller),
	CASE(state_ends_with_the_holder),
	CASE(locked_pages),
	CASE(growing_across_mappings),
	CASE(uncleared),
	CASE(not_ours),
	CASE(passing_advice_keeps_memory),
	CASE(advice_goes_past_holes),
	CASE(growth_refused),
	CASE(refused_at_an_address),
	CASE(refused_over_free_pages),
};

int main(int argc, char **argv)
{
	return run_cases(cases, sizeof(cases) / sizeof(cases[0]), argc > 1 ? argv[1] : NULL);
}
