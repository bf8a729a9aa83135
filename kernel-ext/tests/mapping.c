/*
 * mmap of each part, and what munmap, mremap, mprotect, madvise, msync and others may do with the
 * mappings.
 */
#include "harness.h"

static struct region r;

static void refuse_map(uint64_t bytes, int protection, int flags, uint64_t offset, int code)
{
	CHECK_ERRNO(mmap(NULL, bytes, protection, flags, r.fd, (off_t)offset), code);
}

static void still_works(void)
{
	r.shadow[3] = 4;
	*word(&r, 3) = 33;
	CHECK_EQUAL(*word(&r, 3), 33);
}

static void refuses_all_but_unmapping(void)
{
	const int both = PROT_READ | PROT_WRITE;
	size_t bytes;
	unsigned char *range, *second;
	struct region empty = { .fd = open_device() };

	CHECK_ERRNO(mmap(NULL, PAGE, both, MAP_SHARED, empty.fd, 0), ENXIO);

	r = guarded(1024, 512);
	bytes = r.created.data_bytes;
	still_works();
	range = reserve(bytes, 2 << 20);

	/* Second data mapping; wrong length, address, protection, sharing, offset. */
	CHECK_ERRNO(mmap(range, bytes, both, MAP_SHARED | MAP_FIXED, r.fd, UPADEV_MAP_DATA), EBUSY);
	range = reserve(bytes, 2 << 20);
	CHECK_EQUAL(munmap(r.data, bytes), 0);
	CHECK_ERRNO(mmap(range + PAGE, bytes, both, MAP_SHARED | MAP_FIXED, r.fd, UPADEV_MAP_DATA),
		    EINVAL);
	CHECK_ERRNO(mmap(range, bytes - PAGE, both, MAP_SHARED | MAP_FIXED, r.fd, UPADEV_MAP_DATA),
		    EINVAL);
	CHECK_ERRNO(mmap(range, bytes + PAGE, both, MAP_SHARED | MAP_FIXED, r.fd, UPADEV_MAP_DATA),
		    EINVAL);
	CHECK_ERRNO(mmap(range, bytes, both, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, r.fd,
			 UPADEV_MAP_DATA),
		    EINVAL);
	CHECK_ERRNO(mmap(range, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, r.fd, UPADEV_MAP_DATA),
		    EINVAL);
	CHECK_ERRNO(mmap(range, bytes, both | PROT_EXEC, MAP_SHARED | MAP_FIXED, r.fd,
			 UPADEV_MAP_DATA),
		    EINVAL);
	refuse_map(r.created.shadow_bytes + PAGE, both, MAP_SHARED, UPADEV_MAP_SHADOW, EINVAL);
	refuse_map(r.created.shadow_bytes, both, MAP_PRIVATE, UPADEV_MAP_SHADOW, EINVAL);
	refuse_map(r.created.shadow_bytes, both | PROT_EXEC, MAP_SHARED, UPADEV_MAP_SHADOW, EINVAL);
	refuse_map(2 * PAGE, both, MAP_SHARED, UPADEV_MAP_STATE, EINVAL);
	refuse_map(PAGE, both, MAP_SHARED, UPADEV_MAP_STATE + PAGE, EINVAL);
	refuse_map(PAGE, PROT_READ, MAP_SHARED, UPADEV_MAP_ENTRIES,
		   EINVAL); /* would show physical addresses */
	refuse_map(2 * PAGE, both, MAP_SHARED, UPADEV_MAP_TABLES, EINVAL);
	refuse_map(PAGE, both, MAP_SHARED, 5ULL << 40, EINVAL);
	map_data(&r);
	CHECK_EQUAL(*word(&r, 3), 33); /* the frame kept its contents, the shadow its entry */

	/* A part of it: no. */
	CHECK_ERRNO(munmap(r.data, PAGE), EINVAL);
	CHECK_ERRNO(munmap(r.data + bytes - PAGE, PAGE), EINVAL);
	CHECK_ERRNO(munmap(r.data + (2 << 20), 2 << 20), EINVAL);
	CHECK(mmap(r.data, PAGE, both, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      MAP_FAILED);
	CHECK_ERRNO(mprotect(r.data, bytes, PROT_READ), EACCES);
	CHECK_ERRNO(mprotect(r.data, bytes, both | PROT_EXEC), EACCES);
	CHECK(mprotect(r.data, PAGE, PROT_NONE) == -1);
	still_works();

	/* Moving, growing, shrinking, doubling, with and without a fixed target. */
	CHECK_ERRNO(mremap(r.data, bytes, bytes + PAGE, 0), EFAULT);
	CHECK_ERRNO(mremap(r.data, bytes, bytes + PAGE, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO(mremap(r.data, bytes, PAGE, 0), EINVAL);
	CHECK(mremap(r.data, 0, bytes, MREMAP_MAYMOVE) == MAP_FAILED);
	second = reserve(bytes, 2 << 20);
	CHECK_ERRNO(mremap(r.data, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, second), EBUSY);
	second = reserve(bytes, 2 << 20);
	CHECK_ERRNO(mremap(r.data, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, second + PAGE),
		    EBUSY);
	second = reserve(bytes, 2 << 20);
	CHECK(mremap(r.data, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, second) == MAP_FAILED);
	CHECK(mremap(r.data, bytes, bytes, MREMAP_MAYMOVE | MREMAP_DONTUNMAP) == MAP_FAILED);
	still_works();
	r.shadow[3] = 0;
	CHECK_EQUAL(unmap_pages(&r, 3, 1), 0);
	CHECK_EQUAL(touch(r.data + 3 * PAGE, false), SIGBUS);
	still_works();

	/* madvise that would break fork or drop what the table says. */
	CHECK_ERRNO(madvise(r.data, bytes, MADV_DOFORK), EINVAL);
	CHECK_ERRNO(madvise(r.data, bytes, MADV_DONTNEED), EINVAL);
	CHECK(madvise(r.data, bytes, MADV_FREE) == -1);
	CHECK(madvise(r.data, bytes, MADV_REMOVE) == -1);
	CHECK(madvise(r.data, PAGE, MADV_DONTFORK) == 0 || errno == EINVAL);
	still_works();
	CHECK_EQUAL(*word(&r, 3), 33);

	/* The same for the shadow table. */
	CHECK_ERRNO(mremap((void *)r.shadow, r.created.shadow_bytes, r.created.shadow_bytes,
			   MREMAP_MAYMOVE | MREMAP_FIXED, reserve(r.created.shadow_bytes, PAGE)),
		    EINVAL);
	CHECK_ERRNO(mprotect((void *)r.shadow, r.created.shadow_bytes, PROT_READ | PROT_EXEC),
		    EACCES);
	still_works();

	/* Closed while mapped: faults go on, and unmapping everything ends it. */
	close(r.fd);
	r.shadow[4] = 1;
	*word(&r, 4) = 5;
	CHECK_EQUAL(*word(&r, 4), 5);
	CHECK_EQUAL(munmap(r.data, bytes), 0);
	CHECK_EQUAL(touch(r.data, false), SIGSEGV);
}

/* Address 0 is one like any other for who may map there. */
static void works_at_address_0(void)
{
	volatile unsigned char *null = NULL;

	r = make_region(UPADEV_GUARDED, 0, 1024, 1024, 1024);
	CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
	r.data = mmap(NULL, r.created.data_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		      r.fd, UPADEV_MAP_DATA);
	if (r.data == MAP_FAILED)
		skip("nothing may be mapped at address 0");
	null = r.data;
	__asm__("" : "+r"(null));
	for (uint32_t page = 0; page < 1024; page++)
		r.shadow[page] = page + 1;
	for (size_t page = 0; page < 1024; page++)
		null[page * PAGE] = (unsigned char)page;
	/* It counts as mapped: for calls, for a second mapping, for frames that leave. */
	CHECK_EQUAL(unmap_pages(&r, 0, 1), 0);
	CHECK_EQUAL(null[PAGE], 1);
	CHECK_ERRNO(mmap(reserve(r.created.data_bytes, 2 << 20), r.created.data_bytes,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, r.fd, UPADEV_MAP_DATA),
		    EBUSY);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 512 }), 0);
	for (size_t page = 0; page < 512; page++)
		CHECK_EQUAL(null[page * PAGE], (unsigned char)page);
	CHECK_EQUAL(touch(null + 512 * PAGE, false), SIGBUS);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 0 }), 0);
	for (size_t page = 0; page < 1024; page++)
		CHECK_EQUAL(touch(null + page * PAGE, true), SIGBUS);
}

