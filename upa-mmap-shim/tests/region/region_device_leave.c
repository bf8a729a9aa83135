/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_device_leave.c - what the device cannot do, and what then becomes of a region there: ordinary memory if there
 * is one thread, a copy in a child, none of it in a program that is executed, and nothing worse if a program closes the
 * descriptor. UPA_BACKEND=pte (the default here) or pte-raw. Skipped without the device.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <upa/mman.h>

#include "region/device_harness.h"

static void *wait_for_end(void *pipe_end)
{
	char byte;

	CHECK(read(*(int *)pipe_end, &byte, 1) == 0, "errno=%d", errno);
	return NULL;
}

static void expect(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
}

/* In a process of its own, since the default region is made once. */
static void in_process(void (*body)(void))
{
	pid_t child = fork();

	CHECK(child >= 0, "errno=%d", errno);
	if (!child) {
		setenv("UPA_BACKEND", backend == UPA_BACKEND_PTE ? "pte" : "pte-raw", 1);
		setenv("UPA_REGION_BYTES", "64M", 1);
		setenv("UPA_POOL_BYTES", "32M", 1);
		body();
		_exit(0);
	}
	expect(child);
}

#define PLAIN (MAP_PRIVATE | MAP_ANONYMOUS)

static char *program_maps(size_t bytes)
{
	char *p = upa_mmap(NULL, bytes, PROT_READ | PROT_WRITE, PLAIN, -1, 0);
	struct upa_region *r = upa_mman_region();

	CHECK(r, "errno=%d", errno);
	CHECK(p >= (char *)upa_region_base(r) && p < (char *)upa_region_base(r) + upa_region_bytes(r),
	      "not from the region");
	return p;
}

static bool linear(void)
{
	char *base = upa_region_base(upa_mman_region());

	/* Only private anonymous memory can be advised so. */
	return !madvise(base, PAGE, MADV_WIPEONFORK) && !madvise(base, PAGE, MADV_KEEPONFORK);
}

static void with_one_thread(void)
{
	char *p = program_maps(4 * MIB);
	char *q = program_maps(MIB);

	fill(p, 4 * MIB, 3);
	fill(q, MIB, 4);
	/* What needs no change of the mapping. */
	CHECK(!upa_madvise(q, 64 * PAGE, MADV_DONTNEED) && !upa_madvise(q, MIB, MADV_FREE) &&
		      !upa_madvise(q, MIB, MADV_HUGEPAGE),
	      "errno=%d", errno);
	check_zero(q, 64 * PAGE);
	CHECK(!upa_mprotect(q, MIB, PROT_READ | PROT_WRITE), "errno=%d", errno);
	CHECK(upa_mmap(q + 64 * PAGE, 64 * PAGE, PROT_READ | PROT_WRITE, PLAIN | MAP_FIXED, -1, 0) == q + 64 * PAGE,
	      "errno=%d", errno);
	check_zero(q, 128 * PAGE);
	check_region(upa_mman_region());
	CHECK(!linear(), "still on the device");
	/* And what does. */
	CHECK(!upa_mprotect(p + MIB, PAGE, PROT_READ), "errno=%d", errno);
	CHECK(linear(), "off the device");
	check_filled(p, 4 * MIB, 3);
	check_marks(q, 128 * PAGE, MIB, 4);
	fill(p, MIB, 5);
	CHECK(touch(p + MIB) == 0, "may be read");
	CHECK(upa_mmap(q, PAGE, PROT_NONE, PLAIN | MAP_FIXED, -1, 0) == q && touch(q) == SIGSEGV, "errno=%d", errno);
	CHECK(!upa_munmap(p, 4 * MIB) && !upa_munmap(q, MIB), "errno=%d", errno);
	p = program_maps(8 * MIB);
	check_zero(p, 8 * MIB);
	check_region(upa_mman_region());
}

