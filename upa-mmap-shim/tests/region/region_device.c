/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_device.c - what regions on /dev/upa promise beyond the contract of all back ends: the bound on deferred
 * unmapping, a pool that is used up to its last frame, grows and goes back, at its end or (UPA_REGION_RECLAIM) anywhere
 * and under memory pressure, relocation without copying, zeros. UPA_BACKEND=pte (the default here) or pte-raw. Skipped
 * without the device.
 */
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "region/device_harness.h"

/* Of a range whose pages are free or not, those that can be read. */
static uint64_t mapped_free_bytes(const char *p, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes; i += PAGE)
		n += touch(p + i) ? 0 : PAGE;
	return n;
}
static void test_refusals(void)
{
	struct upa_region *r;
	struct upa_region_options options = { .bytes = 8 * MIB, .backend = backend, .device = "/dev/no-such-device" };

	CHECK(upa_region_create_with(&r, &options) == -ENOENT, "no device");
	options.device = "/dev/null";
	CHECK(upa_region_create_with(&r, &options) == -ENODEV, "another device");
	options.backend = 3;
	CHECK(upa_region_create_with(&r, &options) == -EINVAL, "no such back end");
	options = (struct upa_region_options){ .bytes = 8 * MIB, .backend = backend, .flags = UPA_REGION_HUGEPAGE };
	CHECK(upa_region_create_with(&r, &options) == -EINVAL, "huge pages are the kernel's");
	options = (struct upa_region_options){
		.bytes = 8 * MIB, .backend = backend, .pool_bytes = 4 * MIB, .max_pool_bytes = 2 * MIB
	};
	CHECK(upa_region_create_with(&r, &options) == -EINVAL, "a pool larger than it may be");
	options = (struct upa_region_options){
		.bytes = 8 * MIB, .backend = backend, .pool_bytes = 1ul << 40, .max_pool_bytes = 1ul << 40
	};
	CHECK(upa_region_create_with(&r, &options) == -ENOMEM, "more than there is");
}

/* Every frame can be used, for any shape of request, and a shortage loses nothing. */
static void test_last_frame(void)
{
	struct upa_region *r = create(64 * MIB, 8 * MIB, UINT64_MAX);
	char *p = map(r, 8 * MIB, 0);
	char *q;

	fill(p, 8 * MIB, 1);
	for (int i = 0; i < 3; i++) {
		errno = 0;
		CHECK(!upa_region_map(r, i * MIB + 1, i & 1 ? UPA_MAP_ZEROS : 0) && errno == ENOMEM, "errno=%d", errno);
		errno = 0;
		CHECK(!upa_region_resize(r, p, 8 * MIB, 8 * MIB + PAGE, 0) && errno == ENOMEM, "errno=%d", errno);
	}
	check_filled(p, 8 * MIB, 1);
	check_region(r);
	/* Every other page: the frames come out of that, the addresses from where there are some. */
	for (size_t i = 0; i < 8 * MIB; i += 2 * PAGE)
		unmap(r, p + i, PAGE);
	q = map(r, 4 * MIB, UPA_MAP_ZEROS);
	check_zero(q, 4 * MIB);
	fill(q, 4 * MIB, 2);
	for (size_t i = PAGE; i < 8 * MIB; i += 2 * PAGE)
		CHECK(*(uint64_t *)(p + i) == (1 ^ i), "page=%zu", i / PAGE);
	CHECK(!upa_region_map(r, 1, 0), "no frame is left");
	check_filled(q, 4 * MIB, 2);
	check_region(r);
	unmap(r, q, 4 * MIB);
	for (size_t i = PAGE; i < 8 * MIB; i += 2 * PAGE)
		unmap(r, p + i, PAGE);
	p = map(r, 8 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 8 * MIB);
	finish(r);
}

