/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_test.c - a private region used by one thread: making it, that misuse and shortage leave everything as it was,
 * and that memory reads zero when it must.
 */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region/region_harness.h"

/* ---- creation ------------------------------------------------------------------------------- */

static void test_create(void)
{
	struct upa_region *r = NULL;
	static const uint64_t bad[] = { 0, UINT64_MAX, (1ull << 47) + 1, 1ull << 63 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(create_region(&r, bad[i], 0) == -EINVAL, "bytes=%" PRIu64, bad[i]);
	CHECK(create_region(&r, 1ull << 47, 0) == -ENOMEM, "the whole address space");
	CHECK(create_region(&r, MIB, 4) == -EINVAL, "unknown flag");
	CHECK(create_region(&r, MIB, UPA_REGION_HUGEPAGE | UPA_REGION_NOHUGEPAGE) == -EINVAL, "contradictory flags");
	CHECK(!r, "out was written");
	CHECK(upa_region_destroy(NULL) == -EINVAL, "NULL");

	for (uint32_t flags = 0; flags <= UPA_REGION_NOHUGEPAGE; flags++) {
		int error = create_region(&r, 3 * MIB + 1, flags);

		if (error == -EINVAL && flags)
			continue; /* a kernel without huge pages */
		CHECK(!error, "error=%d", error);
		CHECK(upa_region_bytes(r) == 4 * MIB && (uintptr_t)upa_region_base(r) % (2 * MIB) == 0, "base=%p",
		      upa_region_base(r));
		fill(map(r, 4 * MIB, 0), 4 * MIB, 1);
		finish(r);
	}
}

#ifdef __SANITIZE_THREAD__
#define FAR_TOO_LARGE (1ull << 39) /* what its shadow leaves of the address space */
#else
#define FAR_TOO_LARGE (1ull << 42)
#endif

/* Far larger than memory costs neither time nor memory. */
static void test_sparse(void)
{
	struct upa_region *r = create(FAR_TOO_LARGE);
	struct upa_region_stats st = stats(r);
	char *p = map(r, FAR_TOO_LARGE / 2, UPA_MAP_ZEROS);

	CHECK(st.capacity_bytes == FAR_TOO_LARGE, "capacity=%" PRIu64, st.capacity_bytes);
	CHECK(st.metadata_bytes < FAR_TOO_LARGE / 10000, "metadata=%" PRIu64, st.metadata_bytes);
	p[FAR_TOO_LARGE / 4] = 1;
	unmap(r, p, FAR_TOO_LARGE / 2);
	CHECK(!upa_region_destroy(r), "destroy");
}

/* ---- misuse and shortage --------------------------------------------------------------------- */

static void test_misuse(void)
{
	struct upa_region *r = create(8 * MIB);
	char *base = upa_region_base(r);
	char *p = map(r, 64 * KIB, 0);
	char *freed = map(r, 64 * KIB, 0);
	struct upa_region_stats before, after;
	static char foreign[2 * PAGE] __attribute__((aligned(4096)));
	const struct {
		void *address;
		size_t bytes;
	} bad[] = {
		{ p, 0 },
		{ p + 1, PAGE },
		{ p + 512, PAGE },
		{ NULL, PAGE },
		{ foreign, PAGE },
		{ freed, 64 * KIB },
		{ freed, PAGE },
		{ p, SIZE_MAX },
		{ p, SIZE_MAX - PAGE + 1 },
		{ base + 8 * MIB, PAGE },
		{ base - PAGE, PAGE },
		{ base - PAGE, 2 * PAGE },
		{ base, 8 * MIB + 1 },
		{ base + 8 * MIB - PAGE, 2 * PAGE },
		{ p + 60 * KIB, 8 * KIB },
		{ (void *)-PAGE, PAGE },
	};

	/* Something taken behind p but not next to it, so that p + 60K .. is p's last page and a free one. */
	unmap(r, freed, 64 * KIB);
	fill(p, 64 * KIB, 7);
	before = stats(r);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(upa_region_unmap(r, bad[i].address, bad[i].bytes) == -EINVAL, "unmap i=%zu", i);
		errno = 0;
		CHECK(!upa_region_resize(r, bad[i].address, bad[i].bytes, PAGE, 0) && errno == EINVAL,
		      "resize i=%zu errno=%d", i, errno);
		errno = 0;
		CHECK(!upa_region_resize(r, bad[i].address, bad[i].bytes, MIB, 0) && errno == EINVAL,
		      "resize i=%zu errno=%d", i, errno);
	}
	errno = 0;
	CHECK(!upa_region_map(r, 0, 0) && errno == EINVAL, "errno=%d", errno);
	errno = 0;
	CHECK(!upa_region_map(r, PAGE, 8) && errno == EINVAL, "errno=%d", errno);
	errno = 0;
	CHECK(!upa_region_map(r, PAGE, UPA_MAP_INPLACE) && errno == EINVAL, "errno=%d", errno);
	errno = 0;
	CHECK(!upa_region_map(r, SIZE_MAX, 0) && (errno == ENOMEM || errno == EINVAL), "errno=%d", errno);
	errno = 0;
	CHECK(!upa_region_map(r, 8 * MIB + 1, 0) && errno == ENOMEM, "errno=%d", errno);
	errno = 0;
	CHECK(!upa_region_resize(r, p, 64 * KIB, 0, 0) && errno == EINVAL, "errno=%d", errno);
	errno = 0;
	CHECK(!upa_region_resize(r, p, 64 * KIB, 128 * KIB, 8) && errno == EINVAL, "errno=%d", errno);
	errno = 0;
	CHECK(!upa_region_resize(r, p, 64 * KIB, SIZE_MAX, 0) && errno == ENOMEM, "errno=%d", errno);
	CHECK(upa_region_map_at(r, p, PAGE, 0) == -EBUSY, "taken");
	CHECK(upa_region_map_at(r, p + 60 * KIB, 128 * KIB, 0) == -EBUSY, "partly taken");
	CHECK(upa_region_map_at(r, p + 1, PAGE, 0) == -EINVAL, "misaligned");
	CHECK(upa_region_map_at(r, base + 8 * MIB - PAGE, 2 * PAGE, 0) == -EINVAL, "beyond the end");
	CHECK(upa_region_map_at(r, foreign, PAGE, 0) == -EINVAL, "foreign");
	CHECK(upa_region_map_at(r, base + 4 * MIB, PAGE, 8) == -EINVAL, "flag");
	CHECK(upa_region_taint(r, foreign, PAGE) == -EINVAL, "foreign");
	CHECK(upa_region_taint(r, p, 0) == -EINVAL, "empty");
	after = stats(r);
	CHECK(after.allocated_bytes == before.allocated_bytes && after.unmaps == before.unmaps &&
		      after.maps == before.maps,
	      "allocated=%" PRIu64, after.allocated_bytes);
	check_filled(p, 64 * KIB, 7);
	unmap(r, p, 64 * KIB);
	CHECK(upa_region_unmap(r, p, 64 * KIB) == -EINVAL, "double");
	CHECK(map(r, 8 * MIB, 0) == base, "pages have been lost");
	finish(r);
}

