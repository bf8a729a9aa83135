/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "observe/statistics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "os/os.h"
#include "clock.h"
#include "os/message.h"
#include "region/region_private.h"
#include "settings.h"
#include "os/file.h"
#include "observe/rest.h"
#include "observe/trace_writer.h"
#include "observe/view_writer.h"

bool statistics_wanted;

/*
 * Where standard error was at the start, by a descriptor of our own and by what it was open on: a program may close
 * both, and use their numbers for files of its own.
 */
static int out = -1;
static struct stat out_file;

#define REMARKS 4
#define LITTLE_CALLS 16
static const char *remarks[REMARKS];

static _Atomic bool quiet, printed;

/* The calls, and those of mmap by size: the first few of these. */
static const struct {
	const char *name;
	size_t below;
} sizes[] = { { "mmap, under 64 KiB", 64ul << 10 },
	      { "mmap, under 1 MiB", 1ul << 20 },
	      { "mmap, under 32 MiB", 32ul << 20 },
	      { "mmap, larger", SIZE_MAX } };

#define SIZES (sizeof(sizes) / sizeof(*sizes))

static const char *const names[] = {
	[UPA_TRACE_UNMAP] = "munmap",     [UPA_TRACE_RESIZE] = "mremap", [UPA_TRACE_ADVISE] = "madvise",
	[UPA_TRACE_PROTECT] = "mprotect", [UPA_TRACE_BREAK] = "brk",
};

#define NAMES (sizeof(names) / sizeof(*names))
#define ROWS (SIZES + NAMES)

struct tally {
	_Atomic uint64_t calls, ticks;
};

/* By row; served, and passed on. */
static struct tally tallies[ROWS][2];

/* By mmap, in whole pages. */
static _Atomic uint64_t served_bytes;

/* Of these and of the heap, before they were touched. */
static _Atomic uint64_t populated_bytes;

/* NULL: there has been none. */
static const struct upa_region *_Atomic region;

/* What the region had counted when this process began: a child goes on with its parent's. */
static struct upa_region_stats before;

/* ---- time ------------------------------------------------------------------------------------- */

static uint64_t ticks_at_start, ns_at_start;

static uint64_t ticks(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return clock_nanoseconds();
#endif
}

/* The length of a tick is known only at the end; a processor whose ticks vary makes it a mean. */
static double ns_per_tick(void)
{
	uint64_t passed = ticks() - ticks_at_start;

	return passed ? (double)(clock_nanoseconds() - ns_at_start) / (double)passed : 0;
}

uint64_t statistics_clock(void)
{
	return statistics_wanted ? ticks() : 0;
}

/* ---- counting --------------------------------------------------------------------------------- */

static bool is_open_on(int fd, struct stat *file)
{
	return !os_failed(os_call(SYS_fstat, fd, (long)file, 0, 0, 0, 0));
}

static bool is_out(int fd)
{
	struct stat now;

	return is_open_on(fd, &now) && now.st_dev == out_file.st_dev && now.st_ino == out_file.st_ino &&
	       now.st_rdev == out_file.st_rdev && (now.st_mode & S_IFMT) == (out_file.st_mode & S_IFMT);
}

/* To a descriptor that still is what standard error was; to none where the program has closed it. */
static void send_to_error(const struct message *m)
{
	message_send(m, is_out(out) ? out : is_out(2) ? 2 : -1);
}

/* Returns 0 or -errno. A pipe with no reader is an error, and nothing to wait for. */
static int send_to_file(const struct message *m, const char *file)
{
	const int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
	int fd = (int)os_call(SYS_openat, AT_FDCWD, (long)file, flags, 0644, 0, 0), error;

	if (os_failed(fd))
		return fd;
	error = message_send(m, fd);
	file_close(fd);
	return error;
}

/* strerror() may wait for a lock that nobody will let go: this may be the child of a process with threads. */
static const char *reason(int error)
{
	switch (error) {
	case -ENOENT: return "there is no such folder";
	case -EACCES:
	case -EPERM: return "permission denied";
	case -ENOSPC:
	case -EDQUOT: return "no room";
	case -EFBIG: return "the size of files is limited (ulimit -f)";
	case -EROFS: return "read-only file system";
	case -EISDIR: return "it is a directory";
	case -ENXIO:
	case -EPIPE: return "nobody reads it";
	default: return NULL;
	}
}

