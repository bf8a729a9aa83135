/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_lazy.c - a private region some of whose free memory the kernel may take at any instant: whoever gets such
 * memory keeps it from then on, zeros are zeros, and what the kernel has taken does not become resident by being handed
 * out. The kernel is made to take what it may by MADV_PAGEOUT.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <upa/region.h>

#include "test_backend.h"
#include "check.h"
#include "region/region_private.h"
#include "region/types.h"
#include "units.h"

#define OLD 0x5a

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static struct upa_region *region;

static char *map(size_t bytes, uint32_t flags)
{
	char *p = upa_region_map(region, bytes, flags);

	CHECK(p, "bytes=%zu errno=%d", bytes, errno);
	return p;
}

static void unmap(char *p, size_t bytes)
{
	CHECK(!upa_region_unmap(region, p, bytes), "bytes=%zu", bytes);
}

static size_t resident(const char *p, size_t bytes)
{
	static unsigned char pages[64 * MIB / PAGE];
	size_t n = 0;

	CHECK(bytes / PAGE <= sizeof(pages) && !mincore((void *)p, bytes, pages), "errno=%d", errno);
	for (size_t i = 0; i < bytes / PAGE; i++)
		n += (pages[i] & 1) * PAGE;
	return n;
}

/* The kernel takes whatever it may. */
static void take(char *p, size_t bytes)
{
	CHECK(!madvise(p, bytes, MADV_PAGEOUT), "errno=%d", errno);
}

/* Does each page hold old bytes, but perhaps in its first one? */
static void check_old(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE)
		CHECK(p[i + 1] == OLD && p[i + PAGE - 1] == OLD, "offset=%zu", i);
}

static void check_zero(const char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		CHECK(!p[i], "offset=%zu", i);
}

static uint64_t page_of(const char *p)
{
	return (uint64_t)(p - region->base) / PAGE;
}

/* Free memory of old bytes that the kernel may take, as a scavenger leaves it. */
static void leave_lazy(char *p, size_t bytes)
{
	uint64_t first = page_of(p), pages = bytes / PAGE;

	CHECK(upa_llfree_get_at(&region->llfree, 1, first, pages) >= 0, "offset=%zu", (size_t)(p - region->base));
	memset(p, OLD, bytes);
	CHECK(!madvise(p, bytes, MADV_FREE), "errno=%d", errno);
	CHECK(!upa_llfree_set_stale(&region->llfree, first, pages), "set_stale");
	CHECK(!upa_llfree_set_lazy(&region->llfree, first, pages), "set_lazy");
	CHECK(!upa_llfree_put_run(&region->llfree, 1, first, pages, UPA_PUT_UNTOUCHED), "put");
}

static uint64_t lazy_pages(void)
{
	struct upa_llfree_stats st;

	upa_llfree_get_stats(&region->llfree, &st);
	return st.lazy_pages;
}

#define IS_LAZY(bytes) CHECK(lazy_pages() * PAGE == (bytes), "lazy_pages=%" PRIu64, lazy_pages())

static void begin_as(uint32_t flags)
{
	CHECK(!create_region(&region, 64 * MIB, flags | UPA_REGION_NOHUGEPAGE), "create");
}

static void begin(void)
{
	begin_as(0);
}

static void end(void)
{
	char message[200] = "";

	CHECK(!upa_region_validate(region, message, sizeof(message)), "%s", message);
	CHECK(!upa_region_destroy(region), "destroy");
}

/* Does this kernel take what it may when told to, and is there nowhere it could put the rest? */
static bool kernel_takes(void)
{
	bool takes;

	begin();
	leave_lazy(region->base, MIB);
	memset(region->base + MIB, OLD, MIB);
	take(region->base, 2 * MIB);
	takes = resident(region->base, MIB) < MIB / 4 && resident(region->base + MIB, MIB) == MIB;
	end();
	return takes;
}

