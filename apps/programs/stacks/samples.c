/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "samples.h"

#include <asm/perf_regs.h>
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RING_BYTES (256u << 10) /* of each processor: what anybody may lock */
#define STACK_BYTES (16u << 10)
#define MOST_RECORD (64u << 10)
#define MOST_ROUNDS 8
/* A sample each so many faults. A prime, so that it is not in step with what a program does in turns. */
#define FIRST_PERIOD 1009u
#define ADAPT_NANOS 200000000u

#if defined(__x86_64__)
/* By DWARF number. */
static const unsigned char kernel_register[REGISTERS] = {
	PERF_REG_X86_AX,  PERF_REG_X86_DX,  PERF_REG_X86_CX,  PERF_REG_X86_BX,  PERF_REG_X86_SI,  PERF_REG_X86_DI,
	PERF_REG_X86_BP,  PERF_REG_X86_SP,  PERF_REG_X86_R8,  PERF_REG_X86_R9,  PERF_REG_X86_R10, PERF_REG_X86_R11,
	PERF_REG_X86_R12, PERF_REG_X86_R13, PERF_REG_X86_R14, PERF_REG_X86_R15, PERF_REG_X86_IP,
};
#else
static const unsigned char kernel_register[REGISTERS] = {
	0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
	17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
};
#endif

struct ring {
	struct perf_event_mmap_page *page; /* NULL: nothing runs there */
	int fd;                            /* of the event that writes to it */
};

struct samples {
	pid_t pid;
	unsigned processors;
	struct ring *rings;
	int *fds;
	size_t count, room;
	pid_t *threads; /* of which there is an event */
	size_t thread_count;
	unsigned each_second;
	uint64_t period, begun_ns, taken; /* since this period began */
	uint64_t lost;
	unsigned char record[MOST_RECORD];
};

static uint64_t register_mask(void)
{
	uint64_t mask = 0;

	for (unsigned r = 0; r < REGISTERS; r++)
		mask |= 1ull << kernel_register[r];
	return mask;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int open_event(pid_t thread, int processor, uint64_t period)
{
	struct perf_event_attr a = {
		.size = sizeof(a),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		/* Without PERF_SAMPLE_PERIOD, by which an event of software is sampled each time. */
		.sample_period = period,
		.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_ADDR | PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER,
		.sample_regs_user = register_mask(),
		.sample_stack_user = STACK_BYTES,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.inherit = 1,
	};

	return (int)syscall(SYS_perf_event_open, &a, thread, processor, -1, PERF_FLAG_FD_CLOEXEC);
}

static bool keep(struct samples *s, int fd)
{
	if (s->count == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		int *fds = realloc(s->fds, room * sizeof(*fds));

		if (!fds)
			return false;
		s->fds = fds;
		s->room = room;
	}
	s->fds[s->count++] = fd;
	return true;
}

/* All events of a processor write to the ring of the first. */
static bool connect(struct samples *s, unsigned processor, int fd)
{
	struct ring *ring = &s->rings[processor];

	if (ring->page)
		return ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, ring->fd) == 0;
	ring->page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE) + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring->page == MAP_FAILED) {
		ring->page = NULL;
		return false;
	}
	ring->fd = fd;
	return true;
}

static bool add_thread(struct samples *s, pid_t thread)
{
	pid_t *threads = realloc(s->threads, (s->thread_count + 1) * sizeof(*threads));

	if (!threads)
		return false;
	s->threads = threads;
	for (unsigned p = 0; p < s->processors; p++) {
		int fd = open_event(thread, (int)p, s->period);

		/* It has ended, or the processor is off. */
		if (fd < 0 && (errno == ESRCH || errno == ENODEV))
			continue;
		if (fd < 0)
			return false;
		if (!keep(s, fd)) {
			close(fd);
			errno = ENOMEM;
			return false;
		}
		if (!connect(s, p, fd))
			return false;
	}
	s->threads[s->thread_count++] = thread;
	return true;
}

static bool is_known(const struct samples *s, pid_t thread)
{
	for (size_t i = 0; i < s->thread_count; i++)
		if (s->threads[i] == thread)
			return true;
	return false;
}

/* Threads that those begin which have an event have one too. Returns how many are new, or -1. */
static int add_threads(struct samples *s)
{
	char path[40];
	struct dirent *entry;
	int added = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)s->pid);
	folder = opendir(path);
	if (!folder) {
		errno = ESRCH;
		return -1;
	}
	while (added >= 0 && (entry = readdir(folder))) {
		pid_t thread = (pid_t)atoi(entry->d_name);

		if (thread > 0 && !is_known(s, thread))
			added = add_thread(s, thread) ? added + 1 : -1;
	}
	closedir(folder);
	return added;
}

