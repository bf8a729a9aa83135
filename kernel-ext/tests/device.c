/* The device node, its privileges, the memory cgroup charge, and the module's reference count. */
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cgroup.h"
#include "harness.h"

#define CURRENT "/sys/fs/cgroup/upa/memory.current"

static void charged_to_cgroup(void)
{
	pid_t child;

	if (mkdir("/sys/fs/cgroup/upa", 0755) && errno != EEXIST)
		skip("no cgroup v2");
	cgroup_put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	child = fork();
	if (!child) {
		struct region r;
		long before;

		cgroup_put("/sys/fs/cgroup/upa/cgroup.procs", "0");
		before = cgroup_value(CURRENT);
		r = guarded(8192, 8192);
		if (cgroup_value(CURRENT) - before < 8192 * 4096)
			FAIL("memory.current=%ld before=%ld, expected 32 MiB more",
			     cgroup_value(CURRENT), before);
		/* Above the limit the pool does not grow, and the process is told so. */
		cgroup_put("/sys/fs/cgroup/upa/memory.max", "100663296");
		r = make_region(UPADEV_GUARDED, 0, 512, 512, 65536);
		CHECK_ERRNO(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ .frames = 32768 }),
			    ENOMEM);
		CHECK_EQUAL(stats(&r).frames, 512);
		exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
	usleep(300000);
	if (cgroup_value(CURRENT) > 8 << 20)
		FAIL("memory.current=%ld after exit", cgroup_value(CURRENT));
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
			CHECK_ERRNO(ioctl(fd, UPADEV_CREATE,
					  &(struct upadev_create){ .version = UPADEV_ABI_VERSION,
								   .mode = mode,
								   .pages = 262144,
								   .max_frames = 512 }),
				    EPERM);
		exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
}

/* The lines of debugfs that are about this process, and the last of them. */
static int own_lines(char *last, size_t bytes)
{
	FILE *f = fopen("/sys/kernel/debug/upa/regions", "r");
	char line[512], own[32];
	int lines = 0;

	if (!f)
		skip("no debugfs");
	snprintf(own, sizeof(own), "%d guarded ", getpid());
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, own, strlen(own)))
			continue;
		snprintf(last, bytes, "%s", line + strlen(own));
		lines++;
	}
	fclose(f);
	return lines;
}

/* A line for each region, while it lives, and what UPADEV_STATS says. */
static void told_in_debugfs(void)
{
	unsigned long v[14];
	struct upadev_stats s;
	struct region r;
	char line[512] = "";
	struct stat file;
	int fd;

	mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	CHECK_EQUAL(own_lines(line, sizeof(line)), 0);
	CHECK_EQUAL(stat("/sys/kernel/debug/upa/regions", &file), 0);
	CHECK_EQUAL(file.st_mode & 0777, 0400);
	fd = open_device();
	CHECK_EQUAL(own_lines(line, sizeof(line)), 0); /* open, but no region */
	close(fd);
	r = make_region(UPADEV_GUARDED, 0, 1024, 512, 2048);
	guarded(512, 512);
	CHECK_EQUAL(own_lines(line, sizeof(line)), 2);
	CHECK_EQUAL(strncmp(line, "512 512 512 ", 12), 0);
	munmap(r.data, r.created.data_bytes);
	munmap((void *)(uintptr_t)r.shadow, r.created.shadow_bytes);
	munmap(r.state, r.created.state_bytes);
	close(r.fd);
	CHECK_EQUAL(own_lines(line, sizeof(line)), 1);

	r = make_region(UPADEV_GUARDED, 0, 1024, 512, 2048);
	for (uint32_t page = 0; page < 20; page++)
		r.shadow[page] = page + 1;
	CHECK_EQUAL(map_pages(&r, 0, 8), 0);
	(void)word(&r, 9)[0];
	CHECK_EQUAL(unmap_pages(&r, 0, 512), 0);
	CHECK_EQUAL(touch(r.data + 600 * PAGE, false), SIGBUS);
	s = stats(&r);
	CHECK_EQUAL(own_lines(line, sizeof(line)), 2);
	CHECK_EQUAL(sscanf(line, "%lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu", &v[0],
			   &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8], &v[9], &v[10],
			   &v[11], &v[12], &v[13]),
		    14);
	CHECK_EQUAL(v[0], 1024);
	CHECK_EQUAL(v[1], 512);
	CHECK_EQUAL(v[2], 2048);
	CHECK_EQUAL(v[3], s.charged_pages);
	CHECK_EQUAL(v[4], 0);
	CHECK_EQUAL(v[5], 1);
	CHECK_EQUAL(v[6], 12);
	CHECK_EQUAL(v[7], 1);
	CHECK_EQUAL(v[8], 1);
	CHECK_EQUAL(v[9], 8);
	CHECK_EQUAL(v[10], 1);
	CHECK_EQUAL(v[11], 20);
	CHECK_EQUAL(v[12], s.shootdowns);
	CHECK_EQUAL(v[13], s.shared_shootdowns);
}

TESTS(CASE(privileges), CASE(not_unloaded_in_use), CASE(charged_to_cgroup), CASE(told_in_debugfs))