static void test_deferral(void)
{
	struct upa_region *r = create(32 * MIB, 16 * MIB, MIB);
	char *p = map(r, 8 * MIB, 0);
	struct upa_region_stats st;

	fill(p, 8 * MIB, 1);
	unmap(r, p, MIB);
	check_filled(p, MIB, 1);
	unmap(r, p + MIB, 4 * MIB);
	CHECK(!mapped_free_bytes(p + MIB, 4 * MIB), "unmapped, but still there");
	CHECK(mapped_free_bytes(p, MIB) == MIB / 2, "kept=%" PRIu64, mapped_free_bytes(p, MIB));
	check_marks(p, 5 * MIB, 8 * MIB, 1);
	st = stats(r);
	CHECK(st.allocated_bytes == 3 * MIB, "allocated=%" PRIu64, st.allocated_bytes);
	finish(r);

	r = create(32 * MIB, 16 * MIB, 0);
	p = map(r, 64 * PAGE, 0);
	fill(p, 64 * PAGE, 1);
	unmap(r, p + PAGE, PAGE);
	CHECK(touch(p + PAGE) == SIGBUS, "a bound of 0 defers nothing");
	CHECK(!touch(p) && !touch(p + 2 * PAGE), "the neighbours are there");
	errno = 0;
	CHECK(upa_region_unmap(r, p, 64 * PAGE) == -EINVAL, "one page of it is free");
	check_region(r);
	unmap(r, p, PAGE);
	unmap(r, p + 2 * PAGE, 62 * PAGE);
	CHECK(touch(p) == SIGBUS, "all gone");
	finish(r);
}

/* What exceeds the bound goes in one batch, so that the next unmap finds room. */
static void test_deferral_amortised(void)
{
	struct upa_region *r = create(32 * MIB, 16 * MIB, MIB);
	char *p = map(r, 4 * MIB, 0);
	uint64_t kept;

	fill(p, 4 * MIB, 1);
	for (size_t i = 0; i < 4 * MIB; i += 64 * PAGE) {
		unmap(r, p + i, 64 * PAGE);
		kept = mapped_free_bytes(p, i + 64 * PAGE);
		CHECK(kept <= MIB, "i=%zu kept=%" PRIu64, i, kept);
		/* Every third unmap or so finds the bound reached, and leaves half of it. */
		CHECK(kept > 0 || i < 64 * PAGE, "i=%zu: nothing was kept", i);
	}
	check_region(r);
	finish(r);
}

/*
 * Of two threads that free parts of a child without their frames, one may record pages of the other as stale. Such
 * pages have no frame, and nothing goes wrong by that.
 */
static void test_recorded_without_frame(void)
{
	struct upa_region *r = create(8 * MIB, 2 * MIB, UINT64_MAX);
	char *p = map(r, 2 * MIB, 0);
	char *far = (char *)upa_region_base(r) + 6 * MIB;
	struct upa_llfree a;
	uint64_t *stale;

	CHECK(p == upa_region_base(r), "p=%p", (void *)p);
	fill(p, 2 * MIB, 1);
	unmap(r, p + 5 * PAGE, PAGE);
	CHECK(!upa_region_map_at(r, far, PAGE, 0), "its frame goes elsewhere");
	CHECK(touch(p + 5 * PAGE) == SIGBUS, "no frame");
	unmap(r, p, 5 * PAGE);
	unmap(r, p + 6 * PAGE, 2 * MIB - 6 * PAGE);
	CHECK(!upa_llfree_attach(&a, upa_region_state(r), upa_region_state_bytes(r)), "attach");
	CHECK(upa_llfree_child_state(&a, 0) == UPA_MIXED, "state=%d", upa_llfree_child_state(&a, 0));
	stale = (uint64_t *)((char *)a.bitmap + 64);
	CHECK(stale[0] == ~(1ull << 5), "stale=%#" PRIx64, stale[0]);
	stale[0] |= 1ull << 5;
	check_region(r);
	CHECK(!upa_region_clear(r, 2 * MIB), "a page of it cannot be cleared");
	check_region(r);
	unmap(r, far, PAGE);
	CHECK(map(r, 2 * MIB, UPA_MAP_ZEROS) == p, "the same pages");
	check_zero(p, 2 * MIB);
	finish(r);
}