static void test_exhaustion(void)
{
	struct upa_region *r = create(8 * MIB);
	char *p[2048];
	uint64_t seed = 1;

	for (int i = 0; i < 2048; i++) {
		p[i] = map(r, PAGE, 0);
		*(int *)p[i] = i;
	}
	errno = 0;
	CHECK(!upa_region_map(r, 1, 0) && errno == ENOMEM, "errno=%d", errno);
	errno = 0;
	CHECK(!upa_region_resize(r, p[0], PAGE, 2 * PAGE, 0) && errno == ENOMEM, "errno=%d", errno);
	CHECK(stats(r).failures >= 1 && stats(r).allocated_bytes == 8 * MIB, "failures=%" PRIu64, stats(r).failures);
	for (int i = 0; i < 2048; i++)
		CHECK(*(int *)p[i] == i, "i=%d", i);
	/* Freed in any order, all of it is one piece again. */
	for (int n = 2048; n; n--) {
		uint64_t i = random_below(&seed, (uint64_t)n);

		unmap(r, p[i], PAGE);
		p[i] = p[n - 1];
	}
	map(r, 8 * MIB, 0);
	finish(r);
}

/* The kernel refuses the reservation, or the metadata: -ENOMEM and nothing mapped. */
static void test_address_space_limit(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "errno=%d", errno);
	if (!child) {
		struct rlimit limit = { 512 * MIB, 512 * MIB };
		struct upa_region *r;

		if (setrlimit(RLIMIT_AS, &limit))
			_exit(2);
		for (int i = 0; i < 1000; i++) /* whatever leaked would soon exhaust the limit */
			if (create_region(&r, 1ull << 40, 0) != -ENOMEM || create_region(&r, 600 * MIB, 0) != -ENOMEM)
				_exit(3);
		if (create_region(&r, 256 * MIB, 0) || !upa_region_map(r, 256 * MIB, 0) || upa_region_destroy(r))
			_exit(4);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0, "status=%#x", status);