static void send(const struct message *m)
{
	struct message failed = { .length = 0 };
	int error;

	if (!settings.stats_file) {
		send_to_error(m);
		return;
	}
	error = send_to_file(m, settings.stats_file);
	if (!error)
		return;
	message_text(&failed, "upa: cannot write statistics file=");
	message_foreign(&failed, settings.stats_file);
	message_text(&failed, ": ");
	if (reason(error)) {
		message_text(&failed, reason(error));
	} else {
		message_text(&failed, "errno=");
		message_number(&failed, (uint64_t)-error, 0);
	}
	message_text(&failed, "\n");
	send_to_error(&failed);
}

void statistics_start(void)
{
	long fd;

	if (!settings.stats || !is_open_on(2, &out_file))
		return;
	fd = os_call(SYS_fcntl, 2, F_DUPFD_CLOEXEC, 100, 0, 0, 0);
	if (os_failed(fd))
		return;
	out = (int)fd;
	rest_start(settings.stats_rest);
	ticks_at_start = ticks();
	ns_at_start = clock_nanoseconds();
	statistics_wanted = true;
}

void statistics_note(const char *text)
{
	view_note(text);
	for (int i = 0; i < REMARKS && remarks[i] != text; i++)
		if (!remarks[i]) {
			remarks[i] = text;
			return;
		}
}

void statistics_stop_reading(void)
{
	atomic_store(&quiet, true);
}

void statistics_count(unsigned kind, unsigned flags, size_t bytes, uint64_t begun)
{
	struct tally *t;
	size_t row = 0;

	if (!begun)
		return;
	if (kind == UPA_TRACE_MAP && flags & UPA_TRACE_SERVED)
		atomic_fetch_add_explicit(&served_bytes, (bytes + 4095) & ~4095ul, memory_order_relaxed);
	if (kind == UPA_TRACE_MAP)
		while (bytes >= sizes[row].below && row < SIZES - 1)
			row++;
	else
		row = SIZES + kind;
	t = &tallies[row][!(flags & UPA_TRACE_SERVED)];
	atomic_fetch_add_explicit(&t->calls, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&t->ticks, ticks() - begun, memory_order_relaxed);
}

void statistics_populated(size_t bytes)
{
	if (statistics_wanted)
		atomic_fetch_add_explicit(&populated_bytes, bytes, memory_order_relaxed);
}

void statistics_region(const struct upa_region *its_region)
{
	atomic_store(&region, its_region);
}

void statistics_after_fork(void)
{
	const struct upa_region *r = atomic_load(&region);

	if (!statistics_wanted)
		return;
	memset(tallies, 0, sizeof(tallies));
	atomic_store(&served_bytes, 0);
	atomic_store(&populated_bytes, 0);
	atomic_store(&printed, false);
	if (r)
		upa_region_get_stats(r, &before);
}

/* ---- printing --------------------------------------------------------------------------------- */

static void amount(struct message *m, const char *name, uint64_t bytes)
{
	message_text(m, "  ");
	message_pad(m, name, 32);
	message_column(m, bytes >> 10, 14);
	message_text(m, " KiB\n");
}

static void cells(struct message *m, const struct tally *t, double tick)
{
	uint64_t calls = atomic_load(&t->calls);

	message_column(m, calls, 12);
	if (calls)
		message_column(m, (uint64_t)((double)atomic_load(&t->ticks) * tick / (double)calls), 9);
	else
		message_text(m, "        -");
}

/* Nothing about calls that have not come up. */
static void line(struct message *m, const char *name, const struct tally row[2], double tick)
{
	if (!atomic_load(&row[0].calls) && !atomic_load(&row[1].calls))
		return;
	message_text(m, "  ");
	message_pad(m, name, 20);
	cells(m, &row[0], tick);
	cells(m, &row[1], tick);
	message_text(m, "\n");
}

static void name_of_program(char *name, size_t bytes)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/comm", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long n = os_failed(fd) ? 0 : os_call(SYS_read, fd, (long)name, (long)bytes - 1, 0, 0, 0);

	if (!os_failed(fd))
		os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	name[n > 0 ? n - 1 : 0] = 0;
}

/* As getrusage() has it, that would be at least what the program had that called this one by exec(). */
static uint64_t peak_resident(void)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/thread-self/status", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	char text[2048];
	const char *found;
	uint64_t kib = 0;
	long n;

	if (os_failed(fd))
		return 0;
	n = os_call(SYS_read, fd, (long)text, sizeof(text) - 1, 0, 0, 0);
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	text[n > 0 ? n : 0] = 0;
	found = strstr(text, "VmHWM:");
	for (found = found ? found + 6 : ""; *found && *found != 'k'; found++)
		if (*found >= '0' && *found <= '9')
			kib = kib * 10 + (uint64_t)(*found - '0');
	return kib << 10;
}

