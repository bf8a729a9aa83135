/*
 * Devices and guests that share the address space have translations of their own: each call that
 * takes mappings away tells them, and raw modes, which cannot, are refused beside them. The test
 * module upa_notifier stands in for one.
 */
#include <sys/syscall.h>

#include "allocator.h"
#include "pager.h"

#define PAGES 1024ULL
#define MODULE "/upa_notifier.ko"

static struct region r;
static int mmu;

/* A secondary MMU of this process. */
static void start_mmu(void)
{
	int file = open(MODULE, O_RDONLY | O_CLOEXEC);

	if (file < 0)
		skip("the kernel has no MMU notifiers");
	if (syscall(SYS_finit_module, file, "", 0))
		CHECK_EQUAL(errno, EEXIST);
	close(file);
	mmu = open("/dev/upa_notifier", O_RDWR | O_CLOEXEC);
	CHECK(mmu >= 0);
}

/* It has translations of these pages. */
static void translate(uint64_t page, uint64_t count)
{
	uint64_t range[2] = { (uintptr_t)r.data + page * PAGE,
			      (uintptr_t)r.data + (page + count) * PAGE };

	CHECK_EQUAL(write(mmu, range, sizeof(range)), sizeof(range));
}

static uint64_t told(void)
{
	uint64_t times;

	CHECK_EQUAL(read(mmu, &times, sizeof(times)), sizeof(times));
	return times;
}

static void use_pages(void)
{
	for (uint32_t page = 0; page < PAGES; page++)
		r.shadow[page] = page + 1;
	CHECK_EQUAL(map_pages(&r, 0, PAGES), 0);
	CHECK_EQUAL(told(), 0); /* what was absent concerns nobody */
}

static void told_by_calls(void)
{
	static const uint64_t at[] = { 0, 3, 511, 512, PAGES - 1 };
	struct upadev_range two[2] = { { 100, 1 }, { 900, 2 } };

	start_mmu();
	r = guarded(PAGES, PAGES);
	translate(0, PAGES);
	use_pages();
	for (int i = 0; i < 5; i++) {
		translate(at[i], 1);
		CHECK_EQUAL(unmap_pages(&r, at[i], 1), 0);
		CHECK(told() > 0);
		CHECK_EQUAL(map_pages(&r, at[i], 1), 0);
		translate(at[i], 1);
		CHECK_EQUAL(syscall(SYS_fadvise64, r.fd, at[i] * PAGE, PAGE, POSIX_FADV_DONTNEED),
			    1);
		CHECK(told() > 0);
		CHECK_EQUAL(map_pages(&r, at[i], 1), 0);
		/* Another frame in the place of one. */
		translate(at[i], 1);
		r.shadow[at[i]] = 8;
		CHECK_EQUAL(map_pages(&r, at[i], 1), 0);
		CHECK(told() > 0);
		/* The same one again, which changes nothing. */
		translate(at[i], 1);
		CHECK_EQUAL(map_pages(&r, at[i], 1), 0);
		CHECK_EQUAL(told(), 0);
	}
	/* Also of what was done before a call has failed. */
	r.shadow[20] = 9;
	r.shadow[21] = PAGES + 1;
	translate(20, 1);
	CHECK_ERRNO(map_pages(&r, 19, 4), EINVAL);
	CHECK(told() > 0);
	r.shadow[21] = 22;
	for (int i = 0; i < 2; i++) {
		for (uint32_t flags = 0; flags < 2; flags++) {
			CHECK_EQUAL(map_pages(&r, 0, PAGES), 0);
			translate(two[i].page, two[i].count);
			CHECK_EQUAL(ioctl(r.fd, UPADEV_UNMAP,
					  &(struct upadev_batch){ .ranges = (uintptr_t)two,
								  .count = 2,
								  .flags = flags }),
				    0);
			CHECK(told() > 0);
		}
	}
	CHECK_EQUAL(map_pages(&r, 0, PAGES), 0);
	translate(5, 1);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 512 }), 0);
	CHECK(told() > 0);
	translate(5, 1);
	CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
	CHECK(told() > 0);
}

