/*
 * UPADEV_CREATE_BLOCKS: shadow entries that name a block of 512 frames, mapped by one entry of
 * 2 MiB where they lie together.
 */
#include <sys/uio.h>

#include "allocator.h"
#include "blocks.h"

static void one_entry_by_map(void)
{
	struct region r = with_blocks(0, 4 * BLOCK, 2 * BLOCK);
	struct upadev_batch b;
	uint64_t set;

	r.shadow[BLOCK] = MARK | 1;
	r.shadow[BLOCK + 7] = 3; /* not read */
	CHECK_EQUAL(batch(&r, UPADEV_MAP, BLOCK, BLOCK, &b), 0);
	CHECK_EQUAL(b.changed, BLOCK);
	CHECK_EQUAL(b.stopped_at, -1);
	/* The first of a table of such entries may have to stay a page table. */
	set = entries(&r);
	CHECK(set == 1 || (!set && !tables_go()));
	*word(&r, BLOCK + 7) = 77;
	*word(&r, BLOCK) = 70;
	CHECK_EQUAL(stats(&r).faults, 0);
	CHECK_EQUAL(batch(&r, UPADEV_MAP, BLOCK, BLOCK, &b), 0);
	CHECK_EQUAL(b.changed, 0);
	CHECK_EQUAL(entries(&r), set);
	r.shadow[0] = BLOCK + 8; /* the same frame as a single one */
	CHECK_EQUAL(*word(&r, 0), 77);
	CHECK_EQUAL(touch(r.data + PAGE, false), SIGBUS);
	CHECK_EQUAL(touch(r.data + 2 * BLOCK * PAGE, false), SIGBUS);
	/* Of a part: the whole block, too. */
	r.shadow[2 * BLOCK] = MARK | 0;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 2 * BLOCK + 5, 3, &b), 0);
	CHECK_EQUAL(b.changed, BLOCK);
	CHECK_EQUAL(batch(&r, UPADEV_UNMAP, BLOCK, 2 * BLOCK, &b), 0);
	CHECK_EQUAL(b.changed, 2 * BLOCK);
	CHECK_EQUAL(*word(&r, BLOCK + 7), 77);
	CHECK_EQUAL(*word(&r, BLOCK), 70);
}

static void by_fault_with_neighbours(void)
{
	struct region r = with_blocks(0, 64 * BLOCK, 8 * BLOCK);
	struct upadev_stats s;

	number_frames(&r);
	for (int i = 0; i < 8; i++)
		r.shadow[(32 + (uint64_t)i) * BLOCK] = MARK | (7 - i);
	r.shadow[40 * BLOCK] = MARK | 8; /* out of range */
	r.shadow[41 * BLOCK] = 5;
	s = stats(&r);
	CHECK_EQUAL(touch(r.data + (33 * BLOCK + 200) * PAGE, true), 0);
	CHECK(stats(&r).faults == s.faults + 1);
	/* The region may begin anywhere: those within 64 MiB, aligned. */
	CHECK(entries(&r) >= 1 && entries(&r) <= 8);
	CHECK_EQUAL(stats(&r).fault_pages - s.fault_pages, entries(&r) * BLOCK);
	for (uint64_t i = 0; i < 8; i++)
		for (uint64_t p = 0; p < BLOCK; p++)
			if (i != 1 || p != 200)
				CHECK_EQUAL(*word(&r, (32 + i) * BLOCK + p),
					    (7 - i) * BLOCK + p + 1);
	CHECK_EQUAL(entries(&r), 8);
	CHECK(stats(&r).faults <= s.faults + 2);
	CHECK_EQUAL(touch(r.data + 40 * BLOCK * PAGE, false), SIGBUS);
	CHECK_EQUAL(touch(r.data + (40 * BLOCK + 1) * PAGE, false), SIGBUS);
	CHECK_EQUAL(*word(&r, 41 * BLOCK), 5);
}

