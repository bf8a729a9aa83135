/*
 * Calls of a region beside others that change what they are about: its mapping is taken away and
 * made again, the process forks, executes, ends or closes the descriptor. Each call has a result
 * that fits either order, pages in use keep what they hold, and all memory comes back.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "harness.h"

#define PAGES 2048ULL
#define CALLERS 3
#define ROUNDS 60

static struct region r;
static _Atomic bool stop;
static _Atomic uint64_t calls;
static pthread_t threads[CALLERS];

/* All calls of an owner, in turn, on the upper half; errors that a race may bring are none. */
static void *call_all(void *argument)
{
	unsigned long *which = argument;
	uint64_t bits[PAGES / 64];

	for (uint64_t i = (uintptr_t)which; !atomic_load(&stop); i++) {
		uint64_t page = PAGES / 2 + i % (PAGES / 2 - 64),
			 frames = PAGES / 2 - i / 7 % 2 * 512;
		struct upadev_harvest h = { .page = page,
					    .count = 64,
					    .dirty = (uintptr_t)bits,
					    .flags = UPADEV_HARVEST_CLEAR_DIRTY };
		long result;

		r.shadow[page] = (uint32_t)(i % (PAGES / 2)) + 1;
		switch (i % 6) {
		case 0:
			result = map_pages(&r, page, 1);
			break;
		case 1:
			result = unmap_pages(&r, PAGES / 2, PAGES / 2);
			break;
		case 2:
			result = ioctl(r.fd, UPADEV_HARVEST, &h);
			break;
		case 3:
			result = syscall(SYS_fadvise64, r.fd, page * PAGE, 64 * PAGE,
					 POSIX_FADV_DONTNEED);
			break;
		case 4:
			result = syscall(SYS_fsync, r.fd);
			break;
		default:
			result = ioctl(r.fd, UPADEV_RESIZE,
				       &(struct upadev_resize){ .frames = PAGES / 2 + frames });
		}
		/* A number beyond the pool; no mapping; no descriptor, or another's. */
		if (result < 0 && errno != EINVAL && errno != ENXIO && errno != EBADF &&
		    errno != ENOTTY)
			FAIL("call %" PRIu64 ": errno=%d", i % 6, errno);
		atomic_fetch_add(&calls, 1);
	}
	return NULL;
}

static void start_callers(void)
{
	atomic_store(&stop, false);
	for (uintptr_t i = 0; i < CALLERS; i++)
		CHECK_EQUAL(pthread_create(&threads[i], NULL, call_all, (void *)(i * 2)), 0);
}

static void end_callers(void)
{
	atomic_store(&stop, true);
	for (int i = 0; i < CALLERS; i++)
		CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
}

/* So that something has happened in between, whatever the machine is busy with. */
static void await_calls(uint64_t count)
{
	uint64_t end = atomic_load(&calls) + count;

	while (atomic_load(&calls) < end)
		usleep(100);
}

/* The lower half is in use. */
static void make(void)
{
	r = guarded(PAGES, PAGES);
	for (uint64_t page = 0; page < PAGES / 2; page++) {
		r.shadow[page] = (uint32_t)page + 1;
		*word(&r, page) = 5000 + page;
	}
}

static void check_pages(void)
{
	for (uint64_t page = 0; page < PAGES / 2; page++)
		CHECK_EQUAL(*word(&r, page), 5000 + page);
}

static void beside_unmapping(void)
{
	make();
	start_callers();
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
		await_calls(3);
		map_data(&r); /* elsewhere */
		check_pages();
		await_calls(3);
	}
	end_callers();
	check_pages();
}

