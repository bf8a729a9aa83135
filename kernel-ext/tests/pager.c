/*
 * A pager that the owner has admitted: what it is told, pages that come, whoever waits for them,
 * and what becomes of all of it when the pager or the owner goes. What it does to pages is in
 * paging.c.
 */
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "pager.h"

#define FRAMES 1024

static uint64_t contents[PAGE / 8];
static struct toucher touchers[40];

static struct region with_pager(uint32_t flags, int *pager)
{
	struct region r = guarded(FRAMES, FRAMES);

	*pager = admit(&r, flags);
	CHECK(*pager >= 0);
	return r;
}

/* Serves whoever comes: page p goes into frame p, with contents of the place that the word says. */
static void serve(int pager)
{
	for (;;) {
		struct upadev_fault faults[16];
		ssize_t bytes = read(pager, faults, sizeof(faults));
		int error;

		if (bytes <= 0)
			_exit(bytes < 0);
		for (int i = 0; i < bytes / (ssize_t)sizeof(*faults); i++) {
			fill(contents, faults[i].word & ~UPADEV_SHADOW_AWAY);
			error = page_in(pager, faults[i].page, faults[i].word,
					(uint32_t)faults[i].page, contents);
			if (error && error != EAGAIN) /* another thread has waited for it, too */
				_exit(2);
		}
	}
}

static pid_t start_pager(int pager, const struct region *r)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child) {
		close(r->fd);
		serve(pager);
	}
	close(pager);
	return child;
}

/* By another process, many threads, and the kernel on behalf of one. */
static void brings_what_is_touched(void)
{
	int pager, ends[2];
	struct region r = with_pager(0, &pager);
	pid_t child = start_pager(pager, &r);

	for (uint32_t page = 0; page < FRAMES; page++)
		r.shadow[page] = AWAY(page * 1000);
	for (int i = 0; i < 40; i++) /* ten pages, each by four */
		start_touch(&touchers[i], &r, (uint64_t)i / 4, false);
	for (int i = 0; i < 40; i++) {
		CHECK_EQUAL(end_touch(&touchers[i]), 0);
		CHECK_EQUAL(touchers[i].value, i / 4 * 1000);
	}
	CHECK_EQUAL(pipe(ends), 0);
	CHECK_EQUAL(write(ends[1], "x", 1), 1);
	CHECK_EQUAL(read(ends[0], r.data + 20 * PAGE + 7, 1), 1);
	CHECK_EQUAL(r.data[20 * PAGE + 7], 'x');
	CHECK_EQUAL(r.shadow[20], 21);
	for (uint32_t page = 0; page < FRAMES; page++) {
		if (page != 20 && !filled(word(&r, page), page * 1000))
			FAIL("page=%u holds %#llx", page, (unsigned long long)*word(&r, page));
		CHECK_EQUAL(r.shadow[page], page + 1);
	}
	CHECK_EQUAL(stats(&r).paged_in, FRAMES);
	CHECK(stats(&r).away_faults >= FRAMES);
	CHECK_EQUAL(stats(&r).bad_faults, 0);
	CHECK_EQUAL(dismiss(&r, 0), 0);
	CHECK_EQUAL(wait_status(child), 0);
}