/* The region's descriptor, as a program closes it that closes all of them. */
static void close_device(void)
{
	char name[32], target[64] = "";
	int fd;

	for (fd = 3; fd < 64; fd++) {
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		if (readlink(name, target, sizeof(target) - 1) > 0 && !strcmp(target, "/dev/upa"))
			break;
		memset(target, 0, sizeof(target));
	}
	CHECK(target[0] && !close(fd), "no descriptor of the device");
}

/*
 * A shoot-down is refused in the midst of pages of which some lost their frames after they had been chosen: what has
 * none is recorded so.
 */
static void test_refused_without_frames(void)
{
	struct upa_region *r = create(8 * MIB, 4 * MIB, 0);
	char *p = map(r, 2 * MIB, 0);
	struct upa_llfree a;
	uint64_t *stale;

	fill(p, 2 * MIB, 1);
	CHECK(!upa_llfree_attach(&a, upa_region_state(r), upa_region_state_bytes(r)), "attach");
	for (uint64_t page = 1; page < 512; page += 2) {
		unmap(r, p + page * PAGE, PAGE);
		CHECK(upa_llfree_get_at(&a, 0, page, 1) >= 0, "page=%" PRIu64, page);
	}
	close_device();
	unmap(r, p, 2 * MIB);
	CHECK(upa_llfree_child_state(&a, 0) == UPA_MIXED, "state=%d", upa_llfree_child_state(&a, 0));
	stale = (uint64_t *)((char *)a.bitmap + 64);
	for (int row = 0; row < 8; row++)
		CHECK(stale[row] == 0x5555555555555555, "row=%d stale=%#" PRIx64, row, stale[row]);
	check_filled(p, PAGE, 1);
	upa_region_destroy(r);
}

/* Frames stay at free pages where they are if only others are to get some ahead of need. */
static void test_populate(void)
{
	struct upa_region *r = create(16 * MIB, 4 * MIB, UINT64_MAX);
	char *p = map(r, 3 * MIB, 0);

	fill(p, 3 * MIB, 1);
	unmap(r, p, 3 * MIB);
	/* Of the pool's 2 children, one page more than a child is in use. */
	CHECK(upa_region_populate(r, 16 * MIB) == -ENOMEM, "only a half is free");
	CHECK(mapped_free_bytes(p, 3 * MIB) == 3 * MIB, "taken away");
	check_region(r);
	finish(r);

	r = create(16 * MIB, 8 * MIB, 3 * MIB);
	CHECK(upa_region_populate(r, 16 * MIB) == (int64_t)(2 * MIB), "more than may be kept");
	CHECK(!upa_region_populate(r, 16 * MIB), "more than may be kept");
	check_region(r);
	finish(r);
}

/* Frames of pages that were cleared ahead of need are known to be zero wherever they go. */
static void test_zeroed_frames_move(void)
{
	struct upa_region *r = create(16 * MIB, 4 * MIB, UINT64_MAX);
	char *p = map(r, 4 * MIB, 0);
	uint64_t cleared;

	fill(p, 4 * MIB, 1);
	unmap(r, p, 4 * MIB);
	CHECK(upa_region_clear(r, 4 * MIB) == (int64_t)(4 * MIB), "clear");
	cleared = stats(r).cleared_bytes;
	CHECK(cleared == 4 * MIB, "cleared=%" PRIu64, cleared);
	p = (char *)upa_region_base(r) + 8 * MIB;
	CHECK(!upa_region_map_at(r, p, 4 * MIB, UPA_MAP_ZEROS), "errno=%d", errno);
	check_zero(p, 4 * MIB);
	CHECK(stats(r).cleared_bytes == cleared, "cleared=%" PRIu64, stats(r).cleared_bytes);
	finish(r);
}

