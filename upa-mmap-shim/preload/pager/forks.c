/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "pager/forks.h"

#include <poll.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "clock.h"
#include "os/os.h"
#include "os/page.h"
#include "pager/client.h"
#include "pager/uffd.h"

#define MEMBERS (1u + (PAGER_MOST_KEPT - PAGER_FIRST_CHILD) / 2)
#define LOWEST 0x10000ul
#define LOWEST_END 0x200000ul
/*
 * A fork that has not come to its last gate by then has failed midway (before 6.12 the kernel tells of it all the
 * same), or its process was killed. Others wait for it.
 */
#define MOST_MILLISECONDS 5000

/* Descriptors, or -1. */
struct member {
	int first, last;
	int unborn;     /* of the memory of a child between the gates */
	bool born;      /* it may pass */
	uint32_t child; /* that it is then; 0: none that needs anything */
	uint32_t pager; /* that is there */
	int64_t since;
};

static struct member members[MEMBERS];

static void shut(int *fd)
{
	if (*fd >= 0)
		os_call(SYS_close, *fd, 0, 0, 0, 0, 0);
	*fd = -1;
}

static void leave(struct member *m)
{
	shut(&m->first);
	shut(&m->last);
	shut(&m->unborn);
}

void forks_start(void)
{
	for (unsigned i = 0; i < MEMBERS; i++)
		members[i] = (struct member){ .first = -1, .last = -1, .unborn = -1 };
}

void forks_close(void)
{
	for (unsigned i = 0; i < MEMBERS; i++)
		leave(&members[i]);
}

static long map_at(uintptr_t address)
{
	return os_mmap((void *)address, PAGE_BYTES, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
}

static long map_lowest(void)
{
	long made = -ENOMEM;

	for (uintptr_t at = LOWEST; os_failed(made) && at < LOWEST_END; at += PAGE_BYTES)
		made = map_at(at);
	return made;
}

/* The last page of all addresses; on x86-64 the kernel keeps that for itself. */
static long map_highest(void)
{
	uintptr_t end = (uintptr_t)client.region + client.region_bytes;
	long made = -ENOMEM;

	for (unsigned bits = 56; os_failed(made) && 1ul << bits > end; bits--) {
		made = map_at((1ul << bits) - PAGE_BYTES);
		if (os_failed(made))
			made = map_at((1ul << bits) - 2 * PAGE_BYTES);
	}
	/* The stack is there, where addresses are not random. What is below it, and free, is far enough from it. */
	for (unsigned i = 0; os_failed(made) && i < 4096; i++)
		made = map_at(end + i * (1ul << 20));
	return made;
}

static int open_gate(long page)
{
	int fd = os_failed(page) ? (int)page : uffd_open(UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_POISON);

	if (fd >= 0 && uffd_register(fd, (void *)page, PAGE_BYTES))
		shut(&fd);
	return fd < 0 ? -1 : fd;
}

void forks_begin(void)
{
	static bool begun;
	struct member *m = &members[0];

	if (begun)
		return;
	begun = true;
	m->first = open_gate(map_lowest());
	m->last = open_gate(map_highest());
	if (m->first < 0 || m->last < 0)
		leave(m);
}

/* The userfaultfd of the child that waits there, or -1. */
static int take(int gate)
{
	struct uffd_msg message;

	return os_call(SYS_read, gate, (long)&message, sizeof(message), 0, 0, 0) == (long)sizeof(message) &&
			       message.event == UFFD_EVENT_FORK ?
		       (int)message.arg.fork.ufd :
		       -1;
}

static bool is_ready(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct timespec none = { 0, 0 };

	return os_call(SYS_ppoll, (long)&p, 1, (long)&none, 0, 0, 0) == 1;
}

/* Through the last gate: what it has of its own is what its parent has. */
static void pass(struct member *m)
{
	int first = m->unborn, last;
	uint32_t child = m->child;

	m->unborn = -1;
	m->born = false;
	/* Before it runs: it would wait for who reads there. */
	if (!child)
		shut(&first);
	last = take(m->last);
	if (child) {
		leave(&members[child]);
		members[child].first = first;
		members[child].last = last;
	} else {
		shut(&last);
	}
}

static void open_gates(struct member *m)
{
	if (m->unborn < 0 && is_ready(m->first)) {
		m->unborn = take(m->first);
		m->born = false;
		m->child = 0;
		m->since = clock_milliseconds();
	}
	/* One that was given up comes here too. */
	if ((m->unborn < 0 || m->born) && is_ready(m->last))
		pass(m);
}

void forks_await(int socket, uint32_t pager)
{
	for (;;) {
		struct pollfd wanted[1 + 2 * MEMBERS] = { { .fd = socket, .events = POLLIN } };
		struct timespec second = { 1, 0 };
		unsigned count = 1;
		bool waits = false;
		long ready;

		for (struct member *m = members; m < members + MEMBERS; m++) {
			if (m->first < 0)
				continue;
			if (m->unborn >= 0 && m->pager != pager)
				m->since = clock_milliseconds();
			m->pager = pager;
			if (m->unborn >= 0 && clock_milliseconds() - m->since > MOST_MILLISECONDS)
				shut(&m->unborn);
			if (m->unborn < 0)
				wanted[count++] = (struct pollfd){ .fd = m->first, .events = POLLIN };
			if (m->unborn < 0 || m->born)
				wanted[count++] = (struct pollfd){ .fd = m->last, .events = POLLIN };
			waits |= m->unborn >= 0;
		}
		ready = os_call(SYS_ppoll, (long)wanted, count, waits ? (long)&second : 0, 0, 0, 0);
		if (ready != -EINTR && (ready < 0 || wanted[0].revents))
			return;
		for (struct member *m = members; ready > 0 && m < members + MEMBERS; m++)
			if (m->first >= 0)
				open_gates(m);
	}
}

void forks_born(uint32_t member, uint32_t child)
{
	if (member < MEMBERS && child < MEMBERS && members[member].unborn >= 0) {
		members[member].born = true;
		members[member].child = child;
	}
}

uint32_t forks_unborn(uint32_t member, int *fd)
{
	const struct member *m = member < MEMBERS ? &members[member] : NULL;

	*fd = -1;
	if (!m || m->first < 0)
		return PAGER_UNBORN_UNKNOWN;
	if (m->unborn < 0 || m->born)
		return PAGER_UNBORN_NONE;
	*fd = m->unborn;
	return is_ready(m->last) ? PAGER_UNBORN_TOLD : PAGER_UNBORN_ONE;
}

void forks_end(uint32_t child)
{
	if (child >= MEMBERS)
		return;
	leave(&members[child]);
	for (unsigned i = 0; i < MEMBERS; i++)
		if (members[i].child == child)
			members[i].child = 0;
}
