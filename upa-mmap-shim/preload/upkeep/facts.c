/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "upkeep/facts.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "os/os.h"
#include "policy/pressure.h"

#define PAGE 4096ul

static _Atomic bool stopped;

void facts_stop(void)
{
	atomic_store(&stopped, true);
}

/* The start of a file; false if it cannot be read. */
static bool read_file(const char *path, char *text, size_t bytes)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long n;

	if (os_failed(fd))
		return false;
	n = os_call(SYS_read, fd, (long)text, (long)bytes - 1, 0, 0, 0);
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	text[n > 0 ? n : 0] = 0;
	return n > 0;
}

static int64_t file_number(const char *path)
{
	char text[64];

	return *path && read_file(path, text, sizeof(text)) ? pressure_number(text) : -1;
}

int64_t facts_resident(void)
{
	char text[128];
	const char *second;

	if (atomic_load_explicit(&stopped, memory_order_relaxed) || !read_file("/proc/self/statm", text, sizeof(text)))
		return -1;
	second = strchr(text, ' ');
	return second ? pressure_number(second + 1) * (int64_t)PAGE : -1;
}

/* The process's group, if it has a limit. */
static struct pressure_group group;

static void find_group(void)
{
	unsigned known = UINT32_MAX;
	char text[2048];

	if (!read_file("/proc/self/cgroup", text, sizeof(text)))
		return;
	for (unsigned i = 0; pressure_candidate(text, i, &group); i++) {
		int64_t limit = group.line != known && *group.limit && *group.use ? file_number(group.limit) : -1;

		if (limit <= 0)
			continue;
		if (pressure_is_limit(limit))
			return;
		/* The group has none, so its root is of no interest. */
		known = group.line;
	}
	*group.limit = 0;
}

static bool stalls(void)
{
	char text[256];

	return read_file("/proc/pressure/memory", text, sizeof(text)) && pressure_stalls(text);
}

bool facts_pressed(int64_t now)
{
	static struct pressure system;
	static bool sought;

	if (atomic_load_explicit(&stopped, memory_order_relaxed))
		return false;
	if (!sought) {
		sought = true;
		find_group();
	}
	if (pressure_due(&system, now))
		pressure_answer(&system, now, stalls());
	return system.stalls || (*group.limit && pressure_near(file_number(group.limit), file_number(group.use)));
}

/* struct procmap_query of linux/fs.h, since Linux 6.11. */
struct query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};

#define PROCMAP_QUERY _IOWR('f', 17, struct query)
#define VMA_READABLE 1u
#define VMA_WRITABLE 2u
#define VMA_SHARED 8u

int facts_mapping(uintptr_t address, struct facts_mapping *out)
{
	struct query q = { .size = sizeof(q), .query_addr = address };
	long fd, error;

	if (atomic_load_explicit(&stopped, memory_order_relaxed))
		return -EACCES;
	fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (os_failed(fd))
		return (int)fd;
	error = os_call(SYS_ioctl, fd, PROCMAP_QUERY, (long)&q, 0, 0, 0);
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	if (error)
		return (int)error;
	out->from = q.vma_start;
	out->to = q.vma_end;
	out->ordinary = !q.inode && !q.dev_major && !q.dev_minor &&
			(q.vma_flags & (VMA_READABLE | VMA_WRITABLE | VMA_SHARED)) == (VMA_READABLE | VMA_WRITABLE);
	return 0;
}

bool facts_in_use(uintptr_t page)
{
	static uint64_t words[PAGE / 8];
	struct iovec to = { words, PAGE }, from = { (void *)page, PAGE };
	long self = os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);

	if (os_call(SYS_process_vm_readv, self, (long)&to, 1, (long)&from, 1, 0) != (long)PAGE)
		return true;
	for (size_t i = 0; i < PAGE / 8; i++)
		if (words[i])
			return true;
	return false;
}
