/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "policy/retain.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "os/os.h"
#include "region/region_private.h"
#include "entry/heap.h"
#include "settings.h"

#define MIB (1l << 20)

/* Stays whatever happens: what small programs come and go with. */
#define FLOOR (2 * MIB)

/* A thread tells of its use in steps of this when the region is about to be looked at, else in steps of that: all threads write to the account. */
#define STEP (256l << 10)
#define LARGE_STEP (2 * MIB)

/* The region is looked through at most so often, unless use grows. */
#define INTERVAL_MS 16
#define PRESSURE_INTERVAL_MS 1000

/* Between purges of so much, resident memory is taken not to have changed. */
#define PURGE_STEP (4l << 20)

/* Share of tasks that waited for memory in the last ten seconds, in hundredths of a percent, above which nothing stays. */
#define PRESSURE_LIMIT 500

/* ---- use -------------------------------------------------------------------------------------- */

/* Bytes in use as addresses: of the region as told in steps, and of the heap. */
static _Atomic int64_t region_live, heap_live;

/* The region's when it was last looked at. */
static _Atomic int64_t looked_live;

/* Bytes free and populated: of the region when last looked at, and of the heap. */
static _Atomic int64_t region_retained, heap_retained;

/* Of what is resident, what is not retained; the most of it lately; and when that was last asked, and the peak decayed. */
static _Atomic int64_t resident, live, peak, sampled_at, decayed_at;

/* Bytes that purges have left resident (purge.h) and that are not in use again; and purged since resident memory was last asked for. */
static _Atomic int64_t idle, purged;

/* NULL until it is told of. */
static struct upa_region *_Atomic known_region;

