/*
 * fork and exec by the holder of a region: the child has no part in it, and the parent's stays
 * whole.
 */
#include "harness.h"

static void in_child(struct region *r)
{
	struct upadev_stats s;

	CHECK_EQUAL(touch(r->data, false), SIGSEGV);
	CHECK_EQUAL(touch(r->data, true), SIGSEGV);
	CHECK_EQUAL(touch((void *)r->shadow, true), SIGSEGV);
	CHECK_EQUAL(touch(r->state, true), SIGSEGV);
	CHECK_ERRNO(map_pages(r, 0, 1), EPERM);
	CHECK_ERRNO(unmap_pages(r, 0, 1), EPERM);
	CHECK_ERRNO(fsync(r->fd), EPERM);
	CHECK_ERRNO(ioctl(r->fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 0 }), EPERM);
	CHECK_ERRNO(ioctl(r->fd, UPADEV_HARVEST, &(struct upadev_harvest){ .count = 1 }), EPERM);
	CHECK_ERRNO(ioctl(r->fd, UPADEV_CREATE,
			  &(struct upadev_create){
				  .version = UPADEV_ABI_VERSION, .pages = 512, .max_frames = 512 }),
		    EBUSY);
	CHECK_ERRNO(mmap(reserve(r->created.data_bytes, 2 << 20), r->created.data_bytes,
			 PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, r->fd, UPADEV_MAP_DATA),
		    EPERM);
	/* What a pager may do. */
	CHECK_EQUAL(ioctl(r->fd, UPADEV_STATS, &s), 0);
	CHECK_EQUAL(*(uint64_t *)map_part(r->fd, PAGE, UPADEV_MAP_STATE, PROT_READ | PROT_WRITE),
		    4711);
	CHECK_EQUAL(*(uint32_t *)map_part(r->fd, r->created.shadow_bytes, UPADEV_MAP_SHADOW,
					  PROT_READ | PROT_WRITE),
		    1);
	exit(0);
}

static int after_exec(char **argv)
{
	struct region r = { .fd = atoi(argv[1]) };

	/* Nothing but the descriptor is left, and it can do nothing. */
	CHECK_ERRNO(map_pages(&r, 0, 1), EPERM);
	CHECK_EQUAL(touch((void *)strtoul(argv[2], NULL, 16), false), SIGSEGV);
	CHECK_EQUAL(stats(&r).frames, 20480);
	return 0;
}

static void holder_stays_whole(void)
{
	struct region r;
	pid_t child;
	long before, held;
	int hold[2];

	r = guarded(20480, 20480);
	*(uint64_t *)r.state = 4711;
	r.shadow[0] = 1;
	*word(&r, 0) = 1;
	child = fork();
	if (!child)
		in_child(&r);
	*word(&r, 0) = 2;
	CHECK_EQUAL(wait_status(child), 0);
	CHECK_EQUAL(*word(&r, 0), 2);
	CHECK_EQUAL(unmap_pages(&r, 0, 1), 0);
	CHECK_EQUAL(*word(&r, 0), 2);

	/* vfork shares the mm, so the child is the holder as well. */
	child = vfork();
	if (!child) {
		*word(&r, 0) = 3;
		_exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
	CHECK_EQUAL(*word(&r, 0), 3);

	/*
	 * The child of a dead holder keeps the frames by the descriptor alone, until it closes it.
	 */
	CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
	munmap((void *)r.shadow, r.created.shadow_bytes);
	munmap(r.state, PAGE);
	close(r.fd);
	usleep(100000);
	before = free_pages();
	CHECK_EQUAL(pipe(hold), 0);
	child = fork();
	if (!child) {
		r = guarded(20480, 20480);
		r.shadow[0] = 1;
		*word(&r, 0) = 1;
		if (!fork()) {
			char byte;

			close(hold[1]);
			CHECK_EQUAL(read(hold[0], &byte, 1), 0); /* until the parent lets go */
		}
		exit(0);
	}
	close(hold[0]);
	CHECK_EQUAL(wait_status(child), 0);
	held = before - free_pages();
	if (held < 20000)
		FAIL("held=%ld pages, expected 20480", held);
	close(hold[1]);
	for (int tries = 0; tries < 50 && (held = before - free_pages()) > 2000; tries++)
		usleep(100000);
	if (held > 2000)
		FAIL("held=%ld pages after the last descriptor was closed", held);

	child = fork();
	if (!child) {
		char fd[16], address[32];

		r = guarded(20480, 20480);
		r.shadow[0] = 1;
		*word(&r, 0) = 1;
		CHECK_EQUAL(fcntl(r.fd, F_SETFD, 0), 0);
		snprintf(fd, sizeof(fd), "%d", r.fd);
		snprintf(address, sizeof(address), "%lx", (unsigned long)r.data);
		execl("/proc/self/exe", "fork_exec", fd, address, NULL);
		exit(1);
	}
	CHECK_EQUAL(wait_status(child), 0);
	for (int tries = 0; tries < 50 && (held = before - free_pages()) > 2000; tries++)
		usleep(100000);
	if (held > 2000)
		FAIL("held=%ld pages after exec and exit", held);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = { CASE(holder_stays_whole) };

	return argc == 3 ? after_exec(argv) : run_cases(cases, 1);
}
