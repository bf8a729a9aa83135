/* SPDX-License-Identifier: Apache-2.0 */
/* os_maps.c - what is one mapping to a program and what is not, at each end of a range; how many mappings there are. */
#define _GNU_SOURCE
#include "os/maps.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "check.h"
#include "os/os.h"
#include "os/page.h"

#define PAGES 64ul

static char *range; /* between two guards, so that the kernel joins it with nothing */

static void replace(char *at, size_t pages, int protection, int flags, int fd)
{
	CHECK(mmap(at, pages * PAGE_BYTES, protection, flags | MAP_FIXED, fd, 0) == at, "errno=%d", errno);
}

static bool alike(const char *address, size_t bytes)
{
	return maps_ask(address, bytes).alike;
}

static void renew(void)
{
	replace(range, PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	CHECK(alike(range, PAGES * PAGE_BYTES), "as it was made");
}

static void test_ends(void)
{
	renew();
	CHECK(alike(range, 1) && alike(range + 63 * PAGE_BYTES, PAGE_BYTES), "a page at either end");
	CHECK(!alike(range - PAGE_BYTES, 2 * PAGE_BYTES), "a guard before");
	CHECK(!alike(range, 65 * PAGE_BYTES), "a guard behind");
	munmap(range + 8 * PAGE_BYTES, PAGE_BYTES);
	CHECK(!alike(range, 9 * PAGE_BYTES) && !alike(range + 8 * PAGE_BYTES, 2 * PAGE_BYTES), "a hole");
	CHECK(!alike(range + 8 * PAGE_BYTES, PAGE_BYTES), "nothing but a hole");
	CHECK(alike(range, 8 * PAGE_BYTES) && alike(range + 9 * PAGE_BYTES, 55 * PAGE_BYTES), "beside it");
}

static void test_counts(void)
{
	size_t before;

	renew();
	before = maps_count();
	CHECK(before > 5, "count=%zu", before);
	CHECK(maps_one(range, PAGES * PAGE_BYTES) == PAGES * PAGE_BYTES, "all of it");
	CHECK(maps_one(range + PAGE_BYTES, PAGE_BYTES) == PAGE_BYTES, "no more than is asked for");
	CHECK(!mprotect(range + 8 * PAGE_BYTES, PAGE_BYTES, PROT_READ), "errno=%d", errno);
	CHECK(maps_count() == before + 2, "count=%zu before=%zu", maps_count(), before);
	CHECK(maps_one(range, PAGES * PAGE_BYTES) == 8 * PAGE_BYTES, "up to a border");
	CHECK(maps_one(range + 8 * PAGE_BYTES, PAGES * PAGE_BYTES) == PAGE_BYTES, "a page");
	CHECK(maps_one(range + 9 * PAGE_BYTES, PAGES * PAGE_BYTES) == 55 * PAGE_BYTES, "the rest");
	munmap(range + 8 * PAGE_BYTES, PAGE_BYTES);
	CHECK(maps_one(range + 8 * PAGE_BYTES, PAGES * PAGE_BYTES) == 0, "nothing is there");
}

/* A page in the middle that is treated in a way of its own, and then all of them in this way. */
static void check_treatment(const char *what, int (*treat)(char *at, size_t bytes))
{
	const size_t all = PAGES * PAGE_BYTES;
	char *page = range + 8 * PAGE_BYTES;

	renew();
	if (treat(page, PAGE_BYTES)) {
		printf("left out: %s errno=%d\n", what, errno);
		return;
	}
	CHECK(!alike(range, all) && !alike(page - PAGE_BYTES, 2 * PAGE_BYTES) && !alike(page, 2 * PAGE_BYTES), "%s",
	      what);
	CHECK(alike(range, 8 * PAGE_BYTES) && alike(page, PAGE_BYTES) && alike(page + PAGE_BYTES, 55 * PAGE_BYTES),
	      "%s: beside it", what);
	CHECK(!treat(range, all) && alike(range, all), "%s: all of it", what);
}

static int forks(char *at, size_t bytes)
{
	return madvise(at, bytes, MADV_DONTFORK);
}
static int wipes(char *at, size_t bytes)
{
	return madvise(at, bytes, MADV_WIPEONFORK);
}
static int dumps(char *at, size_t bytes)
{
	return madvise(at, bytes, MADV_DONTDUMP);
}
/* By the system call: to sanitizers libc's function does nothing. */
static int locks(char *at, size_t bytes)
{
	return (int)os_call(SYS_mlock, (long)at, (long)bytes, 0, 0, 0, 0);
}
static int locks_on_fault(char *at, size_t bytes)
{
	return mlock2(at, bytes, MLOCK_ONFAULT);
}
static int runs(char *at, size_t bytes)
{
	return mprotect(at, bytes, PROT_READ | PROT_EXEC);
}
static int closes(char *at, size_t bytes)
{
	return mprotect(at, bytes, PROT_NONE);
}
static int binds(char *at, size_t bytes)
{
	unsigned long node = 1;

	return (int)syscall(SYS_mbind, at, bytes, 2 /* MPOL_BIND */, &node, 8, 0);
}
static int keys(char *at, size_t bytes)
{
	static int key;

	key = key > 0 ? key : pkey_alloc(0, 0);
	return key < 0 ? -1 : pkey_mprotect(at, bytes, PROT_READ | PROT_WRITE, key);
}

static void test_treatments(void)
{
	check_treatment("MADV_DONTFORK", forks);
	check_treatment("MADV_WIPEONFORK", wipes);
	check_treatment("MADV_DONTDUMP", dumps);
	check_treatment("mlock", locks);
	check_treatment("MLOCK_ONFAULT", locks_on_fault);
	check_treatment("executable", runs);
	check_treatment("PROT_NONE", closes);
	check_treatment("mbind", binds);
	check_treatment("a key", keys);
}

static void test_locked_on_fault(void)
{
	renew();
	if (mlock2(range, PAGE_BYTES, MLOCK_ONFAULT))
		return;
	CHECK(maps_ask(range, PAGE_BYTES).locked_on_fault, "on fault");
	CHECK(!maps_ask(range + PAGE_BYTES, PAGE_BYTES).locked_on_fault, "the next page");
	CHECK(!locks(range, PAGE_BYTES) && !maps_ask(range, PAGE_BYTES).locked_on_fault, "locked");
}

/* Not what is shared, or of a file, even if all of it is. */
static void test_not_anonymous(void)
{
	int fd = open("/proc/self/exe", O_RDONLY);

	renew();
	replace(range + 8 * PAGE_BYTES, 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	CHECK(!alike(range + 8 * PAGE_BYTES, PAGE_BYTES), "shared");
	replace(range + 8 * PAGE_BYTES, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	CHECK(!alike(range + 8 * PAGE_BYTES, PAGE_BYTES), "of a file");
	close(fd);
}

/* Several mappings in a row, to the kernel alone: how memory was promised, how large its pages may be, guards. */
static void test_no_matter(void)
{
	renew();
	replace(range + 20 * PAGE_BYTES, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	madvise(range + 40 * PAGE_BYTES, 4 * PAGE_BYTES, MADV_NOHUGEPAGE);
	madvise(range + 22 * PAGE_BYTES, PAGE_BYTES, MADV_GUARD_INSTALL);
	CHECK(maps_one(range, PAGES * PAGE_BYTES) < PAGES * PAGE_BYTES, "one mapping");
	CHECK(alike(range, PAGES * PAGE_BYTES), "in pieces");
}

/* Without a descriptor, what is moved is moved as the kernel has it. */
static void test_no_telling(void)
{
	struct rlimit few, all;

	renew();
	CHECK(!mprotect(range + 8 * PAGE_BYTES, PAGE_BYTES, PROT_READ), "errno=%d", errno);
	CHECK(!getrlimit(RLIMIT_NOFILE, &all), "errno=%d", errno);
	few = (struct rlimit){ 0, all.rlim_max };
	CHECK(!setrlimit(RLIMIT_NOFILE, &few), "errno=%d", errno);
	CHECK(alike(range, PAGES * PAGE_BYTES), "no telling");
	CHECK(!maps_count(), "no telling");
	CHECK(maps_one(range, PAGES * PAGE_BYTES) == 8 * PAGE_BYTES, "needs none");
	CHECK(!setrlimit(RLIMIT_NOFILE, &all), "errno=%d", errno);
	CHECK(!alike(range, PAGES * PAGE_BYTES), "as before");
}

/* A name may be as long as a path, and a line longer than what is read at once. */
static void test_long_names(void)
{
	enum { FOLDER = 200 };
	char path[4000] = "/tmp/os_maps.XXXXXX";
	size_t top = strlen(path), length = top;
	int fd;

	renew();
	CHECK(mkdtemp(path), "errno=%d", errno);
	while (length < 3000) {
		memset(path + length, 'n', FOLDER);
		path[length] = '/';
		length += FOLDER;
		path[length] = 0;
		CHECK(!mkdir(path, 0700), "errno=%d", errno);
	}
	strcpy(path + length, "/f");
	fd = open(path, O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0 && !ftruncate(fd, (off_t)PAGE_BYTES), "errno=%d", errno);
	replace(range + 8 * PAGE_BYTES, 1, PROT_READ, MAP_PRIVATE, fd);
	CHECK(!alike(range, 9 * PAGE_BYTES) && alike(range, 8 * PAGE_BYTES), "before a long name");
	CHECK(alike(range + 9 * PAGE_BYTES, 55 * PAGE_BYTES), "behind a long name");
	close(fd);
	unlink(path);
	for (; length > top; length -= FOLDER) {
		path[length] = 0;
		rmdir(path);
	}
	path[top] = 0;
	rmdir(path);
}

int main(void)
{
	range = mmap(NULL, (PAGES + 2) * PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(range != MAP_FAILED, "errno=%d", errno);
	range += PAGE_BYTES;
	test_ends();
	test_counts();
	test_treatments();
	test_locked_on_fault();
	test_not_anonymous();
	test_no_matter();
	test_long_names();
	test_no_telling();
	return 0;
}
