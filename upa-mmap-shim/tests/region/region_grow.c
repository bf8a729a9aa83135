/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_grow.c - regions whose addresses are mapped as far as they are used: what is mapped, what happens where
 * somebody else's mapping or a limit is in the way, and threads that make the region grow at once.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <upa/region.h>

#include "check.h"
#include "region/region_private.h"
#include "units.h"

#define REGION_BYTES (64 * GIB)

static struct upa_region *create(uint32_t flags)
{
	struct upa_region *r;
	int error = upa_region_create(&r, REGION_BYTES, UPA_REGION_GROWS | flags);

	CHECK(!error, "error=%d", error);
	return r;
}

static void finish(struct upa_region *r)
{
	char message[200] = "";

	CHECK(!upa_region_validate(r, message, sizeof(message)), "%s", message);
	CHECK(!upa_region_destroy(r), "destroy");
}

static uint64_t allocated(const struct upa_region *r)
{
	struct upa_region_stats st;

	CHECK(!upa_region_get_stats(r, &st), "stats");
	return st.allocated_bytes;
}

static bool mapped(const void *address)
{
	return !msync((void *)address, PAGE, MS_ASYNC);
}

/* Mapped bytes from the base on, to a page. */
static size_t extent(const struct upa_region *r)
{
	char *base = upa_region_base(r);
	size_t low = 0, high = REGION_BYTES / PAGE;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mapped(base + middle * PAGE))
			low = middle + 1;
		else
			high = middle;
	}
	return low * PAGE;
}

/* An eighth more than is used, but between 16 and 256 MiB. */
static void test_extent(void)
{
	struct upa_region *r = create(0);
	size_t used = 0, before = extent(r);
	char *first = NULL;

	CHECK(before >= 2 * MIB && before <= 32 * MIB, "extent=%zu", before);
	CHECK(upa_region_bytes(r) == REGION_BYTES, "bytes=%zu", (size_t)upa_region_bytes(r));
	for (int i = 0; i < 40; i++) {
		char *p = upa_region_map(r, 100 * MIB, UPA_MAP_ZEROS);

		CHECK(p, "errno=%d", errno);
		first = first ? first : p;
		used = (size_t)(p - (char *)upa_region_base(r)) + 100 * MIB;
		CHECK(extent(r) >= used && extent(r) <= used + used / 8 + 300 * MIB, "extent=%zu used=%zu", extent(r),
		      used);
		p[0] = 1;
		p[100 * MIB - 1] = 2;
	}
	CHECK(extent(r) < 6 * GIB, "extent=%zu", extent(r));
	CHECK(!upa_region_unmap(r, first, 100 * MIB), "unmap");
	finish(r);
}

/* By blocks of a few pages, about which nothing else is to be done. */
static void test_small_blocks(void)
{
	struct upa_region *r = create(0);
	size_t before = extent(r);

	for (size_t used = 0; used <= before; used += 64 * KIB) {
		char *p = upa_region_map(r, 64 * KIB, 0);

		CHECK(p, "errno=%d", errno);
		p[0] = 1;
		p[64 * KIB - 1] = 2;
	}
	CHECK(extent(r) > before, "extent=%zu", before);
	finish(r);
}

/* In place, by moving page tables, at a fixed place, aligned, ahead of need. */
static void test_every_way(void)
{
	struct upa_region *r = create(0);
	char *base = upa_region_base(r);
	char *block = upa_region_map(r, 8 * MIB, 0);
	char *wall, *moved;

	memset(block, 7, 8 * MIB);
	block = upa_region_resize(r, block, 8 * MIB, 300 * MIB, UPA_MAP_ZEROS);
	CHECK(block && block[8 * MIB - 1] == 7 && !block[8 * MIB] && !block[300 * MIB - 1], "in place");
	wall = block + 300 * MIB;
	CHECK(!upa_region_map_at(r, wall, PAGE, 0), "errno=%d", errno);
	moved = upa_region_resize(r, block, 300 * MIB, 700 * MIB, UPA_MAP_ZEROS);
	CHECK(moved && moved != block && moved[8 * MIB - 1] == 7 && !moved[700 * MIB - 1], "moved");
	CHECK(!upa_region_map_at(r, base + 20 * GIB, 3 * PAGE, UPA_MAP_ZEROS), "errno=%d", errno);
	CHECK(!base[20 * GIB + 2 * PAGE] && mapped(base + 19 * GIB), "at a fixed place");
	CHECK(upa_region_populate(r, 64 * MIB) == 64 * MIB, "populate");
	finish(r);
}

static bool is_read_only(char *page)
{
	int zeros = open("/dev/zero", O_RDONLY);
	bool is = read(zeros, page, 1) == -1 && errno == EFAULT;

	close(zeros);
	return is;
}

