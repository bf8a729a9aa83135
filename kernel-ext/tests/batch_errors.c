/* UPADEV_MAP and UPADEV_UNMAP: every refusal leaves all mappings as they were. */
#include "harness.h"

static struct region r;

static void unchanged(void)
{
	struct upadev_stats s = stats(&r);

	CHECK_EQUAL(s.map_pages, 1);
	CHECK_EQUAL(s.unmap_pages, 0);
	CHECK_EQUAL(*word(&r, 5), 77);
}

static void refused(struct upadev_batch b, int code)
{
	static const unsigned long calls[] = { UPADEV_MAP, UPADEV_UNMAP };

	for (int i = 0; i < 2; i++) {
		struct upadev_batch copy = b;

		CHECK_ERRNO(ioctl(r.fd, calls[i], &copy), code);
		unchanged();
	}
}

static void refusals_change_nothing(void)
{
	static struct upadev_range ranges[UPADEV_MAX_RANGES + 1];
	struct upadev_batch good = { .ranges = (uintptr_t)ranges, .count = 2 }, b;
	static const struct upadev_range bad[] = { { 0, 0 },
						   { 1024, 1 },
						   { 0, 1025 },
						   { 1023, 2 },
						   { UINT64_MAX, 1 },
						   { 1, UINT64_MAX },
						   { UINT64_MAX, UINT64_MAX },
						   { 1ULL << 52, 1 } };
	struct region other;

	r = guarded(1024, 512);
	r.shadow[5] = 1;
	CHECK_EQUAL(map_pages(&r, 5, 1), 0);
	*word(&r, 5) = 77;
	r.shadow[6] = 2;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ranges[0] = (struct upadev_range){
			5, 2
		}; /* good, and before the bad one: all are checked first */
		ranges[1] = bad[i];
		refused(good, EINVAL);
	}
	for (size_t i = 0; i < UPADEV_MAX_RANGES + 1; i++)
		ranges[i] = (struct upadev_range){ 5, 2 };
	b = good, b.count = 0, refused(b, EINVAL);
	b = good, b.count = UPADEV_MAX_RANGES + 1, refused(b, EINVAL);
	b = good, b.count = UINT32_MAX, refused(b, EINVAL);
	b = good, b.flags = 2, refused(b, EINVAL);
	b = good, b.flags = 1U << 31, refused(b, EINVAL);
	b = good, b.reserved[0] = 1, refused(b, EINVAL);
	b = good, b.reserved[1] = 1, refused(b, EINVAL);
	b = good, b.ranges = 0, refused(b, EFAULT);
	b = good, b.ranges = 1ULL << 63, refused(b, EFAULT);
	b = good, b.ranges = UINT64_MAX - 3, refused(b, EFAULT);
	b = good, b.flags = UPADEV_BATCH_PER_RANGE;
	CHECK_ERRNO(ioctl(r.fd, UPADEV_MAP, &b), EINVAL);
	unchanged();
	CHECK_ERRNO(ioctl(r.fd, UPADEV_MAP, (void *)8), EFAULT);
	CHECK_ERRNO(ioctl(r.fd, UPADEV_UNMAP, (void *)8), EFAULT);
	unchanged();

	/* No region, then a region without its data mapped. */
	other = (struct region){ .fd = open_device() };
	CHECK_ERRNO(map_pages(&other, 0, 1), ENXIO);
	CHECK_ERRNO(unmap_pages(&other, 0, 1), ENXIO);
	CHECK_ERRNO(fsync(other.fd), ENXIO);
	other.created = (struct upadev_create){
		.version = UPADEV_ABI_VERSION, .pages = 512, .frames = 512, .max_frames = 512
	};
	CHECK_EQUAL(ioctl(other.fd, UPADEV_CREATE, &other.created), 0);
	CHECK_ERRNO(map_pages(&other, 0, 1), ENXIO);
	CHECK_ERRNO(unmap_pages(&other, 0, 1), ENXIO);
	CHECK_ERRNO(fsync(other.fd), ENXIO);

	/* The largest batch. */
	good.count = UPADEV_MAX_RANGES;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_UNMAP, &good), 0);
	CHECK_EQUAL(good.changed, 1);
	CHECK_EQUAL(*word(&r, 5), 77);
}

TESTS(CASE(refusals_change_nothing))