static void with_two_threads(void)
{
	char *p = program_maps(4 * MIB);
	char *out;
	pthread_t thread;
	int ends[2];

	CHECK(!pipe(ends) && !pthread_create(&thread, NULL, wait_for_end, &ends[0]), "errno=%d", errno);
	fill(p, 4 * MIB, 3);
	errno = 0;
	CHECK(upa_mprotect(p, PAGE, PROT_READ) == -1 && errno == EACCES, "errno=%d", errno);
	errno = 0;
	CHECK(upa_mmap(p, PAGE, PROT_NONE, PLAIN | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL, "errno=%d",
	      errno);
	errno = 0;
	CHECK(upa_mmap(p + 8 * MIB, PAGE, PROT_NONE, PLAIN | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED &&
		      errno == EINVAL,
	      "errno=%d", errno);
	errno = 0;
	CHECK(upa_madvise(p, PAGE, MADV_WIPEONFORK) == -1 && errno == EINVAL, "errno=%d", errno);
	check_filled(p, 4 * MIB, 3);
	check_region(upa_mman_region());
	CHECK(!upa_munmap(p + MIB, MIB), "errno=%d", errno);
	/* Out of the region: by copying. */
	out = mmap(NULL, MIB, PROT_NONE, PLAIN, -1, 0);
	CHECK(upa_mremap(p, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, out) == out, "errno=%d", errno);
	check_filled(out, MIB, 3);
	check_marks(p, 2 * MIB, 4 * MIB, 3);
	check_region(upa_mman_region());
	close(ends[1]);
	CHECK(!pthread_join(thread, NULL), "join");
}

static void lose_descriptor(bool reused)
{
	char *p = program_maps(4 * MIB);
	char *q = program_maps(8 * MIB);
	char *moving = program_maps(4 * MIB);

	fill(p, 4 * MIB, 3);
	fill(moving, 4 * MIB, 5);
	program_maps(MIB); /* in the way */
	CHECK(!upa_munmap(q, 8 * MIB), "errno=%d", errno);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	/* A file that takes anything for good advice. */
	for (int fd = reused ? memfd_create("another", 0) : 64; fd < 64; fd = dup(fd))
		CHECK(fd >= 3, "errno=%d", errno);
	q = program_maps(MIB);
	fill(q, MIB, 4);
	CHECK(!upa_munmap(p, MIB), "errno=%d", errno);
	/* Not by exchanging page tables: its old place would still show it. */
	moving = upa_mremap(moving, 4 * MIB, 6 * MIB, MREMAP_MAYMOVE);
	CHECK(moving != MAP_FAILED, "errno=%d", errno);
	for (int i = 0; i < 200; i++) {
		char *extra = upa_mmap(NULL, MIB, PROT_READ | PROT_WRITE, PLAIN, -1, 0);

		/* From what the pool still has, then from the kernel. */
		CHECK(extra != MAP_FAILED, "errno=%d", errno);
		check_zero(extra, MIB);
		fill(extra, MIB, 6);
		if (i % 3)
			CHECK(!upa_munmap(extra, MIB), "errno=%d", errno);
	}
	check_marks(p, MIB, 4 * MIB, 3);
	check_filled(q, MIB, 4);
	check_filled(moving, 4 * MIB, 5);
	check_region(upa_mman_region());
}

static void without_descriptor(void)
{
	lose_descriptor(false);
}
static void with_another_file(void)
{
	lose_descriptor(true);
}

static void test_fork(bool child_first)
{
	struct upa_region *r = create(64 * MIB, 32 * MIB, UINT64_MAX);
	char *p = map(r, 8 * MIB, 0);
	char *q = map(r, 3 * PAGE, 0);
	int go[2];
	pid_t child;

	fill(p, 8 * MIB, 1);
	fill(q, 3 * PAGE, 2);
	unmap(r, p + 2 * MIB, MIB);
	CHECK(!pipe(go), "errno=%d", errno);
	child = fork();
	CHECK(child >= 0, "errno=%d", errno);
	if (!child) {
		char byte, *mine;

		if (!child_first)
			CHECK(read(go[0], &byte, 1) == 1, "errno=%d", errno);
		check_marks(p, 0, 2 * MIB, 1);
		check_marks(p, 3 * MIB, 8 * MIB, 1);
		check_filled(q, 3 * PAGE, 2);
		fill(p, 2 * MIB, 11);
		mine = map(r, 16 * MIB, UPA_MAP_ZEROS);
		check_zero(mine, 16 * MIB);
		memset(mine, 0xcc, 16 * MIB);
		CHECK(upa_region_resize(r, mine, 16 * MIB, 20 * MIB, 0), "errno=%d", errno);
		CHECK(!madvise(q, PAGE, MADV_WIPEONFORK), "anonymous memory: errno=%d", errno);
		check_region(r);
		CHECK(!fork() || wait(NULL) > 0, "a grandchild");
		_exit(upa_region_destroy(r));
	}
	if (child_first)
		expect(child);
	check_marks(p, 0, 2 * MIB, 1);
	fill(p, 2 * MIB, 12);
	check_marks(p, 3 * MIB, 8 * MIB, 1);
	CHECK(write(go[1], "", 1) == 1, "errno=%d", errno);
	if (!child_first)
		expect(child);
	check_filled(p, 2 * MIB, 12);
	check_filled(q, 3 * PAGE, 2);
	close(go[0]);
	close(go[1]);
	finish(r);
}

/* A child that only executes costs nothing but the copy, and vfork() not even that. */
static void test_exec(void)
{
	struct upa_region *r = create(64 * MIB, 32 * MIB, UINT64_MAX);
	char *p = map(r, 8 * MIB, 0);
	pid_t child;

	fill(p, 8 * MIB, 1);
	child = vfork();
	if (!child) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(1);
	}
	expect(child);
	check_filled(p, 8 * MIB, 1);
	finish(r);
}

int main(void)
{
	if (on_device())
		backend = test_backend();
	{
		struct upa_region *r = create(2 * MIB, 2 * MIB, 0);

		CHECK(!upa_region_destroy(r), "destroy");
	}
	test_fork(true);
	test_fork(false);
	test_exec();
	in_process(with_one_thread);
	in_process(with_two_threads);
	in_process(without_descriptor);
	in_process(with_another_file);
	return 0;
}