/* Requests are counted, and what was done for them is not. */
static void test_stats(void)
{
	struct upa_region *r = create(32 * MIB, 8 * MIB, UINT64_MAX);
	char *p = map(r, 6 * MIB, 0);
	char *q = map(r, 2 * MIB, 0);
	struct upa_region_stats st;

	errno = 0;
	CHECK(!upa_region_map(r, PAGE, 0) && errno == ENOMEM, "errno=%d", errno);
	CHECK(upa_region_map_at(r, q + 4 * MIB, PAGE, 0) == -ENOMEM, "no frame");
	CHECK(!upa_region_resize(r, q, 2 * MIB, 2 * MIB + PAGE, 0) && errno == ENOMEM, "errno=%d", errno);
	st = stats(r);
	CHECK(st.maps == 2 && !st.unmaps && st.failures == 3 && !st.retained_bytes,
	      "maps=%" PRIu64 " unmaps=%" PRIu64 " failures=%" PRIu64, st.maps, st.unmaps, st.failures);
	/* Every other page, whose frames are then taken away, run by run. */
	for (size_t i = 0; i < 6 * MIB; i += 2 * PAGE)
		unmap(r, p + i, PAGE);
	CHECK(stats(r).retained_bytes == 3 * MIB, "retained=%" PRIu64, stats(r).retained_bytes);
	CHECK(!upa_region_map_at(r, q + 4 * MIB, 2 * MIB, UPA_MAP_ZEROS), "scavenged");
	st = stats(r);
	CHECK(st.maps == 3 && st.unmaps == 768 && st.failures == 3,
	      "maps=%" PRIu64 " unmaps=%" PRIu64 " failures=%" PRIu64, st.maps, st.unmaps, st.failures);
	CHECK(st.retained_bytes == MIB, "retained=%" PRIu64, st.retained_bytes);
	/* A move to a place of which some pages have frames. */
	CHECK(!upa_region_map_at(r, q + 2 * MIB, PAGE, 0), "in the way");
	CHECK(upa_region_resize(r, q, 2 * MIB, 2 * MIB + PAGE, 0), "errno=%d", errno);
	st = stats(r);
	CHECK(st.maps == 5 && st.unmaps == 769 && st.failures == 3,
	      "maps=%" PRIu64 " unmaps=%" PRIu64 " failures=%" PRIu64, st.maps, st.unmaps, st.failures);
	CHECK(upa_region_populate(r, 32 * MIB) == -ENOMEM && upa_region_clear(r, 32 * MIB) >= 0, "ahead of need");
	CHECK(upa_region_give_back(r, 0) >= 0, "give back");
	CHECK(stats(r).maps == 5 && stats(r).unmaps == 769, "maps=%" PRIu64 " unmaps=%" PRIu64, stats(r).maps,
	      stats(r).unmaps);
	finish(r);
}

/* A copy would need frames that are not there. */
static void test_relocation(void)
{
	struct upa_region *r = create(128 * MIB, 16 * MIB, UINT64_MAX);
	char *p = map(r, 12 * MIB, 0);
	char *q;

	fill(p, 12 * MIB, 7);
	CHECK(!upa_region_map_at(r, p + 12 * MIB, PAGE, 0), "in the way");
	q = upa_region_resize(r, p, 12 * MIB, 15 * MIB, UPA_MAP_ZEROS);
	CHECK(q && q != p, "errno=%d", errno);
	check_filled(q, 12 * MIB, 7);
	check_zero(q + 12 * MIB, 3 * MIB);
	CHECK(touch(p) == SIGBUS, "the old place");
	CHECK(stats(r).moved_bytes == 12 * MIB, "moved=%" PRIu64, stats(r).moved_bytes);
	check_region(r);
	unmap(r, q, 15 * MIB);
	finish(r);

	/* To a place that has frames of its own, since no other is left. */
	r = create(32 * MIB, 32 * MIB, UINT64_MAX);
	p = map(r, 32 * MIB, 0);
	memset(p, 0xee, 32 * MIB);
	unmap(r, p + 3 * MIB, MIB);
	unmap(r, p + 8 * MIB, 24 * MIB);
	fill(p + 4 * MIB, 4 * MIB, 9);
	CHECK(!upa_region_map_at(r, p + 8 * MIB, PAGE, 0), "in the way");
	q = upa_region_resize(r, p + 4 * MIB, 4 * MIB, 6 * MIB, UPA_MAP_ZEROS);
	CHECK(q && q != p + 4 * MIB, "errno=%d", errno);
	check_filled(q, 4 * MIB, 9);
	check_zero(q + 4 * MIB, 2 * MIB);
	check_region(r);
	p = map(r, 4 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 4 * MIB);
	finish(r);
}