/* Opens events of all threads: until none has begun that one without an event has made. */
static bool open_all(struct samples *s)
{
	int added = 1;

	for (unsigned round = 0; added > 0 && round < MOST_ROUNDS; round++)
		added = add_threads(s);
	s->begun_ns = now_ns();
	s->taken = 0;
	if (added >= 0 && s->count == 0)
		errno = ESRCH;
	return added >= 0 && s->count > 0;
}

static void close_all(struct samples *s)
{
	for (unsigned p = 0; s->rings && p < s->processors; p++) {
		if (s->rings[p].page)
			munmap(s->rings[p].page, (size_t)sysconf(_SC_PAGESIZE) + RING_BYTES);
		s->rings[p].page = NULL;
	}
	for (size_t i = 0; i < s->count; i++)
		close(s->fds[i]);
	s->count = 0;
	s->thread_count = 0;
}

struct samples *samples_begin(pid_t pid, unsigned each_second)
{
	struct rlimit files;
	struct samples *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	s->pid = pid;
	s->each_second = each_second;
	s->period = FIRST_PERIOD;
	s->processors = (unsigned)sysconf(_SC_NPROCESSORS_CONF);
	s->rings = calloc(s->processors, sizeof(*s->rings));
	if (!s->rings || !open_all(s)) {
		int error = s->rings ? errno : ENOMEM;

		samples_end(s);
		errno = error;
		return NULL;
	}
	return s;
}

static bool is_prime(uint64_t n)
{
	for (uint64_t d = 2; d * d <= n; d++)
		if (n % d == 0)
			return false;
	return true;
}

/*
 * Other events, where this period gives far more samples than wanted, or far fewer. The kernel's own choice of a period
 * varies so much that few samples stand for most faults.
 */
static void adapt(struct samples *s)
{
	uint64_t spent = now_ns() - s->begun_ns, wanted, period;

	if (spent < ADAPT_NANOS)
		return;
	wanted = 1 + s->each_second * spent / 1000000000u;
	period = s->taken ? s->period * s->taken / wanted : s->period / 8;
	if (period >= 2 * s->period || (s->period > 1 && period <= s->period / 2)) {
		for (period = period ? period : 1; !is_prime(period);)
			period++;
		s->period = period;
		close_all(s);
		/* If that fails, the process has ended. */
		open_all(s);
	} else if (spent > 5ull * ADAPT_NANOS) {
		s->begun_ns = now_ns();
		s->taken = 0;
	}
}

static const unsigned char *number(const unsigned char *at, uint64_t *value)
{
	memcpy(value, at, sizeof(*value));
	return at + sizeof(*value);
}

static bool parse(struct samples *s, const unsigned char *at, struct sample *sample)
{
	uint64_t abi, size;
	uint32_t pid;

	memcpy(&pid, at, sizeof(pid));
	at = number(at + 2 * sizeof(pid), &sample->address);
	sample->weight = s->period;
	at = number(at, &abi);
	/* A child's, or a 32-bit program's. */
	if ((pid_t)pid != s->pid || abi != PERF_SAMPLE_REGS_ABI_64)
		return false;
	for (unsigned bit = 0; bit < 64; bit++) {
		for (unsigned r = 0; r < REGISTERS; r++) {
			if (kernel_register[r] == bit)
				at = number(at, &sample->registers[r]);
		}
	}
	at = number(at, &size);
	sample->stack = at;
	sample->stack_bytes = 0;
	if (size)
		number(at + size, &sample->stack_bytes);
	return true;
}

static void take(struct samples *s, struct perf_event_mmap_page *page, sample_taken *taken, void *context)
{
	const unsigned char *data = (unsigned char *)page + sysconf(_SC_PAGESIZE);
	uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE), tail = page->data_tail;

	while (tail < head) {
		struct perf_event_header header;
		struct sample sample;
		uint64_t lost[2];

		/* A header is aligned, and does not wrap; what follows may. */
		memcpy(&header, data + tail % RING_BYTES, sizeof(header));
		for (unsigned i = 0; i < header.size; i++)
			s->record[i] = data[(tail + i) % RING_BYTES];
		if (header.type == PERF_RECORD_SAMPLE && parse(s, s->record + sizeof(header), &sample)) {
			s->taken++;
			taken(context, &sample);
		}
		if (header.type == PERF_RECORD_LOST) {
			memcpy(lost, s->record + sizeof(header), sizeof(lost));
			s->lost += lost[1];
		}
		tail += header.size;
	}
	__atomic_store_n(&page->data_tail, tail, __ATOMIC_RELEASE);
}

void samples_take(struct samples *s, sample_taken *taken, void *context)
{
	for (unsigned p = 0; p < s->processors; p++)
		if (s->rings[p].page)
			take(s, s->rings[p].page, taken, context);
	adapt(s);
}

uint64_t samples_lost(const struct samples *s)
{
	return s->lost;
}

void samples_end(struct samples *s)
{
	close_all(s);
	free(s->rings);
	free(s->fds);
	free(s->threads);
	free(s);
}