static void tells_in_order(void)
{
	int pager;
	struct region r = with_pager(0, &pager);
	struct upadev_fault faults[3], many[100], fault;
	void *nowhere = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK_EQUAL(fcntl(pager, F_GETFD), FD_CLOEXEC);
	CHECK_EQUAL(readable(pager, 0), 0);
	CHECK_EQUAL(fcntl(pager, F_SETFL, O_NONBLOCK), 0);
	CHECK_ERRNO(read(pager, &fault, sizeof(fault)), EAGAIN);
	CHECK_ERRNO(read(pager, &fault, sizeof(fault) - 1), EINVAL);
	CHECK_ERRNO(write(pager, "x", 1), EINVAL);
	for (int i = 0; i < 3; i++) {
		r.shadow[i] = AWAY(100u + (uint32_t)i);
		touchers[i].value = 7;
		start_touch(&touchers[i], &r, (uint64_t)i, i == 1);
		await_touches(&r, (uint64_t)i + 1);
	}
	CHECK_EQUAL(readable(pager, 1000), POLLIN);
	CHECK_ERRNO(read(pager, nowhere, sizeof(faults)), EFAULT); /* and nothing is lost */
	CHECK_EQUAL(readable(pager, 0), POLLIN);
	CHECK_EQUAL(read(pager, faults, sizeof(faults[0]) * 2 + 1), 2 * sizeof(faults[0]));
	CHECK_EQUAL(readable(pager, 0), POLLIN);
	CHECK_EQUAL(read(pager, many, sizeof(many)), sizeof(many[0]));
	faults[2] = many[0];
	for (uint32_t i = 0; i < 3; i++) {
		CHECK_EQUAL(faults[i].page, i);
		CHECK_EQUAL(faults[i].word, AWAY(100 + i));
		CHECK_EQUAL(faults[i].flags, i == 1 ? UPADEV_FAULT_WRITE : 0);
	}
	CHECK_EQUAL(readable(pager, 0), 0); /* each is told once */
	CHECK_ERRNO(read(pager, &fault, sizeof(fault)), EAGAIN);
	for (int i = 2; i >= 0; i--) {
		CHECK_EQUAL(atomic_load(&touchers[i].outcome), -1);
		fill(contents, 50u + (uint32_t)i);
		CHECK_EQUAL(page_in(pager, (uint64_t)i, AWAY(100u + (uint32_t)i),
				    900u + (uint32_t)i, contents),
			    0);
		CHECK_EQUAL(end_touch(&touchers[i]), 0);
		CHECK_EQUAL(r.shadow[i], 901 + i);
	}
	CHECK_EQUAL(touchers[0].value, 50);
	CHECK_EQUAL(*word(&r, 1), 7);
	CHECK_EQUAL(touchers[2].value, 52);
}

/* A reader that sleeps is woken by the first touch; several descriptors by poll(). */
static void wakes_who_reads(void)
{
	int pagers[2];
	struct region r[2] = { with_pager(0, &pagers[0]), with_pager(0, &pagers[1]) };

	for (int i = 0; i < 2; i++) {
		struct pollfd p[2] = { { .fd = pagers[0], .events = POLLIN },
				       { .fd = pagers[1], .events = POLLIN } };
		struct upadev_fault fault;

		r[i].shadow[5] = AWAY(0);
		start_touch(&touchers[0], &r[i], 5, true);
		CHECK_EQUAL(poll(p, 2, 30000), 1);
		CHECK_EQUAL(p[i].revents, POLLIN);
		fault = next_fault(pagers[i]);
		CHECK_EQUAL(fault.page, 5);
		CHECK_EQUAL(page_in(pagers[i], 5, AWAY(0), 0, NULL), 0);
		CHECK_EQUAL(end_touch(&touchers[0]), 0);
		/* Now it sleeps in read(). */
		r[i].shadow[6] = AWAY(0);
		start_touch(&touchers[0], &r[i], 6, true);
		CHECK_EQUAL(next_fault(pagers[i]).page, 6);
		CHECK_EQUAL(page_in(pagers[i], 6, AWAY(0), 0, NULL), 0);
		CHECK_EQUAL(end_touch(&touchers[0]), 0);
	}
}

