/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "pager/client.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include <upa/region.h>

#include "gate.h"
#include "os/message.h"
#include "os/os.h"
#include "os/page.h"
#include "pager/forks.h"
#include "pager/moves.h"
#include "pager/uffd.h"

#define STAGING_SLOTS 4096u /* emptied when they have all been used: that takes a lock of the whole address space */
#define MOST_SENT (2 + PAGER_MOST_KEPT)

#ifndef MFD_CLOEXEC
#define MFD_CLOEXEC 1u
#endif

/*
 * Whoever connects while there is no pager waits there for the next, as long as somebody is there to start one. These
 * are for when there is nobody any more.
 */
#define RETRY_NANOSECONDS 10000000l
#define RETRIES 500u          /* until a program with all in memory is left alone */
#define RETRIES_EVICTED 1500u /* until one with pages outside of memory is killed */

struct client client = { .socket = -1, .uffd = -1, .memory = -1 };

/* Of the two threads of the client: held while there is no connection. */
static _Atomic bool socket_busy;

static void nap(long nanoseconds)
{
	struct timespec t = { .tv_nsec = nanoseconds };

	os_call(SYS_nanosleep, (long)&t, 0, 0, 0, 0, 0);
}

static void lock_socket(void)
{
	while (atomic_exchange_explicit(&socket_busy, true, memory_order_acquire))
		nap(1000000);
}

static void unlock_socket(void)
{
	atomic_store_explicit(&socket_busy, false, memory_order_release);
}

