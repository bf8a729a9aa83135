/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_test.c - a private region used by one thread: what each call promises, that misuse and shortage leave
 * everything as it was, that memory reads zero when it must, and that it really goes back to the kernel.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <upa/region.h>

#include "backend.h"
#include "check.h"

#define KIB 1024ul
#define MIB (1024 * KIB)
#define PAGE 4096ul

static struct upa_region *create(uint64_t bytes)
{
	struct upa_region *r;
	int error = create_region(&r, bytes, 0);

	CHECK(!error, "error=%d", error);
	return r;
}

/* Validates and destroys. */
static void finish(struct upa_region *r)
{
	char message[200] = "";
	int error = upa_region_validate(r, message, sizeof(message));

	CHECK(!error, "%s", message);
	CHECK(!upa_region_destroy(r), "destroy");
}

static struct upa_region_stats stats(const struct upa_region *r)
{
	struct upa_region_stats st;

	CHECK(!upa_region_get_stats(r, &st), "stats");
	return st;
}

static char *map(struct upa_region *r, size_t bytes, uint32_t flags)
{
	char *p = upa_region_map(r, bytes, flags);

	CHECK(p, "bytes=%zu errno=%d", bytes, errno);
	return p;
}

static void unmap(struct upa_region *r, void *p, size_t bytes)
{
	int error = upa_region_unmap(r, p, bytes);

	CHECK(!error, "bytes=%zu error=%d", bytes, error);
}

static size_t resident(const void *start, size_t bytes)
{
	static unsigned char pages[1 << 20];
	size_t n = 0;

	CHECK(bytes / PAGE <= sizeof(pages) && !mincore((void *)start, bytes, pages), "errno=%d", errno);
	for (size_t i = 0; i < bytes / PAGE; i++)
		n += (pages[i] & 1) * PAGE;
	return n;
}

static size_t region_resident(const struct upa_region *r)
{
	return resident(upa_region_base(r), upa_region_bytes(r));
}

static void fill(char *p, size_t bytes, uint64_t mark)
{
	for (size_t i = 0; i < bytes; i += 512)
		*(uint64_t *)(p + i) = mark + i;
}

static void check_filled(const char *p, size_t bytes, uint64_t mark)
{
	for (size_t i = 0; i < bytes; i += 512)
		CHECK(*(const uint64_t *)(p + i) == mark + i, "offset=%zu", i);
}

static void check_zero(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += 8)
		CHECK(!*(const uint64_t *)(p + i), "offset=%zu", i);
}

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

/* ---- resize ---------------------------------------------------------------------------------- */

static void test_resize(void)
{
	struct upa_region *r = create(64 * MIB);
	char *p = map(r, PAGE, 0);
	size_t bytes = PAGE;

	fill(p, PAGE, 5);
	CHECK(upa_region_resize(r, p, PAGE, PAGE - 100, 0) == p && upa_region_resize(r, p, 1, PAGE, 0) == p,
	      "same pages");
	/* Doubling, with something in the way each time. */
	while (bytes < 16 * MIB) {
		char *q;
		int blocked = upa_region_map_at(r, p + bytes, PAGE, 0);

		q = upa_region_resize(r, p, bytes, 2 * bytes, 0);
		CHECK(q, "bytes=%zu errno=%d", bytes, errno);
		check_filled(q, bytes, 5);
		if (!blocked)
			unmap(r, p + bytes, PAGE);
		if (q != p)
			CHECK(upa_region_unmap(r, p, bytes) == -EINVAL, "the old block is free");
		p = q;
		bytes *= 2;
		fill(p, bytes, 5);
	}
	for (; bytes > PAGE; bytes /= 2) {
		CHECK(upa_region_resize(r, p, bytes, bytes / 2, 0) == p, "errno=%d", errno);
		check_filled(p, bytes / 2, 5);
	}
	CHECK(stats(r).allocated_bytes == PAGE && stats(r).moved_bytes > 0, "allocated=%" PRIu64,
	      stats(r).allocated_bytes);
	unmap(r, p, PAGE);
	map(r, 64 * MIB, 0);
	finish(r);
}