/* Only what stands at the end of the pool loses its place, and as much goes back as was too much. */
static void test_give_back_end(void)
{
	struct upa_region *r = create(64 * MIB, 16 * MIB, UINT64_MAX);
	char *p = map(r, 16 * MIB, 0);

	fill(p, 16 * MIB, 1);
	unmap(r, p, 16 * MIB);
	CHECK(upa_region_give_back(r, 9 * MIB) == (int64_t)(8 * MIB), "from 16 MiB to 9 or less, by 2");
	CHECK(stats(r).retained_bytes == 8 * MIB, "retained=%" PRIu64, stats(r).retained_bytes);
	CHECK(mapped_free_bytes(p, 16 * MIB) == 8 * MIB, "kept=%" PRIu64, mapped_free_bytes(p, 16 * MIB));
	check_region(r);
	p = map(r, PAGE, 0);
	CHECK(upa_region_give_back(r, 0) >= (int64_t)(4 * MIB), "all but the page in use, or what is below it");
	check_region(r);
	finish(r);
}

static void test_give_back(void)
{
	struct upa_region *r = create(64 * MIB, 32 * MIB, UINT64_MAX);
	char *p = map(r, 24 * MIB, 0);
	char *q = map(r, MIB, 0);
	int64_t given;

	fill(p, 24 * MIB, 1);
	fill(q, MIB, 2);
	unmap(r, p, 24 * MIB);
	CHECK(stats(r).retained_bytes >= 24 * MIB, "retained=%" PRIu64, stats(r).retained_bytes);
	given = upa_region_give_back(r, 8 * MIB);
	if (backend == UPA_BACKEND_PTE_RAW) {
		CHECK(given == 0, "the module does not take raw frames back: given=%" PRId64, given);
	} else {
		CHECK(given > 0 && stats(r).given_back_bytes == (uint64_t)given, "given=%" PRId64, given);
		CHECK(stats(r).retained_bytes >= 6 * MIB, "retained=%" PRIu64, stats(r).retained_bytes);
		check_region(r);
		CHECK(upa_region_give_back(r, 0) >= 0, "give back");
	}
	check_filled(q, MIB, 2);
	check_region(r);
	if (backend == UPA_BACKEND_PTE)
		test_give_back_end();
	p = map(r, 30 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 30 * MIB);
	unmap(r, p, 30 * MIB);
	CHECK(upa_region_populate(r, 4 * MIB) == -ENOMEM, "but for 1 MiB, all frames stand at pages");
	CHECK(upa_region_clear(r, 4 * MIB) == (int64_t)(4 * MIB), "ahead of need");
	check_region(r);
	p = map(r, 8 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 8 * MIB);
	check_filled(q, MIB, 2);
	finish(r);
}

/* Pages free in this machine. */
static long free_pages(void)
{
	char line[128];
	long kilobytes = 0;
	FILE *f = fopen("/proc/meminfo", "r");

	CHECK(f, "errno=%d", errno);
	while (fgets(line, sizeof(line), f) && sscanf(line, "MemFree: %ld", &kilobytes) != 1)
		;
	fclose(f);
	return kilobytes / 4;
}

