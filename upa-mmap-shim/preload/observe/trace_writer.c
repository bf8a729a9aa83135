/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file is mapped window by window at consecutive addresses, each when a record first falls into it. Several
 * threads may do that at once: mapping a window twice is the same as once. All that belongs to one process lies in a
 * page that a fork wipes, by whatever system call it came about: a child finds it empty and begins a file of its own.
 */
#define _GNU_SOURCE
#include "observe/trace_writer.h"

#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "os/filter.h"
#include "os/os.h"
#include "os/page.h"
#include "clock.h"
#include "os/message.h"
#include "observe/statistics.h"

#define WINDOW_BYTES (256ul << 10)

/* Addresses for so much of a file: 2^29 records. */
#define MOST_BYTES (16ul << 30)
#define MOST_RECORDS ((MOST_BYTES - sizeof(struct upa_trace_header)) / sizeof(struct upa_trace_record))

_Static_assert(sizeof(struct upa_trace_header) == PAGE_BYTES, "a page");
_Static_assert(sizeof(struct upa_trace_record) == 32, "none lies in two windows");

enum { CLOSED, OPENING, OPEN, IMPOSSIBLE };

struct process {
	_Atomic int stage;
	uint32_t id;
	dev_t device; /* of the file */
	ino_t inode;
	uint64_t started;         /* clock_nanoseconds() */
	_Atomic uint64_t next;    /* record */
	_Atomic uint64_t windows; /* mapped so far, all before included */
	char path[PATH_MAX];
};

bool trace_wanted;

static struct process *process; /* wiped by fork */
static char *base;              /* of the first window */
static char pattern[PATH_MAX];  /* of the file's name, absolute */
static uint32_t first_process;
static _Atomic bool quiet;
static _Atomic int growing; /* threads at it */

static struct upa_trace_header *header(void)
{
	return (struct upa_trace_header *)base;
}

/* ---- its name --------------------------------------------------------------------------------- */

static void put(char *path, size_t *length, const char *text, size_t n)
{
	if (n > PATH_MAX - 1 - *length)
		n = PATH_MAX - 1 - *length;
	memcpy(path + *length, text, n);
	*length += n;
	path[*length] = 0;
}

static void put_number(char *path, size_t *length, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + number % 10);
	while (number /= 10);
	put(path, length, digits + at, sizeof(digits) - at);
}

/*
 * FILE, or FILE.PID if it shall be the process's own; the latter has no meaning for a FILE with %p, which is that
 * already.
 */
static void make_path(struct process *p, bool own)
{
	size_t length = 0;

	for (const char *c = pattern; *c; c++)
		if (c[0] == '%' && c[1] == 'p') {
			put_number(p->path, &length, p->id);
			own = false;
			c++;
		} else {
			put(p->path, &length, c, 1);
		}
	if (own) {
		put(p->path, &length, ".", 1);
		put_number(p->path, &length, p->id);
	}
}

/* ---- making it -------------------------------------------------------------------------------- */

/* Reserves blocks and maps them, so that a store into them cannot fail. 0 or -errno. */
static long map_window(long fd, uint64_t window)
{
	struct rlimit64 limit;
	long error;

	/* Beyond that limit there is a signal, which kills. */
	if (os_call(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit, 0, 0) ||
	    limit.rlim_cur < (window + 1) * WINDOW_BYTES)
		return -EFBIG;
	error = os_call(SYS_fallocate, fd, 0, (long)(window * WINDOW_BYTES), WINDOW_BYTES, 0, 0);
	if (error)
		return error;
	error = os_mmap(base + window * WINDOW_BYTES, WINDOW_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			(int)fd, (off_t)(window * WINDOW_BYTES));
	return os_failed(error) ? error : 0;
}

/* Is the file of that name what this process has recorded before exec()? (Or one of its number, long ago.) */
static bool recorded_before(const struct process *p)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)p->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0, 0, 0);
	struct upa_trace_header h;
	bool is;

	if (os_failed(fd))
		return false;
	is = os_call(SYS_read, fd, (long)&h, offsetof(struct upa_trace_header, command), 0, 0, 0) ==
		     offsetof(struct upa_trace_header, command) &&
	     h.magic == UPA_TRACE_MAGIC && h.process == p->id;
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	return is;
}

/* Never opens a file that exists: another process may have it mapped. */
static long create(struct process *p)
{
	long fd = -EEXIST;

	for (int own = p->id != first_process; fd == -EEXIST && own < 2; own++) {
		make_path(p, own);
		if (recorded_before(p))
			os_call(SYS_unlinkat, AT_FDCWD, (long)p->path, 0, 0, 0, 0);
		fd = os_call(SYS_openat, AT_FDCWD, (long)p->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
			     0666, 0, 0);
	}
	return fd;
}

