/*
 * Calls as a hostile process makes them: wrong sizes, structs at the end of memory, numbers near
 * 2^64, calls of 32 bits, descriptors in the hands of other users and of pagers that fork and exec,
 * and a region that wants more memory than its cgroup may have.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "allocator.h"
#include "cgroup.h"
#include "pager.h"
#include "passing.h"

static const struct call {
	unsigned long code;
	bool pagers; /* of a pager's descriptor */
} calls[] = {
	{ UPADEV_INFO, false },   { UPADEV_CREATE, false },  { UPADEV_MAP, false },
	{ UPADEV_UNMAP, false },  { UPADEV_HARVEST, false }, { UPADEV_RESIZE, false },
	{ UPADEV_STATS, false },  { UPADEV_RECLAIM, false }, { UPADEV_ALLOCATORS, false },
	{ UPADEV_ADMIT, false },  { UPADEV_REVOKE, false },  { UPADEV_BOUND, false },
	{ UPADEV_MAP, true },     { UPADEV_UNMAP, true },    { UPADEV_HARVEST, true },
	{ UPADEV_PAGE_IN, true }, { UPADEV_PAGE_OUT, true },
};
#define CALLS (sizeof(calls) / sizeof(*calls))

#define FRAMES 1024ULL

static struct region r;
static int pager;
static uint64_t contents[PAGE / 8];

/* A region with allocators, in whose state all pages and frames are in use. */
static void make_declared(uint64_t count, struct allocator *frames)
{
	struct upadev_allocators a = { 0 };
	struct allocator pages;
	uint64_t end;

	r = make_region_with(UPADEV_GUARDED, 0, count, count, count, 4 << 20);
	end = allocator_place(&pages, &r, 4096, count);
	a.marks_offset = allocator_place(frames, &r, end, count);
	a.pages = pages.where;
	a.frames = frames->where;
	CHECK_EQUAL(ioctl(r.fd, UPADEV_ALLOCATORS, &a), 0);
}

/* With a few pages in use, of which the calls must change none. */
static void use_pages(void)
{
	pager = admit(&r, 0);
	CHECK(pager >= 0);
	for (uint32_t page = 0; page < 8; page++) {
		r.shadow[page] = page + 1;
		*word(&r, page) = 100 + page;
	}
}

static void make(void)
{
	r = guarded(FRAMES, FRAMES);
	use_pages();
}

static void unchanged(void)
{
	for (uint32_t page = 0; page < 8; page++) {
		CHECK_EQUAL(r.shadow[page], page + 1);
		CHECK_EQUAL(*word(&r, page), 100 + page);
	}
	CHECK_EQUAL(stats(&r).frames, FRAMES);
	CHECK_EQUAL(stats(&r).paged_out, 0);
	CHECK_EQUAL(stats(&r).unmap_pages, 0);
}

/* The size is part of the number of a call, and so is who reads and who writes. */
static void wrong_sizes(void)
{
	static uint64_t zeros[4096];

	make();
	for (size_t i = 0; i < CALLS; i++) {
		int fd = calls[i].pagers ? pager : r.fd;
		unsigned size = _IOC_SIZE(calls[i].code), number = _IOC_NR(calls[i].code);

		for (unsigned direction = 0; direction < 4; direction++)
			for (unsigned other = 0; other < 2 * size; other += 4)
				if (direction != _IOC_DIR(calls[i].code) || other != size)
					CHECK_ERRNO(ioctl(fd, _IOC(direction, 'U', number, other),
							  zeros),
						    ENOTTY);
		CHECK_ERRNO(ioctl(fd, _IOC(_IOC_DIR(calls[i].code), 'u', number, size), zeros),
			    ENOTTY);
	}
	unchanged();
}

/* A struct may end where memory does. Where less of it is there, nothing has happened. */
static void ends_of_memory(void)
{
	unsigned char *memory =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct allocator frames;

	CHECK(memory != MAP_FAILED);
	CHECK_EQUAL(mprotect(memory + PAGE, PAGE, PROT_NONE), 0);
	make_declared(FRAMES, &frames);
	use_pages();
	for (size_t i = 0; i < CALLS; i++) {
		int fd = calls[i].pagers ? pager : r.fd;
		unsigned size = _IOC_SIZE(calls[i].code);

		for (unsigned there = 0; there < size; there += 8) {
			memset(memory, 0, PAGE);
			CHECK_ERRNO(ioctl(fd, calls[i].code, memory + PAGE - there), EFAULT);
		}
		/* All of it: whatever is said of zeros, but not that. */
		memset(memory, 0, PAGE);
		if (calls[i].code != UPADEV_RESIZE &&
		    ioctl(fd, calls[i].code, memory + PAGE - size) < 0)
			CHECK(errno != EFAULT);
		if (calls[i].code == UPADEV_REVOKE)
			pager = admit(&r, 0);
	}
	unchanged();
}

