/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_resize.c - blocks of a private region that grow, shrink and move, memory that goes along, and pages with
 * kernel state of their own.
 */
#include "region/region_harness.h"

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

/* A large block with kernel state of its own moves by copying: what it was treated as stays behind, and ends there. */
static void test_tainted_blocks_are_copied(void)
{
	struct upa_region *r = create(32 * MIB);
	char *p = map(r, 4 * MIB, 0);
	char *q;

	fill(p, 4 * MIB, 6);
	CHECK(!upa_region_taint(r, p, 4 * MIB), "taint");
	CHECK(!mprotect(p, 4 * MIB, PROT_READ), "errno=%d", errno);
	CHECK(!upa_region_map_at(r, p + 4 * MIB, PAGE, 0), "in the way");
	q = upa_region_resize(r, p, 4 * MIB, 5 * MIB, 0);
	CHECK(q && q != p, "errno=%d", errno);
	check_filled(q, 4 * MIB, 6);
	memset(q, 1, 5 * MIB);
	CHECK(!upa_region_map_at(r, p, 4 * MIB, UPA_MAP_ZEROS), "the old block is free");
	check_zero(p, 4 * MIB);
	memset(p, 2, 4 * MIB);
	finish(r);
}

/* Where page tables are exchanged, the run that helped is as empty as before. */
static void test_exchange_leaves_nothing(void)
{
	struct upa_region *r = create(64 * MIB);
	char *target = map(r, 6 * MIB, 0);
	char *p = map(r, 4 * MIB, 0);
	char *q;
	uint64_t memory;

	fill(target, 6 * MIB, 1);
	fill(p, 4 * MIB, 2);
	CHECK(!upa_region_map_at(r, p + 4 * MIB, PAGE, 0), "in the way");
	unmap(r, target, 6 * MIB);
	memory = region_resident(r);
	q = upa_region_resize(r, p, 4 * MIB, 5 * MIB, 0);
	CHECK(q == target, "moved by %td", q - target);
	check_filled(q, 4 * MIB, 2);
	CHECK(region_resident(r) == memory, "resident=%zu before=%" PRIu64, region_resident(r), memory);
	CHECK(stats(r).retained_bytes == 5 * MIB, "retained=%" PRIu64, stats(r).retained_bytes);
	finish(r);
}

int main(void)
{
	test_resize();
	if (on_device())
		return 0;
	test_resize_across_mappings();
	test_relocation_keeps_memory();
	test_scavenge();
	test_scavenge_random();
	test_tainted();
	test_tainted_blocks_are_copied();
	test_exchange_leaves_nothing();
	return 0;
}