static void wrong_entries(void)
{
	struct upadev_create c = { .version = UPADEV_ABI_VERSION,
				   .flags = UPADEV_CREATE_BLOCKS | UPADEV_CREATE_RECLAIM,
				   .pages = BLOCK,
				   .max_frames = BLOCK };
	struct region plain = guarded(2 * BLOCK, BLOCK), r = with_blocks(0, 4 * BLOCK, 2 * BLOCK);
	struct upadev_range range = { 0, BLOCK };
	struct upadev_batch b;
	int fd = open_device();

	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &c), EINVAL);
	c.flags = UPADEV_CREATE_BLOCKS;
	c.mode = UPADEV_RAW_PTE;
	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &c), EINVAL);
	c.mode = UPADEV_RAW_PMD;
	c.pages = BLOCK * BLOCK;
	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &c), EINVAL);

	/* Without the flag it is a frame out of range. */
	plain.shadow[BLOCK] = MARK | 0;
	CHECK_ERRNO(batch(&plain, UPADEV_MAP, BLOCK, BLOCK, &b), EINVAL);
	CHECK_EQUAL(b.stopped_at, BLOCK);
	CHECK_EQUAL(touch(plain.data + BLOCK * PAGE, false), SIGBUS);

	/* A mark elsewhere than in the first entry. */
	r.shadow[BLOCK + 3] = MARK | 0;
	CHECK_ERRNO(batch(&r, UPADEV_MAP, BLOCK, BLOCK, &b), EINVAL);
	CHECK_EQUAL(b.stopped_at, BLOCK + 3);
	CHECK_EQUAL(touch(r.data + (BLOCK + 3) * PAGE, false), SIGBUS);
	r.shadow[BLOCK + 3] = 0;

	/* Blocks that the pool has not. */
	for (uint32_t block = 2; block; block = block < MARK / 2 ? block * 2 : 0) {
		r.shadow[BLOCK] = MARK | block;
		CHECK_ERRNO(batch(&r, UPADEV_MAP, BLOCK, 2 * BLOCK, &b), EINVAL);
		CHECK_EQUAL(b.stopped_at, BLOCK);
		CHECK_EQUAL(touch(r.data + BLOCK * PAGE, true), SIGBUS);
		CHECK_EQUAL(touch(r.data + (2 * BLOCK - 1) * PAGE, true), SIGBUS);
	}
	r.shadow[BLOCK] = UINT32_MAX;
	CHECK_ERRNO(map_pages(&r, BLOCK + 9, 1), EINVAL);
	CHECK_EQUAL(entries(&r), 0);

	b = (struct upadev_batch){ .ranges = (uintptr_t)&range,
				   .count = 1,
				   .flags = UPADEV_BATCH_PER_RANGE };
	CHECK_ERRNO(ioctl(r.fd, UPADEV_UNMAP, &b), EINVAL);
}

/* Taken away in part: all goes, and what is still named comes back. */
static void unmap_of_a_part(void)
{
	struct region r = with_blocks(0, 4 * BLOCK, 4 * BLOCK);
	struct upadev_batch b;
	uint64_t before;

	number_frames(&r);
	r.shadow[2 * BLOCK] = MARK | 3;
	CHECK_EQUAL(map_pages(&r, 2 * BLOCK, BLOCK), 0);
	before = entries(&r);

	/* Half of it is released: the other half as single pages. */
	for (uint64_t i = 1; i < BLOCK; i++)
		r.shadow[2 * BLOCK + i] = i < BLOCK / 2 ? (uint32_t)(3 * BLOCK + i + 1) : 0;
	r.shadow[2 * BLOCK] = 3 * BLOCK + 1;
	CHECK_EQUAL(batch(&r, UPADEV_UNMAP, 2 * BLOCK + BLOCK / 2, BLOCK / 2, &b), 0);
	CHECK_EQUAL(b.changed, tables_go() ? BLOCK : BLOCK / 2);
	for (uint64_t i = 0; i < BLOCK / 2; i++)
		CHECK_EQUAL(*word(&r, 2 * BLOCK + i), 3 * BLOCK + i + 1);
	for (uint64_t i = BLOCK / 2; i < BLOCK; i += 17)
		CHECK_EQUAL(touch(r.data + (2 * BLOCK + i) * PAGE, true), SIGBUS);
	CHECK_EQUAL(entries(&r), before);

	/* Whole again: the page table goes. */
	r.shadow[2 * BLOCK] = MARK | 3;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 2 * BLOCK, BLOCK, &b), 0);
	CHECK_EQUAL(b.changed, tables_go() ? BLOCK : BLOCK / 2);
	CHECK_EQUAL(entries(&r), before + tables_go());
	check_shows(&r, 2 * BLOCK, 3 * BLOCK);

	/* Not of a page table that is named in part only: that is filled. */
	r.shadow[0] = 1;
	CHECK_EQUAL(*word(&r, 0), 1);
	r.shadow[0] = MARK | 1;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 1, 4, &b), 0);
	CHECK_EQUAL(b.changed, 4);
	CHECK_EQUAL(*word(&r, 0), 1); /* installed before, and nobody said otherwise */
	CHECK_EQUAL(*word(&r, 4), BLOCK + 5);
	CHECK_EQUAL(*word(&r, 5), BLOCK + 6);
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 0, BLOCK, &b), 0);
	check_shows(&r, 0, BLOCK);
}

