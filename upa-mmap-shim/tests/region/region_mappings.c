/* SPDX-License-Identifier: Apache-2.0 */
/*
 * region_mappings.c - regions of a process that has as many mappings as the kernel allows (vm.max_map_count): what is
 * freed is out of reach or is still the caller's, what is refused changes nothing, and no page is handed out twice.
 */
#include <sys/uio.h>
#include <unistd.h>

#include "region/region_private.h"
#include "region_harness.h"

#define REGION (64 * MIB)
#define BLOCK (16 * PAGE)
#define LARGE (2 * MIB)
/* A limit far above the kernel's own of 65 530 would take long to reach. */
#define MOST_MAPPINGS 300000l

static char *stripes;
static size_t striped;

static long most_mappings(void)
{
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
	long most = 0;

	CHECK(file && fscanf(file, "%ld", &most) == 1 && !fclose(file), "errno=%d", errno);
	return most;
}

/* Every second page of a mapping becomes one of its own, until the kernel refuses. */
static void exhaust(void)
{
	size_t pages = 2 * (size_t)MOST_MAPPINGS, i = 1;

	striped = pages * PAGE;
	stripes = mmap(NULL, striped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(stripes != MAP_FAILED, "errno=%d", errno);
	while (i < pages && !mprotect(stripes + i * PAGE, PAGE, PROT_READ))
		i += 2;
	CHECK(i < pages && errno == ENOMEM, "i=%zu errno=%d", i, errno);
	/* Each of those needs two more; this one, at the end, one. */
	mprotect(stripes + striped - PAGE, PAGE, PROT_READ);
}

static void relieve(void)
{
	CHECK(!munmap(stripes, striped), "errno=%d", errno);
}

static bool readable(const char *page)
{
	char byte;
	struct iovec to = { &byte, 1 }, from = { (void *)page, 1 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

/* Can a range fault without a mapping of its own? From Linux 6.13 on. */
static bool guards(void)
{
	char *page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool can;

	CHECK(page != MAP_FAILED, "errno=%d", errno);
	can = !madvise(page, PAGE, 102 /* MADV_GUARD_INSTALL */);
	CHECK(!munmap(page, PAGE), "errno=%d", errno);
	return can;
}

/* Allocates and writes all that is left; is any of it within these bytes? */
static bool handed_out(struct upa_region *r, const char *start, size_t bytes)
{
	bool within = false;
	char *p;

	while ((p = upa_region_map(r, PAGE, 0))) {
		*p = 1;
		within |= p >= start && p < start + bytes;
	}
	CHECK(errno == ENOMEM, "errno=%d", errno);
	return within;
}

/* The middle of a block between two others: to make it fault splits a mapping, and there are no more. */
static void freed_within(uint32_t flags)
{
	bool can_guard = guards();
	struct upa_region *r;
	char *block, *middle;
	int error;

	CHECK(!create_region(&r, REGION, flags), "create");
	block = map(r, BLOCK, 0);
	middle = block + BLOCK / 2;
	fill(block, BLOCK, 7);
	exhaust();
	error = upa_region_unmap(r, middle, PAGE);
	if (!(flags & UPA_REGION_FENCED)) {
		CHECK(!error, "error=%d", error);
	} else if (can_guard) {
		CHECK(!error, "error=%d", error);
		CHECK(!readable(middle), "a freed page can be read");
		CHECK(!resident(middle, PAGE), "a freed page has memory");
	} else {
		CHECK(error == -ENOMEM, "error=%d", error);
		check_filled(middle, PAGE, 7 + BLOCK / 2);
	}
	relieve();
	/* Out of reach, the page stays held, until it is freed once more. */
	if (flags & UPA_REGION_FENCED)
		unmap(r, middle, PAGE);
	CHECK(handed_out(r, middle, PAGE), "a page is lost");
	check_filled(block, BLOCK / 2, 7);
	check_filled(block + BLOCK / 2 + PAGE, BLOCK / 2 - PAGE, 7 + BLOCK / 2 + PAGE);
	finish(r);
}

/* What cannot be served is refused and loses nothing: all of it is to be had afterwards. */
static void refused(uint32_t flags)
{
	struct upa_region *r;
	char *block, *behind, *large, *grown;
	struct upa_region_stats before, after;
	size_t got = 0;

	CHECK(!create_region(&r, REGION, flags), "create");
	block = map(r, BLOCK, 0);
	behind = map(r, BLOCK, 0);
	CHECK(behind == block + BLOCK, "block=%p behind=%p", (void *)block, (void *)behind);
	fill(block, BLOCK, 9);
	/* What comes behind it cannot become part of its mapping. */
	CHECK(!upa_region_taint(r, behind, BLOCK) && !mprotect(behind, BLOCK, PROT_READ), "errno=%d", errno);
	exhaust();
	before = stats(r);
	large = upa_region_map(r, LARGE, 0);
	grown = upa_region_resize(r, block, BLOCK, 2 * LARGE, 0);
	if (flags & UPA_REGION_FENCED) {
		CHECK(!large && !grown, "large=%p grown=%p", (void *)large, (void *)grown);
		after = stats(r);
		CHECK(after.allocated_bytes == before.allocated_bytes && after.retained_bytes == before.retained_bytes,
		      "allocated=%" PRIu64 " retained=%" PRIu64, after.allocated_bytes, after.retained_bytes);
		CHECK(after.failures == before.failures + 2, "failures=%" PRIu64, after.failures);
		CHECK(!readable(upa_region_base(r) + REGION / 2), "a free page can be read");
		grown = block;
	} else {
		CHECK(large && grown, "large=%p grown=%p", (void *)large, (void *)grown);
		unmap(r, large, LARGE);
	}
	check_filled(grown, BLOCK, 9);
	relieve();
	unmap(r, grown, grown == block ? BLOCK : 2 * LARGE);
	unmap(r, behind, BLOCK);
	CHECK(!stats(r).allocated_bytes, "allocated=%" PRIu64, stats(r).allocated_bytes);
	while (upa_region_map(r, PAGE, 0))
		got += PAGE;
	CHECK(got == REGION, "got=%zu", got);
	finish(r);
}

int main(void)
{
	const uint32_t kinds[] = { 0, UPA_REGION_FENCED };

	if (on_device() || most_mappings() > MOST_MAPPINGS) {
		printf("skipped: vm.max_map_count=%ld\n", most_mappings());
		return EXIT_SKIPPED;
	}
	for (size_t i = 0; i < 2; i++) {
		freed_within(kinds[i]);
		refused(kinds[i]);
	}
	return 0;
}