/* Blocks that lie in several kernel mappings, as earlier moves of page tables leave them, at odd page counts. */
static void test_resize_across_mappings(void)
{
	struct upa_region *r = create(256 * MIB);
	uint64_t seed = 5;
	enum { LIVE = 4 };
	char *p[LIVE];
	size_t bytes[LIVE];

	for (int i = 0; i < LIVE; i++) {
		bytes[i] = 2 * MIB;
		p[i] = map(r, bytes[i], 0);
		fill(p[i], bytes[i], (uint64_t)i << 32);
	}
	for (int step = 0; step < 300; step++) {
		int i = (int)random_below(&seed, LIVE);
		size_t wanted = 2 * MIB + random_below(&seed, 12 * 512) * PAGE;
		size_t kept = wanted < bytes[i] ? wanted : bytes[i];

		p[i] = upa_region_resize(r, p[i], bytes[i], wanted, step & 1 ? UPA_MAP_ZEROS : 0);
		CHECK(p[i], "step=%d errno=%d", step, errno);
		check_filled(p[i], kept, (uint64_t)i << 32);
		if (step & 1)
			check_zero(p[i] + kept, wanted - kept);
		bytes[i] = wanted;
		fill(p[i], bytes[i], (uint64_t)i << 32);
		if (step % 10 == 0)
			upa_region_give_back(r, 0);
	}
	for (int i = 0; i < LIVE; i++) {
		check_filled(p[i], bytes[i], (uint64_t)i << 32);
		unmap(r, p[i], bytes[i]);
	}
	check_zero(map(r, 256 * MIB, UPA_MAP_ZEROS), 256 * MIB);
	finish(r);
}

/* Moving again and again reuses the memory that moving leaves behind, instead of faulting in more each time. */
static void test_relocation_keeps_memory(void)
{
	enum { PAGES = 8 * MIB / PAGE };
	static unsigned char resident[256 * MIB / PAGE];
	struct upa_region *r = create(256 * MIB);
	size_t total = 0;

	for (int round = 0; round < 20; round++) {
		char *p = map(r, 8 * MIB, 0);
		char *blocker, *q;

		fill(p, 8 * MIB, (uint64_t)round);
		blocker = upa_region_map_at(r, p + 8 * MIB, PAGE, 0) ? NULL : p + 8 * MIB;
		q = upa_region_resize(r, p, 8 * MIB, 16 * MIB, 0);
		CHECK(q && q != p, "round=%d errno=%d", round, errno);
		check_filled(q, 8 * MIB, (uint64_t)round);
		fill(q, 16 * MIB, 1);
		unmap(r, q, 16 * MIB);
		if (blocker)
			unmap(r, blocker, PAGE);
	}
	CHECK(!mincore(upa_region_base(r), upa_region_bytes(r), resident), "errno=%d", errno);
	for (size_t i = 0; i < sizeof(resident); i++)
		total += resident[i] & 1;
	CHECK(total <= 5 * PAGES, "resident pages=%zu, for blocks of at most %d", total, 2 * PAGES);
	finish(r);
}

/* A run for which no populated place is wide enough gets the memory of free children elsewhere, with what is in it. */
static void test_scavenge(void)
{
	enum { BLOCKS = 8 };

	for (int zeros = 0; zeros < 2; zeros++) {
		struct upa_region *r = create(256 * MIB);
		char *p[BLOCKS], *large;

		for (int i = 0; i < BLOCKS; i++) {
			p[i] = map(r, 4 * MIB, 0);
			fill(p[i], 4 * MIB, 1 + (uint64_t)i);
		}
		for (int i = 0; i < BLOCKS; i += 2)
			unmap(r, p[i], 4 * MIB);
		CHECK(region_resident(r) == 32 * MIB, "resident=%zu", region_resident(r));
		/* Sixteen MiB are free and populated, in fours. */
		large = map(r, 13 * MIB, zeros ? UPA_MAP_ZEROS : 0);
		CHECK(stats(r).moved_bytes == 12 * MIB, "moved=%" PRIu64, stats(r).moved_bytes);
		CHECK(resident(large, 12 * MIB) == 12 * MIB, "resident=%zu", resident(large, 12 * MIB));
		CHECK(region_resident(r) == 32 * MIB, "resident=%zu", region_resident(r));
		CHECK(stats(r).retained_bytes == 4 * MIB, "retained=%" PRIu64, stats(r).retained_bytes);
		if (zeros)
			check_zero(large, 13 * MIB);
		fill(large, 13 * MIB, 100);
		for (int i = 1; i < BLOCKS; i += 2)
			check_filled(p[i], 4 * MIB, 1 + (uint64_t)i);
		check_filled(large, 13 * MIB, 100);
		/* What has given its memory away reads zero, and what has got it is stale when it is free. */
		unmap(r, large, 13 * MIB);
		check_zero(map(r, 128 * MIB, UPA_MAP_ZEROS), 128 * MIB);
		finish(r);
	}
}

