/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_give_back.c - memory of a private region's free pages: it really goes back to the kernel, is populated and
 * cleared ahead of need; and what the counters say of all calls.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "region/region_harness.h"
#include "region/region_private.h"
#include "region/types.h"

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

/* Blocks below and above what one word of a tree or a group tells of, of which little has been touched. */
static void test_shapes(void)
{
	static const size_t sizes[] = { 64 * KIB, MIB,      2 * MIB,   3 * MIB + PAGE,
					40 * MIB, 64 * MIB, 600 * MIB, 1100 * MIB };
	struct upa_region *r;
	uint64_t seed = 4;

	if (create_region(&r, 4096 * MIB, UPA_REGION_NOHUGEPAGE))
		r = create(4096 * MIB);
	for (int round = 0; round < 40; round++) {
		struct block {
			char *at;
			size_t bytes;
		} live[40];
		int n = 0;

		for (int i = 0; i < 40; i++) {
			size_t bytes = sizes[random_below(&seed, sizeof(sizes) / sizeof(*sizes))];
			bool zeros = random_below(&seed, 2);
			char *p = upa_region_map(r, bytes, zeros ? UPA_MAP_ZEROS : 0);
			size_t inside = random_below(&seed, bytes / PAGE) * PAGE;

			if (!p)
				continue;
			for (size_t at = 0; zeros && at<bytes; at += bytes> 64 * MIB ? 2 * MIB : PAGE)
				CHECK(!p[at] && !p[bytes - 1 - at], "round=%d at=%zu of %zu", round, at, bytes);
			memset(p, 0x55, PAGE);
			memset(p + inside, 0x55, PAGE);
			memset(p + bytes - PAGE, 0x55, PAGE);
			if (random_below(&seed, 3)) {
				unmap(r, p, bytes);
				continue;
			}
			live[n++] = (struct block){ p, bytes };
		}
		CHECK(upa_region_give_back(r, 0) >= 0 && stats(r).retained_bytes == 0, "round=%d retained=%" PRIu64,
		      round, stats(r).retained_bytes);
		for (int i = 0; i < n; i++) {
			CHECK(*live[i].at == 0x55, "a live page was given back");
			unmap(r, live[i].at, live[i].bytes);
		}
		CHECK(upa_region_give_back(r, 0) >= 0 && region_resident(r) == 0, "round=%d resident=%zu", round,
		      region_resident(r));
	}
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

/* What the kernel does not take back is not taken for gone: who needs zeros next gets zeros. */
static void test_give_back_refused(void)
{
	struct upa_region *r = create(8 * MIB);
	char *p = map(r, 2 * MIB, 0);

	memset(p, 1, 2 * MIB);
	/* The calls themselves: sanitizers do nothing for the functions. */
	if (syscall(SYS_mlock, p, 2 * MIB)) {
		finish(r);
		return;
	}
	unmap(r, p, 2 * MIB);
	CHECK(upa_region_give_back(r, 0) == -EINVAL, "locked memory went back");
	CHECK(stats(r).retained_bytes == 2 * MIB && !stats(r).given_back_bytes, "retained=%" PRIu64,
	      stats(r).retained_bytes);
	CHECK(!upa_region_map_at(r, p, 2 * MIB, UPA_MAP_ZEROS), "map_at");
	check_zero(p, 2 * MIB);
	CHECK(!syscall(SYS_munlock, p, 2 * MIB), "errno=%d", errno);
	finish(r);
}

/* Nobody need ask the kernel about memory that has been faulted in. */
static void test_faulted_is_known_to_be_resident(void)
{
	struct upa_region *r = create(8 * MIB);
	char *p = map(r, 2 * MIB + PAGE, UPA_MAP_FAULTED);
	uint64_t page = (uint64_t)(p - (char *)upa_region_base(r)) / PAGE;

	CHECK(upa_llfree_resident(&r->llfree, page) == 1, "its whole child");
	CHECK(!upa_llfree_resident(&r->llfree, page + 512), "a child of which it has a page");
	finish(r);
}

/* How much of a block had no memory when it was mapped; freed as such, it has none again. */
static void test_absent(void)
{
	struct upa_region *r;
	char *p;

	/* Huge pages would put memory behind what is not touched. */
	if (create_region(&r, 256 * MIB, UPA_REGION_NOHUGEPAGE))
		r = create(256 * MIB);
	p = map(r, 96 * MIB, 0);

	CHECK(upa_region_absent(r, p, 96 * MIB, SIZE_MAX) == 96 * MIB, "of fresh memory");
	CHECK(upa_region_absent(r, p, 96 * MIB, 3 * MIB) == 3 * MIB, "no further than that");
	memset(p, 1, 5 * MIB);
	unmap(r, p, 5 * MIB);
	CHECK(!upa_region_unmap_moved(r, p + 5 * MIB, 91 * MIB), "freed as absent");
	CHECK(stats(r).retained_bytes == 5 * MIB, "retained=%" PRIu64, stats(r).retained_bytes);
	CHECK(map(r, 96 * MIB, UPA_MAP_ZEROS) == p, "the block that has memory");
	check_zero(p, 96 * MIB);
	CHECK(upa_region_absent(r, p, 96 * MIB, SIZE_MAX) == 91 * MIB, "beside what is cleared");
	CHECK(upa_region_absent(r, p + 5 * MIB - PAGE, 3 * PAGE, SIZE_MAX) == 2 * PAGE, "at the border");
	CHECK(!upa_region_absent(r, p, 5 * MIB, SIZE_MAX), "where there is memory");
	CHECK(!upa_region_absent(r, p + 1, 96 * MIB, SIZE_MAX), "no block");
	unmap(r, p, 96 * MIB);
	finish(r);
}

int main(void)
{
	test_stats();
	if (on_device())
		return 0;
	test_give_back();
	test_shapes();
	test_give_back_refused();
	test_absent();
	test_populate_and_clear();
	test_faulted_is_known_to_be_resident();
	test_stats_count_calls();
	return 0;
}