static void refuses_wrong_requests(void)
{
	struct region r = guarded(FRAMES, FRAMES);
	struct region reclaim =
		make_region(UPADEV_GUARDED, UPADEV_CREATE_RECLAIM, FRAMES, FRAMES, FRAMES);
	static const unsigned long calls[] = { UPADEV_ADMIT, UPADEV_REVOKE };
	int empty = open_device(), pager;
	pid_t child;

	CHECK_ERRNO(dismiss(&r, 0), ENOENT);
	for (int i = 0; i < 2; i++) {
		struct upadev_pager bad = { 0 };

		CHECK_ERRNO(ioctl(empty, calls[i], &bad), ENXIO);
		CHECK_ERRNO(ioctl(r.fd, calls[i], NULL), EFAULT);
		for (uint32_t bit = UPADEV_PAGER_WAIT << 1; bit; bit <<= 1) {
			bad = (struct upadev_pager){ .flags = bit };
			CHECK_ERRNO(ioctl(r.fd, calls[i], &bad), EINVAL);
		}
		bad = (struct upadev_pager){ .pad = 1 };
		CHECK_ERRNO(ioctl(r.fd, calls[i], &bad), EINVAL);
		for (int j = 0; j < 3; j++) {
			bad = (struct upadev_pager){ 0 };
			bad.reserved[j] = 1ULL << 63;
			CHECK_ERRNO(ioctl(r.fd, calls[i], &bad), EINVAL);
		}
		bad = (struct upadev_pager){ 0 };
		CHECK_ERRNO(ioctl(reclaim.fd, calls[i], &bad), EOPNOTSUPP);
	}
	/* No pager yet: as any number out of range. */
	r.shadow[0] = AWAY(1);
	CHECK_EQUAL(touch(r.data, false), SIGBUS);
	CHECK_EQUAL(stats(&r).bad_faults, 1);
	CHECK_ERRNO(map_pages(&r, 0, 1), EINVAL);
	child = fork();
	if (!child) {
		CHECK_ERRNO(admit(&r, 0), EPERM);
		CHECK_ERRNO(dismiss(&r, 0), EPERM);
		exit(0);
	}
	CHECK_EQUAL(wait_status(child), 0);
	pager = admit(&r, 0);
	CHECK(pager >= 0);
	CHECK_ERRNO(admit(&r, 0), EBUSY);
	CHECK_ERRNO(admit(&r, UPADEV_PAGER_WAIT), EBUSY);
	close(pager);
	pager = admit(&r, 0);
	CHECK(pager >= 0);
	CHECK_ERRNO(ioctl(pager, UPADEV_STATS, &(struct upadev_stats){ 0 }), ENOTTY);
	CHECK_ERRNO(ioctl(pager, UPADEV_ADMIT, &(struct upadev_pager){ 0 }), ENOTTY);
	CHECK_ERRNO(ioctl(pager, UPADEV_RESIZE, &(struct upadev_resize){ 0 }), ENOTTY);
	CHECK_ERRNO(ioctl(r.fd, UPADEV_PAGE_IN, &(struct upadev_paging){ 0 }), ENOTTY);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, pager, 0) == MAP_FAILED);
}

static void no_more_descriptors(void)
{
	struct region r = guarded(FRAMES, FRAMES);
	struct rlimit limit = { (rlim_t)r.fd + 1, (rlim_t)r.fd + 1 };

	CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_ERRNO(admit(&r, 0), EMFILE);
	close(0);
	CHECK_EQUAL(admit(&r, 0), 0); /* nothing is left of the first attempt */
}

/* ---- the pager goes ---- */

static void lost_without_waiting(void)
{
	int pager;
	struct region r = with_pager(0, &pager);
	pid_t child;

	r.shadow[0] = AWAY(1);
	r.shadow[1] = AWAY(2);
	for (int i = 0; i < 2; i++)
		start_touch(&touchers[i], &r, (uint64_t)i, false);
	await_touches(&r, 2);
	next_fault(pager); /* one is told, the other not yet */
	close(pager);
	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(end_touch(&touchers[i]), SIGBUS);
	CHECK_EQUAL(touch(r.data, false), SIGBUS);
	CHECK_EQUAL(stats(&r).bad_faults, 3);
	/* Killed, it is lost as well. Its successor serves what is away. */
	pager = admit(&r, 0);
	child = fork();
	if (!child) {
		close(r.fd);
		pause();
	}
	close(pager);
	start_touch(&touchers[0], &r, 0, false);
	await_touches(&r, 3);
	usleep(20000);
	CHECK_EQUAL(atomic_load(&touchers[0].outcome), -1);
	kill(child, SIGKILL);
	CHECK_EQUAL(wait_status(child), SIGKILL);
	CHECK_EQUAL(end_touch(&touchers[0]), SIGBUS);
	pager = admit(&r, 0);
	child = start_pager(pager, &r);
	start_touch(&touchers[0], &r, 1, false);
	CHECK_EQUAL(end_touch(&touchers[0]), 0);
	CHECK_EQUAL(touchers[0].value, 2);
	CHECK_EQUAL(dismiss(&r, 0), 0);
	CHECK_EQUAL(wait_status(child), 0);
}