static void test_neighbour(uint32_t flags)
{
	struct upa_region *r = create(flags);
	char *base = upa_region_base(r);
	char *end = base + extent(r);
	char *other = mmap(end, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	struct upa_region_stats calls, now;
	uint64_t before;
	char *p;

	CHECK(other == end, "%p", (void *)other);
	*other = 'n';
	CHECK(!mprotect(other, PAGE, PROT_READ), "errno=%d", errno);
	p = upa_region_map(r, MIB, UPA_MAP_ZEROS);
	CHECK(p && p + MIB <= end, "errno=%d", errno);
	memset(p, 'p', MIB);
	before = allocated(r);
	CHECK(!upa_region_get_stats(r, &calls), "stats");
	errno = 0;
	CHECK(!upa_region_map(r, GIB, 0) && errno == ENOMEM, "errno=%d", errno);
	CHECK(upa_region_map_at(r, other, PAGE, 0) == -ENOMEM, "map_at");
	CHECK(!upa_region_resize(r, p, MIB, GIB, 0) && errno == ENOMEM, "errno=%d", errno);
	CHECK(allocated(r) == before && *other == 'n' && p[MIB - 1] == 'p', "allocated=%zu", (size_t)allocated(r));
	CHECK(is_read_only(other), "somebody else's mapping has been changed");
	CHECK(extent(r) == (size_t)(end - base) + PAGE, "extent=%zu", extent(r));
	/* A request that has found pages, but no addresses, has failed, and nothing else. */
	CHECK(!upa_region_get_stats(r, &now), "stats");
	CHECK(now.failures == calls.failures + 3 && now.maps == calls.maps && now.unmaps == calls.unmaps,
	      "failures=%" PRIu64 " maps=%" PRIu64 " unmaps=%" PRIu64, now.failures - calls.failures,
	      now.maps - calls.maps, now.unmaps - calls.unmaps);
	/* Where it still has room, it serves. */
	CHECK(upa_region_map(r, PAGE, UPA_MAP_ZEROS), "errno=%d", errno);
	munmap(other, PAGE);
	CHECK(upa_region_map(r, GIB, 0), "errno=%d", errno);
	finish(r);
}

static inline size_t address_space(void)
{
	size_t pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	CHECK(file && fscanf(file, "%zu", &pages) == 1, "statm");
	fclose(file);
	return pages * PAGE;
}

/* A sanitizer's own mappings need more than any limit. */
static void test_limit(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	struct upa_region *r;
	struct rlimit before, tight;
	char *p;

	r = create(0);
	CHECK(!getrlimit(RLIMIT_AS, &before), "getrlimit");
	tight = (struct rlimit){ address_space() + 30 * MIB, before.rlim_max };
	CHECK(!setrlimit(RLIMIT_AS, &tight), "setrlimit");
	errno = 0;
	CHECK(!upa_region_map(r, 200 * MIB, 0) && errno == ENOMEM, "errno=%d", errno);
	p = upa_region_map(r, 40 * MIB, UPA_MAP_ZEROS); /* without a step beyond */
	CHECK(p, "errno=%d", errno);
	CHECK(!setrlimit(RLIMIT_AS, &before), "setrlimit");
	CHECK(upa_region_map(r, 200 * MIB, 0), "errno=%d", errno);
	finish(r);
#endif
}

/* Pages of somebody else's, so that no region has room from there down. */
static void wall(uintptr_t from)
{
	for (; from > REGION_BYTES; from -= REGION_BYTES / 4)
		mmap((void *)from, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

/* Nothing but what it has mapped is mapped where it may grow. */
static void is_alone(struct upa_region *r)
{
	char *base = upa_region_base(r);
	size_t mapped_bytes = extent(r);

	CHECK(mapped_bytes < 32 * MIB, "extent=%zu", mapped_bytes);
	CHECK(mmap(base + mapped_bytes, REGION_BYTES - mapped_bytes, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0) == base + mapped_bytes,
	      "errno=%d", errno);
	CHECK(!munmap(base + mapped_bytes, REGION_BYTES - mapped_bytes), "errno=%d", errno);
}

static uintptr_t next_mapping(void)
{
	void *next = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(next != MAP_FAILED, "errno=%d", errno);
	return (uintptr_t)next / PAGE * PAGE;
}

/* Wherever there is room: the first 256 MiB lie in one GiB. */
static void test_first_bytes(void)
{
	void *taken[2 * GIB / (96 * MIB)];
	const size_t n = sizeof(taken) / sizeof(*taken);

	for (size_t i = 0; i < n; i++) {
		struct upa_region *r = create(0);
		uintptr_t base = (uintptr_t)upa_region_base(r);

		CHECK(base / GIB == (base + 256 * MIB - 1) / GIB, "base=%#lx", base);
		finish(r);
		taken[i] = mmap(NULL, 96 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		CHECK(taken[i] != MAP_FAILED, "errno=%d", errno);
	}
	for (size_t i = 0; i < n; i++)
		munmap(taken[i], 96 * MIB);
}

/* Where the kernel hands out low addresses first, and there is no room below. */
static int place_above(void)
{
	uintptr_t next = next_mapping();
	struct upa_region *r;

	wall(next - REGION_BYTES / 8);
	test_first_bytes();
	r = create(0);
	CHECK((uintptr_t)upa_region_base(r) > next, "base=%p next=%#lx", upa_region_base(r), next);
	is_alone(r);
	finish(r);
	return 0;
}

/*
 * A place is found without mapping it, not even for a moment: under a limit that its addresses are far beyond, and
 * among mappings of others.
 */
static void test_place(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	struct upa_region *r;
	pid_t child = fork();
	int status;

	if (!child) {
		struct rlimit tight = { address_space() + 64 * MIB, RLIM_INFINITY };

		CHECK(!setrlimit(RLIMIT_AS, &tight), "setrlimit");
		r = create(0);
		tight.rlim_cur = RLIM_INFINITY;
		CHECK(!setrlimit(RLIMIT_AS, &tight), "setrlimit");
		is_alone(r);
		finish(r);
		/* Some of it taken: below that there is room, in one piece. */
		for (uintptr_t i = 1, next = next_mapping(); i < 20; i++)
			mmap((void *)(next - i * REGION_BYTES / 8), PAGE, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		r = create(0);
		is_alone(r);
		finish(r);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	child = fork();
	if (!child) {
		CHECK(personality(ADDR_COMPAT_LAYOUT) != -1, "errno=%d", errno);
		execl("/proc/self/exe", "region_grow", "above", NULL);
		_exit(1);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
#endif
}

static sigjmp_buf faulted;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(faulted, 1);
}

/* What is mapped ahead is fenced like every free page. */
static void test_fenced(void)
{
	struct upa_region *r = create(UPA_REGION_FENCED);
	struct sigaction act = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	char *p = upa_region_map(r, 200 * MIB, UPA_MAP_ZEROS);
	bool touched = false;

	CHECK(p && !p[200 * MIB - 1], "errno=%d", errno);
	p[0] = 1;
	sigaction(SIGSEGV, &act, NULL);
	if (!sigsetjmp(faulted, 1)) {
		*(volatile char *)((char *)upa_region_base(r) + extent(r) - PAGE) = 1;
		touched = true;
	}
	signal(SIGSEGV, SIG_DFL);
	CHECK(!touched, "a free page could be touched");
	finish(r);
}

static void test_fork(void)
{
	struct upa_region *r = create(0);
	char *p = upa_region_map(r, 50 * MIB, 0);
	int status;
	pid_t child;

	*p = 'f';
	child = fork();
	if (!child) {
		char *q = upa_region_map(r, GIB, UPA_MAP_ZEROS);

		_exit(!q || *q || *p != 'f');
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	CHECK(!mapped((char *)upa_region_base(r) + GIB), "the child's growth is the child's");
	finish(r);
}

#define THREADS 4
#define ROUNDS 60

static struct upa_region *shared_region;

static void *grow(void *number)
{
	uint64_t seed = (uintptr_t)number;
	char *blocks[8] = { 0 };
	size_t sizes[8] = { 0 };

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t at = random_below(&seed, 8);

		if (blocks[at]) {
			CHECK(blocks[at][0] == (char)(uintptr_t)number && blocks[at][sizes[at] - 1] == (char)at,
			      "foreign bytes");
			CHECK(!upa_region_unmap(shared_region, blocks[at], sizes[at]), "unmap");
		}
		sizes[at] = (1 + random_below(&seed, 40 * MIB / PAGE)) * PAGE;
		blocks[at] = upa_region_map(shared_region, sizes[at], UPA_MAP_ZEROS);
		CHECK(blocks[at], "errno=%d", errno);
		CHECK(!blocks[at][0] && !blocks[at][sizes[at] - 1], "not zero");
		blocks[at][0] = (char)(uintptr_t)number;
		blocks[at][sizes[at] - 1] = (char)at;
	}
	return NULL;
}

static void test_threads(uint32_t flags)
{
	for (int round = 0; round < 5; round++) {
		pthread_t threads[THREADS];

		shared_region = create(flags);
		for (uintptr_t i = 0; i < THREADS; i++)
			CHECK(!pthread_create(&threads[i], NULL, grow, (void *)(i + 1)), "pthread_create");
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		finish(shared_region);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "above"))
		return place_above();
	test_extent();
	test_small_blocks();
	test_every_way();
	test_neighbour(0);
	test_neighbour(UPA_REGION_FENCED);
	test_limit();
	test_place();
	test_first_bytes();
	test_fenced();
	test_fork();
	test_threads(0);
	test_threads(UPA_REGION_FENCED);
	return 0;
}