static void replaced(void)
{
	struct region r = with_blocks(0, 4 * BLOCK, 4 * BLOCK);
	struct upadev_batch b;
	uint64_t shootdowns;

	number_frames(&r);
	r.shadow[BLOCK] = MARK | 0;
	CHECK_EQUAL(map_pages(&r, BLOCK, BLOCK), 0);
	check_shows(&r, BLOCK, 0);
	shootdowns = stats(&r).shootdowns + stats(&r).shared_shootdowns;
	r.shadow[BLOCK] = MARK | 2;
	CHECK_EQUAL(*word(&r, BLOCK + 1), 2); /* until the call */
	CHECK_EQUAL(batch(&r, UPADEV_MAP, BLOCK, BLOCK, &b), 0);
	CHECK_EQUAL(b.changed, BLOCK);
	CHECK(stats(&r).shootdowns + stats(&r).shared_shootdowns > shootdowns);
	check_shows(&r, BLOCK, 2 * BLOCK);

	/* By single pages, a few: the rest goes with the block, and is what the table says. */
	for (uint64_t i = 1; i < BLOCK; i++)
		r.shadow[BLOCK + i] = i < 9 ? (uint32_t)i + 1 : 0;
	r.shadow[BLOCK] = 1;
	CHECK_EQUAL(*word(&r, BLOCK + 1), 2 * BLOCK + 2);
	CHECK_EQUAL(map_pages(&r, BLOCK, 4), 0);
	for (uint64_t i = 0; i < (tables_go() ? 9 : 4); i++)
		CHECK_EQUAL(*word(&r, BLOCK + i), i + 1);
	if (tables_go()) {
		CHECK_EQUAL(touch(r.data + (BLOCK + 9) * PAGE, false), SIGBUS);
		CHECK_EQUAL(touch(r.data + (2 * BLOCK - 1) * PAGE, false), SIGBUS);
	}

	/* Entries of 0 are passed over, also where a block is. */
	r.shadow[2 * BLOCK] = MARK | 1;
	CHECK_EQUAL(map_pages(&r, 2 * BLOCK, BLOCK), 0);
	r.shadow[2 * BLOCK] = 0;
	CHECK_EQUAL(batch(&r, UPADEV_MAP, 2 * BLOCK, BLOCK, &b), 0);
	CHECK_EQUAL(b.changed, 0);
	check_shows(&r, 2 * BLOCK, BLOCK);
	CHECK_EQUAL(unmap_pages(&r, 2 * BLOCK, tables_go() ? 1 : BLOCK), 0);
	CHECK_EQUAL(touch(r.data + (2 * BLOCK + 9) * PAGE, false), SIGBUS);

	/* One block at two places. */
	r.shadow[2 * BLOCK] = r.shadow[3 * BLOCK] = MARK | 1;
	*word(&r, 2 * BLOCK + 100) = 4711;
	CHECK_EQUAL(*word(&r, 3 * BLOCK + 100), 4711);
}