static void memory_of_region(struct message *m, const struct upa_region *r)
{
	struct upa_region_stats st;
	struct upa_region_kept kept;
	uint64_t handed_out, cleared;

	upa_region_get_stats(r, &st);
	upa_region_get_kept(r, &kept);
	cleared = st.cleared_bytes - before.cleared_bytes;
	handed_out = atomic_load(&served_bytes);
	amount(m, "in use", st.allocated_bytes);
	amount(m, "free and populated", st.retained_bytes);
	amount(m, "  the kernel may take", kept.lazy_bytes);
	amount(m, "  it has taken", upa_region_taken_bytes(r));
	amount(m, "handed out by mmap", handed_out);
	amount(m, "  populated, so cleared", cleared);
	amount(m, "  else, to be faulted in", handed_out > cleared ? handed_out - cleared : 0);
	amount(m, "moved", st.moved_bytes - before.moved_bytes);
	amount(m, "given back", st.given_back_bytes - before.given_back_bytes);
}

static uint64_t page_faults(void)
{
	struct rusage usage = { 0 };

	os_call(SYS_getrusage, RUSAGE_SELF, (long)&usage, 0, 0, 0, 0);
	return (uint64_t)usage.ru_minflt;
}

/* Of a process that UPA served nothing: scripts start many such. */
static void short_line(struct message *m)
{
	message_text(m, ": nothing from UPA, ");
	message_number(m, page_faults(), 0);
	message_text(m, " page faults");
	if (!atomic_load(&quiet)) {
		message_text(m, ", peak resident ");
		message_number(m, peak_resident() >> 10, 0);
		message_text(m, " KiB");
	}
	message_text(m, "\n");
}

static void table(struct message *m, const struct tally all[2], double tick)
{
	const struct upa_region *r = atomic_load(&region);

	message_text(m, "\n  calls                     served  ns each   passed on  ns each\n");
	for (size_t i = 0; i < ROWS; i++)
		line(m, i < SIZES ? sizes[i].name : names[i - SIZES], tallies[i], tick);
	line(m, "all", all, tick);
	if (r)
		memory_of_region(m, r);
	amount(m, "populated ahead", atomic_load(&populated_bytes));
	amount(m, "purged without the kernel", view.purged_bytes);
	amount(m, "  not used since", view.purged_idle_bytes);
	amount(m, "heap reused and cleared", view.heap_reused_bytes);
	amount(m, "heap given back", view.heap_given_back_bytes);
	amount(m, "given back by the agent", view.agent_given_back_bytes);
	amount(m, "  by order of others", view.ordered_bytes);
	message_text(m, "  ");
	message_pad(m, "page faults", 32);
	message_column(m, page_faults(), 14);
	message_text(m, "\n");
	if (!atomic_load(&quiet))
		amount(m, "peak resident", peak_resident());
	for (int i = 0; i < REMARKS && remarks[i]; i++) {
		message_text(m, "  note: ");
		message_text(m, remarks[i]);
		message_text(m, "\n");
	}
}

/* ---- as JSON, a line for each process --------------------------------------------------------- */

/* Bytes of the UTF-8 character that text begins with, 0 if it is none (Unicode 15, table 3-7). */
static size_t utf8_bytes(const char *text)
{
	const unsigned char *t = (const unsigned char *)text;
	unsigned char least = *t == 0xe0 ? 0xa0 : *t == 0xf0 ? 0x90 : 0x80;
	unsigned char most = *t == 0xed ? 0x9f : *t == 0xf4 ? 0x8f : 0xbf;
	size_t bytes = *t < 0x80 ? 1 : *t < 0xc2 ? 0 : *t < 0xe0 ? 2 : *t < 0xf0 ? 3 : *t < 0xf5 ? 4 : 0;

	for (size_t i = 1; i < bytes; i++)
		if (t[i] < (i == 1 ? least : 0x80) || t[i] > (i == 1 ? most : 0xbf))
			return 0;
	return bytes;
}

/* Text between quotes; a program may be called anything, and the kernel cuts names within a character. */
static void json_text(struct message *m, const char *text)
{
	message_text(m, "\"");
	while (*text) {
		size_t bytes = utf8_bytes(text);
		char one[5] = "?";

		if (bytes && (unsigned char)*text >= ' ' && *text != '"' && *text != '\\')
			for (size_t i = 0; i < bytes; i++)
				one[i] = text[i];
		message_text(m, one);
		text += bytes ? bytes : 1;
	}
	message_text(m, "\"");
}

static void json_number(struct message *m, const char *name, uint64_t n)
{
	message_text(m, ",");
	json_text(m, name);
	message_text(m, ":");
	message_number(m, n, 0);
}