/* Blocks of many sizes come and go: contents stay, zeros are zeros, and memory does not exceed what was in use by much.
 */
static void test_scavenge_random(void)
{
	enum { BLOCKS = 12, ROUNDS = 600 };
	struct upa_region *r = create(1024 * MIB);
	struct {
		char *p;
		size_t bytes;
	} blocks[BLOCKS] = { 0 };
	uint64_t random = 1;

	for (uint64_t round = 0; round < ROUNDS; round++) {
		uint32_t flags = round % 3 ? 0 : UPA_MAP_ZEROS;
		size_t i, bytes;

		random = random * 6364136223846793005u + 1442695040888963407u;
		i = (random >> 33) % BLOCKS;
		bytes = ((random >> 40) % (12 * MIB / PAGE) + 1) * PAGE;
		if (blocks[i].p) {
			check_filled(blocks[i].p, blocks[i].bytes, i);
			unmap(r, blocks[i].p, blocks[i].bytes);
		}
		blocks[i].p = map(r, bytes, flags);
		blocks[i].bytes = bytes;
		if (flags)
			check_zero(blocks[i].p, bytes);
		fill(blocks[i].p, bytes, i);
	}
	CHECK(stats(r).moved_bytes > 0, "moved=%" PRIu64, stats(r).moved_bytes);
	CHECK(region_resident(r) < 2 * BLOCKS * 12 * MIB / 2, "resident=%zu", region_resident(r));
	finish(r);
}