/* Sums that do not fit into 64 bits are not those of small numbers. */
static void numbers_near_the_end(void)
{
	static const uint64_t ends[] = { ~0ULL,      ~0ULL - 1,  ~0ULL - 511,      1ULL << 63,
					 1ULL << 52, 1ULL << 32, (1ULL << 32) + 1, 1025 };
	struct upadev_range range;
	uint64_t bits[16];

	make();
	for (int i = 0; i < 8; i++) {
		struct upadev_harvest h = { .page = ends[i], .count = 1 };
		struct upadev_transfer t = { .page = ends[i], .away = AWAY(0), .frame = 0 };

		for (int j = 0; j < 8; j++) {
			CHECK_ERRNO(batch(&r, UPADEV_MAP, ends[i], ends[j], NULL), EINVAL);
			CHECK_ERRNO(batch(&r, UPADEV_UNMAP, ends[i], ends[j], NULL), EINVAL);
		}
		for (uint64_t page = 0; page < 2; page++) {
			CHECK_ERRNO(batch(&r, UPADEV_UNMAP, page, ends[i], NULL), EINVAL);
			CHECK_ERRNO(batch(&r, UPADEV_UNMAP, ends[i], page, NULL), EINVAL);
		}
		/* Their sum is 1. */
		CHECK_ERRNO(batch(&r, UPADEV_UNMAP, ends[i], 1 - ends[i], NULL), EINVAL);
		CHECK_ERRNO(ioctl(r.fd, UPADEV_HARVEST, &h), EINVAL);
		h = (struct upadev_harvest){ .count = ends[i], .accessed = (uintptr_t)bits };
		CHECK_ERRNO(ioctl(r.fd, UPADEV_HARVEST, &h), EINVAL);
		h = (struct upadev_harvest){ .page = 1, .count = ends[i] };
		CHECK_ERRNO(ioctl(r.fd, UPADEV_HARVEST, &h), EINVAL);
		CHECK_ERRNO(ioctl(r.fd, UPADEV_RESIZE, &(struct upadev_resize){ ends[i], { 0 } }),
			    EINVAL);
		CHECK_EQUAL(paging(pager, UPADEV_PAGE_OUT, &t, 1, NULL), 0);
		CHECK_EQUAL(t.result, -EINVAL);
		t = (struct upadev_transfer){ .away = AWAY(0), .frame = (uint32_t)ends[i] };
		CHECK_EQUAL(paging(pager, UPADEV_PAGE_IN, &t, 1, NULL), 0);
		CHECK(t.result == -EINVAL || t.result == -EAGAIN);
		range = (struct upadev_range){ 0, 1 };
		CHECK_ERRNO(ioctl(r.fd, UPADEV_UNMAP,
				  &(struct upadev_batch){ .ranges = (uintptr_t)&range,
							  .count = (uint32_t)ends[i] | 1U << 31 }),
			    EINVAL);
		/* Addresses that wrap, or are the kernel's. */
		CHECK_ERRNO(ioctl(r.fd, UPADEV_UNMAP,
				  &(struct upadev_batch){ .ranges = -(uint64_t)8, .count = 4096 }),
			    EFAULT);
		h = (struct upadev_harvest){ .count = 8, .accessed = 0xffff888000000000ULL };
		CHECK_ERRNO(ioctl(r.fd, UPADEV_HARVEST, &h), EFAULT);
	}
	for (int i = 0; i < 6; i++) {
		static const int64_t offsets[] = { -4096,     INT64_MIN, INT64_MAX - 4095,
						   1LL << 62, 1LL << 44, FRAMES * 4096 };

		CHECK_ERRNO(syscall(SYS_fadvise64, r.fd, offsets[i], PAGE, POSIX_FADV_DONTNEED),
			    EINVAL);
		CHECK_ERRNO(syscall(SYS_fadvise64, r.fd, PAGE, offsets[i], POSIX_FADV_DONTNEED),
			    EINVAL);
	}
	unchanged();
}

/* As a program of 32 bits would call: structs are the same there. */
static long call_of_32_bits(int fd, unsigned long code, void *argument)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(54 /* ioctl */), "b"((long)fd), "c"(code), "d"(argument)
			 : "memory", "r8", "r9", "r10", "r11");
	return result;
}