static int64_t load(const _Atomic int64_t *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static void store(_Atomic int64_t *p, int64_t n)
{
	atomic_store_explicit(p, n, memory_order_relaxed);
}

int64_t milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Asks the kernel; before that, `just_freed` bytes more were in use. If it may not be asked, addresses have to do. */
static void sample(int64_t now, int64_t just_freed)
{
	int64_t freed_since = load(&looked_live) - load(&region_live);
	int64_t retained = load(&region_retained) + freed_since;
	struct upa_region *r = atomic_load_explicit(&known_region, memory_order_relaxed);
	int64_t is = resident_bytes();
	int64_t was = load(&peak);
	int64_t use;

	retained = (retained > 0 ? retained : 0) + load(&heap_retained) + load(&idle);
	store(&sampled_at, now);
	if (is < 0)
		is = load(&region_live) + load(&heap_live) + retained;
	else if (r)
		is += (int64_t)upa_region_uncounted_bytes(r);
	store(&resident, is);
	use = is > retained ? is - retained : 0;
	store(&live, use);
	use += just_freed;
	while (was < use && !atomic_compare_exchange_weak(&peak, &was, use))
		;
}

/* What may be resident beyond the peak. */
static int64_t beyond_peak(void)
{
	int64_t share = load(&peak) / 100 * (int64_t)settings.retain_percent;

	return share > FLOOR ? share : FLOOR;
}

/* Lets the peak decay up to now: the bytes that may be retained. */
static int64_t allowance(int64_t now)
{
	int64_t then = load(&decayed_at);
	int64_t was = load(&peak);
	int64_t use = load(&live);
	int64_t excess = was > use ? was - use : 0;
	int64_t half = (int64_t)settings.decay_ms;

	if (now > then && atomic_compare_exchange_strong(&decayed_at, &then, now) && excess && then) {
		int64_t halves = half ? (now - then) / half : 64;

		excess = halves > 40 ? 0 : excess >> halves;
		/* Between two halvings a straight line will do. */
		excess -= half ? (int64_t)((double)excess * (double)((now - then) % half) / (double)(2 * half)) : 0;
		/* If this is lost to a rise, the peak decays next time. */
		atomic_compare_exchange_strong(&peak, &was, use + excess);
	}
	return excess + beyond_peak();
}

/* Of what may be retained, what one of two may keep: what the other leaves, and at least half. */
static int64_t share(int64_t total, int64_t other)
{
	return total - (other < total / 2 ? other : total / 2);
}

void retain_heap(int64_t now_live, int64_t kept)
{
	atomic_fetch_add_explicit(&live, now_live - load(&heap_live), memory_order_relaxed);
	store(&heap_live, now_live);
	store(&heap_retained, kept);
}

int64_t retain_heap_allowance(void)
{
	return share(allowance(milliseconds()), load(&region_retained));
}

int64_t retain_peak(void)
{
	return load(&peak);
}

int64_t retain_excess(int64_t idle_bytes, int64_t about_to_purge)
{
	int64_t now = milliseconds();

	store(&idle, idle_bytes);
	if (atomic_fetch_add_explicit(&purged, about_to_purge, memory_order_relaxed) + about_to_purge >= PURGE_STEP ||
	    now - load(&sampled_at) >= INTERVAL_MS) {
		store(&purged, 0);
		sample(now, 0);
		allowance(now);
	}
	return load(&resident) - load(&peak) - beyond_peak();
}

/* ---- pressure --------------------------------------------------------------------------------- */

static bool quiet;

void retain_be_quiet(void)
{
	quiet = true;
}

/* The start of a file; false if it cannot be read. The descriptor is open only meanwhile: a program may close it or count its own. */
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

/* Digits from text on, any point among them left out; negative if there are none. */
static int64_t number_at(const char *text)
{
	int64_t n = -1;

	for (; *text == '.' || (*text >= '0' && *text <= '9'); text++)
		if (*text != '.' && n < INT64_MAX / 10 - 10)
			n = (n < 0 ? 0 : n * 10) + (*text - '0');
	return n;
}

int64_t resident_bytes(void)
{
	char text[128];
	const char *second;

	if (quiet || !read_file("/proc/self/statm", text, sizeof(text)))
		return -1;
	second = strchr(text, ' ');
	return second ? number_at(second + 1) * 4096 : -1;
}

static bool system_pressed(void)
{
	char text[256];
	const char *average;

	if (!read_file("/proc/pressure/memory", text, sizeof(text)))
		return false;
	average = strstr(text, "avg10=");
	return average && number_at(average + 6) > PRESSURE_LIMIT;
}

/* Files of the process's cgroup: its limit and its use; empty if it has no limit. Version 2, then version 1. */
static char limit_path[PATH_MAX], use_path[PATH_MAX];

static bool cgroup_file(char *path, const char *root, const char *group, size_t group_length, const char *file)
{
	size_t root_length = strlen(root);

	if (root_length + group_length + strlen(file) >= PATH_MAX)
		return false;
	memcpy(path, root, root_length);
	memcpy(path + root_length, group, group_length);
	strcpy(path + root_length + group_length, file);
	return true;
}

static int64_t file_number(const char *path)
{
	char text[64];

	return read_file(path, text, sizeof(text)) ? number_at(text) : -1;
}

/* Where a container sees only its own group as the root, the path in /proc/self/cgroup leads nowhere: then the root itself. */
static bool limited_by(const char *root, const char *group, size_t length, const char *limit, const char *use)
{
	for (int i = 0; i < 2; i++, length = 0) {
		int64_t most;

		if (!cgroup_file(limit_path, root, group, length, limit) || !cgroup_file(use_path, root, group, length, use))
			continue;
		most = file_number(limit_path);
		if (most > 0)
			return most < (1ll << 60);
	}
	return false;
}

static void find_cgroup(void)
{
	char text[2048];
	char *line, *next;

	if (!read_file("/proc/self/cgroup", text, sizeof(text)))
		return;
	for (line = text; line && *line; line = next) {
		char *group = strchr(line, ':');
		size_t length;

		next = strchr(line, '\n');
		length = next ? (size_t)(next - line) : strlen(line);
		if (next)
			next++;
		group = group ? strchr(group + 1, ':') : NULL;
		if (!group || group >= line + length)
			continue;
		group++;
		length -= (size_t)(group - line);
		if (!strncmp(line, "0::", 3) && limited_by("/sys/fs/cgroup", group, length, "/memory.max", "/memory.current"))
			return;
		if (strstr(line, ":memory:") && strstr(line, ":memory:") < group &&
		    limited_by("/sys/fs/cgroup/memory", group, length, "/memory.limit_in_bytes", "/memory.usage_in_bytes"))
			return;
	}
	limit_path[0] = 0;
}

/* At a tenth below the group's limit, what others could use is not kept. */
static bool group_pressed(void)
{
	int64_t limit, use;

	if (!limit_path[0])
		return false;
	limit = file_number(limit_path);
	use = file_number(use_path);
	return limit > 0 && use > limit - limit / 10;
}

/* Called by one thread at a time. */
static bool pressed(void)
{
	static int64_t asked_at;
	static bool sought, answer;
	int64_t now = milliseconds();

	if (quiet)
		return false;
	if (!sought) {
		sought = true;
		find_cgroup();
	}
	if (now - asked_at >= PRESSURE_INTERVAL_MS) {
		asked_at = now;
		answer = system_pressed();
	}
	return answer || group_pressed();
}

/* ---- the region ------------------------------------------------------------------------------- */

static _Atomic int64_t looked_at, looked_heap;
static atomic_flag looking = ATOMIC_FLAG_INIT;

/* Below this, asking for pressure costs more than it could bring. */
#define WORTH_ASKING (32 * MIB)

/* Bytes just freed were in use until now; others, which the heap has just got, will be without a further call. */
static void look(struct upa_region *r, int64_t now, int64_t just_freed, int64_t soon_used)
{
	struct upa_region_stats st;
	int64_t total, keep, excess;

	if (atomic_flag_test_and_set(&looking))
		return;
	store(&looked_at, now);
	upa_region_get_stats(r, &st);
	/* Exact, where the threads' own accounts lose what they had not told of when they ended. */
	store(&region_live, (int64_t)st.allocated_bytes);
	store(&looked_live, (int64_t)st.allocated_bytes);
	store(&looked_heap, load(&heap_live));
	store(&region_retained, (int64_t)st.retained_bytes);
	sample(now, just_freed);
	total = allowance(now);
	excess = total - beyond_peak();
	total -= (soon_used < excess ? soon_used : excess) + load(&idle);
	total = total > 0 ? total : 0;
	if ((int64_t)st.retained_bytes + load(&heap_retained) > WORTH_ASKING && pressed())
		total = 0;
	if (load(&heap_retained) > share(total, (int64_t)st.retained_bytes))
		heap_give_back(share(total, (int64_t)st.retained_bytes));
	keep = share(total, load(&heap_retained));
	/* If so, some more: each batch is a flush of every processor's TLB. */
	if ((int64_t)st.retained_bytes > keep) {
		keep -= keep / 16;
		upa_region_give_back(r, (uint64_t)keep);
		store(&region_retained, keep);
	}
	atomic_flag_clear(&looking);
}

void retain_account(struct upa_region *r, int64_t bytes)
{
	static _Thread_local int64_t untold __attribute__((tls_model("initial-exec")));
	int64_t told, use, last, now;
	bool due;

	untold += bytes;
	if (untold < STEP && untold > -STEP)
		return;
	now = milliseconds();
	due = now - load(&looked_at) >= INTERVAL_MS;
	if (!due && untold < LARGE_STEP && untold > -LARGE_STEP)
		return;
	if (atomic_load_explicit(&known_region, memory_order_relaxed) != r)
		atomic_store_explicit(&known_region, r, memory_order_relaxed);
	told = untold;
	untold = 0;
	use = atomic_fetch_add_explicit(&region_live, told, memory_order_relaxed) + told;
	last = load(&looked_live);
	if (due || use > last + last / 16 + FLOOR)
		look(r, now, told < 0 ? -told : 0, 0);
}

void retain_heap_shrinks(void)
{
	struct upa_region *r = atomic_load_explicit(&known_region, memory_order_relaxed);
	int64_t now = milliseconds();

	if (r && now - load(&looked_at) >= INTERVAL_MS)
		look(r, now, 0, 0);
	else if (!r && now - load(&sampled_at) >= INTERVAL_MS)
		sample(now, 0);
}

void retain_heap_grows(int64_t bytes)
{
	struct upa_region *r = atomic_load_explicit(&known_region, memory_order_relaxed);
	int64_t now = milliseconds();

	if (r && load(&region_retained) && (now - load(&looked_at) >= INTERVAL_MS || load(&heap_live) > load(&looked_heap) + FLOOR))
		look(r, now, 0, bytes);
}

void retain_after_fork(void)
{
	atomic_flag_clear(&looking);
}