static void pool_lowered(void)
{
	struct region r = with_blocks(0, 4 * BLOCK, 4 * BLOCK);
	struct upadev_resize resize = { .frames = 2 * BLOCK };
	uint64_t before;

	number_frames(&r);
	for (uint64_t i = 0; i < 4; i++)
		r.shadow[i * BLOCK] = MARK | i;
	CHECK_EQUAL(map_pages(&r, 0, 4 * BLOCK), 0);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &resize), 0);
	CHECK_EQUAL(touch(r.data + 2 * BLOCK * PAGE, false), SIGBUS);
	CHECK_EQUAL(touch(r.data + (4 * BLOCK - 1) * PAGE, true), SIGBUS);
	check_shows(&r, 0, 0);
	check_shows(&r, BLOCK, BLOCK);
	before = entries(&r);
	resize.frames = 4 * BLOCK;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &resize), 0);
	for (uint64_t i = 0; i < 512 * 2 * BLOCK; i += 64)
		CHECK_EQUAL(word(&r, 2 * BLOCK)[i], 0);
	CHECK(entries(&r) > before || !tables_go());
}

static void calls_on_the_mapping(void)
{
	struct region r = with_blocks(0, 4 * BLOCK, 2 * BLOCK);
	unsigned char *middle = r.data + BLOCK * PAGE, vector[4];
	struct iovec remote = { middle, 64 }, here = { vector, 4 };
	int ends[2];
	pid_t child;

	number_frames(&r);
	r.shadow[BLOCK] = MARK | 1;
	check_shows(&r, BLOCK, BLOCK);
	CHECK_ERRNO(munmap(middle, BLOCK * PAGE), EINVAL);
	CHECK_ERRNO(munmap(middle + PAGE, PAGE), EINVAL);
	CHECK_ERRNO(mprotect(middle, PAGE, PROT_READ), EACCES);
	CHECK_ERRNO(madvise(middle, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERRNO(madvise(middle + PAGE, BLOCK * PAGE, MADV_FREE), EINVAL);
	CHECK(mremap(middle, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, reserve(PAGE, PAGE)) ==
	      MAP_FAILED);
	CHECK(mmap(middle + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == MAP_FAILED);
	CHECK_EQUAL(mlock(middle, PAGE), 0);
	CHECK_EQUAL(mincore(middle, 4 * PAGE, vector), 0);
	CHECK_ERRNO(process_vm_readv(getpid(), &here, 1, &remote, 1, 0), EFAULT);
	/* No reference can be taken without locks either, of no page of the block. */
	CHECK_EQUAL(pipe(ends), 0);
	for (uint64_t i = 0; i < BLOCK; i++) {
		struct iovec one = { middle + i * PAGE, 64 };

		CHECK_ERRNO(vmsplice(ends[1], &one, 1, SPLICE_F_NONBLOCK), EFAULT);
	}
	/* read() and write() work. */
	CHECK_EQUAL(write(ends[1], middle + 3 * PAGE, 8), 8);
	CHECK_EQUAL(read(ends[0], middle + 4 * PAGE, 8), 8);
	CHECK_EQUAL(*word(&r, BLOCK + 4), BLOCK + 4);
	*word(&r, BLOCK + 4) = BLOCK + 5;
	check_shows(&r, BLOCK, BLOCK);

	child = fork();
	if (!child)
		_exit(touch(middle, false) == SIGSEGV ? 0 : 1);
	CHECK_EQUAL(wait_status(child), 0);

	CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
	CHECK_EQUAL(touch(middle, false), SIGSEGV);
	map_data(&r);
	check_shows(&r, BLOCK, BLOCK);
}

static struct upadev_harvest harvest(const struct region *r, uint64_t page, uint64_t count,
				     uint32_t flags, uint64_t *bits)
{
	struct upadev_harvest h = {
		.page = page, .count = count, .flags = flags, .dirty = (uintptr_t)bits
	};

	CHECK_EQUAL(ioctl(r->fd, UPADEV_HARVEST, &h), 0);
	return h;
}

static void harvested(void)
{
	enum { ALL = UPADEV_HARVEST_CLEAR_ACCESSED | UPADEV_HARVEST_CLEAR_DIRTY };
	struct region r = with_blocks(UPADEV_CREATE_TRACK, 4 * BLOCK, 4 * BLOCK);
	uint64_t bits[4 * BLOCK / 64];
	struct upadev_harvest h;

	if (!tables_go())
		skip("page tables stay: bits are those of pages");
	for (uint64_t i = 0; i < 3; i++)
		r.shadow[i * BLOCK] = MARK | i;
	CHECK_EQUAL(map_pages(&r, 0, 3 * BLOCK), 0);
	h = harvest(&r, 0, 4 * BLOCK, 0, bits);
	CHECK_EQUAL(h.accessed_pages + h.dirty_pages, 0);
	CHECK_EQUAL(touch(r.data + (BLOCK + 9) * PAGE, true), 0);
	CHECK_EQUAL(touch(r.data + 9 * PAGE, false), 0);
	h = harvest(&r, 0, 4 * BLOCK, 0, bits);
	CHECK_EQUAL(h.accessed_pages, 2 * BLOCK);
	CHECK_EQUAL(h.dirty_pages, BLOCK);
	for (uint64_t i = 0; i < 4 * BLOCK / 64; i++)
		CHECK_EQUAL(bits[i], i / 8 == 1 ? -1 : 0);

	/* A part neither clears nor hides. */
	h = harvest(&r, BLOCK + 1, BLOCK - 1, ALL, bits);
	CHECK_EQUAL(h.dirty_pages, BLOCK - 1);
	h = harvest(&r, BLOCK, BLOCK - 1, ALL, bits);
	CHECK_EQUAL(h.dirty_pages, BLOCK - 1);
	h = harvest(&r, 1, 2 * BLOCK - 1, ALL, bits);
	CHECK_EQUAL(h.dirty_pages, BLOCK);
	CHECK_EQUAL(h.accessed_pages, 2 * BLOCK - 1);
	h = harvest(&r, 0, 4 * BLOCK, 0, bits);
	CHECK_EQUAL(h.dirty_pages, 0);
	CHECK_EQUAL(h.accessed_pages, BLOCK);

	/* Cleared, and flushed: the next store sets it again. */
	CHECK_EQUAL(touch(r.data + (BLOCK + 9) * PAGE, true), 0);
	h = harvest(&r, BLOCK, BLOCK, ALL, bits);
	CHECK_EQUAL(h.dirty_pages, BLOCK);
	CHECK_EQUAL(touch(r.data + (BLOCK + 9) * PAGE, true), 0);

	/* Taken away in part, or replaced: what the bits said is not lost. */
	CHECK_EQUAL(unmap_pages(&r, BLOCK + 5, 1), 0);
	h = harvest(&r, 0, 4 * BLOCK, ALL, bits);
	CHECK_EQUAL(h.dirty_pages, BLOCK);
	CHECK_EQUAL(bits[BLOCK / 64], -1);
	h = harvest(&r, 0, 4 * BLOCK, ALL, bits);
	CHECK_EQUAL(h.dirty_pages, 0);
	CHECK_EQUAL(touch(r.data + 2 * BLOCK * PAGE, true), 0);
	r.shadow[2 * BLOCK] = MARK | 3;
	CHECK_EQUAL(map_pages(&r, 2 * BLOCK, BLOCK), 0);
	h = harvest(&r, 0, 4 * BLOCK, ALL, bits);
	CHECK_EQUAL(h.dirty_pages, BLOCK);
	/* And of a page table that goes. */
	r.shadow[3 * BLOCK] = 8;
	CHECK_EQUAL(touch(r.data + 3 * BLOCK * PAGE, true), 0);
	r.shadow[3 * BLOCK] = MARK | 3;
	CHECK_EQUAL(map_pages(&r, 3 * BLOCK, BLOCK), 0);
	h = harvest(&r, 0, 4 * BLOCK, ALL, bits);
	CHECK_EQUAL(h.dirty_pages, BLOCK);
	h = harvest(&r, 0, 4 * BLOCK, ALL, bits);
	CHECK_EQUAL(h.dirty_pages + h.accessed_pages, 0);
}

/* What a replaced entry has seen is said of its own block, wherever that stands in a call. */
static void bits_of_a_replaced_entry(void)
{
	struct region r = with_blocks(UPADEV_CREATE_TRACK, 4 * BLOCK, 4 * BLOCK);

	if (!tables_go())
		skip("page tables stay: bits are those of pages");
	for (uint64_t i = 0; i < 3; i++)
		r.shadow[i * BLOCK] = MARK | i;
	CHECK_EQUAL(map_pages(&r, 0, 3 * BLOCK), 0);
	*word(&r, 2 * BLOCK) = 1;
	r.shadow[2 * BLOCK] = MARK | 3;
	CHECK_EQUAL(map_pages(&r, 0, 3 * BLOCK), 0);
	CHECK_EQUAL(harvest(&r, 0, 2 * BLOCK, 0, NULL).dirty_pages, 0);
	CHECK_EQUAL(harvest(&r, 2 * BLOCK, BLOCK, 0, NULL).dirty_pages, BLOCK);
}

/* Unused frames of a block go; its used pages keep contents, and bits if they are tracked. */
static void taken_in_part(uint32_t flags)
{
	struct region r = with_blocks(flags, 4 * BLOCK, 4 * BLOCK);
	struct upadev_allocators a = { 0 };
	struct upadev_reclaim take = { .pages = 4 * BLOCK };
	struct allocator pages, frames;
	uint64_t bits[4 * BLOCK / 64], offset, before;

	offset = allocator_place(&pages, &r, 0, 4 * BLOCK);
	offset = allocator_place(&frames, &r, offset, 4 * BLOCK);
	a.pages = pages.where, a.frames = frames.where, a.marks_offset = offset;
	number_frames(&r);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
	r.shadow[BLOCK] = MARK | 1;
	r.shadow[2 * BLOCK] = MARK | 2;
	CHECK_EQUAL(map_pages(&r, BLOCK, 2 * BLOCK), 0);
	check_shows(&r, BLOCK, BLOCK);
	harvest(&r, 0, 4 * BLOCK, UPADEV_HARVEST_CLEAR_DIRTY, bits);
	CHECK_EQUAL(touch(r.data + (BLOCK + 9) * PAGE + 8, true), 0);
	for (uint64_t i = 100; i < 200; i++)
		unit_put(&pages, BLOCK + i);
	for (uint64_t i = 0; i < BLOCK; i++)
		unit_put(&pages, 2 * BLOCK + i);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &take), 0);
	CHECK_EQUAL(take.reclaimed, BLOCK + 100);
	CHECK_EQUAL(take.gone, BLOCK + 100);
	if (flags && tables_go())
		CHECK_EQUAL(harvest(&r, BLOCK, BLOCK, 0, bits).dirty_pages, BLOCK);
	before = entries(&r);
	for (uint64_t i = 0; i < BLOCK; i++)
		CHECK_EQUAL(*word(&r, BLOCK + i), i < 100 || i >= 200 ? BLOCK + i + 1 : 0);
	CHECK_EQUAL(entries(&r), before); /* 4 KiB from now on */
	take.pages = 0;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &take), 0);
	CHECK_EQUAL(take.gone, BLOCK);

	/* One that went as a whole comes back as one. */
	for (uint64_t i = 0; i < BLOCK; i++)
		CHECK(unit_get(&pages, 2 * BLOCK + i));
	for (uint64_t i = 0; i < 512 * BLOCK; i += 64)
		CHECK_EQUAL(word(&r, 2 * BLOCK)[i], 0);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &take), 0);
	CHECK_EQUAL(take.gone, 0);
	CHECK(entries(&r) > before || !tables_go());
	/* Nothing of it is unused: it is looked at and shown again, and may be one entry still. */
	for (uint64_t i = 100; i < 200; i++)
		CHECK(unit_get(&pages, BLOCK + i));
	take.pages = 4 * BLOCK;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &take), 0);
	CHECK_EQUAL(take.reclaimed, 0);
}