static void calls_of_32_bits(void)
{
	struct {
		struct upadev_stats stats;
		struct upadev_info info;
		struct upadev_range range;
		struct upadev_batch batch;
	} *low = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
		      -1, 0);
	struct upadev_stats now;

	CHECK(low != MAP_FAILED);
	make();
	if (access("/proc/sys/abi/vsyscall32", F_OK) ||
	    call_of_32_bits(r.fd, UPADEV_INFO, &low->info) == -ENOSYS)
		skip("the kernel takes no calls of 32 bits");
	CHECK_EQUAL(low->info.version, UPADEV_ABI_VERSION);
	CHECK_EQUAL(call_of_32_bits(r.fd, UPADEV_STATS, &low->stats), 0);
	now = stats(&r);
	CHECK_EQUAL(memcmp(&now, &low->stats, sizeof(now)), 0);
	low->range = (struct upadev_range){ 7, 1 };
	low->batch = (struct upadev_batch){ .ranges = (uintptr_t)&low->range, .count = 1 };
	CHECK_EQUAL(call_of_32_bits(r.fd, UPADEV_UNMAP, &low->batch), 0);
	CHECK_EQUAL(low->batch.changed, 1);
	CHECK_EQUAL(*word(&r, 7), 107);
	CHECK_EQUAL(call_of_32_bits(r.fd, UPADEV_UNMAP, NULL), -EFAULT);
	CHECK_EQUAL(call_of_32_bits(pager, UPADEV_STATS, &low->stats), -ENOTTY);
}

/* ---- descriptors that others have ---- */

static void send_fd(int socket, int fd)
{
	CHECK_EQUAL(pass_fd(socket, fd, 0), 1);
}

static int receive_fd(int socket)
{
	int fd = take_fd(socket, 0);

	CHECK(fd >= 0);
	return fd;
}

/* Another user, who got it over a socket: may look, and do nothing. */
static void sent_to_another_user(void)
{
	int ends[2];
	pid_t child;

	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	child = fork();
	if (!child) {
		struct upadev_stats s;
		char path[64];
		int fd;

		CHECK_EQUAL(setuid(65534), 0);
		fd = receive_fd(ends[1]);
		CHECK_EQUAL(ioctl(fd, UPADEV_STATS, &s), 0);
		CHECK_EQUAL(s.frames, FRAMES);
		for (size_t i = 0; i < CALLS; i++) {
			uint64_t zeros[64] = { 0 };
			unsigned long code = calls[i].code;

			if (calls[i].pagers || code == UPADEV_INFO || code == UPADEV_STATS ||
			    code == UPADEV_CREATE)
				continue;
			CHECK_ERRNO(ioctl(fd, code, zeros), EPERM);
		}
		CHECK_ERRNO(fsync(fd), EPERM);
		CHECK_EQUAL(posix_fadvise(fd, 0, PAGE, POSIX_FADV_DONTNEED), EPERM);
		CHECK(mmap(NULL, s.pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			   UPADEV_MAP_DATA) == MAP_FAILED);
		/* Nor does it open the device again. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		CHECK_ERRNO(open(path, O_RDWR), EACCES);
		CHECK_EQUAL(write(ends[1], "x", 1), 1);
		fd = receive_fd(ends[1]); /* a pager it may be, since the owner says so */
		fill(contents, 900);
		CHECK_EQUAL(page_in(fd, 20, AWAY(1), 20, contents), 0);
		exit(0);
	}
	close(ends[1]);
	make();
	send_fd(ends[0], r.fd);
	CHECK_EQUAL(read(ends[0], &(char){ 0 }, 1), 1);
	r.shadow[20] = AWAY(1);
	send_fd(ends[0], pager);
	close(pager);
	CHECK_EQUAL(*word(&r, 20), 900);
	CHECK_EQUAL(wait_status(child), 0);
	unchanged();
	/* It was the last descriptor of the pager. */
	r.shadow[21] = AWAY(1);
	CHECK_EQUAL(touch(r.data + 21 * PAGE, false), SIGBUS);
}

/* A pager's descriptor on its way to somebody is one; it ends with the socket that holds it. */
static void lost_on_its_way(void)
{
	struct toucher t = { 0 };
	int ends[2];

	make();
	CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	send_fd(ends[0], pager);
	send_fd(ends[0], ends[1]); /* a socket in itself: only the kernel's collector ends it */
	close(pager);
	close(ends[0]);
	r.shadow[20] = AWAY(1);
	start_touch(&t, &r, 20, false);
	await_touches(&r, 1);
	CHECK_EQUAL(atomic_load(&t.outcome), -1);
	CHECK_ERRNO(admit(&r, 0), EBUSY);
	close(ends[1]);
	/* The collector runs when another socket ends. */
	for (int i = 0; i < 100 && atomic_load(&t.outcome) < 0; i++) {
		CHECK_EQUAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		send_fd(ends[0], ends[1]);
		close(ends[0]);
		close(ends[1]);
		usleep(10000);
	}
	CHECK_EQUAL(end_touch(&t), SIGBUS);
}