static void told_of_blocks(void)
{
	start_mmu();
	r = make_region(UPADEV_GUARDED, UPADEV_CREATE_BLOCKS, PAGES, PAGES, PAGES);
	for (int way = 0; way < 3; way++) {
		r.shadow[512] = UPADEV_SHADOW_BLOCK;
		CHECK_EQUAL(map_pages(&r, 512, 512), 0);
		translate(513, 1);
		switch (way) {
		case 0:
			CHECK_EQUAL(unmap_pages(&r, 512, 512), 0);
			break;
		case 1: /* a part takes all of it away */
			CHECK_EQUAL(unmap_pages(&r, 513, 1), 0);
			break;
		default:
			r.shadow[512] = UPADEV_SHADOW_BLOCK | 1;
			CHECK_EQUAL(map_pages(&r, 512, 512), 0);
		}
		CHECK(told() > 0);
	}
}

static void told_of_what_a_pager_takes(void)
{
	uint64_t contents[PAGE / 8];
	uint32_t frame = UPADEV_ANY_FRAME;
	int pager;

	start_mmu();
	r = paged_region(PAGES, 0, &pager);
	use_pages();
	translate(40, 1);
	CHECK_EQUAL(page_out(pager, 40, AWAY(1), &frame, contents), 0);
	CHECK(told() > 0);
	translate(41, 1);
	CHECK_EQUAL(told(), 0);
}

static void told_of_what_is_reclaimed(void)
{
	struct upadev_reclaim request = { .pages = UINT64_MAX };
	struct upadev_allocators a = { 0 };
	struct allocator pages, frames;
	uint64_t end;

	start_mmu();
	r = make_region_with(UPADEV_GUARDED, 0, PAGES, PAGES, PAGES, 1 << 20);
	end = allocator_place(&pages, &r, 4096, PAGES);
	a.marks_offset = allocator_place(&frames, &r, end, PAGES);
	a.pages = pages.where;
	a.frames = frames.where;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
	use_pages();
	unit_put(&pages, 9); /* free, and its frame still stands there */
	translate(9, 1);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &request), 0);
	CHECK_EQUAL(request.reclaimed, 1);
	CHECK(told() > 0);
}

static void raw_is_refused(void)
{
	struct region other = { .fd = open_device() };

	other.created = (struct upadev_create){ .version = UPADEV_ABI_VERSION,
						.mode = UPADEV_RAW_PTE,
						.pages = 512,
						.frames = 512,
						.max_frames = 512 };
	r = make_region(UPADEV_RAW_PTE, 0, 512, 512, 512);
	r.tables[0] = r.entries[0];
	*word(&r, 0) = 1;
	r.tables[0] = 0;
	CHECK_EQUAL(fsync(r.fd), UPADEV_DONE);
	start_mmu();
	CHECK_ERRNO(ioctl(other.fd, UPADEV_CREATE, &other.created), EOPNOTSUPP);
	CHECK_ERRNO(fsync(r.fd), EOPNOTSUPP);
	close(mmu);
	CHECK_EQUAL(fsync(r.fd), UPADEV_DONE);
	CHECK_EQUAL(ioctl(other.fd, UPADEV_CREATE, &other.created), 0);
}

/* Last: so that the machine is as it was. */
static void unloads(void)
{
	start_mmu();
	close(mmu);
	CHECK_EQUAL(syscall(SYS_delete_module, "upa_notifier", O_NONBLOCK), 0);
}

TESTS(CASE(told_by_calls), CASE(told_of_blocks), CASE(told_of_what_a_pager_takes),
      CASE(told_of_what_is_reclaimed), CASE(raw_is_refused), CASE(unloads))