static void lost_and_waited_for(void)
{
	int pager;
	struct region r = with_pager(UPADEV_PAGER_WAIT, &pager);
	pid_t child;

	for (uint32_t i = 0; i < 4; i++)
		r.shadow[i] = AWAY(10 + i);
	for (int i = 0; i < 3; i++) {
		start_touch(&touchers[i], &r, (uint64_t)i, false);
		await_touches(&r, (uint64_t)i + 1);
	}
	CHECK_EQUAL(next_fault(pager).page, 0);
	CHECK_EQUAL(next_fault(pager).page, 1);
	close(pager);
	start_touch(&touchers[3], &r, 3, false); /* nobody is there */
	await_touches(&r, 4);
	usleep(20000);
	for (int i = 0; i < 4; i++)
		CHECK_EQUAL(atomic_load(&touchers[i].outcome), -1);
	/* The next one is told all of them, in their order. */
	pager = admit(&r, UPADEV_PAGER_WAIT);
	CHECK_EQUAL(readable(pager, 0), POLLIN);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQUAL(next_fault(pager).page, i);
	CHECK_EQUAL(readable(pager, 0), 0);
	close(pager);
	pager = admit(&r, 0);
	child = start_pager(pager, &r);
	for (unsigned i = 0; i < 4; i++) {
		CHECK_EQUAL(end_touch(&touchers[i]), 0);
		CHECK_EQUAL(touchers[i].value, 10 + i);
	}
	CHECK_EQUAL(stats(&r).bad_faults, 0);
	kill(child, SIGKILL);
	CHECK_EQUAL(wait_status(child), SIGKILL);
	r.shadow[5] = AWAY(0); /* what the last one was admitted with counts */
	CHECK_EQUAL(touch(r.data + 5 * PAGE, false), SIGBUS);
}

static void revoked(void)
{
	int pager;
	struct region r = with_pager(0, &pager);
	struct upadev_fault fault;

	r.shadow[0] = AWAY(0);
	start_touch(&touchers[0], &r, 0, false);
	await_touches(&r, 1);
	/* The outcome is that of the last call. */
	CHECK_EQUAL(dismiss(&r, UPADEV_PAGER_WAIT), 0);
	CHECK_EQUAL(readable(pager, 0), POLLIN | POLLHUP);
	CHECK_EQUAL(read(pager, &fault, sizeof(fault)), 0);
	CHECK_EQUAL(page_in(pager, 0, AWAY(0), 1, NULL), ESHUTDOWN);
	CHECK_EQUAL(r.shadow[0], AWAY(0));
	usleep(20000);
	CHECK_EQUAL(atomic_load(&touchers[0].outcome), -1);
	CHECK_EQUAL(dismiss(&r, 0), 0);
	CHECK_EQUAL(end_touch(&touchers[0]), SIGBUS);
	/* One that is revoked and closed is not mistaken for its successor. */
	start_touch(&touchers[0], &r, 0, false);
	CHECK_EQUAL(end_touch(&touchers[0]), SIGBUS);
	int next = admit(&r, 0);

	CHECK(next >= 0);
	close(pager);
	start_touch(&touchers[0], &r, 0, false);
	CHECK_EQUAL(next_fault(next).page, 0);
	CHECK_EQUAL(page_in(next, 0, AWAY(0), 1, NULL), 0);
	CHECK_EQUAL(end_touch(&touchers[0]), 0);
}

static void *read_one(void *pager)
{
	struct upadev_fault fault;

	return (void *)read(*(int *)pager, &fault, sizeof(fault));
}

/* It sleeps in read() when it happens. */
static void revoked_while_it_reads(void)
{
	int pager;
	struct region r = with_pager(0, &pager);
	pthread_t reader;
	void *result;

	CHECK_EQUAL(pthread_create(&reader, NULL, read_one, &pager), 0);
	usleep(50000);
	CHECK_EQUAL(dismiss(&r, 0), 0);
	CHECK_EQUAL(pthread_join(reader, &result), 0);
	CHECK_EQUAL((long)result, 0);
}

/* ---- whoever waits goes ---- */

static _Atomic int alarms;