static void json_calls(struct message *m, const char *name, const struct tally row[2], double tick)
{
	static const char *const kinds[2][2] = { { "served", "served_ns" }, { "passed_on", "passed_on_ns" } };

	if (!atomic_load(&row[0].calls) && !atomic_load(&row[1].calls))
		return;
	message_text(m, ",");
	json_text(m, name);
	message_text(m, ":{\"calls\":");
	message_number(m, atomic_load(&row[0].calls) + atomic_load(&row[1].calls), 0);
	for (int j = 0; j < 2; j++) {
		json_number(m, kinds[j][0], atomic_load(&row[j].calls));
		json_number(m, kinds[j][1], (uint64_t)((double)atomic_load(&row[j].ticks) * tick));
	}
	message_text(m, "}");
}

static void json(struct message *m, const char *name, double tick)
{
	const struct upa_region *r = atomic_load(&region);

	message_text(m, "{\"program\":");
	json_text(m, name);
	json_number(m, "process", (uint64_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0));
	for (size_t i = 0; i < ROWS; i++)
		json_calls(m, i < SIZES ? sizes[i].name : names[i - SIZES], tallies[i], tick);
	if (r) {
		struct upa_region_stats st;
		struct upa_region_kept kept;

		upa_region_get_stats(r, &st);
		upa_region_get_kept(r, &kept);
		json_number(m, "in_use_bytes", st.allocated_bytes);
		json_number(m, "retained_bytes", st.retained_bytes);
		json_number(m, "lazy_bytes", kept.lazy_bytes);
		json_number(m, "taken_bytes", upa_region_taken_bytes(r));
		json_number(m, "handed_out_bytes", atomic_load(&served_bytes));
		json_number(m, "cleared_bytes", st.cleared_bytes - before.cleared_bytes);
		json_number(m, "given_back_bytes", st.given_back_bytes - before.given_back_bytes);
	}
	json_number(m, "populated_ahead_bytes", atomic_load(&populated_bytes));
	json_number(m, "purged_bytes", view.purged_bytes);
	json_number(m, "heap_reused_bytes", view.heap_reused_bytes);
	json_number(m, "agent_given_back_bytes", view.agent_given_back_bytes);
	json_number(m, "ordered_bytes", view.ordered_bytes);
	json_number(m, "page_faults", page_faults());
	if (!atomic_load(&quiet))
		json_number(m, "peak_resident_bytes", peak_resident());
	message_text(m, "}\n");
}

/* ---- all of it -------------------------------------------------------------------------------- */

/* So little that a line for all such processes is enough: a heap that grew a little, as every shell has one. */
static bool is_little(const struct tally all[2])
{
	return !atomic_load(&served_bytes) && atomic_load(&all[0].calls) < LITTLE_CALLS;
}

/* Counts this process among the rest; false if its table has to be printed. */
static bool is_rest(const struct tally all[2], bool leaves)
{
	bool little = is_little(all) && !remarks[0];

	if (settings.stats_json)
		return false;
	/* The program that was launched says the rest, but what it was before an exec belongs to it. */
	if (little && (rest_is_counted() || (rest_is_open() && !leaves))) {
		rest_add_little(page_faults());
		return true;
	}
	if (rest_is_counted() && !settings.stats_file && !rest_same_error(out_file.st_dev, out_file.st_ino)) {
		rest_add_elsewhere();
		return true;
	}
	return false;
}

void statistics_print(bool leaves)
{
	struct message m = { .length = 0 };
	struct tally all[2] = { 0 };
	double tick = ns_per_tick();
	char name[32] = "";

	if (!statistics_wanted || atomic_exchange(&printed, true))
		return;
	for (size_t i = 0; i < ROWS; i++)
		for (int j = 0; j < 2; j++) {
			all[j].calls += tallies[i][j].calls;
			all[j].ticks += tallies[i][j].ticks;
		}
	if (is_rest(all, leaves))
		return;
	if (!atomic_load(&quiet))
		name_of_program(name, sizeof(name));
	if (settings.stats_json) {
		json(&m, name, tick);
	} else {
		message_text(&m, "upa: ");
		message_foreign(&m, name);
		message_text(&m, ", process ");
		message_number(&m, (uint64_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0), 0);
		if (!all[0].calls && !remarks[0])
			short_line(&m);
		else
			table(&m, all, tick);
	}
	if (leaves && !settings.stats_json)
		rest_say(&m);
	send(&m);
}

void statistics_go_on(void)
{
	atomic_store(&printed, false);
}
