/*
 * UPADEV_HARVEST: the accessed and dirty bits tell which pages were read and written since the last
 * time.
 */
#include "harness.h"

#define PAGES 70000 / 512 * 512

static uint64_t accessed[(PAGES + 63) / 64], dirty[(PAGES + 63) / 64];

static bool bit(const uint64_t *map, uint64_t i)
{
	return map[i / 64] >> i % 64 & 1;
}

static struct upadev_harvest harvest(struct region *r, uint64_t page, uint64_t count,
				     uint32_t flags)
{
	struct upadev_harvest h = { .page = page,
				    .count = count,
				    .accessed = (uintptr_t)accessed,
				    .dirty = (uintptr_t)dirty,
				    .flags = flags };

	memset(accessed, 0xff, sizeof(accessed));
	memset(dirty, 0xff, sizeof(dirty));
	CHECK_EQUAL(ioctl(r->fd, UPADEV_HARVEST, &h), 0);
	return h;
}

static void refused(struct region *r, struct upadev_harvest h, int code)
{
	CHECK_ERRNO(ioctl(r->fd, UPADEV_HARVEST, &h), code);
}

static const uint32_t clear =
	UPADEV_HARVEST_CLEAR_ACCESSED | UPADEV_HARVEST_CLEAR_DIRTY | UPADEV_HARVEST_FLUSH;

static void tells_accessed_and_dirty(void)
{
	/* Both sides of the 32768 pages that the kernel does in one go. */
	static const uint64_t reads[] = { 0, 63, 64, 511, 512, 32767, 32768, 33000, PAGES - 1 };
	struct region r = make_region(UPADEV_GUARDED, UPADEV_CREATE_TRACK, PAGES, 512, 512);
	struct upadev_harvest h, good = { .count = 64, .accessed = (uintptr_t)accessed };
	uint64_t page;

	for (page = 0; page < PAGES; page++)
		r.shadow[page] = (uint32_t)(page % 512) + 1;
	CHECK_EQUAL(map_pages(&r, 0, PAGES), 0);
	h = harvest(&r, 0, PAGES, 0);
	CHECK_EQUAL(h.accessed_pages + h.dirty_pages, 0);

	for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++)
		(void)*word(&r, reads[i]);
	*word(&r, 700) = 1;
	*word(&r, 40000) = 1;
	h = harvest(&r, 0, PAGES, 0);
	CHECK_EQUAL(h.accessed_pages, 11);
	CHECK_EQUAL(h.dirty_pages, 2);
	for (page = 0; page < PAGES; page++) {
		bool written = page == 700 || page == 40000, read = written;

		for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++)
			read |= page == reads[i];
		CHECK_EQUAL(bit(accessed, page), read);
		CHECK_EQUAL(bit(dirty, page), written);
	}
	/* A first page that is no multiple of 64, and unused bits. */
	h = harvest(&r, 699, 3, 0);
	CHECK_EQUAL(accessed[0], 2);
	CHECK_EQUAL(dirty[0], 2);

	h = harvest(&r, 0, PAGES, clear);
	CHECK_EQUAL(h.accessed_pages, 11);
	h = harvest(&r, 0, PAGES, 0);
	CHECK_EQUAL(h.accessed_pages + h.dirty_pages, 0);
	/* The flush makes the next access visible though its translation was cached. */
	*word(&r, 700) = 2;
	h = harvest(&r, 0, PAGES, clear);
	CHECK_EQUAL(h.accessed_pages, 1);
	CHECK_EQUAL(h.dirty_pages, 1);

	CHECK_EQUAL(unmap_pages(&r, 0, 512), 0);
	h = harvest(&r, 0, 1024, 0);
	CHECK_EQUAL(h.accessed_pages, 0);

	h = good, h.flags = 8, refused(&r, h, EINVAL);
	h = good, h.pad = 1, refused(&r, h, EINVAL);
	h = good, h.reserved[0] = 1, refused(&r, h, EINVAL);
	h = good, h.reserved[1] = 1, refused(&r, h, EINVAL);
	h = good, h.count = 0, refused(&r, h, EINVAL);
	h = good, h.page = PAGES, refused(&r, h, EINVAL);
	h = good, h.page = 1, h.count = PAGES, refused(&r, h, EINVAL);
	h = good, h.page = 2, h.count = UINT64_MAX, refused(&r, h, EINVAL);
	h = good, h.accessed = 4096, refused(&r, h, EFAULT);
	h = good, h.dirty = 1ULL << 63, refused(&r, h, EFAULT);
	CHECK_ERRNO(ioctl(r.fd, UPADEV_HARVEST, NULL), EFAULT);
	CHECK_ERRNO(ioctl(open_device(), UPADEV_HARVEST, &good), ENXIO);
	/* Bit maps in the region itself: the kernel writes them through faults of its own. */
	h = good, h.accessed = (uintptr_t)(r.data + 5 * PAGE);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_HARVEST, &h), 0);

	/* Without UPADEV_CREATE_TRACK everything installed counts as used until harvested once. */
	r = guarded(512, 512);
	r.shadow[9] = 1;
	CHECK_EQUAL(map_pages(&r, 9, 1), 0);
	h = harvest(&r, 0, 512, clear);
	CHECK_EQUAL(h.accessed_pages, 1);
	h = harvest(&r, 0, 512, 0);
	CHECK_EQUAL(h.accessed_pages, 0);
}

/* A dirty bit that was cleared comes again with the next store, though nobody asks for a flush. */
static void next_store_is_seen(void)
{
	struct region r = make_region(UPADEV_GUARDED, UPADEV_CREATE_TRACK, 512, 512, 512);

	for (uint32_t page = 0; page < 512; page++)
		r.shadow[page] = page + 1;
	CHECK_EQUAL(map_pages(&r, 0, 512), 0);
	for (uint64_t i = 0; i < 32; i++) {
		*word(&r, 5) = i;
		CHECK_EQUAL(harvest(&r, 0, 512, UPADEV_HARVEST_CLEAR_DIRTY).dirty_pages, 1);
		CHECK_EQUAL(harvest(&r, 0, 512, 0).dirty_pages, 0);
	}
}

TESTS(CASE(tells_accessed_and_dirty), CASE(next_store_is_seen))