static void on_alarm(int signal_number)
{
	(void)signal_number;
	atomic_fetch_add(&alarms, 1);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct bringer {
	struct region *r;
	int pager;
	uint64_t touches; /* before */
	bool in_kernel;
};

/* A signal for whoever waits. Then the page comes, after a time in which nothing may go round. */
static void *bring_later(void *argument)
{
	struct bringer *b = argument;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	await_touches(b->r, b->touches + 1);
	kill(getpid(), SIGALRM);
	if (!b->in_kernel)
		await_touches(b->r, b->touches + 2);
	usleep(1500000);
	page_in(b->pager, 0, AWAY(0), 0, contents);
	return NULL;
}

/* A handler runs while a thread waits, and then it waits on; so does a system call, at rest. */
static void signals_while_waiting(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	int pager, ends[2];
	struct region r = with_pager(0, &pager);
	pthread_t later;

	sigaction(SIGALRM, &action, NULL);
	fill(contents, 77);
	for (int in_kernel = 0; in_kernel < 2; in_kernel++) {
		struct bringer bringer = { &r, pager, stats(&r).away_faults, in_kernel };
		double before;

		atomic_store(&alarms, 0);
		r.shadow[0] = AWAY(0);
		CHECK_EQUAL(unmap_pages(&r, 0, 1), 0);
		CHECK_EQUAL(pthread_create(&later, NULL, bring_later, &bringer), 0);
		before = cpu_seconds();
		if (in_kernel) {
			CHECK_EQUAL(pipe(ends), 0);
			CHECK_EQUAL(write(ends[1], "abc", 3), 3);
			CHECK_EQUAL(read(ends[0], r.data, 3), 3);
			CHECK_EQUAL(memcmp(r.data, "abc", 3), 0);
			/* It is delivered after the call; until then nothing goes round. */
			if (cpu_seconds() - before > 1)
				FAIL("%.1f s of processor time were spent waiting",
				     cpu_seconds() - before);
		} else {
			CHECK_EQUAL(*word(&r, 0), 77);
		}
		CHECK_EQUAL(atomic_load(&alarms), 1);
		CHECK_EQUAL(pthread_join(later, NULL), 0);
	}
}

/* Nobody ever brings the page; a fatal signal ends the wait, inside the kernel too. */
static void killed_while_waiting(void)
{
	for (int in_kernel = 0; in_kernel < 2; in_kernel++) {
		int ends[2], told[2];
		char byte;
		pid_t child;

		CHECK_EQUAL(pipe(told), 0);
		child = fork();
		if (!child) {
			int pager;
			struct region r = with_pager(UPADEV_PAGER_WAIT, &pager);

			for (int i = 0; i < 10; i++) {
				r.shadow[i] = AWAY(0);
				start_touch(&touchers[i], &r, (uint64_t)i, false);
			}
			await_touches(&r, 10);
			CHECK_EQUAL(write(told[1], "x", 1), 1);
			if (in_kernel) {
				CHECK_EQUAL(pipe(ends), 0);
				CHECK_EQUAL(write(ends[1], "abc", 3), 3);
				CHECK_EQUAL(read(ends[0], r.data, 3), 3);
			}
			(void)*word(&r, 0);
			exit(1);
		}
		CHECK_EQUAL(read(told[0], &byte, 1), 1);
		usleep(50000);
		kill(child, SIGKILL);
		CHECK_EQUAL(wait_status(child), SIGKILL);
	}
}

static void unmapped_while_waiting(void)
{
	int pager;
	struct region r = with_pager(UPADEV_PAGER_WAIT, &pager);

	for (int i = 0; i < 2; i++) {
		r.shadow[i] = AWAY(0);
		start_touch(&touchers[i], &r, (uint64_t)i, false);
	}
	await_touches(&r, 2);
	next_fault(pager);
	CHECK_EQUAL(munmap(r.data, r.created.data_bytes), 0);
	for (int i = 0; i < 2; i++)
		CHECK_EQUAL(end_touch(&touchers[i]), SIGSEGV);
	CHECK_EQUAL(page_in(pager, 0, AWAY(0), 0, NULL), ENXIO);
	CHECK_EQUAL(r.shadow[0], AWAY(0));
	CHECK_EQUAL(readable(pager, 0), 0);
}

/* The owner changes its mind: what it has stored counts after a call. */
static void owner_brings_it_back(void)
{
	int pager;
	struct region r = with_pager(0, &pager);

	for (int i = 0; i < 2; i++) {
		r.shadow[0] = AWAY(1);
		CHECK_EQUAL(unmap_pages(&r, 0, 1), 0);
		touchers[0].value = 9u + (uint64_t)i;
		start_touch(&touchers[0], &r, 0, true);
		await_touches(&r, (uint64_t)i + 1);
		r.shadow[0] = 34;
		CHECK_EQUAL(i ? map_pages(&r, 0, 1) : unmap_pages(&r, 500, 1), 0);
		CHECK_EQUAL(end_touch(&touchers[0]), 0);
		CHECK_EQUAL(*word(&r, 0), 9 + i);
	}
	r.shadow[0] = AWAY(1);
	CHECK_EQUAL(unmap_pages(&r, 0, 1), 0);
	start_touch(&touchers[0], &r, 0, true);
	await_touches(&r, 3);
	r.shadow[0] = 0;
	CHECK_EQUAL(unmap_pages(&r, 0, 1), 0);
	CHECK_EQUAL(end_touch(&touchers[0]), SIGBUS);
}

/* ---- the owner goes ---- */

/* The pager's descriptor holds no frames, and says that the region has ended. */
static void owner_ends(void)
{
	int mine[2], pager, region;
	long before, held = 0;
	pid_t child;

	CHECK_EQUAL(pipe(mine), 0);
	before = free_pages();
	child = fork();
	if (!child) {
		struct region r = guarded(20480, 20480);

		pager = admit(&r, UPADEV_PAGER_WAIT);
		CHECK_EQUAL(write(mine[1], &pager, sizeof(pager)), sizeof(pager));
		r.shadow[0] = AWAY(0);
		(void)*word(&r, 0);
		exit(1);
	}
	CHECK_EQUAL(read(mine[0], &pager, sizeof(pager)), sizeof(pager));
	/* The number in the child is known: take the descriptor itself. */
	region = (int)syscall(SYS_pidfd_open, child, 0);
	CHECK(region >= 0);
	pager = (int)syscall(SYS_pidfd_getfd, region, pager, 0);
	CHECK(pager >= 0);
	CHECK_EQUAL(next_fault(pager).page, 0);
	/* Nor do calls that were made. */
	for (int i = 0; i < 10; i++) {
		CHECK_EQUAL(page_in(pager, 0, AWAY(9), 0, contents), EAGAIN);
		CHECK_EQUAL(unmap_pages(&(struct region){ .fd = pager }, 0, 1), 0);
	}
	kill(child, SIGKILL);
	CHECK_EQUAL(wait_status(child), SIGKILL);
	CHECK(readable(pager, 10000) & POLLHUP);
	CHECK_EQUAL(read(pager, contents, PAGE), 0);
	CHECK_EQUAL(page_in(pager, 0, AWAY(0), 0, contents), ESHUTDOWN);
	for (int tries = 0; tries < 50 && (held = before - free_pages()) > 4000; tries++)
		usleep(100000);
	if (held > 4000)
		FAIL("held=%ld pages by a pager's descriptor", held);
	close(pager);
}

/* The same while another holds the region's descriptor. */
static void owner_ends_before_its_region(void)
{
	int pager = -1, go[2];
	struct region r = { .fd = open_device() };
	struct upadev_create create = {
		.version = UPADEV_ABI_VERSION, .pages = 512, .frames = 512, .max_frames = 512
	};
	pid_t child;
	int pidfd;

	CHECK_EQUAL(pipe(go), 0);
	child = fork();
	if (!child) {
		CHECK_EQUAL(ioctl(r.fd, UPADEV_CREATE, &create), 0);
		pager = admit(&r, 0);
		CHECK_EQUAL(write(go[1], &pager, sizeof(pager)), sizeof(pager));
		pause();
	}
	CHECK_EQUAL(read(go[0], &pager, sizeof(pager)), sizeof(pager));
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	pager = (int)syscall(SYS_pidfd_getfd, pidfd, pager, 0);
	CHECK(pager >= 0);
	CHECK_EQUAL(page_in(pager, 0, AWAY(0), 0, contents), ENXIO); /* not mapped yet */
	kill(child, SIGKILL);
	CHECK_EQUAL(wait_status(child), SIGKILL);
	CHECK_EQUAL(page_in(pager, 0, AWAY(0), 0, contents), ESRCH);
	close(r.fd);
	CHECK_EQUAL(page_in(pager, 0, AWAY(0), 0, contents), ESHUTDOWN);
}

TESTS(CASE(brings_what_is_touched), CASE(tells_in_order), CASE(wakes_who_reads),
      CASE(refuses_wrong_requests), CASE(no_more_descriptors), CASE(lost_without_waiting),
      CASE(lost_and_waited_for), CASE(revoked), CASE(revoked_while_it_reads),
      CASE(signals_while_waiting), CASE(killed_while_waiting), CASE(unmapped_while_waiting),
      CASE(owner_brings_it_back), CASE(owner_ends), CASE(owner_ends_before_its_region))