/* What is mapped stays, of each size: one page, parts of a child, whole ones and a part. */
static void test_mapped_stays(void)
{
	static const size_t sizes[] = { PAGE, 100 * KIB, MIB, 2 * MIB, 5 * MIB, 33 * MIB };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t bytes = sizes[i], settled;
		char *p;

		begin();
		leave_lazy(region->base, 40 * MIB);
		CHECK(lazy_pages() == 40 * MIB / PAGE, "lazy_pages=%" PRIu64, lazy_pages());
		p = map(bytes, 0);
		CHECK(p == region->base, "elsewhere");
		take(region->base, 40 * MIB);
		check_old(p, bytes);
		/* The kernel may leave a few pages alone, which are on their way to its lists. */
		settled = (bytes + 2 * MIB - 1) / (2 * MIB) * 2 * MIB;
		CHECK(resident(p, settled) == settled && resident(p + settled, 40 * MIB - settled) < MIB,
		      "bytes=%zu resident=%zu", bytes, resident(region->base, 40 * MIB));
		/* Children of which something was mapped are ordinary again, the others are not. */
		for (size_t c = 0; c < 40 * MIB; c += 2 * MIB)
			CHECK(upa_llfree_lazy(&region->llfree, page_of(region->base + c)) == (c >= bytes),
			      "bytes=%zu child at %zu", bytes, c);
		unmap(p, bytes);
		end();
	}
}

/* A child of which others hold pages stays lazy, and each block in it is written to. */
static void test_shared_child(void)
{
	char *p, *q;

	begin();
	CHECK(!upa_region_map_at(region, region->base + 2 * MIB - PAGE, PAGE, 0), "map_at");
	leave_lazy(region->base, 2 * MIB - PAGE);
	p = map(MIB, 0);
	q = map(16 * PAGE, 0);
	CHECK(p == region->base && q == p + MIB && upa_llfree_lazy(&region->llfree, 0) == 1, "offset=%zd", q - p);
	take(region->base, 2 * MIB);
	check_old(p, MIB + 16 * PAGE);
	CHECK(resident(q + 16 * PAGE, MIB - 17 * PAGE) < MIB / 2, "free memory is there");
	/* Until all of it is one block's, or free but for it. */
	unmap(p, MIB);
	unmap(region->base + 2 * MIB - PAGE, PAGE);
	CHECK(upa_region_resize(region, q, 16 * PAGE, 20 * PAGE, UPA_MAP_INPLACE) == q, "errno=%d", errno);
	CHECK(upa_llfree_lazy(&region->llfree, 0) == 1, "pages of its own block are in the way");
	unmap(q, 20 * PAGE);
	CHECK(map(PAGE, 0) && !upa_llfree_lazy(&region->llfree, 0), "still lazy");
	end();
}

/* A block with a part of each of two children: the rest of both is settled, too. */
static void test_two_children(void)
{
	begin();
	leave_lazy(region->base, 4 * MIB);
	CHECK(!upa_region_map_at(region, region->base + MIB, 2 * MIB, 0), "map_at");
	check_old(region->base + MIB, 2 * MIB);
	CHECK(!upa_llfree_lazy(&region->llfree, 0), "the first child is lazy");
	CHECK(!upa_llfree_lazy(&region->llfree, UPA_CHILD_PAGES), "the second child is lazy");
	end();
}

/* Zeros, whether the kernel has taken the memory or not; and they stay. */
static void test_zeros(void)
{
	static const size_t sizes[] = { PAGE, 100 * KIB, MIB, 2 * MIB, 5 * MIB };

	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t bytes = sizes[i / 2];
		char *p;

		begin();
		leave_lazy(region->base, 10 * MIB);
		if (i % 2)
			take(region->base, 10 * MIB);
		p = map(bytes, UPA_MAP_ZEROS);
		CHECK(p == region->base, "elsewhere");
		CHECK(!(i % 2) || resident(p, bytes) <= MIB / 2 || bytes < 128 * KIB, "resident=%zu",
		      resident(p, bytes));
		check_zero(p, bytes);
		memset(p, OLD, bytes);
		take(p, bytes);
		check_old(p, bytes);
		unmap(p, bytes);
		end();
	}
}

/* What the kernel has taken is not put back by handing it out. */
static void test_taken_stays_away(void)
{
	size_t left;
	char *p;

	begin();
	leave_lazy(region->base, 10 * MIB);
	take(region->base, 10 * MIB);
	left = resident(region->base, 8 * MIB);
	p = map(8 * MIB, 0);
	CHECK(p == region->base && left < MIB && resident(p, 8 * MIB) <= left, "resident=%zu left=%zu",
	      resident(p, 8 * MIB), left);
	unmap(p, 8 * MIB);
	end();
}