static void read_command(char *command, size_t bytes)
{
	long fd = os_call(SYS_openat, AT_FDCWD, (long)"/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0, 0, 0);
	long n;

	if (os_failed(fd))
		return;
	n = os_call(SYS_read, fd, (long)command, (long)bytes - 1, 0, 0, 0);
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	for (long i = 0; i < n - 1; i++)
		if (!command[i])
			command[i] = ' ';
	command[n > 0 ? n : 0] = 0;
}

/* 0 or -errno. */
static long open_file(struct process *p)
{
	struct upa_trace_header *h = header();
	struct stat st;
	long fd, error;

	p->id = (uint32_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	fd = create(p);
	if (os_failed(fd))
		return fd;
	error = map_window(fd, 0);
	if (!error)
		error = os_fstat((int)fd, &st);
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	if (error) {
		os_call(SYS_unlinkat, AT_FDCWD, (long)p->path, 0, 0, 0, 0);
		return error;
	}
	p->device = st.st_dev;
	p->inode = st.st_ino;
	p->started = clock_nanoseconds();
	h->version = UPA_TRACE_VERSION;
	h->header_bytes = sizeof(*h);
	h->record_bytes = sizeof(struct upa_trace_record);
	h->process = p->id;
	h->started_unix_ns = clock_real_nanoseconds();
	read_command(h->command, sizeof(h->command));
	__atomic_store_n(&h->magic, UPA_TRACE_MAGIC, __ATOMIC_RELEASE);
	atomic_store(&p->next, 0);
	atomic_store(&p->windows, 1);
	return 0;
}

/*
 * Opened anew each time: a descriptor kept would be one that programs find, count, close or use for something else.
 */
static bool grow(struct process *p, uint64_t window)
{
	uint64_t ready = atomic_load(&p->windows);
	struct stat st;
	int saved = errno;
	bool done;
	long fd;

	atomic_fetch_add(&growing, 1);
	if (atomic_load(&quiet)) {
		atomic_fetch_sub(&growing, 1);
		return false;
	}
	fd = os_call(SYS_openat, AT_FDCWD, (long)p->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0, 0, 0);
	if (os_failed(fd)) {
		atomic_fetch_sub(&growing, 1);
		return false;
	}
	done = !os_fstat((int)fd, &st) && st.st_dev == p->device && st.st_ino == p->inode;
	while (done && ready <= window) {
		done = !map_window(fd, ready);
		if (done) {
			/* Moves on by itself if another thread has been faster. */
			if (atomic_compare_exchange_strong(&p->windows, &ready, ready + 1)) {
				/*
				 * Written, so it need not stay in this process; a store that comes late faults it in
				 * again.
				 */
				if (ready >= 2)
					os_madvise(base + (ready - 2) * WINDOW_BYTES, WINDOW_BYTES, MADV_DONTNEED);
				ready++;
			}
		}
	}
	os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	atomic_fetch_sub(&growing, 1);
	errno = saved;
	return done;
}

/* ---- recording -------------------------------------------------------------------------------- */

static bool opened(struct process *p)
{
	int stage = atomic_load_explicit(&p->stage, memory_order_acquire);
	int expected = CLOSED;
	int saved = errno;

	if (__builtin_expect(stage == OPEN, 1))
		return true;
	/*
	 * Whoever comes while it is being opened goes without a record: he may be in a signal handler over the
	 * opener.
	 */
	if (stage != CLOSED || atomic_load(&quiet) || !atomic_compare_exchange_strong(&p->stage, &expected, OPENING))
		return false;
	stage = open_file(p) ? IMPOSSIBLE : OPEN;
	errno = saved;
	atomic_store_explicit(&p->stage, stage, memory_order_release);
	if (stage == IMPOSSIBLE)
		statistics_note("no trace: its file cannot be written");
	return stage == OPEN;
}

static uint32_t thread_id(const struct process *p)
{
	static _Thread_local struct {
		uint32_t process, thread;
	} known __attribute__((tls_model("initial-exec")));

	if (known.process != p->id) {
		known.process = p->id;
		known.thread = (uint32_t)os_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
	}
	return known.thread;
}

struct upa_trace_record *trace_place(void)
{
	struct process *p = process;
	struct upa_trace_record *record;
	uint64_t index, offset;

	if (!opened(p))
		return NULL;
	index = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
	offset = sizeof(struct upa_trace_header) + index * sizeof(*record);
	if (index >= MOST_RECORDS ||
	    (offset / WINDOW_BYTES >= atomic_load_explicit(&p->windows, memory_order_acquire) &&
	     !grow(p, offset / WINDOW_BYTES))) {
		__atomic_fetch_add(&header()->lost, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	record = (struct upa_trace_record *)(base + offset);
	record->ns = clock_nanoseconds() - p->started;
	record->thread = thread_id(p);
	return record;
}

/* ---- beginning and end ------------------------------------------------------------------------ */

static void complain(const char *file, const char *reason)
{
	struct message m = { .length = 0 };

	message_text(&m, "upa: cannot write trace file=");
	message_foreign(&m, file);
	message_text(&m, ": ");
	message_text(&m, reason);
	message_text(&m, "; the program runs without a trace\n");
	message_send(&m, 2);
	statistics_note("no trace: its file cannot be written");
}

static bool make_pattern(const char *file)
{
	size_t length = 0;
	long n = 1;

	if (*file != '/') {
		n = os_call(SYS_getcwd, (long)pattern, sizeof(pattern), 0, 0, 0, 0);
		if (n <= 0 || *pattern != '/')
			return false;
		length = (size_t)n - 1;
		put(pattern, &length, "/", 1);
	}
	/* Room for the numbers behind it. */
	if (strlen(file) + length > sizeof(pattern) - 64)
		return false;
	put(pattern, &length, file, strlen(file));
	return true;
}

void trace_start(const char *file)
{
	struct rlimit64 limit;
	long at;
	long error;

	if (!file || !*file)
		return;
	if (os_call(SYS_prlimit64, 0, RLIMIT_AS, 0, (long)&limit, 0, 0) || limit.rlim_cur != RLIM64_INFINITY) {
		complain(file, "the address space is limited (ulimit -v)");
		return;
	}
	if (!make_pattern(file)) {
		complain("$UPA_TRACE", "the path is too long");
		return;
	}
	at = os_mmap(NULL, MOST_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (os_failed(at)) {
		complain(file, "no addresses to map it at");
		return;
	}
	base = (char *)at;
	at = os_mmap(NULL, sizeof(struct process), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (os_failed(at) || os_madvise((void *)at, sizeof(struct process), MADV_WIPEONFORK)) {
		complain(file, "the kernel cannot wipe memory on fork");
		return;
	}
	process = (struct process *)at;
	os_name(process, sizeof(*process), "upa trace");
	first_process = (uint32_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
	error = open_file(process);
	if (error) {
		os_munmap(base, MOST_BYTES);
		complain(file, strerror((int)-error));
		return;
	}
	atomic_store(&process->stage, OPEN);
	trace_wanted = true;
}

void trace_stop_growing(void)
{
	size_t used;

	if (!trace_wanted || atomic_exchange(&quiet, true) || atomic_load(&process->stage) != OPEN)
		return;
	/* Whoever is growing it has seen no order to stop, and may map at any of these addresses. */
	used = atomic_load(&process->windows) * WINDOW_BYTES;
	if (!atomic_load(&growing))
		os_munmap(base + used, MOST_BYTES - used);
}

void trace_end(void)
{
	struct process *p = process;
	uint64_t records;
	long fd;

	if (!trace_wanted || atomic_load(&p->stage) != OPEN)
		return;
	/* Takes all places there are, so that other threads write no more than they have begun. */
	records = atomic_fetch_add(&p->next, MOST_RECORDS);
	if (records >= MOST_RECORDS)
		return;
	if (sizeof(struct upa_trace_header) + records * sizeof(struct upa_trace_record) >
	    atomic_load(&p->windows) * WINDOW_BYTES)
		records = (atomic_load(&p->windows) * WINDOW_BYTES - sizeof(struct upa_trace_header)) /
			  sizeof(struct upa_trace_record);
	trace_wanted = false;
	header()->ended_ns = clock_nanoseconds() - p->started;
	header()->records = records;
	if (atomic_load(&quiet))
		return;
	fd = os_call(SYS_openat, AT_FDCWD, (long)p->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0, 0, 0);
	if (!os_failed(fd)) {
		struct stat st;

		/* By whole pages, since the last one may still be written to; what is behind the records is zero. */
		if (!os_fstat((int)fd, &st) && st.st_dev == p->device && st.st_ino == p->inode)
			os_call(SYS_ftruncate, fd,
				(long)((sizeof(struct upa_trace_header) + records * sizeof(struct upa_trace_record) +
					PAGE_BYTES - 1) &
				       ~(PAGE_BYTES - 1)),
				0, 0, 0, 0);
		os_call(SYS_close, fd, 0, 0, 0, 0, 0);
	}
}