static void taken_in_part_plain(void)
{
	taken_in_part(0);
}

static void taken_in_part_tracked(void)
{
	taken_in_part(UPADEV_CREATE_TRACK);
}

/* What regions of blocks held is all there again, of those that were used, split and taken. */
static void memory_comes_back(void)
{
	long before = 0;

	for (int n = 0; n < 8; n++) {
		struct region r = with_blocks(0, 32 * BLOCK, 32 * BLOCK);

		for (uint64_t i = 0; i < 32; i++)
			r.shadow[i * BLOCK] = MARK | i;
		CHECK_EQUAL(map_pages(&r, 0, 32 * BLOCK), 0);
		for (uint64_t i = 0; i < 32; i++)
			*word(&r, i * BLOCK) = 1;
		CHECK_EQUAL(unmap_pages(&r, 7, 1), 0);
		munmap(r.data, r.created.data_bytes);
		munmap((void *)(uintptr_t)r.shadow, r.created.shadow_bytes);
		munmap(r.state, r.created.state_bytes);
		close(r.fd);
		if (n == 1)
			before = free_pages();
	}
	CHECK(before - free_pages() < 2 * (long)BLOCK);
}

/* Neighbours go by four: one that is not like the others, wherever it stands. */
static void one_that_differs(void)
{
	struct region r = with_blocks(0, 16 * BLOCK, 8 * BLOCK);
	const uint64_t first = 8 * BLOCK;
	struct upadev_batch b;

	number_frames(&r);
	for (uint64_t k = 0; k < 8; k++) {
		const uint64_t other = first + k * BLOCK;
		uint64_t before = entries(&r);

		/* A single page, hence a page table. */
		r.shadow[other + 3] = k * BLOCK + 4;
		CHECK_EQUAL(map_pages(&r, other, BLOCK), 0);
		for (uint64_t i = 0; i < 8; i++)
			if (i != k)
				r.shadow[first + i * BLOCK] = MARK | i;
		CHECK_EQUAL(batch(&r, UPADEV_MAP, first, 8 * BLOCK, &b), 0);
		CHECK_EQUAL(b.changed, 7 * BLOCK);
		CHECK(entries(&r) == before + 7 || !tables_go());
		for (uint64_t i = 0; i < 8; i++)
			CHECK_EQUAL(*word(&r, first + i * BLOCK + 3), i * BLOCK + 4);
		CHECK_EQUAL(batch(&r, UPADEV_UNMAP, first, 8 * BLOCK, &b), 0);
		CHECK_EQUAL(b.changed, 7 * BLOCK + 1);
		/* An entry that is there already. */
		r.shadow[other + 3] = 0;
		r.shadow[other] = MARK | k;
		CHECK_EQUAL(map_pages(&r, other, BLOCK), 0);
		CHECK_EQUAL(batch(&r, UPADEV_MAP, first, 8 * BLOCK, &b), 0);
		CHECK_EQUAL(b.changed, 7 * BLOCK);
		for (uint64_t i = 0; i < 8; i++) {
			CHECK_EQUAL(*word(&r, first + i * BLOCK + 3), i * BLOCK + 4);
			r.shadow[first + i * BLOCK] = 0;
		}
		/* Nothing is there. */
		CHECK_EQUAL(unmap_pages(&r, other, BLOCK), 0);
		CHECK_EQUAL(batch(&r, UPADEV_UNMAP, first, 8 * BLOCK, &b), 0);
		CHECK_EQUAL(b.changed, 7 * BLOCK);
		for (uint64_t i = 0; i < 8; i++)
			CHECK_EQUAL(touch(r.data + (first + i * BLOCK + 3) * PAGE, false), SIGBUS);
		/* The first that the pool has not. */
		for (uint64_t i = 0; i < 8; i++)
			r.shadow[first + i * BLOCK] = MARK | (i == k ? 8 : i);
		CHECK_ERRNO(batch(&r, UPADEV_MAP, first, 8 * BLOCK, &b), EINVAL);
		CHECK_EQUAL(b.stopped_at, other);
		CHECK_EQUAL(touch(r.data + other * PAGE, false), SIGBUS);
		for (uint64_t i = 0; i < 8; i++)
			r.shadow[first + i * BLOCK] = 0;
		CHECK_EQUAL(unmap_pages(&r, first, 8 * BLOCK), 0);
	}
}

TESTS(CASE(one_entry_by_map), CASE(one_that_differs), CASE(by_fault_with_neighbours),
      CASE(wrong_entries), CASE(unmap_of_a_part), CASE(replaced), CASE(pool_lowered),
      CASE(calls_on_the_mapping), CASE(harvested), CASE(bits_of_a_replaced_entry),
      CASE(taken_in_part_plain), CASE(taken_in_part_tracked), CASE(memory_comes_back))
