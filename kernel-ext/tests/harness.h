/*
 * What the tests of the module share: making a region, checks that say file, line and the values
 * compared, and TAP as kernel self-tests speak it. Each case runs in a process of its own. Exit
 * status: 0 passed, 1 failed, 77 all skipped, with a reason.
 */
#ifndef UPA_TEST_HARNESS_H
#define UPA_TEST_HARNESS_H

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "upa.h"

#define PAGE ((size_t)UPADEV_PAGE_BYTES)

#define FAIL(...)                                                                                  \
	do {                                                                                       \
		fprintf(stderr, "# %s:%d: ", __FILE__, __LINE__);                                  \
		fprintf(stderr, __VA_ARGS__);                                                      \
		fputc('\n', stderr);                                                               \
		exit(1);                                                                           \
	} while (0)
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			FAIL("%s does not hold (errno=%d %s)", #condition, errno,                  \
			     strerror(errno));                                                     \
	} while (0)
#define CHECK_EQUAL(actual, expected)                                                              \
	do {                                                                                       \
		long long actual_ = (long long)(actual), expected_ = (long long)(expected);        \
		if (actual_ != expected_)                                                          \
			FAIL("%s = %lld, expected %lld (errno=%d)", #actual, actual_, expected_,   \
			     errno);                                                               \
	} while (0)
/* The call fails with this errno. */
#define CHECK_ERRNO(call, code)                                                                    \
	do {                                                                                       \
		errno = 0;                                                                         \
		long result_ = (long)(call);                                                       \
		if (result_ != -1 || errno != (code))                                              \
			FAIL("%s: result=%ld errno=%d (%s), expected %s", #call, result_, errno,   \
			     strerror(errno), #code);                                              \
	} while (0)

static inline void skip(const char *reason)
{
	printf("# skipped: %s\n", reason);
	exit(77);
}

struct test_case {
	const char *name;
	void (*run)(void);
};

/* Runs them one after another, each in a child. */
static inline int run_cases(const struct test_case *cases, int count)
{
	int failed = 0, skipped = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..%d\n", count);
	for (int i = 0; i < count; i++) {
		int status = 0;
		pid_t child;

		fflush(stdout);
		child = fork();
		if (!child) {
			cases[i].run();
			fflush(stdout);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child)
			status = 1 << 8;
		if (!status) {
			printf("ok %d - %s\n", i + 1, cases[i].name);
		} else if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
			printf("ok %d - %s # SKIP\n", i + 1, cases[i].name);
			skipped++;
		} else {
			printf("not ok %d - %s # status=%#x\n", i + 1, cases[i].name,
			       (unsigned)status);
			failed++;
		}
	}
	return failed ? 1 : skipped == count ? 77 : 0;
}

/* The program's main(): TESTS(CASE(this), CASE(that)) */
#define CASE(function)                                                                             \
	{                                                                                          \
#function, function                                                                \
	}
#define TESTS(...)                                                                                 \
	int main(void)                                                                             \
	{                                                                                          \
		static const struct test_case cases[] = { __VA_ARGS__ };                           \
		return run_cases(cases, sizeof(cases) / sizeof(*cases));                           \
	}

struct region {
	int fd;
	struct upadev_create created;
	unsigned char *data;
	_Atomic uint32_t *shadow;
	void *state;
	const uint64_t *entries;
	volatile uint64_t *tables;
};

static inline int open_device(void)
{
	int fd = open("/dev/upa", O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0);
	return fd;
}

