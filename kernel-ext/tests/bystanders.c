/*
 * What one process does with its region costs nobody else: neither time under a lock, nor memory
 * beyond its limit, nor their lives.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "harness.h"
#include "passing.h"

static struct region r;

struct shared {
	_Atomic bool begun, over;
};

/*
 * A batch of 4 096 times a large region of absent tables: minutes, or, with a small one, seconds.
 */
static void long_call(struct shared *s)
{
	static struct upadev_range ranges[UPADEV_MAX_RANGES];
	struct upadev_batch b = { .ranges = (uintptr_t)ranges, .count = UPADEV_MAX_RANGES };

	r = make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, 1ULL << 23, 8192, 8192);
	for (uint32_t i = 0; i < UPADEV_MAX_RANGES; i++)
		ranges[i] = (struct upadev_range){ 0, r.created.pages };
	atomic_store(&s->begun, true);
	ioctl(r.fd, UPADEV_UNMAP, &b);
	atomic_store(&s->over, true);
	exit(0);
}

/*
 * Memory pressure, and regions of others that come and go, do not wait for it; and it can be
 * killed.
 */
static void long_call_delays_nobody(void)
{
	struct shared *s =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t hostile, other;
	int fd;

	CHECK(s != MAP_FAILED);
	hostile = fork();
	if (!hostile)
		long_call(s);
	while (!atomic_load(&s->begun))
		usleep(1000);
	usleep(50000);
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	CHECK_EQUAL(write(fd, "2", 1), 1);
	close(fd);
	other = fork();
	if (!other) {
		struct region o = make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, 512, 512, 512);

		o.shadow[0] = 1;
		*word(&o, 0) = 1;
		exit(0);
	}
	CHECK_EQUAL(wait_status(other), 0);
	CHECK(!atomic_load(&s->over));
	CHECK_EQUAL(kill(hostile, SIGKILL), 0);
	CHECK_EQUAL(wait_status(hostile), SIGKILL);
	CHECK(!atomic_load(&s->over));
}

static _Atomic bool stop;
static _Atomic unsigned long maps;

static void *map_other(void *unused)
{
	(void)unused;
	while (!atomic_load(&stop)) {
		void *page = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(page != MAP_FAILED);
		munmap(page, PAGE);
		atomic_fetch_add(&maps, 1);
		usleep(100);
	}
	return NULL;
}

/* Threads of the same process map and unmap beside it: it lets its locks go in between. */
static void long_call_lets_others_map(void)
{
	static struct upadev_range ranges[256];
	struct upadev_batch b = { .ranges = (uintptr_t)ranges, .count = 256 };
	unsigned long before;
	pthread_t thread;

	r = make_region(UPADEV_GUARDED, 0, 1ULL << 23, 512, 512);
	for (uint32_t i = 0; i < 256; i++)
		ranges[i] = (struct upadev_range){ 0, r.created.pages };
	CHECK_EQUAL(pthread_create(&thread, NULL, map_other, NULL), 0);
	while (atomic_load(&maps) < 10)
		usleep(100);
	before = atomic_load(&maps);
	CHECK_EQUAL(ioctl(r.fd, UPADEV_UNMAP, &b), 0);
	printf("# maps beside one call: %lu\n", atomic_load(&maps) - before);
	CHECK(atomic_load(&maps) - before > 20);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}

/*
 * A user's limit is one for all his processes, and stays with what a dead one has left to another.
 */
static void limit_is_the_users(void)
{
	struct rlimit limit = { 8 << 20, 8 << 20 };
	int sockets[2], created = 0;
	pid_t user;

	CHECK_EQUAL(chmod("/dev/upa", 0666), 0);
	user = fork();
	if (user) {
		int status = wait_status(user);

		CHECK_EQUAL(chmod("/dev/upa", 0600), 0);
		CHECK_EQUAL(status, 0);
		return;
	}
	CHECK_EQUAL(setrlimit(RLIMIT_MEMLOCK, &limit), 0);
	CHECK_EQUAL(setuid(65534), 0);
	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	for (int i = 0; i < 10; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			struct upadev_create c = { .version = UPADEV_ABI_VERSION,
						   .pages = 512,
						   .frames = 512,
						   .max_frames = 512 };
			int fd = open_device();

			if (ioctl(fd, UPADEV_CREATE, &c)) {
				CHECK_EQUAL(errno, ENOMEM);
				exit(2);
			}
			/* Nobody need take it out of the socket. */
			CHECK_EQUAL(pass_fd(sockets[0], fd, 0), 1);
			exit(0);
		}
		status = wait_status(child);
		CHECK(status == 0 || status == 2 << 8);
		created += status == 0;
	}
	CHECK_EQUAL(created, 3); /* of 2 MiB and two pages each, in 8 MiB */
	close(sockets[0]);
	close(sockets[1]);
	r = make_region(UPADEV_GUARDED, 0, 512, 1536, 1536);
	exit(0);
}

