/*
 * UPADEV_CREATE and UPADEV_INFO: every refusal, after each of which a good request still succeeds.
 */
#include <sys/resource.h>

#include "harness.h"

static const struct upadev_create good = { .version = UPADEV_ABI_VERSION,
					   .pages = 1024,
					   .frames = 512,
					   .max_frames = 1024,
					   .state_bytes = 8192 };

static void refused(struct upadev_create c, int code)
{
	int fd = open_device();
	struct upadev_create again = good;
	struct upadev_stats s;

	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &c), code);
	CHECK_ERRNO(ioctl(fd, UPADEV_STATS, &s), ENXIO);
	CHECK_EQUAL(ioctl(fd, UPADEV_CREATE, &again), 0);
	close(fd);
}

static void refuses_each_bad_field(void)
{
	struct upadev_create c;

	c = good, c.version = 0, refused(c, EINVAL);
	c = good, c.version = UPADEV_ABI_VERSION + 1, refused(c, EINVAL);
	c = good, c.mode = 3, refused(c, EINVAL);
	c = good, c.mode = UINT32_MAX, refused(c, EINVAL);
	for (uint32_t bit = UPADEV_CREATE_BLOCKS << 1; bit; bit <<= 1)
		c = good, c.flags = bit, refused(c, EINVAL);
	c = good, c.flags = UPADEV_CREATE_TRACK | UPADEV_CREATE_RECLAIM, refused(c, EINVAL);
	c = good, c.flags = UPADEV_CREATE_BLOCKS | UPADEV_CREATE_RECLAIM, refused(c, EINVAL);
	c = good, c.pad = 1, refused(c, EINVAL);
	for (int i = 0; i < 4; i++)
		c = good, c.reserved[i] = 1ULL << 40, refused(c, EINVAL);
	c = good, c.pages = 0, refused(c, EINVAL);
	c = good, c.pages = 511, refused(c, EINVAL);
	c = good, c.pages = 513, refused(c, EINVAL);
	c = good, c.pages = UPADEV_MAX_PAGES + 512, refused(c, EINVAL);
	c = good, c.pages = UINT64_MAX, refused(c, EINVAL);
	c = good, c.frames = 1, refused(c, EINVAL);
	c = good, c.frames = 1536, refused(c, EINVAL);
	c = good, c.max_frames = 0, refused(c, EINVAL);
	c = good, c.max_frames = 1025, refused(c, EINVAL);
	c = good, c.max_frames = UPADEV_MAX_PAGES * 2, refused(c, EINVAL);
	c = good, c.state_bytes = 1, refused(c, EINVAL);
	c = good, c.state_bytes = UPADEV_MAX_STATE_BYTES + 4096, refused(c, EINVAL);
	/* More than the machine has: 1 TiB of frames. */
	c = good, c.frames = c.max_frames = UPADEV_MAX_PAGES, c.state_bytes = 0, refused(c, ENOMEM);
}

static void results(void)
{
	struct upadev_create c = good, second = good;
	struct upadev_info info;
	int fd = open_device();

	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, NULL), EFAULT);
	CHECK_EQUAL(ioctl(fd, UPADEV_INFO, &info), 0);
	CHECK_EQUAL(info.version, UPADEV_ABI_VERSION);
	CHECK(info.modes & 1U << UPADEV_GUARDED);
	CHECK_EQUAL(info.reserved[0] | info.reserved[1] | info.reserved[2], 0);
	CHECK_ERRNO(ioctl(fd, UPADEV_INFO, NULL), EFAULT);
	CHECK_EQUAL(ioctl(fd, UPADEV_CREATE, &c), 0);
	CHECK_EQUAL(c.data_bytes, 1024 * PAGE);
	CHECK_EQUAL(c.shadow_bytes, 4096);
	CHECK_EQUAL(c.entries_bytes, 0);
	CHECK_EQUAL(c.tables_bytes, 0);
	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &second), EBUSY);
	CHECK_ERRNO(ioctl(fd, _IO('U', 0x88)), ENOTTY);
	CHECK_ERRNO(ioctl(fd, 0), ENOTTY);
	close(fd);
}

/* Without CAP_IPC_LOCK, frames and tables count against RLIMIT_MEMLOCK. */
static void locked_memory_limit(void)
{
	pid_t child = fork();
	struct upadev_create c = good;
	struct upadev_stats s;
	struct rlimit limit = { 4 << 20, 4 << 20 };
	int fd;

	if (child) {
		CHECK_EQUAL(wait_status(child), 0);
		return;
	}
	fd = open_device();
	CHECK_EQUAL(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	CHECK_EQUAL(setuid(65534), 0);
	c.frames = 1024; /* 4 MiB and the tables: just too much */
	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &c), ENOMEM);
	/* Frames, entries table, shadow and state: to the page. */
	c = good;
	limit.rlim_cur = (512 + 2 + 1 + 2 - 1) * PAGE;
	CHECK_EQUAL(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &c), ENOMEM);
	limit.rlim_cur += PAGE;
	CHECK_EQUAL(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	CHECK_EQUAL(ioctl(fd, UPADEV_CREATE, &c), 0);
	CHECK_EQUAL(ioctl(fd, UPADEV_STATS, &s), 0);
	CHECK_EQUAL(s.charged_pages, 517);
	CHECK_ERRNO(ioctl(fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 1024 }), ENOMEM);
	CHECK_EQUAL(ioctl(fd, UPADEV_STATS, &s), 0);
	CHECK_EQUAL(s.frames, 512);
	CHECK_EQUAL(s.charged_pages, 517);
	close(fd);
	exit(0);
}

/* In KiB, as the kernel shows it. */
static long pinned(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[200];
	long kib = -1;

	CHECK(f != NULL);
	while (kib < 0 && fgets(line, sizeof(line), f))
		sscanf(line, "VmPin: %ld", &kib);
	fclose(f);
	return kib;
}

/* What the pool holds is shown as the owner's, and no longer than it holds it. */
static void shown_as_pinned(void)
{
	long before = pinned();
	struct region r = guarded(1024, 1024);

	CHECK_EQUAL(pinned() - before, 4 * (long)stats(&r).charged_pages);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 512 }), 0);
	CHECK_EQUAL(pinned() - before, 4 * (long)stats(&r).charged_pages);
	munmap(r.data, r.created.data_bytes);
	munmap((void *)(uintptr_t)r.shadow, r.created.shadow_bytes);
	munmap(r.state, r.created.state_bytes);
	close(r.fd);
	CHECK_EQUAL(pinned(), before);
}

TESTS(CASE(refuses_each_bad_field), CASE(results), CASE(locked_memory_limit), CASE(shown_as_pinned))