/* The same by resizing, at a place, and by mapping there. */
static void test_other_ways(void)
{
	char *p, *q;

	begin();
	leave_lazy(region->base, 16 * MIB);
	CHECK(!upa_region_map_at(region, region->base + MIB, 3 * MIB, 0), "map_at");
	p = region->base + MIB;
	CHECK(upa_region_resize(region, p, 3 * MIB, 5 * MIB, UPA_MAP_INPLACE) == p, "errno=%d", errno);
	take(region->base, 16 * MIB);
	check_old(p, 5 * MIB);

	/* It moves to where memory may vanish, by page tables: its memory comes along, and that of the target stays. */
	leave_lazy(region->base + 8 * MIB, 8 * MIB);
	CHECK(!upa_region_map_at(region, region->base + 6 * MIB, PAGE, 0), "map_at");
	memset(p, 1, 5 * MIB);
	q = upa_region_resize(region, p, 5 * MIB, 7 * MIB, 0);
	CHECK(q == region->base + 8 * MIB, "offset=%zd errno=%d", q - region->base, errno);
	take(region->base, 16 * MIB);
	for (size_t i = 0; i < 5 * MIB; i++)
		CHECK(q[i] == 1, "offset=%zu", i);
	check_old(q + 5 * MIB, 2 * MIB);
	unmap(q, 7 * MIB);
	end();
}

/* Memory of lazy children that is scavenged stays where it is put. */
static void test_scavenged_stays(void)
{
	char *p, *far = NULL;

	begin();
	/* Populated free children in the middle of the region, and none wide enough for what comes. */
	far = region->base + 40 * MIB;
	leave_lazy(far, 8 * MIB);
	CHECK(!upa_region_map_at(region, far - PAGE, PAGE, 0), "map_at");
	CHECK(!upa_region_map_at(region, far + 8 * MIB, PAGE, 0), "map_at");
	p = map(16 * MIB, 0);
	CHECK(p == region->base, "offset=%zd", p - region->base);
	CHECK(resident(p, 16 * MIB) >= 8 * MIB, "nothing was scavenged: resident=%zu", resident(p, 16 * MIB));
	take(region->base, 64 * MIB);
	for (size_t i = 0, old = 0; i < 16 * MIB; i += PAGE) {
		old += p[i + 1] == OLD;
		CHECK(i + PAGE < 16 * MIB || old == 8 * MIB / PAGE, "pages with old bytes=%zu", old);
	}
	unmap(p, 16 * MIB);
	end();
}

static struct upa_region_kept kept(void)
{
	struct upa_region_kept is;

	CHECK(!upa_region_get_kept(region, &is), "kept");
	return is;
}

/* Whole free children are marked from the far end, as many as are asked for; parts only if strictly, and they go. */
static void test_marking(void)
{
	char *p, *hole;

	begin();
	p = map(40 * MIB, 0);
	memset(p, OLD, 40 * MIB);
	unmap(p, 40 * MIB);
	IS_LAZY(0);
	CHECK(upa_region_make_lazy(region, 40 * MIB, true) == 0, "nothing is beyond that");
	CHECK(upa_region_make_lazy(region, 30 * MIB, false) == 10 * MIB, "not as much as asked for");
	IS_LAZY(10 * MIB);
	CHECK(upa_region_make_lazy(region, 30 * MIB, false) == 0, "marked twice");
	take(p, 40 * MIB);
	CHECK(resident(p, 30 * MIB) == 30 * MIB && resident(p + 30 * MIB, 10 * MIB) < MIB, "resident=%zu",
	      resident(p, 40 * MIB));
	/* Whoever gets what was not marked finds it, and what is mapped is never marked. */
	hole = p + 21 * MIB;
	CHECK(!upa_region_map_at(region, hole, PAGE, 0) && hole[1] == OLD, "map_at");
	CHECK(upa_region_make_lazy(region, 0, false) == 28 * MIB, "not all of it");
	IS_LAZY(38 * MIB);
	CHECK(upa_region_make_lazy(region, 0, true) == 2 * MIB - PAGE, "parts stay");
	IS_LAZY(38 * MIB);
	CHECK(kept().retained_bytes == 38 * MIB && hole[1] == OLD, "retained=%" PRIu64, kept().retained_bytes);
	take(p, 40 * MIB);
	check_old(hole, PAGE);
	unmap(hole, PAGE);
	end();
}