/* A pager that forks is one until the last of them has ended; also one that has executed. */
static void pager_forks_and_execs(void)
{
	struct toucher t[2] = { 0 };
	int ends[2];
	pid_t child;

	make();
	CHECK_EQUAL(pipe(ends), 0);
	child = fork();
	if (!child) {
		CHECK_EQUAL(fcntl(pager, F_SETFD, 0), 0);
		if (!fork()) {
			char fd[16];

			snprintf(fd, sizeof(fd), "%d", pager);
			close(ends[1]);
			CHECK_EQUAL(dup2(ends[0], 0), 0);
			execl("/proc/self/exe", "hostile", fd, NULL);
			_exit(1);
		}
		_exit(0);
	}
	close(pager);
	CHECK_EQUAL(wait_status(child), 0);
	close(ends[0]);
	for (uint32_t i = 0; i < 2; i++) {
		r.shadow[20 + i] = AWAY(1 + i);
		start_touch(&t[i], &r, 20 + i, false);
	}
	CHECK_EQUAL(end_touch(&t[0]), 0); /* served by what has become of the pager */
	CHECK_EQUAL(t[0].value, 4711);
	CHECK_EQUAL(atomic_load(&t[1].outcome), -1);
	CHECK_ERRNO(admit(&r, 0), EBUSY);
	close(ends[1]); /* it ends */
	CHECK_EQUAL(end_touch(&t[1]), SIGBUS);
	pager = admit(&r, 0);
	CHECK(pager >= 0);
	unchanged();
}

static int serve_one(int fd)
{
	struct upadev_fault fault;
	char byte;

	contents[0] = 4711;
	do
		fault = next_fault(fd);
	while (fault.page != 20);
	CHECK_EQUAL(page_in(fd, 20, fault.word, 20, contents), 0);
	CHECK_ERRNO(ioctl(fd, UPADEV_STATS, &(struct upadev_stats){ 0 }), ENOTTY);
	CHECK_EQUAL(read(0, &byte, 1), 0);
	return 0;
}

/* ---- memory ---- */

#define GROUP_OF_OWNER "/sys/fs/cgroup/upa-hostile"

/*
 * What was taken back is touched again, and its cgroup has no room for it: its owner dies, and
 * nobody else.
 */
static void more_than_its_cgroup(void)
{
	pid_t bystander, child;
	long before = free_pages(), kept = 0;
	int status;

	if (mkdir(GROUP_OF_OWNER, 0755) && errno != EEXIST)
		skip("no cgroup v2");
	cgroup_put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	bystander = fork();
	if (!bystander) {
		pause();
		_exit(0);
	}
	child = fork();
	if (!child) {
		struct upadev_reclaim request = { .pages = UINT64_MAX };
		struct allocator frames;

		cgroup_put(GROUP_OF_OWNER "/cgroup.procs", "0");
		make_declared(16384, &frames);
		for (uint64_t i = 0; i < 16384; i++)
			unit_put(&frames, i);
		CHECK_EQUAL(ioctl(r.fd, UPADEV_RECLAIM, &request), 0);
		CHECK_EQUAL(request.reclaimed, 16384);
		cgroup_put(GROUP_OF_OWNER "/memory.max", "33554432");
		for (uint32_t i = 0; i < 16384; i++) {
			CHECK(unit_get(&frames, i));
			r.shadow[i] = i + 1;
			*word(&r, i) = i;
		}
		exit(0);
	}
	status = wait_status(child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EQUAL(kill(bystander, 0), 0);
	CHECK_EQUAL(kill(bystander, SIGKILL), 0);
	CHECK_EQUAL(wait_status(bystander), SIGKILL);
	for (int tries = 0; tries < 50 && (kept = before - free_pages()) > 2000; tries++)
		usleep(100000);
	if (kept > 2000)
		FAIL("kept=%ld pages after the owner was killed", kept);
}

int main(int argc, char **argv)
{
	static const struct test_case cases[] = {
		CASE(wrong_sizes),           CASE(ends_of_memory),       CASE(numbers_near_the_end),
		CASE(calls_of_32_bits),      CASE(sent_to_another_user), CASE(lost_on_its_way),
		CASE(pager_forks_and_execs), CASE(more_than_its_cgroup),
	};

	return argc == 2 ? serve_one(atoi(argv[1])) :
			   run_cases(cases, sizeof(cases) / sizeof(*cases));
}
