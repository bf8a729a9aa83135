/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "upkeep/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "os/file.h"
#include "os/filter.h"
#include "os/os.h"
#include "os/page.h"
#include "policy/pressure.h"

static _Atomic bool stopped;

void facts_stop(void)
{
	atomic_store(&stopped, true);
}

static int64_t file_number(const char *path)
{
	char text[64];

	return file_read(path, text, sizeof(text)) ? pressure_number(text) : -1;
}

int64_t facts_resident(void)
{
	char text[128];
	const char *second;

	if (atomic_load_explicit(&stopped, memory_order_relaxed) ||
	    !file_read("/proc/thread-self/statm", text, sizeof(text)))
		return -1;
	second = strchr(text, ' ');
	return second ? pressure_number(second + 1) * (int64_t)PAGE_BYTES : -1;
}

/* ---- limits ----------------------------------------------------------------------------------------- */

/* The groups that have one, from the process's own upwards; of more than these the first count. */
#define MOST_GROUPS 4

static struct group {
	struct pressure_level level;
	int64_t limit;
} groups[MOST_GROUPS];

static unsigned group_count;

/* A number in a file of the group's; negative if there is none. */
static int64_t group_number(struct pressure_level *level, const char *file)
{
	size_t length = strlen(level->folder);
	int64_t n;

	if (!length)
		return -1;
	strcpy(level->folder + length, file);
	n = file_number(level->folder);
	level->folder[length] = 0;
	return n;
}

/* Where the kernel begins to slow its processes down, or kills: negative if nowhere. */
static int64_t limit_of(struct pressure_level *level)
{
	int64_t kills = group_number(level, level->unified ? "/memory.max" : "/memory.limit_in_bytes");
	int64_t slows = level->unified ? group_number(level, "/memory.high") : -1;

	kills = pressure_is_limit(kills) ? kills : -1;
	slows = pressure_is_limit(slows) ? slows : -1;
	return kills < 0 || (slows >= 0 && slows < kills) ? slows : kills;
}

static void find_groups(void)
{
	char text[2048];

	group_count = 0;
	if (!file_read("/proc/self/cgroup", text, sizeof(text)))
		return;
	for (unsigned i = 0; group_count < MOST_GROUPS; i++) {
		struct group *g = &groups[group_count];

		if (!pressure_level(text, i, &g->level))
			return;
		g->limit = limit_of(&g->level);
		group_count += g->limit >= 0;
	}
}

/* Pages of files that the group's processes have read: they go first. */
static int64_t files_of(struct pressure_level *level)
{
	size_t length = strlen(level->folder);
	bool unified = level->unified;
	char text[2560]; /* of a stack that may be small */
	int64_t inactive, active;

	strcpy(level->folder + length, "/memory.stat");
	file_read(level->folder, text, sizeof(text));
	level->folder[length] = 0;
	inactive = pressure_field(text, unified ? "inactive_file" : "total_inactive_file");
	active = pressure_field(text, unified ? "active_file" : "total_active_file");
	return (inactive > 0 ? inactive : 0) + (active > 0 ? active : 0);
}

static int64_t keepable_in(struct group *g, int64_t kept)
{
	int64_t use = group_number(&g->level, g->level.unified ? "/memory.current" : "/memory.usage_in_bytes");
	int64_t most = pressure_keepable(g->limit, use, 0, kept);

	/* Where the share is all that counts, files' pages change nothing. */
	return most == g->limit / PRESSURE_SHARE ? most : pressure_keepable(g->limit, use, files_of(&g->level), kept);
}

static bool stalls(void)
{
	char text[256];

	return file_read("/proc/pressure/memory", text, sizeof(text)) && pressure_stalls(text);
}

/* Of the machine. */
static struct memory {
	int64_t available, total;
} memory(void)
{
	char text[512] = "";
	struct memory m;

	file_read("/proc/meminfo", text, sizeof(text));
	m.available = pressure_field(text, "MemAvailable");
	m.total = pressure_field(text, "MemTotal");
	m.available = m.available < 0 ? m.available : m.available << 10;
	m.total = m.total < 0 ? m.total : m.total << 10;
	return m;
}

int64_t facts_keepable(int64_t now, int64_t kept)
{
	static struct pressure system;
	static int64_t machine;
	int64_t most;

	if (atomic_load_explicit(&stopped, memory_order_relaxed))
		return INT64_MAX;
	if (pressure_due(&system, now)) {
		struct memory m = memory();

		pressure_answer(&system, now, stalls() && pressure_is_short(m.available, m.total));
		find_groups();
		machine = pressure_keepable_of_machine(m.available, kept);
	}
	if (system.stalls)
		return 0;
	most = machine;
	for (unsigned i = 0; i < group_count; i++) {
		int64_t in_group = keepable_in(&groups[i], kept);

		most = in_group < most ? in_group : most;
	}
	return most;
}

bool facts_many_nodes(void)
{
	char text[64];

	/* A list, as "0", "0-1" or "0,2". */
	return atomic_load_explicit(&stopped, memory_order_relaxed) ||
	       (file_read("/sys/devices/system/node/has_memory", text, sizeof(text)) &&
		(strchr(text, ',') || strchr(text, '-')));
}

/* ---- mappings and pages ----------------------------------------------------------------------------- */

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
	fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/thread-self/maps", O_RDONLY | O_CLOEXEC, 0, 0, 0);
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

/* struct pm_scan_arg and struct page_region of linux/fs.h, since Linux 6.7. */
struct scan {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

struct scanned {
	uint64_t start, end, categories;
};

#define SCAN_PAGEMAP _IOWR('f', 16, struct scan)
#define IS_PRESENT (1u << 3)
#define IS_SWAPPED (1u << 4)

#define MOST_SCANNED 32

long facts_populated(uintptr_t *from, uintptr_t to, struct facts_range *out, size_t most)
{
	struct scanned found[MOST_SCANNED];
	struct scan scan = {
		.size = sizeof(scan),
		.start = *from,
		.end = to,
		.vec = (uint64_t)(uintptr_t)found,
		.vec_len = most < MOST_SCANNED ? most : MOST_SCANNED,
		.category_anyof_mask = IS_PRESENT | IS_SWAPPED,
		.return_mask = IS_PRESENT | IS_SWAPPED,
	};
	long fd, n;

	if (atomic_load_explicit(&stopped, memory_order_relaxed) || os_filtered())
		return -EACCES;
	fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/thread-self/pagemap", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (os_failed(fd))
		return fd;
	n = os_call(SYS_ioctl, fd, SCAN_PAGEMAP, (long)&scan, 0, 0, 0);
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	for (long i = 0; i < n; i++)
		out[i] = (struct facts_range){ found[i].start, found[i].end };
	if (n >= 0 && scan.walk_end <= *from)
		return -EIO;
	if (n >= 0)
		*from = scan.walk_end;
	return n;
}

bool facts_in_use(uintptr_t page)
{
	static uint64_t words[PAGE_BYTES / 8];
	struct iovec to = { words, PAGE_BYTES }, from = { (void *)page, PAGE_BYTES };
	long self = os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);

	if (os_call(SYS_process_vm_readv, self, (long)&to, 1, (long)&from, 1, 0) != (long)PAGE_BYTES)
		return true;
	for (size_t i = 0; i < PAGE_BYTES / 8; i++)
		if (words[i])
			return true;
	return false;
}
