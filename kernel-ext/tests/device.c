/* The device node, its privileges, the memory cgroup charge, and the module's reference count. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include "harness.h"

static long cgroup_value(const char *file)
{
	char path[128];
	long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/upa/%s", file);
	f = fopen(path, "r");
	CHECK(f);
	CHECK_EQUAL(fscanf(f, "%ld", &value), 1);
	fclose(f);
	return value;
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQUAL(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void charged_to_cgroup(void)
{
	pid_t child;

	if (mkdir("/sys/fs/cgroup/upa", 0755) && errno != EEXIST)
		skip("no cgroup v2");
	put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	child = fork();
	if (!child) {
		struct region r;
		long before;

		put("/sys/fs/cgroup/upa/cgroup.procs", "0");
		before = cgroup_value("memory.current");
		r = guarded(8192, 8192);
		if (cgroup_value("memory.current") - before < 8192 * 4096)
			FAIL("memory.current=%ld before=%ld, expected 32 MiB more", cgroup_value("memory.current"), before);
		/* Above the limit the pool does not grow, and the process is told so. */
		put("/sys/fs/cgroup/upa/memory.max", "100663296");
		r = make_region(UPADEV_GUARDED, 0, 512, 512, 65536);
		CHECK_ERRNO(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 32768 }), ENOMEM);
		CHECK_EQUAL(stats(&r).frames, 512);
		exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
	usleep(300000);
	if (cgroup_value("memory.current") > 8 << 20)
		FAIL("memory.current=%ld after exit", cgroup_value("memory.current"));
}

static void not_unloaded_in_use(void)
{
	struct region r = guarded(512, 512);

	r.shadow[0] = 1;
	CHECK_ERRNO(syscall(SYS_delete_module, "upa", O_NONBLOCK), EAGAIN);
	close(r.fd); /* the mappings hold it still */
	CHECK_ERRNO(syscall(SYS_delete_module, "upa", O_NONBLOCK), EAGAIN);
	*word(&r, 0) = 1;
}

static void privileges(void)
{
	struct stat s;
	struct upadev_info info;
	pid_t child;

	CHECK_EQUAL(stat("/dev/upa", &s), 0);
	CHECK_EQUAL(s.st_mode & 07777, 0600);
	child = fork();
	if (!child) {
		int fd = open_device();

		CHECK_EQUAL(setuid(65534), 0);
		CHECK_ERRNO(open("/dev/upa", O_RDWR), EACCES);
		/* Raw modes need CAP_SYS_RAWIO even with raw=1. */
		CHECK_EQUAL(ioctl(fd, UPADEV_INFO, &info), 0);
		CHECK_EQUAL(info.modes, 1U << UPADEV_GUARDED);
		for (uint32_t mode = UPADEV_RAW_PTE; mode <= UPADEV_RAW_PMD; mode++)
			CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &(struct upadev_create){ .version = UPADEV_ABI_VERSION, .mode = mode,
							.pages = 262144, .max_frames = 512 }), EPERM);
		exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
}

TESTS(CASE(privileges), CASE(not_unloaded_in_use), CASE(charged_to_cgroup))