/* Aligned address range for a mapping of the data. */
static inline void *reserve(size_t bytes, size_t alignment)
{
	unsigned char *range = mmap(NULL, bytes + alignment, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(range != MAP_FAILED);
	return (void *)(((uintptr_t)range + alignment - 1) & ~(uintptr_t)(alignment - 1));
}

static inline void *map_part(int fd, size_t bytes, uint64_t offset, int protection)
{
	void *part = mmap(NULL, bytes, protection, MAP_SHARED, fd, (off_t)offset);

	CHECK(part != MAP_FAILED);
	return part;
}

static inline void map_data(struct region *r)
{
	size_t alignment = r->created.mode == UPADEV_RAW_PMD ? 1UL << 30 : 2UL << 20;
	void *range = reserve(r->created.data_bytes, alignment);

	r->data = mmap(range, r->created.data_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		       r->fd, UPADEV_MAP_DATA);
	CHECK(r->data != MAP_FAILED);
}

static inline struct region make_region_with(uint32_t mode, uint32_t flags, uint64_t pages,
					     uint64_t frames, uint64_t max_frames,
					     uint64_t state_bytes)
{
	struct region r = {
		.fd = open_device(),
		.created = { .version = UPADEV_ABI_VERSION,
			     .mode = mode,
			     .flags = flags,
			     .pages = pages,
			     .frames = frames,
			     .max_frames = max_frames,
			     .state_bytes = state_bytes },
	};

	if (mode != UPADEV_GUARDED) {
		struct upadev_info info;

		CHECK_EQUAL(ioctl(r.fd, UPADEV_INFO, &info), 0);
		if (!(info.modes & 1U << mode))
			skip("raw modes are off: load the module with raw=1");
	}
	CHECK_EQUAL(ioctl(r.fd, UPADEV_CREATE, &r.created), 0);
	map_data(&r);
	r.state = map_part(r.fd, r.created.state_bytes, UPADEV_MAP_STATE, PROT_READ | PROT_WRITE);
	if (mode == UPADEV_GUARDED) {
		r.shadow = map_part(r.fd, r.created.shadow_bytes, UPADEV_MAP_SHADOW,
				    PROT_READ | PROT_WRITE);
	} else {
		r.entries = map_part(r.fd, r.created.entries_bytes, UPADEV_MAP_ENTRIES, PROT_READ);
		r.tables = map_part(r.fd, r.created.tables_bytes, UPADEV_MAP_TABLES,
				    PROT_READ | PROT_WRITE);
	}
	return r;
}

static inline struct region make_region(uint32_t mode, uint32_t flags, uint64_t pages,
					uint64_t frames, uint64_t max_frames)
{
	return make_region_with(mode, flags, pages, frames, max_frames, PAGE);
}

static inline struct region guarded(uint64_t pages, uint64_t frames)
{
	return make_region(UPADEV_GUARDED, 0, pages, frames, frames);
}

static inline int batch(const struct region *r, unsigned long call, uint64_t page, uint64_t count,
			struct upadev_batch *result)
{
	struct upadev_range range = { page, count };
	struct upadev_batch local, *b = result ? result : &local;

	*b = (struct upadev_batch){ .ranges = (uintptr_t)&range, .count = 1 };
	return ioctl(r->fd, call, b);
}

static inline int map_pages(const struct region *r, uint64_t page, uint64_t count)
{
	return batch(r, UPADEV_MAP, page, count, NULL);
}

static inline int unmap_pages(const struct region *r, uint64_t page, uint64_t count)
{
	return batch(r, UPADEV_UNMAP, page, count, NULL);
}

static inline struct upadev_stats stats(const struct region *r)
{
	struct upadev_stats s;

	CHECK_EQUAL(ioctl(r->fd, UPADEV_STATS, &s), 0);
	return s;
}

static inline volatile uint64_t *word(const struct region *r, uint64_t page)
{
	return (volatile uint64_t *)(r->data + page * PAGE);
}

/* Signal that a touch of the address raises, or 0. */
static sigjmp_buf touch_return;
static inline void touch_failed(int signal_number)
{
	siglongjmp(touch_return, signal_number);
}

static inline int touch(volatile void *address, bool write)
{
	struct sigaction action = { .sa_handler = touch_failed, .sa_flags = SA_NODEFER }, bus, segv;
	int signal_number;

	sigaction(SIGBUS, &action, &bus);
	sigaction(SIGSEGV, &action, &segv);
	signal_number = sigsetjmp(touch_return, 1);
	if (!signal_number) {
		if (write)
			*(volatile unsigned char *)address = 1;
		else
			(void)*(volatile unsigned char *)address;
	}
	sigaction(SIGBUS, &bus, NULL);
	sigaction(SIGSEGV, &segv, NULL);
	return signal_number;
}

/*
 * Pages the kernel has free, those in the free lists of each CPU included, once its caches are
 * dropped.
 */
static inline long free_pages(void)
{
	char line[128];
	long pages = 0, number;
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	FILE *f;

	if (fd >= 0) {
		CHECK_EQUAL(write(fd, "3", 1), 1);
		close(fd);
	}
	close(open("/proc/sys/vm/stat_refresh", O_RDONLY));
	f = fopen("/proc/zoneinfo", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " nr_free_pages %ld", &number) == 1 ||
		    sscanf(line, " count: %ld", &number) == 1)
			pages += number;
	fclose(f);
	return pages;
}

static inline int wait_status(pid_t child)
{
	int status;

	CHECK_EQUAL(waitpid(child, &status, 0), child);
	return status;
}

#endif