static int close_fd(int fd)
{
	return (int)os_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

/* ---- connecting ---------------------------------------------------------------------------------- */

static int map(char **out, size_t bytes, int flags, int fd)
{
	long made = os_mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (os_failed(made))
		return (int)made;
	*out = (char *)made;
	/* A forked child has no client. */
	return os_madvise(*out, bytes, MADV_DONTFORK);
}

static size_t file_bytes(void)
{
	return PAGER_WORDS_OFFSET + client.region_bytes / PAGE_BYTES * sizeof(uint64_t);
}

/* The file and the staging area. 0 or -errno. */
static int make_memory(void)
{
	int fd = (int)os_call(SYS_memfd_create, (long)"upa-pager", MFD_CLOEXEC, 0, 0, 0, 0);
	int error = fd;

	client.memory = fd < 0 ? -1 : fd;
	if (fd >= 0)
		error = (int)os_call(SYS_ftruncate, fd, (long)file_bytes(), 0, 0, 0, 0);
	if (error >= 0)
		error = map(&client.file, file_bytes(), MAP_SHARED, fd);
	if (error >= 0)
		error = map(&client.staging, STAGING_SLOTS * PAGE_BYTES, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			    -1);
	if (error >= 0)
		os_madvise(client.staging, STAGING_SLOTS * PAGE_BYTES, MADV_NOHUGEPAGE);
	if (error >= 0 && !client.known) {
		long known = os_mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (os_failed(known))
			return (int)known;
		client.known = (const volatile char *)known;
	}
	if (error >= 0)
		error = uffd_register(client.uffd, client.staging, STAGING_SLOTS * PAGE_BYTES);
	return error < 0 ? error : 0;
}

/* A message with descriptors. 0 or -errno. */
static int send_with(int to, void *bytes, size_t size, const int *fds, unsigned count)
{
	union {
		char bytes[CMSG_SPACE(MOST_SENT * sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec vector = { bytes, size };
	struct msghdr m = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};
	struct cmsghdr *c = &control.align;
	long sent;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(c), fds, count * sizeof(int));
	do {
		sent = os_call(SYS_sendmsg, to, (long)&m, MSG_NOSIGNAL, 0, 0, 0);
	} while (sent == -EINTR);
	return sent < 0 ? (int)sent : 0;
}

static int say_hello(int to)
{
	struct pager_hello hello = {
		.magic = PAGER_MAGIC,
		.version = PAGER_VERSION,
		.pid = (uint32_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0),
		.base = (uintptr_t)client.region,
		.bytes = client.region_bytes,
		.again = atomic_load(&client.pagers) > 0,
		.known = (uintptr_t)client.known,
	};
	int fds[MOST_SENT] = { client.uffd, client.memory };
	unsigned count = 2;

	for (unsigned i = 0; i < PAGER_MOST_KEPT; i++)
		if (client.kept[i] >= 0) {
			hello.kept |= 1u << i;
			fds[count++] = client.kept[i];
		}
	/* The name that the program goes by: this thread's is its own. */
	os_call(SYS_prctl, PR_GET_NAME, (long)hello.name, 0, 0, 0, 0);
	return send_with(to, &hello, sizeof(hello), fds, count);
}

/* What comes with a message: descriptors or -1. */
struct with {
	int fds[2];
};

/* A message of the pager. 0 or -errno. */
static int receive(int from, struct pager_message *message, struct with *with)
{
	union {
		char bytes[CMSG_SPACE(sizeof(with->fds))];
		struct cmsghdr align;
	} control;
	struct iovec vector = { message, sizeof(*message) };
	struct msghdr m = { .msg_iov = &vector, .msg_iovlen = 1 };
	const struct cmsghdr *c = &control.align;
	long n;

	do {
		m.msg_control = control.bytes;
		m.msg_controllen = sizeof(control.bytes);
		n = os_call(SYS_recvmsg, from, (long)&m, MSG_CMSG_CLOEXEC, 0, 0, 0);
		/* What a pager has said before it died is still there then. */
	} while (n == -EINTR || n == -ECONNRESET);
	*with = (struct with){ { -1, -1 } };
	if (n > 0 && m.msg_controllen >= CMSG_LEN(sizeof(int)) && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS)
		memcpy(with->fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return n == (long)sizeof(*message) ? 0 : n < 0 ? (int)n : -EPIPE;
}

static void close_with(const struct with *with)
{
	for (unsigned i = 0; i < 2; i++)
		if (with->fds[i] >= 0)
			close_fd(with->fds[i]);
}

/* Asks who listens: nobody else's pager gets this process's memory. A descriptor or -errno. */
static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct ucred peer = { 0, 0, 0 };
	socklen_t size = sizeof(peer);
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = (int)os_call(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, 0, 0, 0);
	if (fd < 0)
		return fd;
	error = (int)os_call(SYS_connect, fd, (long)&address, sizeof(address), 0, 0, 0);
	if (!error)
		error = (int)os_call(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, (long)&peer, (long)&size, 0);
	if (!error && peer.uid != (uid_t)os_call(SYS_geteuid, 0, 0, 0, 0, 0, 0))
		error = -EPERM;
	if (error)
		close_fd(fd);
	return error ? error : fd;
}

static void close_all(void)
{
	int *fds[] = { &client.socket, &client.uffd, &client.memory };

	forks_close();
	for (unsigned i = 0; i < PAGER_MOST_KEPT; i++) {
		if (client.kept[i] >= 0)
			close_fd(client.kept[i]);
		client.kept[i] = -1;
	}
	for (unsigned i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (*fds[i] >= 0)
			close_fd(*fds[i]);
		*fds[i] = -1;
	}
}

static int disconnect(int error)
{
	close_all();
	if (client.file)
		os_munmap(client.file, file_bytes());
	if (client.staging)
		os_munmap(client.staging, STAGING_SLOTS * PAGE_BYTES);
	client.file = client.staging = NULL;
	return error;
}

/* Says hello and waits for the answer. A connected descriptor or -errno. */
static int greet(const char *path)
{
	struct pager_message welcome;
	struct with with;
	int fd = connect_to(path), error;

	if (fd < 0)
		return fd;
	error = say_hello(fd);
	if (!error)
		error = receive(fd, &welcome, &with);
	if (!error && welcome.kind != PAGER_WELCOME)
		error = -EPROTO;
	if (error)
		close_fd(fd);
	else
		atomic_store(&client.bound, welcome.argument);
	return error ? error : fd;
}

int client_connect(const char *path, const char **what)
{
	int error;

	client.path = path;
	forks_start();
	for (unsigned i = 0; i < PAGER_MOST_KEPT; i++)
		client.kept[i] = -1;
	*what = "no userfaultfd with events, kernel faults and moves";
	client.uffd = uffd_open(UFFD_FEATURES);
	if (client.uffd < 0)
		return disconnect(client.uffd);
	*what = "no memory to stage pages";
	error = make_memory();
	if (error)
		return disconnect(error);
	*what = "the pager does not answer";
	/* It may have died just now: then there is another soon. */
	for (unsigned i = 0; i < RETRIES && (error = greet(path)) < 0 && error != -EPERM; i++)
		nap(RETRY_NANOSECONDS);
	if (error < 0)
		return disconnect(error);
	client.socket = error;
	atomic_store(&client.pagers, 1);
	return 0;
}

int client_say(uint32_t kind, uint32_t count, uint32_t ticket)
{
	return client_say_of(kind, count, ticket, 0);
}

int client_say_of(uint32_t kind, uint32_t count, uint32_t ticket, uint64_t argument)
{
	struct pager_message m = { .kind = kind, .count = count, .ticket = ticket, .argument = argument };
	long n;

	lock_socket();
	do {
		n = os_call(SYS_sendto, client.socket, (long)&m, sizeof(m), MSG_NOSIGNAL, 0, 0);
	} while (n == -EINTR);
	unlock_socket();
	return n < 0 ? (int)n : 0;
}

/* ---- orders -------------------------------------------------------------------------------------- */

static uint32_t *order_pages(void)
{
	return (uint32_t *)(void *)(client.file + PAGER_PAGES_OFFSET);
}

static int32_t *results(void)
{
	return (int32_t *)(void *)(client.file + PAGER_RESULTS_OFFSET);
}

static _Atomic uint64_t *words(void)
{
	return (_Atomic uint64_t *)(void *)(client.file + PAGER_WORDS_OFFSET);
}

/* How many neighbours follow each other from page i of an order on. */
static uint32_t run_of(const uint32_t *pages, uint32_t i, uint32_t count)
{
	uint32_t n = 1;

	while (i + n < count && pages[i + n] == pages[i] + n)
		n++;
	return n;
}

/* Empties the staging area. Unregistered meanwhile: dropping memory is else an event, which nobody reads now. */
static int empty_staging(void)
{
	int error = uffd_unregister(client.uffd, client.staging, STAGING_SLOTS * PAGE_BYTES);

	if (!error)
		error = os_madvise(client.staging, STAGING_SLOTS * PAGE_BYTES, MADV_DONTNEED);
	if (!error)
		error = uffd_register(client.uffd, client.staging, STAGING_SLOTS * PAGE_BYTES);
	client.used = error ? STAGING_SLOTS : 0;
	return error;
}

static void stage(uint32_t count)
{
	const uint32_t *pages = order_pages(), *slots = pages + PAGER_ORDER_PAGES;
	int32_t *result = results();
	uint32_t n;

	if (client.used + count > STAGING_SLOTS && empty_staging()) {
		for (uint32_t i = 0; i < count; i++)
			result[i] = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < count; i += n) {
		n = run_of(pages, i, count);
		moves_run(client.uffd, client.staging + (client.used + i) * PAGE_BYTES,
			  client.region + pages[i] * PAGE_BYTES, n, result + i);
	}
	for (uint32_t i = 0; i < count; i++)
		if (!result[i] && slots[i] != PAGER_NO_SLOT) {
			memcpy(client.file + PAGER_STAGING_OFFSET + slots[i] * PAGE_BYTES,
			       client.staging + (client.used + i) * PAGE_BYTES, PAGE_BYTES);
			/* Here and not by the pager, which may be dead by now: the page is nowhere else. */
			atomic_store_explicit(&words()[pages[i]], PAGER_STAGED(slots[i]), memory_order_release);
		}
	client.used += count;
}

/* Faults on pages that are not there are the pager's to serve, as always: it does not wait for this order. */
static void unshare_pages(uint32_t count)
{
	const uint32_t *pages = order_pages();
	uint32_t n;

	for (uint32_t i = 0; i < count; i += n) {
		n = run_of(pages, i, count);
		os_madvise(client.region + pages[i] * PAGE_BYTES, n * PAGE_BYTES, MADV_POPULATE_WRITE);
	}
}

static uint32_t give_back(uint64_t keep)
{
	struct upa_region *region = gate_region();
	int64_t dropped = region ? upa_region_give_back(region, keep) : 0;

	return dropped > 0 ? (uint32_t)((uint64_t)dropped / PAGE_BYTES) : 0;
}

/* Numbers come from another process. */
static bool in_range(uint32_t count)
{
	const uint32_t *pages = order_pages(), *slots = pages + PAGER_ORDER_PAGES;

	if (count > PAGER_ORDER_PAGES)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (pages[i] >= client.region_bytes / PAGE_BYTES ||
		    (slots[i] >= PAGER_STAGING_SLOTS && slots[i] != PAGER_NO_SLOT))
			return false;
	return true;
}

static bool scan_in_range(const struct pager_message *m)
{
	uint64_t pages = client.region_bytes / PAGE_BYTES;

	return m->count <= PAGER_SCAN_PAGES && m->argument <= pages && m->count <= pages - m->argument;
}

static void keep(uint32_t number, int fd)
{
	if (number >= PAGER_MOST_KEPT) {
		if (fd >= 0)
			close_fd(fd);
		return;
	}
	if (client.kept[number] >= 0)
		close_fd(client.kept[number]);
	client.kept[number] = fd;
	if (fd < 0 && number >= PAGER_FIRST_CHILD)
		forks_end((number - PAGER_FIRST_CHILD) / 2 + 1);
}

/* Both of what a child needs, or neither: a pager that dies leaves no half of it. */
static void born(const struct pager_message *m, const struct with *with)
{
	uint32_t first = PAGER_FIRST_CHILD + 2 * (m->ticket - 1);

	if (m->ticket && with->fds[1] >= 0) {
		keep(first, with->fds[0]);
		keep(first + 1, with->fds[1]);
	} else {
		close_with(with);
	}
	forks_born(m->count, m->ticket);
}

static void say_unborn(const struct pager_message *order)
{
	struct pager_message answer = { .kind = PAGER_DONE, .ticket = order->ticket };
	int fd;

	answer.count = forks_unborn(order->count, &fd);
	if (fd < 0) {
		client_say(PAGER_DONE, answer.count, answer.ticket);
		return;
	}
	lock_socket();
	send_with(client.socket, &answer, sizeof(answer), &fd, 1);
	unlock_socket();
}

void client_execute_slowly(const struct pager_message *m)
{
	uint32_t result = 0;

	if (m->kind == PAGER_GIVE_BACK)
		result = give_back(m->argument);
	else if (in_range(m->count))
		unshare_pages(m->count);
	client_say(PAGER_DONE, result, m->ticket);
}

static void carry_out(const struct pager_message *m, const struct with *with)
{
	uint32_t result = 0;

	switch (m->kind) {
	case PAGER_STAGE:
		if (in_range(m->count))
			stage(m->count);
		break;
	case PAGER_SCAN:
		if (!scan_in_range(m) || os_mincore(client.region + m->argument * PAGE_BYTES, m->count * PAGE_BYTES,
						    (unsigned char *)client.file + PAGER_PRESENT_OFFSET))
			result = 1;
		break;
	case PAGER_UNSHARE:
	case PAGER_GIVE_BACK: pager_slow_order(m); return;
	case PAGER_EVICTED:
		if (m->argument)
			forks_begin();
		atomic_store(&client.evicted, m->argument != 0);
		return;
	case PAGER_BORN: born(m, with); return;
	case PAGER_UNBORN: say_unborn(m); return;
	case PAGER_GRANTED: pager_granted(m->ticket); return;
	case PAGER_WELCOME: atomic_store(&client.bound, m->argument); return;
	case PAGER_KEEP: keep(m->count, with->fds[0]); return;
	case PAGER_LEFT:
		atomic_store(&client.left, true);
		pager_left();
		return;
	default: break;
	}
	close_with(with);
	client_say(PAGER_DONE, result, m->ticket);
}

/* ---- the end ------------------------------------------------------------------------------------- */

static void say(const char *what)
{
	struct message m = { .length = 0 };

	message_text(&m, "upa: pid=");
	message_number(&m, (uint64_t)os_call(SYS_getpid, 0, 0, 0, 0, 0, 0), 0);
	message_text(&m, what);
	message_send(&m, 2);
}

void client_die(void)
{
	os_call(SYS_kill, os_call(SYS_getpid, 0, 0, 0, 0, 0, 0), SIGKILL, 0, 0, 0, 0);
	/* The first process of a namespace cannot kill itself. */
	for (;;)
		os_call(SYS_exit_group, 128 + SIGKILL, 0, 0, 0, 0, 0);
}

/* With content that nobody can bring back, the program must not read on: what it would read are zeros. */
static void pager_is_gone(void)
{
	if (atomic_load(&client.evicted)) {
		say(": the pager is gone and no other has come: pages of this program are lost, and it is killed\n");
		client_die();
	}
	say(": the pager is gone: memory has no bound any more\n");
}

/*
 * The pager is dead: who has started it starts another. Until then threads wait that touch a page which is not there;
 * all others go on.
 */
static bool find_another(void)
{
	bool evicted = atomic_load(&client.evicted);
	int fd = -1;

	lock_socket();
	close_fd(client.socket);
	client.socket = -1;
	for (unsigned i = 0; i < (evicted ? RETRIES_EVICTED : RETRIES) && fd < 0; i++) {
		fd = greet(client.path);
		if (fd < 0)
			nap(RETRY_NANOSECONDS);
	}
	client.socket = fd;
	unlock_socket();
	return fd >= 0;
}

static int next_order(struct pager_message *m, struct with *with)
{
	forks_await(client.socket, atomic_load(&client.pagers));
	return receive(client.socket, m, with);
}

void client_execute(void)
{
	struct pager_message m;
	struct with with;

	while (!atomic_load(&client.left)) {
		while (!atomic_load(&client.left) && !next_order(&m, &with))
			carry_out(&m, &with);
		if (atomic_load(&client.left))
			break;
		if (!find_another()) {
			pager_is_gone();
			break;
		}
		pager_changed();
	}
	/* Closing ends all registrations: threads that wait for a page go on with what the kernel has, or zeros. */
	disconnect(0);
	pager_left();
}