/* Frames go back wherever they are in the pool. */
static void test_give_back_anywhere(void)
{
	struct upa_region_options options = { .bytes = 8 * MIB, .flags = UPA_REGION_RECLAIM };
	struct upa_region *r;
	uint64_t retained;
	int64_t given;
	char *p, *q;

	CHECK(upa_region_create_with(&r, &options) == -EINVAL, "linear");
	options.backend = UPA_BACKEND_PTE_RAW;
	CHECK(upa_region_create_with(&r, &options) == -EINVAL, "raw");
	if (backend != UPA_BACKEND_PTE)
		return;
	r = create_reclaimed(256 * MIB, 64 * MIB, UINT64_MAX);
	p = map(r, 64 * MIB, 0);
	fill(p, 64 * MIB, 1);
	/* Of each 4 MiB a page stays, the last of them at the end of the pool. */
	for (size_t i = 0; i < 64 * MIB; i += 4 * MIB)
		unmap(r, p + i, 4 * MIB - PAGE);
	given = upa_region_give_back(r, 0);
	CHECK(given >= (int64_t)(24 * MIB), "given=%" PRId64, given);
	retained = stats(r).retained_bytes;
	CHECK(retained <= 64 * MIB - (uint64_t)given, "retained=%" PRIu64 " given=%" PRId64, retained, given);
	CHECK(!upa_region_give_back(r, 0), "a second time");
	check_region(r);
	q = map(r, 60 * MIB, UPA_MAP_ZEROS);
	check_zero(q, 60 * MIB);
	fill(q, 60 * MIB, 3);
	for (size_t i = 4 * MIB; i <= 64 * MIB; i += 4 * MIB)
		check_marks(p, i - PAGE, i, 1);
	check_filled(q, 60 * MIB, 3);
	finish(r);
}

/* Entries of 2 MiB that the module has set for the one region of this process, so far; -1: it does not say. */
static long block_entries(void)
{
	char line[1000], *word, *rest;
	long entries = -1, owner;
	int column = -1, at;
	FILE *f;

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	f = fopen("/sys/kernel/debug/upa/regions", "r");
	/* The first line names the columns. */
	while (f && fgets(line, sizeof(line), f)) {
		owner = strtol(line, NULL, 10);
		word = strtok_r(line, " \n", &rest);
		for (at = 0; word; at++, word = strtok_r(NULL, " \n", &rest)) {
			if (!strcmp(word, "block_entries"))
				column = at;
			else if (owner == getpid() && at == column)
				entries = strtol(word, NULL, 10);
		}
	}
	if (f)
		fclose(f);
	return entries;
}

/* Blocks of 2 MiB are mapped by one entry, also after they have moved; what is freed in part is single pages. */
static void test_blocks(void)
{
	struct upa_region_options options = { .bytes = 64 * MIB, .flags = UPA_REGION_BLOCKS };
	struct upa_region *r;
	long before, entries;
	char *p, *q;

	CHECK(upa_region_create_with(&r, &options) == -EINVAL, "linear");
	options.backend = UPA_BACKEND_PTE_RAW;
	CHECK(upa_region_create_with(&r, &options) == -EINVAL, "raw");
	if (backend != UPA_BACKEND_PTE)
		return;
	options.backend = backend;
	options.pool_bytes = options.max_pool_bytes = 32 * MIB;
	options.max_deferred_bytes = UINT64_MAX;
	CHECK(!create_region_with(&r, &options), "blocks");
	p = map(r, 8 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 8 * MIB);
	fill(p, 8 * MIB, 5);
	entries = block_entries();
	CHECK(entries == -1 || entries >= 3, "entries=%ld", entries);
	q = map(r, 4 * MIB, 0);
	fill(q, 4 * MIB, 6);
	/* A hole in the middle, whose pages somebody else gets and gives back beside those that stay. */
	unmap(r, p + 3 * MIB, 64 * PAGE);
	check_region(r);
	CHECK(upa_region_map_at(r, p + 3 * MIB, 64 * PAGE, 0) == 0, "the hole");
	fill(p + 3 * MIB, 64 * PAGE, 7);
	unmap(r, p + 3 * MIB, 64 * PAGE);
	upa_region_give_back(r, 0);
	check_region(r);
	check_marks(p, 0, 3 * MIB, 5);
	check_marks(p, 3 * MIB + 64 * PAGE, 8 * MIB, 5);
	CHECK(upa_region_map_at(r, p + 3 * MIB, 64 * PAGE, UPA_MAP_ZEROS) == 0, "the hole again");
	check_zero(p + 3 * MIB, 64 * PAGE);
	/* With something behind it, it moves, and its blocks with it. */
	before = block_entries();
	p = upa_region_resize(r, q, 4 * MIB, 12 * MIB, UPA_MAP_ZEROS);
	CHECK(p, "errno=%d", errno);
	check_filled(p, 4 * MIB, 6);
	check_zero(p + 4 * MIB, 8 * MIB);
	entries = block_entries();
	CHECK(before == -1 || entries > before, "before=%ld entries=%ld", before, entries);
	finish(r);
}