/* Zeros, with marks and without; and what the kernel has taken is known once somebody has looked. */
static void test_taken_is_found(void)
{
	size_t left;
	char *p;

	begin();
	p = map(20 * MIB, 0);
	memset(p, OLD, 20 * MIB);
	unmap(p, 20 * MIB);
	CHECK(upa_region_make_lazy(region, 10 * MIB, false) == 10 * MIB, "make_lazy");
	CHECK(!upa_region_find_taken(region), "nothing is taken yet");
	IS_LAZY(10 * MIB);
	take(p, 20 * MIB);
	left = (size_t)kept().retained_bytes - (size_t)upa_region_find_taken(region);
	CHECK(left < 16 * MIB && left == kept().retained_bytes && upa_region_taken_bytes(region) == 20 * MIB - left,
	      "left=%zu taken=%" PRIu64, left, upa_region_taken_bytes(region));
	CHECK(!upa_region_find_taken(region), "found twice");
	p = map(20 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 20 * MIB);
	memset(p, OLD, 20 * MIB);
	take(p, 20 * MIB);
	check_old(p, 20 * MIB);
	unmap(p, 20 * MIB);
	end();
}

/* Free memory that nobody may touch is marked and taken as any other. */
static void test_fenced(void)
{
	size_t left;
	char *p;

	begin_as(UPA_REGION_FENCED);
	p = map(20 * MIB, 0);
	memset(p, OLD, 20 * MIB);
	unmap(p, 20 * MIB);
	CHECK(!upa_region_map_at(region, p + 19 * MIB, PAGE, 0), "map_at");
	CHECK(upa_region_make_lazy(region, 4 * MIB, false) == 16 * MIB, "what can be marked");
	CHECK(upa_region_make_lazy(region, 2 * MIB, true) == 2 * MIB, "before it is given back it is marked");
	CHECK(kept().retained_bytes == 20 * MIB - PAGE, "retained=%" PRIu64, kept().retained_bytes);
	CHECK(!upa_region_make_lazy(region, MIB, true), "as much again stays");
	CHECK(upa_region_make_lazy(region, MIB - PAGE, true) == 2 * MIB - PAGE, "more does not");
	IS_LAZY(18 * MIB);
	CHECK(kept().retained_bytes == 18 * MIB, "retained=%" PRIu64, kept().retained_bytes);
	take(p, 20 * MIB);
	check_old(p + 19 * MIB, PAGE);
	left = (size_t)kept().retained_bytes - (size_t)upa_region_find_taken(region);
	CHECK(left < 16 * MIB && left == kept().retained_bytes, "left=%zu", left);
	unmap(p + 19 * MIB, PAGE);
	p = map(20 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 20 * MIB);
	memset(p, OLD, 20 * MIB);
	unmap(p, 20 * MIB);
	CHECK(upa_region_make_lazy(region, 0, false) == 20 * MIB, "make_lazy");
	/* Who gets some of it keeps that; what is free beside it goes, for nobody can write to it. */
	CHECK(!upa_region_map_at(region, p, 5 * MIB, 0), "map_at");
	CHECK(!upa_region_map_at(region, p + 9 * MIB, PAGE, 0), "map_at");
	IS_LAZY(12 * MIB);
	CHECK(kept().retained_bytes == 12 * MIB, "retained=%" PRIu64, kept().retained_bytes);
	take(p, 20 * MIB);
	check_old(p, 5 * MIB);
	check_old(p + 9 * MIB, PAGE);
	unmap(p, 5 * MIB);
	unmap(p + 9 * MIB, PAGE);
	IS_LAZY(12 * MIB);
	end();
}

/* What a file's memory, which cannot be marked, must not keep goes. */
static void test_shared(void)
{
	char directory[] = "/dev/shm/upa-lazy-XXXXXX";
	char file[64];
	char *p;

	CHECK(mkdtemp(directory), "errno=%d", errno);
	snprintf(file, sizeof(file), "%s/region", directory);
	CHECK(!upa_region_create_shared(&region, file, 64 * MIB, 0), "create_shared");
	p = map(20 * MIB, 0);
	memset(p, OLD, 20 * MIB);
	unmap(p, 20 * MIB);
	CHECK(!upa_region_make_lazy(region, 0, false) && kept().retained_bytes == 20 * MIB, "it cannot be marked");
	CHECK(upa_region_make_lazy(region, 4 * MIB, true) == 16 * MIB, "make_lazy");
	CHECK(kept().retained_bytes == 4 * MIB && !kept().lazy_bytes, "retained=%" PRIu64, kept().retained_bytes);
	end();
	CHECK(!unlink(file) && !rmdir(directory), "errno=%d", errno);
}