/*
 * Shadow and state are shared memory like any other: dropped mappings come back, and fork copies
 * them if told to.
 */
static void shadow_and_state_stay(void)
{
	uint64_t *state;
	pid_t child;

	r = guarded(1024, 512);
	state = r.state;
	still_works();
	state[1] = 4711;
	CHECK_EQUAL(madvise((void *)(uintptr_t)r.shadow, r.created.shadow_bytes, MADV_DONTNEED), 0);
	CHECK_EQUAL(madvise(r.state, PAGE, MADV_DONTNEED), 0);
	CHECK_EQUAL(r.shadow[3], 4);
	CHECK_EQUAL(state[1], 4711);
	CHECK_EQUAL(madvise((void *)(uintptr_t)r.shadow, r.created.shadow_bytes, MADV_DOFORK), 0);
	CHECK_EQUAL(madvise(r.state, PAGE, MADV_DOFORK), 0);
	child = fork();
	if (!child) {
		CHECK_EQUAL(r.shadow[3], 4);
		state[1]++;
		CHECK_EQUAL(touch(r.data + 3 * PAGE, false), SIGSEGV);
		exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
	CHECK_EQUAL(state[1], 4712);
	still_works();
}

/* Calls that reach the device by other ways than its own. */
static void other_ways_in(void)
{
	struct upadev_create c = {
		.version = UPADEV_ABI_VERSION, .pages = 512, .frames = 512, .max_frames = 512
	};
	char path[64];
	int fd;

	r = guarded(1024, 1024);
	CHECK_EQUAL(fsync(r.fd), UPADEV_DONE);
	CHECK_EQUAL(fdatasync(r.fd), 0);
	CHECK_EQUAL(msync(r.data, r.created.data_bytes, MS_SYNC), 0);
	CHECK_EQUAL(msync((void *)(uintptr_t)r.shadow, PAGE, MS_SYNC), 0);
	/* MADV_WILLNEED of the data does what UPADEV_MAP does. */
	r.shadow[700] = 1;
	CHECK_EQUAL(madvise(r.data + 512 * PAGE, 512 * PAGE, MADV_WILLNEED), 0);
	CHECK_EQUAL(stats(&r).map_pages, 1);
	*word(&r, 700) = 5;
	CHECK_EQUAL(stats(&r).faults, 0);
	CHECK_EQUAL(madvise((void *)(uintptr_t)r.shadow, PAGE, MADV_WILLNEED), 0);
	CHECK_EQUAL(stats(&r).map_pages, 1);

	/* A file that is not open for reading and writing gets no region. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r.fd);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &c), EACCES);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0);
	CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &c), EACCES);
	fd = open(path, O_RDWR);
	CHECK_EQUAL(ioctl(fd, UPADEV_CREATE, &c), 0); /* a region of its own */
}

TESTS(CASE(refuses_all_but_unmapping), CASE(works_at_address_0), CASE(shadow_and_state_stay),
      CASE(other_ways_in))
