/*
 * posix_fadvise() of one range: WILLNEED does what UPADEV_MAP does, DONTNEED what UPADEV_UNMAP
 * does; a refusal changes nothing.
 */
#include <sys/syscall.h>

#include "harness.h"

static struct region r;

static int advise(uint64_t page, uint64_t count, int advice)
{
	return posix_fadvise(r.fd, (off_t)(page * PAGE), (off_t)(count * PAGE), advice);
}

static void refused(off_t offset, off_t bytes, int code)
{
	CHECK_EQUAL(posix_fadvise(r.fd, offset, bytes, POSIX_FADV_WILLNEED), code);
	CHECK_EQUAL(posix_fadvise(r.fd, offset, bytes, POSIX_FADV_DONTNEED), code);
	CHECK_EQUAL(stats(&r).map_pages, 700);
	CHECK_EQUAL(stats(&r).unmap_pages, 0);
}

static void refusals(void)
{
	static const int others[] = { POSIX_FADV_NORMAL,
				      POSIX_FADV_RANDOM,
				      POSIX_FADV_SEQUENTIAL,
				      POSIX_FADV_NOREUSE,
				      -1,
				      99 };
	struct region other = { .fd = open_device() };

	refused(1, PAGE, EINVAL);
	refused(0, PAGE + 1, EINVAL);
	refused(0, 0, EINVAL);
	refused(0, -(off_t)PAGE, EINVAL);
	refused(-(off_t)PAGE, PAGE, EINVAL);
	refused(1024 * PAGE, PAGE, EINVAL);
	refused(1023 * PAGE, 2 * PAGE, EINVAL);
	refused(0, INT64_MAX & -(off_t)PAGE, EINVAL);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		CHECK_EQUAL(posix_fadvise(r.fd, 0, PAGE, others[i]), EINVAL);

	CHECK_EQUAL(posix_fadvise(other.fd, 0, PAGE, POSIX_FADV_WILLNEED), ENXIO);
	other.created = (struct upadev_create){
		.version = UPADEV_ABI_VERSION, .pages = 512, .frames = 512, .max_frames = 512
	};
	CHECK_EQUAL(ioctl(other.fd, UPADEV_CREATE, &other.created), 0);
	CHECK_EQUAL(posix_fadvise(other.fd, 0, PAGE, POSIX_FADV_DONTNEED), ENXIO);
	close(other.fd);
}

static void advises_one_range(void)
{
	uint64_t page;
	pid_t child;
	int status;

	r = guarded(1024, 1024);
	for (page = 0; page < 1024; page++)
		r.shadow[page] = (uint32_t)page + 1;
	CHECK_EQUAL(advise(100, 700, POSIX_FADV_WILLNEED), 0);
	CHECK_EQUAL(stats(&r).map_pages, 700);
	for (page = 100; page < 800; page++)
		*word(&r, page) = page;
	CHECK_EQUAL(stats(&r).faults, 0);
	CHECK_EQUAL(stats(&r).shootdowns, 0);
	refusals();
	child = fork();
	if (!child)
		_exit(posix_fadvise(r.fd, 0, PAGE, POSIX_FADV_DONTNEED) != EPERM);
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK_EQUAL(status, 0);

	for (page = 500; page < 520; page++)
		r.shadow[page] = 0;
	CHECK_EQUAL(syscall(SYS_fadvise64, r.fd, 500 * PAGE, 20 * PAGE, POSIX_FADV_DONTNEED),
		    UPADEV_DONE);
	CHECK_EQUAL(stats(&r).unmap_pages, 20);
	CHECK_EQUAL(stats(&r).shootdowns, 1);
	for (page = 100; page < 800; page++) {
		if (page >= 500 && page < 520)
			CHECK_EQUAL(touch(r.data + page * PAGE, true), SIGBUS);
		else
			CHECK_EQUAL(*word(&r, page), page);
	}
	CHECK_EQUAL(advise(500, 20, POSIX_FADV_DONTNEED), 0); /* nothing there: no flush */
	CHECK_EQUAL(stats(&r).shootdowns, 1);

	r.shadow[900] = 1025; /* out of range: what comes before it is installed */
	CHECK_EQUAL(advise(899, 3, POSIX_FADV_WILLNEED), EINVAL);
	CHECK_EQUAL(stats(&r).map_pages, 701);
}

TESTS(CASE(advises_one_range))