/* What the holder has done to his pages ends with them. */
static void test_tainted(void)
{
	struct upa_region *r = create(8 * MIB);
	char *base = upa_region_base(r);
	char *p = map(r, 4 * MIB, 0);
	char *q;
	void *foreign;

	fill(p, 4 * MIB, 1);
	CHECK(!upa_region_taint(r, p, 4 * MIB), "taint");
	CHECK(!mprotect(p, 64 * KIB, PROT_READ), "errno=%d", errno);
	CHECK(!madvise(p + 64 * KIB, 64 * KIB, MADV_DONTFORK), "errno=%d", errno);
	/* The contents move, the kernel's state does not. */
	CHECK(!upa_region_map_at(r, p + 4 * MIB, PAGE, 0), "in the way");
	errno = 0;
	CHECK(!upa_region_resize(r, p, 4 * MIB, 5 * MIB, 0) && errno == ENOMEM, "errno=%d", errno);
	check_filled(p, 4 * MIB, 1);
	unmap(r, p + MIB, 3 * MIB);
	CHECK(!upa_region_map_at(r, p + MIB, PAGE, 0), "in the way");
	q = upa_region_resize(r, p, MIB, 2 * MIB, 0);
	CHECK(q && q != p, "errno=%d", errno);
	check_filled(q, MIB, 1);
	memset(q, 1, 2 * MIB);
	unmap(r, q, 2 * MIB);
	unmap(r, p + MIB, PAGE);
	unmap(r, base + 4 * MIB, PAGE);

	p = map(r, 8 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 8 * MIB);
	memset(p, 2, 8 * MIB);
	/* Something mapped over a part in the middle; only a part is freed. */
	CHECK(!upa_region_taint(r, p + 2 * MIB, 2 * MIB), "taint");
	foreign = mmap(p + 2 * MIB, 2 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	CHECK(foreign == p + 2 * MIB, "errno=%d", errno);
	unmap(r, p + 2 * MIB, MIB);
	q = map(r, MIB, UPA_MAP_ZEROS);
	CHECK(q == p + 2 * MIB, "q-p=%td", q - p);
	check_zero(q, MIB);
	memset(q, 3, MIB);
	unmap(r, p, 8 * MIB);
	memset(map(r, 8 * MIB, 0), 4, 8 * MIB);
	finish(r);
}

/* ---- giving back, populating, clearing -------------------------------------------------------- */

static void test_give_back(void)
{
	struct upa_region *r;
	uint64_t seed = 9;
	char *live[64];

	/* Where huge pages are the system's default, a live page can keep 511 in memory that have never been used. */
	if (create_region(&r, 64 * MIB, UPA_REGION_NOHUGEPAGE))
		r = create(64 * MIB);
	for (int round = 0; round < 30; round++) {
		uint64_t limit = random_below(&seed, 40) * MIB + random_below(&seed, 3) * PAGE;
		size_t before;
		uint64_t retained;
		int64_t given;
		int n = 0;

		/* Live and free blocks side by side, small and large. */
		for (int i = 0; i < 64; i++) {
			size_t bytes = random_below(&seed, 6) ? 64 * KIB : 2 * MIB + PAGE;
			char *p = upa_region_map(r, bytes, 0);

			if (!p)
				break;
			if (random_below(&seed, 3)) {
				memset(p, 0x55, bytes);
				unmap(r, p, bytes);
			} else {
				fill(p, 64 * KIB, (uint64_t)n);
				if (bytes > 64 * KIB)
					unmap(r, p + 64 * KIB, bytes - 64 * KIB);
				live[n++] = p;
			}
		}
		retained = stats(r).retained_bytes;
		before = region_resident(r);
		given = upa_region_give_back(r, limit);
		CHECK(given >= 0 && given % (int64_t)PAGE == 0, "given=%" PRId64, given);
		CHECK(stats(r).retained_bytes <= limit, "retained=%" PRIu64 " limit=%" PRIu64, stats(r).retained_bytes,
		      limit);
		CHECK(retained > limit || given == 0, "given=%" PRId64, given);
		CHECK(region_resident(r) <= before, "resident=%zu before=%zu", region_resident(r), before);
		/* What stays is live memory and what was to be retained. */
		CHECK(region_resident(r) <= limit + (size_t)n * 64 * KIB, "resident=%zu limit=%" PRIu64 " live=%d",
		      region_resident(r), limit, n);
		for (int i = 0; i < n; i++) {
			check_filled(live[i], 64 * KIB, (uint64_t)i);
			unmap(r, live[i], 64 * KIB);
		}
	}
	CHECK(upa_region_give_back(r, 0) >= 0 && region_resident(r) == 0, "resident=%zu", region_resident(r));
	CHECK(upa_region_give_back(r, 0) == 0 && upa_region_give_back(r, UINT64_MAX) == 0, "nothing left");
	CHECK(stats(r).given_back_bytes > 0 && stats(r).retained_bytes == 0, "given=%" PRIu64,
	      stats(r).given_back_bytes);
	finish(r);
}

static void test_populate_and_clear(void)
{
	struct upa_region *r = create(32 * MIB);
	uint64_t cleared;
	char *p;

	CHECK(upa_region_populate(r, 0) == 0 && upa_region_clear(r, UINT64_MAX) == 0, "nothing to do");
	CHECK(upa_region_populate(r, 8 * MIB) == 8 * MIB, "populate");
	CHECK(region_resident(r) == 8 * MIB && stats(r).retained_bytes == 8 * MIB, "resident=%zu", region_resident(r));
	p = map(r, 8 * MIB, UPA_MAP_ZEROS);
	CHECK(resident(p, 8 * MIB) == 8 * MIB && !stats(r).cleared_bytes, "populated memory was not used");
	check_zero(p, 8 * MIB);
	memset(p, 1, 8 * MIB);
	unmap(r, p, 8 * MIB);
	CHECK(upa_region_clear(r, 8 * MIB) == 8 * MIB, "clear");
	cleared = stats(r).cleared_bytes;
	CHECK(cleared == 8 * MIB, "cleared=%" PRIu64, cleared);
	p = map(r, 8 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 8 * MIB);
	CHECK(stats(r).cleared_bytes == cleared, "cleared twice");
	unmap(r, p, 8 * MIB);
	/* No more than there is. */
	CHECK(upa_region_populate(r, UINT64_MAX) == 24 * MIB, "populate");
	CHECK(upa_region_give_back(r, 0) > 0 && region_resident(r) == 0, "resident=%zu", region_resident(r));
	p = map(r, 32 * MIB, UPA_MAP_FAULTED);
	CHECK(resident(p, 32 * MIB) == 32 * MIB, "resident=%zu", resident(p, 32 * MIB));
	finish(r);
}

static void test_stats(void)
{
	struct upa_region *r = create(8 * MIB);
	struct upa_region_stats st;
	char *p = map(r, 5, 0);
	char *q = map(r, 3 * MIB, 0);

	st = stats(r);
	CHECK(st.capacity_bytes == 8 * MIB && st.allocated_bytes == 3 * MIB + PAGE && st.maps == 2 && !st.unmaps,
	      "allocated=%" PRIu64, st.allocated_bytes);
	unmap(r, q, 3 * MIB);
	unmap(r, p, 5);
	st = stats(r);
	CHECK(!st.allocated_bytes && st.unmaps == 2 && st.retained_bytes >= 3 * MIB, "retained=%" PRIu64,
	      st.retained_bytes);
	finish(r);
}

static void check_calls(const struct upa_region *r, uint64_t maps, uint64_t unmaps, uint64_t failures)
{
	struct upa_region_stats st = stats(r);

	CHECK(st.maps == maps && st.unmaps == unmaps && st.failures == failures,
	      "maps=%" PRIu64 " unmaps=%" PRIu64 " failures=%" PRIu64, st.maps, st.unmaps, st.failures);
}

/* Calls are counted, and not what was done to free pages meanwhile. */
static void test_stats_count_calls(void)
{
	struct upa_region *r = create(32 * MIB);
	char *base = upa_region_base(r);
	char *p, *q;

	CHECK(upa_region_populate(r, 8 * MIB) == 8 * MIB, "populate");
	check_calls(r, 0, 0, 0);
	p = map(r, 24 * MIB, 0);
	fill(p, 24 * MIB, 1);
	unmap(r, p, 24 * MIB);
	check_calls(r, 1, 1, 0);
	CHECK(upa_region_clear(r, 4 * MIB) == 4 * MIB, "clear");
	CHECK(upa_region_give_back(r, 12 * MIB) == 12 * MIB && upa_region_give_back(r, 0) == 12 * MIB, "give back");
	check_calls(r, 1, 1, 0);
	/* A large run that takes memory from elsewhere. */
	for (int i = 0; i < 4; i++) {
		CHECK(!upa_region_map_at(r, base + i * 4 * MIB, 2 * MIB, 0), "map_at");
		fill(base + i * 4 * MIB, 2 * MIB, 1);
	}
	for (int i = 0; i < 4; i++)
		unmap(r, base + i * 4 * MIB, 2 * MIB);
	check_calls(r, 5, 5, 0);
	CHECK(!upa_region_map_at(r, base + 20 * MIB, 8 * MIB, 0) && stats(r).moved_bytes == 8 * MIB, "moved=%" PRIu64,
	      stats(r).moved_bytes);
	check_calls(r, 6, 5, 0);
	/* A move that exchanges page tables, with room aside and without. */
	unmap(r, base + 20 * MIB, 8 * MIB);
	p = map(r, 4 * MIB, 0);
	CHECK(!upa_region_map_at(r, p + 4 * MIB, PAGE, 0), "in the way");
	q = upa_region_resize(r, p, 4 * MIB, 5 * MIB, 0);
	CHECK(q && q != p, "errno=%d", errno);
	check_calls(r, 9, 7, 0);
	CHECK(!upa_region_resize(r, q, 5 * MIB, 64 * MIB, 0), "no room");
	CHECK(!upa_region_map(r, 31 * MIB, 0), "no room");
	check_calls(r, 9, 7, 2);
	CHECK(upa_region_resize(r, q, 5 * MIB, MIB, 0) == q && upa_region_resize(r, q, MIB, 2 * MIB, 0) == q,
	      "in place");
	check_calls(r, 10, 8, 2);
	errno = 0;
	CHECK(upa_region_map_at(r, q, PAGE, 0) == -EBUSY && upa_region_unmap(r, q + 4 * MIB, PAGE) == -EINVAL,
	      "refused");
	check_calls(r, 10, 8, 2);
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
		test_resize();
		test_stats();
		return 0;
	}
	test_create();
	test_sparse();
	test_misuse();
	test_exhaustion();
	test_address_space_limit();
	test_locked_process();
	test_zeros();
	test_zeros_by_resize_and_map_at();
	test_zeros_do_not_populate();
	test_zeros_of_parts_do_not_populate();
	test_resize();
	test_resize_across_mappings();
	test_relocation_keeps_memory();
	test_scavenge();
	test_scavenge_random();
	test_tainted();
	test_give_back();
	test_populate_and_clear();
	test_stats();
	test_stats_count_calls();
	return 0;
}