/* Tables larger than the machine's memory: refused, and nobody dies for it. */
static void too_large_kills_nobody(void)
{
	static const struct upadev_create requests[] = {
		{ .version = UPADEV_ABI_VERSION,
		  .pages = 1 << 27,
		  .max_frames = 1 << 27,
		  .state_bytes = 1 << 30 },
		{ .version = UPADEV_ABI_VERSION, .pages = 512, .max_frames = 1 << 28 },
		{ .version = UPADEV_ABI_VERSION,
		  .pages = 512,
		  .frames = 1 << 22,
		  .max_frames = 1 << 22 },
		{ .version = UPADEV_ABI_VERSION,
		  .pages = 1 << 28,
		  .max_frames = 512,
		  .state_bytes = 1 << 30 },
	};
	pid_t child = fork();
	int status;

	if (!child) {
		char *memory = mmap(NULL, 300 << 20, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int fd = open("/proc/self/oom_score_adj", O_WRONLY);

		CHECK_EQUAL(write(fd, "1000", 4), 4);
		memset(memory, 1, 300 << 20);
		for (;;)
			pause();
	}
	usleep(500000);
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		struct upadev_create c = requests[i];
		int fd = open_device();

		CHECK_ERRNO(ioctl(fd, UPADEV_CREATE, &c), ENOMEM);
		close(fd);
		usleep(100000);
		CHECK_EQUAL(waitpid(child, &status, WNOHANG), 0);
	}
	kill(child, SIGKILL);
	CHECK_EQUAL(wait_status(child), SIGKILL);
}

static struct upadev_create *argument;
static int create_fd;
static _Atomic bool answered;

static void *create_with_protected_argument(void *unused)
{
	(void)unused;
	ioctl(create_fd, UPADEV_CREATE, argument);
	atomic_store(&answered, true);
	return NULL;
}

/*
 * One call waits for user memory that somebody else serves, or does not: another call on the same
 * file goes on.
 */
static void user_memory_is_touched_without_locks(void)
{
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP };
	struct upadev_create second = {
		.version = UPADEV_ABI_VERSION, .pages = 512, .frames = 512, .max_frames = 512
	};
	struct uffdio_register range;
	struct uffdio_writeprotect protect;
	struct pollfd fault = { .fd = uffd, .events = POLLIN };
	pthread_t thread;

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		skip("no userfaultfd with write-protection");
	argument = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*argument = second;
	range = (struct uffdio_register){ .range = { (uintptr_t)argument, PAGE },
					  .mode = UFFDIO_REGISTER_MODE_WP };
	protect = (struct uffdio_writeprotect){ .range = range.range,
						.mode = UFFDIO_WRITEPROTECT_MODE_WP };
	if (ioctl(uffd, UFFDIO_REGISTER, &range) || ioctl(uffd, UFFDIO_WRITEPROTECT, &protect))
		skip("no write-protection by userfaultfd");
	create_fd = open_device();
	CHECK_EQUAL(pthread_create(&thread, NULL, create_with_protected_argument, NULL), 0);
	CHECK_EQUAL(poll(&fault, 1, -1), 1);
	CHECK(!atomic_load(&answered));
	CHECK_EQUAL(ioctl(create_fd, UPADEV_CREATE, &second), 0);
	CHECK(!atomic_load(&answered));
	protect.mode = 0;
	CHECK_EQUAL(ioctl(uffd, UFFDIO_WRITEPROTECT, &protect), 0);
	pthread_join(thread, NULL);
}

TESTS(CASE(long_call_delays_nobody), CASE(long_call_lets_others_map), CASE(limit_is_the_users),
      CASE(too_large_kills_nobody), CASE(user_memory_is_touched_without_locks))