/* Every block as its holder left it, whoever marks, takes and finds out meanwhile; zeros where they are promised. */
static void *disturb(void *stop)
{
	unsigned i = 0;

	while (!__atomic_load_n((bool *)stop, __ATOMIC_ACQUIRE)) {
		upa_region_make_lazy(region, i % 4 * MIB, i % 3);
		if (i % 2)
			madvise(region->base, 64 * MIB, MADV_PAGEOUT);
		if (i++ % 5 == 0)
			upa_region_find_taken(region);
		if (i % 16 == 0)
			upa_region_give_back(region, i % 7 * MIB);
	}
	return NULL;
}

struct block {
	char *at;
	size_t bytes;
};

static void check_owned(const struct block *b, unsigned char mark)
{
	for (size_t i = 0; i < b->bytes; i += PAGE)
		CHECK((unsigned char)b->at[i] == mark && (unsigned char)b->at[i + PAGE - 1] == mark, "offset=%zu", i);
}

static void *own(void *argument)
{
	unsigned seed = (unsigned)(uintptr_t)argument;
	unsigned char mark = (unsigned char)seed;
	struct block blocks[8] = { { NULL, 0 } };

	for (int round = 0; round < 3000; round++) {
		struct block *b = &blocks[rand_r(&seed) % 8];
		bool zeros = rand_r(&seed) % 2;

		if (b->at) {
			check_owned(b, mark);
			CHECK(!upa_region_unmap(region, b->at, b->bytes), "unmap");
			b->at = NULL;
			continue;
		}
		b->bytes = PAGE << rand_r(&seed) % 11;
		b->at = upa_region_map(region, b->bytes, zeros ? UPA_MAP_ZEROS : 0);
		if (!b->at)
			continue;
		for (size_t i = 0; zeros && i < b->bytes; i += 512)
			CHECK(!b->at[i], "offset=%zu", i);
		for (size_t i = 0; i < b->bytes; i += PAGE)
			b->at[i] = b->at[i + PAGE - 1] = (char)mark;
	}
	for (int i = 0; i < 8; i++)
		if (blocks[i].at) {
			check_owned(&blocks[i], mark);
			CHECK(!upa_region_unmap(region, blocks[i].at, blocks[i].bytes), "unmap");
		}
	return NULL;
}

static void test_owners(void)
{
	pthread_t threads[3], other;
	bool stop = false;

	begin();
	CHECK(!pthread_create(&other, NULL, disturb, &stop), "thread");
	for (uintptr_t i = 0; i < 3; i++)
		CHECK(!pthread_create(&threads[i], NULL, own, (void *)(i + 1)), "thread");
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	pthread_join(other, NULL);
	upa_llfree_drain(&region->llfree);
	end();
}

/* A child has the marks of its parent, and both keep what they map. */
static void test_forked(void)
{
	char *p;
	pid_t child;
	int status;

	begin();
	p = map(20 * MIB, 0);
	memset(p, OLD, 20 * MIB);
	unmap(p, 20 * MIB);
	CHECK(upa_region_make_lazy(region, 0, false) == 20 * MIB, "make_lazy");
	child = fork();
	p = map(8 * MIB, 0);
	memset(p, child ? 1 : 2, 8 * MIB);
	take(region->base, 20 * MIB);
	for (size_t i = 0; i < 8 * MIB; i += PAGE)
		CHECK(p[i] == (child ? 1 : 2), "offset=%zu", i);
	unmap(p, 8 * MIB);
	p = map(8 * MIB, UPA_MAP_ZEROS);
	check_zero(p, 8 * MIB);
	if (!child)
		_exit(0);
	CHECK(waitpid(child, &status, 0) == child && !status, "status=%#x", status);
	unmap(p, 8 * MIB);
	end();
}

int main(void)
{
	if (on_device() || !kernel_takes()) {
		printf("skipped: on the device, or a kernel that does not take free memory when told to\n");
		return EXIT_SKIPPED;
	}
	test_mapped_stays();
	test_shared_child();
	test_two_children();
	test_zeros();
	test_taken_stays_away();
	test_other_ways();
	test_scavenged_stays();
	test_marking();
	test_taken_is_found();
	test_fenced();
	test_shared();
	test_owners();
	test_forked();
	return 0;
}