static long free_pages(void);

/*
 * All memory of a small machine is wanted by somebody else: the frames that are free go, those in use keep what is in
 * them, also when their blocks are moved meanwhile.
 */
static void test_pressure(void)
{
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * PAGE, pool, wanted, retained;
	struct upa_region *r;
	char *kept, *p, *moved;
	pid_t child;
	int status, moves = 0;

	if (backend != UPA_BACKEND_PTE || memory > 4096 * MIB)
		return;
	pool = memory / 4 / MIB / 2 * 2 * MIB;
	r = create_reclaimed(2 * pool, pool, 0);
	kept = map(r, 8 * MIB, 0);
	fill(kept, 8 * MIB, 11);
	p = map(r, pool - 64 * MIB, 0);
	fill(p, pool - 64 * MIB, 12);
	unmap(r, p, pool - 64 * MIB);
	retained = stats(r).retained_bytes;
	CHECK(retained >= pool - 64 * MIB, "retained=%" PRIu64, retained);
	wanted = (uint64_t)free_pages() * PAGE + pool / 2;
	fflush(stdout);
	child = fork();
	CHECK(child >= 0, "errno=%d", errno);
	if (!child) {
		char *all =
			mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		madvise(all, wanted, MADV_HUGEPAGE);
		for (uint64_t i = 0; all != MAP_FAILED && i < wanted; i += PAGE)
			all[i] = 1;
		_exit(all == MAP_FAILED);
	}
	do {
		/* With something behind it, it moves. */
		bool blocked = !upa_region_map_at(r, kept + 8 * MIB, PAGE, 0);

		moved = upa_region_resize(r, kept, 8 * MIB, 10 * MIB, 0);
		CHECK(moved, "errno=%d", errno);
		if (blocked)
			unmap(r, kept + 8 * MIB, PAGE);
		moves += moved != kept;
		kept = upa_region_resize(r, moved, 10 * MIB, 8 * MIB, 0);
		CHECK(kept == moved, "errno=%d", errno);
		check_filled(kept, 8 * MIB, 11);
	} while (waitpid(child, &status, WNOHANG) != child);
	CHECK(moves, "the block has not moved");
	CHECK(WIFEXITED(status) && !WEXITSTATUS(status), "the other process was killed: status=%#x", status);
	CHECK(stats(r).retained_bytes < retained - pool / 4, "retained=%" PRIu64 " before=%" PRIu64,
	      stats(r).retained_bytes, retained);
	check_filled(kept, 8 * MIB, 11);
	p = map(r, pool - 64 * MIB, UPA_MAP_ZEROS);
	check_zero(p, pool - 64 * MIB);
	check_filled(kept, 8 * MIB, 11);
	finish(r);
}

static void test_no_leak(void)
{
	long before = 0, after;

	for (int i = 0; i < 20; i++) {
		struct upa_region *r = create(64 * MIB, 32 * MIB, MIB * (unsigned)i);
		char *p = map(r, 16 * MIB, UPA_MAP_ZEROS);

		if (i == 4)
			before = free_pages();
		fill(p, 16 * MIB, 1);
		unmap(r, p, 8 * MIB);
		CHECK(!upa_region_destroy(r), "destroy");
	}
	after = free_pages();
	/* One region held 4 096 frames; some hundred wait in lists of each processor. */
	CHECK(after > before - 4096, "free pages before=%ld after=%ld", before, after);
}

int main(void)
{
	if (on_device())
		backend = test_backend();
	{
		struct upa_region *r = create(2 * MIB, 2 * MIB, 0);

		CHECK(!upa_region_destroy(r), "destroy");
	}
	test_refusals();
	test_last_frame();
	test_deferral();
	test_deferral_amortised();
	test_recorded_without_frame();
	test_refused_without_frames();
	test_populate();
	test_zeroed_frames_move();
	test_stats();
	test_relocation();
	test_give_back();
	test_give_back_anywhere();
	test_blocks();
	test_pressure();
	test_no_leak();
	return 0;
}