/* Refused, or one that takes the mapping away by mapping over it. */
static void beside_moving(void)
{
	unsigned char *range;

	make();
	start_callers();
	for (int i = 0; i < ROUNDS; i++) {
		range = reserve(r.created.data_bytes, 2 << 20);
		CHECK_ERRNO(mremap(r.data, r.created.data_bytes, r.created.data_bytes,
				   MREMAP_MAYMOVE | MREMAP_FIXED, range),
			    EBUSY);
		CHECK_EQUAL(munmap(range, r.created.data_bytes), 0);
		check_pages();
		CHECK(mmap(r.data, r.created.data_bytes, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == r.data);
		await_calls(2);
		CHECK(mmap(r.data, r.created.data_bytes, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_FIXED, r.fd, UPADEV_MAP_DATA) == r.data);
		check_pages();
	}
	end_callers();
}

static void beside_forks(void)
{
	make();
	start_callers();
	for (int i = 0; i < ROUNDS; i++) {
		pid_t child = fork();

		CHECK(child >= 0);
		if (!child) {
			CHECK_EQUAL(touch(r.data, true), SIGSEGV);
			CHECK_ERRNO(unmap_pages(&r, 0, 1), EPERM);
			_exit(0);
		}
		check_pages();
		CHECK_EQUAL(wait_status(child), 0);
	}
	end_callers();
	check_pages();
}

/* The descriptor goes while calls are in the kernel; the mappings keep the region. */
static void beside_closing(void)
{
	for (int i = 0; i < ROUNDS / 4; i++) {
		make();
		start_callers();
		await_calls(5);
		CHECK_EQUAL(close(r.fd), 0);
		await_calls(5);
		check_pages();
		end_callers();
		check_pages();
		CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
		CHECK_EQUAL(munmap((void *)(uintptr_t)r.shadow, r.created.shadow_bytes), 0);
		CHECK_EQUAL(munmap(r.state, r.created.state_bytes), 0);
	}
}

enum end { EXIT, EXECUTE, KILL, SEGV };

/* The process ends while its threads call; a second one still has the descriptor. */
static void end_beside_calls(enum end how)
{
	long before = free_pages(), kept = 0;

	for (int i = 0; i < ROUNDS / 4; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			make();
			if (i % 2 && !fork()) { /* it may still ask */
				for (int n = 0; n < 50; n++) {
					CHECK_EQUAL(stats(&r).pages, PAGES);
					CHECK_ERRNO(map_pages(&r, 0, 1), EPERM);
				}
				_exit(0);
			}
			start_callers();
			await_calls(10);
			switch (how) {
			case EXIT:
				_exit(0);
			case EXECUTE:
				execl("/proc/self/exe", "races", "ends", NULL);
				_exit(1);
			case KILL:
				kill(getpid(), SIGKILL);
				break;
			case SEGV:
				signal(SIGSEGV, SIG_DFL);
				CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
				*word(&r, 0) = 1;
			}
			pause();
		}
		status = wait_status(child);
		CHECK_EQUAL(status & 0x7f, how == KILL ? SIGKILL : how == SEGV ? SIGSEGV : 0);
		CHECK_EQUAL(WIFEXITED(status) ? WEXITSTATUS(status) : 0, 0);
	}
	for (int tries = 0; tries < 50 && (kept = before - free_pages()) > 2000; tries++)
		usleep(100000);
	if (kept > 2000)
		FAIL("kept=%ld pages of %d processes that have ended", kept, ROUNDS / 4);
}

static void beside_exit(void)
{
	end_beside_calls(EXIT);
}

static void beside_exec(void)
{
	end_beside_calls(EXECUTE);
}

static void beside_a_kill(void)
{
	end_beside_calls(KILL);
}

static void beside_a_fault(void)
{
	end_beside_calls(SEGV);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(beside_unmapping), CASE(beside_moving),  CASE(beside_forks),
		CASE(beside_closing),   CASE(beside_exit),    CASE(beside_exec),
		CASE(beside_a_kill),    CASE(beside_a_fault),
	};

	(void)argv;
	return argc == 2 ? 0 : run_cases(cases, sizeof(cases) / sizeof(*cases));
}
