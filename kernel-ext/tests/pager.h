/* What the tests of pagers share: a pager's calls, and threads that touch pages that are away. */
#ifndef UPA_TEST_PAGER_H
#define UPA_TEST_PAGER_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "harness.h"

#define AWAY(place) (UPADEV_SHADOW_AWAY | (place))

static inline int admit(const struct region *r, uint32_t flags)
{
	return ioctl(r->fd, UPADEV_ADMIT, &(struct upadev_pager){ .flags = flags });
}

static inline int dismiss(const struct region *r, uint32_t flags)
{
	return ioctl(r->fd, UPADEV_REVOKE, &(struct upadev_pager){ .flags = flags });
}

/* With as many pages as frames, and a pager of this process. */
static inline struct region paged_region(uint64_t frames, uint32_t flags, int *pager)
{
	struct region r = make_region(UPADEV_GUARDED, flags, frames, frames, frames);

	*pager = admit(&r, 0);
	CHECK(*pager >= 0);
	return r;
}

static inline int paging(int pager, unsigned long call, struct upadev_transfer *transfers,
			 uint32_t count, uint64_t *done)
{
	struct upadev_paging p = { .transfers = (uintptr_t)transfers, .count = count };
	int result = ioctl(pager, call, &p);

	if (done)
		*done = p.done;
	return result;
}

/* One page; its errno, or 0. */
static inline int page_in(int pager, uint64_t page, uint32_t away, uint32_t frame,
			  const void *contents)
{
	struct upadev_transfer t = {
		.page = page, .buffer = (uintptr_t)contents, .away = away, .frame = frame
	};

	return paging(pager, UPADEV_PAGE_IN, &t, 1, NULL) ? errno : -t.result;
}

/* The same of one that goes; UPADEV_ANY_FRAME becomes the one that stood there. */
static inline int page_out(int pager, uint64_t page, uint32_t away, uint32_t *frame, void *to)
{
	struct upadev_transfer t = {
		.page = page, .buffer = (uintptr_t)to, .away = away, .frame = *frame
	};

	if (paging(pager, UPADEV_PAGE_OUT, &t, 1, NULL))
		return errno;
	*frame = t.frame;
	return -t.result;
}

/* A page of which each word says which it is. */
static inline void fill(uint64_t *contents, uint64_t value)
{
	for (size_t i = 0; i < PAGE / sizeof(*contents); i++)
		contents[i] = value + i;
}

static inline bool filled(const volatile uint64_t *contents, uint64_t value)
{
	for (size_t i = 0; i < PAGE / sizeof(*contents); i++)
		if (contents[i] != value + i)
			return false;
	return true;
}

static inline int readable(int fd, int milliseconds)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK(poll(&p, 1, milliseconds) >= 0);
	return p.revents;
}

/* ---- threads that touch ---- */

struct toucher {
	pthread_t thread;
	volatile uint64_t *word;
	bool write;
	_Atomic int outcome; /* -1: not yet, 0, or the signal */
	uint64_t value;
};

static __thread sigjmp_buf toucher_back;

static inline void toucher_failed(int signal_number)
{
	siglongjmp(toucher_back, signal_number);
}

static inline void *toucher_run(void *argument)
{
	struct toucher *t = argument;
	int signal_number = sigsetjmp(toucher_back, 1);

	if (!signal_number) {
		if (t->write)
			*t->word = t->value;
		else
			t->value = *t->word;
	}
	atomic_store(&t->outcome, signal_number);
	return NULL;
}

static inline void start_touch(struct toucher *t, const struct region *r, uint64_t page, bool write)
{
	struct sigaction action = { .sa_handler = toucher_failed, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	t->word = word(r, page);
	t->write = write;
	atomic_store(&t->outcome, -1);
	CHECK_EQUAL(pthread_create(&t->thread, NULL, toucher_run, t), 0);
}

static inline int end_touch(struct toucher *t)
{
	CHECK_EQUAL(pthread_join(t->thread, NULL), 0);
	return atomic_load(&t->outcome);
}

/* Until so many touches have had to wait, since the region was made. */
static inline void await_touches(const struct region *r, uint64_t count)
{
	for (int i = 0; i < 30000; i++) {
		if (stats(r).away_faults >= count)
			return;
		usleep(1000);
	}
	FAIL("away_faults=%llu, expected %llu", (unsigned long long)stats(r).away_faults,
	     (unsigned long long)count);
}

/* The next touch that the pager is told of. */
static inline struct upadev_fault next_fault(int pager)
{
	struct upadev_fault fault;

	CHECK_EQUAL(read(pager, &fault, sizeof(fault)), sizeof(fault));
	return fault;
}

#endif