#endif
}

/* In a process whose every page is to be locked, a range far larger than memory would be populated at once. */
static void test_locked_process(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* which make mlockall() do nothing */
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "errno=%d", errno);
	if (!child) {
		struct upa_region *r;

		/* Sanitizers make mlockall() itself do nothing. */
		if (syscall(SYS_mlockall, MCL_FUTURE))
			_exit(0); /* not allowed, so no danger either */
		if (create_region(&r, 1ull << 40, 0) != -ENOMEM)
			_exit(1);
		syscall(SYS_munlockall);
		_exit(create_region(&r, MIB, 0) ? 2 : 0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
#endif
}

/* ---- zeros ----------------------------------------------------------------------------------- */

/* Whatever the free pages hold. */
static void test_zeros(void)
{
	static const size_t sizes[] = { 1,         PAGE,           3 * PAGE, 100 * KIB,      128 * KIB,
					500 * KIB, 2 * MIB - PAGE, 2 * MIB,  2 * MIB + PAGE, 5 * MIB };
	struct upa_region *r = create(16 * MIB);
	uint64_t seed = 3;

	for (int round = 0; round < 200; round++) {
		size_t bytes = sizes[random_below(&seed, sizeof(sizes) / sizeof(sizes[0]))];
		size_t rounded = (bytes + PAGE - 1) / PAGE * PAGE;
		uint32_t flags = random_below(&seed, 2) ? UPA_MAP_ZEROS : UPA_MAP_ZEROS | UPA_MAP_FAULTED;
		char *p = map(r, bytes, flags);
		size_t part;

		check_zero(p, rounded);
		if (flags & UPA_MAP_FAULTED && !on_device())
			CHECK(resident(p, rounded) == rounded, "resident=%zu of %zu", resident(p, rounded), rounded);
		/* All, some or none of it becomes stale; parts of it are freed, so that children become mixed. */
		for (size_t i = 0; i < rounded; i += PAGE * (1 + random_below(&seed, 3)))
			memset(p + i, 0xff, PAGE);
		part = random_below(&seed, rounded / PAGE) * PAGE;
		if (part)
			unmap(r, p, part);
		unmap(r, p + part, rounded - part);
		switch (random_below(&seed, 8)) {
		case 0: CHECK(upa_region_give_back(r, random_below(&seed, 8) * MIB) >= 0, "give back"); break;
		case 1: CHECK(upa_region_clear(r, 4 * MIB) >= 0, "clear"); break;
		case 2: CHECK(upa_region_populate(r, 4 * MIB) >= 0, "populate"); break;
		}
	}
	finish(r);
}

static void test_zeros_by_resize_and_map_at(void)
{
	struct upa_region *r = create(16 * MIB);
	char *base = map(r, 16 * MIB, 0);
	char *p;

	memset(base, 0xff, 16 * MIB);
	unmap(r, base, 16 * MIB);
	CHECK(!upa_region_map_at(r, base + 2 * MIB - 2 * PAGE, 4 * PAGE, UPA_MAP_ZEROS), "map_at");
	p = base + 2 * MIB - 2 * PAGE;
	check_zero(p, 4 * PAGE);
	fill(p, 4 * PAGE, 1);
	CHECK(upa_region_resize(r, p, 4 * PAGE, 3 * MIB, UPA_MAP_ZEROS | UPA_MAP_INPLACE) == p, "errno=%d", errno);
	check_filled(p, 4 * PAGE, 1);
	check_zero(p + 4 * PAGE, 3 * MIB - 4 * PAGE);
	CHECK(!upa_region_map_at(r, p + 3 * MIB, PAGE, 0), "in the way");
	memset(p + 4 * PAGE, 0xff, 3 * MIB - 4 * PAGE);
	errno = 0;
	CHECK(!upa_region_resize(r, p, 3 * MIB, 5 * MIB, UPA_MAP_INPLACE) && errno == ENOMEM, "errno=%d", errno);
	p = upa_region_resize(r, p, 3 * MIB, 5 * MIB, UPA_MAP_ZEROS);
	CHECK(p, "errno=%d", errno);
	check_filled(p, 4 * PAGE, 1);
	check_zero(p + 3 * MIB, 2 * MIB);
	finish(r);
}

/* A block whose holder touched little of it must not become resident because the next one wants zeros. */
static void test_zeros_do_not_populate(void)
{
	struct upa_region *r = create(256 * MIB);

	for (int round = 0; round < 3; round++) {
		char *p = map(r, 200 * MIB, UPA_MAP_ZEROS);

		for (size_t i = 0; i < 200 * MIB; i += 10 * MIB) {
			check_zero(p + i, PAGE);
			memset(p + i, 0xff, PAGE);
		}
		CHECK(region_resident(r) <= 20 * 2 * MIB, "round=%d resident=%zu", round, region_resident(r));
		unmap(r, p, 200 * MIB);
	}
	finish(r);
}

/* Nor one that is part of a child, from 128 KiB on; less is cleared without asking. */
static void test_zeros_of_parts_do_not_populate(void)
{
	struct upa_region *r;
	char *p;

	if (create_region(&r, 8 * MIB, UPA_REGION_NOHUGEPAGE))
		return; /* a kernel without huge pages */
	p = map(r, MIB, 0);
	memset(p + 512 * KIB, 1, PAGE);
	unmap(r, p, MIB);
	CHECK(map(r, MIB, UPA_MAP_ZEROS) == p, "elsewhere");
	CHECK(resident(p, MIB) == PAGE, "resident=%zu", resident(p, MIB));
	check_zero(p + 512 * KIB, PAGE);
	unmap(r, p, MIB);
	CHECK(map(r, 128 * KIB, UPA_MAP_ZEROS) == p && !resident(p, 128 * KIB), "resident=%zu", resident(p, 128 * KIB));
	finish(r);
}

/* Pages are restored after it is known that all may be freed: the first one of the region is not. */
static void test_refused_unmap_of_tainted(void)
{
	struct upa_region *r = create(8 * MIB);
	char *p = (char *)upa_region_base(r) + PAGE;

	CHECK(!upa_region_map_at(r, p, PAGE, 0), "map_at");
	memset(p, 't', PAGE);
	CHECK(!upa_region_taint(r, p, PAGE), "taint");
	CHECK(upa_region_unmap(r, p - PAGE, 2 * PAGE) == -EINVAL, "one of them is free");
	CHECK(p[0] == 't' && p[PAGE - 1] == 't', "a call that is refused has emptied a page");
	CHECK(!upa_region_unmap(r, p, PAGE), "unmap");
	finish(r);
}

int main(void)
{
	if (on_device()) {
		/* What the contract says of every back end; the rest is in region_device.c. */
		test_misuse();
		test_exhaustion();
		test_zeros();
		test_zeros_by_resize_and_map_at();
		return 0;
	}
	test_create();
	test_sparse();
	test_misuse();
	test_refused_unmap_of_tainted();
	test_exhaustion();
	test_address_space_limit();
	test_locked_process();
	test_zeros();
	test_zeros_by_resize_and_map_at();
	test_zeros_do_not_populate();
	test_zeros_of_parts_do_not_populate();
	return 0;
}
